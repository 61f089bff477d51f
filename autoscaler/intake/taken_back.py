"""Of which steps nothing is learned, row by row: whoever tells their values again is not believed then either.

What is wrong was found out live, or in a life through history; a source knows nothing of it and answers the same
numbers after a restart. So spans are kept as long as the history that they stand in, and go with the state over
restarts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.series import LAST_VALUED, Codes, Floats
from autoscaler.intake.spans import Spans, added, without

MOST_SPANS: Final = 32
"""Of a row and a verdict; with more, the two that lie closest become one. 24 bytes each: at most 2.3 kB of a row, as
there are three verdicts (a lower bound, stuck, another unit).
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """Steps [first, end) of the row with this key. code: DataVerdict that says why."""

    key: str
    first: int
    end: int
    code: int


@dataclass(slots=True)
class TakenBack:
    """Spans by row and verdict: sorted, disjoint, and no more than MOST_SPANS of each."""

    _spans: dict[str, dict[int, Spans]] = field(default_factory=dict)
    _newest: int = 0

    def add(self, taken: Taken) -> None:
        by_code = self._spans.setdefault(taken.key, {})
        spans = added(by_code.get(taken.code, []), taken.first, taken.end)
        by_code[taken.code] = spans if len(spans) <= MOST_SPANS else _fewer(spans)
        self._newest = max(self._newest, taken.end)

    def within(self, first: int, end: int, keys: Iterable[str] | None = None) -> Iterator[Taken]:
        """What reaches into [first, end), whole. keys: of these rows; None = all."""
        if not self._spans or first >= self._newest:
            return
        for key in self._spans if keys is None else keys:
            for code, spans in self._spans.get(key, {}).items():
                for low, high in spans:
                    if low < end and high > first:
                        yield Taken(key, low, high, code)

    def cut(self, before: int) -> list[Taken]:
        """Take out all steps before this one."""
        found = [Taken(t.key, t.first, min(t.end, before), t.code) for t in self.within(0, before)]
        for each in found:
            by_code = self._spans[each.key]
            by_code[each.code] = without(by_code[each.code], each.first, each.end)
            if not by_code[each.code]:
                del by_code[each.code]
            if not by_code:
                del self._spans[each.key]
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """key: [row]; count: [row], its spans; span: [span, (first, end, code)]. Empty without any."""
        if not self._spans:
            return {}
        rows = [[(*span, code) for code, spans in found.items() for span in spans] for found in self._spans.values()]
        return {
            "key": np.array([key.encode() for key in self._spans], dtype=bytes),
            "count": np.array([len(row) for row in rows], dtype=np.int64),
            "span": np.array([span for row in rows for span in row], dtype=np.int64),
        }

    def restore(self, saved: Mapping[str, NDArray[Any]]) -> None:
        """With what `arrays` gave, too. Raises ValueError where it is not that, and takes nothing then."""
        if not saved:
            return
        try:
            keys, counts, spans = saved["key"], saved["count"], saved["span"]
        except KeyError as why:
            raise ValueError(f"spans of which nothing is learned lack {why}") from why
        if len(keys) != len(counts) or spans.shape != (int(counts.sum()), 3) or (counts < 0).any():
            raise ValueError(f"{len(keys)} rows, {len(counts)} counts and spans {spans.shape} do not belong together")
        names = np.repeat(np.arange(len(keys)), counts).tolist()
        for name, (first, end, code) in zip(names, spans.tolist(), strict=True):
            self.add(Taken(bytes(keys[name]).decode(errors="replace"), first, end, code))


def mask(values: Floats, verdicts: Codes, row: int, columns: slice, code: int) -> None:
    """In place: without a value, or with it as no more than a lower bound; a worse verdict stays."""
    have = verdicts[row, columns]
    hit = have <= LAST_VALUED
    verdicts[row, columns] = np.where(hit, np.maximum(have, np.uint8(code)), have)
    if code > LAST_VALUED:
        values[row, columns] = np.where(hit, np.nan, values[row, columns])


def _fewer(spans: Spans) -> Spans:
    """With the two that lie closest as one: a little more that is not learned, and nothing wrong that is."""
    at = min(range(len(spans) - 1), key=lambda k: spans[k + 1][0] - spans[k][1])
    return [*spans[:at], (spans[at][0], spans[at + 1][1]), *spans[at + 2 :]]
