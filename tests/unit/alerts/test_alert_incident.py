"""An incident in an alert: its numbers, its course and why; hostile names of metrics are plain by then. Row A06."""

import math

from autoscaler.adapters.store.outbox import packed, unpacked
from autoscaler.domain.alert_incident import story_of
from autoscaler.domain.alert_story import MOST_POINTS, Course, Story
from autoscaler.domain.anomaly import Cause
from autoscaler.domain.incident import Evidence, Incident, Rule, Trail
from autoscaler.domain.signals import SignalKind
from tests.unit.alerts.told import alert

KIND = next(iter(SignalKind))


def incident(metric: str = "requests", points: int = 400) -> Incident:
    observed = (*(float(k) for k in range(points - 1)), math.nan)
    trail = Trail("shop/web", metric, 60, 0, observed, (1.0,) * points, (), ())
    evidence = (
        Evidence("shop/web", metric, KIND, 1234.0, 340.0, 210.0, 480.0, 5.0),
        Evidence("shop/web", "errors", KIND, math.nan, math.nan),
    )
    return Incident("i-1", 0.0, 60.0, Cause.DEMAND, Rule.MORE_DEMAND, 0.9, ("shop/web",), 1, evidence, trails=(trail,))


def test_an_incident_tells_its_numbers_why_and_its_newest_course():
    story = story_of(incident(), "It scales.", "Nothing has to be done.", "foresail explain shop/web")
    assert story.figures == (("requests", "1.23k, expected 340"), ("errors", "unknown"))
    assert story.why.startswith("more demand than expected, and nothing that fails; requests 1.23k, expected 340")
    assert (story.did, story.next_step, story.command) == (
        "It scales.", "Nothing has to be done.", "foresail explain shop/web",
    )  # fmt: skip
    assert story.course is not None
    assert len(story.course.observed) == len(story.course.expected) == MOST_POINTS
    assert math.isnan(story.course.observed[-1])


def test_a06_a_metric_with_a_hostile_name_is_plain_in_the_story():
    story = story_of(incident("<!channel>\n" + "x" * 100_000))
    assert story.figures[0][0].startswith("‹!channel› xxx")
    assert story.course is not None
    assert len(story.course.name) <= 60


def test_a_story_is_the_same_after_the_outbox_had_it():
    from dataclasses import replace

    one = replace(alert(), story=Story((("a", "1"),), "why", "did", "next", "command", Course("x", 60.0, (1.0, 2.0))))
    assert unpacked(packed(one)) == one
    back = unpacked(packed(replace(alert(), story=story_of(incident()))))
    assert back is not None
    assert back.story is not None
    assert back.story.course is not None
    assert math.isnan(back.story.course.observed[-1])
    before = unpacked(packed(replace(alert(), story=None)))
    assert before is not None
    assert before.story is None
