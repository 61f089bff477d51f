"""Workloads that are simulated together: what they share, and the world around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from autoscaler.bootstrap.advise.judging import DAY_S, Case, Question
from autoscaler.bootstrap.worlds import World, steps_of
from autoscaler.domain.series import Floats

WARMUP_DAYS: Final = 7


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Cases that are simulated together. first_step: absolute step of every case's first value."""

    cases: tuple[Case, ...]
    question: Question
    first_step: int

    @property
    def demand(self) -> Floats:
        """[case, step]."""
        return np.stack([case.demand for case in self.cases])

    @property
    def warm_steps(self) -> int:
        """A week; a third of a record that is shorter than ten days."""
        steps = len(self.cases[0].demand)
        days = steps * self.question.step_s / DAY_S
        return int(WARMUP_DAYS * DAY_S // self.question.step_s) if days >= WARMUP_DAYS + 3 else steps // 3

    @property
    def lead_steps(self) -> int:
        """Of the lead that is planned with."""
        return steps_of(self.question.lead_s, self.question.step_s)

    @property
    def world(self) -> World:
        return World(warmup_s=float(self.warm_steps * self.question.step_s), spread=self.question.spread)
