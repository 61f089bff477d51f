# ruff: noqa: PD011 (a Trace's `values` is an array, not a data frame's)
import re
import subprocess
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from autoscaler.adapters import trace_table, traces
from autoscaler.adapters.trace_grid import MAX_ROWS
from autoscaler.adapters.traces import Trace, read_series, read_trace
from autoscaler.domain.errors import BadTrace
from autoscaler.domain.series import DataVerdict

EPOCH_MINUTE = 1_767_225_600 // 60  # 2026-01-01T00:00Z


def csv(folder: Path, *rows: str, head: str = "ts,value", name: str = "demand.csv") -> Path:
    file = folder / name
    file.write_text("\n".join((head, *rows)) + "\n", encoding="utf-8")
    return file


def minute(m: int, second: float = 0) -> str:
    return f"2026-01-01T{m // 60:02d}:{m % 60:02d}:{second:06.3f}Z"


def test_plain_minutes(tmp_path: Path) -> None:
    trace = read_trace(csv(tmp_path, "2026-01-01 00:00,1", "2026-01-01 00:01,2.5", "2026-01-01 00:02,0"))
    assert (trace.name, trace.step_s, trace.first_step, trace.notes) == ("demand", 60, EPOCH_MINUTE, ())
    assert trace.values.tolist() == [1, 2.5, 0]
    assert trace.start.isoformat() == "2026-01-01T00:00:00+00:00"
    assert trace.end_step == EPOCH_MINUTE + 3
    assert not trace.values.flags.writeable


def test_gaps_and_empty_cells_are_unknown_not_zero(tmp_path: Path) -> None:
    trace = read_trace(
        csv(tmp_path, "2026-01-01 00:00,1", "2026-01-01 00:01,", "2026-01-01 00:02,3", "2026-01-01 00:05,4")
    )
    np.testing.assert_array_equal(trace.values, [1, np.nan, 3, np.nan, np.nan, 4])
    assert trace.notes == ("2 of 6 steps have no row: unknown", "1 of 6 steps have an empty value: unknown")


def test_as_seen_judges_gaps_as_missing(tmp_path: Path) -> None:
    batch = read_trace(csv(tmp_path, f"{minute(0)},1", f"{minute(1)},1", f"{minute(3)},2")).as_seen()
    assert batch.first_step == EPOCH_MINUTE
    assert batch.verdicts.tolist() == [[DataVerdict.OK, DataVerdict.OK, DataVerdict.MISSING, DataVerdict.OK]]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_parquet_stamps_of_any_unit_and_zone(
    tmp_path: Path, unit: Literal["s", "ms", "us", "ns"], zone: str | None
) -> None:
    ts = pd.date_range("2026-01-01", periods=4, freq="min", tz=zone).as_unit(unit)
    file = tmp_path / "x.parquet"
    pd.DataFrame({"ts": ts, "value": np.arange(4, dtype=np.float32)}).to_parquet(file)
    trace = read_trace(file)
    assert trace.step_s == 60
    assert trace.first_step == EPOCH_MINUTE - (60 if zone == "Europe/Berlin" else 0)
    assert trace.values.tolist() == [0, 1, 2, 3]
    assert trace.notes == (("time stamps converted from Europe/Berlin to UTC",) if zone == "Europe/Berlin" else ())


def test_time_as_the_index_of_a_parquet_file(tmp_path: Path) -> None:
    index = pd.date_range("2026-01-01", periods=3, freq="min", name="ts")
    file = tmp_path / "x.parquet"
    pd.DataFrame({"value": [1, 2, None]}, index=index).astype("Int64").to_parquet(file)
    np.testing.assert_array_equal(read_trace(file).values, [1, 2, np.nan])


def test_offsets_are_converted_and_noted(tmp_path: Path) -> None:
    rows = ("2026-03-29T01:59:00+01:00,1", "2026-03-29T03:00:00+02:00,2", "2026-03-29T03:01:00+02:00,3")
    trace = read_trace(csv(tmp_path, *rows))
    assert trace.values.tolist() == [1, 2, 3]
    assert trace.notes == ("time stamps converted from zone(s) +01:00, +02:00 to UTC",)


