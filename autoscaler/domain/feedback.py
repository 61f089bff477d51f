"""What labels of incidents do to a workload's calibration: bounded, forgetting, and to be read off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from autoscaler.domain.incident import Feedback, Incident, Label

PER_FALSE, PER_REAL = 0.7, 1.15
"""One label moves the accepted rate by so much: a false alarm weighs more, for nobody labels what was not found."""
LEAST, MOST = 0.1, 2.0
FORGOTTEN_S = 90 * 86_400.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """factor: on the false pages a week that are written. real, false: labels that count."""

    factor: float = 1.0
    real: int = 0
    false: int = 0

    @property
    def words(self) -> str:
        """Empty where nothing was said."""
        if not self.real and not self.false:
            return ""
        bound = " (at its bound)" if self.factor in {LEAST, MOST} else ""
        return f"accepted rate × {self.factor:.2f}{bound}: {self.real} labelled real, {self.false} false"


def calibrations(said: Iterable[tuple[Incident, Feedback]], now_s: float) -> Mapping[str, Calibration]:
    """By workload. Labels of incidents of one workload alone count: one of a fleet says nothing of each."""
    counts: dict[str, list[int]] = {}
    for incident, feedback in said:
        if incident.affected == 1 and now_s - feedback.at_s <= FORGOTTEN_S:
            count = counts.setdefault(incident.workloads[0], [0, 0])
            count[feedback.label is Label.FALSE] += 1
    return {
        name: Calibration(min(MOST, max(LEAST, PER_REAL**real * PER_FALSE**false)), real, false)
        for name, (real, false) in counts.items()
    }
