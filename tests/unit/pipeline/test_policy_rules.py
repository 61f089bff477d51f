"""Policies in the closed loop, by the clock: windows, events, freezes, caps, losses; and the record of who set what."""

from collections.abc import Callable

import numpy as np
import pytest

from autoscaler.domain.calendar import Once
from autoscaler.domain.decision import Decision
from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.policy import Fallback, Freeze, Growth, Guarded, Origin, ReplicaWindow, Survive
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.workload import Actuation, PolicyType, ScalingRule, SelectPolicy, StepPolicy
from autoscaler.guards.chain import CHAIN
from autoscaler.pipeline.counterfactual import counterfactuals
from autoscaler.pipeline.decide import decide
from autoscaler.pipeline.state import LoopState

START_S = 6000.0
HERE = Origin("GuardPolicy p", "limits", "p.yaml:1", "00000000")
Run = Callable[..., list[Decision]]


@pytest.fixture
def run(make_workload, make_seen) -> Run:
    """A minute a step, each decision carried out; `observed` and `peak` are the same all along, ten a replica."""

    def stepped(minutes: int, replicas: int, observed: float, peak: float = np.nan, *, first: int = 0, **changes):
        load = make_workload(**({"scale_down": ScalingRule()} | changes))
        fleet = Fleet((load,))
        state, found = LoopState.fresh(fleet, 60), []
        floor = replicas
        for minute in range(first, first + minutes):
            now_s = START_S + 60 * minute
            written = floor if load.actuation.is_floor else replicas
            running = np.array([max(replicas, written)])
            known = np.ones(1, dtype=np.bool_)
            status = ReplicaStatus(known, running, running, np.array([written]), np.array([NO_LIMIT]))
            seen = make_seen(fleet, int(now_s // 60), observed, peak, settled=np.full(1, np.nan))
            decisions, state = decide(fleet, seen, status, state, CHAIN, now_s=now_s)
            found.append(decisions[0])
            floor = found[-1].granted
            replicas = replicas if load.actuation.is_floor else floor
        return found

    return stepped


def granted(decisions: list[Decision]) -> list[int]:
    return [d.granted for d in decisions]


def at_minute(start: float, end: float) -> Once:
    return Once(START_S + 60 * start, START_S + 60 * end)


@pytest.mark.parametrize("actuation", [Actuation.SCALE, Actuation.HPA_FLOOR])
def test_a_calendar_minimum_is_there_by_the_lead_time_ahead_and_ends_with_its_window(run, actuation) -> None:
    window = ReplicaWindow("w", at_minute(10, 20), HERE, 8)
    found = run(25, 2, 10.0, 10.0, actuation=actuation, guarded=Guarded(windows=(window,)))
    asked = granted(found).index(8)
    # the lead is three minutes, and a step more, as a decision covers a step
    assert asked == 6
    assert set(granted(found)[asked:20]) == {8}
    assert granted(found)[20] < 8
    assert ("min", "GuardPolicy p@00000000 limits (p.yaml:1)") in found[asked].rules
    assert found[20].rules == ()


def test_F08_an_event_raises_the_floor_in_the_dark_too_and_stays_below_max(run) -> None:
    event = ReplicaWindow("e", at_minute(0, 5), HERE, 80, bounded=True)
    found = run(6, 10, np.nan, max_replicas=40, guarded=Guarded(windows=(event,)))
    assert granted(found)[0] == 40
    assert found[0].state == "Holding"
    assert granted(found)[5] == 40  # the data is still gone: never down in the dark


def test_a_calendar_maximum_binds_in_its_window_and_is_reached_by_permitted_steps(run) -> None:
    window = ReplicaWindow("w", at_minute(2, 5), HERE, None, 6)
    down = ScalingRule(0, (StepPolicy(PolicyType.PODS, 2, 60),))
    found = run(8, 10, 100.0, scale_down=down, guarded=Guarded(windows=(window,)))
    assert granted(found)[:5] == [10, 10, 8, 6, 6]
    assert granted(found)[5] > 6
    assert dict(found[3].rules)["max"].startswith("GuardPolicy p@")


def test_D02_D11_a_lowered_max_waits_for_the_end_of_a_freeze(run) -> None:
    rules = Guarded(freezes=(Freeze("f", at_minute(0, 4), HERE, Growth.ANY),))
    found = run(7, 10, 10.0, 10.0, max_replicas=5, guarded=rules)
    assert granted(found)[:4] == [10] * 4
    assert granted(found)[4] <= 5
    assert dict(found[0].rules)["freeze"]
    assert "freeze" not in dict(found[4].rules)


@pytest.mark.parametrize(
    ("growth", "expected"), [(Growth.ANY, 40), (Growth.OBSERVED_NEED, 12), (Growth.NONE, 10)], ids=str
)
def test_D11_what_may_still_grow(run, growth, expected) -> None:
    rules = Guarded(freezes=(Freeze("f", at_minute(0, 10), HERE, growth),))
    found = run(1, 10, 120.0, 400.0 / 1.125, guarded=rules)  # a new workload's margin is 1.125
    assert abs(granted(found)[0] - expected) <= 1


def test_step_limits_of_policies_bind_beside_the_workloads_own(run) -> None:
    cap = ScalingRule(
        0, (StepPolicy(PolicyType.PODS, 3, 60), StepPolicy(PolicyType.PERCENT, 100, 60)), SelectPolicy.MIN
    )
    own = ScalingRule(0, (StepPolicy(PolicyType.PODS, 50, 60),))
    found = run(3, 2, 10.0, 500.0, scale_up=own, guarded=Guarded(up_cap=cap))
    assert granted(found) == [4, 7, 10]  # 100 % of two, then three pods
    down = run(3, 20, 10.0, 10.0, guarded=Guarded(down_cap=ScalingRule(0, (StepPolicy(PolicyType.PODS, 4, 60),),
                                                                       SelectPolicy.MIN)))  # fmt: skip
    assert granted(down) == [20, 16, 12]
    forbidden = run(3, 20, 10.0, 10.0, guarded=Guarded(down_cap=ScalingRule(0, (), SelectPolicy.DISABLED)))
    assert granted(forbidden) == [20, 20, 20]


def test_a_forbidden_rise_still_serves_observed_need(run) -> None:
    found = run(1, 5, 90.0, 400.0, guarded=Guarded(up_cap=ScalingRule(0, (), SelectPolicy.DISABLED)))
    assert granted(found) == [9]


def test_D06_step_limits_hold_growth_below_need_only_where_a_policy_accepts_a_shortage(run) -> None:
    step = ScalingRule(0, (StepPolicy(PolicyType.PODS, 3, 60),), SelectPolicy.MIN)
    assert granted(run(3, 5, 300.0, guarded=Guarded(up_cap=step))) == [30, 30, 30]
    assert granted(run(3, 5, 300.0, guarded=Guarded(up_cap=step, up_short=step))) == [8, 11, 14]
    looser = ScalingRule(0, (StepPolicy(PolicyType.PODS, 10, 60),), SelectPolicy.MIN)
    both = ScalingRule(0, (*step.policies, *looser.policies), SelectPolicy.MIN)
    assert granted(run(2, 5, 300.0, guarded=Guarded(up_cap=both, up_short=looser))) == [15, 25]
    stop = ScalingRule(0, (), SelectPolicy.DISABLED)
    assert granted(run(2, 5, 300.0, guarded=Guarded(up_cap=stop, up_short=stop))) == [5, 5]


def test_room_for_a_loss_comes_on_top_of_forecast_and_observed_need(run) -> None:
    plain = granted(run(1, 5, 50.0, 80.0))[0]
    assert granted(run(1, 5, 50.0, 80.0, guarded=Guarded(survive=Survive(HERE, replicas=2))))[0] == plain + 2
    zoned = granted(run(1, 5, 50.0, 80.0, guarded=Guarded(survive=Survive(HERE, zones=3))))[0]
    assert zoned == -(-plain * 3 // 2)
    assert granted(run(1, 5, 50.0, guarded=Guarded(survive=Survive(HERE, replicas=2))))[0] == 7


def test_M01_a_fallback_counts_only_after_its_time_in_the_dark(run, make_seen) -> None:
    rules = Guarded(fallback=Fallback(600.0, 30, HERE))
    assert granted(run(1, 10, np.nan, guarded=rules)) == [30]  # never seen
    assert granted(run(1, 10, 100.0, guarded=rules)) == [10]


def test_D01_clashing_limits_keep_what_is_written_and_both_rules_are_named(run) -> None:
    other = Origin("GuardPolicy q", "limits", "q.yaml:1", "11111111")
    found = run(2, 10, 300.0, 300.0, guarded=Guarded(clash=(HERE, other)))
    assert granted(found) == [10, 10]
    assert found[0].state == "Holding"
    assert [rule for field, rule in found[0].rules if field == "clash"] == [str(HERE), str(other)]


def test_P05_a_policy_that_is_not_known_holds_and_lets_need_grow(run) -> None:
    assert granted(run(2, 10, 50.0, guarded=Guarded(unknown=HERE))) == [10, 10]
    assert granted(run(1, 10, 120.0, guarded=Guarded(unknown=HERE))) == [12]


def test_a_counterfactual_knows_the_policys_guards(run) -> None:
    rules = Guarded(freezes=(Freeze("f", at_minute(0, 10), HERE, Growth.OBSERVED_NEED),))
    decision = run(2, 10, 20.0, 20.0, guarded=rules)[-1]
    assert decision.granted == 10
    assert counterfactuals(decision, CHAIN)["change-freeze"] < 10
