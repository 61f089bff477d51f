"""Builders that many tests share: small fleets, panels, one origin's foresight, proposals."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import freezegun
import numpy as np
import pytest

from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.forecast import ForesightAt
from autoscaler.domain.proposals import Proposals
from autoscaler.domain.series import DataVerdict, Panel, SeriesBatch
from autoscaler.domain.workload import Actuation, Demand, Lead, Mode, Target, Workload, WorkloadRef
from tests.order import in_order

# it looks into every loaded module, and the Kubernetes client makes its models when somebody looks
freezegun.configure(extend_ignore_list=["kubernetes"])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    by_file: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        by_file[item.nodeid.partition("::")[0]].append(item)
    order = in_order({path: len(tests) for path, tests in by_file.items()})
    items[:] = [item for path in order for item in by_file[path]]


def _workload(name: str = "web", capacities: tuple[float, ...] = (10.0,), **changes: Any) -> Workload:
    demands = tuple(Demand(f"d{k}", "prom", f"{name}-{k}", capacity) for k, capacity in enumerate(capacities))
    base = Workload(
        ref=WorkloadRef("shop", name),
        target=Target("apps/v1", "Deployment", name),
        demands=demands,
        min_replicas=1,
        max_replicas=100,
        lead=Lead(180.0),
        mode=Mode.ACT,
        actuation=Actuation.SCALE,
    )
    return replace(base, **changes)


def _fleet(*workloads: Workload, lanes: int = 1, **changes: Any) -> Fleet:
    return Fleet(workloads or tuple(_workload(f"w{i}", **changes) for i in range(lanes)))


def _panel(raw: Any, step_s: int = 60, first_step: int = 0) -> Panel:
    return Panel.of(SeriesBatch.judge(step_s, first_step, np.atleast_2d(np.asarray(raw, dtype=np.float64))))


def _seen(fleet: Fleet, step: int, observed: Any, peak: Any = np.nan, **changes: Any) -> ForesightAt:
    """One origin: `observed` and the p95 of the peak per row, NaN = unknown or no forecast; data is in at once."""
    rows = len(fleet.demands)
    demand = np.broadcast_to(np.asarray(observed, dtype=np.float64), rows).copy()
    top = np.broadcast_to(np.asarray(peak, dtype=np.float64), rows).copy()
    known = np.isfinite(demand)
    base = ForesightAt(
        step=step,
        step_s=60,
        data_delay_steps=np.zeros(len(fleet), dtype=np.int64),
        age_s=np.where(known, 0.0, np.inf),
        observed=demand,
        settled=demand.copy(),
        verdict=np.where(known, DataVerdict.OK, DataVerdict.MISSING).astype(np.uint8),
        lead_steps=fleet.lead_steps(60),
        quantiles=np.stack([top * 0.5, top * 0.9, top], axis=1),
        present=np.isfinite(top),
        model=np.where(np.isfinite(top), 0, -1),
        models=("given",),
    )
    return replace(base, **changes)


def _proposals(lanes: int = 1, **changes: Any) -> Proposals:
    """Lanes at ten replicas that want ten and nothing stands in the way; `changes` are numbers or lists."""
    counts = {
        "desired": 10, "current": 10, "hold_level": 10, "observed_need": 0, "predicted_need": 0, "min_replicas": 1,
        "max_replicas": 100, "recent_high": 0, "recent_low": NO_LIMIT, "up_limit": NO_LIMIT, "down_limit": 0,
        "wanted": 10, "least_replicas": 0, "fallback_least": 0, "fallback_level": 0,
        "budget_cap": NO_LIMIT, "short_up_limit": NO_LIMIT,
        "anomaly_cap": NO_LIMIT, "anomaly_short_cap": NO_LIMIT,
        "trust_cap": NO_LIMIT, "condition_floor": 0, "condition_cap": NO_LIMIT, "pause_level": -1,
    }  # fmt: skip
    flags = {
        "target_known": True, "need_known": True, "predicted": False, "pause_up": False, "pause_down": False,
        "held": False, "frozen": False, "yielded": False, "overridden": False, "stuck": False, "rises_spaced": False,
        "clash": False, "policy_unknown": False, "braked": False, "growth_braked": False,
        "condition_hold": False, "condition_unknown": False, "short_condition": False,
        "short_budget": False, "short_growth": False, "capacity_unknown": False, "anomaly_hold": False,
    }  # fmt: skip
    seconds = {"data_age_s": 0.0, "max_data_age_s": 180.0, "raised_s": -np.inf, "fallback_after_s": np.inf}
    seconds |= {"tolerance_up": 0.0, "tolerance_down": 0.0}
    now_s = float(changes.pop("now_s", 0.0))
    every: dict[str, Any] = {
        name: np.full(lanes, changes.pop(name, 0), dtype=np.uint8)
        for name in ("verdict", "change_freeze", "anomaly_causes", "anomaly_growth")
    }
    for defaults, dtype in ((counts, np.int64), (flags, np.bool_), (seconds, np.float64)):
        for name, value in defaults.items():
            every[name] = np.broadcast_to(np.asarray(changes.pop(name, value), dtype=dtype), lanes).copy()
    assert not changes, f"no such fields: {changes}"
    if (every["recent_high"] == 0).all():
        every["recent_high"] = every["wanted"].copy()
    if (every["recent_low"] == NO_LIMIT).all():
        every["recent_low"] = every["wanted"].copy()
    return Proposals(now_s=now_s, **every)


@pytest.fixture(scope="session")
def make_workload() -> Callable[..., Workload]:
    return _workload


@pytest.fixture(scope="session")
def make_fleet() -> Callable[..., Fleet]:
    return _fleet


@pytest.fixture(scope="session")
def make_panel() -> Callable[..., Panel]:
    return _panel


@pytest.fixture(scope="session")
def make_seen() -> Callable[..., ForesightAt]:
    return _seen


@pytest.fixture(scope="session")
def make_proposals() -> Callable[..., Proposals]:
    return _proposals
