"""The engine of detection: scores, calibration, pages and faults of data, over all rows of a fleet at once.

A day's tables (how high scores go, how often surprises come) are renewed at the start of each day of absolute steps and
stand for that day, so that a block and its single steps give the same verdicts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.detection import calibration, faults, fitting, memory, paging, scoring, voices
from autoscaler.detection.contract import Arrays, Block, Watched
from autoscaler.detection.grouping import Grouping
from autoscaler.domain.series import Bools, Codes, Floats
from autoscaler.domain.verdict import MOST_SURPRISE, GroupVerdicts, RowVerdicts, Verdicts

DAY_S: Final = 86400
SEVERAL: Final = 60
"""Steps of a block that is no tick's."""
LONGEST_S: Final = 35 * DAY_S
"""Of steps that were skipped, more are not lived through: everything remembered is older then."""


@dataclass(slots=True)
class DetectionEngine:
    """Implements contract.Engine.

    watched: rows, groups and budgets. step_s: seconds of a step; a day is a whole number of them.
    voices: names of further detectors, each of which counts as much as one of the page track's own three. They are
    asked elsewhere (bootstrap.anomaly_voices), as they may take long, hang or die; what they said comes with a block.
    Raises ValueError for a step that does not divide a day, and for a group without rows.
    """

    watched: Watched
    step_s: int
    voices: tuple[str, ...] = ()
    _rows: memory.Rows = field(init=False)
    _grouping: Grouping = field(init=False)

    def __post_init__(self) -> None:
        if self.step_s < 1 or DAY_S % self.step_s:
            raise ValueError(f"steps of {self.step_s} s do not make up a day: use one that divides {DAY_S}")
        self._grouping = Grouping.of(self.watched.group, self.watched.groups)
        self._forget()

    @property
    def day(self) -> int:
        """Steps of a day."""
        return DAY_S // self.step_s

    def relive(self, history: Block, told_s: int | None = None) -> Verdicts:
        """From nothing through kept history, fitted at each day's start as it would have been live.

        told_s: verdicts of that much of its end, in whole days of absolute steps; None = of all, about 100 bytes for
        each row and step.
        """
        told: list[Verdicts] = []
        for part in self.lived(history):
            end = part.first_step + part.steps
            if told_s is not None:
                told = [one for one in told if end - one.first_step - one.steps < told_s // self.step_s]
            told.append(part)
        return joined(told) if told else self.observe(history)

    def lived(self, history: Block) -> Iterator[Verdicts]:
        """As relive, day by day as each is lived through: for who takes what it needs of each and lets go of it."""
        self._check(history)
        self._forget()
        back = fitting.HISTORY_S // self.step_s
        for first, end in self._days(history.first_step, history.end_step):
            if first > history.first_step:
                past = history.cut(max(history.first_step, first - back), first)
                self.adopt(memory.keyed(self.watched.keys, fitting.fit(past.values, self.day, self._rows)))
            yield self.observe(history.cut(first, end))

    def observe(self, block: Block) -> Verdicts:
        """Verdicts of the next steps; see contract.Engine."""
        self._check(block)
        due = int(self._rows["next"].max(initial=memory.NEVER))
        if block.first_step < due:
            raise ValueError(f"step {block.first_step} has been seen: the next one is {due}")
        if memory.NEVER < due < block.first_step:
            self._skip(due, block.first_step)
        days = list(self._days(block.first_step, block.end_step))
        return joined([self._observe(block.cut(first, end)) for first, end in days]) if days else self._observe(block)

    @property
    def remembered(self) -> memory.Rows:
        """What is remembered of rows itself, no copy."""
        return self._rows

    @property
    def grouping(self) -> Grouping:
        return self._grouping

    def adopt(self, fitted: Arrays) -> None:
        """Take over what fitting.fit has learned of rows, named as by memory.keyed; other rows keep what they have."""
        ours, theirs = memory.matched(self.watched.keys, fitted)
        memory.adopted(self._rows, fitted, ours, theirs)

    def hear(self, rings: Arrays) -> None:
        """Take over how high further detectors went in the past of rows, as voices.rings makes it; a detector of a row
        that is calibrated already keeps what it has.
        """
        if not self.voices or not voices.same(self.voices, rings):
            return
        ours, theirs = memory.matched(self.watched.keys, rings)
        ring, given = self._rows[voices.RING], rings[voices.RING]
        fresh = np.isnan(ring[ours]).all(axis=2, keepdims=True)
        ring[ours] = np.where(fresh, given[theirs], ring[ours])
        (self._rows[voices.TABLE],) = calibration.learned([ring])

    @property
    def unheard(self) -> int:
        """Rows of which no further detector has ever said anything."""
        return int(np.isnan(self._rows[voices.RING]).all(axis=(1, 2)).sum()) if self.voices else 0

    def arrays(self) -> Arrays:
        """All that is remembered of rows, keys included, and the names of further detectors."""
        return memory.keyed(self.watched.keys, self._rows) | voices.named(self.voices)

    def restore(self, arrays: Arrays) -> None:
        """Take over what `arrays` gave; rows are matched by key. Raises ValueError for arrays of another shape.

        Of other further detectors than ours nothing is taken, and ours stay as they are.
        """
        ours, theirs = memory.matched(self.watched.keys, arrays)
        for name, mine in self._rows.items():
            if name in (voices.RING, voices.TABLE) and not voices.same(self.voices, arrays):
                continue
            given = arrays.get(name)
            if given is None or given.shape[1:] != mine.shape[1:]:
                shape = None if given is None else given.shape[1:]
                raise ValueError(
                    f"{name} of {shape}, expected {mine.shape[1:]}: kept at other steps, or by another version"
                )
            mine[ours] = given[theirs]

    def rewind(self, step: int) -> None:
        """Rows that are further go on from `step` on, as those have to that were restored as they were at it.

        What they remember of the steps since, they are told again; counts of faults have those twice.
        """
        for back in np.unique(self._rows["next"][self._rows["next"] > step] - step).tolist():
            which = np.flatnonzero(self._rows["next"] == step + back)
            for name in ("past", "recent"):
                kept = self._rows[name][which]
                moved = np.full_like(kept, np.nan)
                if back < kept.shape[-1]:
                    moved[..., back:] = kept[..., : kept.shape[-1] - back]
                self._rows[name][which] = moved
            self._rows["next"][which] = step

    def _forget(self) -> None:
        rows = len(self.watched.keys)
        self._rows = memory.empty(rows, self.day) | voices.empty(rows, len(self.voices))

    def _check(self, block: Block) -> None:
        if block.step_s != self.step_s or block.values.shape[0] != len(self.watched.keys):
            shape = f"{block.values.shape[0]} rows at {block.step_s} s"
            raise ValueError(f"a block of {shape}; watched are {len(self.watched.keys)} at {self.step_s} s")

    def _days(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """Spans of [first, end) that lie within one day each."""
        starts = range(first - first % self.day + self.day, end, self.day)
        return pairwise([first, *starts, end]) if end > first else iter(())

    def _skip(self, due: int, first: int) -> None:
        due = max(due, first - LONGEST_S // self.step_s)
        for start, end in self._days(due, first):
            self._observe(Block(self.step_s, start, np.full((len(self.watched.keys), end - start), np.nan)))

    def _observe(self, block: Block) -> Verdicts:
        """Steps of one day, of a fleet that is all here."""
        if block.first_step % self.day == 0:
            renew([self])
        return self.step(block, None)

    def step(self, block: Block, shared: Bools | None) -> Verdicts:
        """Steps of one day that come next, whose tables stand. shared: as faults.twins says over all of the fleet."""
        rows, new = self._rows, block.end_step - block.first_step
        relative, past = memory.remember(rows, block.values)
        seen = scoring.look(rows, relative, block.expected, new, self.day)
        said = voices.said(block, len(self.voices))
        surprised = calibration.surprise(rows["table"], seen.scores)
        if self.voices:
            surprised = np.concatenate([surprised, calibration.surprise(rows[voices.TABLE], said)], axis=1)
        both = self._tracks(surprised)
        surprise = scoring.averaged(rows["recent"][:, 0], both[:, 0], memory.SMOOTHED)
        raw = scoring.averaged(rows["recent"][:, 1], both[:, 1], memory.SMOOTHED_SEVERITY)
        severity = np.where(np.isnan(raw), 0.0, (1 - 10.0 ** (-np.nan_to_num(raw) / 2)) ** 2)
        groups, paging_rows = self._groups(surprise, severity, block.first_step)
        found = self._faults(block.values, seen, shared)
        self._keep(block, both, (seen.scores, said), groups, paging_rows)
        rows["past"] = past.copy() if new > SEVERAL else past  # else a whole block would be held by its end
        told = self._told(block.values, seen, surprise, severity, found)
        return Verdicts(self.step_s, block.first_step, self.watched.group, told, groups)

    def _tracks(self, surprised: Floats) -> NDArray[np.float32]:
        """[row, 2, step], the means over members for pages and for severity."""
        own, more = surprised[:, : len(memory.MEMBERS)], surprised[:, len(memory.MEMBERS) :]
        page = _known_mean(np.concatenate([own[:, : memory.PAGE_MEMBERS], more], axis=1))
        return np.stack([page, _known_mean(surprised)], axis=1).astype(np.float32)

    def _groups(self, surprise: Floats, severity: Floats, first_step: int) -> tuple[GroupVerdicts, Bools]:
        """The groups' verdicts, and [row, step], whether its group's page is on."""
        rows, first = self._rows, self._grouping.first
        combined, top = self._grouping.combined(surprise)
        tail = paging.Tail(rows["edge"][first], rows["ready"][first], self._grouping.several)
        rate = tail.rate(combined)
        alarm = rate <= self.watched.false_pages_per_week[:, None]
        quiet = paging.QUIET_S // self.step_s
        on, page, last = paging.events(alarm, rows["alarmed"][first], first_step, quiet)
        rows["alarmed"][first] = last
        found = GroupVerdicts(combined, rate, on, page, self._grouping.mean_of_top(severity), top)
        return found, on[self.watched.group]

    def _faults(self, values: Floats, seen: scoring.Looked, shared: Bools | None) -> Codes:
        state = {name.removeprefix("fault."): a for name, a in self._rows.items() if name.startswith("fault.")}
        what = faults.Seen(
            values, seen.z, seen.yesterday, seen.short, seen.middle, seen.middle_yesterday, self._rows["moved"]
        )
        found = faults.judge(state, what, self.step_s, shared)
        self._rows.update({f"fault.{name}": array for name, array in state.items()})
        return found

    def _told(
        self, values: Floats, seen: scoring.Looked, surprise: Floats, severity: Floats, found: Codes
    ) -> RowVerdicts:
        width, centre = self._rows["width"][:, None], self._rows["centre"][:, None]
        expected = seen.expected * width + centre
        half = self._rows["noise"].astype(np.float64)[:, None] * width
        return RowVerdicts(surprise, severity, found, values.copy(), expected, expected - half, expected + half)

    def _keep(
        self,
        block: Block,
        both: NDArray[np.float32],
        scores: tuple[Floats, Floats],
        groups: GroupVerdicts,
        paging_rows: Bools,
    ) -> None:
        """What the next steps need of these. scores: ours, and those of further detectors.

        While a page is on, surprises count up to its threshold; the single scores behind them, of which only the mean
        has to reach it, up to MOST_SURPRISE.
        """
        rows, first = self._rows, self._grouping.first
        budget = self.watched.false_pages_per_week
        tail = paging.Tail(rows["edge"][first], rows["ready"][first], self._grouping.several)
        most = tail.surprise_at(budget)
        most_single = np.maximum(most, MOST_SURPRISE)[self.watched.group]
        stretches = calibration.Stretches(calibration.stretch_steps(self.step_s), calibration.SLOTS)
        for table, ring, each in zip(("table", voices.TABLE), ("ring", voices.RING), scores, strict=True):
            if each.shape[1]:
                limit = calibration.score_at(rows[table], most_single)
                clipped = np.where(paging_rows[:, None, :], np.minimum(each, limit[:, :, None]), each)
                stretches.put(rows[ring], clipped, block.first_step)
        surprises = np.where(groups.paging, np.minimum(groups.surprise, most[:, None]), groups.surprise)
        maxima = rows["maxima"][first]
        calibration.Stretches(paging.QUIET_S // self.step_s, paging.BLOCKS).put(maxima, surprises, block.first_step)
        rows["maxima"][first] = maxima
        joined_recent = np.concatenate([rows["recent"], both], axis=2)
        rows["recent"] = joined_recent[:, :, joined_recent.shape[2] - rows["recent"].shape[2] :].copy()
        rows["next"][:] = block.end_step


def renew(engines: Sequence[DetectionEngine]) -> None:
    """A day's tables, of engines that have the rows of one fleet between them, in its order: what is pooled is pooled
    over all of them, to the last bit as in one.
    """
    rows, first = [one.remembered for one in engines], [one.grouping.first for one in engines]
    for table, ring in (("table", "ring"), (voices.TABLE, voices.RING)):
        if all(ring in each for each in rows):
            for each, found in zip(rows, calibration.learned([each[ring] for each in rows]), strict=True):
                each[table] = found
    maxima = [each["maxima"][at] for each, at in zip(rows, first, strict=True)]
    tail = paging.Tail.of(np.concatenate(maxima), np.concatenate([one.grouping.several for one in engines]))
    ends = np.cumsum([len(at) for at in first])[:-1]
    parts = zip(rows, first, np.split(tail.edge, ends), np.split(tail.ready, ends), strict=True)
    for each, at, edge, ready in parts:
        each["edge"][at], each["ready"][at] = edge, ready


def _known_mean(values: Floats) -> Floats:
    """[row, step], mean over members of what is known."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known, values, 0.0).sum(axis=1) / known.sum(axis=1)


def joined(parts: Sequence[Verdicts]) -> Verdicts:
    """Verdicts of consecutive spans as one; at least one."""
    if len(parts) == 1:
        return parts[0]

    def along(name: str, of: str, axis: int = 1) -> NDArray[Any]:
        return np.concatenate([getattr(getattr(part, of), name) for part in parts], axis=axis)

    rows = RowVerdicts(*(along(name, "rows") for name in RowVerdicts.__dataclass_fields__))
    groups = GroupVerdicts(*(along(name, "groups") for name in GroupVerdicts.__dataclass_fields__))
    return Verdicts(parts[0].step_s, parts[0].first_step, parts[0].group, rows, groups)
