"""Decisions: one tick's for all lanes as arrays, and the frozen view of one lane made when somebody reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum

import numpy as np

from autoscaler.domain.anomaly import AnomaliesAt
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.forecast import LEVELS, ForesightAt
from autoscaler.domain.ladder import Standing
from autoscaler.domain.notes import Note
from autoscaler.domain.proposals import ANOMALY_FIELDS, POLICY_FIELDS, Proposals
from autoscaler.domain.realised import Realised
from autoscaler.domain.reasons import Reason
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.series import Bools, DataVerdict, Floats, Ints
from autoscaler.domain.trace import GuardTrace, Trace
from autoscaler.domain.workload import Actuation, Lead, Mode, WorkloadRef


class State(StrEnum):
    """What a workload's owner sees first."""

    LEARNING = "Learning"
    ADVISORY = "Advisory"
    ACTIVE = "Active"
    HOLDING = "Holding"
    PAUSED = "Paused"
    YIELDED = "Yielded"


@dataclass(frozen=True, slots=True)
class DemandView:
    """One demand of a decided workload. None = unknown or absent, never zero.

    note: what the source said about the verdict, where it said something. standing: what the forecast rests on; None
    in records before there was a ladder.
    """

    name: str
    source: str
    query: str
    capacity_per_replica: float | None
    verdict: DataVerdict
    observed: float | None
    age_s: float | None
    model: str | None
    quantiles: tuple[float, ...] | None
    note: str | None = None
    standing: Standing | None = None

    @property
    def sizing_quantile(self) -> float | None:
        return None if self.quantiles is None else self.quantiles[-1]


@dataclass(frozen=True, slots=True)
class GuardEffect:
    """What one guard did to one lane."""

    guard: str
    reason: Reason
    before: int
    after: int
    holds: bool
    limit: float | None = None

    @property
    def acted(self) -> bool:
        return self.holds or self.before != self.after

    @property
    def words(self) -> str:
        return self.reason.words(self.before, self.after, self.limit)