def test_long_format(tmp_path: Path) -> None:
    rows = [f"{minute(m)},{name},{m * k}" for k, name in ((1, "shop"), (10, "api")) for m in range(3)]
    file = csv(tmp_path, *rows, head="ts,series,rps")
    assert read_trace(file, column="rps", series="api").values.tolist() == [0, 10, 20]
    every = read_series(file, column="rps")
    assert {n: t.values.tolist() for n, t in every.items()} == {"shop": [0, 1, 2], "api": [0, 10, 20]}
    assert {n: t.name for n, t in every.items()} == {"shop": "shop", "api": "api"}
    with pytest.raises(BadTrace, match=r"holds 2 series; name one: shop, api"):
        read_trace(file, column="rps")
    with pytest.raises(BadTrace, match=r"no series 'shopp'; did you mean 'shop'\? There are 2: shop, api"):
        read_trace(file, column="rps", series="shopp")


def test_at_most_ten_names_are_listed(tmp_path: Path) -> None:
    file = csv(tmp_path, *(f"{minute(0)},s{k:02d},1" for k in range(13)), head="ts,series,value")
    with pytest.raises(BadTrace, match=r"s09 and 3 more$"):
        read_trace(file)


def test_one_series_needs_no_name_and_a_file_without_series_has_its_own(tmp_path: Path) -> None:
    long = csv(tmp_path, *(f"{minute(m)},only,1" for m in range(2)), head="ts,series,value")
    assert read_trace(long).name == "only"
    wide = csv(tmp_path, *(f"{minute(m)},1" for m in range(2)), name="wide.csv")
    assert list(read_series(wide)) == ["wide"]
    with pytest.raises(BadTrace, match="no column 'series' to look for 'x' in"):
        read_trace(wide, series="x")


def test_a_bad_series_of_many_is_named(tmp_path: Path) -> None:
    rows = [f"{minute(m)},a,1" for m in range(3)] + [f"{minute(m)},b,{1 - m}" for m in range(3)]
    file = csv(tmp_path, *rows, head="ts,series,value")
    assert read_trace(file, series="a").values.tolist() == [1, 1, 1]
    with pytest.raises(BadTrace, match=r"series 'b': line 7: negative demand \(got -1\)"):
        read_series(file)


def test_unsorted_rows_are_sorted_and_noted(tmp_path: Path) -> None:
    trace = read_trace(csv(tmp_path, f"{minute(1)},2", f"{minute(0)},1", f"{minute(2)},3"))
    assert trace.values.tolist() == [1, 2, 3]
    assert trace.notes == ("sorted by time: 1 row(s) stood before an earlier one",)


def test_repetitions(tmp_path: Path) -> None:
    same = read_trace(csv(tmp_path, f"{minute(0)},1", f"{minute(0)},1", f"{minute(1)},2"))
    assert same.values.tolist() == [1, 2]
    assert same.notes == ("dropped 1 repeated row(s) with the same time stamp and value",)
    with pytest.raises(BadTrace, match=r"line 2 and line 3: time stamp 2026-01-01T00:00:00Z .* \(got 1 and 7\)"):
        read_trace(csv(tmp_path, f"{minute(0)},1", f"{minute(0)},7", f"{minute(1)},2"))


def jittered(folder: Path, step_s: int, jitter_s: float, *, offset_s: int = 0, keep: float = 1.0) -> Path:
    draw = np.random.default_rng(7)
    late_s = draw.uniform(-jitter_s, jitter_s, 600)
    at = [EPOCH_MINUTE * 60 + offset_s + step_s * k + late_s[k] for k in range(600) if draw.random() < keep]
    return csv(folder, *(f"{pd.Timestamp(round(s * 1000), unit='ms').isoformat()}Z,{k}" for k, s in enumerate(at)))


@pytest.mark.parametrize(
    ("step_s", "jitter_s"),
    [(300, 5), (300, 100), (300, 140), (60, 1), (60, 25), (15, 2), (10, 3), (600, 30), (900, 300), (3600, 1500)],
)
def test_jitter_below_half_a_step_is_moved_onto_the_grid_whatever_spacing_it_makes_most_common(
    tmp_path: Path, step_s: int, jitter_s: float
) -> None:
    trace = read_trace(jittered(tmp_path, step_s, jitter_s))
    assert trace.step_s == step_s
    np.testing.assert_array_equal(trace.values, np.arange(600))


def test_jitter_about_an_offset_into_the_step_is_moved_onto_the_grid(tmp_path: Path) -> None:
    trace = read_trace(jittered(tmp_path, 300, 20, offset_s=150))
    assert trace.step_s == 300
    np.testing.assert_array_equal(trace.values, np.arange(600))
    assert "s into their steps of 300 s" in trace.notes[0]


def test_jitter_with_missing_rows_keeps_the_step(tmp_path: Path) -> None:
    trace = read_trace(jittered(tmp_path, 300, 5, keep=0.9))
    assert trace.step_s == 300
    assert np.isnan(trace.values).sum() > 30


