"""What a query reads, and queries of our own about it.

A parsed query is never printed back (its printer leaves label values unquoted); what we ask is rendered here, from
matchers, with every name and value quoted.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import promql_parser as pp

NAME = "__name__"
TAG = "foresail_selector"
"""Label by which the parts of a composed query are told apart in its answer."""

LOOKBACK_S = 300.0
"""How far a stock source looks back for the newest sample of an instant selector."""

MERGING = {"max", "min", "avg", "group", "quantile", "topk", "bottomk", "limitk"}
"""Aggregations that do not count a series twice which is there twice."""

MOST_MARKS = 1000
"""Brackets and operators of a query that we parse: the parser's own stack and its time grow with their nesting."""

_DEEPENING = "([{+-*/%^"
_IDENTIFIER = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OPERATORS = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}
_RESOLUTION = 10


@dataclass(frozen=True, slots=True, order=True)
class Matcher:
    label: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{_label(self.label)}{self.operator}{quoted(self.value)}"


@dataclass(frozen=True, slots=True)
class Selector:
    """One series selector of a query.

    matchers: the metric's name is one of them, as {__name__="…"}. window_s: seconds of samples that one value of
    the query takes from it, subqueries around it included; 0 for the newest sample only. shifted: it reads another
    time than the query's (offset or @). summed: copies of its series would add up.
    """

    matchers: tuple[Matcher, ...]
    window_s: float = 0.0
    shifted: bool = False
    summed: bool = False

    def __str__(self) -> str:
        return "{" + ",".join(str(m) for m in self.matchers) + "}"

    @property
    def metric(self) -> str | None:
        """The metric's name, where the selector names exactly one."""
        return next((m.value for m in self.matchers if m.label == NAME and m.operator == "="), None)

    def only(self, *matchers: Matcher) -> Selector:
        """Another selector with these matchers."""
        return replace(self, matchers=matchers)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a query reads. number: False where it cannot be a number over time (a range vector, a string)."""

    selectors: tuple[Selector, ...] = ()
    number: bool = True
    understood: bool = True

    @property
    def window_s(self) -> float:
        """Seconds until a value holds nothing from before a break: the longest window."""
        return max((s.window_s for s in self.selectors), default=0.0)

    @property
    def current(self) -> tuple[Selector, ...]:
        """The selectors that read the query's own time."""
        return tuple(s for s in self.selectors if not s.shifted)


@functools.lru_cache(maxsize=16_384)
def reading(query: str) -> Reading:
    """What a query reads; one that our parser does not know (a dialect) reads nothing that we could ask about."""
    if sum(map(query.count, _DEEPENING)) > MOST_MARKS:
        return Reading(understood=False)
    try:
        tree = pp.parse(query)
    except ValueError:
        return Reading(understood=False)
    found = dict.fromkeys(_selectors(tree))
    return Reading(tuple(found), number=not isinstance(tree, (pp.MatrixSelector, pp.SubqueryExpr, pp.StringLiteral)))


@dataclass(frozen=True, slots=True)
class _Place:
    """What stands around an expression."""

    window_s: float = 0.0
    shifted: bool = False
    aggregation: str | None = None


def _selectors(tree: pp.Expr) -> Iterator[Selector]:
    """From left to right; with a stack of our own, so that no query is too deep."""
    left: list[tuple[pp.Expr, _Place]] = [(tree, _Place())]
    while left:
        one, place = left.pop()
        match one:
            case pp.VectorSelector():
                yield from _selector(one, place)
            case pp.MatrixSelector():
                inside = replace(place, window_s=place.window_s + one.range.total_seconds())
                yield from _selector(one.vector_selector, inside)
            case _:
                left.extend(reversed(_below(one, place)))


