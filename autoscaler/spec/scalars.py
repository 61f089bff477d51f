"""Quantities, durations, shares and names as users write them: text is checked here and kept as written.

The `*_of` and `*_s` functions turn written text into numbers; the annotated types at the end use the same
functions for validation, so what validates also compiles. Nothing is coerced: text is text, a number a number.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_RISK = 0.2
MAX_HEADROOM_PERCENT = 300
MAX_DURATION_S = 24 * 3600.0

_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_UNIT_S = {
    "w": Fraction(7 * 86400), "d": Fraction(86400), "h": Fraction(3600), "m": Fraction(60), "s": Fraction(1),
    "ms": Fraction(1, 1000),
}  # fmt: skip
_DURATION = re.compile("(?=[0-9])" + "".join(rf"(?:({_NUMBER}){unit})?" for unit in _UNIT_S), re.ASCII)
_SHARE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,12})?)(%?)", re.ASCII)
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?", re.ASCII)
_SUFFIXES = {
    **{f"{letter}i": Fraction(1024**power) for power, letter in enumerate("KMGTPE", 1)},
    **{letter: Fraction(1000**power) for power, letter in enumerate("kMGTPE", 1)},
    **{letter: Fraction(1, 1000**power) for power, letter in enumerate("mun", 1)},
}
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?)(Z|[+-][0-9]{2}:[0-9]{2})?", re.ASCII
)
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_KIND = re.compile(r"[A-Z][A-Za-z0-9]{0,62}", re.ASCII)
_VERSION = re.compile(r"v[0-9]+((alpha|beta)[0-9]+)?", re.ASCII)
_LABEL_WORD = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII)


def slip(
    message: str,
    remedy: str | None = None,
    at: tuple[str | int, ...] = (),
    *,
    of_key: bool = False,
    secret: bool = False,
) -> PydanticCustomError:
    """A validation error with a remedy; `at` is where, below the field that raises, the fault stands.

    of_key: it is the key at the end of `at` that is wrong, not the value behind it. secret: the value may hold a
    credential, so no message repeats it.
    """
    told = {"text": message, "remedy": remedy, "at": at, "of_key": of_key, "secret": secret}
    return PydanticCustomError("slip", "{text}", told)


def span_s(text: str) -> float:
    """Seconds of "2w", "1d12h", "1h30m", "90s", "500ms": the grammar of all durations, without a limit."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise slip("is not a duration", 'write a number and w, d, h, m, s or ms, largest first: "3m", "90s", "1h30m"')
    parts = zip(match.groups(), _UNIT_S.values(), strict=True)
    return float(sum((Fraction(n) * unit for n, unit in parts if n is not None), Fraction(0)))


def duration_s(text: str) -> float:
    """Seconds of a duration of at most 24 hours."""
    seconds = span_s(text)
    if seconds > MAX_DURATION_S:
        raise slip("is longer than 24 hours", "check the unit: m is minutes, s is seconds")
    return seconds


def positive_duration_s(text: str) -> float:
    seconds = duration_s(text)
    if seconds <= 0:
        raise slip("must be longer than zero", 'for example "3m"')
    return seconds


def whole_seconds(text: str) -> int:
    seconds = positive_duration_s(text)
    if seconds != int(seconds):
        raise slip("must be whole seconds", 'for example "1m"')
    return int(seconds)


def risk_of(text: str) -> float:
    """0.005 for "0.5%" and for "0.005"."""
    match = _SHARE.fullmatch(text)
    if match is None:
        raise slip("is not a share of time", 'write a percentage such as "0.5%", or a fraction such as "0.005"')
    share = Decimal(match[1]) / (100 if match[2] else 1)
    hint = f'; did you mean "{match[1]}%"?' if not match[2] and share <= 100 * Decimal(str(MAX_RISK)) else ""
    return checked_risk(float(share), hint)


def checked_risk(share: float, hint: str = "") -> float:
    """The same bounds for a typed risk and for one that follows from two costs."""
    if not share > 0:
        raise slip("a risk of zero can be kept by no number of replicas", 'choose a small share such as "0.1%"')
    if share > MAX_RISK:
        message = f"a risk of {share * 100:.4g} % of the time short of capacity is likely a slip: the limit is 20 %"
        raise slip(message, f'the default is "0.5%"{hint}')
    return share


def headroom_of(text: str) -> float:
    """The factor 1.2 for "20%"."""
    match = _SHARE.fullmatch(text)
    if match is None or not match[2]:
        raise slip("is not a percentage", 'write "20%" for a fifth more capacity than planned')
    percent = Decimal(match[1])
    if percent > MAX_HEADROOM_PERCENT:
        raise slip(f"is above {MAX_HEADROOM_PERCENT} %", 'headroom comes on top of the plan: "20%" plans 1.2 times it')
    return float(1 + percent / 100)


