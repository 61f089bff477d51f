"""Asking whether something is abnormal."""

from typing import Protocol

from autoscaler.domain.anomaly import Anomalies
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import Panel


class AnomalyDetector(Protocol):
    """May raise, or be absent: a tick without its verdicts decides as if nothing were abnormal."""

    def judge(self, panel: Panel, fleet: Fleet, first_step: int, origins: int = 1) -> Anomalies:
        """Verdicts over the fleet's lanes at consecutive origins, the first at the start of absolute step first_step.

        panel: rows as in fleet.demands; a verdict for an origin knows no later step.
        """
        ...
