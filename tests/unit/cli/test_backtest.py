"""`foresail backtest` as a user calls it: what it prints, its keys, its file, and what it refuses."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

FAST = ("--models", "house", "--no-decisions", "--lead", "1h")
DAYS, STEP_S = 9, 1800


@pytest.fixture
def load(tmp_path):
    """Nine days of half hours, two series; the second half as high."""
    steps = DAYS * 86400 // STEP_S
    t = np.arange(steps)
    rng = np.random.default_rng(2)
    base = (200 + 120 * np.sin(2 * np.pi * t / 48)) * rng.lognormal(0, 0.08, steps)
    ts = pd.date_range("2026-05-04", periods=steps, freq="30min")
    parts = [pd.DataFrame({"ts": ts, "series": name, "value": base * k}) for name, k in (("web", 1.0), ("api", 0.5))]
    pd.concat(parts).to_parquet(tmp_path / "load.parquet")
    return tmp_path / "load.parquet"


def test_json_has_every_model_at_every_window(foresail, load):
    said = foresail("backtest", "--trace", load, "--series", "web", *FAST, "--horizon", "3h", "-o", "json")
    assert (said.code, said.err) == (0, "")
    found = json.loads(said.out)
    assert [part["horizonSeconds"] for part in found["series"]] == [3600, 10800]
    assert (found["baseline"], found["warnings"], found["pooled"]) == ("seasonal-naive-day", [], [])
    for part in found["series"]:
        models = {row["model"]: row for row in part["models"]}
        assert part["models"][0]["model"] == "foresail"
        assert {"foresail", "seasonal-naive-day", "recent-mean"} <= set(models)
        assert models["seasonal-naive-day"]["relativeLoss"] == 1.0
        assert part["origins"] > 200
        ours = models["foresail"]
        assert 0 < ours["relativeLoss"] < 1.2
        assert list(ours["peakCoverage"]) == ["0.5", "0.9", "0.95", "0.99"]
        assert abs(ours["peakCoverage"]["0.9"] - 0.9) < 0.08
        assert ours["stepCoverage"]["0.9"] >= ours["peakCoverage"]["0.9"]
        assert ours["decision"] is None
    silent = {row["model"]: row["why"] for row in found["series"][0]["models"] if row["quantileLoss"] is None}
    assert all(re.fullmatch(r"answered \d+ of \d+ scored origins", why) for why in silent.values())


def test_several_series_are_pooled(foresail, load):
    found = json.loads(foresail("backtest", "--trace", load, "--series", "all", *FAST, "-o", "json").out)
    assert {part["series"] for part in found["series"]} == {"api", "web"}
    (pooled,) = found["pooled"]
    assert pooled["series"] == 2
    losses = [part["models"][0]["relativeLoss"] for part in found["series"]]
    mean = next(row for row in pooled["models"] if row["model"] == "foresail")
    assert mean["relativeLoss"] == pytest.approx(np.sqrt(np.prod(losses)))
    assert mean["beatsBaseline"] == {"series": sum(loss < 1 for loss in losses), "of": 2}


@pytest.mark.slow
def test_sizing_stands_beside_the_forecast(foresail, load):
    args = ("--models", "foresail", "--lead", "1h", "--risk", "1%", "-o", "json")
    found = json.loads(foresail("backtest", "--trace", load, "--series", "web", *args).out)
    rows = {row["model"]: row["decision"] for row in found["series"][0]["models"]}
    assert set(rows) == {"foresail", "seasonal-naive-day"}
    for decision in rows.values():
        assert decision["overBound"] >= 1
        assert 0 <= decision["shortShare"] < 0.2
        assert decision["replicaHours"] > 0
    assert rows["foresail"] != rows["seasonal-naive-day"]


def test_the_table_has_both_sides_and_what_was_assumed(foresail, load):
    said = foresail("backtest", "--trace", load, "--series", "web", *FAST)
    assert said.code == 0
    for words in ("loss ÷ base", "MASE", "peak≤Q0.95", "step≤Q0.95", "conformal", "web, windows of 1 h"):
        assert words in said.out, words


def test_the_page_holds_everything_in_one_file(foresail, load, tmp_path):
    said = foresail("backtest", "--trace", load, "--series", "all", *FAST, "-o", "html", "--out", "new/test.html")
    assert said.code == 0
    assert "backtest: new/test.html" in said.out
    text = (tmp_path / "new" / "test.html").read_text(encoding="utf-8")
    assert text.count("<svg") > 10
    for words in ("All 2 series", "web, windows of 1 h", "api, windows of 1 h", "seasonal-naive-day at 95"):
        assert words in text, words
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert "<script" not in text


def test_a_library_that_is_not_there_is_said_loudly(foresail, load, monkeypatch):
    monkeypatch.setattr("autoscaler.learning.backtest.references.importlib.util.find_spec", lambda _: None)
    said = foresail("backtest", "--trace", load, "--series", "web", *FAST[2:], "--models", "foresail,prophet")
    assert said.code == 0
    assert said.out.startswith("! prophet does not take part: prophet is not installed (uv sync --group bench")
    alone = foresail("backtest", "--trace", load, "--series", "web", "--models", "prophet")
    assert alone.code == 2
    assert "nothing is left to test" in alone.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--models", "fourseail"), "no model 'fourseail'; did you mean 'foresail'?"),
        (("--models", ","), "--models names no model"),
        (("-o", "csv"), "--output 'csv' is not known; use table, json, yaml or html"),
        (("--out", "a.html"), "--out is the place of the HTML file"),
        (("-o", "html", "--out", "a.txt"), "the page is HTML"),
        (("--lead", "soon"), "--lead 'soon'"),
        (("--horizon", "-3m"), "--horizon '-3m'"),
        (("--risk", "150%"), "--risk '150%'"),
        (("--capacity", "0"), "--capacity 0 must be a positive number"),
        (("--days", "0"), "--days 0 must be"),
        (("--workers", "0"), "--workers 0 must be 1 or more"),
        (("--warmup", "20d"), "no longer than the warm-up"),
        (("--warmup", "2h"), "holds too few windows"),
        (("--horizon", "2d"), "longer than 24 hours"),
        (("--query", "up"), "--query needs --prometheus URL"),
        (("--prometheus", "http://x"), "name the recorded demand"),
        (("--series", "all", "--since", "3d"), "--since and --trace are two sources"),
        (("--time-zone", "CET"), "--time-zone 'CET' is not an IANA time zone"),
        (("--series", "nobody"), "no series 'nobody'"),
    ],
)
def test_what_is_refused_names_the_option_and_the_way_out(foresail, load, args, words):
    series = () if "--series" in args else ("--series", "web")
    said = foresail("backtest", "--trace", load, *series, *args)
    assert said.code == 2
    assert words in said.err
    assert said.out == ""


def test_nothing_observed_is_refused(foresail, tmp_path):
    ts = pd.date_range("2026-05-04", periods=400, freq="1h")
    pd.DataFrame({"ts": ts, "value": np.nan}).to_csv(tmp_path / "dark.csv", index=False)
    said = foresail("backtest", "--trace", "dark.csv")
    assert said.code == 2
    assert "dark" in said.err


def test_F07_days_by_the_clock_of_their_users(foresail, tmp_path):
    """Two days after summer time begins, what is an hour early by UTC is in time by the clock that people follow."""
    ts = pd.date_range("2026-03-10", "2026-03-31", freq="30min", tz="UTC", inclusive="left")
    local = ts.tz_convert("Europe/Berlin")
    hour = local.hour + local.minute / 60
    rng = np.random.default_rng(4)
    value = np.where((hour >= 8) & (hour < 18), 400.0, 40.0) * rng.lognormal(0, 0.03, len(ts))
    pd.DataFrame({"ts": ts.tz_localize(None), "value": value}).to_csv(tmp_path / "office.csv", index=False)
    args = ("backtest", "--trace", "office.csv", *FAST, "--days", "2", "-o", "json")
    losses = {}
    for zone in ((), ("--time-zone", "Europe/Berlin")):
        said = foresail(*args, *zone)
        assert said.code == 0, said.err
        found = json.loads(said.out)
        losses[zone] = {row["model"]: row["quantileLoss"] for row in found["series"][0]["models"]}
        assert any("Europe/Berlin" in note for note in found["notes"]) == bool(zone)
    utc, berlin = losses.values()
    for model in ("foresail", "seasonal-naive-day"):
        assert berlin[model] < 0.8 * utc[model], (model, berlin[model], utc[model])
    assert berlin["recent-mean"] == utc["recent-mean"]


def test_no_source_is_exit_3(foresail):
    said = foresail("backtest", "--prometheus", "http://127.0.0.1:9", "--query", "up", "--since", "20d")
    assert said.code == 3


def test_every_option_and_key_is_documented(foresail, load):
    text = (Path(__file__).parents[3] / "docs" / "backtest.md").read_text()
    options = set(re.findall(r"--[a-z-]+", foresail("backtest", "--help").out)) - {"--help", "--output"}
    assert len(options) > 15
    assert not [option for option in options if option not in text]
    found = json.loads(foresail("backtest", "--trace", load, "--series", "all", *FAST, "-o", "json").out)
    keys = set(found) | set(found["series"][0]) | set(found["series"][0]["models"][0]) | set(found["pooled"][0])
    assert not [key for key in keys if f"`{key}`" not in text]


@pytest.mark.parametrize(("option", "value"), [("--trace", "other.csv"), ("--lead", "2h")])
def test_what_takes_one_value_and_is_given_two_is_refused_and_none_is_dropped(foresail, load, option, value):
    said = foresail("backtest", "--trace", load, "--series", "web", *FAST, option, value)
    assert (said.code, said.out) == (2, "")
    assert f"{option} was given 2 times and takes one value" in said.err


@pytest.mark.parametrize(("step_s", "words"), [(420, "a day is no whole number of steps of 7 min"), (1800, None)])
def test_where_there_is_no_mase_it_is_said_why(foresail, tmp_path, step_s, words):
    steps = DAYS * 86400 // step_s
    ts = pd.to_datetime(1_777_852_800 // step_s * step_s + np.arange(steps) * step_s, unit="s")
    values = 100 + 50 * np.sin(np.arange(steps) * step_s * 2 * np.pi / 86400) + np.arange(steps) % 7
    pd.DataFrame({"ts": ts, "value": values}).to_csv(tmp_path / "odd.csv", index=False)
    options = ("--trace", tmp_path / "odd.csv", *FAST, "-o", "json")
    found = json.loads(foresail("backtest", *options).out)
    mase = [row["mase"] for part in found["series"] for row in part["models"] if row["quantileLoss"] is not None]
    told = [note for note in found["notes"] if "MASE" in note]
    assert mase
    if words is None:
        assert all(mase)
        assert not told
        return
    assert not any(mase)
    assert len(told) == 1
    assert words in told[0]
    assert "pass --step" in told[0]
    short = json.loads(foresail("backtest", *options, "--step", "1h", "--warmup", "23h").out)
    (told,) = (note for note in short["notes"] if "MASE" in note)
    assert told.startswith("no MASE for odd: in the warm-up")
