"""Brings a database to the schema that this code knows, or refuses it by name. Alembic is loaded only when needed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, inspect, text

from autoscaler.adapters.store.place import Place
from autoscaler.adapters.store.schema import HEAD, KNOWN_REVISIONS, VERSION_TABLE, metadata
from autoscaler.domain.errors import Refused, Retryable

MIGRATIONS = Path(__file__).parent / "migrations"


def bring_to_head(place: Place) -> None:
    """Create or upgrade the tables; all of it or nothing. A file that is not ours is left untouched."""
    place.must_be_usable()
    if place.path is not None and place.path.exists() and place.path.stat().st_size:
        with _opened(place.reading(), place) as looked:
            _current(looked, place)
    with _opened(place.writing(), place) as connection:
        if _current(connection, place) != HEAD:
            upgrade(connection, HEAD)


def must_be_at_head(place: Place) -> None:
    """For readers, who change nothing."""
    place.must_exist()
    place.must_be_usable()
    with _opened(place.reading(), place) as connection:
        found = _current(connection, place)
    if found is None:
        raise Refused(f"{place.label}: holds no record yet; run `foresail run --store {place.label}` first")
    if found != HEAD:
        raise Refused(
            f"{place.label}: schema revision {found} is older than {HEAD}; "
            f"`foresail run --store {place.label}` upgrades it when it starts"
        )


def upgrade(connection: Connection, revision: str) -> None:
    """Run the migrations of the package inside the connection's transaction."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)

    def steps(current: Any, _context: Any) -> Any:
        return script._upgrade_revs(revision, current)  # noqa: SLF001 - as alembic's own `command.upgrade` does

    with EnvironmentContext(config, script, fn=steps, destination_rev=revision) as environment:
        environment.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
        with environment.begin_transaction():
            environment.run_migrations()


def _current(connection: Connection, place: Place) -> str | None:
    """Revision of the database; None if it is empty. Refused if it is a stranger's or newer than this code."""
    tables = inspect(connection).get_table_names()
    if VERSION_TABLE in tables:
        found: str | None = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
    else:
        found = None
        # a shared server database may hold others' tables; a file is ours alone
        if tables if place.path is not None else metadata.tables.keys() & set(tables):
            raise Refused(
                f"{place.label}: this database holds other tables ({', '.join(sorted(tables)[:5])}); "
                "it was left as it is: name another file for the record"
            )
    if found is not None and found not in KNOWN_REVISIONS:
        raise Refused(
            f"{place.label}: schema revision {found} is unknown here (newest known: {HEAD}); a newer Foresail wrote "
            "it: run that version or a newer one, or name another file for the record"
        )
    return found


@contextmanager
def _opened(engine: Engine, place: Place) -> Iterator[Connection]:
    """A transaction on an engine used this once."""
    try:
        with place.translated(), engine.begin() as connection:
            yield connection
    except Retryable as why:
        code = getattr(_root(why), "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
            raise Refused(f"{why}; mend the permissions of the file and its folder, or name another file") from why
        raise
    finally:
        engine.dispose()


def _root(why: BaseException) -> BaseException:
    cause = why.__cause__
    return getattr(cause, "orig", None) or cause or why
