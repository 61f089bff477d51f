"""Columns of a Parquet or CSV file as plain arrays; the only file that knows data frames.

pandas and pyarrow are loaded when a file is read. Their errors end here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autoscaler.adapters.trace_grid import MAX_ROWS, SECOND_US, Samples
from autoscaler.domain.errors import BadTrace
from autoscaler.domain.series import Bools, Floats, Ints

if TYPE_CHECKING:
    import pandas as pd

TIME, VALUE, SERIES, CENSORED = "ts", "value", "series", "censored"
PARQUET, CSV = (".parquet", ".pq"), (".csv", ".csv.gz")

_ISO = r"^\d{4}-\d\d-\d\d(?:[T ]\d\d.*)?$"
_ZONE = r"(?:T|\s)\d\d.*?(Z|z|UTC|[+-]\d\d(?::?\d\d)?)$"
_FIRST_US, _LAST_US = (int(datetime(y, 1, 1, tzinfo=UTC).timestamp()) * SECOND_US for y in (1900, 2200))
_MARKED, _CLEAR = ("1", "1.0", "true"), ("0", "0.0", "false")
_TIMES = "write ISO 8601, for example 2026-06-01T08:00:00Z"


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """samples: all rows of the file, in its order. codes: [row], index into `names`; names is empty where the file
    has no series column.
    """

    samples: Samples
    names: tuple[str, ...]
    codes: Ints
    notes: tuple[str, ...]


def read_table(path: str | Path, column: str | None, limit: int = MAX_ROWS, censored: str | None = None) -> Table:
    """The time, the value (`column`, or "value") and, where there are any, series and mark of each row.

    censored: column of marks; None = "censored", where there is one.
    """
    file = Path(path)
    if not file.exists():
        raise BadTrace(f"{file}: no such file")
    if file.is_dir():
        raise BadTrace(f"{file}: is a folder; name one Parquet or CSV file")
    value = column or VALUE
    asked = _Asked(value, censored)
    if file.name.endswith(PARQUET):
        frame, counted, first = _parquet(file, asked, limit), "row", 1
    elif file.name.endswith(CSV):
        frame, counted, first = _csv(file, asked, limit), "line", 2
    else:
        raise BadTrace(f"{file}: unknown kind of file; its name must end in {', '.join(PARQUET + CSV)}")
    frame = frame[frame.notna().any(axis=1)]  # blank lines; the index keeps each row's place
    rows = frame.index.to_numpy(dtype=np.int64) + first
    place = _Place(str(file), counted, rows)
    us, notes = _stamps(frame[TIME], place)
    values = _numbers(frame[value], value, place)
    names, codes = _series(frame, place)
    marks = _marks(frame, asked.marks_in(list(frame.columns)), values, place)
    return Table(Samples(str(file), counted, us, values, rows, marks), names, codes, notes)


def nearest(name: str, known: Sequence[str]) -> str:
    """The end of a sentence about an unknown name, with a hint where some known one is close."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else "."


@dataclass(frozen=True, slots=True)
class _Asked:
    """Columns of demand and of marks; censored: None = the usual name, where there is such a column."""

    value: str
    censored: str | None

    def marks_in(self, columns: Sequence[str]) -> str | None:
        if self.censored is not None:
            return self.censored
        return CENSORED if CENSORED in columns and self.value != CENSORED else None


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    file: str
    counted: str
    rows: Ints

    def refuse(self, wrong: pd.Series, words: str, column: pd.Series, remedy: str) -> None:
        """Raise for the first row where `wrong` is true."""
        flags = wrong.to_numpy(dtype=bool)
        if flags.any():
            first = int(np.flatnonzero(flags)[0])
            more = f", and {flags.sum() - 1} more rows" if flags.sum() > 1 else ""
            cell = column.iloc[first]
            got = cell.item() if isinstance(cell, np.generic) else cell
            raise BadTrace(
                f"{self.file}: {self.counted} {self.rows[first]}, column {column.name!r}: {words} (got {got!r}{more}); "
                f"{remedy}"
            )


def _wanted(file: Path, columns: Sequence[str], asked: _Asked) -> list[str]:
    """The columns to read, checked against those there are."""
    value, marks = asked.value, asked.marks_in(columns)
    if TIME not in columns:
        split = [mark for mark in ";\t|" if len(columns) == 1 and mark in columns[0]]
        remedy = f"; separate its cells with commas, not {split[0]!r}" if split else f"; name one of them {TIME!r}"
        raise BadTrace(f"{file}: no column {TIME!r} with the time stamps; columns are {_list(columns)}{remedy}")
    if value in (TIME, SERIES):
        raise BadTrace(f"{file}: column {value!r} is no demand; columns are {_list(columns)}")
    if value not in columns:
        others = [name for name in columns if name not in (TIME, SERIES)]
        remedy = "; name one with --column" if others else ""
        raise BadTrace(f"{file}: no column {value!r}{nearest(value, columns)} Columns are {_list(columns)}{remedy}")
    if marks in (TIME, SERIES, value):
        raise BadTrace(f"{file}: column {marks!r} holds no marks of censored steps; columns are {_list(columns)}")
    if marks is not None and marks not in columns:
        raise BadTrace(f"{file}: no column {marks!r}{nearest(marks, columns)} Columns are {_list(columns)}")
    return [TIME, value] + ([SERIES] if SERIES in columns else []) + ([] if marks is None else [marks])