def test_many_missing_rows_do_not_make_the_step_longer(tmp_path: Path) -> None:
    trace = read_trace(jittered(tmp_path, 60, 0, keep=0.45))
    assert trace.step_s == 60
    assert np.isnan(trace.values).mean() > 0.5


def test_jitter_of_more_than_half_a_step_is_refused_with_the_step_that_was_meant(tmp_path: Path) -> None:
    with pytest.raises(BadTrace, match="fall into one step of 300 s, the usual spacing; give a longer step"):
        read_trace(jittered(tmp_path, 300, 170))


def test_jitter_is_snapped_to_the_nearest_step_and_noted(tmp_path: Path) -> None:
    seconds = [0.02, 60.4, 119.7, 179.9, 240.1, 299.95]
    rows = [f"2026-01-01T00:{int(s) // 60:02d}:{s % 60:06.3f},{k}" for k, s in enumerate(seconds)]
    trace = read_trace(csv(tmp_path, *rows))
    assert (trace.step_s, trace.first_step) == (60, EPOCH_MINUTE)
    assert trace.values.tolist() == [0, 1, 2, 3, 4, 5]
    assert trace.notes == ("snapped 6 time stamp(s) to the grid, by up to 0.4 s",)


def test_a_constant_offset_stays_in_the_step_that_contains_it(tmp_path: Path) -> None:
    trace = read_trace(csv(tmp_path, *(f"{minute(m, 45)},{m}" for m in range(4))))
    assert (trace.first_step, trace.values.tolist()) == (EPOCH_MINUTE, [0, 1, 2, 3])
    assert trace.notes == ("time stamps lie 45 s into their steps of 60 s",)


def test_two_samples_in_one_step_are_refused_with_both(tmp_path: Path) -> None:
    rows = [f"{minute(m)},1" for m in range(5)] + [f"{minute(4, 20)},1"]
    with pytest.raises(BadTrace, match=r"line 6 and line 7: .*00:04:00Z and .*00:04:20Z fall into one step of 60 s"):
        read_trace(csv(tmp_path, *rows))


def test_half_a_step_off_is_refused(tmp_path: Path) -> None:
    rows = [f"{minute(m)},1" for m in range(5)] + [f"{minute(7, 30)},1"]
    with pytest.raises(BadTrace, match=r"line 7: .*00:07:30Z lies half a step"):
        read_trace(csv(tmp_path, *rows))


def test_a_coarser_step_is_the_mean_of_the_known(tmp_path: Path) -> None:
    rows = [f"2026-01-01T00:00:{s:02d},{s}" for s in (0, 15, 30)] + ["2026-01-01T00:00:45,"]
    rows += [f"2026-01-01T00:02:{s:02d},{s}" for s in (0, 15)]
    trace = read_trace(csv(tmp_path, *rows), step_s=60)
    np.testing.assert_array_equal(trace.values, [15, np.nan, 7.5])
    assert trace.notes[0] == "averaged samples of every 15 s into steps of 60 s (mean of the known ones)"


def test_subsecond_samples_need_a_step(tmp_path: Path) -> None:
    file = csv(tmp_path, *(f"2026-01-01T00:00:{k / 2:06.3f},{k}" for k in range(8)))
    with pytest.raises(BadTrace, match=r"0\.5 s apart, which is not a whole number of seconds; give a step \(--step\)"):
        read_trace(file)
    assert read_trace(file, step_s=2).values.tolist() == [1.5, 5.5]


@pytest.mark.parametrize(
    ("step_s", "words"), [(30, "finer than the file, which has a sample every 60 s"), (0, "positive")]
)
def test_impossible_steps(tmp_path: Path, step_s: int, words: str) -> None:
    with pytest.raises(BadTrace, match=words):
        read_trace(csv(tmp_path, f"{minute(0)},1", f"{minute(1)},1"), step_s=step_s)


