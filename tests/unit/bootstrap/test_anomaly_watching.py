"""Watching queries of one's own: a source that is away, samples that are on their way, and ids that stay."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autoscaler.adapters.sources import Sources
from autoscaler.bootstrap.anomaly_watching import SOURCE, Watcher
from autoscaler.cli.anomalies_watch import Source, _Round
from autoscaler.detection.incidents import known_as
from autoscaler.domain.anomaly import Cause
from autoscaler.domain.incident import Happening, Incident, News, Rule
from autoscaler.domain.series import SeriesBatch
from autoscaler.domain.signals import SignalKind
from autoscaler.pipeline.detecting import Asked, Group
from tests.unit.recorded_queries import Recorded

STEP_S, DAY = 300, 288
BEGIN = 4 * DAY + 100
QUIET = 3


def lines(count: int = 4, days: int = 6) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(8)
    t = np.arange(days * DAY) / DAY
    return {f"q{k}": (300 + 200 * np.sin(2 * np.pi * (t - 0.3))) * rng.lognormal(0, 0.04, t.size) for k in range(count)}


def groups(count: int = 4) -> tuple[Group, ...]:
    asked = [Asked("load", SOURCE, f"q{k}", SignalKind.DEMAND) for k in range(count)]
    return tuple(Group(f"watch/g{k}", 1.0, (one,)) for k, one in enumerate(asked))


def watching(reader: Recorded, count: int = 4) -> Watcher:
    watcher = Watcher(reader, groups(count), STEP_S, 5 * DAY * STEP_S)
    watcher.begin(BEGIN)
    return watcher


def answers(watcher: Watcher) -> bool:
    return watcher.reached


def losses(news: Sequence[News]) -> list[News]:
    return [n for n in news if n.incident.cause is Cause.SENSOR_LOSS]


def looked(watcher: Watcher, first: int, end: int) -> list[News]:
    return losses([n for step in range(first, end) for n in watcher.look(step)])


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_source_that_does_not_answer_is_one_incident_and_what_it_has_is_looked_at_later(count: int) -> None:
    """Nothing was lost: its values are there when it answers again, and no group hears of a gap."""
    reader = Recorded(lines(count))
    watcher = watching(reader, count)
    reader.away = True
    news = looked(watcher, BEGIN + 1, BEGIN + 20)
    (opened,) = news
    assert opened.incident.rule is Rule.SOURCE_AWAY
    assert opened.incident.affected == count
    assert opened.incident.opened_s == (BEGIN + QUIET) * STEP_S
    assert answers(watcher) is False
    assert [one.id for one in watcher.open if one.cause is Cause.SENSOR_LOSS] == [opened.incident.id]
    reader.away = False
    (ended,) = looked(watcher, BEGIN + 20, BEGIN + 23)
    assert (ended.happening, ended.incident.id) == (Happening.RESOLVED, opened.incident.id)
    assert answers(watcher) is True
    assert watcher.found is not None
    assert not watcher.found.rows.faults.any()
    np.testing.assert_array_equal(watcher.found.rows.observed[0, -1:], reader.values["q0"][BEGIN + 21 : BEGIN + 22])


def test_a_source_without_values_of_anything_is_one_incident_and_rates_may_begin_anew() -> None:
    values = lines()
    for k, line in enumerate(values.values()):
        line[BEGIN + 5 : BEGIN + 30 + k] = np.nan  # some come back a little later
    watcher = watching(Recorded(values))
    news = looked(watcher, BEGIN + 1, BEGIN + 45)
    assert [(n.happening, n.incident.rule) for n in news] == [
        (Happening.OPENED, Rule.SOURCE_AWAY),
        (Happening.RESOLVED, Rule.SOURCE_AWAY),
    ]
    again = Watcher(Recorded(values), groups(), STEP_S, 5 * DAY * STEP_S)
    past = losses(again.begin(BEGIN + 45))
    assert [n.incident.id for n in past] == [n.incident.id for n in news], "a restart names it as it was"


def test_a_metric_that_stays_away_when_the_source_is_back_is_lost_and_so_is_one_that_was_lost_before() -> None:
    values = lines()
    values["q0"][BEGIN + 5 :] = np.nan  # before
    for line in values.values():
        line[BEGIN + 20 : BEGIN + 30] = np.nan
    values["q3"][BEGIN + 20 :] = np.nan  # and after
    watcher = watching(Recorded(values))
    news = looked(watcher, BEGIN + 1, BEGIN + 45)
    opened = [n.incident for n in news if n.happening is Happening.OPENED]
    assert [(one.workloads[0], one.rule) for one in opened] == [
        ("watch/g0", Rule.SENSOR_GONE),
        ("watch/g0", Rule.SOURCE_AWAY),
        ("watch/g3", Rule.SENSOR_GONE),
    ]
    assert "watch/g0" in {name for one in watcher.open for name in one.workloads}, "still lost"


def test_a_sample_that_is_not_in_yet_is_waited_for_and_does_not_look_like_loss() -> None:
    reader = Recorded({name: line.copy() for name, line in lines().items()})
    whole = lines()
    watcher = watching(reader)
    for step in range(BEGIN + 1, BEGIN + 30):
        for name, line in reader.values.items():
            line[:] = whole[name]
            line[step - 1 :] = np.nan  # the newest step always comes after it was asked for
        assert not losses(watcher.look(step))
    found = watcher.found
    assert found is not None
    assert np.isfinite(found.rows.observed).all()
    assert found.first_step + found.steps == BEGIN + 28


def test_history_is_taken_day_by_day_and_let_go() -> None:
    """Verdicts of all of it took 4 MB for each query of two weeks; incidents are those of all of it."""
    values, now, at = lines(2, days=9), 8 * DAY + 20, 7 * DAY + 60
    values["q0"][at : at + 20] *= np.linspace(2, 4, 20)
    watcher = Watcher(Recorded(values), groups(2), STEP_S, 8 * DAY * STEP_S)
    watcher.begin(now)
    assert watcher.found is not None
    assert watcher.found.steps == 20
    assert watcher.found.first_step + watcher.found.steps == now
    began = [n.incident.opened_s for n in watcher.past if n.happening is Happening.OPENED]
    assert any(at <= at_s / STEP_S < at + 20 for at_s in began)


def test_one_that_is_lost_holds_the_others_up_for_two_steps_and_no_longer() -> None:
    values = lines()
    values["q1"][BEGIN + 5 :] = np.nan
    watcher = watching(Recorded(values))
    ends = []
    for step in range(BEGIN + 1, BEGIN + 15):
        watcher.look(step)
        ends.append(0 if watcher.found is None else step - watcher.found.first_step - watcher.found.steps)
    assert max(ends) <= 2
    assert ends[-1] == 0


def test_an_incident_keeps_the_id_of_the_record_when_groups_come_and_go() -> None:
    old = Incident("a", 1000.0, 4000.0, Cause.DEMAND, Rule.MORE_DEMAND, 0.5, ("watch/g1",), 1, resolved_s=4000.0)
    later = replace(old, id="b", opened_s=1600.0, updated_s=4300.0, resolved_s=4300.0)
    other = replace(old, id="c", workloads=("watch/g2",))
    again = replace(old, id="d", opened_s=90_000.0, updated_s=91_000.0, resolved_s=None)
    assert known_as([later, other, again], [old]) == {"b": "a"}
    assert known_as([old, later], [old]) == {}
    many = replace(old, id="e", workloads=("watch/g0", "watch/g1", "watch/g2"), affected=3)
    assert known_as([later], [many]) == {"b": "e"}


@pytest.mark.slow
def test_a_watch_with_more_groups_goes_on_under_the_id_that_the_record_knows() -> None:
    values = lines(4, days=8)
    at = 7 * DAY + 60
    values["q1"][at : at + 20] *= np.linspace(2, 4, 20)
    few = Watcher(Recorded(values), groups(2), STEP_S, 8 * DAY * STEP_S)
    few.begin(at + 12)
    (one,) = [each for each in few.open if each.workloads == ("watch/g1",)]
    recorded = replace(one, id="20260101-0000-abcdef", opened_s=one.opened_s - 600.0)
    more = Watcher(Recorded(values), groups(4), STEP_S, 8 * DAY * STEP_S)
    told = {n.incident.id for n in more.begin(at + 12, [recorded])}
    assert recorded.id in told
    assert one.id not in told
    news = [n for step in range(at + 13, at + 60) for n in more.look(step)]
    assert [n.incident.id for n in news if n.happening is Happening.RESOLVED] == [recorded.id]


class Frozen(Recorded):
    """Accepts, and never answers while `frozen` is set."""

    def __init__(self, values: dict[str, np.ndarray]) -> None:
        super().__init__(values)
        self.frozen = False
        self.go_on = threading.Event()

    def load(self, *asked: Any) -> SeriesBatch:
        if self.frozen:
            self.go_on.wait(30.0)
        return super().load(*asked)


def test_a_frozen_source_costs_a_step_no_more_than_its_bound_and_healthz_says_so(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    reader = Frozen(lines())
    with Sources({SOURCE: reader}, 0.3) as live:
        watcher = Watcher(reader, groups(), STEP_S, 5 * DAY * STEP_S, live)
        watcher.begin(BEGIN)
        watched = _Round(watcher, None, Source("http://prometheus:9090", 0.3), "json")
        watched.looked((BEGIN + 1) * STEP_S)
        assert watched.health()["ok"]
        reader.frozen = True
        began = time.monotonic()
        for step in range(BEGIN + 2, BEGIN + 8):
            watched.looked(step * STEP_S)
        assert time.monotonic() - began < 2.0, "the first waits for its bound, the others for nothing"
        assert "does not answer within 0.3 s" in watched.health()["lastError"]
        assert caplog.text.count("source_silent") == 1
        assert capsys.readouterr().out.count('"Opened"') == 1
        reader.frozen = False
        reader.go_on.set()
        end = time.monotonic() + 10
        step = BEGIN + 8
        while not watched.health()["ok"]:
            assert time.monotonic() < end
            watched.looked(step * STEP_S)
            step += 1
            time.sleep(0.05)
    watched.looked_s -= 10 * STEP_S
    assert "no step was looked at" in watched.health()["lastError"]