@dataclass(frozen=True, slots=True)
class Decision:
    """Why this workload gets this number, complete enough to replay.

    inputs: the lane's row of Proposals by name, so that a counterfactual runs the same guards again.
    notes: what the cluster, the write or the lead time has to say. lead: its parts; None in records before they were.
    data_delay_s: how late the data usually is; tick_s: the step that a decision covers. Both in front of the lead.
    rules: what guard policies and the workload's own spec had in force: field, and which rule of which file.
    """

    workload: WorkloadRef
    at: datetime
    expires: datetime
    mode: Mode
    actuation: Actuation
    state: State
    current: int
    ready: int
    wanted: int
    granted: int
    sizing: Reason
    margin: float
    lead_s: float
    risk: float
    demands: tuple[DemandView, ...]
    effects: tuple[GuardEffect, ...]
    inputs: Mapping[str, float]
    notes: tuple[Note, ...] = ()
    lead: Lead | None = None
    data_delay_s: float = 0.0
    tick_s: float = 0.0
    rules: tuple[tuple[str, str], ...] = ()

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Where the number came from, then each guard that changed or held it, in order."""
        return (self.sizing, *(e.reason for e in self.effects if e.acted))

    @property
    def words(self) -> tuple[str, ...]:
        return (
            self.sizing.words(self.current, self.wanted),
            *(e.words for e in self.effects if e.acted),
        )

    def shown(self, count: int) -> str:
        """A count for people; of a target that could not be read none is known."""
        return str(count) if self.inputs.get("target_known", True) else "?"

    @property
    def changes(self) -> bool:
        return self.granted != self.current


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """One tick's decisions over lanes, no-ops too.

    sizing: [lane], index into SIZING_REASONS. granted: [lane], replicas after all guards. realised:
    the shortage of the last weeks, up to this tick; None where nobody counts it. anomalies: None where nobody looks.
    """

    fleet: Fleet
    now_s: float
    expires_s: float
    seen: ForesightAt
    status: ReplicaStatus
    margin: Floats
    sizing: Ints
    proposals: Proposals
    trace: Trace
    granted: Ints
    notes: Mapping[int, tuple[Note, ...]] = field(default_factory=dict)
    realised: Realised | None = None
    anomalies: AnomaliesAt | None = None

    def noted(self, more: Mapping[int, tuple[Note, ...]]) -> Decisions:
        """With what there is to say beyond the numbers, by lane."""
        if not more:
            return self
        lanes = self.notes.keys() | more.keys()
        return replace(self, notes={lane: (*self.notes.get(lane, ()), *more.get(lane, ())) for lane in lanes})

    def __len__(self) -> int:
        return len(self.fleet)

    @property
    def wanted(self) -> Ints:
        """Before guards."""
        return self.proposals.wanted

    @property
    def held(self) -> Bools:
        """Lanes that some guard holds, or whose target cannot be read."""
        held = ~self.proposals.target_known
        for _, step in self.trace.changed:
            held |= step.holds
        return held

    def reason_bits(self) -> Ints:
        """[lane], bit g set where guard g acted: what changed from tick to tick, cheaply."""
        bits = np.zeros(len(self), dtype=np.int64)
        for g, step in self.trace.changed:
            bits |= np.where(step.acted, 1 << g, 0)
        return bits

    def fingerprint(self) -> Ints:
        """[lane, 6]; rows that differ between two ticks mean that something else was decided, or for another reason.

        Equal rows are not yet a proof: who keeps runs also compares spec, holds and the single demands.
        """
        return np.stack(
            [
                self.granted,
                self.proposals.current,
                self.sizing,
                self.reason_bits(),
                self.proposals.verdict.astype(np.int64),
                self.fleet.most_over_rows(self.seen.model),
            ],
            axis=1,
        )

    def __getitem__(self, lane: int) -> Decision:
        return _view(self, lane)


SIZING_REASONS = (
    Reason.OBSERVED_NEED,
    Reason.FORECAST_PEAK,
    Reason.NO_FORECAST,
    Reason.UNKNOWN_DEMAND,
    Reason.AT_MINIMUM,
    Reason.AHEAD_OF_HPA,
    Reason.CAPACITY_UNKNOWN,
    Reason.USUAL_PEAK,
)


def _view(batch: Decisions, lane: int) -> Decision:
    fleet, seen, load = batch.fleet, batch.seen, batch.fleet.workloads[lane]
    first = int(fleet.row_start[lane])
    effects = tuple(_effect(step, lane) for step in batch.trace)
    blank = frozenset() if load.guarded is not None else POLICY_FIELDS
    blank = blank if batch.proposals.anomaly_causes[lane] else blank | ANOMALY_FIELDS
    return Decision(
        workload=load.ref,
        at=datetime.fromtimestamp(batch.now_s, UTC),
        expires=datetime.fromtimestamp(batch.expires_s, UTC),
        mode=load.mode,
        actuation=load.actuation,
        state=_state(batch, lane, effects),
        current=int(batch.proposals.current[lane]),
        ready=int(batch.status.ready[lane]),
        wanted=int(batch.wanted[lane]),
        granted=int(batch.granted[lane]),
        sizing=SIZING_REASONS[int(batch.sizing[lane])],
        margin=float(batch.margin[lane]),
        lead_s=load.lead.total_s,
        risk=load.risk,
        demands=tuple(_demand(batch, first + k, seen) for k in range(len(load.demands))),
        effects=effects,
        inputs={
            f.name: getattr(batch.proposals, f.name)[lane].item()
            for f in fields(batch.proposals)
            if f.name not in {"now_s", "silent"} and f.name not in blank
        }
        | {"now_s": batch.now_s},
        notes=batch.notes.get(lane, ()),
        lead=load.lead,
        data_delay_s=float(seen.data_delay_steps[lane] * seen.step_s),
        tick_s=float(seen.step_s),
        rules=_rules(batch, lane),
    )


def _rules(batch: Decisions, lane: int) -> tuple[tuple[str, str], ...]:
    load = batch.fleet.workloads[lane]
    if load.guarded is None:
        return ()
    ahead_s = load.lead.total_s + batch.seen.step_s
    return load.guarded.rules_at(batch.now_s, ahead_s, (load.min_replicas, load.max_replicas))


def _effect(step: GuardTrace, lane: int) -> GuardEffect:
    limit = None if step.limit is None or not np.isfinite(step.limit[lane]) else float(step.limit[lane])
    reason = Reason.GUARD_FAILED if step.failed[lane] else step.reason
    before, after = int(step.before[lane]), int(step.after[lane])
    return GuardEffect(step.guard, reason, before, after, bool(step.holds[lane]), limit)


def _state(batch: Decisions, lane: int, effects: tuple[GuardEffect, ...]) -> State:
    if batch.proposals.yielded[lane]:
        return State.YIELDED
    stopped = (Reason.PAUSED, Reason.SCALED_TO_ZERO)
    if batch.proposals.overridden[lane] or any(e.reason in stopped and e.acted for e in effects):
        return State.PAUSED
    if not batch.proposals.target_known[lane] or any(e.holds for e in effects):
        return State.HOLDING
    if not batch.proposals.predicted[lane]:
        return State.LEARNING
    return State.ADVISORY if batch.fleet.workloads[lane].mode is Mode.ADVISE else State.ACTIVE


def _demand(batch: Decisions, row: int, seen: ForesightAt) -> DemandView:
    demand = batch.fleet.demands[row]
    served = bool(seen.present[row])
    return DemandView(
        name=demand.name,
        source=demand.source,
        query=demand.query,
        capacity_per_replica=demand.capacity_per_replica,
        verdict=DataVerdict(int(seen.verdict[row])),
        observed=_known(seen.observed[row]),
        age_s=_known(seen.age_s[row]),
        model=seen.models[int(seen.model[row])] if served else None,
        quantiles=tuple(seen.quantiles[row].tolist()) if served else None,
        note=seen.notes.get(row),
        standing=None if seen.standing is None else Standing.of(seen.standing[row]),
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def level_names() -> tuple[str, ...]:
    """p50, p90, … for faces."""
    return tuple(f"p{level * 100:g}" for level in LEVELS)
