"""Readers beside the writer, after a restart, and over a row that cannot be read."""

import os
import sqlite3
import threading

import pytest

from autoscaler.adapters.store import DecisionStore
from autoscaler.adapters.store.codec import UnreadablePayload
from autoscaler.domain.errors import Refused
from autoscaler.domain.workload import WorkloadRef

WEB = WorkloadRef("shop", "web")


def test_a_restart_begins_a_run(opened, make):
    for k in (0, 1):
        with opened() as store:
            store.append(make.decisions(make.fleet(), make.start_s + 15 * k))
    with opened() as store:
        assert [r.ticks for r in store.history(WEB)] == [1, 1]


def test_readers_see_whole_ticks_while_the_writer_writes(opened, make, tmp_path):
    lanes = make.fleet("a", "b", "c")
    store = opened()
    store.append(make.decisions(lanes))
    assert store.flush()
    reader = DecisionStore.open_read_only(tmp_path / "foresail.db")
    wrong, done = [], threading.Event()

    def read():
        while not done.is_set():
            size = reader.size()
            if size.ticks % 3:
                wrong.append(size)

    thread = threading.Thread(target=read)
    thread.start()
    for k in range(1, 60):
        store.append(make.decisions(lanes, make.start_s + 15 * k, granted=3 + k // 10))
        if k % 10 == 0:
            assert store.flush()
    assert store.flush()
    done.set()
    thread.join()
    assert not wrong
    assert reader.size().ticks == 180
    run = reader.run_at(WorkloadRef("shop", "b"))
    assert run is not None
    assert run.decision.granted == 8
    reader.close()
    assert (store.dropped, store.failures) == (0, 0)


def test_read_only_means_it(opened, make, tmp_path):
    opened().close()
    reader = DecisionStore.open_read_only(tmp_path / "foresail.db")
    with pytest.raises(sqlite3.OperationalError, match="readonly"), reader._engine.raw_connection() as raw:
        raw.execute("DELETE FROM run")
    reader.close()


def test_one_row_from_a_newer_version_costs_that_row_only(opened, make, tmp_path, caplog):
    store = opened()
    for k in range(3):
        store.append(make.decisions(make.fleet(), make.start_s + 15 * k, granted=3 + k))
    assert store.flush()
    other = sqlite3.connect(tmp_path / "foresail.db")
    with other:
        other.execute("UPDATE payload SET body = CAST(x'63' || substr(body, 2) AS BLOB) WHERE run_id = 2")
    other.close()
    assert [r.decision.granted for r in store.history(WEB)] == [3, 5]
    assert "payload version 99" in caplog.text
    assert store.run_at(WEB).decision.granted == 5
    with pytest.raises(UnreadablePayload, match=r"foresail.db: shop/web at 2027-01-15 08:00:15 UTC \(run 2\)"):
        store.run_at(WEB, store.history(WEB)[0].last_at.replace(second=20))


def test_a_file_that_breaks_under_a_reader_is_refused_by_name(opened, make, tmp_path):
    store = opened()
    store.append(make.decisions(make.fleet(*(f"w{k}" for k in range(300)))))
    store.close()
    path = tmp_path / "foresail.db"
    reader = DecisionStore.open_read_only(path)
    body = path.read_bytes()
    path.write_bytes(body[:4096] + b"\xab" * (len(body) - 4096))
    with pytest.raises(Refused, match="not a usable SQLite database") as refused:
        reader.workloads()
    assert str(path) in str(refused.value)
    reader.close()


def test_a_record_in_a_folder_that_may_not_be_written(opened, make, tmp_path, monkeypatch):
    store = opened()
    store.append(make.decisions(make.fleet()))
    store.close()
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK)
    reader = DecisionStore.open_read_only(tmp_path / "foresail.db")
    assert reader.run_at(WEB) is not None
    reader.close()
    assert [file.name for file in tmp_path.iterdir()] == ["foresail.db"], "nothing was created beside it"


def test_two_writers_of_one_record_are_refused(opened, tmp_path):
    first = opened()
    with pytest.raises(Refused, match="another foresail writes this record"):
        DecisionStore.open(tmp_path / "foresail.db", tick_s=15.0)
    first.close()
    DecisionStore.open(tmp_path / "foresail.db", tick_s=15.0).close()
