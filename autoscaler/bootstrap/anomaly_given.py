"""Anomalies that a person writes down for a recording, in place of a detector's: `policy test`.

What follows of them is what follows of a detector's: gates, and what is learned of the values they are about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.bootstrap.anomaly_recorded import without
from autoscaler.domain.anomaly import CAUSES, Anomalies, Cause, Detector
from autoscaler.domain.errors import Refused
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import Bools, DataVerdict, Panel
from autoscaler.pipeline.detecting import Span

CODES = {
    Cause.DATA_FAULT: DataVerdict.UNIT_CHANGE,
    Cause.SENSOR_LOSS: DataVerdict.STUCK,
    Cause.SUSPECTED_ATTACK: DataVerdict.PARTIAL,
}
"""Of which values nothing, or only a lower bound, is learned: as pipeline.detecting has it."""


@dataclass(frozen=True, slots=True)
class GivenVerdict:
    """In force in decisions from first_s on and before end_s, seconds since the epoch. evidence: for people."""

    cause: Cause
    severity: float
    first_s: float
    end_s: float
    evidence: str = ""

    @property
    def words(self) -> str:
        return f"{self.cause} ({self.evidence})" if self.evidence else f"{self.cause}"


@dataclass(frozen=True, slots=True, eq=False)
class GivenAnomalies:
    """Implements ports.AnomalyDetector for one workload. learn, doubted: as RecordedAnomalies has them."""

    verdicts: tuple[GivenVerdict, ...]
    step_s: int
    learn: Panel
    doubted: Bools

    def judge(self, panel: Panel, fleet: Fleet, first_step: int, origins: int = 1) -> Anomalies:
        """As the port says; what is given is given whatever the panel shows."""
        del panel
        severity = np.zeros((len(CAUSES), len(fleet), origins))
        since_s = np.full(severity.shape, np.nan)
        at_s = (first_step + np.arange(origins)) * float(self.step_s)
        for each in self.verdicts:
            k = CAUSES.index(each.cause)
            on = (at_s >= each.first_s) & (at_s < each.end_s)
            severity[k, :, on], since_s[k, :, on] = each.severity, each.first_s
        return Anomalies(Detector.ON, severity, since_s)


def given_recording(panel: Panel, verdicts: Sequence[GivenVerdict], data_delay_steps: int = 0) -> GivenAnomalies:
    """A verdict of a decision is about the values that came in since the decision before.

    Refused for one that reaches beyond the recording or that no decision falls into, and for two of one cause at once.
    """
    step_s, end_step = panel.step_s, panel.first_step + panel.values.shape[1]
    spans: list[Span] = []
    for index, each in enumerate(verdicts):
        first, end = (int(-(-at_s // step_s)) for at_s in (each.first_s, each.end_s))
        if first < panel.first_step or end > end_step:
            raise Refused(f"anomalies[{index}]: {each.words} reaches beyond this recording; check from, until")
        if end <= first:
            raise Refused(
                f"anomalies[{index}]: no decision of this recording falls into {each.words}; check from, until"
            )
        for other in verdicts[:index]:
            if other.cause is each.cause and other.first_s < each.end_s and each.first_s < other.end_s:
                raise Refused(f"anomalies[{index}]: there is {each.cause} at that time already; make one of the two")
        if each.cause in CODES:
            back = 1 + data_delay_steps
            code = int(CODES[each.cause])
            spans += [Span(row, first - back, end - back, code) for row in range(panel.values.shape[0])]
    learn = without(panel, spans)
    doubted = np.isfinite(panel.values) & ~np.isfinite(learn.values)
    return GivenAnomalies(tuple(verdicts), step_s, learn, doubted)
