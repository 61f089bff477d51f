"""Verdicts of a detector in `decide`: what each cause lets a workload do, by default and under policies."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.anomaly import CAUSES, Anomalies, AnomaliesAt, Cause, Detector
from autoscaler.domain.anomaly_rules import AnomalyRule, GrowthCap
from autoscaler.domain.decision import Decision, Decisions
from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.policy import Brake, Budget, Growth, Guarded, Origin
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.workload import Actuation, ScalingRule
from autoscaler.guards.chain import CHAIN
from autoscaler.pipeline.anomalies import judged
from autoscaler.pipeline.counterfactual import counterfactuals, replayed
from autoscaler.pipeline.decide import decide, run_chain
from autoscaler.pipeline.state import LoopState
from autoscaler.reporting.rules_behind import rules_behind

HERE = Origin("GuardPolicy p", "limits.anomaly", "p.yaml:1", "00000000")
START_S = 6000.0
CALM: dict[int, tuple[Cause, ...]] = {}
EVERY = [(cause, actuation) for cause in CAUSES for actuation in (Actuation.SCALE, Actuation.HPA_FLOOR)]
Run = Callable[..., list[Decisions]]


@pytest.fixture
def run(make_workload, make_seen) -> Run:
    """A minute a step, each decision carried out; ten of demand a replica; a forecast without a margin.

    observed, peak: by minute, or one for all. abnormal: minute → causes that every lane has then; None = no detector.
    untaught: forecasts know nothing of the newest steps.
    """

    def stepped(
        minutes: int, replicas: int, observed: Any, peak: Any = np.nan, *,
        abnormal: dict[int, tuple[Cause, ...]] | None = None, lanes: int = 1, untaught: bool = False, **changes: Any,
    ) -> list[Decisions]:  # fmt: skip
        loads = [make_workload(f"w{k}", **({"scale_down": ScalingRule()} | changes)) for k in range(lanes)]
        fleet = Fleet(tuple(loads))
        state = LoopState.fresh(fleet, 60)
        state = state.learned(replace(state.margin, log_margin=np.zeros(lanes)))
        counts, found = np.full(lanes, replicas), []
        known = np.ones(lanes, dtype=np.bool_)
        for minute in range(minutes):
            now_s = START_S + 60 * minute
            running = np.maximum(counts, replicas) if fleet.is_floor[0] else counts
            status = ReplicaStatus(known, running, running, counts, np.full(lanes, NO_LIMIT))
            demand, top = (np.broadcast_to(x, minutes)[minute] for x in (observed, peak))
            seen = make_seen(fleet, int(now_s // 60), demand, top, settled=np.full(lanes, np.nan),
                             untaught=np.full(lanes, untaught))  # fmt: skip
            at = None
            if abnormal is not None:
                told = [(lane, c, 0.9, START_S) for c in abnormal.get(minute, ()) for lane in range(lanes)]
                at = AnomaliesAt.of(lanes, *told)
            decisions, state = decide(fleet, seen, status, state, CHAIN, now_s=now_s, anomalies=at)
            found.append(decisions)
            counts = decisions.granted.copy()
        return found

    return stepped


def all_along(*causes: Cause, minutes: int = 30) -> dict[int, tuple[Cause, ...]]:
    return dict.fromkeys(range(minutes), causes)


def granted(found: list[Decisions]) -> list[int]:
    return [int(d.granted[0]) for d in found]


def ruled(cause: Cause, rule: AnomalyRule, **more: Any) -> Guarded:
    return Guarded(anomaly=((cause, rule),), **more)


def told(decision: Decision) -> list[str]:
    return [n.words for n in decision.notes if n.condition == "Anomaly"]


@pytest.mark.parametrize("actuation", [Actuation.SCALE, Actuation.HPA_FLOOR])
@pytest.mark.parametrize("cause", [Cause.SENSOR_LOSS, Cause.DATA_FAULT])
def test_M24_a_stuck_sensor_holds_while_it_lasts_and_scaling_comes_back_after(run, cause, actuation) -> None:
    stuck = dict.fromkeys(range(5), (cause,))
    found = run(8, 10, 30.0, 30.0, abnormal=stuck, actuation=actuation)
    assert granted(found)[:5] == [10] * 5
    assert granted(found)[5] == 3
    assert found[0][0].state == "Holding"
    assert "Anomaly" in found[0][0].reasons
    assert found[5][0].state == "Active"


@pytest.mark.parametrize("actuation", [Actuation.SCALE, Actuation.HPA_FLOOR])
@pytest.mark.parametrize("cause", [Cause.SENSOR_LOSS, Cause.DATA_FAULT])
def test_M24_M25_the_forecast_from_before_a_fault_may_add_and_nothing_else_moves(run, cause, actuation) -> None:
    peak = np.concatenate([np.linspace(100.0, 200.0, 6), np.linspace(200.0, 30.0, 6), [30.0] * 8])
    fault = dict.fromkeys(range(12), (cause,))
    found = run(20, 10, 90_000.0, peak, abnormal=fault, untaught=True, actuation=actuation, max_replicas=100_000)
    assert granted(found)[:12] == [10, 12, 14, 16, 18, 20] + [20] * 6, (
        "what is observed is no need, and nothing shrinks"
    )
    assert any("by the forecast from the data before" in words for words in told(found[3][0]))
    back = run(20, 10, 30.0, peak, abnormal=fault, untaught=True, actuation=actuation)
    assert granted(back)[-1] == 3, "afterwards it comes down"
    assert set(granted(run(12, 10, 90.0, peak[:12], abnormal=fault, actuation=actuation))) == {10}, (
        "one that learned it"
    )


def test_M24_growth_by_forecast_is_within_the_other_guards_and_the_policy_may_forbid_it(run) -> None:
    fault, blind = all_along(Cause.SENSOR_LOSS), {"untaught": True}
    assert granted(run(1, 10, 90.0, 400.0, abnormal=fault, **blind)) == [40]
    budget = Guarded(budgets=(Budget(15, HERE),))
    assert granted(run(1, 10, 90.0, 400.0, abnormal=fault, guarded=budget, **blind)) == [15]
    assert granted(run(1, 10, 90.0, 400.0, abnormal=fault, max_replicas=20, **blind)) == [20]
    still = ruled(Cause.SENSOR_LOSS, AnomalyRule(Growth.NONE, shrink=False))
    assert granted(run(1, 10, 90.0, 400.0, abnormal=fault, guarded=still, **blind)) == [10]
    capped = ruled(
        Cause.SENSOR_LOSS, AnomalyRule(Growth.NONE, shrink=False, caps=(GrowthCap(over=0.5),), foreseen=True)
    )
    assert granted(run(1, 10, 90.0, 400.0, abnormal=fault, guarded=capped, **blind)) == [15]
    attacked = all_along(Cause.SENSOR_LOSS, Cause.SUSPECTED_ATTACK)
    assert granted(run(1, 10, 90.0, 400.0, abnormal=attacked, **blind)) == [10], "an attack grows by no forecast"


@pytest.mark.parametrize("detector", [None, CALM])
@pytest.mark.parametrize("actuation", [Actuation.SCALE, Actuation.HPA_FLOOR])
def test_M01_M24_a_source_that_is_gone_is_met_as_one_that_lies(run, detector, actuation) -> None:
    observed, peak = np.array([90.0] + [np.nan] * 7), np.linspace(100.0, 170.0, 8)
    gone = run(8, 10, observed, peak, abnormal=detector, untaught=True, actuation=actuation)
    lies = run(8, 10, 90.0, peak, abnormal=dict.fromkeys(range(1, 8), (Cause.SENSOR_LOSS,)), untaught=True,
               actuation=actuation)  # fmt: skip
    assert granted(gone) == granted(lies) == list(range(10, 18))
    assert granted(run(8, 10, observed, peak[::-1], abnormal=detector, actuation=actuation))[-1] == 17


@pytest.mark.parametrize("factor", [1000.0, 0.001])
def test_M25_after_a_change_of_unit_neither_the_new_number_nor_the_forecast_moves_anything(run, factor) -> None:
    shifted = np.array([100.0] * 2 + [100.0 * factor] * 6)
    peak = np.array([100.0] * 5 + [100.0 * factor] * 3)
    fault = dict.fromkeys(range(2, 8), (Cause.DATA_FAULT,))
    assert set(granted(run(8, 10, shifted, peak, abnormal=fault, max_replicas=100_000))) == {10}
    assert set(granted(run(8, 10, shifted, peak, max_replicas=100_000))) != {10}, "or this test shows nothing"


def test_M25_nothing_is_learned_from_data_that_is_at_fault(make_workload, make_seen) -> None:
    missed: dict[bool, int] = {}
    highs: dict[bool, int] = {}
    for abnormal in (True, False):
        fleet = Fleet((make_workload(max_replicas=100_000, scale_up=ScalingRule(600)),))
        state, count = LoopState.fresh(fleet, 60), np.array([10])
        for minute in range(40):
            demand = 100_000.0 if 10 <= minute < 20 else 100.0
            status = ReplicaStatus(np.ones(1, dtype=np.bool_), count, count, count, np.array([NO_LIMIT]))
            now_s = START_S + 60 * minute
            seen = make_seen(fleet, int(now_s // 60), demand, 100.0)
            # a verdict comes with the sample that it is about; that one is settled at the same moment
            at = AnomaliesAt.of(1, *([(0, Cause.DATA_FAULT, 1.0, now_s)] if abnormal and 10 <= minute < 20 else []))
            decisions, state = decide(fleet, seen, status, state, CHAIN, now_s=now_s, anomalies=at)
            count = decisions.granted
            highs[abnormal] = max(highs.get(abnormal, 0), int(state.high.max()))
        missed[abnormal] = int(state.margin.missed[0])
    assert missed[True] == 0 < missed[False]
    assert highs[True] < 100 < highs[False]


def test_M25_a_policy_may_believe_what_is_observed(run) -> None:
    rules = ruled(Cause.DATA_FAULT, AnomalyRule(Growth.OBSERVED_NEED, shrink=False))
    assert granted(run(1, 10, 140.0, 900.0, abnormal=all_along(Cause.DATA_FAULT), guarded=rules)) == [14]


@pytest.mark.parametrize("cause", [Cause.LATENCY_ERRORS, Cause.CAPACITY])
@pytest.mark.parametrize("actuation", [Actuation.SCALE, Actuation.HPA_FLOOR])
def test_M26_a_failing_service_whose_load_falls_does_not_shrink_but_may_grow(run, cause, actuation) -> None:
    falling = np.linspace(100.0, 1.0, 10)
    failing = all_along(cause)
    assert granted(run(10, 10, falling, falling, abnormal=failing, actuation=actuation)) == [10] * 10
    assert granted(run(10, 10, falling, falling, actuation=actuation))[-1] == 1
    assert granted(run(1, 10, 100.0, 170.0, abnormal=failing, actuation=actuation)) == [17]


@pytest.mark.parametrize(("cause", "actuation"), EVERY, ids=str)
@pytest.mark.parametrize("demand", [30.0, 60.0, 100.0, 170.0])
def test_D16_a_single_outlier_may_hold_a_shrink_and_forces_nothing(run, cause, actuation, demand) -> None:
    once = {3: (cause,)}
    with_it, without = (granted(run(8, 10, demand, demand, abnormal=a, actuation=actuation)) for a in (once, CALM))
    assert with_it[3] <= max(without[3], 10)
    assert with_it[-1] == without[-1]  # and it leaves nothing behind
    assert with_it[:3] == without[:3]


def test_D16_unusual_demand_scales_as_ever(run) -> None:
    for demand in (30.0, 170.0):
        assert granted(run(3, 10, demand, demand, abnormal=all_along(Cause.DEMAND))) == granted(
            run(3, 10, demand, demand)
        )


def test_D16_a_false_alarm_frees_nobody_from_budget_and_brake(run) -> None:
    rules = Guarded(budgets=(Budget(24, HERE),), brakes=(Brake(0.5, HERE, grow=True),))
    for abnormal in (None, all_along(Cause.CAPACITY)):
        found = run(2, 10, 100.0, 300.0, abnormal=abnormal, lanes=2, guarded=rules)
        assert sorted(found[0].granted.tolist()) == [10, 14]
    assert "Anomaly" in found[0][0].reasons


class Says:
    """A detector that answers, raises or talks about others."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def judge(self, panel: Any, fleet: Fleet, first_step: int, origins: int = 1) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def grids(lanes: int, severity: float = 0.0, **changes: Any) -> Anomalies:
    shape = (len(CAUSES), lanes, 1)
    made: dict[str, Any] = {"detector": Detector.ON, "severity": np.full(shape, severity), "since_s": np.zeros(shape)}
    return Anomalies(**(made | changes))


