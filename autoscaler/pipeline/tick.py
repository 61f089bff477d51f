"""One tick of the service: the product's sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from autoscaler.actuation.requests import requests
from autoscaler.domain.decision import Decisions
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import step_at
from autoscaler.forecasting.serving import PeakServer
from autoscaler.guards.contract import Guard
from autoscaler.intake.history import History
from autoscaler.intake.lag import DataLag
from autoscaler.intake.lead_times import LeadTimes
from autoscaler.pipeline.anomalies import judged
from autoscaler.pipeline.counted import counted
from autoscaler.pipeline.decide import decide
from autoscaler.pipeline.exclusions import exclusion_notes
from autoscaler.pipeline.foresee import foresee
from autoscaler.pipeline.inherited import Inherited, either
from autoscaler.pipeline.older import Older
from autoscaler.pipeline.state import LoopState
from autoscaler.pipeline.unfilled import Unfilled, unfilled_notes
from autoscaler.ports.anomalies import AnomalyDetector
from autoscaler.ports.cluster import Cluster
from autoscaler.ports.metrics import MetricsReader
from autoscaler.ports.records import DecisionWriter


@dataclass(slots=True)
class Pipeline:
    """The ports and stages of one service, and what it remembers between ticks."""

    metrics: MetricsReader
    cluster: Cluster
    records: DecisionWriter
    history: History
    server: PeakServer
    guards: Sequence[Guard]
    lag: DataLag = field(default_factory=DataLag)
    leads: LeadTimes = field(default_factory=LeadTimes)
    state: LoopState | None = None
    detector: AnomalyDetector | None = None
    older: Older = field(default_factory=Older)
    inherited: Inherited = field(default_factory=Inherited)
    unfilled: Unfilled = field(default_factory=Unfilled)

    def tick(self, fleet: Fleet, now: datetime) -> Decisions:
        """Metrics in, forecast, plan, guards, actuation, one record. `now` is aware; nothing reads a clock."""
        step_s = self.history.step_s
        step = step_at(now, step_s)
        fleet = self.leads.applied(fleet, now.timestamp(), step_s)
        self.server.turns.forget()
        panel = self.history.collect(self.metrics, fleet, step)
        if older := self.older.due(self.history.older(), now.timestamp()):
            self.server.relearn(frozenset(older))  # not only at the next anchors
        delay = self.lag.observe(panel, fleet, step)
        abnormal = judged(self.detector, panel, fleet, step)  # before it is learned from: what is wrong is taken back
        foresight = foresee(panel, fleet, self.server, step, data_delay_steps=delay)
        status = self.cluster.observe(fleet)
        lacks = self.unfilled.lanes(fleet, self.history.lacking, now.timestamp())
        stands = either(self.inherited.stands(fleet, status), lacks)
        self.leads.learn(fleet, status.starts)
        remembered = (self.state or LoopState.fresh(fleet, step_s)).for_fleet(fleet, step_s)
        decisions, self.state = decide(
            fleet, foresight.at(0), status, remembered, self.guards, now_s=now.timestamp(),
            anomalies=abnormal, stands=stands,
        )  # fmt: skip
        self.inherited.remembered(fleet, status)
        decisions, self.state = counted(decisions, self.state)
        decisions = decisions.noted(self.leads.notes(fleet)).noted(exclusion_notes(fleet, now.timestamp()))
        decisions = decisions.noted(unfilled_notes(lacks))
        try:
            decisions = decisions.noted(self.cluster.apply(fleet, requests(decisions), now.timestamp()))
        finally:
            self.records.append(decisions)  # what was decided is on record even if a write failed
        return decisions