def _list(names: Sequence[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(n) for n in names[:most]) + more


def _parquet(file: Path, asked: _Asked, limit: int) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as source:
            columns = _wanted(file, source.schema_arrow.names, asked)
            if source.metadata.num_rows > limit:
                raise BadTrace(_too_long(file, f"{source.metadata.num_rows:,}", limit))
            return source.read(columns=columns).to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError) as e:
        raise BadTrace(f"{file}: cannot be read as Parquet: {_first_line(e)}") from e


def _csv(file: Path, asked: _Asked, limit: int) -> pd.DataFrame:
    import pandas as pd

    plain: dict[str, Any] = {"encoding": "utf-8-sig", "skipinitialspace": True}
    try:
        columns = _wanted(file, [str(c) for c in pd.read_csv(file, nrows=0, **plain).columns], asked)
        # all columns are read: with `usecols` the parser would silently drop what a row has too many (1,234 for 1234)
        frame = pd.read_csv(
            file,
            dtype={TIME: str, SERIES: str} if SERIES in columns else {TIME: str},
            nrows=limit + 1,
            skip_blank_lines=False,
            low_memory=False,
            **plain,
        )
    except (ValueError, OSError, EOFError) as e:  # parser and decoding errors are ValueErrors
        raise BadTrace(f"{file}: cannot be read as CSV: {_first_line(e)}") from e
    if not isinstance(frame.index, pd.RangeIndex):
        raise BadTrace(f"{file}: line 2 has more cells than the header has columns; write numbers without separators")
    if len(frame) > limit:
        raise BadTrace(_too_long(file, f"more than {limit:,}", limit))
    return frame[columns]


def _too_long(file: Path, rows: str, limit: int) -> str:
    return f"{file}: {rows} rows, above the limit of {limit:,}; cut the file, or average it into longer steps first"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _stamps(column: pd.Series, place: _Place) -> tuple[Ints, tuple[str, ...]]:
    """Microseconds since the epoch, whatever unit the frame holds. Naive stamps are UTC."""
    import pandas as pd

    place.refuse(column.isna(), "no time stamp", column, _TIMES)
    notes: tuple[str, ...] = ()
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        zone = str(column.dtype.tz)
        notes = (f"time stamps converted from {zone} to UTC",) if zone != "UTC" else ()
        times = column.dt.tz_convert("UTC").dt.tz_localize(None)
    elif pd.api.types.is_datetime64_any_dtype(column.dtype):
        times = column
    elif pd.api.types.is_numeric_dtype(column.dtype):
        raise BadTrace(f"{place.file}: column {TIME!r} holds numbers (got {column.iloc[0]!r}), not times; {_TIMES}")
    else:
        times, notes = _parsed(column, place)
    try:
        us = times.dt.as_unit("us").to_numpy().astype(np.int64)
    except (pd.errors.OutOfBoundsDatetime, OverflowError) as e:
        raise BadTrace(f"{place.file}: column {TIME!r}: {_first_line(e)}; {_TIMES}") from e
    place.refuse(pd.Series((us < _FIRST_US) | (us > _LAST_US)), "not within 1900 to 2200", column, _TIMES)
    return us, notes


def _parsed(column: pd.Series, place: _Place) -> tuple[pd.Series, tuple[str, ...]]:
    """Times from text. Every stamp with a zone, or none: a mixture leaves the others' zone to guessing."""
    import pandas as pd

    text = column.astype(str).str.strip()
    zones = text.str.extract(_ZONE, expand=False)
    zoned = zones.notna()
    if zoned.any() and not zoned.all():
        place.refuse(~zoned, "no time zone, while other rows have one", column, "give every row one, or none (UTC)")
    times = pd.to_datetime(text.where(text.str.match(_ISO)), utc=True, format="ISO8601", errors="coerce")
    place.refuse(times.isna(), "not a time", column, _TIMES)
    names = sorted(z for z in zones.dropna().unique() if not re.fullmatch(r"Z|z|UTC|[+-]00(:?00)?", z))
    notes = (f"time stamps converted from zone(s) {', '.join(names)} to UTC",) if names else ()
    return times.dt.tz_localize(None), notes


def _numbers(column: pd.Series, name: str, place: _Place) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    import pandas as pd

    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype):
        raise BadTrace(f"{place.file}: column {name!r} holds {column.dtype}, not numbers; name another column")
    numbers = pd.to_numeric(column, errors="coerce")
    place.refuse(numbers.isna() & column.notna(), "not a number", column, "leave the cell empty where it is unknown")
    return numbers.to_numpy(dtype=np.float64, na_value=np.nan)


def _marks(frame: pd.DataFrame, name: str | None, values: Floats, place: _Place) -> Bools | None:
    """[row], true where the value is marked as a lower bound. A row without a value needs no mark."""
    if name is None:
        return None
    column = frame[name]
    known = ~np.isnan(values)
    place.refuse(column.isna() & known, "no mark", column, "write 0 or 1 in every row that has a value")
    words = column.astype(str).str.strip().str.lower()
    marked = words.isin(_MARKED)
    wrong = column.notna() & ~marked & ~words.isin(_CLEAR)
    place.refuse(wrong, "not a mark", column, "write 1 (or true) where demand is a lower bound only, 0 elsewhere")
    return np.asarray(marked.to_numpy(dtype=bool) & known)


def _series(frame: pd.DataFrame, place: _Place) -> tuple[tuple[str, ...], Ints]:
    import pandas as pd

    if SERIES not in frame.columns:
        return (), np.zeros(len(frame), dtype=np.int64)
    column = frame[SERIES]
    place.refuse(column.isna(), "no series name", column, "name the series in every row")
    codes, names = pd.factorize(column)
    return tuple(str(n) for n in names), codes.astype(np.int64)
