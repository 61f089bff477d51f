"""After a break of a source, rates read low until their windows hold nothing from before it.

Times are those of the steps, so that a run stepped through the past behaves like a live one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from autoscaler.adapters.prometheus.rows import Row
from autoscaler.domain.series import Bools, DataVerdict

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
        settle_s = window_s + row.grid.step_s  # a step more: the targets are scraped again one after the other
        where = self._after_gaps(row, memory, settle_s)
        self._after_silence(row, memory, settle_s, restarted_s)
        times = row.grid.times()
        memory.breaks = [b for b in memory.breaks if b[1] >= times[0]][-MOST_BREAKS:]
        for since_s, until_s in memory.breaks:
            where |= (times > since_s) & (times <= until_s)
        row.mark(where, DataVerdict.RECOVERING, WORDS)
        valued = np.flatnonzero(row.valued())
        if len(valued):
            memory.good_s = max(float(times[valued[-1]]), memory.good_s or 0.0)

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
    def _after_gaps(row: Row, memory: _Memory, settle_s: float) -> Bools:
        """[step], within a window after steps without a sample; the newest gap is remembered."""
        times = row.grid.times()
        gap_s = np.maximum.accumulate(np.where(row.absent(), times, -np.inf))
        last_s = float(gap_s[-1])
        if np.isfinite(last_s) and (last_s, last_s + settle_s) not in memory.breaks:
            memory.breaks.append((last_s, last_s + settle_s))
        where: Bools = (times > gap_s) & (times <= gap_s + settle_s)
        return where
