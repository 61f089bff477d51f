"""A chunk of one row's demand as compressed bytes and back, without loss.

marks first (a byte a step), then the values as little-endian doubles with their bytes sorted by weight: exponents
lie side by side and compress well, mantissas of measured rates hardly at all. The stream's own checksum tells
damage; what does not unpack to valid marks and demand is not demand.
"""

from __future__ import annotations

import zlib

import numpy as np

from autoscaler.domain.series import LAST_VALUED, Codes, DataVerdict, Floats
from autoscaler.ports.history import FINAL, UNASKED

LEVEL = 1
_VALID = np.zeros(256, dtype=np.bool_)
_VALID[UNASKED] = True
for _code in DataVerdict:
    _VALID[_code] = True
    _VALID[_code | FINAL] = _code > LAST_VALUED


def pack(values: Floats, marks: Codes) -> bytes:
    """values, marks: [step]."""
    bits = np.where(marks <= LAST_VALUED, values, 0.0).astype("<f8").view(np.uint8)
    return zlib.compress(marks.tobytes() + bits.reshape(-1, 8).T.tobytes(), LEVEL)


def unpack(body: bytes, steps: int) -> tuple[Floats, Codes]:
    """ValueError when the bytes are damaged or of another length."""
    try:
        plain = zlib.decompress(body)
    except zlib.error as why:
        raise ValueError(str(why)) from why
    if len(plain) != 9 * steps:
        raise ValueError(f"{len(plain)} bytes for {steps} steps")
    marks = np.frombuffer(plain, dtype=np.uint8, count=steps).copy()
    bits = np.frombuffer(plain, dtype=np.uint8, offset=steps).reshape(8, steps)
    values = np.ascontiguousarray(bits.T).view("<f8").reshape(steps).astype(np.float64)
    valued = marks <= LAST_VALUED
    if not _VALID[marks].all() or not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError("marks or values that no source ever gave")
    values[~valued] = np.nan
    return values, marks
