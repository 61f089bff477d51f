"""Many queries in one request: each gets what it would get alone, and none speaks for another. Row S04."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.adapters.prometheus.decode import Answer, Series
from autoscaler.adapters.prometheus.faults import QueryFault, fault
from autoscaler.adapters.prometheus.rows import Grid
from autoscaler.adapters.prometheus.together import (
    ALONE_S,
    MOST_CHARACTERS,
    MOST_QUERIES,
    TAG,
    Together,
    apart,
    closed,
    joined,
)
from autoscaler.domain.series import DataVerdict

PART = Grid(100, 104, 60)
PIECES = st.sampled_from(
    ["sum(a)", "(", ")", "{", "}", "[", "]", '"', "'", "\\", "`", "#", " or ", ",", "x", "\n", "é"]
)


@dataclass
class Source:
    """bad: queries that spoil a request; warns, slow: likewise."""

    bad: set[str] = field(default_factory=set)
    verdict: DataVerdict = DataVerdict.BAD_QUERY
    warnings: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)
    now_s: float = 0.0

    def range(self, query: str, first_s: float, end_s: float, step_s: int, deadline_s: float | None = None) -> Answer:
        self.asked.append(query)
        if any(f"({one})" in query for one in self.bad):
            raise fault(self.verdict, "spoilt")
        times = np.array([end_s])
        made = [Series({"app": "x", TAG: str(i)}, times, times * 0 + i) for i in range(query.count("label_replace("))]
        return Answer("matrix", tuple(made), self.warnings)

    def together(self) -> Together:
        return Together(self, 5.0, lambda: self.now_s)


def test_each_query_gets_its_own_series_without_the_tag():
    queries = [f"sum(a{i})" for i in range(5)]
    answers = Source().together().ask(queries, PART)
    assert list(answers) == queries
    assert [answers[q].series[0].values[0] for q in queries] == [0, 1, 2, 3, 4]
    assert all(answers[q].series[0].labels == {"app": "x"} for q in queries)


def test_groups_are_of_bounded_size_and_nobody_is_a_group_alone():
    together = Source().together()
    groups = together.groups(f"sum(a{i:03d})" for i in range(2 * MOST_QUERIES + 1))
    assert [len(g) for g in groups] == [MOST_QUERIES, MOST_QUERIES]
    long = [f"sum(a{i:03d}{{x='{'y' * 2000}'}})" for i in range(11)]
    assert all(len(joined(g)) <= MOST_CHARACTERS for g in together.groups(long))
    assert together.groups(["sum(a)", "sum(a)"]) == []


def test_who_spoils_a_request_is_found_by_halves_and_goes_alone_for_a_while():
    source = Source(bad={"sum(a17)"})
    together = source.together()
    queries = [f"sum(a{i})" for i in range(MOST_QUERIES)]
    answers = together.ask(queries, PART)
    assert "sum(a17)" not in answers
    assert len(answers) >= MOST_QUERIES - 3
    assert len(source.asked) <= 12
    left = [q for group in together.groups(queries) for q in group]
    assert "sum(a17)" not in left
    source.now_s = ALONE_S + 1
    assert sum(map(len, together.groups(queries))) == MOST_QUERIES


@pytest.mark.parametrize("verdict", [DataVerdict.UNREACHABLE, DataVerdict.THROTTLED, DataVerdict.REFUSED])
def test_a_fault_of_the_source_is_nobodys_fault(verdict):
    source = Source(bad={"sum(a1)"}, verdict=verdict)
    with pytest.raises(QueryFault):
        source.together().ask(["sum(a0)", "sum(a1)"], PART)
    assert len(source.asked) == 1


def test_M09_an_answer_with_warnings_is_nobodys():
    """It does not say whose series may be missing."""
    assert Source(warnings=("a store is down",)).together().ask(["sum(a)", "sum(b)"], PART) == {}


def test_S04_a_tag_that_is_not_ours_leaves_all_to_be_asked_alone():
    foreign = Series({TAG: "7"}, np.array([1.0]), np.array([1.0]))
    assert apart(["sum(a)", "sum(b)"], Answer("matrix", (foreign,))) == {}
    assert apart(["sum(a)", "sum(b)"], Answer("matrix", (Series({}, np.array([1.0]), np.array([1.0])),))) == {}


@pytest.mark.parametrize(
    "hostile",
    [
        'sum(a)), "foresail_query", "1", "", "") or label_replace((sum(stolen)',
        "sum(a) # )",
        "sum(a) `) or (`",
        'sum(a{x="})',
        "sum(a{x='\\'})",
        "sum(a))",
        "(sum(a)",
        "sum(a[)]",
        "",
        "  ",
    ],
)
def test_S04_a_text_that_reaches_out_of_its_brackets_goes_alone(hostile):
    assert not closed(hostile)
    together = Source().together()
    assert all(hostile not in group for group in together.groups([hostile, "sum(b)", "sum(c)"]))


@given(st.lists(PIECES, max_size=12).map("".join), st.lists(PIECES, max_size=12).map("".join))
def test_S04_whatever_is_joined_parses_as_two_or_not_at_all(one, other):
    """If the joined text parses, its top is our `or` over our two label_replace, each over its whole own text."""
    if not (closed(one) and closed(other)):
        return
    try:
        tree = promql_parser.parse(joined([one, other]))
    except ValueError:
        return
    assert isinstance(tree, promql_parser.BinaryExpr)
    for side, tag, text in ((tree.lhs, "0", one), (tree.rhs, "1", other)):
        assert isinstance(side, promql_parser.Call)
        assert side.func.name == "label_replace"
        inner, label, replacement, source, pattern = side.args
        assert isinstance(inner, promql_parser.ParenExpr)
        assert (label.val, replacement.val, source.val, pattern.val) == (TAG, tag, "", "")
        assert inner.expr.prettify() == promql_parser.parse(text).prettify()


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_S04_closed_text_keeps_brackets_closed_at_every_place(text):
    if closed(text):
        wrapped = f"({text})"
        depth, inside = 0, _outside_strings(wrapped)
        for place, char in enumerate(inside):
            depth += {"(": 1, ")": -1}.get(char, 0)
            assert depth > 0 or place == len(inside) - 1


def _outside_strings(text: str) -> str:
    kept: list[str] = []
    quote, skip = "", False
    step: Callable[[str], None] = kept.append
    for char in text:
        if quote:
            if skip:
                skip = False
            elif char == "\\":
                skip = True
            elif char == quote:
                quote = ""
            continue
        if char in "\"'":
            quote = char
            continue
        step(char)
    return "".join(kept)
