"""The demand that a service keeps, as series to learn from: read-only, beside the running service."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from autoscaler.adapters.demand_store.codec import unpack
from autoscaler.adapters.demand_store.store import CHUNK_S, VERSION
from autoscaler.domain.errors import Refused
from autoscaler.domain.series import DataVerdict
from autoscaler.learning.training_samples import Learnable

KEPT: Final = "kept"
BUSY_S: Final = 5.0


def kept_series(path: Path) -> Iterator[Learnable]:
    """Each row on its finest grid; lower bounds and unknown steps are NaN. Refused where it is no such file."""
    if not path.is_file():
        raise Refused(f"{path}: there is no such file; it stands beside a service's record, as in foresail-demand.db")
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)
        try:
            yield from _rows(connection, path)
        finally:
            connection.close()
    except (sqlite3.Error, ValueError) as why:
        raise Refused(
            f"{path}: not demand that a Foresail keeps, or damaged ({why}); name FORESAIL-demand.db"
        ) from None


def _rows(connection: sqlite3.Connection, path: Path) -> Iterator[Learnable]:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        raise Refused(f"{path}: of version {version}, and this Foresail reads {VERSION}")
    finest = connection.execute("SELECT key, MIN(step_s) FROM demand_row GROUP BY key ORDER BY key").fetchall()
    for key, step_s in finest:
        chunks = connection.execute(
            "SELECT part, body FROM demand_chunk WHERE row = (SELECT id FROM demand_row WHERE key = ? AND step_s = ?) "
            "ORDER BY part",
            (key, step_s),
        ).fetchall()
        if chunks:
            first, end = _first(chunks[0][0], step_s), _first(chunks[-1][0] + 1, step_s)
            values = np.full(end - first, np.nan)
            for part, body in chunks:
                low, high = _first(part, step_s), _first(part + 1, step_s)
                demand, marks = unpack(body, high - low)
                values[low - first : high - first] = np.where(marks == DataVerdict.OK, demand, np.nan)
            yield Learnable(KEPT, key, step_s, first, values)


def _first(part: int, step_s: int) -> int:
    """First step that begins inside a part of time."""
    return -(-part * CHUNK_S // step_s)