@pytest.mark.parametrize(
    ("rows", "head", "words"),
    [
        ((), "ts,value", r"0 row\(s\)"),
        (("2026-01-01,1",), "ts,value", r"1 row\(s\)"),
        (("2026-01-01,1",), "time,value", r"no column 'ts' .* columns are 'time', 'value'; name one of them 'ts'"),
        (("2026-01-01;1",), "ts;value", r"no column 'ts' .* columns are 'ts;value'; separate .* commas, not ';'"),
        (
            ("2026-01-01,1",),
            "ts,valeu",
            r"no column 'value'; did you mean 'valeu'\? Columns are 'ts', 'valeu'; name one with --column",
        ),
        (("2026-01-01,1", "2026-01-02,abc"), "ts,value", r"line 3, column 'value': not a number \(got 'abc'\); leave"),
        (("2026-01-01,1", "2026-01-02,inf"), "ts,value", r"line 3: infinite value"),
        (("2026-01-01,1", "2026-01-02,-3.5"), "ts,value", r"line 3: negative demand \(got -3.5\)"),
        (("2026-01-01,", "2026-01-02,NaN"), "ts,value", r"all 2 values are unknown"),
        (("2026-01-01,1", ",2"), "ts,value", r"line 3, column 'ts': no time stamp"),
        (("2026-01-01,1", "tomorrow,2"), "ts,value", r"line 3, column 'ts': not a time \(got 'tomorrow'\); write ISO"),
        (("1767225600,1", "1767225660,2"), "ts,value", r"line 2, column 'ts': not a time"),
        (("01/02/2026 00:00,1",), "ts,value", r"not a time"),
        (("2026-01-01 00:00,1", "2026-01-01 00:01Z,2"), "ts,value", r"line 2, .*no time zone, while other rows"),
        (("2026-01-01,a,1", "2026-01-01,,1"), "ts,series,value", r"line 3, column 'series': no series name"),
        (("2026-01-01,1,1,1",), "ts,value", r"line 2 has more cells than the header has columns"),
        (("2026-01-01,1", "2026-01-01,1,234"), "ts,value", r"cannot be read as CSV: .*line 3, saw 3"),
        (
            ("2026-01-01 00:00:00,1", "2026-01-01 00:00:01,1", "2026-01-01 00:00:02,1", "2190-01-01,1"),
            "ts,value",
            r"mend a wrong year",
        ),
        (("2026-01-01,1", "0026-01-02,1"), "ts,value", r"line 3, column 'ts': not within 1900 to 2200"),
    ],
)
def test_bad_rows_are_refused_with_place_and_value(
    tmp_path: Path, rows: tuple[str, ...], head: str, words: str
) -> None:
    file = csv(tmp_path, *rows, head=head)
    with pytest.raises(BadTrace, match=words) as refused:
        read_trace(file)
    assert str(refused.value).startswith(str(file))


def test_bad_rows_keep_their_line_behind_blank_lines(tmp_path: Path) -> None:
    with pytest.raises(BadTrace, match="line 5: negative"):
        read_trace(csv(tmp_path, f"{minute(0)},1", "", f"{minute(1)},2", f"{minute(2)},-1"))


