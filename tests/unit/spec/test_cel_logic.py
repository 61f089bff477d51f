"""P03: what is claimed about conditions is true of every value, by CEL's own answers; the rest is not claimed."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.spec.cel import program_of
from autoscaler.spec.cel_logic import facts, implies, never, reading, together
from autoscaler.spec.cel_tokens import literal_calls, reads, tokens_of

COMPARED = ("<", "<=", ">", ">=", "==", "!=")
atoms = st.one_of(
    st.builds("{} {} {}".format, st.sampled_from(["replicas", "need"]), st.sampled_from(COMPARED), st.integers(-1, 4)),
    st.builds("{} {} replicas".format, st.integers(-1, 4), st.sampled_from(COMPARED)),
    st.builds('observed["r"] {} {}.0'.format, st.sampled_from(COMPARED), st.integers(0, 3)),
    st.builds("observed.r / 2.0 {} {}.5".format, st.sampled_from(COMPARED), st.integers(0, 1)),
    st.builds("need {} replicas".format, st.sampled_from(COMPARED)),
    st.builds('ns {} "{}"'.format, st.sampled_from(["==", "!="]), st.sampled_from("abc")),
    st.builds('ns in ["{}", "{}"]'.format, st.sampled_from("abc"), st.sampled_from("abc")),
    st.builds("now.getHours({}) {} {}".format, st.just('"UTC"'), st.sampled_from(COMPARED), st.integers(22, 24)),
    st.sampled_from(['"r" in observed', '"s" in observed', "true", "false", 'labels["t"] == "x"']),
)
expressions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner), st.builds("({} || {})".format, inner, inner),
        st.builds("!({})".format, inner), st.builds("({} ? {} : {})".format, inner, inner, inner),
    ),
    max_leaves=5,
)  # fmt: skip
values = st.fixed_dictionaries({
    "replicas": st.integers(0, 4), "need": st.integers(0, 4), "ns": st.sampled_from("abc"),
    "observed": st.dictionaries(st.sampled_from("rs"), st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0, 4.0])),
    "now": st.sampled_from([datetime(2026, 3, 2, h, tzinfo=UTC) for h in (0, 22, 23)]),
    "labels": st.dictionaries(st.just("t"), st.sampled_from("xy")),
})  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(expressions, values)
def test_P03_what_is_called_never_or_always_true_is_so_for_every_value(text, known):
    said = program_of(text).answer(known)
    true, false = reading(text)
    assert not (never(true) and said is True), text
    assert not (never(false) and said is False), text


@settings(max_examples=60, deadline=None)
@given(expressions, expressions, values)
def test_P03_an_implication_and_an_exclusion_hold_for_every_value(one, other, known):
    first, second = program_of(one).answer(known), program_of(other).answer(known)
    ours, theirs = reading(one), reading(other)
    if implies(ours.true, theirs.true):
        assert not (first is True and second is False), (one, other)
    if never(together(ours.false, theirs.false)):
        assert not (first is False and second is False), (one, other)


NEVER = [
    "replicas > 5 && replicas < 3", "replicas > 5 && replicas < 6", "replicas < 0", "!(replicas >= 0)",
    'observed["r"] > 5.0 && observed.r < 5.0', 'now.getHours("Europe/Berlin") > 23', "now.getMonth() == 12",
    'ns == "a" && ns == "b"', 'ns in ["a", "b"] && ns != "a" && ns != "b"', "need > running && running >= need",
    '!("r" in p95) && "r" in p95', "replicas != 0 && replicas < 1", "false && replicas > 1",
]  # fmt: skip


@pytest.mark.parametrize("text", NEVER)
def test_P03_contradictions_within_a_condition_are_proven(text):
    assert never(reading(text).true)
    assert not never(reading(text).false)


IMPLIED = [
    ("replicas > 5", "replicas > 3"), ('replicas > 5 && ns == "a"', "replicas >= 6"), ("replicas > 5", "replicas != 3"),
    ("replicas == 5 || replicas == 7", "replicas > 4 && replicas < 8"), ('ns == "a"', 'ns in ["a", "b"]'),
    ("need == replicas", "need >= replicas"), ("observed.r > 2.0", 'observed["r"] >= 2.0'),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), IMPLIED)
def test_P03_implications_are_proven_one_way(one, other):
    assert implies(reading(one).true, reading(other).true)
    assert not implies(reading(other).true, reading(one).true)


UNCLAIMED = [
    'observed["r"] / p95["r"] > 3.0 || observed["r"] / p95["r"] <= 3.0',  # 0/0 is neither
    "double(need) * 2.0 > 3.0 ? true : false",
    'observed["r"] > 5.0 && observed["s"] < 3.0',
    "replicas > 3u || replicas < 9u",
    " && ".join(f"(replicas > {n} || need > {n} || running > {n})" for n in range(8)),
]


@pytest.mark.parametrize("text", UNCLAIMED)
def test_P03_nothing_is_claimed_that_is_not_proven(text):
    assert not never(reading(text).true)
    assert not never(reading(text).false)


def test_P03_what_a_selector_tells_counts():
    shop = facts({"ns": ["shop"]}, {"tier": ["web", "api"]})
    assert never(together(shop, reading('ns == "pay"').true))
    assert never(together(shop, reading('labels["tier"] == "db"').true))
    assert never(together(shop, reading('"tier" in labels').false))
    assert not never(together(shop, reading('labels.tier == "web"').true))


def test_tokens_tell_what_is_read_and_which_literals_stand_there():
    text = 'has(p95.r) && observed["r"] > 1.0 // "x"\n && labels["t"].matches("^a") && now.getHours("UTC") > 3'
    tokens = tokens_of(text) or ()
    assert {(r.map, r.key, r.asked) for r in reads(tokens, ["observed", "p95", "labels"])} == {
        ("p95", "r", True), ("observed", "r", False), ("labels", "t", False),
    }  # fmt: skip
    assert [(dot, name, literal.text) for dot, name, literal in literal_calls(tokens)] == [
        (".", "matches", '"^a"'), (".", "getHours", '"UTC"'),
    ]  # fmt: skip
    assert tokens_of("replicas > @") is None
