"""What is advised: one line per workload that could be judged, and a reason for every one that could not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from autoscaler.bootstrap.advise.candidates import Confidence, Unjudged
from autoscaler.bootstrap.advise.judging import Case, Question
from autoscaler.bootstrap.advise.record import Window
from autoscaler.bootstrap.advise.simulating import Simulated
from autoscaler.domain.series import Floats
from autoscaler.simulator.claims import Claim
from autoscaler.simulator.starts import ReadySpread

FIRST: Final = 5
WORTH: Final = 0.01
"""Share of the replica-hours of today, in value, below which nobody should start with a workload."""


@dataclass(frozen=True, slots=True, eq=False)
class Advised:
    """One judged workload. All figures are over the scored part of the record. spread: of the times to Ready."""

    case: Case
    simulated: Simulated
    spread: ReadySpread | None = None

    @property
    def name(self) -> str:
        return str(self.case.workload.ref)

    @property
    def confidence(self) -> Confidence:
        return self.case.confidence

    @property
    def claim(self) -> Claim:
        """Foresail's row."""
        return self.simulated.claims.rows[-1]

    @property
    def saving(self) -> float:
        """Share of the replica-hours of now; negative where safety costs."""
        return 0.0 if self.claim.saving is None else self.claim.saving.value

    @property
    def retuned_saving(self) -> float | None:
        """Of the HPA alone at the target that, known only afterwards, was cheapest and short for no longer than we."""
        if self.simulated.retuned is None:
            return None
        told = self.simulated.claims.rows[1].saving
        return None if told is None else told.value

    @property
    def avoided_minutes(self) -> float:
        """Short minutes that now has and Foresail has not; negative where it has more."""
        return 0.0 if self.claim.avoided_minutes is None else self.claim.avoided_minutes.value

    @property
    def keeps_risk(self) -> bool:
        return (self.simulated.best.scores.short_share or 0.0) <= self.case.workload.risk

    @property
    def saved_hours(self) -> float:
        return self.simulated.now.scores.replica_hours - self.simulated.best.scores.replica_hours

    @property
    def value(self) -> float:
        """Replica-hours: saved, and short hours avoided at the price that the accepted risk puts on them.

        Who accepts 0.5 % of the time short of one replica pays for 200 replica-hours rather than be short for one.
        Load above a capacity that nobody promised need not have hurt: to avoid it is worth nothing here.
        """
        avoided_hours = self.avoided_minutes / 60
        if not self.case.capacity.promised:
            avoided_hours = min(0.0, avoided_hours)
        return self.saved_hours + avoided_hours / self.case.workload.risk

    @property
    def average_now(self) -> float:
        scores = self.simulated.now.scores
        return scores.replica_hours / scores.hours if scores.hours else 0.0

    @property
    def average_then(self) -> float:
        scores = self.simulated.best.scores
        return scores.replica_hours / scores.hours if scores.hours else 0.0

    @property
    def recorded_average(self) -> float | None:
        known = self.case.wanted[np.isfinite(self.case.wanted)]
        return float(known.mean()) if len(known) else None

    @property
    def worth_starting(self) -> bool:
        return self.keeps_risk and self.value > WORTH * self.simulated.now.scores.replica_hours

    def week(self) -> Floats:
        """The demand of the newest seven days."""
        return self.case.demand[-7 * 86400 // self.simulated.now.served.step_s :]


@dataclass(frozen=True, slots=True, eq=False)
class Advice:
    """judged: the most valuable first within each confidence. notes: what a reader should know of the whole."""

    window: Window
    question: Question
    judged: tuple[Advised, ...]
    unjudged: tuple[Unjudged, ...]
    ignored: tuple[Unjudged, ...] = ()
    notes: tuple[str, ...] = ()
    scored_step: int = 0

    @property
    def first(self) -> tuple[Advised, ...]:
        """The ones to start with: the surest that are worth it."""
        return tuple(one for one in self.judged if one.worth_starting)[:FIRST]


def ordered(judged: list[Advised]) -> tuple[Advised, ...]:
    return tuple(sorted(judged, key=lambda one: (one.confidence.rank, -one.value, one.name)))
