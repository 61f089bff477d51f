"""After a break of a source, rates read low until their windows hold nothing from before it.

Times are those of the steps, so that a run stepped through the past behaves like a live one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from autoscaler.adapters.prometheus.rows import Row
from autoscaler.domain.series import Bools, DataVerdict, Floats

MOST_BREAKS = 8
WORDS = "the source or its series was away; the windows of the query fill again"


@dataclass(slots=True)
class _Memory:
    """good_s: time of the newest step that had a value. away_s: since when nobody answers; None while answered.

    breaks: (since_s, until_s): steps after the one and up to the other are recovering.
    """

    good_s: float | None = None
    away_s: float | None = None
    breaks: list[tuple[float, float]] = field(default_factory=list)


@dataclass(slots=True)
class Recovery:
    """What one reader remembers of the breaks of each query."""

    _rows: dict[tuple[str, int], _Memory] = field(default_factory=dict)

    def note(self, row: Row, window_s: float, restarted_s: float | None) -> None:
        """Mark what is recovering in the row, and remember it for the next load.

        window_s: the query's longest window. restarted_s: when the source was started, where that is news.
        """
        if not row.grid.width:
            return
        memory = self._rows.setdefault((row.query, row.grid.step_s), _Memory())
        if row.verdicts[-1] == DataVerdict.UNREACHABLE:
            if memory.away_s is None:
                memory.away_s = float(row.grid.end_s - row.grid.step_s) if memory.good_s is None else memory.good_s
            return
        if not row.answered:
            return
        settle_s = _settle_s(row, window_s)
        times = row.grid.times()
        gap_s = _gap_s(row)
        where = _within(times, gap_s, settle_s)
        self._after_gap(memory, float(gap_s[-1]), settle_s)
        self._after_silence(row, memory, settle_s, restarted_s)
        memory.breaks = [b for b in memory.breaks if b[1] >= times[0]][-MOST_BREAKS:]
        for since_s, until_s in memory.breaks:
            where |= (times > since_s) & (times <= until_s)
        row.mark(where, DataVerdict.RECOVERING, WORDS)
        valued = np.flatnonzero(row.valued())
        if len(valued):
            memory.good_s = max(float(times[valued[-1]]), memory.good_s or 0.0)

    @staticmethod
    def note_past(row: Row, window_s: float) -> None:
        """Mark what follows the row's own gaps; the past says nothing about the breaks of today."""
        where = _within(row.grid.times(), _gap_s(row), _settle_s(row, window_s))
        row.mark(where, DataVerdict.RECOVERING, WORDS)

    def forget_others(self, kept: set[str]) -> None:
        """Drop the memory of queries that nobody asks any more."""
        self._rows = {key: memory for key, memory in self._rows.items() if key[0] in kept}

    @staticmethod
    def _after_silence(row: Row, memory: _Memory, settle_s: float, restarted_s: float | None) -> None:
        """The source was away or was restarted: from the last good step until a window after this load."""
        end_s = float(row.grid.end_s)
        if memory.away_s is not None:
            memory.breaks.append((memory.away_s, end_s + settle_s))
        elif restarted_s is not None and memory.good_s is not None:
            memory.breaks.append((memory.good_s, end_s + settle_s))
        elif restarted_s is not None:
            memory.breaks.append((restarted_s, restarted_s + settle_s))
        memory.away_s = None

    @staticmethod
    def _after_gap(memory: _Memory, gap_s: float, settle_s: float) -> None:
        """The newest gap reaches into the next load."""
        if np.isfinite(gap_s) and (gap_s, gap_s + settle_s) not in memory.breaks:
            memory.breaks.append((gap_s, gap_s + settle_s))


def _settle_s(row: Row, window_s: float) -> float:
    """A step more than the window: the targets are scraped again one after the other."""
    return window_s + row.grid.step_s


def _gap_s(row: Row) -> Floats:
    """[step], time of the newest step without a sample up to each step; -inf before any."""
    return np.maximum.accumulate(np.where(row.absent(), row.grid.times(), -np.inf))


def _within(times: Floats, gap_s: Floats, settle_s: float) -> Bools:
    return (times > gap_s) & (times <= gap_s + settle_s)
