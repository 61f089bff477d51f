"""What a query reads, and that nothing in a label can break out of a query of ours."""

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.adapters.prometheus.promql import (
    Matcher,
    Selector,
    any_of,
    duplicates_query,
    freshness_query,
    presence_query,
    quoted,
    reading,
)

LABELS = ("prometheus_replica", "job")
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


@given(TEXT)
def test_S04_any_text_survives_quoting(text):
    tree = promql_parser.parse(f"m{{a={quoted(text)}}}")
    assert isinstance(tree, promql_parser.VectorSelector)
    [matcher] = tree.matchers.matchers
    assert (tree.name, matcher.name, matcher.value) == ("m", "a", text)


@given(TEXT.filter(lambda name: name not in {"", "__name__", "instance"}), TEXT)
def test_S04_a_hostile_selector_stays_one_selector_in_every_query_of_ours(label, value):
    hostile = Selector((Matcher("__name__", "=", "m"), Matcher(label, "=", value)), window_s=60, summed=True)
    for query in (freshness_query([hostile]), presence_query([hostile]), duplicates_query([hostile], LABELS)):
        assert query is not None
        read = reading(query).selectors
        found = {tuple(m for m in s.matchers if m.label != "instance") for s in read}
        assert found == {hostile.matchers}
    assert reading(any_of([label, value or "x"])).understood


def test_selectors_windows_and_what_stands_around_them():
    query = (
        'sum by (x) (rate(hits{job="a",path=~"/b.*"}[5m])) / sum(max by (i) (up)) + '
        "max_over_time(sum(rate(c[1m]))[10m:30s]) + sum(d offset 1w) + sum(e @ 0) + quantile(scalar(f), g)"
    )
    read = reading(query)
    by_name = {s.metric or "": s for s in read.selectors}
    assert sorted(by_name) == ["c", "d", "e", "f", "g", "hits", "up"]
    assert str(by_name["hits"]) == '{__name__="hits",job="a",path=~"/b.*"}'
    assert {n: s.window_s for n, s in by_name.items() if s.window_s} == {"hits": 300.0, "c": 660.0}
    assert {n for n, s in by_name.items() if s.shifted} == {"d", "e"}
    assert {n for n, s in by_name.items() if s.summed} == {"hits", "c", "d", "e"}
    assert {s.metric for s in read.current} == {"hits", "up", "c", "f", "g"}
    assert read.window_s == 660.0


@pytest.mark.parametrize(
    ("query", "number", "understood"),
    [
        ("up", True, True),
        ("1", True, True),
        ("up[5m]", False, True),
        ("up[5m:1m]", False, True),
        ('"text"', False, True),
        ("sum(", True, False),
        ("rollup_rate(up[5m])", True, False),
        ("(" * 400 + "up" + ")" * 400, True, True),
        ("(" * 100_000 + "up" + ")" * 100_000, True, False),
        ("-" * 100_000 + "up", True, False),
        ("+".join(["up"] * 400), True, True),
    ],
    ids=lambda v: v[:30] if isinstance(v, str) else None,
)
def test_what_is_a_number_over_time(query, number, understood):
    read = reading(query)
    assert (read.number, read.understood) == (number, understood)


def test_names_by_matcher_and_utf8_names():
    [selector] = reading('{"http.requests","service.name"="a"}').selectors
    assert selector.metric == "http.requests"
    assert str(selector) == '{__name__="http.requests","service.name"="a"}'
    [pattern] = reading('{__name__=~"a|b"}').selectors
    assert pattern.metric is None
    assert duplicates_query([pattern], LABELS) is None


def test_copies_are_sought_where_they_would_be_summed_only():
    def copies(query: str) -> str | None:
        return duplicates_query(reading(query).current, LABELS)

    assert copies("sum(rate(a[5m]))") == (
        '(max(count without (prometheus_replica,job) ({__name__="a",instance!=""})) > 1)'
    )
    assert copies("sum(a) / sum(a)") == copies("sum(a)"), "asked once"
    assert copies("max(a)") is None
    assert copies("sum(max without (job) (a))") is None
    assert copies("a") is None, "several series are refused anyhow"
    assert copies("vector(1)") is None
    kube = copies("sum(kube_pod_info)")
    assert kube is not None
    assert "without (prometheus_replica,job,instance)" in kube


def test_a_window_is_looked_through_for_the_newest_sample():
    assert "[1800s:180s]" in freshness_query(reading("sum(rate(a[30m]))").current)
    assert "_over_time" not in freshness_query(reading("sum(a)").current)


def test_a_dialect_of_or_matchers_is_left_alone():
    assert reading('a{b="c" or d="e"}').selectors == ()
