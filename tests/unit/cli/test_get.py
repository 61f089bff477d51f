"""`foresail get` on what `once` has recorded: wide, narrow, as JSON, and live."""

import json
from datetime import UTC, datetime

import pandas as pd  # noqa: F401 - before time is frozen
import pytest
from freezegun import freeze_time
from rich.console import Console

MOMENTS = ("2026-06-10T04:00:00Z", "2026-06-10T08:30:00Z", "2026-06-10T09:00:00Z")


@pytest.fixture
def recorded(estate, source, workload, foresail, monkeypatch):
    estate.record("web.csv", "web", "api")
    gone = workload("dead", query="nothing")
    estate.write(source(), workload("web"), workload("api", mode="Advise"), workload("api", namespace="ops"), gone)
    for at in MOMENTS:
        assert foresail("once", "fleet", "--at", at).code == 1  # shop/dead is held

    def five_past(*args, columns=160):
        monkeypatch.setattr("autoscaler.cli.screen.screen", lambda: Console(width=columns))
        with freeze_time(datetime(2026, 6, 10, 9, 5, tzinfo=UTC), real_asyncio=True):
            return foresail("get", *args)

    return five_past


def test_the_table_has_a_row_per_workload_with_its_numbers(recorded):
    said = recorded()
    assert (said.code, said.err) == (0, "")
    head, *rows = said.out.splitlines()
    assert head.split()[:6] == ["WORKLOAD", "STATE", "MODE", "CURRENT", "WANTED", "GRANTED"]
    found = {row.split()[0]: row for row in rows}
    assert set(found) == {"ops/api", "shop/api", "shop/web", "shop/dead"}
    assert found["shop/web"].split()[1:4] == ["Active", "Act", "2"]
    assert found["shop/api"].split()[1:3] == ["Advisory", "Advise"]
    assert "ok" in found["shop/web"].split()
    assert "5m" in found["shop/web"].split()


def test_a_workload_without_data_says_so_and_shows_no_zero(recorded):
    row = next(line for line in recorded().out.splitlines() if line.startswith("shop/dead"))
    assert "Holding" in row
    assert "missing" in row
    assert row.split()[-1] == "·" * 24
    assert row.split()[6] == "-"  # no forecast


def test_recent_demand_stands_where_it_was_recorded(recorded):
    line = next(line for line in recorded().out.splitlines() if line.startswith("shop/web")).split()[-1]
    assert len(line) == 24
    assert line[-1] != "·"
    assert line[-3] != "·"  # 08:30
    assert line[5] == "·"  # nothing was recorded between 04:00 and 08:30


@pytest.mark.parametrize("columns", [60, 80, 100, 120, 200])
def test_a_row_is_one_line_whatever_the_terminal(recorded, columns):
    said = recorded(columns=columns)
    lines = said.out.splitlines()
    assert len(lines) == 5
    assert all(len(line.rstrip()) <= columns for line in lines)
    assert all("…" not in line for line in lines)
    assert sum("Active" in line for line in lines) == 2


def test_names_choose_and_a_wrong_one_is_answered_with_the_nearest(recorded):
    assert len(recorded("web").out.splitlines()) == 2
    assert len(recorded("web", "ops/api", "shop/web").out.splitlines()) == 3
    said = recorded("wbe")
    assert (said.code, said.out) == (2, "")
    assert "did you mean shop/web?" in said.err


def test_json_has_everything_and_null_for_what_is_unknown(recorded):
    told = json.loads(recorded("-o", "json").out)
    rows = {w["namespace"] + "/" + w["name"]: w for w in told["workloads"]}
    web, dead = rows["shop/web"], rows["shop/dead"]
    assert web["lastDecision"] == "2026-06-10T09:00:00+00:00"
    assert web["ageSeconds"] == 300
    assert web["expired"] is True
    assert web["demands"][0]["observed"][0] == pytest.approx(242.6, abs=0.3)
    assert web["recentDemand"]["values"][-1] == pytest.approx(242.6, abs=0.3)
    assert dead["demands"][0] == {
        "name": "requests", "source": "rec", "verdict": "MISSING", "note": dead["demands"][0]["note"],
        "observed": [None, None], "peakP95": [None, None],
    }  # fmt: skip
    assert dead["recentDemand"]["values"] == [None] * 24


def test_watch_without_a_terminal_prints_one_table_and_ends(recorded):
    assert len(recorded("--watch").out.splitlines()) == 5


def test_watch_in_a_terminal_looks_again_until_ctrl_c(recorded, monkeypatch):
    looks = []

    def third(seconds):
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("autoscaler.cli.get.time.sleep", third)
    said = recorded("--watch")
    assert said.code == 0
    assert len(looks) == 3
    assert "shop/web" in said.out
    assert "Ctrl-C ends" in said.out


@pytest.mark.parametrize(("args", "words"), [(("--store", "no.db"), "there is no record"), (("-o", "xml"), "json")])
def test_what_cannot_be_shown_says_why(recorded, args, words):
    said = recorded(*args)
    assert (said.code, said.out) == (2, "")
    assert words in said.err
