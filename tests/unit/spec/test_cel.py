"""P03: conditions are checked before they are in force, by a type checker, with the place and the way out."""

import pickle
from datetime import UTC, datetime

import pytest

from autoscaler.domain.conditions import CONTEXT
from autoscaler.domain.errors import InvalidSpec
from autoscaler.spec import parse_text
from autoscaler.spec.cel import program_of

NOON = datetime(2026, 3, 2, 11, 30, tzinfo=UTC)
BAD = [
    ('obsrved["d"] > 1.0', "undeclared reference to 'obsrved'", "it can read observed"),
    ('obsrved["d"] > 1.0', "undeclared reference to 'obsrved'", "did you mean observed?"),
    ('now.getHours("Europe/Berln") > 3', '"Europe/Berln" is no time zone', "IANA name"),
    ('now > timestamp("2026-13-01T00:00:00Z")', "is no moment", "write it as"),
    ('now - now > duration("5 minutes")', "is no duration", "write it as 90s"),
    ('labels["x"].matches("[")', "is no regular expression", "re2"),
    ('observed["d"] > 1', "no matching overload", "100.0"),
    ('observed["d"] > 1.0 || typo > 2.0', "undeclared reference to 'typo'", "it can read"),
    ("replicas", "answers int, not yes or no", "compare it"),
    ("replicas >", "Syntax error", "examples"),
    ('replicas > "3"', "no matching overload", "one type"),
    (" || ".join(["replicas > 3"] * 60), "500", ""),
    ("replicas > 3 || 100 % 0 == 1", "divides by zero", "another divisor"),
    ("[1, 2].all(a, [1, 2].exists(b, a + b > 3))", "loop inside a loop", "looks a key up"),
    ("[name].map(x, x + x).map(x, x + x).exists(x, x.size() > 9)", "more than one map", "several"),
]


def policy(expression: str, then: str = "Hold") -> str:
    quoted = expression.replace("'", "''")
    return (
        "apiVersion: foresail.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: p}\nspec:\n"
        "  selector: {namespaces: [shop]}\n  limits:\n    conditions:\n      - name: c\n"
        f"        expression: '{quoted}'\n        then: {then}\n        message: said\n"
    )


@pytest.mark.parametrize(("expression", "message", "remedy"), BAD)
def test_P03_a_wrong_expression_is_refused_with_its_place(expression, message, remedy):
    with pytest.raises(InvalidSpec) as refused:
        parse_text(policy(expression), "p.yaml")
    (problem,) = refused.value.problems
    assert (problem.file, problem.line, problem.path) == ("p.yaml", 9, "spec.limits.conditions[0].expression")
    assert message in f"{problem.message} {problem.value}"
    assert remedy in (problem.remedy or "")


def test_loops_beside_one_another_are_accepted():
    text = (
        'observed.exists(d, d in p95 && observed[d] > p95[d]) || labels.map(k, k + "=" + labels[k]).all(x, x != "a=b")'
    )
    program = program_of(text)
    assert program.answer({"observed": {"d": 2.0}, "p95": {"d": 1.0}, "labels": {}}) is True
    assert program.answer({"observed": {"d": 1.0}, "p95": {"d": 1.0}, "labels": {"a": "b"}}) is False


def test_a_cap_needs_replicas_and_a_hold_takes_none():
    for then, words in (("Cap", "Cap needs replicas"), ("Hold\n        replicas: 3", "Hold takes no replicas")):
        with pytest.raises(InvalidSpec, match=words):
            parse_text(policy("replicas > 3", then), "p.yaml")


def test_what_is_not_known_cannot_be_answered_and_no_answer_is_a_no():
    program = program_of('observed["d"] > 10.0')
    assert program.answer({"observed": {"d": 11.0}}) is True
    assert program.answer({"observed": {"d": 10.0}}) is False
    assert program.answer({"observed": {}}) is None
    assert program.answer({}) is None
    assert program_of("replicas / (need - need) > 1").answer({"replicas": 3, "need": 1}) is None
    assert program_of('"d" in observed && observed["d"] > 1.0').answer({"observed": {}}) is False


def test_time_is_asked_in_a_zone():
    program = program_of('now.getHours("Europe/Berlin") == 12 && now.getDayOfWeek("Europe/Berlin") == 1')
    assert program.answer({"now": NOON}) is True


def test_it_reads_no_more_than_it_names_and_every_name_is_documented():
    program = program_of('replicas > 3 && labels["tier"] == "web" && site == "berlin"')
    assert program.names == {"replicas", "labels", "site"}
    assert all(variable.words for variable in CONTEXT.values())


def test_it_travels_to_other_processes():
    program = program_of("replicas > 3")
    assert pickle.loads(pickle.dumps(program)) == program  # noqa: S301 - our own
    assert program_of("replicas > 3") is program