def quantity_of(value: str | float) -> float:
    """45.0 for "45" and for 45; 1.5 for "1500m"; 2000.0 for "2k"."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise slip("must be a quantity", _QUANTITY_REMEDY)
    try:
        number = _quantity_text(value) if isinstance(value, str) else float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise slip("must be finite", _QUANTITY_REMEDY)
    if number <= 0:
        raise slip("must be positive", "write a number above zero")
    return number


_QUANTITY_REMEDY = 'write a quoted quantity such as "45", "1500m" or "2k", or a plain number such as 45 or 1.5'


def _quantity_text(text: str) -> float:
    match = _QUANTITY.fullmatch(text) if len(text) <= 40 else None
    if match is None:
        raise slip("is not a quantity", _QUANTITY_REMEDY)
    suffix = match[2] or ""
    factor = _SUFFIXES.get(suffix) or Fraction(10) ** int(suffix[1:] or 0)
    return float(Fraction(match[1].rstrip(".")) * factor)


def instant_of(text: str) -> datetime:
    """RFC 3339 with a zone, as UTC."""
    match = _INSTANT.fullmatch(text.upper())
    if match is None:
        raise slip("is not an RFC 3339 time", 'write date, T, time and zone in quotes: "2026-03-01T06:00:00Z"')
    if match[2] is None:
        raise slip("has no time zone", f'append Z for UTC or an offset: "{match[1]}Z", "{match[1]}+01:00"')
    try:
        return datetime.fromisoformat(match[0]).astimezone(UTC)
    except (ValueError, OverflowError):
        raise slip("is no date and time of the calendar", "check month, day, hour and offset") from None


def check_subdomain(text: str) -> str:
    if len(text) > 253 or not all(_LABEL.fullmatch(part) for part in text.split(".")):
        raise _bad_name(text, 253, "-.")
    return text


def check_label(text: str) -> str:
    if not _LABEL.fullmatch(text):
        raise _bad_name(text, 63, "-")
    return text


def _bad_name(text: str, longest: int, marks: str) -> PydanticCustomError:
    """RFC 1123, with the nearest name that would be valid."""
    guess = re.sub(rf"[^a-z0-9{marks}]+", "-", text.lower())[:longest].strip("-.")
    rule = f"lower-case letters, digits and {' and '.join(marks)}, letter or digit at both ends"
    between = ", 63 between dots" if "." in marks else ""
    message = f"is not a valid Kubernetes name ({rule}, at most {longest} characters{between})"
    valid = bool(guess) and all(_LABEL.fullmatch(part) for part in guess.split("."))
    return slip(message, f'for example "{guess}"' if valid else None)


def _api_version(text: str) -> str:
    group, slash, version = text.rpartition("/")
    if not _VERSION.fullmatch(version) or (slash and not group):
        raise slip("is not an API version", 'write group/version such as "apps/v1"')
    return f"{check_subdomain(group)}/{version}" if slash else version


def _kind(text: str) -> str:
    if not _KIND.fullmatch(text):
        raise slip("is not a kind", "a kind starts with a capital letter, such as Deployment")
    return text


def _one_line(text: str) -> str:
    if len(text) > 256 or not text.isprintable():
        raise slip("must be one line of at most 256 printable characters")
    return text


def _query(text: str) -> str:
    if len(text) > 8192:
        raise slip("is longer than 8192 characters", "move the work into a recording rule")
    if text.endswith("]"):
        message = "ends in a range, which is many numbers at each moment and not one"
        raise slip(message, "wrap it, as in sum(rate(http_requests_total[1m]))")
    return text


def _file_path(text: str) -> str:
    if "://" in text or not text.isprintable() or len(text) > 4096:
        raise slip("is not a path of a local file", 'write a path such as "demand/web.csv"')
    if not text.lower().endswith((".csv", ".csv.gz", ".parquet", ".pq")):
        raise slip("is neither a CSV nor a Parquet file", "a recording ends in .csv, .csv.gz, .parquet or .pq")
    return text


def check_metadata_keys(entries: dict[str, str]) -> dict[str, str]:
    """Keys of labels and annotations: an optional DNS prefix and a slash, then at most 63 characters."""
    for key in entries:
        prefix, slash, name = key.rpartition("/")
        parts = prefix.split(".") if slash else ()
        if not _LABEL_WORD.fullmatch(name) or len(prefix) > 253 or not all(_LABEL.fullmatch(p) for p in parts):
            remedy = 'write it as "team" or "example.com/team"'
            raise slip("is not a valid label or annotation key", remedy, (key,), of_key=True)
    return entries


def check_label_values(entries: dict[str, str]) -> dict[str, str]:
    for key, value in entries.items():
        if value and not _LABEL_WORD.fullmatch(value):
            message = "is not a valid label value (letters, digits, - _ . inside, at most 63 characters)"
            raise slip(message, "free text belongs into annotations", (key,))
    return check_metadata_keys(entries)


def _kept(parse: Any) -> AfterValidator:
    """Validates by parsing, and keeps what was written."""

    def check(text: Any) -> Any:
        parse(text)
        return text

    return AfterValidator(check)


def _text(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


_DURATION_TEXT = _text("^" + "".join(rf"([0-9]+(\.[0-9]+)?{unit})?" for unit in _UNIT_S) + "$")

Duration = Annotated[str, _kept(duration_s), _DURATION_TEXT]
PositiveDuration = Annotated[str, _kept(positive_duration_s), _DURATION_TEXT]
WholeSeconds = Annotated[str, _kept(whole_seconds), _DURATION_TEXT]
Risk = Annotated[str, _kept(risk_of), _text(r"^[0-9]+(\.[0-9]+)?%?$")]
Headroom = Annotated[str, _kept(headroom_of), _text(r"^[0-9]+(\.[0-9]+)?%$")]
Instant = Annotated[str, _kept(instant_of), WithJsonSchema({"type": "string", "format": "date-time"})]
Quantity = Annotated[
    str | int | float,
    PlainValidator(lambda value: (quantity_of(value), value)[1]),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}]}),
]
Subdomain = Annotated[str, AfterValidator(check_subdomain)]
Label = Annotated[str, AfterValidator(check_label)]
ApiVersion = Annotated[str, AfterValidator(_api_version)]
KindName = Annotated[str, AfterValidator(_kind)]
OneLine = Annotated[str, AfterValidator(_one_line)]
Query = Annotated[str, AfterValidator(_query)]
FilePath = Annotated[str, AfterValidator(_file_path)]
