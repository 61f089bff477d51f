"""What one set of policies would have done to a recorded demand, by the live pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.domain.errors import Refused
from autoscaler.domain.policy import UNGUARDED
from autoscaler.domain.reasons import Reason
from autoscaler.domain.workload import Workload
from autoscaler.spec.reader import load

if TYPE_CHECKING:
    from autoscaler.adapters.traces import Trace
    from autoscaler.bootstrap.simulate import Outcome
    from autoscaler.simulator.figures import Scores

WEEK_S = 7 * 86400.0
STEP_S = 60


@dataclass(frozen=True, slots=True)
class Effect:
    """One set of policies over a recorded demand; all but `most` of the scored hours.

    most: replicas at the highest moment. budget_minutes: in which a budget left less than was wanted, as if the
    workload had it alone; None = there is no budget. cost: of the replica-hours, at its price; None = it has none.
    """

    replica_hours: float
    short_minutes: float
    hours: float
    most: int = 0
    budget_minutes: float | None = None
    cost: float | None = None


def effect(load_: Workload, record: Trace) -> Effect:
    """Starts with a week of warm-up, or a third of a shorter record."""
    from autoscaler.bootstrap.simulate import check_trace, simulate
    from autoscaler.bootstrap.worlds import World

    if len(load_.demands) != 1:
        raise Refused(f"{load_.ref} has {len(load_.demands)} demands; a recorded demand shows one")
    check_trace(record)
    whole_s = len(record.values) * record.step_s
    outcome = simulate(record, load_, World(warmup_s=min(WEEK_S, whole_s / 3)))
    return _effect(load_, outcome, outcome.scores)


def _effect(load_: Workload, outcome: Outcome, scores: Scores) -> Effect:
    guarded = load_.guarded or UNGUARDED
    scored = outcome.served.scored
    price = guarded.replica_price
    if price is None:
        price = max((b.price for b in guarded.budgets if b.money is not None), default=None)
    bound = None
    if guarded.budgets:
        from autoscaler.bootstrap.simulate import rows

        told = np.array([Reason.BUDGET_REACHED.value in str(r).split(",") for r in rows(outcome)["reasons"]])
        bound = float((told & scored).sum()) * outcome.served.step_s / 60
    most = int(outcome.served.running[scored].max()) if scored.any() else 0
    cost = None if price is None else scores.replica_hours * price
    return Effect(scores.replica_hours, scores.short_minutes, scores.hours, most, bound, cost)


def own_record(paths: Sequence[Path], load_: Workload, since_s: float, now_s: float) -> Trace:
    """The newest `since_s` seconds of its demand, from its MetricsSource among the files, credentials included."""
    from autoscaler.bootstrap.recorded import source_trace

    if len(load_.demands) != 1:
        raise Refused(f"{load_.ref} has {len(load_.demands)} demands; a recorded demand shows one")
    demand = load_.demands[0]
    servers = {s.name: s for s in load(list(paths)).servers}
    if demand.source not in servers:
        raise Refused(
            f"the source {demand.source!r} of {load_.ref} is no server among the files; name the recorded demand: "
            "--trace FILE, or --prometheus URL"
        )
    return source_trace(servers[demand.source], demand.query, since_s, STEP_S, now_s)
