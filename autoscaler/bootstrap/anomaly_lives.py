"""What the job of detection does in its process: a history lived through day by day, or a refit, in groups of rows.

Memory is that of one group at work and of what is remembered of each row, however many rows and days there are. What
rows have in common is pooled over all groups at each day's start, so groups change no number. A group that fails is
left out, and so are the last ones where time does not suffice; the others learn.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.detection import faults, fitting, memory
from autoscaler.detection.contract import Block
from autoscaler.detection.engine import DAY_S, DetectionEngine, renew
from autoscaler.domain.series import Bools, Floats
from autoscaler.learning.detection import fit_rows
from autoscaler.pipeline.detecting import Explainer, Span, Watch

ENGINE, EXPLAINER, MASK = "engine.", "explainer.", "mask."
LIVED_TOGETHER: Final = 512 * 1440
"""Values of a day that one group has: at work they take about 400 bytes for each."""
FITTED_TOGETHER: Final = 8 * 1024**2
"""Values of two weeks that one group of a refit has."""
MOST_ROWS: Final = 1024
"""Of a group: what is learned of them is one artefact, whose size readers limit."""
HASHED_TOGETHER: Final = 1 << 20
REFIT_THREADS: Final = 2
Arrays = dict[str, NDArray[Any]]
Read = Callable[[slice, int, int], Floats]
"""Values [row, step] of rows, and of columns [first, end)."""


@dataclass(slots=True)
class LeftOut:
    """Rows that have not learned. words: why, of the first of each kind."""

    rows: int = 0
    words: list[str] = field(default_factory=list)

    def add(self, rows: int, why: str) -> None:
        self.rows += rows
        if why not in self.words:
            self.words = [*self.words, why][:3]


@dataclass(frozen=True, slots=True)
class Times:
    """first_step, steps: of the history. end_s: of the monotonic clock, when it has to be done."""

    step_s: int
    first_step: int
    steps: int
    end_s: float = float("inf")

    @property
    def day(self) -> int:
        return DAY_S // self.step_s

    def days(self) -> list[tuple[int, int]]:
        """Spans of absolute steps within one day each."""
        end = self.first_step + self.steps
        starts = range(self.first_step - self.first_step % self.day + self.day, end, self.day)
        return list(pairwise([self.first_step, *starts, end]))


class StoredValues:
    """Read from a file that numpy.save wrote, a group's part at a time and never mapped: what was read is not kept."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            (self.rows, self.steps), fortran, dtype = np.lib.format.read_array_header_1_0(file)
            self._offset = file.tell()
        if fortran or dtype != np.dtype("<f8"):
            raise ValueError(f"{path}: values of {dtype}, expected float64 by rows")
        self._path = path

    def __call__(self, rows: slice, first: int, end: int) -> Floats:
        out = np.empty((rows.stop - rows.start, end - first))
        with self._path.open("rb", buffering=0) as file:
            for k, row in enumerate(range(rows.start, rows.stop)):
                want = memoryview(out[k]).cast("B")
                got = os.preadv(file.fileno(), [want], self._offset + 8 * (row * self.steps + first)) if want else 0
                if got != len(want):
                    raise OSError(f"{self._path}: ends within row {row}")
        return out


def of_array(values: Floats) -> Read:
    return lambda rows, first, end: values[rows, first:end]


