"""Faults of the data itself, by stated rules; a few numbers of state for each row, every step looked at once.

GAP: nothing known for a quarter of an hour and three steps, and twice as long as ever before.
STUCK: the same value, not zero, for half an hour and six steps, and three times as long as ever before (M24).
UNIT_CHANGE: twice in a row at a ratio to the recent level, or the last usual value, as between units in use (M25).
COUNTER_RESET: a series that had only ever grown falls below half of what it was.
DUPLICATED: the last 21 steps are those of another series, to the last bit, for the first time.
LEVEL_SHIFT: the mean of 24 steps, and of the last 6, stands off yesterday's by more than days ever differ.
SEASON_BROKEN: a series that went like the day before no longer does, over about a day.
All but a gap and what is wrong by its unit end after a day: by then it is the new normal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.series import Bools, Codes, Floats, Ints
from autoscaler.domain.verdict import DataFault

FACTORS: Final = (60.0, 100.0, 1000.0, 1024.0, 3600.0, 1e6, 1024.0**2, 1e9)
SLACK: Final = 0.25
"""Relative distance from a factor that still counts as it."""
BASIS_S: Final = 86400
"""What has to be known of a row before it can be judged, and how long a new normal takes."""
ALIKE_CHANGES: Final = 8
"""Changes among the last 21 steps without which two series are alike by being idle."""
SHIFT: Final = 1.5
"""Scales that a level moves at least; more where days differ more."""
RHYTHM, LOST = 0.6, 0.25
"""Correlation with the day before that a season has, and the share of what it is usually below which it is gone."""
State = dict[str, NDArray[Any]]
MOMENTS: Final = 6
_SHIFT_BITS, _WINDOW = 3, 21
_LOG_FACTORS: Final = tuple(float(np.log(factor)) for factor in FACTORS)
_LOG_SLACK: Final = float(np.log1p(SLACK))
_LEAST_LOG: Final = min(_LOG_FACTORS) - _LOG_SLACK - 1e-6
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the rules look at, all [row, step] but `usual`: values as given; means without unit; moved: the largest
    difference of days in [row], as learned.
    """

    values: Floats
    z: Floats
    yesterday: Floats
    short: Floats
    middle: Floats
    middle_yesterday: Floats
    moved: Floats


def empty(rows: int) -> State:
    """State of rows never seen; names to arrays, first axis the row."""
    nothing: Ints = np.zeros(rows, dtype=np.int64)
    unknown: Floats = np.full(rows, np.nan)
    counts = ("known", "gap", "longest_gap", "run", "longest_run", "falls", "rises", "hash", "changes", "lone", "twin")
    found: State = {name: nothing.copy() for name in (*counts, "off", "near", "shifted", "broken")}
    found |= {
        "last": unknown.copy(),
        "level": unknown.copy(),
        "normal": unknown.copy(),
        "usual_rhythm": np.zeros(rows),
        "usual_size": np.zeros(rows),
    }
    found["rhythm"] = np.zeros((rows, MOMENTS))
    return found


def hashes(state: State, values: Floats) -> NDArray[np.uint64]:
    """[row, step], of the newest steps up to each one; rows with the same hash have seen the same."""
    bits = np.where(np.isnan(values), 0.0, values).view(np.uint64) * _MIX
    bits ^= bits >> np.uint64(29)
    hashed = state["hash"].view(np.uint64)
    for column in range(values.shape[1]):
        hashed = hashed * np.uint64(1 << _SHIFT_BITS) + bits[:, column]
        bits[:, column] = hashed
    return bits


def twins(hashed: NDArray[np.uint64]) -> Bools:
    """[row, step], whether another row has the same hash [row, step]."""
    order = np.argsort(hashed, axis=0)
    ordered = np.take_along_axis(hashed, order, axis=0)
    same = ordered[1:] == ordered[:-1]
    out = np.zeros(hashed.shape, dtype=np.bool_)
    none = np.zeros((1, hashed.shape[1]), dtype=np.bool_)
    np.put_along_axis(out, order, np.concatenate([same, none]) | np.concatenate([none, same]), axis=0)
    return out


