"""The story of an alert: through the outbox and back, and of an incident that becomes worse. Rows A02, A03, A06."""

import math
from dataclasses import replace

import pytest

from autoscaler.adapters.store.outbox import packed, unpacked
from autoscaler.bootstrap.anomaly_alerts import IncidentAlerts
from autoscaler.domain.alert_route import GroupBy
from autoscaler.domain.alert_story import Course, Story
from autoscaler.domain.anomaly import Cause
from autoscaler.domain.incident import Evidence, Happening, Incident, News, Rule, Trail
from autoscaler.domain.signals import SignalKind
from tests.unit.alerts.test_routed import Heard, routed
from tests.unit.alerts.told import T0, alert

KIND = next(iter(SignalKind))


def incident(cause: Cause, rule: Rule, metric: str = "requests") -> Incident:
    trail = Trail("shop/web", metric, 60, 0, (1.0, 2.0, math.nan), (1.0, 1.0, 1.0), (), ())
    evidence = (Evidence("shop/web", metric, KIND, 1234.0, 340.0), Evidence("shop/web", "x", KIND, math.nan, math.nan))
    return Incident("i-1", T0, T0, cause, rule, 0.9, ("shop/web",), 1, evidence, trails=(trail,))


def test_a_story_is_the_same_after_the_outbox_had_it():
    one = replace(alert(), story=Story((("a", "1"),), "why", "did", "next", "command", Course("x", 60.0, (1.0, 2.0))))
    assert unpacked(packed(one)) == one
    before = unpacked(packed(replace(alert(), story=None)))
    assert before is not None
    assert before.story is None
    gap = unpacked(packed(replace(alert(), story=Story(course=Course("x", 60.0, (1.0, math.nan))))))
    assert gap is not None
    assert gap.story is not None
    assert gap.story.course is not None
    assert math.isnan(gap.story.course.observed[1])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"figures": (("a", "1"),) * 4}, "4 figures"),
        ({"why": "<b>"}, "plain text"),
        ({"figures": (("", "1"),)}, "plain text"),
        ({"command": "x" * 400}, "at most 300"),
    ],
)
def test_a06_a_story_that_is_not_plain_does_not_exist(given, words):
    with pytest.raises(ValueError, match=words):
        Story(**given)


def test_a_course_is_bounded_and_both_lines_are_as_long():
    for observed, expected in (((), ()), ((1.0,) * 289, ()), ((1.0, 2.0), (1.0,))):
        with pytest.raises(ValueError, match="points"):
            Course("x", 60.0, observed, expected)


def test_a03_an_incident_that_becomes_worse_pages_anew_and_its_former_alert_ends():
    book, heard = IncidentAlerts(), Heard()
    channel, _ = routed(heard, group_by=GroupBy.INCIDENT)
    mild, grave = incident(Cause.DEMAND, Rule.MORE_DEMAND), incident(Cause.LATENCY_ERRORS, Rule.FAILING)

    def look(happening: Happening, one: Incident, at_s: float) -> None:
        for each in (*book.of([News(happening, one)], at_s), *book.standing):
            channel.send([each], at_s)

    look(Happening.OPENED, mild, T0)
    look(Happening.UPDATED, grave, T0 + 60)
    look(Happening.UPDATED, grave, T0 + 90)
    look(Happening.UPDATED, mild, T0 + 120)
    assert {one.firing for one in book.standing} == {True, False}
    look(Happening.RESOLVED, replace(grave, resolved_s=T0 + 180), T0 + 180)
    told = [
        (m.act.value, m.severity.word, thread) for m, (_, _, thread) in zip(heard.messages, heard.said, strict=True)
    ]
    assert told == [
        ("firing", "warning", 1), ("firing", "critical", 2), ("resolved", "warning", 1),
        ("firing", "warning", 2), ("resolved", "critical", 1), ("resolved", "warning", 0),
    ]  # fmt: skip
    assert book.of([], T0 + 2000) == []
    assert book.standing == ()


def test_a09_an_incident_that_became_worse_is_not_told_again_after_a_restart_and_its_end_is():
    book, heard = IncidentAlerts(), Heard()
    channel, _ = routed(heard)
    mild, grave = incident(Cause.DEMAND, Rule.MORE_DEMAND), incident(Cause.LATENCY_ERRORS, Rule.FAILING)
    for happening, one, at_s in ((Happening.OPENED, mild, T0), (Happening.UPDATED, grave, T0 + 60)):
        for each in book.of([News(happening, one)], at_s):
            channel.send([each], at_s)
    after = IncidentAlerts()
    after.restore([grave])
    for each in after.standing:
        assert channel.send([each], T0 + 90).idle
    (over,) = after.of([News(Happening.RESOLVED, replace(grave, resolved_s=T0 + 120))], T0 + 120)
    assert not channel.send([over], T0 + 120).idle
    assert heard.messages[-1].act.value == "resolved"
