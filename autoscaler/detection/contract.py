"""The contracts of detection: of one detector, and of the engine that runs several over a fleet.

Shapes: rows are series (one metric of one workload), groups are workloads; a block is [row, step] on absolute steps.
Everything is causal (a score at a step reads that step and earlier ones), NaN means "not observed" and gives NaN or the
last word, never zero; and unit-free: other units (a·x + b, a > 0) give the same scores.

How the engine is used:

    engine = DetectionEngine(Watched.alone(keys, false_pages_per_week=1.0), step_s=300)   # detection.engine
    engine.relive(Block(300, first_step, history))        # once: fits, scores and calibrates over kept history
    verdicts = engine.observe(Block(300, step, newest))   # each tick: any number of new steps, in the order of time
    engine.adopt(fitted)                                  # daily: what learning.detection fitted, in its own process
    saved = engine.arrays(); engine.restore(saved)        # plain arrays; the same verdicts afterwards
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.series import Floats, Ints
from autoscaler.domain.verdict import Verdicts

Arrays = Mapping[str, NDArray[Any]]
"""State: names to arrays whose first axis is the row, of the types that artefacts hold (no float16, no objects)."""


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """What is watched. keys: names of rows, unique. group: [row], 0 … groups - 1.

    false_pages_per_week: [group], how many false pages a week are accepted; 0 = never page, severity only.
    """

    keys: tuple[str, ...]
    group: Ints
    false_pages_per_week: Floats

    def __post_init__(self) -> None:
        if len(set(self.keys)) != len(self.keys) or self.group.shape != (len(self.keys),):
            raise ValueError(f"{len(self.keys)} keys must be unique, and each has one group: {self.group.shape}")
        if self.group.size and not (self.group.min() >= 0 and self.group.max() < len(self.false_pages_per_week)):
            raise ValueError(f"group {self.group.max()} of {len(self.false_pages_per_week)} groups")
        if not (np.isfinite(self.false_pages_per_week) & (self.false_pages_per_week >= 0)).all():
            raise ValueError("false pages per week are finite and not negative")

    @staticmethod
    def alone(keys: tuple[str, ...], false_pages_per_week: float = 1.0) -> Watched:
        """Every row a group of its own."""
        return Watched(keys, np.arange(len(keys), dtype=np.int64), np.full(len(keys), float(false_pages_per_week)))

    @property
    def groups(self) -> int:
        return len(self.false_pages_per_week)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Consecutive steps of all rows. values: [row, step], NaN = not observed; first_step: absolute step of column 0.

    expected: [row, step], what the forecaster that serves said of each step before it came (its median one step ahead);
    None or NaN: the engine's own seasonal expectation is used. voices: [row, detector, step], raw scores of further
    detectors, those of the step before each, as detection.voices says; None or NaN: they have said nothing.
    """

    step_s: int
    first_step: int
    values: Floats
    expected: Floats | None = None
    voices: Floats | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or (self.expected is not None and self.expected.shape != self.values.shape):
            raise ValueError(f"values {self.values.shape} must be [row, step], and expected alike")
        if self.voices is not None and (*self.voices.shape[:1], *self.voices.shape[2:]) != self.values.shape:
            raise ValueError(f"voices {self.voices.shape} must be [row, detector, step] of values {self.values.shape}")

    @property
    def end_step(self) -> int:
        return self.first_step + int(self.values.shape[1])

    def cut(self, first: int, end: int) -> Block:
        """Steps [first, end), which must lie inside; views, nothing is copied."""
        low, high = first - self.first_step, end - self.first_step
        expected = None if self.expected is None else self.expected[:, low:high]
        said = None if self.voices is None else self.voices[:, :, low:high]
        return Block(self.step_s, first, self.values[:, low:high], expected, said)


class Detector(Protocol):
    """One way to score series. It decides nothing: calibration, combination and pages are the engine's.

    fit learns from history and forgets whatever was before; score needs the state that fit or score gave last, and
    continues the step after. A row's numbers depend on no other row.
    """

    @property
    def name(self) -> str: ...

    def fit(self, history: Block) -> Arrays:
        """State that stands at the end of `history`; rows with too little of it score NaN."""
        ...

    def score(self, state: Arrays, block: Block) -> tuple[Floats, Arrays]:
        """[row, step], non-negative, larger = odder, NaN = cannot say; and the state at the end of the block.

        One block, or the same steps in several, give the same scores. Raises ValueError when the block does not have
        the state's rows.
        """
        ...


class Engine(Protocol):
    """Detectors, calibration, pages and faults of data over a fleet: detection.engine.DetectionEngine."""

    def relive(self, history: Block, told_s: int | None = None) -> Verdicts:
        """From nothing through kept history, fitted daily on the way as it would have been live.

        told_s: verdicts of that much of its end at least; None = of all of it.
        """
        ...

    def observe(self, block: Block) -> Verdicts:
        """Verdicts of the next steps. Skipped steps count as not observed; steps seen before raise ValueError.

        A block gives the same verdicts as its steps one by one.
        """
        ...

    def hear(self, rings: Arrays) -> None:
        """Take over how high further detectors went in the past, where nothing is known of it yet."""
        ...

    def adopt(self, fitted: Arrays) -> None:
        """Take over what learning.detection has fitted; rows are matched by key, others keep what they have."""
        ...

    def arrays(self) -> Arrays:
        """All that is remembered, keys included; at most 20 kB for each row (and 1.4 kB for each further detector)."""
        ...

    def restore(self, arrays: Arrays) -> None:
        """Take over what `arrays` gave; rows are matched by key, so the fleet may have changed meanwhile."""
        ...
