"""What a term of a condition may be: numbers between two ends, or some values. Exact, without rounding."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers between two ends, without some. whole: only whole numbers."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    without: frozenset[float] = frozenset()
    whole: bool = False

    @property
    def empty(self) -> bool:
        if self.low > self.high or (self.low == self.high and (self.low_open or self.high_open)):
            return True
        return self.low == self.high and self.low in self.without

    def both(self, other: Span) -> Span:
        low = max((self.low, self.low_open), (other.low, other.low_open))
        high = min((self.high, not self.high_open), (other.high, not other.high_open))
        found = Span(low[0], high[0], low[1], not high[1], self.without | other.without, self.whole or other.whole)
        return found._tight() if found.whole else found

    def within(self, other: Span) -> bool:
        """Whether every number of this is in the other."""
        low = (self.low, self.low_open) >= (other.low, other.low_open)
        high = (self.high, not self.high_open) <= (other.high, not other.high_open)
        return low and high and all(x in self.without or not self._holds(x) for x in other.without)

    def _holds(self, x: float) -> bool:
        above = x > self.low or (x == self.low and not self.low_open)
        return above and (x < self.high or (x == self.high and not self.high_open))

    def _tight(self) -> Span:
        """Closed whole ends that are themselves among the numbers."""
        low = self.low if math.isinf(self.low) else (math.floor(self.low) + 1 if self.low_open else math.ceil(self.low))
        high = self.high if math.isinf(self.high) else (
            math.ceil(self.high) - 1 if self.high_open else math.floor(self.high)
        )  # fmt: skip
        while low in self.without and low <= high:
            low += 1
        while high in self.without and low <= high:
            high -= 1
        return replace(self, low=low, high=high, low_open=False, high_open=False)


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of these values, or with but: any other than these."""

    values: frozenset[Any]
    but: bool = False

    @property
    def empty(self) -> bool:
        return not self.but and not self.values

    def both(self, other: OneOf) -> OneOf:
        if self.but and other.but:
            return OneOf(self.values | other.values, but=True)
        if self.but or other.but:
            these, without = (other, self) if self.but else (self, other)
            return OneOf(these.values - without.values)
        return OneOf(self.values & other.values)

    def within(self, other: OneOf) -> bool:
        if self.but:
            return other.but and other.values <= self.values
        return not (self.values & other.values) if other.but else self.values <= other.values
