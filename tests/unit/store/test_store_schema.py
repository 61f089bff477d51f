"""What is opened, what is upgraded, what is refused and left alone."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from autoscaler.adapters.store import DecisionStore
from autoscaler.adapters.store.migrate import MIGRATIONS, upgrade
from autoscaler.adapters.store.place import Place
from autoscaler.adapters.store.schema import HEAD, KNOWN_REVISIONS, metadata
from autoscaler.domain.errors import Refused


def run_sql(path: Path, *statements: str) -> list[Any]:
    connection = sqlite3.connect(path)
    try:
        with connection:
            return [connection.execute(s).fetchall() for s in statements][-1]
    finally:
        connection.close()


def test_from_empty_to_head_equals_the_metadata(tmp_path):
    engine = Place.of(tmp_path / "new.db").writing()
    with engine.begin() as connection:
        upgrade(connection, "head")
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert context.get_current_revision() == HEAD
        assert compare_metadata(context, metadata) == []
        indexes = {i["name"] for i in inspect(connection).get_indexes("run")}
    assert indexes == {"run_workload_first", "run_last"}
    engine.dispose()


def test_known_revisions_are_those_on_disk():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    assert script.get_current_head() == HEAD
    assert tuple(r.revision for r in script.walk_revisions())[::-1] == KNOWN_REVISIONS


def test_a_migration_that_fails_leaves_nothing(tmp_path):
    engine = Place.of(tmp_path / "new.db").writing()

    def half() -> None:
        with engine.begin() as connection:
            upgrade(connection, "head")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    engine.dispose()
    assert run_sql(tmp_path / "new.db", "SELECT count(*) FROM sqlite_master") == [(0,)]


def test_file_settings(opened, tmp_path):
    opened()
    path = tmp_path / "foresail.db"
    assert run_sql(path, "PRAGMA journal_mode") == [("wal",)]
    assert run_sql(path, "PRAGMA auto_vacuum") == [(2,)]
    engine = Place.of(path).writing()
    with engine.connect() as connection:
        for pragma, value in {"synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}.items():
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value
    engine.dispose()


def test_newer_schema_is_refused_by_name_and_left_alone(opened, tmp_path):
    opened().close()
    path = tmp_path / "foresail.db"
    run_sql(path, "UPDATE alembic_version SET version_num = '0099'")
    before = path.read_bytes()
    for opening in (lambda: DecisionStore.open(path, tick_s=15), lambda: DecisionStore.open_read_only(path)):
        with pytest.raises(Refused, match="revision 0099 is unknown here") as refused:
            opening()
        assert str(path) in str(refused.value)
        assert "newer" in str(refused.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [b"not a database, just somebody's notes\n" * 50, b"SQLite format 3\0" + b"\xff" * 5000],
    ids=["text", "garbage under the right head"],
)
def test_a_foreign_file_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "notes.db"
    path.write_bytes(content)
    for opening in (lambda: DecisionStore.open(path, tick_s=15), lambda: DecisionStore.open_read_only(path)):
        with pytest.raises(Refused, match="not a usable SQLite database") as refused:
            opening()
        assert str(path) in str(refused.value)
        assert "another file" in str(refused.value)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_cut_file_is_refused_and_left_alone(opened, make, tmp_path):
    store = opened()
    store.append(make.decisions(make.fleet()))
    store.close()
    path = tmp_path / "foresail.db"
    cut = path.read_bytes()[:9000]
    path.write_bytes(cut)
    with pytest.raises(Refused, match="not a usable SQLite database"):
        opened()
    assert path.read_bytes() == cut


def test_somebody_elses_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "grafana.db"
    run_sql(path, "CREATE TABLE dashboard (id INTEGER)")
    before = path.read_bytes()
    with pytest.raises(Refused, match=r"holds other tables \(dashboard\)"):
        DecisionStore.open(path, tick_s=15)
    assert path.read_bytes() == before


def test_reading_what_is_not_there_says_what_to_run(tmp_path):
    path = tmp_path / "none.db"
    with pytest.raises(Refused, match=f"{path}: there is no record .* `foresail run --store {path}` first"):
        DecisionStore.open_read_only(path)
    assert not path.exists()
    path.touch()
    with pytest.raises(Refused, match="holds no record yet"):
        DecisionStore.open_read_only(path)


def test_places_that_cannot_be(tmp_path):
    with pytest.raises(Refused, match=r"folder .*nowhere does not exist"):
        DecisionStore.open(tmp_path / "nowhere" / "x.db", tick_s=15)
    with pytest.raises(Refused, match="not a file"):
        DecisionStore.open(tmp_path, tick_s=15)
    with pytest.raises(Refused, match="in memory"):
        DecisionStore.open("sqlite://", tick_s=15)
    with pytest.raises(Refused, match="URL cannot be read"):
        DecisionStore.open("://", tick_s=15)


def test_a_url_names_the_same_file_and_passwords_stay_hidden(make, tmp_path):
    path = tmp_path / "a folder 100%" / "x.db"
    path.parent.mkdir()
    with DecisionStore.open(f"sqlite:///{path}", tick_s=15) as store:
        store.append(make.decisions(make.fleet()))
        assert store.flush()
    reader = DecisionStore.open_read_only(str(path))
    assert len(reader.workloads()) == 1
    reader.close()
    assert Place.of("postgresql+psycopg://me:secret@db/foresail").label == "postgresql+psycopg://me:***@db/foresail"
