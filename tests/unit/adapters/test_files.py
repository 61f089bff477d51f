"""Recorded files as a metrics source: rows on the grid, one failure one row, files that change while we run."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from autoscaler.adapters.files import FileMetrics
from autoscaler.adapters.traces import read_each
from autoscaler.domain.series import DataVerdict
from autoscaler.domain.workload import Demand

FIRST = 1000
OK, MISSING, UNREACHABLE = int(DataVerdict.OK), int(DataVerdict.MISSING), int(DataVerdict.UNREACHABLE)


def stamp(step: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=step)).isoformat()


def demand(query: str = "web", source: str = "rec") -> Demand:
    return Demand("requests", source, query, 10.0)


@pytest.fixture
def write(tmp_path) -> Callable[..., Path]:
    def made(series, name="web.csv", first=FIRST) -> Path:
        path: Path = tmp_path / name
        rows = [f"{stamp(first + k)},{s},{v}" for s, values in series.items() for k, v in enumerate(values)]
        path.write_text("\n".join(["ts,series,value", *rows, ""]))
        return path

    return made


@pytest.fixture
def reads(monkeypatch) -> list[Path]:
    """The files that were parsed, one entry each time."""
    parsed: list[Path] = []

    def noted(path: Path, step_s: int) -> object:
        parsed.append(path)
        return read_each(path, step_s)

    monkeypatch.setattr("autoscaler.adapters.files.read_each", noted)
    return parsed


def test_rows_come_in_the_order_of_the_demands_on_the_grid(write):
    metrics = FileMetrics({"rec": write({"web": [1, 2, 3], "api": [4, 5, 6]})})
    batch = metrics.load([demand("api"), demand("web")], FIRST, FIRST + 3, 60)
    assert batch.first_step == FIRST
    assert batch.values.tolist() == [[4, 5, 6], [1, 2, 3]]
    assert (batch.verdicts == OK).all()
    assert metrics.errors == {}


def test_the_batch_ends_where_the_newest_file_ends_and_never_after_what_was_asked(write):
    metrics = FileMetrics({"rec": write({"web": [1, 2, 3]}), "long": write({"web": range(5)}, "long.csv")})
    both = [demand(), demand(source="long")]
    assert metrics.load(both, FIRST, FIRST + 100, 60).end_step == FIRST + 5
    assert metrics.load(both, FIRST, FIRST + 2, 60).end_step == FIRST + 2
    assert metrics.load(both[:1], FIRST, FIRST + 100, 60).end_step == FIRST + 3


def test_what_is_not_recorded_is_missing_and_never_zero(write):
    metrics = FileMetrics({"rec": write({"web": [1, "", 3]})})
    batch = metrics.load([demand()], FIRST - 2, FIRST + 3, 60)
    assert batch.verdicts.tolist() == [[MISSING, MISSING, OK, MISSING, OK]]
    assert np.isnan(batch.values[0, [0, 1, 3]]).all()


@pytest.mark.parametrize(("first", "end"), [(FIRST - 50, FIRST - 40), (FIRST + 40, FIRST + 50)])
def test_a_window_beside_the_data_is_unknown(write, first, end):
    batch = FileMetrics({"rec": write({"web": [1, 2, 3]})}).load([demand()], first, end, 60)
    assert batch.first_step == first
    assert batch.end_step <= end
    assert not (batch.verdicts == OK).any()


def test_a_coarser_grid_takes_means(write):
    metrics = FileMetrics({"rec": write({"web": [1, 3, 5, 7]})})
    batch = metrics.load([demand()], FIRST // 2, FIRST // 2 + 2, 120)
    assert batch.values.tolist() == [[2, 6]]


def test_a_source_that_cannot_be_read_costs_its_own_rows(write, tmp_path):
    metrics = FileMetrics({"rec": write({"web": [1, 2]}), "gone": tmp_path / "gone.csv"})
    batch = metrics.load([demand(source="gone"), demand(), demand(source="none")], FIRST, FIRST + 2, 60)
    assert batch.verdicts.tolist() == [[UNREACHABLE] * 2, [OK] * 2, [UNREACHABLE] * 2]
    assert np.isnan(batch.values[[0, 2]]).all()
    assert metrics.errors == {
        "gone": f"{tmp_path}/gone.csv: no such file or directory",
        "none": "no MetricsSource none",
    }


def test_a_series_that_is_refused_costs_itself_only(write):
    metrics = FileMetrics({"rec": write({"web": [1, 2], "bad": [1, -2]})})
    batch = metrics.load([demand(), demand("bad")], FIRST, FIRST + 2, 60)
    assert batch.verdicts.tolist() == [[OK, OK], [UNREACHABLE, UNREACHABLE]]
    assert list(metrics.errors) == ["rec, series bad"]
    assert "negative demand" in metrics.errors["rec, series bad"]


def test_a_refused_series_that_nobody_asks_for_is_no_error(write):
    metrics = FileMetrics({"rec": write({"web": [1, 2], "bad": [1, -2]})})
    metrics.load([demand()], FIRST, FIRST + 2, 60)
    assert metrics.errors == {}


def test_a_series_that_is_not_there_is_said_with_those_that_are(write):
    metrics = FileMetrics({"rec": write({name: [1, 2] for name in ("web_requests", *"abcdefg")})})
    batch = metrics.load([demand("web_request")], FIRST, FIRST + 2, 60)
    assert not (batch.verdicts == OK).any()
    (why,) = metrics.errors.values()
    assert why.endswith("has no series 'web_request'; did you mean 'web_requests'? It has a, b, c, d, e and 3 more")


def test_a_file_that_appears_or_is_mended_is_read_and_its_error_forgotten(write, tmp_path):
    metrics = FileMetrics({"rec": tmp_path / "web.csv"})
    both = [demand(), demand("api")]
    metrics.load(both, FIRST, FIRST + 2, 60)
    assert list(metrics.errors) == ["rec"]
    write({"web": [1, 2]})
    metrics.load(both, FIRST, FIRST + 2, 60)
    assert list(metrics.errors) == ["rec, series api"]
    write({"web": [1, 2], "api": [1, 2]})
    assert (metrics.load(both, FIRST, FIRST + 2, 60).verdicts == OK).all()
    assert metrics.errors == {}
    (tmp_path / "web.csv").write_text("garbage")
    metrics.load(both, FIRST, FIRST + 2, 60)
    assert list(metrics.errors) == ["rec"]


def test_a_growing_file_is_read_again_and_an_unchanged_one_is_not(write, reads):
    path = write({"web": [1, 2]})
    metrics = FileMetrics({"rec": path})
    for _ in range(3):
        metrics.load([demand()], FIRST, FIRST + 9, 60)
    assert len(reads) == 1
    with path.open("a") as file:
        file.write(f"{stamp(FIRST + 2)},web,3\n")
    assert metrics.load([demand()], FIRST, FIRST + 9, 60).values.tolist() == [[1, 2, 3]]
    assert len(reads) == 2


def test_a_broken_file_is_not_parsed_at_every_tick(reads, tmp_path):
    (tmp_path / "web.csv").write_text("no,such,columns\n1,2,3\n")
    metrics = FileMetrics({"rec": tmp_path / "web.csv"})
    for _ in range(3):
        metrics.load([demand()], FIRST, FIRST + 2, 60)
        assert list(metrics.errors) == ["rec"]
    assert len(reads) == 1


def test_whatever_a_reader_raises_costs_that_source_only(write, monkeypatch):
    def fails(path: Path, step_s: int) -> object:
        if path.name == "odd.csv":
            raise MemoryError("too much")
        return read_each(path, step_s)

    monkeypatch.setattr("autoscaler.adapters.files.read_each", fails)
    paths = {"rec": write({"web": [1, 2]}), "odd": write({"web": [1, 2]}, "odd.csv")}
    metrics = FileMetrics(paths)
    batch = metrics.load([demand(source="odd"), demand()], FIRST, FIRST + 2, 60)
    assert batch.verdicts[:, 0].tolist() == [UNREACHABLE, OK]
    assert "odd.csv: cannot be read (MemoryError: too much)" in metrics.errors["odd"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_said_as_such(write):
    path = write({"web": [1, 2]})
    path.chmod(0)
    metrics = FileMetrics({"rec": path})
    metrics.load([demand()], FIRST, FIRST + 2, 60)
    assert "permission denied" in metrics.errors["rec"].lower()


def test_errors_of_what_is_no_longer_served_are_forgotten(write, tmp_path):
    metrics = FileMetrics({"rec": write({"web": [1, 2]}), "gone": tmp_path / "gone.csv"})
    metrics.load([demand("wbe"), demand(source="gone")], FIRST, FIRST + 2, 60)
    assert set(metrics.errors) == {"rec, series wbe", "gone"}
    metrics.serve({"rec": metrics.paths["rec"]}, [demand()])
    assert metrics.errors == {}


def test_the_end_of_the_newest_file(write, tmp_path):
    paths = {"rec": write({"web": [1, 2]}), "long": write({"web": range(9)}, "long.csv"), "gone": tmp_path / "no.csv"}
    assert FileMetrics(paths).newest_end_s(60) == (FIRST + 9) * 60
    assert FileMetrics({"gone": tmp_path / "no.csv"}).newest_end_s(60) is None