@dataclass(slots=True)
class _Part:
    """Some workloads of the fleet, with an engine of their own."""

    rows: slice
    watch: Watch
    engine: DetectionEngine
    explainer: Explainer
    masked: list[Span] = field(default_factory=list)

    def fit(self, read: Read, times: Times, step: int) -> None:
        """By the two weeks before a step."""
        begin = max(0, step - fitting.HISTORY_S // times.step_s - times.first_step)
        past = read(self.rows, begin, step - times.first_step)
        found = fitting.fit(past, times.day, self.engine.remembered)
        self.engine.adopt(memory.keyed(self.watch.watched.keys, found))

    def live(self, read: Read, times: Times, columns: slice, shared: Mapping[int, Bools]) -> None:
        values = read(self.rows, columns.start, columns.stop)
        block = Block(times.step_s, times.first_step + columns.start, values)
        explained, _ = self.explainer.take(self.engine.step(block, shared[self.rows.start]), books=False)
        self.masked += explained.masked(np.isfinite(values))

    def arrays(self) -> Arrays:
        engines = {ENGINE + name: array for name, array in self.engine.arrays().items()}
        explainers = {EXPLAINER + name: array for name, array in self.explainer.arrays().items()}
        return engines | explainers | _masks(self.watch, self.masked)


def lived(watch: Watch, times: Times, read: Read, left_out: LeftOut) -> Iterator[Arrays]:
    """Engine and explainer at the end of a history that was lived through, group by group of those that did.

    Raises MemoryError or RuntimeError where none did.
    """
    parts = _parts(watch, times)
    days = times.days()
    for done, (first, end) in enumerate(days):
        began_s = monotonic()
        if done:
            parts = _each(parts, partial(_Part.fit, read=read, times=times, step=first), left_out)
        if first % times.day == 0:
            renew([part.engine for part in parts])
        columns = slice(first - times.first_step, end - times.first_step)
        today = partial(_Part.live, read=read, times=times, columns=columns, shared=_shared(parts, read, columns))
        parts = _each(parts, today, left_out)
        took_s = monotonic() - began_s
        parts = _in_time(parts, took_s * (len(days) - done - 1), times.end_s - monotonic(), left_out)
    while parts:
        yield parts.pop(0).arrays()


def _parts(watch: Watch, times: Times) -> list[_Part]:
    found, at = [], 0
    for some in watch.parts(min(MOST_ROWS, max(1, LIVED_TOGETHER // times.day))):
        rows = slice(at, at + some.rows)
        engine = DetectionEngine(some.watched, times.step_s)
        found.append(_Part(rows, some, engine, Explainer(some, times.step_s)))
        at += some.rows
    return found


def _shared(parts: Sequence[_Part], read: Read, columns: slice) -> dict[int, Bools]:
    """By a part's first row, [row, step], where a row says the same as any other of all parts."""
    counts = [part.watch.rows for part in parts]
    out = np.zeros((sum(counts), columns.stop - columns.start), dtype=np.bool_)
    some = max(1, HASHED_TOGETHER // max(1, len(out)))
    state = [part.engine.remembered["fault.hash"] for part in parts]
    for at in range(columns.start, columns.stop, some):
        end = min(at + some, columns.stop)
        hashed = [
            faults.hashes({"hash": last}, read(part.rows, at, end)) for last, part in zip(state, parts, strict=True)
        ]
        out[:, at - columns.start : end - columns.start] = faults.twins(np.concatenate(hashed))
        state = [each[:, -1].copy().view(np.int64) for each in hashed]
    split = np.split(out, np.cumsum(counts)[:-1])
    return {part.rows.start: mine for part, mine in zip(parts, split, strict=True)}


def _each(parts: Sequence[_Part], work: Callable[[_Part], None], left_out: LeftOut) -> list[_Part]:
    """Those that went through it."""
    kept: list[_Part] = []
    why: Exception | None = None
    for part in parts:
        try:
            work(part)
        except Exception as raised:  # noqa: BLE001 - of one group, whatever it is: the others learn
            why = raised
            left_out.add(part.watch.rows, _words(raised))
        else:
            kept.append(part)
    if not kept and why is not None:
        raise why
    return kept


def _words(why: Exception) -> str:
    if isinstance(why, MemoryError):
        return "it needs more memory than it may have: give it more, or less data"
    return f"{type(why).__name__}: {why}"


def _in_time(parts: list[_Part], asked_s: float, left_s: float, left_out: LeftOut) -> list[_Part]:
    """As many as can be done in the time that is left, the first ones; one at least."""
    if asked_s <= max(left_s, 0.0):
        return parts
    most = max(1, int(len(parts) * max(left_s, 0.0) / asked_s))
    for part in parts[most:]:
        left_out.add(part.watch.rows, "its time does not suffice: give it more, or less data")
    return parts[:most]


def _masks(watch: Watch, spans: Sequence[Span]) -> Arrays:
    """Spans by the keys of their rows, as the fleet may change before they are taken over; empty without spans."""
    if not spans:
        return {}
    keys = {int(row): key.encode() for row, key in zip(watch.demand_row, watch.watched.keys, strict=True)}
    return {
        f"{MASK}key": np.array([keys[span.row] for span in spans], dtype=bytes),
        f"{MASK}span": np.array([(span.first, span.end, span.code) for span in spans], dtype=np.int64),
    }


def refitted(watch: Watch, times: Times, read: Read, left_out: LeftOut) -> Iterator[Arrays]:
    """What a refit learns, of an engine alone, group by group of those of which it does."""
    size = min(2 * MOST_ROWS, max(1, FITTED_TOGETHER // max(1, times.steps)))
    why: Exception | None = None
    none = True
    for at in range(0, watch.rows, size):
        rows = slice(at, min(at + size, watch.rows))
        try:
            found = fit_rows(read(rows, 0, times.steps), times.day, None, REFIT_THREADS)
        except Exception as raised:  # noqa: BLE001 - of one group, whatever it is: the others learn
            why = raised
            left_out.add(rows.stop - rows.start, _words(raised))
            continue
        none = False
        keyed = memory.keyed(watch.watched.keys[rows], found)
        yield {ENGINE + name: array for name, array in keyed.items()}
    if none and why is not None:
        raise why


def joined(groups: Iterable[Mapping[str, NDArray[Any]]]) -> Arrays:
    """As if it had been one; arrays that some have are those of these."""
    found: dict[str, list[NDArray[Any]]] = {}
    for arrays in groups:
        for name, array in arrays.items():
            found.setdefault(name, []).append(array)
    return {name: np.concatenate(found.pop(name)) for name in list(found)}