@pytest.mark.parametrize(
    "answer", [RuntimeError("a bug"), None, grids(7), np.zeros(3)], ids=["raises", "nothing", "other lanes", "numbers"]
)
def test_D17_a_detector_that_crashes_or_talks_nonsense_has_no_verdicts(make_fleet, make_panel, answer) -> None:
    found = judged(Says(answer), make_panel([[1.0]]), make_fleet(lanes=1), 1)
    assert found is not None
    assert found.detector is Detector.CRASHED
    assert not found.any


def test_D17_a_detector_that_works_is_heard(make_fleet, make_panel) -> None:
    found = judged(Says(grids(2, 0.5)), make_panel([[1.0]] * 2), make_fleet(lanes=2), 1)
    assert found is not None
    assert found.detector is Detector.ON
    assert found.any
    assert judged(None, make_panel([[1.0]]), make_fleet(lanes=1), 1) is None


@pytest.mark.parametrize("detector", list(Detector), ids=str)
def test_D17_without_verdicts_scaling_works_on_whatever_became_of_the_detector(make_fleet, make_seen, detector) -> None:
    fleet = make_fleet(lanes=3)
    ten = np.full(3, 10)
    status = ReplicaStatus(np.ones(3, dtype=np.bool_), ten, ten, ten, np.full(3, NO_LIMIT))
    seen = make_seen(fleet, 100, np.array([30.0, 100.0, 170.0]), np.array([30.0, 250.0, 170.0]))
    state = LoopState.fresh(fleet, 60)
    plain, after = decide(fleet, seen, status, state, CHAIN, now_s=START_S)
    none = AnomaliesAt.none(3, detector)
    told, then = decide(fleet, seen, status, state, CHAIN, now_s=START_S, anomalies=none)
    np.testing.assert_array_equal(told.granted, plain.granted)
    np.testing.assert_array_equal(then.counts, after.counts)
    assert told.anomalies is none
    assert plain.proposals.anomaly_causes.max() == 0