def _below(tree: pp.Expr, place: _Place) -> list[tuple[pp.Expr, _Place]]:
    match tree:
        case pp.SubqueryExpr():
            span_s = tree.range.total_seconds() if tree.range else 0.0
            moved = place.shifted or bool(tree.offset) or tree.at is not None
            return [(tree.expr, replace(place, window_s=place.window_s + span_s, shifted=moved))]
        case pp.AggregateExpr():
            inside = (tree.expr, replace(place, aggregation=str(tree.op)))
            return [inside, (tree.param, place)] if isinstance(tree.param, pp.Expr) else [inside]
        case pp.BinaryExpr():
            return [(tree.lhs, place), (tree.rhs, place)]
        case pp.ParenExpr() | pp.UnaryExpr():
            return [(tree.expr, place)]
        case pp.Call():
            return [(argument, place) for argument in tree.args]
        case _:
            return []


def _selector(tree: pp.VectorSelector, place: _Place) -> Iterator[Selector]:
    if tree.matchers.or_matchers:
        return  # VictoriaMetrics' own form
    named = [Matcher(NAME, "=", tree.name)] if tree.name else []
    matchers = [Matcher(m.name, _OPERATORS[str(m.op)], m.value) for m in tree.matchers.matchers]
    shifted = place.shifted or bool(tree.offset) or tree.at is not None
    summed = place.aggregation is not None and place.aggregation not in MERGING
    yield Selector((*named, *matchers), place.window_s, shifted, summed)


def quoted(text: str) -> str:
    """A PromQL string that holds exactly `text`, whatever is in it."""
    return '"' + "".join(_escaped(c) for c in text) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char == "\n":
        return "\\n"
    return char if char >= " " and char != "\x7f" else f"\\x{ord(char):02x}"


def _label(name: str) -> str:
    return name if _IDENTIFIER.fullmatch(name) else quoted(name)


def freshness_query(selectors: Sequence[Selector]) -> str:
    """Time of the newest sample of each selector, tagged by its place in `selectors`.

    For a selector with a window also from before the source's lookback, so that a rate over half an hour does not
    look fresh for that long; there to a tenth of the window.
    """
    return " or ".join(_tagged(_newest(s), str(i)) for i, s in enumerate(selectors))


def _newest(selector: Selector) -> str:
    now = f"max(timestamp({selector}))"
    if selector.window_s <= 0:
        return now
    grain_s = max(1, round(selector.window_s / _RESOLUTION))
    return f"({now} or max(max_over_time(timestamp({selector})[{round(selector.window_s)}s:{grain_s}s])))"


def presence_query(selectors: Sequence[Selector]) -> str:
    """Count of series of each selector that has any, tagged by its place in `selectors`."""
    return " or ".join(_tagged(f"count({s})", str(i)) for i, s in enumerate(selectors))


def duplicates_query(selectors: Sequence[Selector], replica_labels: Sequence[str]) -> str | None:
    """The largest number of copies of one series, where there is more than one; None where nothing can be doubled.

    Copies are series that differ in `replica_labels` only. Only those with an instance count: without one, two
    jobs may well push the same name. Metrics of kube-state-metrics describe the same objects from any instance.
    """
    parts = [_copies(s, replica_labels) for s in selectors if s.summed and s.metric is not None and not s.shifted]
    return " or ".join(f"(max({part}) > 1)" for part in dict.fromkeys(parts)) or None


def copies_query(selector: Selector, replica_labels: Sequence[str]) -> str:
    """The one series of the selector that has most copies."""
    return f"topk(1, {_copies(selector, replica_labels)})"


def _copies(selector: Selector, replica_labels: Sequence[str]) -> str:
    described = (selector.metric or "").startswith("kube_")
    apart = [*replica_labels, *(["instance"] if described else [])]
    real = selector.only(*selector.matchers, Matcher("instance", "!=", ""))
    return f"count without ({','.join(_label(name) for name in apart)}) ({real})"


def _tagged(expression: str, tag: str) -> str:
    return f'label_replace({expression}, "{TAG}", "{tag}", "", "")'


def any_of(names: Sequence[str]) -> str:
    """How many series each of these metrics has, by name; those without any are left out."""
    pattern = "|".join(re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", name) for name in names)
    return f"count by ({NAME}) ({Selector((Matcher(NAME, '=~', pattern),))})"
