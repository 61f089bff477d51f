"""Decisions made by hand: every array can be set, the rest is plain and valid."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.adapters.store import DecisionStore
from autoscaler.domain.decision import SIZING_REASONS, Decisions
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.forecast import ForesightAt
from autoscaler.domain.proposals import Proposals
from autoscaler.domain.reasons import Reason
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.series import DataVerdict
from autoscaler.domain.trace import GuardTrace, Trace
from autoscaler.domain.workload import Demand, Lead, Mode, Target, Workload, WorkloadRef

START_S = 1_800_000_000.0
TICK_S = 15.0
MODELS = ("seasonal-naive", "theta-day", "ridge")
GUARDS = {
    "pause": Reason.PAUSED,
    "data-verdict": Reason.BAD_DATA,
    "stabilization": Reason.STABILIZING,
    "step-up": Reason.STEP_UP_LIMITED,
    "min-max": Reason.OUTSIDE_LIMITS,
}
_DTYPES = {"Ints": np.int64, "Floats": np.float64, "Bools": np.bool_, "Codes": np.uint8}


def workload(name: str = "web", demands: int = 1, **spec: Any) -> Workload:
    streams = tuple(
        Demand(f"requests{k or ''}", "prod", f'sum(rate(http_requests_total{{app="{name}"}}[1m]))', 45.0)
        for k in range(demands)
    )
    plain: dict[str, Any] = {
        "target": Target("apps/v1", "Deployment", name),
        "demands": streams,
        "min_replicas": 2,
        "max_replicas": 60,
        "lead": Lead(90.0, 30.0),
        "mode": Mode.ACT,
    }
    return Workload(ref=WorkloadRef("shop", name), **(plain | spec))


def fleet(*names: str, **spec: Any) -> Fleet:
    return Fleet(tuple(workload(name, **spec) for name in (names or ("web",))))


def build(
    lanes: Fleet,
    at_s: float = START_S,
    *,
    granted: Any = 5,
    current: Any = 4,
    wanted: Any = 6,
    observed: Any = 180.0,
    age_s: Any = 20.0,
    verdict: Any = DataVerdict.OK,
    quantiles: Any = (170.0, 220.0, 240.0),
    present: Any = True,
    model: Any = 1,
    models: tuple[str, ...] = MODELS,
    sizing: Reason = Reason.FORECAST_PEAK,
    margin: Any = 1.1,
    acts: Mapping[str, tuple[Any, Any, Any, Any]] | None = None,
    failed: Sequence[str] = (),
    inputs: Mapping[str, Any] | None = None,
) -> Decisions:
    """One tick. acts: guard → (before, after, holds, limit); guards not named leave the number as it is."""
    n, rows = len(lanes), len(lanes.row_lane)

    def over(count: int, value: Any, dtype: Any) -> Any:
        return np.broadcast_to(np.asarray(value, dtype=dtype), (count,)).copy()

    is_present = over(rows, present, np.bool_)
    levels = np.broadcast_to(np.asarray(quantiles, dtype=np.float64), (rows, 3))
    seen = ForesightAt(
        **_known_fields(
            ForesightAt,
            step=int(at_s // TICK_S),
            step_s=int(TICK_S),
            data_delay_steps=np.ones(n, dtype=np.int64),
            age_s=over(rows, age_s, np.float64),
            observed=over(rows, observed, np.float64),
            settled=over(rows, observed, np.float64),
            verdict=over(rows, verdict, np.uint8),
            lead_steps=over(rows, 9, np.int64),
            quantiles=np.where(is_present[:, None], levels, np.nan),
            present=is_present,
            model=np.where(is_present, over(rows, model, np.int64), -1),
            models=models,
        )
    )
    worst = lanes.most_over_rows(seen.verdict.astype(np.int64)) if n else np.zeros(0, dtype=np.int64)
    values = {
        "target_known": True,
        "desired": current,
        "current": current,
        "wanted": wanted,
        "observed_need": 4,
        "need_known": True,
        "predicted_need": 6,
        "predicted": lanes.all_over_rows(is_present) if n else True,
        "verdict": worst,
        "data_age_s": 20.0,
        "max_data_age_s": 180.0,
        "min_replicas": 2,
        "max_replicas": 60,
        "up_limit": 2**31 - 1,
    } | dict(inputs or {})
    columns: dict[str, Any] = {
        f.name: at_s if f.name == "now_s" else over(n, values.get(f.name, 0), _DTYPES[str(f.type)])
        for f in fields(Proposals)
        if f.name != "silent"
    }
    proposals = Proposals(**columns)
    trace, level = [], over(n, wanted, np.int64)
    for guard, reason in GUARDS.items():
        before, after, holds, limit = (acts or {}).get(guard, (level, level, False, None))
        level = over(n, after, np.int64)
        trace.append(
            GuardTrace(
                guard,
                reason,
                over(n, before, np.int64),
                level,
                over(n, holds, np.bool_),
                over(n, guard in failed, np.bool_),
                None if limit is None else over(n, limit, np.float64),
            )
        )
    count = over(n, current, np.int64)
    return Decisions(
        fleet=lanes,
        now_s=at_s,
        expires_s=at_s + 2 * TICK_S,
        seen=seen,
        status=ReplicaStatus(over(n, True, np.bool_), count, count, count, over(n, 60, np.int64)),
        margin=over(n, margin, np.float64),
        sizing=over(n, SIZING_REASONS.index(sizing), np.int64),
        proposals=proposals,
        trace=Trace.told(trace),
        granted=over(n, granted, np.int64),
    )


def _known_fields(kind: Any, **values: Any) -> dict[str, Any]:
    names = {f.name for f in fields(kind)}
    return {name: value for name, value in values.items() if name in names}


class Making:
    """What tests take from here (test folders are no packages, so nothing can be imported)."""

    start_s = START_S
    tick_s = TICK_S
    workload = staticmethod(workload)
    fleet = staticmethod(fleet)
    decisions = staticmethod(build)


@pytest.fixture
def make() -> Making:
    return Making()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., DecisionStore]]:
    """Open stores on one file; all are closed at the end."""
    with ExitStack() as stack:

        def open_store(name: str = "foresail.db", **options: Any) -> DecisionStore:
            store = DecisionStore.open(tmp_path / name, **({"tick_s": TICK_S} | options))
            return stack.enter_context(store)

        yield open_store
