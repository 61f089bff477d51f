"""`foresail once`: what a user gets from good, stale, missing and broken files."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

AT = ("--at", "2026-06-10T09:00:00Z")


def decisions(said: Any) -> dict[str, Any]:
    return {d["workload"]: d for d in json.loads(said.out)["decisions"]}


def test_the_table_names_each_workload_its_numbers_and_why(estate, source, workload, foresail):
    estate.record("web.csv", "web", "api")
    estate.write(source(), workload("web"), workload("api"))
    said = foresail("once", "fleet", *AT)
    assert said.code == 0
    heads, api, web, *words = said.out.splitlines()
    assert heads.split() == ["WORKLOAD", "STATE", "CURRENT", "WANTED", "GRANTED", "PEAK", "P95"]
    assert (api.split()[0], web.split()[0]) == ("shop/api", "shop/web")
    assert web.split()[2] == "2"
    assert words[-1].startswith("shop/web: ")
    assert "simulated cluster" in said.err


def test_json_carries_the_decision_and_nothing_else(estate, source, workload, foresail):
    estate.record("web.csv", "web")
    estate.write(source(), workload("web"))
    said = foresail("once", "fleet", *AT, "-o", "json")
    assert said.code == 0
    found = decisions(said)["shop/web"]
    assert found["at"] == "2026-06-10T09:00:00+00:00"
    # about 200 × (1 + 0.3 sin(2π × 8:59 / 24)) = 242.6 per 10 of capacity
    assert found["demands"][0]["observed"] == pytest.approx(242.6, abs=0.2)
    assert found["inputs"]["observed_need"] == 25
    assert found["granted"] >= 25
    assert found["demands"][0]["verdict"] == "OK"


def test_newest_decides_at_the_end_of_the_data(estate, source, workload, foresail):
    estate.record("web.csv", "web")
    estate.write(source(), workload("web"))
    said = foresail("once", "fleet", "--at", "newest", "-o", "json")
    assert said.code == 0
    assert json.loads(said.out)["at"] == "2026-06-10T09:00:00+00:00"
    assert decisions(said)["shop/web"]["reasons"][0] in {"ObservedNeed", "ForecastPeak", "NoForecast"}


def test_the_past_is_decided_without_what_came_later(estate, source, workload, foresail):
    estate.record("web.csv", "web")
    estate.write(source(), workload("web"))
    said = foresail("once", "fleet", "--at", "2026-06-10T08:00:00+02:00", "-o", "json")
    found = decisions(said)["shop/web"]["demands"][0]
    assert found["ageSeconds"] == 0
    assert found["observed"] == pytest.approx(260.0, abs=0.3)  # 05:59 UTC: the top of the wave


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("2026-06-10T09:00:00", "no time zone; append Z"),
        ("yesterday", "is not a moment; write e.g. 2026-"),
        ("2026-13-01T00:00:00Z", "is not a moment"),
    ],
)
def test_a_moment_that_could_mean_two_things_is_refused_before_anything_is_written(
    estate, source, workload, foresail, tmp_path, at, words
):
    estate.record()
    estate.write(source(), workload("web"))
    said = foresail("once", "fleet", "--at", at)
    assert (said.code, said.out) == (2, "")
    assert words in said.err
    assert not (tmp_path / "foresail.db").exists()


@pytest.mark.parametrize(
    ("late", "reason"), [(timedelta(minutes=10), "StaleData"), (timedelta(days=2), "BadData"), (timedelta(0), None)]
)
def test_old_data_holds_and_says_so(estate, source, workload, foresail, late, reason):
    end = datetime(2026, 6, 10, 9, tzinfo=UTC) - late
    estate.record("web.csv", "web", end=end)
    estate.write(source(), workload("web"))
    said = foresail("once", "fleet", *AT, "-o", "json")
    found = decisions(said)["shop/web"]
    if reason is None:
        assert (said.code, found["state"]) == (0, "Active")
    else:
        assert (said.code, found["state"]) == (1, "Holding")
        assert found["granted"] >= found["current"]  # nothing shrinks; the forecast from before may add
        assert {"StaleData", "BadData"} & set(found["reasons"])
        assert found["demands"][0]["observed"] is None


def test_every_problem_of_every_file_is_told_with_its_place(estate, source, workload, foresail):
    estate.record()
    estate.write(source(), workload("web", replicas="{min: 3, max: 1}"))
    estate.write(workload("api", mode="Sometimes", replicas="{min: x, max: 5}"), file="more.yaml")
    said = foresail("once", "fleet")
    assert (said.code, said.out) == (2, "")
    lines = said.err.splitlines()
    assert sum(line.startswith("fleet/fleet.yaml:15:13: ") and "min 3 is above max 1" in line for line in lines) == 1
    assert sum(line.startswith("fleet/more.yaml:") for line in lines) == 2


def test_yaml_that_does_not_parse_names_the_spot(estate, source, workload, foresail):
    estate.write(source(), workload("web", replicas="{{min: 1"))
    said = foresail("once", "fleet/fleet.yaml")
    assert said.code == 2
    assert "fleet/fleet.yaml:1" in said.err
    assert "Traceback" not in said.err


def test_one_bad_object_stops_no_other(estate, source, workload, foresail):
    estate.record("web.csv", "web", "api")
    estate.write(source(), workload("web", replicas="{min: -1, max: 5}"), workload("api"))
    said = foresail("once", "fleet", *AT, "-o", "json")
    assert said.code == 1
    assert set(decisions(said)) == {"shop/api"}
    assert "spec_problem fleet/fleet.yaml:15:19: spec.replicas.min" in said.err


def test_a_workload_whose_source_is_refused_is_told_of_too(estate, source, workload, foresail):
    estate.record("web.csv", "api")
    estate.write(source(), source("bad", "x.txt"), workload("web", source="bad"), workload("api"))
    said = foresail("once", "fleet", *AT, "-o", "json")
    assert set(decisions(said)) == {"shop/api"}
    assert "MetricsSource at fleet/fleet.yaml" in said.err
    assert "is itself refused" in said.err


def test_a_series_that_is_not_there_names_those_that_are(estate, source, workload, foresail):
    estate.record("web.csv", "web_requests", "api")
    estate.write(source(), workload("web", query="web_request"), workload("api"))
    said = foresail("once", "fleet", *AT, "-o", "json")
    assert said.code == 1
    assert "has no series 'web_request'; did you mean 'web_requests'? It has api, web_requests" in said.err
    assert {n: d["state"] for n, d in decisions(said).items()} == {"shop/web": "Holding", "shop/api": "Active"}


def missing(folder: Path) -> str:
    return "no such file or directory"


def text_that_is_no_table(folder: Path) -> str:
    (folder / "lost.csv").write_text('garbage,"')
    return "cannot be read as CSV"


def a_folder(folder: Path) -> str:
    (folder / "lost.csv").mkdir()
    return "is a folder"


def binary(folder: Path) -> str:
    (folder / "lost.csv").write_bytes(bytes(range(256)) * 10)
    return "lost.csv"


def empty(folder: Path) -> str:
    (folder / "lost.csv").touch()
    return "lost.csv"


def negative(folder: Path) -> str:
    (folder / "lost.csv").write_text("ts,series,value\n2026-06-10T08:00Z,lost,1\n2026-06-10T08:01Z,lost,-4\n")
    return "negative demand"


@pytest.mark.parametrize("damage", [missing, text_that_is_no_table, a_folder, binary, empty, negative])
def test_a_file_that_cannot_be_read_costs_only_its_own_workload(estate, source, workload, foresail, damage):
    estate.record("web.csv", "web")
    estate.write(source(), source("other", "lost.csv"), workload("lost", source="other"), workload("web"))
    words = damage(estate.folder)
    said = foresail("once", "fleet", *AT, "-o", "json")
    assert said.code == 1
    found = decisions(said)
    assert (found["shop/lost"]["state"], found["shop/lost"]["granted"]) == ("Holding", 2)
    assert "BadData" in found["shop/lost"]["reasons"]
    assert found["shop/web"]["state"] == "Active"
    assert "source_error other" in said.err
    assert words in said.err


def test_a_parquet_file_cut_short_costs_only_its_own_workload(estate, source, workload, foresail):
    estate.record("web.csv", "web")
    (estate.folder / "lost.parquet").write_bytes(b"PAR1 and then the disk was full")
    estate.write(source(), source("other", "lost.parquet"), workload("lost", source="other"), workload("web"))
    said = foresail("once", "fleet", *AT, "-o", "json")
    assert {n: d["state"] for n, d in decisions(said).items()} == {"shop/lost": "Holding", "shop/web": "Active"}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("nowhere",), "nowhere: no such file or folder; check the path"),
        (("fleet", "--store", "no/such/folder.db"), "the folder no/such does not exist; create it first"),
        (("fleet", "--store", "fleet/web.csv"), "not a usable SQLite database"),
        (("fleet", "-o", "yaml"), "--output 'yaml' is not known; use table or json"),
        (("fleet", "--step", "0s"), "--step '0s' must be at least 1s"),
        (("fleet", "--step", "1500ms"), "--step '1500ms' "),
        (("fleet", "--step", "soon"), "--step 'soon' is not a duration; write e.g. 15s"),
        (("only-a-source.yaml",), "no PredictiveAutoscaler in only-a-source.yaml"),
    ],
)
def test_what_cannot_work_is_refused_with_a_way_out(estate, source, workload, foresail, tmp_path, args, words):
    estate.record()
    estate.write(source(), workload("web"))
    (tmp_path / "only-a-source.yaml").write_text(source())
    said = foresail("once", *args)
    assert (said.code, said.out) == (2, "")
    assert words in said.err


def test_newest_of_files_that_cannot_be_read_says_why(estate, source, workload, foresail):
    estate.write(source(), workload("web"))
    said = foresail("once", "fleet", "--at", "newest")
    assert said.code == 2
    assert "--at newest: no file can be read (fleet/web.csv: no such file or directory)" in said.err


def test_a_step_finer_than_the_file_holds_and_says_so(estate, source, workload, foresail):
    estate.record()
    estate.write(source(), workload("web"))
    said = foresail("once", "fleet", *AT, "--step", "30s")
    assert said.code == 1
    assert "finer than the file, which has a sample every 60 s" in said.err


def test_a_hundred_workloads_on_one_file(estate, source, workload, foresail):
    names = [f"w{k:03}" for k in range(100)]
    estate.record("web.csv", *names, steps=60)
    estate.write(source(), *(workload(name) for name in names))
    said = foresail("once", "fleet", *AT, "-o", "json")
    assert list(decisions(said)) == [f"shop/{name}" for name in names]


def test_a_recording_of_the_past_is_pointed_out(estate, source, workload, foresail):
    estate.record(end=datetime(2020, 6, 10, 9, tzinfo=UTC))
    estate.write(source(), workload("web"))
    hint = "the recordings end at 2020-06-10T09:00:00Z; --at newest decides there"
    now = foresail("once", "fleet")
    assert now.code == 1
    assert hint in now.err
    newest = foresail("once", "fleet", "--at", "newest")
    assert newest.code == 0
    assert hint not in newest.err
