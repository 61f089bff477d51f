"""Simulated decisions as a Parquet or CSV file, one row per step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoscaler.domain.errors import Refused

SUFFIXES = (".parquet", ".pq", ".csv")


def check_name(path: Path) -> None:
    """Whether rows can be written under such a name."""
    if not path.name.endswith(SUFFIXES):
        raise Refused(f"--out {path}: unknown kind of file; its name must end in {', '.join(SUFFIXES)}")
    if path.is_dir():
        raise Refused(f"--out {path}: is a folder; name a file")


def check_place(path: Path) -> None:
    """Before hours of work: can the file be written there? Its folder has to be there."""
    try:
        draft = _draft(path)
        draft.touch()
        draft.unlink()
    except OSError as error:
        raise Refused(f"--out {path}: cannot be written ({error.strerror}); name another place") from None


def write_rows(path: Path, columns: Mapping[str, Any]) -> None:
    """columns: name → [row]; `ts` is datetime64 without a zone and written as UTC. The file is there whole or not.

    A number that is not known is null in Parquet and an empty cell in CSV.
    """
    import pyarrow as pa
    from pyarrow import csv, parquet

    arrays = {}
    for name, values in columns.items():
        kind = pa.timestamp("us", tz="UTC") if name == "ts" else None
        arrays[name] = pa.array(values, type=kind, from_pandas=True)
    table = pa.table(arrays)
    draft = _draft(path)
    try:
        if path.name.endswith(".csv"):
            csv.write_csv(table, draft)
        else:
            parquet.write_table(table, draft, compression="zstd")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise Refused(f"--out {path}: cannot be written ({error.strerror or error})") from None


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.draft")
