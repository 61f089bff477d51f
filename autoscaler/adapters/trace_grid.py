"""Rows of (time stamp, value) made into one regular grid; knows no files and no data frames.

What may be mended is mended by a stated rule and noted; what would need a guess is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from autoscaler.domain.errors import BadTrace
from autoscaler.domain.series import Bools, Floats, Ints

MAX_ROWS = 50_000_000
"""Rows of a file, and steps of a grid, above which a trace is refused."""

SECOND_US = 1_000_000
_NEAR = 0.1  # a given step this near to the file's own is the file's own, with jitter
_MINUTES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)
_HOURS = (1, 2, 3, 4, 6, 8, 12, 24)
_ROUND_S = (1, 2, 5, 10, 15, 20, 30, *(60 * m for m in _MINUTES), *(3600 * h for h in _HOURS))
_NEAR_ROUND = 0.05  # the median of jittered spacings is off by its own error, and by missing rows


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """us: [row], microseconds since the epoch. values: [row], NaN = unknown. rows: [row], place in the file.

    place: the file and, where there are several, the series. counted: what rows are called, "line" or "row".
    censored: [row], the value is a lower bound only; None = the file carries no such marks.
    """

    place: str
    counted: str
    us: Ints
    values: Floats
    rows: Ints
    censored: Bools | None = None

    def at(self, keep: Bools | Ints) -> Samples:
        marks = None if self.censored is None else self.censored[keep]
        return Samples(self.place, self.counted, self.us[keep], self.values[keep], self.rows[keep], marks)

    def row(self, index: int) -> str:
        return f"{self.counted} {self.rows[index]}"


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """values: [step] from absolute step `first_step`; NaN = unknown. censored: [step], a lower bound only."""

    step_s: int
    first_step: int
    values: Floats
    notes: tuple[str, ...]
    censored: Bools | None = None


def to_grid(samples: Samples, step_s: int | None) -> Grid:
    """One value per step. A coarser `step_s` than the file's own takes the mean of each step's known samples."""
    if step_s is not None and step_s < 1:
        raise BadTrace(f"{samples.place}: a step must be a positive number of seconds (got {step_s})")
    _check_values(samples)
    notes: list[str] = []
    samples = _drop_duplicates(_sort(samples, notes), notes)
    if samples.us.size < 2:
        raise BadTrace(f"{samples.place}: {samples.us.size} row(s): two different time stamps are the least")
    if np.isnan(samples.values).all():
        raise BadTrace(f"{samples.place}: all {samples.values.size} values are unknown (NaN); choose another column")
    own_s = _own_step(samples, whole=step_s is None)
    if step_s is None:
        step_s = round(own_s)
    if abs(step_s - own_s) <= _NEAR * own_s:
        slots = _snap(samples, step_s, notes)
    elif step_s > own_s:
        slots = samples.us // (step_s * SECOND_US)
        notes.append(f"averaged samples of every {own_s:g} s into steps of {step_s} s (mean of the known ones)")
    else:
        raise BadTrace(
            f"{samples.place}: a step of {step_s} s is finer than the file, which has a sample every {own_s:g} s; "
            f"give {own_s:g}s or more (--step), or leave it out"
        )
    return _fill(samples, slots, step_s, notes)


def _check_values(samples: Samples) -> None:
    for wrong, words, remedy in (
        (np.isinf(samples.values), "infinite value", "write nothing (an empty cell) where the value is unknown"),
        (samples.values < 0, "negative demand", "demand is zero or more; leave the cell empty where it is unknown"),
    ):
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            more = f", and {wrong.sum() - 1} more" if wrong.sum() > 1 else ""
            raise BadTrace(
                f"{samples.place}: {samples.row(first)}: {words} (got {samples.values[first]:g}{more}); {remedy}"
            )


def _sort(samples: Samples, notes: list[str]) -> Samples:
    back = int((np.diff(samples.us) < 0).sum())
    if not back:
        return samples
    notes.append(f"sorted by time: {back} row(s) stood before an earlier one")
    return samples.at(np.argsort(samples.us, kind="stable"))


def _drop_duplicates(samples: Samples, notes: list[str]) -> Samples:
    same = np.diff(samples.us) == 0
    if not same.any():
        return samples
    left, right = samples.values[:-1], samples.values[1:]
    differ = same & ~((left == right) | (np.isnan(left) & np.isnan(right)))
    if differ.any():
        first = int(np.flatnonzero(differ)[0])
        raise BadTrace(
            f"{samples.place}: {samples.row(first)} and {samples.row(first + 1)}: time stamp "
            f"{_when(samples.us[first])} stands twice with different values (got {left[first]:g} and "
            f"{right[first]:g}); keep one of them, or name the series if there are several"
        )
    marks = samples.censored
    if marks is not None and (same & (marks[:-1] != marks[1:])).any():
        first = int(np.flatnonzero(same & (marks[:-1] != marks[1:]))[0])
        raise BadTrace(
            f"{samples.place}: {samples.row(first)} and {samples.row(first + 1)}: time stamp "
            f"{_when(samples.us[first])} stands twice, once marked as censored and once not; keep one of them"
        )
    notes.append(f"dropped {same.sum()} repeated row(s) with the same time stamp and value")
    return samples.at(np.concatenate(([True], ~same)))


def _own_step(samples: Samples, *, whole: bool) -> float:
    """Most common spacing in seconds. Where jitter leaves none that makes a grid, the round step beside the median:

    the most common of jittered spacings is an accident of the draw (301 s of 300).
    """
    spacings = np.diff(samples.us)
    spacing, share = _most_common(spacings)
    if share > 0.5:
        if whole and spacing % SECOND_US:
            raise BadTrace(
                f"{samples.place}: samples stand {spacing / SECOND_US:g} s apart, which is not a whole number of "
                "seconds; give a step (--step) to average them into longer ones"
            )
        return spacing / SECOND_US
    in_seconds = np.rint(spacings / SECOND_US).astype(np.int64)
    seconds, _ = _most_common(in_seconds)
    median = float(np.median(spacings)) / SECOND_US
    if seconds >= 1 and (in_seconds % seconds == 0).mean() > 0.5:
        return float(seconds)  # with missing rows the most common spacing still divides the others
    for round_s in _ROUND_S:
        if abs(median - round_s) <= _NEAR_ROUND * round_s:
            step_us = round_s * SECOND_US
            if _crowded(samples.us, step_us, _phase(samples.us, step_us)).mean() < _NEAR:
                return float(round_s)
    if seconds < 1:
        if whole:
            raise BadTrace(
                f"{samples.place}: most samples stand less than a second apart; give a step (--step) to average them"
            )
        return median
    return float(seconds)


def _phase(us: Ints, step_us: int) -> int:
    """Microseconds into its step at which a sample stands: a constant offset, else none.

    Jitter about an offset is not constant: its mean on the circle holds, where whole steps would break it in two.
    """
    into = us % step_us
    phase, share = _most_common(into)
    if share > 0.5:
        return phase
    if not _crowded(us, step_us, 0).any():
        return 0
    turn = np.angle(np.exp(2j * np.pi * into / step_us).mean()) / (2 * np.pi)
    mean = round(turn * step_us / SECOND_US) * SECOND_US % step_us
    return mean if not _crowded(us, step_us, mean).any() else 0


def _crowded(us: Ints, step_us: int, phase: int) -> Bools:
    """[pair], both samples fall into one step."""
    return np.asarray(np.diff((us - phase + step_us // 2) // step_us) == 0)


def _most_common(values: Ints) -> tuple[int, float]:
    """The most common value, the smallest of equals, and its share."""
    found, counts = np.unique(values, return_counts=True)
    best = int(np.argmax(counts))
    return int(found[best]), float(counts[best] / values.size)


def _snap(samples: Samples, step_s: int, notes: list[str]) -> Ints:
    """Absolute step of each sample. A constant offset into the step stays in it; jitter goes to the nearest start."""
    step_us = step_s * SECOND_US
    phase = _phase(samples.us, step_us)
    half = step_us // 2
    off = (samples.us - phase + half) % step_us - half
    slots = (samples.us - off) // step_us
    irregular = np.flatnonzero(2 * np.abs(off) >= step_us)
    if irregular.size:
        first = int(irregular[0])
        raise BadTrace(
            f"{samples.place}: {samples.row(first)}: time stamp {_when(samples.us[first])} lies half a step of "
            f"{step_s} s off the grid; give a longer step (--step) to average the samples of each"
        )
    crowded = np.flatnonzero(np.diff(slots) == 0)
    if crowded.size:
        first = int(crowded[0])
        raise BadTrace(
            f"{samples.place}: {samples.row(first)} and {samples.row(first + 1)}: time stamps "
            f"{_when(samples.us[first])} and {_when(samples.us[first + 1])} fall into one step of {step_s} s, the "
            "usual spacing; give a longer step (--step) to average the samples of each"
        )
    if phase:
        notes.append(f"time stamps lie {phase / SECOND_US:g} s into their steps of {step_s} s")
    moved = np.abs(off[off != 0])
    if moved.size:
        notes.append(f"snapped {moved.size} time stamp(s) to the grid, by up to {moved.max() / SECOND_US:g} s")
    return slots


def _fill(samples: Samples, slots: Ints, step_s: int, notes: list[str]) -> Grid:
    first, steps = int(slots[0]), int(slots[-1] - slots[0]) + 1
    if steps > MAX_ROWS:
        raise BadTrace(
            f"{samples.place}: from {_when(samples.us[0])} to {_when(samples.us[-1])} are {steps:,} steps of {step_s} "
            f"s, above the limit of {MAX_ROWS:,}; mend a wrong year, or give a longer step (--step)"
        )
    known = ~np.isnan(samples.values)
    index = slots - first
    total = np.bincount(index[known], weights=samples.values[known], minlength=steps)
    count = np.bincount(index[known], minlength=steps)
    values = np.full(steps, np.nan)
    np.divide(total, count, out=values, where=count > 0)
    absent = steps - int(np.unique(index).size)
    if absent:
        notes.append(f"{absent} of {steps} steps have no row: unknown")
    unknown = int((count == 0).sum()) - absent
    if unknown:
        notes.append(f"{unknown} of {steps} steps have an empty value: unknown")
    marks = _marked(samples, known, index, steps, notes)
    return Grid(step_s, first, values, tuple(notes), marks)


def _marked(samples: Samples, known: Bools, index: Ints, steps: int, notes: list[str]) -> Bools | None:
    """A step with any censored sample is a lower bound: its mean is too low."""
    if samples.censored is None:
        return None
    marks = np.bincount(index[known & samples.censored], minlength=steps) > 0
    notes.append(f"{int(marks.sum())} of {steps} steps are censored: lower bounds of demand")
    return np.asarray(marks)


def _when(us: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(us))).isoformat().replace("+00:00", "Z")