def test_D17_a_detector_that_dies_in_a_hold_ends_it(run) -> None:
    holding = {0: (Cause.DATA_FAULT,), 1: (Cause.DATA_FAULT,)}
    assert granted(run(3, 10, 30.0, 30.0, abnormal=holding)) == [10, 10, 3]


def spikes(minutes: int = 30) -> np.ndarray:
    """Every fifth minute four times as much, ever more."""
    t = np.arange(minutes)
    return np.where(t % 5 == 4, 400.0 + 20 * t, 100.0)


def test_S09_an_attack_is_not_amplified_by_the_forecast_that_it_feeds(run) -> None:
    attack, load = all_along(Cause.SUSPECTED_ATTACK), spikes()
    quick = {"max_replicas": 1000, "scale_down": ScalingRule(300)}
    fed = np.maximum.accumulate(load) * 2
    guarded, free = (granted(run(30, 10, load, fed, abnormal=a, **quick)) for a in (attack, CALM))
    need = np.ceil(load / 10).astype(int)
    assert (np.array(guarded) >= need).all()  # never below what is needed now
    assert max(guarded) <= need.max()
    assert sum(free) >= 2 * sum(guarded)


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("actuation", [Actuation.SCALE, Actuation.HPA_FLOOR])
def test_S09_a_cap_counts_from_what_ran_when_it_began_and_spares_need_unless_it_says_otherwise(
    run, actuation, short
) -> None:
    rules = ruled(Cause.SUSPECTED_ATTACK, AnomalyRule(caps=(GrowthCap(over=0.5, short=short),)))
    abnormal = dict.fromkeys(range(1, 6), (Cause.SUSPECTED_ATTACK,))
    observed = np.array([100.0, 100.0, 100.0, 200.0, 200.0, 100.0, 100.0, 100.0])
    found = run(8, 10, observed, 400.0, abnormal=abnormal, guarded=rules, actuation=actuation)
    assert granted(found)[0] == 40  # nothing was suspected yet
    found = run(8, 10, observed, np.array([100.0] + [400.0] * 7), abnormal=abnormal, guarded=rules,
                actuation=actuation)  # fmt: skip
    assert granted(found)[1:3] == [15, 15]  # not 10, 15, 22, 33: it does not feed on itself
    assert granted(found)[3:5] == ([15, 15] if short else [20, 20])
    assert granted(found)[6] == 40  # it is over


