"""Simulation: nothing of the future reaches a decision, and replicas follow decisions exactly when they may."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from autoscaler.adapters.traces import Trace
from autoscaler.bootstrap.simulate import check_trace, derived_capacity, rows, simulate, typed_workload
from autoscaler.bootstrap.worlds import World
from autoscaler.cli.simulate import _incidents
from autoscaler.domain.errors import Refused
from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.workload import Actuation, Workload
from autoscaler.guards.chain import CHAIN
from autoscaler.simulator.nodes import NodeSettings
from autoscaler.simulator.starts import ReadySpread

FIRST, STEPS, STEP_S = 5_000_000, 600, 300


def recorded(seed: int = 0, steps: int = STEPS) -> Trace:
    """Two days of five-minute steps with bursts and two gaps."""
    rng = np.random.default_rng(seed)
    t = np.arange(steps)
    values = 300 * (1 + 0.5 * np.sin(2 * np.pi * t / 288)) * rng.lognormal(0, 0.1, steps)
    values[rng.random(steps) < 0.01] *= 3
    values[100:104] = values[333:334] = np.nan
    return Trace("web", STEP_S, FIRST, values)


def changed(trace: Trace, values: np.ndarray) -> Trace:
    return replace(trace, values=values)


def workload(actuation: Actuation = Actuation.SCALE, lead_s: float = 700.0) -> Workload:
    return typed_workload(10.0, lead_s=lead_s, risk=0.01, actuation=actuation, least=2, most=150)


WORLDS = (
    World(),
    World(data_delay_s=550.0, actuation_delay_s=301.0, start_failure=0.2, seed=3),
    World(spread=ReadySpread(300.0, 700.0), start_failure=0.1, seed=5),
    World(actuation_delay_s=20.0, spread=ReadySpread(300.0, 700.0), nodes=NodeSettings(4, 0, 500.0)),
)


@cache
def undisturbed(actuation: Actuation, world: World) -> dict[str, Any]:
    return rows(simulate(recorded(), workload(actuation), world))


@pytest.mark.parametrize("world", WORLDS, ids=["punctual", "late", "spread", "nodes"])
@pytest.mark.parametrize("actuation", [Actuation.SCALE, Actuation.HPA_FLOOR])
@pytest.mark.parametrize("cut", [1, 150, 334, 599])
def test_cutting_or_changing_the_future_leaves_every_earlier_decision_as_it_was(actuation, world, cut):
    trace, load, whole = recorded(), workload(actuation), undisturbed(actuation, world)
    rng = np.random.default_rng(cut)
    later = trace.values.copy()
    later[cut:] = rng.choice([0.0, 5000.0, np.nan], STEPS - cut)
    for other in (changed(trace, trace.values[:cut].copy()), changed(trace, later)):
        again = rows(simulate(other, load, world))
        for name in ("wanted", "granted", "p50", "p95", "margin", "lead_s", "reasons", "ready"):
            np.testing.assert_array_equal(again[name][:cut], whole[name][:cut], err_msg=name)
        assert again["wanted"][cut : cut + 1].tolist() in ([], whole["wanted"][cut : cut + 1].tolist())


@pytest.mark.parametrize("delay_s", [0.0, 300.0, 550.0])
def test_a_decision_sees_a_step_as_soon_as_it_is_in_and_no_sooner(delay_s):
    trace, load = recorded(), workload()
    spike, hidden = 250, int(np.ceil(delay_s / STEP_S))
    values = trace.values.copy()
    values[spike] = 1400.0
    plain = rows(simulate(trace, load, World(data_delay_s=delay_s)))
    spiked = rows(simulate(changed(trace, values), load, World(data_delay_s=delay_s)))
    differs = np.flatnonzero(plain["wanted"] != spiked["wanted"])
    assert differs[0] == spike + 1 + hidden
    assert spiked["wanted"][spike + 1 + hidden] >= 140


@pytest.mark.parametrize(
    ("lead_s", "delay_s"), [(0.0, 0.0), (180.0, 0.0), (700.0, 0.0), (180.0, 100.0), (700.0, 601.0)]
)
def test_replicas_follow_granted_by_the_stated_rule_alone(lead_s, delay_s):
    """A new one is ready lead and actuation delay later, rounded up to whole steps; a removed one is gone at once."""
    found = rows(simulate(recorded(), workload(lead_s=lead_s), World(actuation_delay_s=delay_s)))
    postponed = int(np.ceil(delay_s / STEP_S))
    lead = int(np.ceil((lead_s + delay_s) / STEP_S)) - postponed
    effective = np.concatenate((np.full(postponed, 2), found["granted"]))[:STEPS]
    # ready at t: what was asked for and not taken back in any step from t - lead to t
    padded = np.concatenate((np.full(lead, 2), effective))
    expected = np.lib.stride_tricks.sliding_window_view(padded, lead + 1).min(axis=1)
    np.testing.assert_array_equal(found["ready"], expected)
    assert (found["lead_s"] == lead_s + delay_s).all()


def test_there_is_one_row_for_every_step_with_warm_up_and_gaps():
    trace = recorded()
    found = rows(simulate(trace, workload(), World(warmup_s=86400)))
    assert list(found) == [
        "ts", "series", "demand", "wanted", "granted", "ready", "p50", "p95", "margin", "lead_s", "reasons",
    ]  # fmt: skip
    assert {len(v) for v in found.values()} == {STEPS}
    assert found["ts"][0] == np.datetime64(FIRST * STEP_S, "s")
    assert set(np.diff(found["ts"])) == {np.timedelta64(STEP_S, "s")}
    np.testing.assert_array_equal(found["demand"], trace.values)
    assert (found["wanted"] >= 0).all()
    assert found["reasons"][101].endswith("BadData")
    assert all(found["reasons"])


class _Raises:
    name = "step-up"
    reason = Reason.STEP_UP_LIMITED

    def review(self, proposals: Proposals) -> Verdicts:
        if proposals.now_s >= (FIRST + 400) * STEP_S:
            raise ZeroDivisionError
        return proposals.unchanged(self.reason)


def test_a_guard_that_raises_is_named_as_such(monkeypatch):
    chain = tuple(_Raises() if g.name == "step-up" else g for g in CHAIN)
    monkeypatch.setattr("autoscaler.bootstrap.simulate.CHAIN", chain)
    reasons = rows(simulate(recorded(), workload(), World()))["reasons"]
    failed = np.array(["GuardFailed" in r for r in reasons])
    assert not failed[:400].any()
    assert failed[400:].all()
    assert not any("StepUpLimited" in r for r in reasons)


def test_figures_score_what_lies_after_the_warm_up():
    trace, load = recorded(), workload()
    whole, part = simulate(trace, load, World()), simulate(trace, load, World(warmup_s=300 * STEP_S))
    assert whole.scores.steps == STEPS - 5
    assert part.scores.steps == 300 - 1
    assert part.scores.unobserved_steps == 1
    np.testing.assert_array_equal(whole.log.wanted, part.log.wanted)
    assert simulate(trace, load, World(warmup_s=1e9)).scores.steps == 0


def test_the_name_of_the_record_changes_no_decision():
    trace = recorded()
    names = [rows(simulate(replace(trace, name=name), workload(), World()))["wanted"] for name in ("a", "b")]
    np.testing.assert_array_equal(*names)


def test_what_is_censored_may_add_replicas_is_never_learned_and_never_scored():
    trace, load = recorded(), workload()
    marks = np.zeros(STEPS, dtype=np.bool_)
    marks[400:420] = True
    low, high = trace.values.copy(), trace.values.copy()
    low[400:420], high[400:420] = 1.0, 1450.0
    plain = simulate(trace, load, World())
    at_low, at_high = (simulate(replace(trace, values=v, censored=marks), load, World()) for v in (low, high))
    # a throttled service looks idle: without the mark replicas would go, with it none do
    unmarked = rows(simulate(changed(trace, low), load, World()))
    assert unmarked["granted"][419] < unmarked["granted"][400]
    assert (np.diff(rows(at_low)["granted"][400:421]) >= 0).all()
    # a bound above what runs adds at once
    assert rows(at_high)["wanted"][401] == 145
    # nothing of it is learned: what is expected later is the same whatever the bound was
    for name in ("p50", "p95", "margin"):
        np.testing.assert_array_equal(rows(at_low)[name][421:], rows(at_high)[name][421:], err_msg=name)
    assert (at_low.scores.censored_steps, at_low.scores.censored_short_steps) == (20, 0)
    assert at_high.scores.censored_steps == 20
    assert at_high.scores.censored_short_steps >= 3  # until the lead is over
    assert at_high.scores.steps == plain.scores.steps - 20
    np.testing.assert_array_equal(rows(at_low)["censored"], marks)
    assert list(rows(at_low))[:-1] == list(rows(plain))
    assert derived_capacity(replace(trace, values=high, censored=marks), 500) == derived_capacity(
        replace(trace, values=low, censored=marks), 500
    )


def test_capacity_comes_from_the_warm_up_alone():
    trace = recorded()
    later = trace.values.copy()
    later[288:] *= 50
    assert derived_capacity(trace, 288) == derived_capacity(changed(trace, later), 288)
    known = trace.values[:288][~np.isnan(trace.values[:288])]
    assert derived_capacity(trace, 288) * 60 == pytest.approx(np.quantile(known, 0.999))
    for values, warm in ((np.zeros(10), 5), (np.full(10, np.nan), 5)):
        with pytest.raises(Refused, match="in the warm-up to derive a capacity from; pass --capacity"):
            derived_capacity(Trace("dead", 60, 0, values), warm)
    with pytest.raises(Refused, match=r"there is no warm-up \(--warmup 0s\) to derive a capacity from"):
        derived_capacity(Trace("live", 60, 0, np.ones(10)), 0)


def test_what_cannot_be_simulated_is_refused(monkeypatch):
    with pytest.raises(Refused, match="every 7 days; at least one a day"):
        check_trace(Trace("weekly", 7 * 86400, 0, np.ones(5)))
    with pytest.raises(Refused, match="no load of anything"):
        check_trace(Trace("odd", 60, 0, np.array([1e300])))
    monkeypatch.setattr("autoscaler.bootstrap.simulate.MOST_STEPS", 100)
    with pytest.raises(Refused, match="600 steps of 300 s, above the 100 that are simulated at once; average"):
        check_trace(recorded())


def test_the_share_that_is_done_is_told():
    shares: list[float] = []
    simulate(recorded(), workload(), World(), shares.append)
    assert shares == [288 / STEPS, 576 / STEPS, 1.0]


def test_extremes_run_through():
    for values in (np.zeros(50), np.full(50, 1e15), np.full(50, np.nan), np.array([5.0])):
        for step_s in (1, 86400):
            found = simulate(Trace("odd", step_s, 20000, values.copy()), workload(), World())
            assert found.log.steps == len(values)


@pytest.mark.slow
def test_m25_wrong_data_is_no_demand_that_anybody_was_short_of():
    """An hour in another unit; what was true is scored as ever."""
    rng, day = np.random.default_rng(2), 288
    t = np.arange(12 * day) / day
    true = (300 + 200 * np.sin(2 * np.pi * (t - 0.3))) * rng.lognormal(0, 0.04, t.size)
    seen, fault = true.copy(), slice(10 * day + 100, 10 * day + 112)
    seen[fault] *= 1000
    trace, load = (
        Trace("demand", 300, 2 * 288 * 1000, seen),
        typed_workload(10.0, lead_s=300.0, risk=0.005, actuation=Actuation.SCALE),
    )
    world = World(warmup_s=8 * 86400)
    believed = simulate(trace, load, world)
    judged = simulate(trace, load, world, anomalies=True)
    assert judged.anomalies is not None
    assert judged.anomalies.doubted[0, fault].all()
    assert believed.scores.worst_missing > 10_000, "the fault looks like demand that nobody could serve"
    assert judged.scores.worst_missing < 20
    assert believed.scores.short_minutes >= judged.scores.short_minutes + 20
    assert (
        judged.scores.unobserved_steps
        == believed.scores.unobserved_steps + judged.anomalies.doubted[0, 8 * day :].sum()
    )
    assert np.isfinite(rows(judged)["demand"][fault]).all(), "the rows hold what was recorded"
    without_fault = simulate(Trace("demand", 300, 2 * 288 * 1000, true), load, world, anomalies=True)
    assert without_fault.anomalies is not None
    assert not without_fault.anomalies.doubted.any()
    assert judged.scores.short_minutes <= without_fault.scores.short_minutes + 10
    said = list(_incidents(judged))
    assert any("hold wrong data: what was asked for then is unknown, and not scored" in words for words in said)
    assert not any("wrong data" in words for words in _incidents(without_fault))
