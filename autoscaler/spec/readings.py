"""What a plain (unquoted) scalar means: by YAML 1.2's core schema, and to readers of YAML 1.1.

We read 1.2. Where a 1.1 reader (PyYAML, older Go and Ruby tools) would take the same characters for something
else, the file means two things at once; the composer refuses it and names both.
"""

from __future__ import annotations

import math
import re

from autoscaler.spec.words import shown

Plain = str | int | float | bool | None

_LONGEST_NUMBER = 100
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_TRUE_11 = _TRUE | {"y", "Y", "yes", "Yes", "YES", "on", "On", "ON"}
_FALSE_11 = _FALSE | {"n", "N", "no", "No", "NO", "off", "Off", "OFF"}
_INF = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_NAN = frozenset({".nan", ".NaN", ".NAN"})

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")

_INT_11 = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_OCTAL_11 = re.compile(r"[-+]?0[0-7_]+")
_BASED_11 = re.compile(r"[-+]?0(?:b[01_]+|x[0-9a-fA-F_]+)")
_FLOAT_11 = re.compile(r"(?:[-+]?[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?")  # "-.5": text to PyYAML
_SEXAGESIMAL_11 = re.compile(
    r"[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*",
)
_DATE_11 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?"
    r"(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::?[0-9]{2})?))?"
)


def read_12(text: str) -> Plain:
    """The core schema of YAML 1.2; a number longer than any we could use stays text."""
    if text in _NULLS:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if text in _NAN:
        return math.nan
    if _INF.fullmatch(text):
        return -math.inf if text[0] == "-" else math.inf
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if re.fullmatch(r"0o[0-7]+", text):
        return int(text, 0)
    if re.fullmatch(r"0x[0-9a-fA-F]+", text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


def other_reading(text: str) -> str | None:
    """How YAML 1.1 readers take the scalar, in words, where that differs from 1.2; None where both agree."""
    ours = read_12(text)
    if len(text) > _LONGEST_NUMBER or ours is None:
        return None
    if _DATE_11.fullmatch(text):
        return "a date"
    theirs = _read_11(text)
    if type(theirs) is type(ours) and (theirs == ours or theirs != theirs):  # noqa: PLR0124 - NaN is the same NaN
        return None
    return in_words(theirs)


def ambiguity(text: str) -> tuple[str, str] | None:
    """What to say, and what to write instead, when the two versions read a plain scalar differently."""
    theirs = other_reading(text)
    if theirs is None:
        return None
    ours = in_words(read_12(text))
    instead = ", or the number in plain decimal digits" if "number" in theirs + ours else ""
    if "truth value" in theirs:
        instead = ", or true or false for the truth value"
    message = f"{text} is {theirs} to YAML 1.1 readers and {ours} to YAML 1.2 readers"
    return message, f'write "{text}" in quotes for the text{instead}'


def in_words(value: Plain) -> str:
    if isinstance(value, str):
        return f"the text {shown(value)}"
    if isinstance(value, bool):
        return f"the truth value {shown(value)}"
    return f"the number {shown(value)}"


def _read_11(text: str) -> Plain:
    """Numbers and truth values of YAML 1.1; everything that both versions share is left to `read_12`."""
    if text in _TRUE_11 or text in _FALSE_11:
        return text in _TRUE_11
    bare = text.replace("_", "")
    sign, digits = (-1, bare[1:]) if bare[:1] == "-" else (1, bare.lstrip("+"))
    if _INT_11.fullmatch(text):
        return int(bare)
    if _OCTAL_11.fullmatch(text):
        return sign * int(digits, 8)
    if _BASED_11.fullmatch(text) and len(digits) > 2:
        return sign * int(digits[2:], 2 if digits[1] == "b" else 16)
    if _FLOAT_11.fullmatch(text):
        return float(bare) if bare.strip("+-") != "." else text
    if _SEXAGESIMAL_11.fullmatch(text):
        return sign * _base_60(digits)
    shared = text in _NAN or _INF.fullmatch(text)
    return read_12(text) if shared else text


def _base_60(digits: str) -> int | float:
    parts = digits.split(":")
    last = float(parts[-1]) if "." in parts[-1] else int(parts[-1])
    total: int | float = 0
    for part in parts[:-1]:
        total = total * 60 + int(part)
    return total * 60 + last
