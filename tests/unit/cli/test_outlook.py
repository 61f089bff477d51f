"""`foresail outlook` as a user calls it: what it prints, its keys, its picture, and what it refuses."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autoscaler.adapters.demand_store import DemandStore
from autoscaler.domain.series import DataVerdict
from autoscaler.ports.history import KeptDemand

DAYS, STEP_S = 16, 900
DAY = 86400 // STEP_S
START = "2026-05-04"


@pytest.fixture
def load(tmp_path):
    """Sixteen days of quarters of an hour, with a gap on the tenth."""
    t = np.arange(DAYS * DAY)
    values = (200 + 120 * np.sin(2 * np.pi * t / DAY)) * np.random.default_rng(2).lognormal(0, 0.05, len(t))
    values[10 * DAY : 10 * DAY + 20] = np.nan
    frame = pd.DataFrame({"ts": pd.date_range(START, periods=len(t), freq=f"{STEP_S}s"), "value": values})
    frame.to_parquet(tmp_path / "load.parquet")
    return tmp_path / "load.parquet"


def test_json_has_a_day_of_steps_with_rising_levels_that_follow_the_season(foresail, load):
    said = foresail("outlook", "--trace", load, "-o", "json")
    assert (said.code, said.err) == (0, "")
    found = json.loads(said.out)
    assert (found["from"], found["stepSeconds"], len(found["path"])) == ("2026-05-20T00:00:00Z", STEP_S, DAY)
    p50, p90, p95 = (np.array([step[name] for step in found["path"]]) for name in ("p50", "p90", "p95"))
    assert (p50 <= p90).all()
    assert (p90 <= p95).all()
    truth = 200 + 120 * np.sin(2 * np.pi * np.arange(DAY) / DAY)
    assert np.abs(p50 / truth - 1).mean() < 0.06
    assert all(sum(bucket.values()) == pytest.approx(1, abs=0.01) for bucket in found["weights"])
    assert found["parts"] is None
    assert "actual" not in found["path"][0]


def test_from_a_past_moment_what_came_stands_beside_and_was_not_read(foresail, load):
    at = "2026-05-19T06:00:00Z"
    found = json.loads(foresail("outlook", "--trace", load, "--at", at, "--hours", 6, "-o", "json").out)
    assert (found["from"], len(found["path"])) == (at, 24)
    whole = pd.read_parquet(load)
    came = whole.set_index("ts").value["2026-05-19T06:00:00":][:24].to_numpy()
    np.testing.assert_allclose([step["actual"] for step in found["path"]], came, rtol=1e-6)
    cut = load.with_name("cut.parquet")
    whole[whole.ts < "2026-05-19T06:00:00"].to_parquet(cut)
    short = json.loads(foresail("outlook", "--trace", cut, "--hours", 6, "-o", "json").out)
    assert [step["p95"] for step in short["path"]] == [step["p95"] for step in found["path"]]


@pytest.mark.slow
def test_a_table_with_lines_at_one_scale_parts_in_words_a_librarys_path_and_a_picture(foresail, load, tmp_path):
    out = tmp_path / "outlook.png"
    said = foresail("outlook", "--trace", load, "--decompose", "--model", "theta", "--out", out)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert any(line.startswith("load: 2026-05-20 00:00 to 2026-05-21 00:00 UTC, steps of 15 min") for line in lines)
    median, high = (next(line for line in lines if line.lstrip().startswith(word)) for word in ("median", "0.95"))
    assert median[: median.index("│")].split()[1] == high[: high.index("│")].split()[1]
    assert "█" in high
    assert any(line.split()[:1] == ["at"] and "theta" in line for line in lines)
    assert any(line.startswith("  day        very strong") for line in lines)
    assert any("of it unknown and filled" in line for line in lines)
    assert out.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert f"picture: {out}" in lines


def test_f01_a_short_record_says_how_far_it_can_see_and_unknown_is_no_number(foresail, tmp_path):
    t = np.arange(5 * 60)
    frame = pd.DataFrame({"ts": pd.date_range(START, periods=len(t), freq="60s"), "value": 50.0 + t % 5})
    frame.to_csv(tmp_path / "short.csv", index=False)
    found = json.loads(foresail("outlook", "--trace", tmp_path / "short.csv", "-o", "json").out)
    assert found["path"][-1]["p50"] is None
    assert any("too little history" in note or "no outlook" in note for note in found["notes"])
    table = foresail("outlook", "--trace", tmp_path / "short.csv")
    assert table.code == 0


def test_what_a_running_service_keeps_can_be_looked_at_while_it_writes(foresail, load, tmp_path):
    path = tmp_path / "foresail-demand.db"
    values = pd.read_parquet(load).value.to_numpy()[None].copy()
    first = int(pd.Timestamp(START).timestamp()) // STEP_S
    with DemandStore.open(path) as store:
        empty = foresail("outlook", "--demand", path)
        assert (empty.code, "keeps no demand yet" in empty.err) == (2, True)
        marks = np.where(np.isnan(values), DataVerdict.MISSING, DataVerdict.OK).astype(np.uint8)
        for key in ("web", "api"):
            store.save([KeptDemand((key,), STEP_S, first, values, marks)])
        kept = json.loads(foresail("outlook", "--demand", path, "--series", "web", "-o", "json").out)
        several = foresail("outlook", "--demand", path)
        assert (several.code, "name one with --series: api, web" in several.err) == (2, True)
        assert "no demand 'db'" in foresail("outlook", "--demand", path, "--series", "db").err
    traced = json.loads(foresail("outlook", "--trace", load, "-o", "json").out)
    assert kept["path"] == traced["path"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "name the recorded demand"),
        (("--trace", "load.parquet", "-o", "html"), "--output 'html' is not known"),
        (("--trace", "load.parquet", "--hours", "25"), "at most 24"),
        (("--trace", "load.parquet", "--hours", "0.1"), "at least one step"),
        (("--trace", "load.parquet", "--at", "2026-07-01T00:00:00Z"), "outside the record"),
        (("--trace", "load.parquet", "--at", "yesterday"), "is not a moment"),
        (("--trace", "load.parquet", "--out", "outlook.svg"), "is a PNG"),
        (("--trace", "load.parquet", "--out", "no/such/outlook.png"), "there is no folder"),
        (("--trace", "load.parquet", "--model", "arima"), "--model 'arima' is not known"),
        (("--trace", "load.parquet", "--demand", "x.db"), "two sources"),
        (("--demand", "x.db"), "there is no such file"),
    ],
)
def test_a_slip_is_refused_with_the_way_out(foresail, load, words, told):
    said = foresail("outlook", *words)
    assert said.code == 2
    assert told in said.err
    assert said.out == ""


def test_moments_are_utc(foresail, load):
    found = json.loads(foresail("outlook", "--trace", load, "--hours", 1, "-o", "json").out)
    assert datetime.fromisoformat(found["path"][0]["at"]) == datetime(2026, 5, 20, tzinfo=UTC)


def test_every_option_and_key_is_documented(foresail, load):
    text = (Path(__file__).parents[3] / "docs" / "outlook.md").read_text(encoding="utf-8")
    options = set(re.findall(r"--[a-z-]+", foresail("outlook", "--help").out)) - {"--help", "--output"}
    assert len(options) > 12
    assert not [option for option in options if option not in text]
    found = json.loads(foresail("outlook", "--trace", load, "--at", "2026-05-19T06:00:00Z", "-o", "json").out)
    assert not [key for key in (*found, *found["path"][0]) if f"`{key}`" not in text]


def test_F07_days_follow_a_zones_clock_where_it_was_moved(foresail, tmp_path):
    """The record ends the noon after 25 October 2026, when Berlin's clock went back at 01:00 UTC."""
    stamps = pd.date_range(end="2026-10-26 12:00", periods=DAYS * DAY, freq=f"{STEP_S}s")
    local = stamps.tz_localize("UTC").tz_convert("Europe/Berlin")
    hour = local.hour + local.minute / 60
    values = 100 + 80 * np.tanh(3 * (hour - 8)) - 80 * np.tanh(3 * (hour - 19))
    pd.DataFrame({"ts": stamps, "value": values}).to_parquet(tmp_path / "local.parquet")

    def median(*more: str) -> list[float]:
        said = foresail("outlook", "--trace", tmp_path / "local.parquet", "--hours", 12, "-o", "json", *more)
        assert said.code == 0, said.err
        return [step["p50"] for step in json.loads(said.out)["path"]]

    told = np.array(median("--time-zone", "Europe/Berlin"))
    evening = pd.date_range("2026-10-26 13:15", periods=48, freq=f"{STEP_S}s", tz="Europe/Berlin")
    hour = evening.hour + evening.minute / 60
    truth = 100 + 80 * np.tanh(3 * (hour - 8)) - 80 * np.tanh(3 * (hour - 19))
    assert np.abs(told - truth).max() < 10
    assert np.abs(np.array(median()) - truth).max() > 20


def test_what_is_no_zone_is_refused(foresail, load):
    said = foresail("outlook", "--trace", load, "--time-zone", "Europe/Berln")
    assert said.code == 2
    assert "--time-zone 'Europe/Berln' is not an IANA time zone" in said.err
    assert "Europe/Berlin" in said.err
