"""`foresail simulate` as a user calls it: its file, its table, its keys."""

import json
import re
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from tests.unit.cli.recorded import COLUMNS, COUNT, PLAIN, START, lines, write


def test_the_file_has_one_row_per_step_with_the_documented_columns(foresail, web, tmp_path):
    said = foresail("simulate", "--trace", "web.csv", "--out", "new/decisions.parquet", *PLAIN)
    assert (said.code, said.err) == (0, "foresail: --out: made the folder new\n")
    assert foresail("simulate", "--trace", "web.csv", "--out", "new/decisions.parquet", *PLAIN).err == ""
    frame = pd.read_parquet(tmp_path / "new" / "decisions.parquet")
    assert list(frame.columns) == COLUMNS
    assert str(frame["ts"].dt.tz) == "UTC"
    assert list(frame["ts"]) == [START + timedelta(seconds=300 * k) for k in range(COUNT)]
    assert set(frame["series"]) == {"web"}
    assert [frame[c].dtype.kind for c in ("wanted", "granted", "ready")] == ["i"] * 3
    assert frame["p95"].isna().any()
    assert frame["p95"].notna().any()
    foresail("simulate", "--trace", "web.csv", "--out", "decisions.csv", *PLAIN)
    text = pd.read_csv(tmp_path / "decisions.csv", parse_dates=["ts"])
    assert list(text.columns) == COLUMNS
    np.testing.assert_array_equal(text["wanted"], frame["wanted"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["decisions.csv", "new", "web.csv"]


def test_every_column_and_option_is_documented(foresail):
    text = (Path(__file__).parents[3] / "docs" / "simulate.md").read_text()
    assert not [c for c in COLUMNS if f"`{c}`" not in text]
    options = set(re.findall(r"--[a-z-]+", foresail("simulate", "--help").out)) - {"--help", "--output"}
    assert len(options) > 15
    assert not [option for option in options if option not in text]


def test_the_table_says_what_was_assumed_and_both_sides(foresail, web):
    said = foresail("simulate", "--trace", "web.csv")
    assert said.code == 0
    for words in (
        "lead 180 s (the default", "accepted risk 0.5% (the default", "no data delay", "no actuation delay",
        "derived from the warm-up alone", "a third of it is warm-up", "replica-hours", "over the clairvoyant bound",
        "under-provisioned", "unserved demand", "worst shortage", "longest shortage", "churn", "direction changes",
        "realised / asked risk",
    ):  # fmt: skip
        assert words in said.out, words


def test_json_and_yaml_say_the_same(foresail, web):
    found = json.loads(foresail("simulate", "--trace", "web.csv", *PLAIN).out)
    text = foresail("simulate", "--trace", "web.csv", "--capacity", 10, "-o", "yaml").out
    again = YAML(typ="safe").load(text)
    assert found.pop("tookSeconds") >= 0
    again.pop("tookSeconds")
    assert again == found
    assert found["figures"]["steps"] == 200
    assert found["settings"]["actuation"] == "Scale"
    assert found["figures"]["riskAsked"] == 0.005


def test_half_a_percent_is_written_either_way(foresail, web):
    def figures(*risk: str) -> object:
        return json.loads(foresail("simulate", "--trace", "web.csv", *risk, *PLAIN).out)["figures"]

    assert figures("--risk", "0.5%") == figures("--risk", "0.005") == figures()


def test_a_cut_file_decides_the_same_until_the_cut_whatever_is_warm_up(foresail, web, tmp_path):
    foresail("simulate", "--trace", "web.csv", "--out", "whole.parquet", *PLAIN)
    whole = pd.read_parquet(tmp_path / "whole.parquet")
    for count, warmup in ((20, "0s"), (150, "12h")):
        write(tmp_path / "part.csv", lines(count))
        said = foresail("simulate", "--trace", "part.csv", "--warmup", warmup, "--out", "part.parquet", *PLAIN)
        assert said.code == 0, said.err
        part = pd.read_parquet(tmp_path / "part.parquet")
        columns = [c for c in COLUMNS if c != "series"]
        pd.testing.assert_frame_equal(part[columns], whole[columns][:count])


def test_marks_in_a_file_are_counted_and_printed_apart(foresail, web, tmp_path):
    rows = [f"{row},{int(250 <= k < 260)}" for k, row in enumerate(lines())]
    write(tmp_path / "marked.csv", rows, "ts,value,censored")
    said = foresail("simulate", "--trace", "marked.csv", "--out", "rows.csv", *PLAIN)
    figures = json.loads(said.out)["figures"]
    assert (figures["steps"], figures["censoredSteps"], figures["unobservedSteps"]) == (190, 10, 0)
    assert list(pd.read_csv(tmp_path / "rows.csv").columns) == [*COLUMNS, "censored"]
    table = foresail("simulate", "--trace", "marked.csv", "--capacity", 10).out
    assert "10 of 300 steps are censored: lower bounds of demand" in table
    assert re.search(r"censored +10 +steps +not scored; 3 short even of the +bound", table), table
    write(tmp_path / "marked.csv", rows, "ts,value,cut")
    assert 'censoredSteps": 10' in foresail("simulate", "--trace", "marked.csv", "--censored-column", "cut", *PLAIN).out
    assert "censored" not in foresail("simulate", "--trace", "marked.csv", "--capacity", 10).out
