"""A course as a small PNG, for channels that show pictures. zlib and numpy alone: no plotting on the way to a page.

Source of the format: W3C PNG (Third Edition), §5 and §11.2.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.alert_story import Course

WIDTH: Final = 480
HEIGHT: Final = 120
_MARGIN: Final = 6
_PALETTE: Final = bytes((255, 255, 255, 176, 176, 176, 31, 93, 158, 235, 235, 235))
_EXPECTED, _OBSERVED, _UNKNOWN = 1, 2, 3


def png(course: Course) -> bytes:
    """480 × 120: observed in blue, expected in grey, unknown as a grey band; from zero to the largest value."""
    canvas = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    top = max((v for v in (*course.observed, *course.expected) if math.isfinite(v)), default=0.0)
    columns = np.arange(_MARGIN, WIDTH - _MARGIN)
    unknown = ~np.isfinite(_along(course.observed, columns))
    canvas[:, columns[unknown]] = _UNKNOWN
    if course.expected:
        _draw(canvas, course.expected, top, _EXPECTED)
    _draw(canvas, course.observed, top, _OBSERVED)
    return _encoded(canvas)


def _along(values: Sequence[float], columns: NDArray[np.int_]) -> NDArray[np.float64]:
    """The value at each column, between its two neighbours on a line; NaN where either is not known."""
    points = np.array([v if math.isfinite(v) else math.nan for v in values])
    at = (columns - _MARGIN) / max(1, WIDTH - 2 * _MARGIN - 1) * (points.size - 1)
    left = np.floor(at).astype(int)
    right = np.minimum(left + 1, points.size - 1)
    share = at - left
    found: NDArray[np.float64] = np.where(share > 0, points[left] * (1 - share) + points[right] * share, points[left])
    return found


def _draw(canvas: NDArray[np.uint8], values: Sequence[float], top: float, colour: int) -> None:
    columns = np.arange(_MARGIN, WIDTH - _MARGIN)
    heights = _along(values, columns)
    span = HEIGHT - 2 * _MARGIN - 1
    before: int | None = None
    for column, value in zip(columns.tolist(), heights.tolist(), strict=True):
        if not math.isfinite(value):
            before = None
            continue
        share = min(1.0, max(value, 0.0) / top) if top > 0 else 0.0
        row = HEIGHT - 1 - _MARGIN - round(share * span)
        low, high = sorted((row, row if before is None else before))
        canvas[low : high + 2, column] = colour
        before = row


def _encoded(canvas: NDArray[np.uint8]) -> bytes:
    height, width = canvas.shape
    rows = np.zeros((height, width + 1), dtype=np.uint8)  # each row begins with its filter: none
    rows[:, 1:] = canvas
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", _PALETTE),
            _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
