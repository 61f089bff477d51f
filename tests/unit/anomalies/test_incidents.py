"""Events become incidents: one per workload, one for many at once, with a name that stays and an end."""

from typing import Any

import pytest

from autoscaler.detection.causes_memory import CauseMemory
from autoscaler.detection.incidents import IncidentBook
from autoscaler.domain.anomaly import Cause
from autoscaler.domain.incident import Happening, News, Rule
from autoscaler.domain.signals import SignalKind
from autoscaler.domain.verdict import DataFault

D, L, E, S = SignalKind.DEMAND, SignalKind.LATENCY, SignalKind.ERRORS, SignalKind.SATURATION
OPENED, UPDATED, RESOLVED = Happening.OPENED, Happening.UPDATED, Happening.RESOLVED


def lived(story: Any, cut: int = 1000) -> tuple[IncidentBook, list[News]]:
    book, memory, news = (
        IncidentBook(story.names, story.step_s),
        CauseMemory.fresh(story.workloads, len(story.usual)),
        [],
    )
    for a in range(0, story.steps, cut):
        news += book.advance(story.seen(a, min(story.steps, a + cut), memory))
    return book, news


def happened(news: list[News]) -> list[Happening]:
    return [n.happening for n in news]


def test_one_event_is_one_incident_with_its_evidence_and_its_end(story) -> None:
    told = story((D, L, E, S), steps=120)
    told.event(70, 80, d0=0.4, e2=20.0)
    _, news = lived(told)
    assert happened(news) == [OPENED, RESOLVED]
    opened, over = (n.incident for n in news)
    assert opened.cause is Cause.LATENCY_ERRORS
    assert opened.rule is Rule.FAILING_WITH_LESS
    assert opened.opened_s == (told.first_step + 71) * 60
    assert over.resolved_s == (told.first_step + 109) * 60
    assert {e.metric for e in opened.evidence} >= {"demand0", "errors2"}
    errors = next(e for e in opened.evidence if e.metric == "errors2")
    assert (errors.observed, errors.expected) == (20.0, 1.0)
    assert "errors2 20, expected 1 (0.9 to 1.1)" in opened.why


def test_the_trail_shows_what_was_before_and_all_of_it(story) -> None:
    told = story((D,), steps=200)
    told.event(100, 120, d0=2.0)
    _, news = lived(told, cut=13)
    trail = news[-1].incident.trails[0]
    assert trail.first_step == told.first_step + 40
    assert trail.observed[:60] == (100.0,) * 60
    assert trail.observed[60:80] == (200.0,) * 20
    assert trail.expected[60] == 100.0
    assert trail.upper[60] == pytest.approx(110)


def test_a_short_pause_is_the_same_incident(story) -> None:
    told = story((D,), steps=120)
    told.event(20, 30, d0=2.0)
    told.event(40, 50, d0=2.0)
    _, news = lived(told)
    assert happened(news) == [OPENED, RESOLVED]


def test_the_same_again_within_hours_is_reopened_under_its_name(story) -> None:
    told = story((D,), steps=200)
    told.event(20, 30, d0=2.0)
    told.event(100, 110, d0=2.0)
    _, news = lived(told)
    assert happened(news) == [OPENED, RESOLVED, UPDATED, RESOLVED]
    assert len({n.incident.id for n in news}) == 1
    assert news[2].incident.open


def test_much_later_it_is_another_one(story) -> None:
    told = story((D,), steps=700)
    told.event(20, 30, d0=2.0)
    told.event(600, 610, d0=2.0)
    _, news = lived(told)
    assert happened(news) == [OPENED, RESOLVED] * 2
    assert len({n.incident.id for n in news}) == 2


def test_many_at_once_are_one_incident_of_the_fleet(story) -> None:
    told = story((D, L), workloads=30)
    for workload in range(30):
        told.event(20, 25, workload=workload, d0=0.01)
    _, news = lived(told)
    assert happened(news) == [OPENED, RESOLVED]
    assert news[0].incident.affected == 30
    assert news[0].incident.where == "shop/w0 and 29 more"


def test_the_first_takes_those_in_that_follow_within_minutes(story) -> None:
    told = story((D,), workloads=10, steps=100)
    for workload in range(6):
        told.event(20 + workload, 40, workload=workload, d0=0.01)
    book, news = lived(told)
    first = news[0].incident
    absorbed = [n.incident for n in news if n.incident.merged_into]
    assert [n.merged_into for n in absorbed] == [first.id] * 1
    assert not absorbed[0].open
    assert [n.happening for n in news if n.incident.id == first.id][:2] == [OPENED, UPDATED]
    last = news[-1].incident
    assert (last.id, last.affected, last.open) == (first.id, 6, False)
    assert not book.open


def test_two_of_many_stay_two(story) -> None:
    told = story((D,), workloads=30, steps=100)
    told.event(20, 40, workload=3, d0=2.0)
    told.event(20, 40, workload=9, d0=2.0)
    _, news = lived(told)
    assert happened(news) == [OPENED, OPENED, RESOLVED, RESOLVED]


def test_what_turns_out_to_be_faulty_data_is_told_as_such(story) -> None:
    told = story((D, E))
    told.event(20, 50, d0=40.0)
    told.fault(25, 50, 0, DataFault.UNIT_CHANGE)
    _, news = lived(told)
    causes = [n.incident.cause for n in news if n.happening is UPDATED]
    assert causes == [Cause.SUSPECTED_ATTACK, Cause.DATA_FAULT]
    assert len({n.incident.id for n in news}) == 1


def test_a_lost_signal_is_an_incident_that_binds_no_gate(story) -> None:
    told = story((D, E))
    told.fault(20, 40, 1, DataFault.GAP)
    _, news = lived(told)
    assert news[0].incident.cause is Cause.SENSOR_LOSS
    assert news[0].incident.gates is False


@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_blocks_and_single_steps_have_the_same_news(story, cut) -> None:
    told = story((D, L, E, S), workloads=8, steps=150)
    for workload in range(4):
        told.event(30 + workload, 50, workload=workload, d0=3.0, s3=2.0)
    told.event(80, 90, workload=6, e2=9.0)
    assert lived(told, cut)[1] == lived(told, 1)[1]


def test_a_restart_goes_on_with_what_was_open(story) -> None:
    told = story((D,), steps=120)
    told.event(20, 40, d0=2.0)
    memory, before = CauseMemory.fresh(1, 1), IncidentBook(told.names, 60)
    first = before.advance(told.seen(0, 30, memory))
    after = IncidentBook(told.names, 60)
    after.adopt(told.names, list(before.standing.values()))
    news = after.advance(told.seen(30, 120, memory))
    assert happened(news) == [RESOLVED]
    assert news[0].incident.id == first[0].incident.id
