"""From the bytes of an API answer to arrays, without a Python object per sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from autoscaler.domain.series import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """times: seconds since the epoch, rising. values: as sent, NaN and ±Inf included.

    histogram: it has native histogram samples, which are no numbers and are left out of the arrays.
    """

    labels: Mapping[str, str]
    times: Floats
    values: Floats
    histogram: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """kind: vector, matrix, scalar or string (which has no series).

    warnings: what the source says may be missing. infos: its hints on the query. server_time_s: its clock, to
    the second, when it answered. elapsed_s: until the whole answer was here.
    """

    kind: str
    series: tuple[Series, ...]
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()
    server_time_s: float | None = None
    elapsed_s: float = 0.0


class NoAnswer(ValueError):
    """The bytes are no answer of this API."""


class _Row(msgspec.Struct):
    metric: dict[str, str] = {}
    values: msgspec.Raw = msgspec.Raw(b"")
    value: msgspec.Raw = msgspec.Raw(b"")
    histograms: msgspec.Raw = msgspec.Raw(b"")
    histogram: msgspec.Raw = msgspec.Raw(b"")


class _Data(msgspec.Struct, rename={"kind": "resultType"}):
    kind: str
    result: msgspec.Raw


class _Body(msgspec.Struct):
    status: str = ""
    data: _Data | None = None
    warnings: list[str] | None = None
    infos: list[str] | None = None


class Complaint(msgspec.Struct, rename={"kind": "errorType"}):
    """What the API says where it does not answer."""

    kind: str = ""
    error: str = ""


_BODIES = msgspec.json.Decoder(_Body)
_ROWS = msgspec.json.Decoder(list[_Row])
_FINITE = msgspec.json.Decoder(list[float])
_COMPLAINTS = msgspec.json.Decoder(Complaint)
_NONE = np.empty(0)


def decode(body: bytes | bytearray, server_time_s: float | None = None, elapsed_s: float = 0.0) -> Answer:
    """The answer to an instant or range query; NoAnswer for anything else."""
    try:
        said = _BODIES.decode(body)
        if said.data is None:
            raise NoAnswer(f"an answer of status {said.status!r} without data")
        series = _series(said.data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NoAnswer(str(error)) from error
    infos = [*(said.infos or ()), *(w for w in said.warnings or () if w.startswith("PromQL info"))]
    warnings = [w for w in said.warnings or () if not w.startswith("PromQL info")]  # sent as such before 2.53
    return Answer(said.data.kind, series, tuple(warnings), tuple(infos), server_time_s, elapsed_s)


def complaint(body: bytes | bytearray) -> Complaint | None:
    """Type and text of the API's own error; None where the body is something else."""
    try:
        said = _COMPLAINTS.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return said if said.error else None


def decode_data(body: bytes | bytearray) -> Any:
    """The `data` of a metadata answer, as plain objects; NoAnswer where there is none."""
    try:
        said = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NoAnswer(str(error)) from error
    if not isinstance(said, dict) or "data" not in said:
        raise NoAnswer("no data in the answer")
    return said["data"]


def _series(data: _Data) -> tuple[Series, ...]:
    if data.kind == "string":
        return ()
    if data.kind == "scalar":
        return (Series({}, *_samples(data.result, 1)),)
    return tuple(_one(row) for row in _ROWS.decode(data.result))


def _one(row: _Row) -> Series:
    histogram = bool(bytes(row.histograms) or bytes(row.histogram))
    if bytes(row.value):
        return Series(row.metric, *_samples(row.value, 1), histogram)
    many = bytes(row.values)
    return Series(row.metric, *_samples(many, many.count(b"[") - 1), histogram) if many else _bare(row, histogram)


def _bare(row: _Row, histogram: bool) -> Series:
    return Series(row.metric, _NONE, _NONE, histogram)


def _samples(raw: msgspec.Raw | bytes, count: int) -> tuple[Floats, Floats]:
    """Times and values of `[[t,"v"],…]` or `[t,"v"]`: numbers, NaN and ±Inf, once the marks between are gone."""
    plain = bytes(raw).translate(None, b'[]" \n\r\t')
    if not plain:
        return _NONE, _NONE
    try:
        flat = np.array(_FINITE.decode(b"[" + plain + b"]"))
    except msgspec.MsgspecError:
        flat = _not_all_finite(plain)
    if flat.size != 2 * count:
        raise NoAnswer(f"{flat.size} numbers where {2 * count} were announced")
    return flat[0::2], flat[1::2]


def _not_all_finite(plain: bytes) -> Floats:
    """NaN and ±Inf are no JSON; reading them takes twice the time."""
    try:
        return np.fromstring(plain, dtype=np.float64, sep=",")
    except (ValueError, DeprecationWarning) as error:
        raise NoAnswer(f"no numbers: {plain[:40]!r}") from error
