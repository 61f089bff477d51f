"""What can be proven about conditions without knowing a value: never true, one inside another, two at odds.

A condition is read as "one of these cases", a case as limits on terms that all hold: `replicas > 3 && ns == "shop"`
is one case with an interval and a name. Terms are compared by their text, which is sound as CEL has no side effects
and a condition is asked once a tick. What is no comparison with a constant is kept as it is, and two of them agree only
where they are the same text. Whatever is not understood proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from autoscaler.domain.conditions import CONTEXT
from autoscaler.spec.cel_limits import OneOf, Span
from autoscaler.spec.cel_tokens import Token, Tokens, inside, split, text_of, tokens_of

MOST_CASES = 64
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
_NEGATED = {"<": ">=", ">": "<=", "<=": ">", ">=": "<", "==": "!=", "!=": "=="}
_SIGNS = {"<": {-1}, ">": {1}, "<=": {-1, 0}, ">=": {0, 1}, "==": {0}, "!=": {-1, 1}}
_CLOCK_RANGES = {
    "getHours": (0, 23), "getMinutes": (0, 59), "getSeconds": (0, 59), "getMilliseconds": (0, 999),
    "getMonth": (0, 11), "getDate": (1, 31), "getDayOfMonth": (0, 30), "getDayOfWeek": (0, 6), "getDayOfYear": (0, 365),
}  # fmt: skip
"""https://github.com/google/cel-spec/blob/master/doc/langdef.md#datetime-functions; of `now`, in any zone."""
_CLOCK = re.compile(r'now\.(\w+)\((?:"[^"]*")?\)')


Limit = Span | OneOf
Case = Mapping[str, Limit]
"""Limits by term, all of which hold; {} = always."""
Cases = tuple[Case, ...]
"""One of them holds; () = never."""


class Reading(NamedTuple):
    """When a condition is true and when it is false; None where that cannot be told."""

    true: Cases | None
    false: Cases | None


@lru_cache(maxsize=4096)
def reading(text: str) -> Reading:
    """What can be told of an accepted expression."""
    tokens = tokens_of(text)
    if tokens is None:
        return Reading(None, None)
    return Reading(_cases(tokens, truth=True), _cases(tokens, truth=False))


def never(cases: Cases | None) -> bool:
    """Whether it is proven that no case can hold."""
    return cases is not None and not cases


def implies(these: Cases | None, those: Cases | None) -> bool:
    """Whether it is proven that whenever one of these holds, one of those does; what never holds proves nothing."""
    if not these or those is None:
        return False
    return all(any(_inside(case, other) for other in those) for case in these)


def together(these: Cases | None, those: Cases | None) -> Cases | None:
    """When both hold; None where that cannot be told."""
    if these is None or those is None or len(these) * len(those) > MOST_CASES:
        return None
    found = (_joined(one, other) for one, other in product(these, those))
    return tuple(case for case in found if case is not None)


def facts(fields: Mapping[str, Iterable[str]], labels: Mapping[str, Iterable[str]]) -> Cases:
    """What a selector tells of every workload that it selects: values of ns, name and site, and of labels."""
    case: dict[str, Limit] = {name: OneOf(frozenset(values)) for name, values in fields.items()}
    for key, values in labels.items():
        case[f'labels["{key}"]'] = OneOf(frozenset(values))
        case[f'"{key}" in labels'] = OneOf(frozenset({True}))
    return (case,)


def _inside(case: Case, other: Case) -> bool:
    for term, limit in other.items():
        ours = case.get(term, _known(term))
        if type(ours) is not type(limit) or not ours.within(limit):  # type: ignore[arg-type]
            return False
    return True


def _joined(one: Case, other: Case) -> Case | None:
    """Both cases as one; None where they cannot both hold."""
    found = dict(one)
    for term, limit in other.items():
        ours = found.get(term, _known(term))
        if ours is not None and type(ours) is type(limit):
            found[term] = ours.both(limit)  # type: ignore[arg-type]
        else:
            found.setdefault(term, limit)
        if found[term].empty:
            return None
    return found


@lru_cache(maxsize=1024)
def _known(term: str) -> Limit | None:
    """What holds of a term anyway: counts are not negative, clocks have their hours."""
    if term in CONTEXT and CONTEXT[term].kind == "int":
        return Span(low=0, whole=True)
    clock = _CLOCK.fullmatch(term)
    ends = None if clock is None else _CLOCK_RANGES.get(clock[1])
    return None if ends is None else Span(*ends, whole=True)


def _cases(tokens: Tokens, *, truth: bool) -> Cases | None:
    """When the expression is so; a part that is not understood stands for itself, by its text."""
    tokens = inside(tokens)
    if len(split(tokens, "?")) > 1:
        return _itself(tokens, truth=truth)
    for sign, any_of in (("||", truth), ("&&", not truth)):
        parts = split(tokens, sign)
        if len(parts) > 1:
            return _either(parts, truth=truth) if any_of else _all(parts, truth=truth)
    if tokens and tokens[0].text == "!" and _one_thing(tokens[1:]):
        return _cases(tokens[1:], truth=not truth)
    return _compared(tokens, truth=truth)


def _either(parts: list[Tokens], *, truth: bool) -> Cases | None:
    found: list[Case] = []
    for part in parts:
        cases = _cases(part, truth=truth)
        if cases is None:
            return None
        found += cases
    return tuple(found) if len(found) <= MOST_CASES else None


