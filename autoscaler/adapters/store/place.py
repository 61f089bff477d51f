"""Where the record lives: a file or a URL; how it is opened, and every refusal that names it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.pool import NullPool

from autoscaler.domain.errors import Refused, Retryable

BUSY_TIMEOUT_S = 5.0
_MAGIC = b"SQLite format 3\0"
_INCREMENTAL = 2
_WRITER_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA journal_size_limit = 16777216",
)


@dataclass(frozen=True, slots=True)
class Place:
    """A database: its URL, its file if it is SQLite, and the name that messages show (no password)."""

    url: URL
    path: Path | None
    label: str

    @staticmethod
    def of(where: str | Path) -> Place:
        """A path, or an SQLAlchemy URL (anything with ://)."""
        if isinstance(where, Path) or "://" not in where:
            path = Path(where)
            return Place(URL.create("sqlite", database=str(path)), path, str(path))
        try:
            url = make_url(where)
        except ArgumentError as why:
            raise Refused(
                f"store URL cannot be read: {why}; give a file path or e.g. sqlite:////data/foresail.db"
            ) from why
        if url.get_backend_name() != "sqlite":
            return Place(url, None, url.render_as_string(hide_password=True))
        if url.database in (None, "", ":memory:"):
            raise Refused(f"{where}: a record in memory cannot be read by others; give a file path")
        return Place(url, Path(str(url.database)), str(url.database))

    @property
    def log(self) -> Path:
        """The write-ahead log beside the file; it is there while somebody writes."""
        return Path(f"{self.path}-wal")

    def must_exist(self) -> None:
        if self.path is not None and not self.path.exists():
            raise Refused(
                f"{self.label}: there is no record of decisions here; "
                f"run `foresail run --store {self.label}` first, or name the file that it writes"
            )

    def must_be_usable(self) -> None:
        """Look at the file without opening it as a database, so that a foreign file stays as it is."""
        if self.path is None:
            return
        if not self.path.exists():
            if not self.path.parent.is_dir():
                raise Refused(f"{self.label}: the folder {self.path.parent} does not exist; create it first")
            return
        if not self.path.is_file():
            raise Refused(f"{self.label}: this is not a file; name a file for the record of decisions")
        try:
            with self.path.open("rb") as file:
                head = file.read(len(_MAGIC))
        except OSError as why:
            raise Refused(f"{self.label}: cannot be read ({why.strerror}); mend its permissions") from why
        if head and head != _MAGIC:
            raise self.damaged("it does not begin as an SQLite file does")

    def damaged(self, why: object) -> Refused:
        return Refused(
            f"{self.label}: not a usable SQLite database ({why}); the file was left as it is: "
            "move it away, or name another file for the record"
        )

    def reading(self) -> Engine:
        """Each connection its own; a file is opened read-only."""
        url = self.url
        if self.path is not None:
            name = f"file:{quote(str(self.path.absolute()))}"
            query = {"mode": "ro", "uri": "true"}
            if not os.access(self.path.absolute().parent, os.W_OK) and not self.log.exists():
                query["immutable"] = "1"  # no writer is at work, and SQLite could not create the log it would share
            url = URL.create("sqlite", database=name, query=query)
        return self._engine(url, (), "BEGIN")

    def writing(self) -> Engine:
        return self._engine(self.url, _WRITER_PRAGMAS, "BEGIN IMMEDIATE")

    def _engine(self, url: URL, pragmas: tuple[str, ...], begin: str) -> Engine:
        if self.path is None:
            return create_engine(url, poolclass=NullPool)
        engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": BUSY_TIMEOUT_S})

        @event.listens_for(engine, "connect")
        def _set_up(connection: Any, _record: Any) -> None:
            connection.isolation_level = None  # we say BEGIN ourselves: DDL too is inside, and a writer never upgrades
            try:
                if pragmas:
                    _vacuum_by_steps(connection)
                for pragma in pragmas:
                    connection.execute(pragma).close()
            except sqlite3.Error:
                connection.close()
                raise

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Database errors leave as Retryable (busy, full, away) or Refused (damaged)."""
        try:
            yield
        except (DBAPIError, sqlite3.Error) as why:
            cause = why.orig if isinstance(why, DBAPIError) else why
            if _is_damage(cause):
                raise self.damaged(cause) from why
            if isinstance(why, (IntegrityError, DataError, ProgrammingError)):
                raise
            raise Retryable(f"{self.label}: {cause}") from why


def _vacuum_by_steps(connection: Any) -> None:
    """Before WAL and before the first table, or it is ignored. Said again it would be a commit for each connection."""
    if connection.execute("PRAGMA auto_vacuum").fetchone() != (_INCREMENTAL,):
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL").close()


def _is_damage(cause: BaseException | None) -> bool:
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
