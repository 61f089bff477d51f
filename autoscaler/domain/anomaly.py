"""What a detector says about lanes: which class of cause, how bad, since when. How it finds out is not known here.

No verdict is never a verdict: where no detector runs, or it failed, nothing is abnormal and scaling works on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from autoscaler.domain.notes import Note
from autoscaler.domain.series import Bools, Floats


class Cause(StrEnum):
    """Why something is abnormal, which decides what may follow from it. Codes are stable: they stand in records."""

    DEMAND = "Demand"
    CAPACITY = "Capacity"
    LATENCY_ERRORS = "LatencyErrors"
    DATA_FAULT = "DataFault"
    SENSOR_LOSS = "SensorLoss"
    SUSPECTED_ATTACK = "SuspectedAttack"

    @property
    def words(self) -> str:
        return _WORDS[self]

    @property
    def bit(self) -> int:
        """Its place in a lane's set of causes."""
        return 1 << CAUSES.index(self)


CAUSES: tuple[Cause, ...] = tuple(Cause)
"""The order of the first axis of all arrays by cause."""
_WORDS: Mapping[Cause, str] = {
    Cause.DEMAND: "unusual demand",
    Cause.CAPACITY: "replicas serve less than they should",
    Cause.LATENCY_ERRORS: "latency or errors out of the ordinary",
    Cause.DATA_FAULT: "the data is wrong",
    Cause.SENSOR_LOSS: "a sensor is lost or stuck",
    Cause.SUSPECTED_ATTACK: "a suspected attack",
}


class Detector(StrEnum):
    """ON: it judged this moment. OFF: people switched it off, or it is none. CRASHED: it raised, or said nonsense."""

    ON = "On"
    OFF = "Off"
    CRASHED = "Crashed"


@dataclass(frozen=True, slots=True, eq=False)
class AnomaliesAt:
    """The verdicts of one moment.

    severity: [cause, lane], 0 = nothing abnormal of that class, up to 1. since_s: [cause, lane], when it began, seconds
    since the epoch; NaN where there is nothing. A detector that is not ON has no verdicts. Read-only.
    notes: lane → what else there is to tell; words that stay the same while nothing new is known.
    """

    detector: Detector
    severity: Floats
    since_s: Floats
    notes: Mapping[int, tuple[Note, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self.detector, self.severity, self.since_s, 2)

    @staticmethod
    def none(lanes: int, detector: Detector = Detector.OFF) -> AnomaliesAt:
        """Nothing is abnormal anywhere."""
        return AnomaliesAt(detector, np.zeros((len(CAUSES), lanes)), np.full((len(CAUSES), lanes), np.nan))

    @staticmethod
    def of(lanes: int, *found: tuple[int, Cause, float, float]) -> AnomaliesAt:
        """From single verdicts: lane, cause, severity, since_s."""
        severity, since_s = np.zeros((len(CAUSES), lanes)), np.full((len(CAUSES), lanes), np.nan)
        for lane, cause, how_bad, began_s in found:
            severity[CAUSES.index(cause), lane], since_s[CAUSES.index(cause), lane] = how_bad, began_s
        return AnomaliesAt(Detector.ON, severity, since_s)

    @property
    def active(self) -> Bools:
        """[cause, lane]."""
        return np.asarray(self.severity > 0)

    @property
    def any(self) -> bool:
        return bool(np.count_nonzero(self.severity))

    @property
    def lanes(self) -> int:
        return int(self.severity.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class Anomalies:
    """The verdicts of consecutive origins. severity, since_s: [cause, lane, origin], as in AnomaliesAt.

    notes: as there, of the last origin alone: a record has one reader, who looks at the newest.
    """

    detector: Detector
    severity: Floats
    since_s: Floats
    notes: Mapping[int, tuple[Note, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self.detector, self.severity, self.since_s, 3)

    def at(self, origin: int) -> AnomaliesAt:
        """Those of one origin (0-based)."""
        last = origin in {-1, self.severity.shape[2] - 1}
        return AnomaliesAt(
            self.detector, self.severity[..., origin], self.since_s[..., origin], self.notes if last else {}
        )


def _check(detector: Detector, severity: Floats, since_s: Floats, axes: int) -> None:
    if severity.ndim != axes or severity.shape[0] != len(CAUSES) or severity.shape != since_s.shape:
        raise ValueError(f"severity {severity.shape} and since_s {since_s.shape} must agree on {len(CAUSES)} causes")
    if not ((severity >= 0) & (severity <= 1)).all():
        raise ValueError("a severity lies between 0 and 1")
    if not np.isfinite(since_s[severity > 0]).all():
        raise ValueError("what is abnormal is so since some moment")
    if detector is not Detector.ON and severity.any():
        raise ValueError(f"a detector that is {detector} has no verdicts")
    for array in (severity, since_s):
        array.setflags(write=False)
