"""By which rule a workload's event gets its cause."""

from typing import Any

import numpy as np
import pytest

from autoscaler.detection.causes_memory import CauseMemory
from autoscaler.domain.anomaly import CAUSES, Cause
from autoscaler.domain.incident import Rule
from autoscaler.domain.signals import SignalKind
from autoscaler.domain.verdict import DataFault

D, L, E, S = SignalKind.DEMAND, SignalKind.LATENCY, SignalKind.ERRORS, SignalKind.SATURATION
FULL = (D, L, E, S)


def causes(seen: Any, step: int, group: int = 0) -> set[Cause]:
    bits = int(seen.causes.bits[group, step])
    return {cause for cause in CAUSES if bits & cause.bit}


def rule(seen: Any, step: int, group: int = 0) -> Rule:
    return Rule(int(seen.causes.rule[group, step]))


@pytest.mark.parametrize(
    ("kinds", "times", "cause", "why"),
    [
        (FULL, {"d0": 1.5, "s3": 1.4}, {Cause.DEMAND}, Rule.MORE_DEMAND),
        (FULL, {"d0": 0.3}, {Cause.DEMAND}, Rule.LESS_DEMAND),
        (FULL, {"s3": 1.6}, {Cause.CAPACITY}, Rule.SATURATED),
        (FULL, {"l1": 4.0}, {Cause.LATENCY_ERRORS}, Rule.SLOW),
        (FULL, {"e2": 20.0}, {Cause.LATENCY_ERRORS}, Rule.FAILING),
        (FULL, {"d0": 0.4, "e2": 20.0}, {Cause.LATENCY_ERRORS}, Rule.FAILING_WITH_LESS),
        (FULL, {"d0": 0.4, "l1": 5.0}, {Cause.LATENCY_ERRORS}, Rule.FAILING_WITH_LESS),
        (FULL, {"d0": 1.8, "e2": 30.0}, {Cause.LATENCY_ERRORS}, Rule.RETRIES),
        (FULL, {"d0": 1.5, "l1": 1.5, "s3": 1.5}, {Cause.DEMAND, Cause.LATENCY_ERRORS}, Rule.MORE_DEMAND),
        (FULL, {"d0": 6.0, "s3": 1.0}, {Cause.SUSPECTED_ATTACK}, Rule.ALONE),
        (FULL, {"d0": 6.0, "s3": 2.5}, {Cause.DEMAND}, Rule.MORE_DEMAND),
        ((D,), {"d0": 6.0}, {Cause.SUSPECTED_ATTACK}, Rule.BEYOND_ALL),
        ((D,), {"d0": 2.5}, {Cause.DEMAND}, Rule.MORE_DEMAND),
        ((D, D), {"d0": 6.0}, {Cause.SUSPECTED_ATTACK}, Rule.ALONE),
        ((D, D), {"d0": 6.0, "d1": 6.0}, {Cause.DEMAND}, Rule.MORE_DEMAND),
    ],
)
def test_each_class_by_its_rule(story, kinds, times, cause, why) -> None:
    told = story(kinds)
    told.event(20, 40, **times)
    seen = told.seen()
    assert causes(seen, 30) == cause
    assert rule(seen, 30) is why
    assert causes(seen, 19) == causes(seen, 56) == set()
    assert seen.causes.severity[0, 30] == pytest.approx(0.8)
    assert seen.causes.severity[0, 10] == 0


def test_a_crowd_is_not_called_an_attack_before_enough_days_are_known(story) -> None:
    told = story((D,))
    told.known_days[:] = 2
    told.event(20, 40, d0=8.0)
    assert causes(told.seen(), 30) == {Cause.DEMAND}


def test_S09_a_ramp_steeper_than_any_before_is_suspected(story) -> None:
    told = story((D,))
    told.event(20, 40, d0=3.5)
    told.climb[:, 20:40] = 4.0
    assert (causes(told.seen(), 30), rule(told.seen(), 30)) == ({Cause.SUSPECTED_ATTACK}, Rule.STEEP)


