"""Further detectors, such as those of a recipe: what they say of each row, and how high it usually goes.

They are asked beside the ticks, and so a step late: the score that a block carries at a step is that of the step before
it, in a history that is lived through as well as live. One that does not come in time is not heard: NaN, as if the
detector were not there. They are calibrated as the engine's own scores are, by the row's own past.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.detection import calibration, memory
from autoscaler.detection.contract import Block
from autoscaler.domain.series import Floats

RING: Final = "voice.ring"
TABLE: Final = "voice.table"
NAMES: Final = "voice.names"
LATE: Final = 1
"""Steps between a value and the step at which what is said of it counts."""
Arrays = Mapping[str, NDArray[Any]]


def empty(rows: int, voices: int) -> dict[str, NDArray[Any]]:
    """Rows of which nothing was ever said; nothing at all without further detectors."""
    if not voices:
        return {}
    return {
        RING: np.full((rows, voices, calibration.SLOTS), np.nan, dtype=np.float32),
        TABLE: np.full((rows, voices, calibration.COLUMNS), np.nan, dtype=np.float32),
    }


def said(block: Block, voices: int) -> Floats:
    """[row, detector, step] of a block; NaN where it carries none. Raises ValueError for another number of them."""
    if block.voices is None:
        return np.full((block.values.shape[0], voices, block.values.shape[1]), np.nan)
    if block.voices.shape[1] != voices:
        raise ValueError(f"{block.voices.shape[1]} further detectors in a block for an engine of {voices}")
    return block.voices


def late(scores: Floats) -> Floats:
    """Scores [..., step] moved to the steps at which they count; what falls before the first is not known."""
    out = np.full_like(scores, np.nan)
    out[..., LATE:] = scores[..., : scores.shape[-1] - LATE]
    return out


def rings(keys: Sequence[str], names: Sequence[str], late_scores: Floats, first_step: int, step_s: int) -> Arrays:
    """For DetectionEngine.hear: the largest of stretches of scores [row, detector, step], as they counted."""
    ring = np.full((*late_scores.shape[:2], calibration.SLOTS), np.nan, dtype=np.float32)
    calibration.Stretches(calibration.stretch_steps(step_s), calibration.SLOTS).put(ring, late_scores, first_step)
    return memory.keyed(keys, {RING: ring}) | named(tuple(names))


def named(names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    return {NAMES: np.array([name.encode() for name in names], dtype=np.bytes_)} if names else {}


def same(names: tuple[str, ...], arrays: Arrays) -> bool:
    """Whether arrays are of these detectors, in this order."""
    there = arrays.get(NAMES)
    return there is not None and tuple(bytes(n).decode(errors="replace") for n in there.tolist()) == names
