"""Conditions in CEL: checked against the context that they are given, compiled once.

The library is the official C++ implementation; it comes with `foresail[server]` and is loaded by the first condition.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any

from autoscaler.domain.conditions import CONTEXT
from autoscaler.spec import scalars
from autoscaler.spec.cel_tokens import literal_calls, loops_of, tokens_of
from autoscaler.spec.words import nearest

MOST_CHARACTERS = 500
_PLACE = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*?)(?: \(in container ''\))?$", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z_]\w*")
_UNDECLARED = re.compile(r"undeclared reference to '(\w+)'")
_LITERALS = {
    "timestamp": ("timestamp({0}) == timestamp({0})", "is no moment", "write it as 2026-03-01T06:00:00Z"),
    "duration": ("duration({0}) == duration({0})", "is no duration", "write it as 90s, 10m or 1h30m"),
    ".matches": ('"".matches({0}) in [true, false]', "is no regular expression", "see https://github.com/google/re2"),
    ".get": (
        'timestamp("2026-01-01T00:00:00Z").getHours({0}) >= 0',
        "is no time zone",
        "write an IANA name: Europe/Berlin",
    ),
}
"""What CEL's checker lets pass, as it looks at types alone, and what would have no answer ever after."""


class CelProgram:
    """A checked expression that answers yes or no. names: of the context that it reads, at least."""

    __slots__ = ("_expression", "names", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._expression = _compiled(text)
        self.names = frozenset(_WORD.findall(text)) & CONTEXT.keys()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CelProgram) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __reduce__(self) -> tuple[Any, ...]:
        return program_of, (self.text,)  # compiled again where it arrives

    def answer(self, values: Mapping[str, Any]) -> bool | None:
        """None where it cannot be told, as when it reads a value that is not known."""
        found = self._expression.eval(data=values).value()
        return found if isinstance(found, bool) else None


@lru_cache(maxsize=4096)
def program_of(text: str) -> CelProgram:
    """Compiled once per text. Raises ValueError with what is wrong, where, and the way out."""
    return CelProgram(text)


def _compiled(text: str) -> Any:
    if len(text) > MOST_CHARACTERS:
        raise scalars.slip(f"is longer than {MOST_CHARACTERS} characters", "split it into several conditions")
    _check_cost(text)
    try:
        expression = _environment().compile(text)
    except RuntimeError as error:
        raise scalars.slip(*_told(str(error))) from None
    kind = expression.return_type().name()
    if kind != "BOOL":
        raise scalars.slip(f"answers {kind.lower()}, not yes or no", "compare it with something")
    if any(one.text in {"/", "%"} and next_.text == "0" for one, next_ in pairwise(tokens_of(text) or ())):
        raise scalars.slip("divides by zero, which never has an answer", "write another divisor")
    _check_literals(text)
    return expression


def _check_cost(text: str) -> None:
    """A tick asks each condition of thousands of workloads: loops in loops, and lists that grow from map to map, are
    steps and memory without end in a few characters.
    """
    depth, maps = loops_of(tokens_of(text) or ())
    if depth > 1:
        raise scalars.slip("has a loop inside a loop", "ask in a single all, exists or filter: x in p95 looks a key up")
    if maps > 1:
        raise scalars.slip("has more than one map", "write what is asked in one, or in several conditions")


def _check_literals(text: str) -> None:
    """Zones, moments, durations and regular expressions that stand in the text are tried by CEL itself."""
    for dot, name, literal in literal_calls(tokens_of(text) or ()):
        known = _LITERALS.get(dot + ("get" if dot and name.startswith("get") else name))
        if known is None:
            continue
        probe, words, remedy = known
        try:
            answer = _environment().compile(probe.format(literal.text)).eval(data={}).value()
        except RuntimeError:
            answer = None
        if not isinstance(answer, bool):
            raise scalars.slip(f"{name}({literal.text}): {literal.text} {words}", remedy)


def _told(error: str) -> tuple[str, str]:
    match = _PLACE.search(error)
    if match is None:
        return f"is not CEL: {' '.join(error.split())[:200]}", "see docs/policies.md for what it can read"
    said = match[3].replace("_", "")
    remedy = f"it can read {', '.join(CONTEXT)}"
    unknown = _UNDECLARED.search(match[3])
    near = nearest(unknown[1], CONTEXT) if unknown else None
    if near is not None:
        remedy = f"did you mean {near}? {remedy}"
    if "overload" in said and "double" in said and "int" in said:
        remedy = "numbers of demand have a point: 100.0, and double(replicas) makes one of a count"
    elif "overload" in said:
        remedy = "compare values of one type"
    elif "Syntax" in said:
        remedy = "see docs/policies.md for examples"
    return f"character {match[2]}: {said[:200]}", remedy


@lru_cache(maxsize=1)
def _environment() -> Any:
    try:
        from cel_expr_python import cel
    except ImportError:
        raise scalars.slip(
            "cannot be checked: CEL is not installed here",
            "install Foresail with its extra: './foresail[server]' beside a checkout",
        ) from None
    kinds = {
        "bool": cel.Type.BOOL, "int": cel.Type.INT, "double": cel.Type.DOUBLE, "string": cel.Type.STRING,
        "timestamp": cel.Type.TIMESTAMP,
        "map(string, double)": cel.Type.Map(cel.Type.STRING, cel.Type.DOUBLE),
        "map(string, string)": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
    }  # fmt: skip
    return cel.NewEnv(variables={name: kinds[variable.kind] for name, variable in CONTEXT.items()})
