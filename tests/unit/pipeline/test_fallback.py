"""M01: what is kept of a workload that cannot be seen, signal by signal, and the way back."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.decision import Decision
from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.policy import Fallback, Guarded, Origin
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.workload import Actuation, PolicyType, ScalingRule, StepPolicy
from autoscaler.guards.chain import CHAIN
from autoscaler.pipeline.decide import decide
from autoscaler.pipeline.state import LoopState
from autoscaler.reporting.rules_behind import rules_behind

HERE = Origin("GuardPolicy p", "defaults.fallback", "p.yaml:1", "00000000")
START_S = 6000.0
DARK = np.nan
Run = Callable[..., list[Decision]]


@pytest.fixture(scope="module")
def run(make_workload, make_seen) -> Run:
    """A minute a step, each decision carried out. observed, peak: [minute] or [minute, demand], ten a replica."""

    def stepped(observed: Any, peak: Any, replicas: int = 10, *, demands: int = 1, **changes: Any) -> list[Decision]:
        seen_at, tops = (np.atleast_2d(np.asarray(x, dtype=np.float64).T).T for x in (observed, peak))
        free = {"scale_down": ScalingRule(), "max_data_age_s": 120.0}
        load = make_workload(capacities=(10.0,) * demands, **(free | changes))
        fleet = Fleet((load,))
        state, found, count, age_s = LoopState.fresh(fleet, 60), [], replicas, np.zeros(demands)
        state = state.learned(replace(state.margin, log_margin=np.zeros(1)))
        for minute in range(len(seen_at)):
            now_s = START_S + 60 * minute
            age_s = np.where(np.isnan(seen_at[minute]), age_s + 60, 0.0)
            running = np.array([max(count, replicas) if load.actuation.is_floor else count])
            status = ReplicaStatus(
                np.ones(1, dtype=np.bool_), running, running, np.array([count]), np.array([NO_LIMIT])
            )
            blind = np.full(demands, np.nan)
            seen = make_seen(fleet, int(now_s // 60), seen_at[minute], tops[minute], settled=blind, age_s=age_s)
            decisions, state = decide(fleet, seen, status, state, CHAIN, now_s=now_s)
            found.append(decisions[0])
            count = found[-1].granted
        return found

    return stepped


def granted(found: list[Decision]) -> list[int]:
    return [d.granted for d in found]


def falls(least: int = 0, after_s: float = 300.0, **more: Any) -> Guarded:
    return Guarded(fallback=Fallback(after_s, least, HERE, **more))


SLOWLY = ScalingRule(0, (StepPolicy(PolicyType.PODS, 1, 600),))


@pytest.mark.parametrize("actuation", [Actuation.SCALE, Actuation.HPA_FLOOR])
def test_M01_the_last_plan_on_good_data_is_there_after_its_time_though_it_had_not_come_about(run, actuation) -> None:
    observed = [50.0, 50.0] + [DARK] * 8
    peak = [100.0, 300.0] + [DARK] * 8  # thirty are planned; steps upward let eleven happen
    rules = {"scale_up": SLOWLY, "actuation": actuation}
    quick = {"actuation": actuation, "scale_up": ScalingRule(0, (StepPolicy(PolicyType.PODS, 5, 60),))}
    assert granted(run(observed, peak, guarded=falls(), **quick))[1] < 30
    held = granted(run(observed, peak, guarded=falls(), **quick))
    assert held[2:6] == [held[1]] * 4  # not yet for five minutes
    assert held[-1] == 30
    assert max(granted(run(observed, peak, **rules))) <= 11, "without a fallback it holds what runs"


def test_M01_the_largest_of_plan_and_floor_counts_and_nothing_falls_in_the_dark(run) -> None:
    observed, peak = [50.0, 50.0] + [DARK] * 60, [100.0, 120.0] + [DARK] * 60
    for least, expected in ((30, 30), (8, 12)):
        found = granted(run(observed, peak, guarded=falls(least)))
        assert found[-1] == expected
        assert (np.diff(found) >= 0).all()


def test_M01_signals_that_are_still_seen_go_on_counting_by_observation_and_forecast(run) -> None:
    minutes = 12
    observed = np.full((minutes, 2), 50.0)
    observed[2:, 0] = DARK
    observed[8:, 1] = 90.0
    peak = np.full((minutes, 2), 60.0)
    peak[2:, 0] = DARK
    peak[7:, 1] = 250.0
    found = granted(run(observed, peak, demands=2, guarded=falls()))
    assert found[6] == 6
    assert found[-1] == 25
    assert granted(run(observed, peak, demands=2))[-1] == 25, "without a fallback a hold may grow by them, too"
    assert granted(run(observed, np.full((minutes, 2), DARK), demands=2))[-1] == 9, "or to what is observed"


def test_M01_once_seen_again_it_comes_down_by_the_stated_rule(run) -> None:
    observed = [50.0] + [DARK] * 9 + [50.0] * 50
    peak = [50.0] + [DARK] * 9 + [50.0] * 50
    found = run(observed, peak, guarded=falls(40, decay=0.5, decay_s=600.0))
    after = granted(found)[9:]
    assert after[0] == 40
    for minute in range(1, 25):
        assert after[minute] == int(np.ceil(40 * 0.5 ** (minute / 10) - 1e-9))
    assert after[-1] == 5
    assert "FallbackDecaying" in found[12].reasons
    (effect,) = (e for e in found[12].effects if e.guard == "fallback-decay")
    assert rules_behind(found[12], effect) == (str(HERE),)
    sudden = granted(run(observed, peak, guarded=falls(40)))
    assert sudden[11] == 5, "without the rule its own steps decide, and it has none"


def test_M01_what_decays_waits_while_it_is_dark_again_and_is_no_limit_to_growth(run) -> None:
    observed = [50.0] + [DARK] * 9 + [50.0] * 5 + [DARK] * 3 + [50.0] * 5 + [350.0] * 2
    found = granted(run(observed, observed, guarded=falls(40, decay=0.5, decay_s=600.0)))
    assert found[15:18] == [found[14]] * 3
    assert found[14] > found[22] == 20
    assert found[-1] == 35


def test_M01_time_that_nobody_looked_at_is_no_light(run, make_workload, make_seen) -> None:
    load = make_workload(guarded=falls(40, decay=0.5, decay_s=600.0), scale_down=ScalingRule())
    fleet = Fleet((load,))
    state = LoopState.fresh(fleet, 60)
    count = np.array([40])
    for now_s, demand in ((START_S, DARK), (START_S + 60, 50.0), (START_S + 36000, 50.0)):
        status = ReplicaStatus(np.ones(1, dtype=np.bool_), count, count, count, np.array([NO_LIMIT]))
        seen = make_seen(fleet, int(now_s // 60), demand, demand, settled=np.full(1, np.nan))
        decisions, state = decide(fleet, seen, status, state, CHAIN, now_s=now_s)
        count = decisions.granted
    assert count[0] == int(np.ceil(40 * 0.5 ** (3 / 10)))  # one minute, and two steps of ten hours


def test_a_fleet_without_fallbacks_remembers_nothing_of_it(run, make_fleet) -> None:
    assert not make_fleet(lanes=2).rules.falls
    decision = run([50.0], [50.0])[0]
    assert "fallback_level" not in decision.inputs


@settings(max_examples=40, deadline=None)
@given(
    light=st.lists(st.sampled_from([50.0, 300.0, DARK]), min_size=5, max_size=30),
    least=st.integers(0, 60),
    decay=st.sampled_from([0.0, 0.1, 1.0]),
)
def test_M01_whatever_comes_and_goes_it_never_falls_while_dark_nor_below_need(run, light, least, decay) -> None:
    found = run(light, light, guarded=falls(least, after_s=120.0, decay=decay, decay_s=300.0))
    counts = [10, *granted(found)]
    for minute, demand in enumerate(light):
        if np.isnan(demand):
            assert counts[minute + 1] >= counts[minute]
        else:
            assert counts[minute + 1] >= demand / 10