def test_S09_of_several_caps_each_binds_by_its_own_word(run) -> None:
    attack = all_along(Cause.SUSPECTED_ATTACK)
    caps = (GrowthCap(most=15), GrowthCap(most=20, short=True))
    rules = ruled(Cause.SUSPECTED_ATTACK, AnomalyRule(caps=caps))
    assert granted(run(1, 10, 100.0, 400.0, abnormal=attack, guarded=rules)) == [15]
    assert granted(run(1, 10, 180.0, 400.0, abnormal=attack, guarded=rules)) == [18]
    assert granted(run(1, 10, 300.0, 400.0, abnormal=attack, guarded=rules)) == [20]


def test_S09_a_budget_binds_beside_it(run) -> None:
    rules = Guarded(budgets=(Budget(30, HERE),))
    attack = all_along(Cause.SUSPECTED_ATTACK, Cause.CAPACITY)
    found = run(3, 10, 120.0, 900.0, abnormal=attack, lanes=2, guarded=rules)
    assert found[-1].granted.sum() <= 30


def test_of_several_causes_the_strictest_rule_counts(run) -> None:
    both = all_along(Cause.SUSPECTED_ATTACK, Cause.LATENCY_ERRORS)
    assert granted(run(1, 10, 30.0, 30.0, abnormal=both)) == [10]
    assert granted(run(1, 10, 120.0, 300.0, abnormal=both)) == [12]
    worse = all_along(*CAUSES)
    assert granted(run(1, 10, 120.0, 300.0, abnormal=worse)) == [10]


