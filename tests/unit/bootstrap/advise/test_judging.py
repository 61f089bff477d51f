"""Which records are judged, how sure that is, and the reason where one is not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autoscaler.bootstrap.advise.candidates import Basis, Confidence, Doubt, HpaAsSet, Unjudged
from autoscaler.bootstrap.advise.judging import Question, better_by_cpu, case_of
from autoscaler.domain.series import DataVerdict
from autoscaler.domain.workload import Actuation

ASKED = Question(180.0, 0.005, 60)


def judged(one: Any, told: Any) -> Any:
    return case_of(one, told, ASKED)


def by_cpu(one: Any, told: Any) -> Any:
    return better_by_cpu(one, told, ASKED.step_s)


def test_a_good_record_is_a_case(candidate, record, wave):
    case = judged(candidate(), record(wave()))
    assert case.confidence is Confidence.HIGH
    assert case.workload.actuation is Actuation.HPA_FLOOR
    assert (case.workload.min_replicas, case.workload.max_replicas, case.as_set) == (2, 20, 70)
    assert case.hotter == ((75, 75), (80, 80), (85, 85), (90, 90), (95, 95))


def test_targets_are_tried_only_as_far_as_capacity_is_trusted(candidate, record, wave):
    """Where replicas were never busier than 55 % of their request they are trusted with 60 %: 50 % is 83 % of that."""
    told = record(wave(), 0.3)
    one = candidate(hpa=HpaAsSet("h", 2, 40, cpu_share=0.5))
    case = judged(one, told)
    assert case.as_set == pytest.approx(100 * 0.5 / case.capacity.per_replica, abs=0.5)
    assert all(percent <= 95 for _, percent in case.hotter)
    assert case.confidence is Confidence.MEDIUM


def test_without_an_hpa_foresail_is_alone(candidate, record, wave):
    case = judged(candidate(hpa=None), record(wave()))
    assert (case.workload.actuation, case.as_set, case.hotter) == (Actuation.SCALE, None, ())
    assert case.workload.max_replicas == 2 * int(record(wave()).wanted.max())


def _half_gone(values):
    return np.where(np.arange(len(values)) % 100 < 60, values, np.nan)


def _nearly(values):
    return np.where(np.arange(len(values)) >= len(values) - 4 * 1440 + 9, values, np.nan)


def _young(values):
    return np.where(np.arange(len(values)) >= len(values) - 3 * 1440, values, np.nan)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_young, "short history: 3.0 days"),
        (_nearly, "short history: 3.9 days, and a judgement needs 4"),
        (_half_gone, "gaps: 40%"),
        (lambda v: np.full_like(v, 3.0), "flat"),
        (np.zeros_like, "zero throughout"),
        (lambda v: np.full_like(v, np.nan), "no demand on record"),
    ],
)
def test_a_record_that_says_too_little_is_refused(candidate, record, wave, change, words):
    found = judged(candidate(), record(change(wave())))
    assert isinstance(found, Unjudged)
    assert words in found.reason


def test_a_typed_query_is_not_told_to_be_typed(candidate, record, wave):
    empty = record(np.full_like(wave(), np.nan))
    typed, found = judged(candidate(basis=Basis.TYPED), empty), judged(candidate(), empty)
    assert "--queries" not in typed.remedy
    assert "--queries" in found.remedy


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"throttled": np.full(14 * 288, 0.5)}, "CPU was throttled 100%"),
        ({"wanted": np.full(14 * 288, 20.0)}, "HPA's maximum (20) 100%"),
        ({"verdict": DataVerdict.SEVERAL_SERIES, "note": "3 series"}, "several series"),
        ({"ready": np.full(14 * 288, np.nan)}, "no capacity: fewer than 12 hours"),
    ],
)
def test_a_demand_that_was_cut_off_is_refused(candidate, record, wave, changes, words):
    found = judged(candidate(), record(wave(), **changes))
    assert isinstance(found, Unjudged)
    assert words in found.reason


def test_cpu_at_its_limit_is_a_lower_bound_too(candidate, record, wave):
    told = record(wave(), 0.45)
    found = judged(candidate(limit_cores=0.45), told)
    assert isinstance(found, Unjudged)
    assert "stood at its limit" in found.reason


def test_doubts_lower_the_confidence_and_say_why(candidate, record, wave):
    demand = wave()
    few = judged(candidate(), record(np.where(np.arange(len(demand)) < 8 * 1440, np.nan, demand)))
    assert (few.confidence, [d.words for d in few.doubts]) == (Confidence.LOW, ["6.0 days of history"])
    proxy = replace(candidate(), doubts=(Doubt(Confidence.MEDIUM, "CPU stands for demand"),))
    assert judged(proxy, record(demand)).confidence is Confidence.MEDIUM
    some = np.full(14 * 288, 0.0)
    some[:100] = 0.5
    at_times = judged(candidate(), record(demand, throttled=some))
    assert at_times.doubts[0].words == "its CPU was throttled 2% of the time"


def test_requests_that_do_not_move_the_cpu_give_way_to_it(candidate, record, wave):
    one = candidate(basis=Basis.REQUESTS)
    rng = np.random.default_rng(0)
    told = record(wave(), cpu_cores=rng.uniform(1, 5, 14 * 288))
    other = by_cpu(one, told)
    assert (other.basis, other.query, other.doubts[-1].most) == (Basis.CPU, "cpu", Confidence.MEDIUM)
    assert by_cpu(one, record(wave())) is None
    assert by_cpu(candidate(), told) is None


def test_a_counter_that_counts_nothing_gives_way_to_cpu(candidate, record, wave):
    one = candidate(basis=Basis.REQUESTS)
    assert by_cpu(one, record(np.zeros(14 * 1440))).basis is Basis.CPU
    assert by_cpu(one, record(np.full(14 * 1440, np.nan))).basis is Basis.CPU