def _all(parts: list[Tokens], *, truth: bool) -> Cases | None:
    found: Cases | None = ({},)
    for part in parts:
        found = together(found, _cases(part, truth=truth))
    return found


def _one_thing(tokens: Tokens) -> bool:
    """No operator outside of brackets: a value, a call or something in brackets."""
    signs = ("==", "!=", "<", "<=", ">", ">=", "in", "+", "-", "*", "/", "%")
    return bool(tokens) and len(split(tokens, *signs)) == 1


def _itself(tokens: Tokens, *, truth: bool) -> Cases:
    return ({_term(tokens): OneOf(frozenset({truth}))},)


def _compared(tokens: Tokens, *, truth: bool) -> Cases | None:
    if [t.text for t in tokens] in (["true"], ["false"]):
        return ({},) if (tokens[0].text == "true") is truth else ()
    parts = split(tokens, *_SIGNS, "in")
    if len(parts) != 2 or not all(parts):
        return _itself(tokens, truth=truth)
    left, right = parts
    sign = tokens[len(left)].text
    if sign == "in":
        listed = _listed(right)
        if listed is None or _literal(left) is not None:
            return _itself(tokens, truth=truth)
        return _limited(_term(left), OneOf(listed, but=not truth))
    if _literal(left) is not None:
        left, right, sign = right, left, _FLIPPED[sign]
    if not truth:
        if sign not in {"==", "!="} and not _orderly(left, right):
            return None  # not a number is neither below, nor above, nor equal
        sign = _NEGATED[sign]
    value = _literal(right)
    if _literal(left) is not None and value is not None:
        return None
    if value is None:
        one, other = _term(left), _term(right)
        signs = _SIGNS[sign] if one <= other else {-s for s in _SIGNS[sign]}
        return _limited(" ~ ".join(sorted((one, other))), OneOf(frozenset(signs)))
    if isinstance(value, (str, bool)):
        if sign not in {"==", "!="}:
            return _itself(tokens, truth=truth)
        return _limited(_term(left), OneOf(frozenset({value}), but=sign == "!="))
    return _limited(_term(left), _span(sign, value))


def _span(sign: str, value: float) -> Span:
    whole = isinstance(value, int)
    found = {
        "<": Span(high=value, high_open=True, whole=whole), "<=": Span(high=value, whole=whole),
        ">": Span(low=value, low_open=True, whole=whole), ">=": Span(low=value, whole=whole),
        "==": Span(value, value, whole=whole), "!=": Span(without=frozenset({value}), whole=whole),
    }[sign]  # fmt: skip
    return found.both(found)


def _limited(term: str, limit: Limit) -> Cases:
    case = _joined({}, {term: limit})
    return () if case is None else (case,)


def _orderly(left: Tokens, right: Tokens) -> bool:
    """Whether neither side can be NaN: counts, clocks, and what the context gives, in which NaN is absent."""
    return all(_literal(side) is not None or _plain(side) for side in (left, right))


def _plain(side: Tokens) -> bool:
    if not side or side[0].text not in CONTEXT:
        return False
    term = _term(side)
    if len(side) == 1 or _known(term) is not None:
        return True
    rest = [t.text for t in side[1:]]
    return CONTEXT[side[0].text].kind.startswith("map") and len(rest) in {2, 3} and rest[0] in "[."


def _literal(tokens: Tokens) -> float | str | bool | None:
    tokens = inside(tokens)
    minus = len(tokens) == 2 and tokens[0].text == "-"
    if len(tokens) != 1 and not minus:
        return None
    token = tokens[-1]
    if token.kind == "number" and not token.text.endswith("u"):
        value: float = _number(token.text)
        return -value if minus else value
    if not minus and token.text in {"true", "false"}:
        return token.text == "true"
    return None if minus else text_of(token)


def _number(text: str) -> float:
    """A whole number stays one: then the term counts."""
    if text.isdigit():
        return int(text)
    return int(text, 16) if text.startswith("0x") else float(text)


def _listed(tokens: Tokens) -> frozenset[Any] | None:
    """Texts of a list of such; numbers are left alone."""
    if len(tokens) < 3 or (tokens[0].text, tokens[-1].text) != ("[", "]"):
        return None
    values = [text_of(part[0]) if len(part) == 1 else None for part in split(tokens[1:-1], ",")]
    return None if None in values else frozenset(values)


def _term(tokens: Tokens) -> str:
    """One text for one term: `observed.requests` is `observed["requests"]`, and spaces do not count."""
    tokens, words = inside(tokens), []
    for index, token in enumerate(tokens):
        said = text_of(token)
        words.append(f'"{said}"' if said is not None and '"' not in said else _word(tokens, index, token))
    return "".join(words)


def _word(tokens: Tokens, index: int, token: Token) -> str:
    if token.text == "in":
        return " in "
    before = tokens[index - 1].text if index else ""
    of_map = index > 1 and tokens[index - 2].text in CONTEXT and CONTEXT[tokens[index - 2].text].kind.startswith("map")
    called = index + 1 < len(tokens) and tokens[index + 1].text == "("
    if token.text == "." and index and index + 1 < len(tokens):
        name = tokens[index - 1].text
        call = index + 2 < len(tokens) and tokens[index + 2].text == "("
        if name in CONTEXT and CONTEXT[name].kind.startswith("map") and not call:
            return ""
    if before == "." and of_map and token.kind == "word" and not called:
        return f'["{token.text}"]'
    return token.text