def test_files_that_are_no_traces(tmp_path: Path) -> None:
    for name, content, words in (
        ("no.csv", None, "no such file"),
        ("a.txt", b"ts,value\n", "unknown kind of file"),
        ("a.parquet", b"ts,value\n", "cannot be read as Parquet"),
        ("empty.csv", b"", "cannot be read as CSV"),
        ("a.csv", b"\xff\xfe\x00ts", "cannot be read as CSV"),
        ("a.csv.gz", b"ts,value\n", "cannot be read as CSV"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(BadTrace, match=words):
            read_trace(tmp_path / name)
    with pytest.raises(BadTrace, match="is a folder"):
        read_trace(tmp_path)


def test_parquet_columns_that_hold_no_demand(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    ts = pd.date_range("2026-01-01", periods=2, freq="min")
    pd.DataFrame({"ts": ts, "value": ["1", "one"], "up": [True, False], "n": [0, 1]}).to_parquet(file)
    with pytest.raises(BadTrace, match=r"row 2, column 'value': not a number \(got 'one'\)"):
        read_trace(file)
    with pytest.raises(BadTrace, match="column 'up' holds bool"):
        read_trace(file, column="up")
    with pytest.raises(BadTrace, match="column 'ts' is no demand"):
        read_trace(file, column="ts")
    pd.DataFrame({"ts": [1, 2], "value": [1, 2]}).to_parquet(file)
    with pytest.raises(BadTrace, match="column 'ts' holds numbers"):
        read_trace(file)


def test_files_above_the_limit_are_refused(tmp_path: Path) -> None:
    rows = [f"{minute(m)},1" for m in range(4)]
    parquet = tmp_path / "x.parquet"
    pd.DataFrame({"ts": pd.date_range("2026-01-01", periods=4, freq="min"), "value": 1}).to_parquet(parquet)
    assert MAX_ROWS == 50_000_000
    for file, words in ((csv(tmp_path, *rows), "more than 3 rows"), (parquet, "4 rows")):
        with pytest.raises(BadTrace, match=f"{words}, above the limit of 3"):
            trace_table.read_table(file, None, limit=3)


def test_a_trace_that_exists_is_valid() -> None:
    for values in ([-1.0], [np.inf], [[1.0]]):
        with pytest.raises(ValueError, match="finite, non-negative"):
            Trace("x", 60, 0, np.array(values))


def test_importing_the_module_loads_no_pandas() -> None:
    code = f"import sys, {traces.__name__}; sys.exit('pandas' in sys.modules or 'pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


MARKED = """ts,value,censored
2026-01-01T00:00:00Z,5,0
2026-01-01T00:01:00Z,9,1
2026-01-01T00:02:00Z,,{gap}
2026-01-01T00:03:00Z,6,{last}
"""


def _marked(folder: Path, last: str = "0", gap: str = "", head: str = "ts,value,censored") -> Path:
    file = folder / "marked.csv"
    file.write_text(MARKED.format(last=last, gap=gap).replace("ts,value,censored", head))
    return file


@pytest.mark.parametrize(("last", "gap"), [("0", ""), ("0", "1"), ("false", "true"), ("FALSE", "0"), ("0.0", "1.0")])
def test_marks_of_censored_values_are_lower_bounds_and_those_of_unknown_ones_nothing(
    tmp_path: Path, last: str, gap: str
) -> None:
    trace = read_trace(_marked(tmp_path, last, gap))
    assert trace.censored is not None
    assert trace.censored.tolist() == [False, True, False, False]
    assert any("1 of 4 steps are censored: lower bounds of demand" in note for note in trace.notes)
    seen = trace.as_seen()
    assert seen.verdicts[0].tolist() == [DataVerdict.OK, DataVerdict.PARTIAL, DataVerdict.MISSING, DataVerdict.OK]
    assert seen.values[0, 1] == 9.0


def test_a_file_without_marks_has_none_and_a_column_may_have_another_name(tmp_path: Path) -> None:
    file = _marked(tmp_path, head="ts,value,throttled")
    assert read_trace(file).censored is None
    marks = read_trace(file, censored="throttled").censored
    assert marks is not None
    assert marks.sum() == 1
    # who names the demand `censored` gets it as demand
    demand = read_trace(_marked(tmp_path, gap="3"), column="censored")
    assert demand.censored is None
    assert demand.values.tolist() == [0.0, 1.0, 3.0, 0.0]


def test_marks_come_through_parquet_as_numbers_and_as_booleans(tmp_path: Path) -> None:
    stamps = pd.date_range("2026-01-01", periods=3, freq="min", tz="UTC")
    for marks in ([True, False, True], [1, 0, 1], [1.0, 0.0, 1.0], pd.array([True, False, True], dtype="boolean")):
        frame = pd.DataFrame({"ts": stamps, "value": [1.0, 2.0, 3.0], "censored": marks})
        frame.to_parquet(tmp_path / "marks.parquet")
        found = read_trace(tmp_path / "marks.parquet").censored
        assert found is not None
        assert found.tolist() == [True, False, True]


def test_a_longer_step_with_any_censored_sample_is_censored(tmp_path: Path) -> None:
    found = read_trace(_marked(tmp_path), step_s=120)
    assert found.censored is not None
    assert found.censored.tolist() == [True, False]
    assert found.values.tolist() == [7.0, 6.0]


@pytest.mark.parametrize(
    ("last", "head", "censored", "words"),
    [
        ("2", "ts,value,censored", None, "line 5, column 'censored': not a mark (got 2); write 1 (or true) where"),
        ("much", "ts,value,censored", None, "not a mark (got 'much')"),
        ("", "ts,value,censored", None, "line 5, column 'censored': no mark (got nan); write 0 or 1 in every row"),
        ("0", "ts,value,throttled", "throtled", "no column 'throtled'; did you mean 'throttled'?"),
        ("0", "ts,value,throttled", "value", "column 'value' holds no marks of censored steps"),
    ],
)
def test_marks_that_would_need_a_guess_are_refused(
    tmp_path: Path, last: str, head: str, censored: str | None, words: str
) -> None:
    with pytest.raises(BadTrace, match=re.escape(words)):
        read_trace(_marked(tmp_path, last, "1", head=head), censored=censored)


def test_the_same_row_twice_with_two_marks_is_refused(tmp_path: Path) -> None:
    file = _marked(tmp_path)
    file.write_text(file.read_text() + "2026-01-01T00:03:00Z,6,1\n")
    with pytest.raises(BadTrace, match="stands twice, once marked as censored and once not"):
        read_trace(file)
