"""`foresail demo`: a slip in an option is answered at once, by name."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest


def write_trace(path: Path, count: int = 200, step_s: int = 3600) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    stamps = (start + timedelta(seconds=k * step_s) for k in range(count))
    path.write_text("ts,value\n" + "".join(f"{t.isoformat()},{100 + k % 24}\n" for k, t in enumerate(stamps)))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--capacity", "0"), "--capacity 0 must be a positive number"),
        (("--capacity", "-3"), "--capacity -3 must be a positive number"),
        (("--capacity", "nan"), "--capacity nan must be a positive number"),
        (("--capacity", "inf"), "--capacity inf must be a positive number"),
        (("--capacity", "many"), "--capacity"),
        (("--risk", "0.5"), "--risk '0.5': a risk of 50 % of the time"),
        (("--risk", "0"), "--risk '0': a risk of zero"),
        (("--risk", "low"), "--risk 'low'"),
        (("--lead", "soon"), "--lead 'soon' is not a duration; write e.g."),
        (("--lead", "48h"), "--lead '48h' is longer than 24 hours"),
        (("--hpa-target", "0"), "--hpa-target 0 must be a percentage from 1 to 100"),
        (("--hpa-target", "101"), "--hpa-target 101 must be a percentage"),
        (("--days", "0"), "--days 0: the synthetic week has 1 to 7 days"),
        (("--days", "8"), "--days 8: the synthetic week has 1 to 7 days"),
        (("--seed", "-1"), "--seed -1 must be zero or more"),
        (("--seconds", "-1"), "--seconds -1 must be zero or more"),
        (("--seconds", "nan"), "--seconds nan must be zero or more"),
        (("--column", "x"), "--column needs --trace FILE"),
        (("--series", "x"), "--series needs --trace FILE"),
        (("--from", "2026-06-10T00:00:00Z"), "--from needs --trace FILE"),
        (("--out", "taken"), "--out taken: no folder can be made there"),
        (("--trace", "nope.csv"), "nope.csv: no such file"),
        (("--trace", "trace.csv", "--column", "valu"), "no column 'valu'; did you mean 'value'?"),
        (("--trace", "trace.csv", "--series", "web"), "no column 'series' to look for 'web' in"),
        (("--trace", "trace.csv", "--days", "0"), "--days 0 must be at least 1"),
        (("--trace", "trace.csv", "--days", "30"), "trace.csv covers 2026-03-01 00:00 to 2026-03-09 08:00 UTC"),
        (("--trace", "trace.csv", "--days", "1", "--from", "2020-01-01T00:00:00Z"), "covers 2026-03-01 00:00 to"),
        (("--trace", "trace.csv", "--days", "1", "--from", "2026-03-01T12:00:00Z"), "at least a day before it"),
        (("--trace", "trace.csv", "--from", "2026-03-05T00:00:00"), "has no time zone"),
        (("--trace", "weekly.csv"), "weekly.csv: a sample every 7 days"),
        (("--trace", "dead.csv", "--days", "1"), "no demand above zero before the shown part; pass --capacity"),
    ],
)
def test_refused(foresail, tmp_path, args, words):
    (tmp_path / "taken").touch()
    write_trace(tmp_path / "trace.csv")
    write_trace(tmp_path / "weekly.csv", count=20, step_s=7 * 86400)
    stamps = "".join(f"2026-03-{d:02}T{h:02}:00Z,0\n" for d in range(1, 9) for h in range(24))
    (tmp_path / "dead.csv").write_text("ts,value\n" + stamps)
    said = foresail("demo", *args)
    assert said.code == 2
    assert words in said.err
    assert not (tmp_path / "out").exists()
