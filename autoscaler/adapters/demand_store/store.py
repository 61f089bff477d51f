"""Implements ports.history.DemandKeeper on one SQLite file.

Plain sqlite3 and two tables, no SQLAlchemy or migrations: this is a cache of what sources told, which an edge site
without the server extra can carry too. A file of another version, or a damaged one, is set aside and filled anew;
it is never trusted by half, and never a reason not to start. A chunk is six hours of one row: a flush every quarter
of an hour rewrites little (13 MB at 10,000 rows), and weeks still read in few pieces.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from autoscaler.adapters.demand_store.codec import pack, unpack
from autoscaler.domain.errors import Refused, Retryable
from autoscaler.domain.series import Codes, Floats
from autoscaler.ports.history import UNASKED, KeptDemand, overlaid

log = logging.getLogger("foresail")
VERSION = 1
CHUNK_S = 21_600
BUSY_TIMEOUT_S = 5.0
_TABLES = {"demand_row", "demand_chunk"}
_ROW, _CHUNK = (
    "id INTEGER PRIMARY KEY, step_s INTEGER NOT NULL, key TEXT NOT NULL, begins INTEGER, UNIQUE (step_s, key)",
    "row INTEGER NOT NULL, part INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (row, part)",
)
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_NOT_THE_FILE = (
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_NOMEM,
)
"""Errors at opening that say nothing about what is inside; every other one means that it cannot be read."""


class _Foreign(Exception):
    """The file is SQLite's, but another program's."""


class _OtherVersion(Exception):
    """A Foresail of another version wrote the file."""


class DemandStore:
    """Open with `DemandStore.open`. Safe to call from several threads; meant for one.

    set_aside: why the file was set aside and begun anew, if it was. chunks_lost: damaged chunks that were left out.
    """

    def __init__(self, path: Path, keep_days: float) -> None:
        self.path = path
        self.keep_days = keep_days
        self.set_aside: str | None = None
        self.chunks_lost = 0
        self._lock = threading.Lock()
        self._ids: dict[tuple[int, str], int] = {}
        self._pruned_to: int | None = None
        self._connection = self._opened()

    @classmethod
    def open(cls, path: str | Path, *, keep_days: float = 35.0) -> DemandStore:
        """Create the file, or go on with it. Refused where no file can be, or where another program's database is."""
        if not keep_days > 0:
            raise ValueError(f"demand is kept for a positive number of days, not {keep_days!r}")
        path = Path(path)
        if not path.parent.is_dir():
            raise Refused(f"{path}: the folder {path.parent} does not exist; create it first")
        if path.exists() and not path.is_file():
            raise Refused(f"{path}: this is not a file; name a file for the demand that we keep")
        return cls(path, keep_days)

    def load(self, keys: Sequence[str], step_s: int, first_step: int, end_step: int) -> KeptDemand:
        values = np.full((len(keys), max(0, end_step - first_step)), np.nan)
        marks = np.full(values.shape, UNASKED, dtype=np.uint8)
        begins: dict[str, int] = {}
        kept = KeptDemand(tuple(keys), step_s, first_step, values, marks, begins)
        with self._lock:
            self._done(lambda: self._load(kept, begins))
        return kept

    def save(self, pieces: Sequence[KeptDemand]) -> None:
        with self._lock:
            if not (self._done(lambda: self._save(pieces)) or self._done(lambda: self._save(pieces))):
                raise Retryable(f"{self.path}: damaged again as soon as it was begun anew: {self.set_aside}")

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @property
    def bytes_on_disk(self) -> int:
        return sum(each.stat().st_size for each in (self.path, self._beside("-wal")) if each.exists())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, why: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _load(self, kept: KeptDemand, begins: dict[str, int]) -> None:
        """Fill the arrays of `kept` and its `begins`."""
        for i, key in enumerate(kept.keys):
            found = self._connection.execute(
                "SELECT id, begins FROM demand_row WHERE step_s = ? AND key = ?", (kept.step_s, key)
            ).fetchone()
            if found is not None:
                self._read_row(found[0], kept.step_s, kept.first_step, (kept.values[i], kept.marks[i]))
                if found[1] is not None:
                    begins[key] = found[1]

    def _read_row(self, row: int, step_s: int, first_step: int, into: tuple[Floats, Codes]) -> None:
        """Fill [step] arrays that begin at first_step from a row's chunks."""
        values, marks = into
        end_step = first_step + len(marks)
        cursor = self._connection.execute(
            "SELECT part, body FROM demand_chunk WHERE row = ? AND part BETWEEN ? AND ?",
            (row, _part(first_step, step_s), _part(end_step - 1, step_s)),
        )
        for part, body in cursor:
            unpacked = self._unpacked(row, part, step_s, body)
            if unpacked is None:
                continue
            begin = _first_of(part, step_s)
            low, high = max(begin, first_step), min(begin + len(unpacked[1]), end_step)
            values[low - first_step : high - first_step] = unpacked[0][low - begin : high - begin]
            marks[low - first_step : high - first_step] = unpacked[1][low - begin : high - begin]

    def _unpacked(self, row: int, part: int, step_s: int, body: bytes) -> tuple[Floats, Codes] | None:
        try:
            return unpack(body, _first_of(part + 1, step_s) - _first_of(part, step_s))
        except ValueError as why:
            self.chunks_lost += 1
            log.warning("demand_chunk_damaged %s row=%d part=%d: %s; it is asked for again", self.path, row, part, why)
            return None

    def _save(self, pieces: Sequence[KeptDemand]) -> None:
        ids = dict(self._ids)
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for piece in pieces:
                rows = [self._id(ids, piece.step_s, key) for key in piece.keys]
                self._connection.executemany(
                    "UPDATE demand_row SET begins = ? WHERE step_s = ? AND key = ?",
                    [(at, piece.step_s, key) for key, at in piece.begins.items()],
                )
                for part in range(_part(piece.first_step, piece.step_s), _part(piece.end_step - 1, piece.step_s) + 1):
                    self._connection.executemany(
                        "INSERT INTO demand_chunk VALUES (?, ?, ?) "
                        "ON CONFLICT (row, part) DO UPDATE SET body = excluded.body",
                        self._changed(piece, rows, part),
                    )
            newest_s = max((piece.end_step * piece.step_s for piece in pieces), default=0)
            gone = self._prune(min(newest_s, int(time.time())))
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self._ids = {} if gone else ids

    def _changed(self, piece: KeptDemand, rows: list[int], part: int) -> Iterator[tuple[int, int, bytes]]:
        """One chunk of each row with the piece laid over what is there."""
        begin, end = _first_of(part, piece.step_s), _first_of(part + 1, piece.step_s)
        low, high = max(begin, piece.first_step), min(end, piece.end_step)
        take, put = slice(low - piece.first_step, high - piece.first_step), slice(low - begin, high - begin)
        some = (piece.marks[:, take] != UNASKED).any(axis=1).tolist()
        for i, row in enumerate(rows):
            if not some[i]:
                continue
            values, marks = np.full(end - begin, np.nan), np.full(end - begin, UNASKED, dtype=np.uint8)
            held = self._connection.execute(
                "SELECT body FROM demand_chunk WHERE row = ? AND part = ?", (row, part)
            ).fetchone()
            if held is not None:
                values, marks = self._unpacked(row, part, piece.step_s, held[0]) or (values, marks)
            values[put], marks[put] = overlaid(values[put], marks[put], piece.values[i, take], piece.marks[i, take])
            yield row, part, pack(values, marks)

    def _id(self, ids: dict[tuple[int, str], int], step_s: int, key: str) -> int:
        if (step_s, key) not in ids:
            self._connection.execute("INSERT OR IGNORE INTO demand_row (step_s, key) VALUES (?, ?)", (step_s, key))
            ids[step_s, key] = self._connection.execute(
                "SELECT id FROM demand_row WHERE step_s = ? AND key = ?", (step_s, key)
            ).fetchone()[0]
        return ids[step_s, key]

    def _prune(self, newest_s: int) -> bool:
        """Once per chunk of time: forget what is older than keep_days, and rows of which nothing is left."""
        oldest = int(newest_s - self.keep_days * 86400) // CHUNK_S
        if self._pruned_to is not None and oldest <= self._pruned_to:
            return False
        self._pruned_to = oldest
        gone = self._connection.execute("DELETE FROM demand_chunk WHERE part < ?", (oldest,)).rowcount
        if gone:
            self._connection.execute("DELETE FROM demand_row WHERE id NOT IN (SELECT row FROM demand_chunk)")
        return gone > 0

    def _done(self, work: Callable[[], None]) -> bool:
        """False after damage: the file was set aside and a new one begun. All else of SQLite's is Retryable."""
        try:
            work()
        except sqlite3.Error as why:
            if getattr(why, "sqlite_errorcode", 0) & 0xFF not in _DAMAGE:
                raise Retryable(f"{self.path}: {why}") from why
            self._connection.close()
            self._move_away(str(why))
            self._connection = self._opened()
            return False
        return True

    def _opened(self) -> sqlite3.Connection:
        """The file, ready; set aside first if it cannot be ours."""
        try:
            return self._connected()
        except _Foreign as why:
            raise Refused(
                f"{self.path}: this database holds other tables ({why}); it was left as it is: "
                "name another file for the demand that we keep"
            ) from None
        except (_OtherVersion, sqlite3.Error) as why:
            if getattr(why, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _NOT_THE_FILE:
                raise Refused(
                    f"{self.path}: cannot be used ({why}); mend its permissions or name another file"
                ) from why
            self._move_away(str(why))
        try:
            return self._connected()
        except sqlite3.Error as why:
            raise Refused(f"{self.path}: cannot be created ({why})") from why

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            _make_ready(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _move_away(self, why: str) -> None:
        """Rename the file, and its log with it, to `.broken`; the one that was set aside before goes."""
        for end in ("", "-wal"):
            if self._beside(end).exists():
                self._beside(end).replace(self._beside(f".broken{end}"))
        self._beside("-shm").unlink(missing_ok=True)
        self._ids, self._pruned_to, self.set_aside = {}, None, why
        log.warning("demand_store_set_aside %s as %s: %s; history is asked of the sources again",
                    self.path, self._beside(".broken").name, why)  # fmt: skip

    def _beside(self, end: str) -> Path:
        return self.path.with_name(self.path.name + end)


def _part(step: int, step_s: int) -> int:
    return step * step_s // CHUNK_S


def _first_of(part: int, step_s: int) -> int:
    """First step that begins inside a part of time; parts begin at multiples of six hours."""
    return -(-part * CHUNK_S // step_s)


def _make_ready(connection: sqlite3.Connection) -> None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables - _TABLES:
        raise _Foreign(", ".join(sorted(tables)[:5]))
    if tables and tables != _TABLES:
        raise _OtherVersion(f"it holds {', '.join(sorted(tables))} only")
    connection.execute("PRAGMA page_size = 16384")  # a chunk is 1 to 3 kB: on pages of 4 kB a third would be air
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the newest flush, never the file
    connection.execute("PRAGMA journal_size_limit = 16777216")
    if not tables:
        connection.executescript(
            f"BEGIN IMMEDIATE; CREATE TABLE demand_row ({_ROW}); CREATE TABLE demand_chunk ({_CHUNK}); "
            f"PRAGMA user_version = {VERSION}; COMMIT"
        )
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found != VERSION:
        raise _OtherVersion(f"it has version {found}, this Foresail writes version {VERSION}")
