"""P03: cron expressions are read as KEDA's parser reads them; a slip names its field and the way out."""

import pytest

from autoscaler.domain.errors import InvalidSpec
from autoscaler.spec import parse_text
from autoscaler.spec.cron import cron_of


@pytest.mark.parametrize(
    ("text", "minutes", "hours", "weekdays"),
    [
        ("0 8 * * 1-5", {0}, {8}, {1, 2, 3, 4, 5}),
        ("*/20 8,12 ? * mon,SUN", {0, 20, 40}, {8, 12}, {0, 1}),
        ("50/5 0-6/3 1 jan *", {50, 55}, {0, 3, 6}, set(range(7))),
    ],
)
def test_P03_fields_are_read_as_sets(text, minutes, hours, weekdays):
    cron = cron_of(text)
    assert (cron.minutes, cron.hours, cron.weekdays) == (minutes, hours, weekdays)


def test_only_one_moment_of_every_day_is_a_time_of_the_day():
    assert cron_of("30 8 * * 1-5").daily_at == 510
    assert [cron_of(t).daily_at for t in ("30 8 1 * *", "30 8 * jan *", "0,30 8 * * *", "0 * * * *")] == [None] * 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has 0 fields"), ("0 8 * *", "has 4 fields"), ("0 8 * * 1 2026", "has 6 fields"), ("@daily", "no @-names"),
        ("60 8 * * *", "minute 60 is above 59"), ("0 24 * * *", "hour 24 is above 23"),
        ("0 8 0 * *", "day of the month 0 is below 1"), ("0 8 * 13 *", "month 13 is above 12"),
        ("0 8 * * 7", "day of the week 7 is above 6"), ("0 8 * * fun", "'fun' is no number"),
        ("0 8 * * 5-1", "runs backward"), ("*/0 8 * * *", "has no step"), ("1--2 8 * * *", "no number, range or step"),
        ("*-5 8 * * *", "is no range"), ("0, 8 * * *", "'' is no number, range or step"),
    ],
)  # fmt: skip
def test_P03_a_slip_names_its_field(text, words):
    with pytest.raises(ValueError, match=words.replace("*", r"\*")):
        cron_of(text)


def test_P03_a_cron_in_a_policy_is_refused_with_the_window_to_write():
    text = (
        "apiVersion: foresail.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: p}\nspec:\n"
        "  selector: {namespaces: [shop]}\n  limits:\n    schedule:\n      - name: day\n        min: 4\n"
        "        when: {cron: 0 8 * * 1-5}\n"
    )
    with pytest.raises(InvalidSpec) as refused:
        parse_text(text, "p.yaml")
    (problem,) = refused.value.problems
    assert (problem.line, problem.path) == (10, "spec.limits.schedule[0].when.cron")
    assert "weekly" in str(problem.remedy)
