"""From cases to advice: what is reported is what the live pipeline did, and the order is by what it is worth."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autoscaler.bootstrap.advise.advice import Advised, ordered
from autoscaler.bootstrap.advise.candidates import Confidence, Doubt, HpaAsSet
from autoscaler.bootstrap.advise.group import Group
from autoscaler.bootstrap.advise.judging import Question, case_of
from autoscaler.bootstrap.advise.manifests import manifest, quantity_words
from autoscaler.bootstrap.advise.pages import report_of
from autoscaler.bootstrap.advise.simulating import Simulated, simulate
from autoscaler.cli.advise_view import would
from autoscaler.reporting.report.page import page
from autoscaler.simulator.starts import ReadySpread
from autoscaler.spec.compile import PrometheusSource
from autoscaler.spec.reader import parse_text

DAYS = 4
PERCENT = 50


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """Holds the results of one run for all tests of this file."""
    return {}


@pytest.fixture
def group(candidate, record, wave) -> Group:
    asked = Question(180.0, 0.005, 60)
    makes = {"cold": HpaAsSet("h", 2, 40, cpu_share=0.5), "hot": HpaAsSet("h", 2, 40, cpu_share=0.95), "bare": None}
    cases: list[Any] = [
        case_of(candidate(name, hpa=hpa), record(wave(4.0 + k, DAYS, seed=k)), asked)
        for k, (name, hpa) in enumerate(makes.items())
    ]
    return Group(tuple(cases), asked, 0)


@pytest.fixture
def results(told, group) -> tuple[Simulated, ...]:
    if "results" not in told:
        shares: list[float] = []
        told["results"] = simulate(group, shares.append)
        assert shares == sorted(shares)
        assert shares[-1] == pytest.approx(1.0)
    found: tuple[Simulated, ...] = told["results"]
    return found


@pytest.mark.slow
def test_a_cold_hpa_may_run_hotter_above_our_floor(results):
    cold, _, _ = results
    assert cold.target is not None
    assert cold.target > PERCENT
    assert cold.advised is not None
    assert (cold.advised.scores.short_share or 0.0) <= 0.005
    assert cold.advised.scores.replica_hours < 0.8 * cold.now.scores.replica_hours
    # the pass over our floors, which chose what to try, said nearly the same as the live pipeline at it
    tried = {target: (share, hours) for target, share, hours in cold.hotter}
    share, hours = tried[cold.target]
    assert share == pytest.approx(cold.advised.scores.short_share, abs=0.005)
    assert hours == pytest.approx(cold.advised.scores.replica_hours, rel=0.1)


@pytest.mark.slow
def test_a_hot_hpa_gets_safety_and_no_target(results, group):
    _, hot, _ = results
    assert (hot.target, hot.advised) == (None, None)
    before, after = round(hot.now.scores.short_minutes), round(hot.beside.scores.short_minutes)
    assert after < before
    told = would(Advised(group.cases[1], hot))
    assert f"here it removes {before - after:,} of {before:,} short minutes" in told
    assert f"the floor alone removes {before - after:,}" in page(report_of(Advised(group.cases[1], hot), "0.5%"))
    worse = replace(hot, beside=hot.now, now=hot.beside)
    assert f"short {before - after:,} minutes more: do not raise the floor" in would(Advised(group.cases[1], worse))


@pytest.mark.slow
def test_without_an_hpa_the_record_is_what_we_are_held_against(results, group):
    bare = results[2]
    assert bare.now.name == "as recorded"
    np.testing.assert_array_equal(bare.now.served.running[::5], group.cases[2].wanted)
    assert bare.retuned is None


@pytest.mark.slow
def test_the_manifest_is_a_fleet_and_the_page_names_the_target(results, group):
    judged = [Advised(case, result) for case, result in zip(group.cases, results, strict=True)]
    source = PrometheusSource("prometheus", "http://prometheus:9090", headers=(("X-Scope-OrgID", "shop"),))
    fleet = parse_text(manifest(source, judged, "0.5%"), "foresail.yaml")
    assert [w.ref.name for w in fleet.compile()] == ["cold", "hot", "bare"]
    assert [w.risk for w in fleet.compile()] == [0.005] * 3
    assert fleet.servers[0].headers == source.headers
    for one in judged:
        shown = page(report_of(one, "0.5%"))
        assert one.name in shown
    assert f"{results[0].target} %" in page(report_of(judged[0], "0.5%"))


@pytest.mark.slow
def test_the_surest_come_first_and_unproven_shortage_is_worth_nothing(results, group):
    cold, hot, _ = (Advised(case, result) for case, result in zip(group.cases, results, strict=True))
    unsure = replace(cold, case=replace(cold.case, doubts=(Doubt(Confidence.LOW, "a doubt"),)))
    steady = replace(hot, case=replace(hot.case, doubts=()))
    assert [one.confidence for one in ordered([unsure, steady])] == [Confidence.HIGH, Confidence.LOW]
    assert hot.avoided_minutes > 0
    seen_only = replace(hot, case=replace(hot.case, capacity=replace(hot.case.capacity, promised=False)))
    assert seen_only.value == pytest.approx(hot.saved_hours)
    promised = replace(hot, case=replace(hot.case, capacity=replace(hot.case.capacity, promised=True)))
    assert promised.value == pytest.approx(hot.saved_hours + hot.avoided_minutes / 60 / 0.005)


def told_of(found: Simulated) -> tuple[Any, ...]:
    retuned = None if found.retuned is None else found.retuned.scores
    return found.now.scores, retuned, found.best.scores, found.target, found.alone


@pytest.mark.slow
def test_times_to_ready_that_vary_are_drawn_for_the_hpa_alone_as_beside_us(candidate, record, wave):
    """Where none of them varies, the twin says what the one pass over all rungs says."""

    def found(spread: ReadySpread | None) -> Simulated:
        asked = Question(1200.0, 0.005, 300, spread)
        demand = wave(6.0, 4, seed=3)
        case: Any = case_of(
            candidate(hpa=HpaAsSet("h", 2, 40, cpu_share=0.6)), record(demand), Question(1200.0, 0.005, 60)
        )
        case = replace(case, demand=demand.reshape(-1, 5).mean(axis=1))
        shares: list[float] = []
        (one,) = simulate(Group((case,), asked, 0), shares.append)
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
        return one

    fixed, alike, varying = found(None), found(ReadySpread(1200.0, 1200.0)), found(ReadySpread(300.0, 1200.0))
    assert told_of(alike) == told_of(fixed)
    assert len(fixed.alone) > 20
    assert varying.now.scores.short_minutes < fixed.now.scores.short_minutes  # most are sooner than the p95
    assert varying.retuned is not None
    assert (varying.retuned.scores.short_share or 0) <= (varying.best.scores.short_share or 0)


@pytest.mark.slow
def test_a_step_of_five_minutes_is_near_and_not_the_same(candidate, record, wave):
    """What docs/advise.md says of --step 300s, at a lead of half an hour."""
    hours, shares = [], []
    for step_s in (60, 300):
        asked = Question(1800.0, 0.005, step_s)
        demand = wave(4.0, 6, seed=7)
        case: Any = case_of(candidate(), record(demand), Question(1800.0, 0.005, 60))
        coarse = replace(case, demand=demand.reshape(-1, step_s // 60).mean(axis=1), hotter=())
        found = simulate(Group((coarse,), asked, 0))[0].beside.scores
        hours.append(found.replica_hours)
        shares.append(found.short_share or 0.0)
    assert hours[1] != hours[0]
    assert hours[1] == pytest.approx(hours[0], rel=0.12)
    assert shares[1] == pytest.approx(shares[0], abs=0.008)


@pytest.mark.parametrize(
    ("value", "words"), [(0.65449, "654m"), (32.666, "32666m"), (123.456, "123.4"), (45678.9, "45678"), (1e-9, "1m")]
)
def test_a_capacity_is_written_rounded_down(value, words):
    assert quantity_words(value) == words
