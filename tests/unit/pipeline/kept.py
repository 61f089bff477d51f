"""A recorder in memory: what was decided, tick by tick."""

from __future__ import annotations

from dataclasses import dataclass, field

from autoscaler.domain.decision import Decisions


@dataclass
class Kept:
    """Implements ports.DecisionWriter."""

    ticks: list[Decisions] = field(default_factory=list)

    def append(self, decisions: Decisions) -> None:
        self.ticks.append(decisions)
