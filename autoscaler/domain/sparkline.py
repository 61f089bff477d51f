"""A series as one short line of text: how demand went, at a glance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
_PLAIN = "_.-=+*%#"
UNKNOWN = "·"


def sparkline(
    values: Sequence[float | None], width: int, *, plain: bool = False, top: float | None = None
) -> str:  # fmt: skip
    """At most `width` characters, oldest left; heights from zero to the largest value, so that equal heights are equal.

    top: what the full height stands for instead, so that several lines can be compared.

    Several values that share a character show their largest: a peak is never averaged away. None and NaN are
    unknown, shown as a dot and never as zero. plain: ASCII only.
    """
    if width < 1 or not values:
        return ""
    cells = [_largest(part) for part in _parts(values, min(width, len(values)))]
    largest = max((c for c in cells if c is not None), default=0.0)
    top = largest if top is None else top
    ramp, gap = (_PLAIN, " ") if plain else (_BLOCKS, UNKNOWN)
    return "".join(gap if c is None else ramp[_height(c, top)] for c in cells)


def _height(value: float, top: float) -> int:
    """A value below zero has no bar."""
    return 0 if value <= 0 or top <= 0 else max(0, math.ceil(min(1.0, value / top) * len(_BLOCKS)) - 1)


def _parts(values: Sequence[float | None], count: int) -> Iterable[Sequence[float | None]]:
    edges = [len(values) * k // count for k in range(count + 1)]
    return (values[edges[k] : edges[k + 1]] for k in range(count))


def _largest(values: Sequence[float | None]) -> float | None:
    return max((v for v in values if v is not None and math.isfinite(v)), default=None)
