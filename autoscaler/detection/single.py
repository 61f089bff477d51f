"""One of the engine's own scores by itself, behind the contract of a detector, raw: for comparison and for recipes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from autoscaler.detection import fitting, memory, scoring
from autoscaler.detection.contract import Arrays, Block
from autoscaler.domain.series import Floats

DAY_S: Final = 86400
MEMBERS: Final = memory.MEMBERS


@dataclass(frozen=True, slots=True)
class Single:
    """Implements contract.Detector. name: one of MEMBERS."""

    name: str

    def __post_init__(self) -> None:
        if self.name not in MEMBERS:
            raise ValueError(f"no score {self.name!r}; there are {', '.join(MEMBERS)}")

    def fit(self, history: Block) -> Arrays:
        """See contract.Detector."""
        day = max(1, DAY_S // history.step_s)
        found = fitting.fit(history.values, day)
        past = memory.past_steps(day)
        rows = {
            **found,
            "base": found["centre"].copy(),
            "past": np.full((len(history.values), past), np.nan, np.float32),
        }
        kept = history.values[:, max(0, history.values.shape[1] - past) :]
        rows["past"] = memory.remember(rows, kept)[1]
        return rows

    def score(self, state: Arrays, block: Block) -> tuple[Floats, Arrays]:
        """See contract.Detector."""
        if len(state["base"]) != len(block.values):
            raise ValueError(f"a block of {len(block.values)} rows for a state of {len(state['base'])} rows")
        rows = {**state, "base": state["base"].copy()}
        relative, past = memory.remember(rows, block.values)
        day = max(1, DAY_S // block.step_s)
        seen = scoring.look(rows, relative, block.expected, block.values.shape[1], day)
        return seen.scores[:, MEMBERS.index(self.name)], {**rows, "past": past}