def judge(state: State, seen: Seen, step_s: int, shared: Bools | None = None) -> Codes:
    """[row, step] bits of DataFault; `state` is moved on in place.

    shared: as `twins` says, of all rows of a fleet of which these are some; None = these are all.
    """
    out: Codes = np.zeros(seen.values.shape, dtype=np.uint8)
    hashed = hashes(state, seen.values)
    if shared is None:
        shared = twins(hashed)
    rules = _Rules(max(1, BASIS_S // step_s), max(3, 900 // step_s), max(6, 1800 // step_s))
    with np.errstate(all="ignore"):
        for column in range(out.shape[1]):
            out[:, column] = rules.step(state, seen, shared[:, column], column)
    if out.shape[1]:
        state["hash"] = hashed[:, -1].copy().view(np.int64)
    return out


@dataclass(frozen=True, slots=True)
class _Rules:
    """Steps of the basis, and of the shortest gap and run that are told."""

    day: int
    gap: int
    run: int

    def step(self, state: State, seen: Seen, shared: Bools, column: int) -> Codes:
        value = seen.values[:, column]
        known = ~np.isnan(value)
        judged = state["known"] >= self.day
        found = (
            DataFault.GAP.value * self._gap(state, known, judged)
            | DataFault.STUCK.value * self._stuck(state, value, known, judged)
            | DataFault.UNIT_CHANGE.value * self._unit(state, value, known, judged)
            | DataFault.COUNTER_RESET.value * self._reset(state, value, known, judged)
            | DataFault.DUPLICATED.value * self._twin(state, value, known, judged, shared)
            | DataFault.LEVEL_SHIFT.value * self._shift(state, seen, column, judged)
            | DataFault.SEASON_BROKEN.value * self._season(state, seen, column)
        )
        state["last"] = np.where(known, value, state["last"])
        state["known"] = state["known"] + known
        return found.astype(np.uint8)

    def _gap(self, state: State, known: Bools, judged: Bools) -> Ints:
        before = state["gap"]
        told = known & (state["known"] > 0)
        state["longest_gap"] = np.where(told, np.maximum(state["longest_gap"], before), state["longest_gap"])
        state["gap"] = np.where(known, 0, before + 1)
        return (judged & (state["gap"] >= np.maximum(self.gap, 2 * state["longest_gap"]))).astype(np.int64)

    def _stuck(self, state: State, value: Floats, known: Bools, judged: Bools) -> Ints:
        same = known & (value == state["last"])
        ended = known & ~same
        most = np.maximum(self.run, 3 * state["longest_run"])
        usual = ended & ((state["run"] <= most) | ~judged | (state["last"] == 0) | (state["run"] >= self.day))
        state["longest_run"] = np.where(usual, np.maximum(state["longest_run"], state["run"]), state["longest_run"])
        state["run"] = np.where(same, state["run"] + 1, np.where(ended, 1, state["run"]))
        most = np.maximum(self.run, 3 * state["longest_run"])
        return (judged & same & (value != 0) & (state["run"] > most)).astype(np.int64)

    def _unit(self, state: State, value: Floats, known: Bools, judged: Bools) -> Ints:
        level, positive, logged = np.exp(state["level"]), known & (value > 0), np.log(value)
        ratio = np.maximum(value / level, level / value)
        near = np.zeros(len(value), dtype=np.bool_)
        for log_ratio in (np.abs(logged - state["level"]), np.abs(logged - state["normal"])):
            if (
                log_ratio > _LEAST_LOG
            ).any():  # on almost all steps none is, and 8 factors cost as much as all the rest
                for log_factor in _LOG_FACTORS:
                    near |= np.abs(log_ratio - log_factor) < _LOG_SLACK
        lasting = (state["off"] > 0) & (ratio > min(FACTORS) ** 0.5)
        near = judged & positive & (near | lasting)
        state["near"] = np.where(near, state["near"] + 1, np.where(positive, 0, state["near"]))
        off = state["near"] >= 2
        state["off"] = np.where(off, state["off"] + known, 0)
        accepted = state["off"] > self.day
        learn = positive & (~near | accepted)
        fresh = np.isnan(state["level"]) | accepted
        gain = 1 - 0.5 ** (1 / 3)
        moved = np.where(fresh, logged, state["level"] + gain * (logged - state["level"]))
        state["level"] = np.where(learn, moved, state["level"])
        state["normal"] = np.where(learn, logged, state["normal"])
        state["off"], state["near"] = np.where(accepted, 0, state["off"]), np.where(accepted, 0, state["near"])
        return (off & ~accepted).astype(np.int64)

    def _reset(self, state: State, value: Floats, known: Bools, judged: Bools) -> Ints:
        last = state["last"]
        fell, rose = known & (value < last), known & (value > last)
        reset = judged & fell & (value >= 0) & (value < 0.5 * last) & (state["falls"] == 0)
        reset &= state["rises"] * 4 >= state["known"]
        state["rises"] = state["rises"] + rose
        state["falls"] = state["falls"] + (fell & ~reset)
        return reset.astype(np.int64)

    def _twin(self, state: State, value: Floats, known: Bools, judged: Bools, shared: Bools) -> Ints:
        moved = known & (value != state["last"])
        state["changes"] = ((state["changes"] << 1) | moved) & ((1 << _WINDOW) - 1)
        lively = np.bitwise_count(state["changes"]) >= ALIKE_CHANGES
        alike = lively & shared
        found = judged & alike & (state["lone"] >= self.day) & (state["twin"] < self.day)
        state["twin"] = np.where(alike, state["twin"] + 1, 0)
        state["lone"] = np.where(alike, np.where(state["twin"] >= self.day, 0, state["lone"]), state["lone"] + lively)
        return found.astype(np.int64)

    def _shift(self, state: State, seen: Seen, column: int, judged: Bools) -> Ints:
        before = seen.middle_yesterday[:, column]
        far = np.maximum(SHIFT, 1.5 * seen.moved)
        by_middle, by_short = seen.middle[:, column] - before, seen.short[:, column] - before
        away = (np.abs(by_middle) > far) & (np.abs(by_short) > far) & (by_middle * by_short > 0)
        known = ~np.isnan(by_middle)
        state["shifted"] = np.where(away, state["shifted"] + 1, np.where(known, 0, state["shifted"]))
        return (judged & (state["shifted"] >= 12) & (state["shifted"] < self.day)).astype(np.int64)

    def _season(self, state: State, seen: Seen, column: int) -> Ints:
        """Correlation with the day before by running moments; what is usual follows ten times more slowly."""
        a, b = seen.z[:, column], seen.yesterday[:, column]
        known = ~np.isnan(a) & ~np.isnan(b)
        m = state["rhythm"]
        count = m[:, 5] + known
        gain = np.where(known, np.maximum(1 / (0.7 * self.day), 1 / np.maximum(count, 1)), 0.0)
        da, db = np.where(known, a - m[:, 0], 0.0), np.where(known, b - m[:, 1], 0.0)
        mean_a, mean_b = m[:, 0] + gain * da, m[:, 1] + gain * db
        var_a = (1 - gain) * (m[:, 2] + gain * da * da)
        var_b = (1 - gain) * (m[:, 3] + gain * db * db)
        both = (1 - gain) * (m[:, 4] + gain * da * db)
        state["rhythm"] = np.stack([mean_a, mean_b, var_a, var_b, both, count], axis=1)
        now = np.sqrt(var_a * var_b)
        usual, size = state["usual_rhythm"], state["usual_size"]
        broken = (count >= 2 * self.day) & (usual >= RHYTHM * size) & (both < LOST * usual)
        state["broken"] = np.where(broken, state["broken"] + 1, 0)
        slow = np.where(known & (count >= self.day), np.maximum(1 / (7 * self.day), 1 / np.maximum(count, 1)), 0.0)
        state["usual_rhythm"] = np.where(count == self.day, both, usual + slow * (both - usual))
        state["usual_size"] = np.where(count == self.day, now, size + slow * (now - size))
        return (broken & (state["broken"] < self.day)).astype(np.int64)