def test_a_policy_may_let_a_failing_service_shrink(run) -> None:
    rules = ruled(Cause.CAPACITY, AnomalyRule())
    assert granted(run(2, 10, 30.0, 30.0, abnormal=all_along(Cause.CAPACITY), guarded=rules))[-1] == 3
    assert granted(run(2, 10, 30.0, 30.0, abnormal=all_along(Cause.CAPACITY)))[-1] == 10


def test_the_record_tells_the_verdict_what_follows_by_which_rule_and_what_would_have_been(run) -> None:
    named = tuple((f"anomaly.{n}.{f}", Origin("GuardPolicy p", f"{n}.{f}", "p.yaml:7", "00000000"))
                  for n in ("suspectedAttack", "capacity") for f in ("cap", "growth"))  # fmt: skip
    rules = ruled(Cause.SUSPECTED_ATTACK, AnomalyRule(caps=(GrowthCap(most=15),)), origins=named)
    decision = run(1, 10, 100.0, 400.0, abnormal=all_along(Cause.SUSPECTED_ATTACK), guarded=rules)[0][0]
    assert decision.granted == 15
    (words,) = told(decision)
    assert words.startswith("SuspectedAttack: a suspected attack, severity 0.9, since 1970-01-01T01:40:00Z")
    assert "grows to 15" in words
    (effect,) = (e for e in decision.effects if e.guard == "anomaly")
    assert [r.split()[2] for r in rules_behind(decision, effect)] == ["suspectedAttack.cap", "suspectedAttack.growth"]
    assert counterfactuals(decision, CHAIN)["anomaly"] == 40
    assert int(run_chain(CHAIN, replayed(decision))[1].wanted[0]) == 15


def test_a_calm_lane_carries_nothing_of_it_in_the_record(run) -> None:
    decision = run(1, 10, 100.0, 400.0, abnormal=CALM)[0][0]
    assert not any(name.startswith("anomaly") for name in decision.inputs)
    assert told(decision) == []


@settings(max_examples=80, deadline=None)
@given(
    severity=st.lists(st.floats(-0.5, 1.5), min_size=6, max_size=6),
    began=st.lists(st.one_of(st.floats(0, 1e9), st.just(np.nan)), min_size=6, max_size=6),
    detector=st.sampled_from(Detector),
)
def test_a_verdict_that_exists_is_valid(severity: list[float], began: list[float], detector: Detector) -> None:
    told, since = np.array(severity)[:, None], np.array(began)[:, None]
    sound = (told >= 0).all() and (told <= 1).all() and np.isfinite(since[told > 0]).all()
    sound &= detector is Detector.ON or not told.any()
    if not sound:
        with pytest.raises(ValueError, match=r"."):
            AnomaliesAt(detector, told, since)
        return
    made = AnomaliesAt(detector, told, since)
    assert made.any == bool((told > 0).any())
    with pytest.raises(ValueError, match="read-only"):
        made.severity[0, 0] = 1.0
