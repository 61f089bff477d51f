"""Recorded demand that `foresail simulate` mends by a stated rule, and such as it refuses."""

import json
from datetime import datetime, timedelta

import pandas as pd
import pytest

from tests.unit.cli.recorded import COUNT, PLAIN, lines, write

SERIES_HEAD = "ts,series,value"


@pytest.mark.parametrize(
    ("rows", "head", "words"),
    [
        ([], "ts,value", "two different time stamps are the least"),
        (lines(), "ts,requests", "no column 'value'"),
        (lines(), "when,value", "no column 'ts'"),
        ([*lines(), "2026-03-01T00:00:00+00:00,5"], "ts,value", "stands twice with different values"),
        ([*lines(), "2026-03-09T00:00:00+00:00,-1"], "ts,value", "negative demand (got -1)"),
        ([*lines(), "2026-03-09T00:00:00+00:00,inf"], "ts,value", "infinite value (got inf)"),
        (
            [*lines(), "2026-03-01T00:02:30+00:00,7"],
            "ts,value",
            "half a step of 300 s off the grid; give a longer step (--step)",
        ),
        ([*lines(), "2026-03-09T00:00:00+00:00,1e16"], "ts,value", "1e+16 at 2026-03-09T00:00:00Z is no load"),
        ([*lines(), "2026-03-09T00:00:00,7"], "ts,value", "no time zone, while other rows have one"),
        ([*lines(), "2026-13-01T00:00:00+00:00,7"], "ts,value", "not a time"),
        ([*lines(), "2026-03-09T00:00:00+00:00,many"], "ts,value", "not a number"),
        ([*lines(), "2199-03-09T00:00:00+00:00,5"], "ts,value", "simulated at once; average with a longer --step"),
        ([r.replace(",", f",{s},") for s in "ab" for r in lines()], SERIES_HEAD, "holds 2 series; name one: a, b"),
    ],
)
def test_demand_that_would_need_a_guess_is_refused(foresail, tmp_path, rows, head, words):
    write(tmp_path / "bad.csv", rows, head)
    said = foresail("simulate", "--trace", "bad.csv", *PLAIN)
    assert said.code == 2
    assert words in said.err


def test_demand_that_can_be_mended_by_a_stated_rule_decides_the_same(foresail, web, tmp_path):
    def decided(name: str, *args: object) -> tuple[pd.DataFrame, list[str]]:
        said = foresail("simulate", "--trace", name, "--out", "rows.parquet", *args, *PLAIN)
        assert said.code == 0, said.err
        return pd.read_parquet(tmp_path / "rows.parquet").drop(columns="series"), json.loads(said.out)["notes"]

    plain, _ = decided("web.csv")
    rows = lines()
    shifted = [
        f"{(datetime.fromisoformat(t) + timedelta(hours=2)).replace(tzinfo=None).isoformat()}+02:00,{v}"
        for t, v in (r.split(",") for r in rows)
    ]
    for variant, words in (
        (rows[::-1], "sorted by time"),
        ([*rows, rows[5]], "dropped 1 repeated row(s)"),
        (shifted, "converted from zone(s) +02:00 to UTC"),
        ([r.replace(":00+00:00", ":07+00:00", 1) if k == 9 else r for k, r in enumerate(rows)], "snapped 1 time"),
    ):
        write(tmp_path / "odd.csv", variant)
        mended, notes = decided("odd.csv")
        assert any(words in note for note in notes), (words, notes)
        pd.testing.assert_frame_equal(mended, plain)
    write(tmp_path / "long.csv", [r.replace(",", f",{s},") for s in "ab" for r in rows], SERIES_HEAD)
    pd.testing.assert_frame_equal(decided("long.csv", "--series", "b")[0], plain)
    write(tmp_path / "gap.csv", rows[:50] + rows[60:])
    gap, notes = decided("gap.csv")
    assert any("10 of 300 steps have no row: unknown" in note for note in notes)
    assert len(gap) == COUNT
    assert gap["demand"].isna().sum() == 10
