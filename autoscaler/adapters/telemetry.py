"""Our own metrics, all declared here, on a registry that is handed in. Labels: workloads and sources, never pods."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from autoscaler.adapters.ladder_metrics import LadderMetrics
from autoscaler.adapters.note_metrics import NoteMetrics
from autoscaler.adapters.reminder_metrics import ReminderMetrics
from autoscaler.adapters.risk_metrics import RiskMetrics
from autoscaler.adapters.sheet import Labels, Sheet
from autoscaler.domain.anomaly import Detector
from autoscaler.domain.decision import Decisions
from autoscaler.domain.forecast import LEVELS
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import DataVerdict
from autoscaler.domain.workload import WorkloadRef

T = TypeVar("T")
WORKLOAD = ("namespace", "name")
LEAD_PARTS = ("data_delay", "tick", "actuation", "provisioning", "ready", "warmup")


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What one source is like now. up: None = not asked yet. failures: verdict → queries that failed so, since start.
    skew_s: its clock less ours.
    """

    name: str
    up: bool | None
    queries: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    skew_s: float | None = None


class Telemetry:
    """Counts and gauges of one service; `observe` renders a tick's decisions into them."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = r = registry or CollectorRegistry()
        self._kinds: dict[Any, Any] = {}
        self._seen: set[WorkloadRef] = set()
        self.ticks = Counter("foresail_ticks", "Ticks by result: ok, failed, skipped.", ("result",), registry=r)
        for result in ("ok", "failed", "skipped"):
            self.ticks.labels(result)  # a counter that is born at one has a first rise that no rate() sees
        self.tick_seconds = Histogram(
            "foresail_tick_duration_seconds",
            "Time that one tick takes.",
            registry=r,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        self.last_tick = Gauge("foresail_last_tick_timestamp_seconds", "Time of the newest finished tick.", registry=r)
        self.dropped = Gauge("foresail_records_dropped", "Ticks lost to the record since start.", registry=r)
        self.problems = Gauge("foresail_spec_problems", "Problems in the fleet files in force.", registry=r)
        self.source_errors = Gauge(
            "foresail_source_errors", "Metrics sources and series that give no data now.", registry=r
        )
        self.clock_skew = Gauge(
            "foresail_clock_skew_seconds",
            "The sources' time less ours, as agreed by them; over 30 s is wrong.",
            registry=r,
        )
        self.backfill_left = Gauge(
            "foresail_backfill_remaining_requests", "Requests for history that are still to be made.", registry=r
        )
        self.backfill_failing = Gauge(
            "foresail_backfill_failing_demands", "Demands whose history was not answered when last asked.", registry=r
        )
        self.not_learned = Gauge(
            "foresail_demands_waiting_to_learn", "Demands whose history is there and waits to be learned.", registry=r
        )
        self.detector = Gauge(
            "foresail_anomaly_detector_up", "1 while it judges, 0 since it failed or is off; absent without one.",
            ("detector",), registry=r,
        )  # fmt: skip
        self._sources: dict[str, dict[str, int]] = {}
        self._source_gauges = {
            name: Gauge(f"foresail_source_{name}", text, ("source",), registry=r)
            for name, text in {
                "up": "1 while the source answers.",
                "clock_skew_seconds": "The source's clock less ours.",
            }.items()
        }
        self._queries = Counter("foresail_source_queries", "Queries asked.", ("source",), registry=r)
        self._failures = Counter(
            "foresail_source_query_failures", "Queries without a usable answer.", ("source", "verdict"), registry=r
        )
        self.quarantined = Gauge(
            "foresail_models_quarantined", "Forecasters that failed in the newest tick.", registry=r
        )
        self.reasons = Counter(
            "foresail_guard_actions", "Times a guard changed or held a number.", (*WORKLOAD, "reason"), registry=r
        )
        self._columns = {
            name: Sheet(f"foresail_{name}", text, WORKLOAD, r)
            for name, text in {
                "current_replicas": "What is written now (replicas, or the floor).",
                "wanted_replicas": "Wanted before guards.",
                "granted_replicas": "Granted by the guards.",
                "ready_replicas": "Replicas that serve.",
                "observed_need_replicas": "Replicas for the demand observed now; absent while unknown.",
                "margin_ratio": "Margin on the sizing quantile.",
                "held": "1 while a guard holds the workload.",
                "data_ok": "1 while every demand of the workload is usable.",
            }.items()
        }
        self._lead = Sheet(
            "foresail_lead_seconds",
            "From a sample until the last replica asked for on it serves, by part; the parts add up.",
            (*WORKLOAD, "part"),
            r,
        )
        self._risks = RiskMetrics(r)
        self._notes = NoteMetrics(r)
        self.reminders = ReminderMetrics(r)
        self._ladder = LadderMetrics(r)
        self._peak = Sheet(
            "foresail_forecast_peak",
            "Quantile of the coming peak, in demand units.",
            (*WORKLOAD, "demand", "level"),
            r,
        )

    def kin(self, kind: Callable[[CollectorRegistry], T]) -> T:
        """The metrics of a kind, in this registry; made once, so that a service that begins anew goes on with them."""
        if kind not in self._kinds:
            self._kinds[kind] = kind(self.registry)
        made: T = self._kinds[kind]
        return made

    def observe(self, decisions: Decisions) -> None:
        """Render one tick; what is unknown is removed, not set to zero."""
        refs = [w.ref for w in decisions.fleet.workloads]
        for gone in self._seen - set(refs):
            self._forget(gone)
        self._seen = set(refs)
        if decisions.anomalies is None:
            _drop(self.detector, "anomaly")
        else:
            self.detector.labels("anomaly").set(decisions.anomalies.detector is Detector.ON)
        facts = decisions.proposals
        known = decisions.status.known
        unseen = ~known
        columns = {
            "current_replicas": np.where(unseen, np.nan, facts.current),
            "wanted_replicas": np.where(unseen, np.nan, decisions.wanted),
            "granted_replicas": np.where(unseen, np.nan, decisions.granted),
            "ready_replicas": np.where(unseen, np.nan, decisions.status.ready),
            "observed_need_replicas": np.where(facts.need_known, facts.observed_need, np.nan),
            "margin_ratio": decisions.margin,
            "held": decisions.held,
            "data_ok": facts.verdict == DataVerdict.OK,
        }
        names = [(ref.namespace, ref.name) for ref in refs]
        for name, column in columns.items():
            self._columns[name].show(zip(names, column.tolist(), strict=True))
        self._peak.show(_peaks(names, decisions))
        self._lead.show(_lead_parts(names, decisions))
        self._risks.observe(decisions)
        self._notes.observe(decisions)
        self._ladder.observe(decisions)
        for step in decisions.trace:
            for lane in np.flatnonzero(step.acted).tolist():
                self.reasons.labels(refs[lane].namespace, refs[lane].name, step.reason.value).inc()

    def observe_sources(self, sources: list[SourceFacts]) -> None:
        """Render the sources; one that is gone leaves no series behind."""
        now = {s.name for s in sources}
        for gone in self._sources.keys() - now:
            for gauge in self._source_gauges.values():
                _drop(gauge, gone)
            _drop(self._queries, gone)
            for verdict in DataVerdict:
                _drop(self._failures, gone, verdict.name)
            del self._sources[gone]
        for source in sources:
            values = {
                "up": source.up,
                "clock_skew_seconds": source.skew_s,
            }
            for name, value in values.items():
                if value is None:
                    _drop(self._source_gauges[name], source.name)
                else:
                    self._source_gauges[name].labels(source.name).set(value)
            counted = self._sources.setdefault(source.name, {})
            totals = {"": source.queries} | {v: n for v, n in source.failures.items() if v in DataVerdict.__members__}
            for kind, total in totals.items():
                counter = self._failures.labels(source.name, kind) if kind else self._queries.labels(source.name)
                before = counted.get(kind, 0)
                counter.inc(total - before if total >= before else total)  # a reader made anew counts from zero
                counted[kind] = total

    def _forget(self, ref: WorkloadRef) -> None:
        for reason in Reason:
            _drop(self.reasons, ref.namespace, ref.name, reason.value)


def _peaks(names: Sequence[Labels], decisions: Decisions) -> Iterator[tuple[Labels, float]]:
    """Of demands that have a forecast."""
    levels = [f"{level:g}" for level in LEVELS]
    rows = decisions.seen.quantiles.tolist()
    for row, demand in enumerate(decisions.fleet.demands):
        if decisions.seen.present[row]:
            named = (*names[int(decisions.fleet.row_lane[row])], demand.name)
            yield from (((*named, level), value) for level, value in zip(levels, rows[row], strict=True))


def _lead_parts(names: Sequence[Labels], decisions: Decisions) -> Iterator[tuple[Labels, float]]:
    tick_s = decisions.seen.step_s
    late_s = (decisions.seen.data_delay_steps * tick_s).tolist()
    for named, load, late in zip(names, decisions.fleet.workloads, late_s, strict=True):
        lead = load.lead
        values = (late, tick_s, lead.actuation_s, lead.provisioning_s, lead.ready_s, lead.warmup_s)
        yield from (((*named, part), value) for part, value in zip(LEAD_PARTS, values, strict=True))


def _drop(metric: Gauge | Counter, *labels: str) -> None:
    try:
        metric.remove(*labels)
    except KeyError:
        return
