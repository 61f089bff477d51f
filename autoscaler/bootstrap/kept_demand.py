"""Recent demand out of the store of a running service, for faces: opened read-only, nothing in it is ever changed."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

from autoscaler.adapters.demand_store.codec import unpack
from autoscaler.adapters.demand_store.store import CHUNK_S, VERSION

BUSY_S = 1.0


def recent_demand(path: Path, key: str, end_s: float, span_s: int, cells: int) -> tuple[float | None, ...]:
    """The largest demand in each of `cells` equal parts before end_s; None where nothing is kept.

    key: of the row, as Fleet.row_keys gives it. A store that is not there or cannot be read has nothing.
    """
    found: list[float | None] = [None] * cells
    try:
        samples = _samples(path, key, end_s - span_s, end_s)
    except (sqlite3.Error, ValueError, OSError):
        return tuple(found)
    for at_s, value in samples:
        cell = math.ceil((at_s - (end_s - span_s)) / span_s * cells) - 1
        if 0 <= cell < cells and math.isfinite(value):
            known = found[cell]
            found[cell] = value if known is None else max(known, value)
    return tuple(found)


def _samples(path: Path, key: str, start_s: float, end_s: float) -> list[tuple[float, float]]:
    """End of each step, and what was asked for then, on the finest grid that is kept of the row."""
    if not path.is_file():
        return []
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            return []
        rows = connection.execute("SELECT id, step_s FROM demand_row WHERE key = ? ORDER BY step_s", (key,)).fetchall()
        for row, step_s in rows:
            found = []
            parts = (row, int(start_s // CHUNK_S), int(end_s // CHUNK_S))
            chunks = connection.execute(
                "SELECT part, body FROM demand_chunk WHERE row = ? AND part BETWEEN ? AND ?", parts
            )
            for part, body in chunks:
                first, end = (-(-k * CHUNK_S // step_s) for k in (part, part + 1))
                values, _ = unpack(body, end - first)
                found += [((first + k + 1) * step_s, float(v)) for k, v in enumerate(values.tolist())]
            if found:
                return [(at_s, value) for at_s, value in found if start_s < at_s <= end_s]
    finally:
        connection.close()
    return []