@pytest.mark.parametrize(
    ("fault", "cause", "why"),
    [
        (DataFault.STUCK, Cause.SENSOR_LOSS, Rule.SENSOR_STUCK),
        (DataFault.GAP, Cause.SENSOR_LOSS, Rule.SENSOR_GONE),
        (DataFault.UNIT_CHANGE, Cause.DATA_FAULT, Rule.OTHER_UNIT),
        (DataFault.COUNTER_RESET, Cause.DATA_FAULT, Rule.COUNTER_FELL),
        (DataFault.DUPLICATED, Cause.DATA_FAULT, Rule.TWICE_THE_SAME),
    ],
)
def test_M24_M25_faulty_data_comes_before_every_other_cause(story, fault, cause, why) -> None:
    told = story(FULL)
    told.event(20, 40, d0=6.0)
    told.fault(25, 35, 0, fault)
    seen = told.seen()
    assert causes(seen, 30) == {cause}
    assert rule(seen, 30) is why
    assert seen.causes.masked[0, 25:35].all()
    assert not seen.causes.masked[1:, 25:35].any()


def test_a_signal_without_data_is_news_and_holds_nothing(story) -> None:
    told = story(FULL)
    told.fault(25, 35, 2, DataFault.GAP)
    seen = told.seen()
    assert causes(seen, 30) == set()
    assert seen.causes.event[0, 30]
    assert int(seen.causes.news[0, 30]) == Cause.SENSOR_LOSS.bit
    assert not seen.causes.masked.any()


def test_two_workloads_that_ask_for_the_same_have_no_duplicate(story) -> None:
    told = story((D,), workloads=2)
    told.same[:] = True
    told.fault(25, 35, 0, DataFault.DUPLICATED)
    assert not told.seen().causes.event.any()


def test_a_page_keeps_its_cause_when_the_steps_that_made_it_are_gone(story) -> None:
    told = story(FULL)
    told.event(20, 24, d0=0.4, e2=20.0)
    told.paging[0, 24:40] = True
    assert causes(told.seen(), 35) == {Cause.LATENCY_ERRORS}


def test_a_suspected_attack_stays_suspected_until_its_event_is_over(story) -> None:
    told = story(FULL)
    told.event(10, 30, d0=6.0)
    told.event(20, 30, d0=2.0, s3=2.0)
    seen = told.seen()
    assert causes(seen, 29) == {Cause.SUSPECTED_ATTACK}
    assert causes(seen, 50) == set()
    assert seen.causes.masked[0, 12:30].all()


def test_an_event_that_no_rule_explains_is_one_all_the_same(story) -> None:
    told = story((D, SignalKind.OTHER))
    told.event(20, 40, o1=3.0)
    seen = told.seen()
    assert causes(seen, 30) == set()
    assert rule(seen, 30) is Rule.UNEXPLAINED
    assert seen.causes.event[0, 30]


@pytest.mark.parametrize("cut", [1, 7, 25, 33])
def test_blocks_and_single_steps_tell_the_same(story, cut) -> None:
    told = story(FULL, workloads=2)
    told.event(20, 30, d0=6.0)
    told.event(26, 40, d0=1.5, e2=9.0)
    told.event(10, 50, workload=1, d0=0.3, l1=6.0)
    told.paging[0, 40:44] = True
    whole, memory = told.seen(), CauseMemory.fresh(2, 8)
    parts = [told.seen(a, min(a + cut, 60), memory) for a in range(0, 60, cut)]
    for name in ("bits", "rule", "event", "severity", "masked"):
        joined = np.concatenate([getattr(p.causes, name) for p in parts], axis=1)
        np.testing.assert_array_equal(joined, getattr(whole.causes, name))


@pytest.mark.parametrize("factor", [1000.0, 1024.0, 0.001])
def test_M25_the_first_sample_in_another_unit_is_not_believed(story, factor) -> None:
    told = story((D, S))
    told.observed[0, 30] *= factor
    seen = told.seen()
    assert causes(seen, 30) == {Cause.DATA_FAULT}
    assert causes(seen, 31) == set()


def test_M25_a_crowd_that_is_no_factor_of_units_is_demand(story) -> None:
    told = story((D, S))
    told.event(30, 40, d0=25.0, s1=5.0)
    assert causes(told.seen(), 30) == {Cause.DEMAND}


def test_a_value_within_its_usual_range_is_in_no_other_unit(story) -> None:
    told = story((D, E))
    told.fault(25, 35, 1, DataFault.UNIT_CHANGE)
    assert not told.seen().causes.event.any()
    told.observed[1, 25:35] = 1000.0
    assert told.seen().causes.event[0, 30]
