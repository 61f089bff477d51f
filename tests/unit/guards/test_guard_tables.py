"""Each guard's worked examples: ten replicas run unless a row says otherwise."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autoscaler.domain.anomaly import Cause
from autoscaler.domain.anomaly_rules import FORESEEN
from autoscaler.domain.proposals import Proposals
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import DataVerdict
from autoscaler.guards.anomaly import Anomaly
from autoscaler.guards.bad_data import BadData
from autoscaler.guards.budget import Budget
from autoscaler.guards.capacity_known import CapacityKnown
from autoscaler.guards.chain import CHAIN
from autoscaler.guards.change_freeze import ANY, NOTHING, OBSERVED_NEED, ChangeFreeze
from autoscaler.guards.condition import Condition
from autoscaler.guards.condition_known import ConditionKnown
from autoscaler.guards.contract import Guard
from autoscaler.guards.disruption_budget import DisruptionBudget
from autoscaler.guards.fallback import Fallback
from autoscaler.guards.fallback_decay import FallbackDecay
from autoscaler.guards.fleet_brake import FleetBrake
from autoscaler.guards.forecast_trust import ForecastTrust
from autoscaler.guards.growth_brake import GrowthBrake
from autoscaler.guards.limits_clash import LimitsClash
from autoscaler.guards.lower_bound import LowerBound
from autoscaler.guards.min_max import MinMax
from autoscaler.guards.no_room import NoRoom
from autoscaler.guards.override import Override
from autoscaler.guards.pause import Pause
from autoscaler.guards.policy_known import PolicyKnown
from autoscaler.guards.rise_spacing import RiseSpacing
from autoscaler.guards.scaled_to_zero import ScaledToZero
from autoscaler.guards.stabilization import Stabilization
from autoscaler.guards.stale_data import StaleData
from autoscaler.guards.step_down import StepDown
from autoscaler.guards.step_up import StepUp
from autoscaler.guards.target_known import TargetKnown
from autoscaler.guards.tolerance import Tolerance
from autoscaler.guards.yielded import Yielded
from autoscaler.pipeline.decide import run_chain

FAULT, FAILING, ATTACK = Cause.DATA_FAULT.bit, Cause.LATENCY_ERRORS.bit, Cause.SUSPECTED_ATTACK.bit
Case = tuple[Guard, Reason, str, dict[str, Any], int, bool]

CASES: list[Case] = [
    (TargetKnown(), Reason.TARGET_UNKNOWN, "known", {"wanted": 4}, 4, False),
    (TargetKnown(), Reason.TARGET_UNKNOWN, "unknown stays", {"wanted": 40, "target_known": False}, 10, False),
    (Pause(), Reason.PAUSED, "none", {"wanted": 4}, 4, False),
    (Pause(), Reason.PAUSED, "both, wants less", {"wanted": 4, "pause_up": True, "pause_down": True}, 10, False),
    (Pause(), Reason.PAUSED, "both beats need", {
        "wanted": 40, "observed_need": 40, "pause_up": True, "pause_down": True}, 10, False),
    (Pause(), Reason.PAUSED, "down keeps", {"wanted": 4, "pause_down": True}, 10, False),
    (Pause(), Reason.PAUSED, "down lets grow", {"wanted": 14, "pause_down": True}, 14, False),
    (Pause(), Reason.PAUSED, "up caps even need", {"wanted": 14, "observed_need": 14, "pause_up": True}, 10, False),
    (Pause(), Reason.PAUSED, "up lets shrink", {"wanted": 4, "pause_up": True}, 4, False),
    (Pause(), Reason.PAUSED, "at a number, up", {"wanted": 4, "pause_level": 14}, 14, False),
    (Pause(), Reason.PAUSED, "at a number, down by a step", {
        "wanted": 40, "pause_level": 4, "down_limit": 9}, 9, False),
    (Pause(), Reason.PAUSED, "at a number beyond max", {"wanted": 4, "pause_level": 400}, 100, False),
    (Override(), Reason.OVERRIDDEN, "nobody did", {"wanted": 4}, 4, False),
    (Override(), Reason.OVERRIDDEN, "D04 by hand, wants less", {"wanted": 4, "overridden": True}, 10, False),
    (Override(), Reason.OVERRIDDEN, "D04 by hand, wants more", {
        "wanted": 40, "observed_need": 40, "overridden": True}, 10, False),
    (ForecastTrust(), Reason.FORECAST_NOT_TRUSTED, "believed", {"wanted": 40}, 40, False),
    (ForecastTrust(), Reason.FORECAST_NOT_TRUSTED, "believed so far", {"wanted": 40, "trust_cap": 20}, 20, False),
    (ForecastTrust(), Reason.FORECAST_NOT_TRUSTED, "need is spared", {
        "wanted": 40, "trust_cap": 20, "observed_need": 30}, 30, False),
    (Tolerance(), Reason.WITHIN_TOLERANCE, "none", {"wanted": 11}, 11, False),
    (Tolerance(), Reason.WITHIN_TOLERANCE, "small rise", {"wanted": 11, "tolerance_up": 0.1}, 10, False),
    (Tolerance(), Reason.WITHIN_TOLERANCE, "larger rise", {"wanted": 12, "tolerance_up": 0.1}, 12, False),
    (Tolerance(), Reason.WITHIN_TOLERANCE, "small fall", {"wanted": 9, "tolerance_down": 0.1}, 10, False),
    (Tolerance(), Reason.WITHIN_TOLERANCE, "other direction", {"wanted": 9, "tolerance_up": 0.1}, 9, False),
    (Tolerance(), Reason.WITHIN_TOLERANCE, "need is added", {
        "wanted": 11, "observed_need": 11, "tolerance_up": 0.1}, 11, False),
    (ConditionKnown(), Reason.CONDITION_UNKNOWN, "answered", {"wanted": 4}, 4, False),
    (ConditionKnown(), Reason.CONDITION_UNKNOWN, "not answered", {"wanted": 4, "condition_unknown": True}, 10, True),
    (CapacityKnown(), Reason.CAPACITY_UNKNOWN, "learned", {"wanted": 4}, 4, False),
    (CapacityKnown(), Reason.CAPACITY_UNKNOWN, "not yet", {"wanted": 4, "capacity_unknown": True}, 10, True),
    (Condition(), Reason.CONDITION, "none", {"wanted": 4}, 4, False),
    (Condition(), Reason.CONDITION, "holds", {"wanted": 4, "condition_hold": True}, 10, True),
    (Condition(), Reason.CONDITION, "holds and grows", {"wanted": 14, "condition_hold": True}, 14, True),
    (Condition(), Reason.CONDITION, "floor", {"wanted": 4, "condition_floor": 7}, 7, False),
    (Condition(), Reason.CONDITION, "cap", {"wanted": 40, "condition_cap": 20}, 20, False),
    (Condition(), Reason.CONDITION, "cap by a step", {"wanted": 40, "condition_cap": 2, "down_limit": 9}, 9, False),
    (Condition(), Reason.CONDITION, "cap spares need", {
        "wanted": 40, "condition_cap": 20, "observed_need": 30}, 30, False),
    (Condition(), Reason.CONDITION, "cap gives need up", {
        "wanted": 40, "condition_cap": 20, "observed_need": 30, "short_condition": True}, 20, False),
    (Condition(), Reason.CONDITION, "cap beats floor", {
        "wanted": 4, "condition_floor": 9, "condition_cap": 7}, 7, False),
    (Condition(), Reason.CONDITION, "a hold keeps what runs under a cap", {
        "wanted": 4, "condition_hold": True, "condition_cap": 7}, 10, True),
    (GrowthBrake(), Reason.GROWTH_BRAKE, "its turn", {"wanted": 40}, 40, False),
    (GrowthBrake(), Reason.GROWTH_BRAKE, "not its turn", {"wanted": 40, "growth_braked": True}, 10, False),
    (GrowthBrake(), Reason.GROWTH_BRAKE, "need is spared", {
        "wanted": 40, "observed_need": 20, "growth_braked": True}, 20, False),
    (GrowthBrake(), Reason.GROWTH_BRAKE, "need is given up", {
        "wanted": 40, "observed_need": 20, "growth_braked": True, "short_growth": True}, 10, False),
    (Budget(), Reason.BUDGET_REACHED, "D15 need is given up", {
        "wanted": 40, "observed_need": 20, "budget_cap": 12, "short_budget": True}, 12, False),
    (ScaledToZero(), Reason.SCALED_TO_ZERO, "runs", {"wanted": 4}, 4, False),
    (ScaledToZero(), Reason.SCALED_TO_ZERO, "D03 stays", {
        "wanted": 12, "observed_need": 12, "desired": 0, "current": 0}, 0, False),
    (ScaledToZero(), Reason.SCALED_TO_ZERO, "D03 floor stays written", {
        "wanted": 12, "desired": 0, "current": 3}, 3, False),
    (BadData(), Reason.BAD_DATA, "usable", {"wanted": 4}, 4, False),
    (BadData(), Reason.BAD_DATA, "M03 missing", {"wanted": 4, "verdict": DataVerdict.MISSING}, 10, True),
    (BadData(), Reason.BAD_DATA, "M04 NaN", {"wanted": 4, "verdict": DataVerdict.NOT_FINITE}, 10, True),
    (BadData(), Reason.BAD_DATA, "M05 negative", {"wanted": 4, "verdict": DataVerdict.NEGATIVE}, 10, True),
    (BadData(), Reason.BAD_DATA, "unreachable", {"wanted": 40, "verdict": DataVerdict.UNREACHABLE}, 10, True),
    (BadData(), Reason.BAD_DATA, "grows to trusted need", {
        "wanted": 40, "observed_need": 13, "verdict": DataVerdict.MISSING}, 13, True),
    (BadData(), Reason.BAD_DATA, "need unknown", {
        "wanted": 40, "observed_need": 0, "need_known": False, "verdict": DataVerdict.MISSING}, 10, True),
    (BadData(), Reason.BAD_DATA, "a floor holds what runs", {
        "wanted": 2, "current": 2, "hold_level": 10, "verdict": DataVerdict.MISSING}, 10, True),
    (LowerBound(), Reason.LOWER_BOUND, "usable", {"wanted": 4}, 4, False),
    (LowerBound(), Reason.LOWER_BOUND, "M09 partial keeps", {"wanted": 4, "verdict": DataVerdict.PARTIAL}, 10, True),
    (LowerBound(), Reason.LOWER_BOUND, "M11 recovering keeps", {
        "wanted": 4, "verdict": DataVerdict.RECOVERING}, 10, True),
    (LowerBound(), Reason.LOWER_BOUND, "M09 partial lets a forecast grow", {
        "wanted": 40, "observed_need": 12, "verdict": DataVerdict.PARTIAL}, 40, True),
    (LowerBound(), Reason.LOWER_BOUND, "M09 a floor keeps what runs", {
        "wanted": 2, "current": 2, "hold_level": 10, "verdict": DataVerdict.PARTIAL}, 10, True),
    (LimitsClash(), Reason.LIMITS_CLASH, "room", {"wanted": 4}, 4, False),
    (LimitsClash(), Reason.LIMITS_CLASH, "D01 none, stays", {"wanted": 4, "clash": True}, 10, True),
    (LimitsClash(), Reason.LIMITS_CLASH, "D01 none, stays below need too", {
        "wanted": 40, "observed_need": 40, "clash": True}, 10, True),
    (PolicyKnown(), Reason.POLICY_UNKNOWN, "known", {"wanted": 4}, 4, False),
    (PolicyKnown(), Reason.POLICY_UNKNOWN, "P05 unknown holds", {"wanted": 4, "policy_unknown": True}, 10, True),
    (PolicyKnown(), Reason.POLICY_UNKNOWN, "P05 unknown grows to need", {
        "wanted": 40, "observed_need": 13, "policy_unknown": True}, 13, True),
    (Fallback(), Reason.FALLBACK, "M01 not long enough", {
        "held": True, "fallback_least": 20, "fallback_after_s": 600.0, "data_age_s": 600.0}, 10, False),
    (Fallback(), Reason.FALLBACK, "M01 long enough", {
        "held": True, "fallback_least": 20, "fallback_after_s": 600.0, "data_age_s": 601.0}, 20, False),
    (Fallback(), Reason.FALLBACK, "M01 never seen", {
        "held": True, "fallback_least": 20, "fallback_after_s": 600.0, "data_age_s": np.inf}, 20, False),
    (Fallback(), Reason.FALLBACK, "M01 the last plan is larger", {
        "held": True, "fallback_least": 5, "fallback_after_s": 600.0, "data_age_s": np.inf}, 10, False),
    (Fallback(), Reason.FALLBACK, "no rule", {"held": True, "data_age_s": np.inf}, 10, False),
    (Fallback(), Reason.FALLBACK, "data is well", {
        "wanted": 4, "fallback_least": 20, "fallback_after_s": 0.0, "data_age_s": 60.0}, 4, False),
    (ChangeFreeze(), Reason.CHANGE_FREEZE, "open", {"wanted": 4}, 4, False),
    (ChangeFreeze(), Reason.CHANGE_FREEZE, "D11 any growth, no shrink", {"wanted": 4, "change_freeze": ANY}, 10, True),
    (ChangeFreeze(), Reason.CHANGE_FREEZE, "D11 any growth", {"wanted": 14, "change_freeze": ANY}, 14, True),
    (ChangeFreeze(), Reason.CHANGE_FREEZE, "D11 growth to need", {
        "wanted": 40, "observed_need": 13, "change_freeze": OBSERVED_NEED}, 13, True),
    (ChangeFreeze(), Reason.CHANGE_FREEZE, "D11 no shrink to need", {
        "wanted": 4, "observed_need": 4, "change_freeze": OBSERVED_NEED}, 10, True),
    (ChangeFreeze(), Reason.CHANGE_FREEZE, "D11 no growth at all", {
        "wanted": 40, "observed_need": 40, "change_freeze": NOTHING}, 10, True),
    (ChangeFreeze(), Reason.CHANGE_FREEZE, "D11 a floor keeps what runs", {
        "wanted": 2, "current": 2, "hold_level": 10, "change_freeze": NOTHING}, 10, True),
    (ChangeFreeze(), Reason.CHANGE_FREEZE, "D11 a hold is kept", {
        "wanted": 20, "held": True, "change_freeze": ANY}, 20, False),
    (StaleData(), Reason.STALE_DATA, "at the limit", {"wanted": 4, "data_age_s": 180.0}, 4, False),
    (StaleData(), Reason.STALE_DATA, "past it", {"wanted": 4, "data_age_s": 180.1}, 10, True),
    (StaleData(), Reason.STALE_DATA, "never seen", {"wanted": 4, "data_age_s": np.inf}, 10, True),
    (StaleData(), Reason.STALE_DATA, "age unknown", {"wanted": 4, "data_age_s": np.nan}, 10, True),
    (Stabilization(), Reason.STABILIZING, "steady", {"wanted": 4}, 4, False),
    (Stabilization(), Reason.STABILIZING, "waits down", {"wanted": 4, "recent_high": 8, "recent_low": 4}, 8, False),
    (Stabilization(), Reason.STABILIZING, "high above current does not raise", {
        "wanted": 4, "recent_high": 30, "recent_low": 4}, 10, False),
    (Stabilization(), Reason.STABILIZING, "waits up", {"wanted": 20, "recent_high": 20, "recent_low": 12}, 12, False),
    (Stabilization(), Reason.STABILIZING, "never delays need", {
        "wanted": 20, "observed_need": 17, "recent_high": 20, "recent_low": 12}, 17, False),
    (Stabilization(), Reason.STABILIZING, "leaves a held lane", {
        "wanted": 10, "held": True, "recent_high": 4, "recent_low": 4}, 10, False),
    (StepUp(), Reason.STEP_UP_LIMITED, "free", {"wanted": 14, "up_limit": 14}, 14, False),
    (StepUp(), Reason.STEP_UP_LIMITED, "cut", {"wanted": 15, "up_limit": 14}, 14, False),
    (StepUp(), Reason.STEP_UP_LIMITED, "F02 need is spared", {
        "wanted": 50, "observed_need": 48, "up_limit": 14}, 48, False),
    (StepUp(), Reason.STEP_UP_LIMITED, "a hold is kept", {
        "wanted": 30, "current": 2, "hold_level": 30, "held": True, "up_limit": 6}, 30, False),
    (StepDown(), Reason.STEP_DOWN_LIMITED, "free", {"wanted": 9, "down_limit": 9}, 9, False),
    (StepDown(), Reason.STEP_DOWN_LIMITED, "cut", {"wanted": 1, "down_limit": 9}, 9, False),
    (Yielded(), Reason.YIELDED, "ours", {"wanted": 4}, 4, False),
    (Yielded(), Reason.YIELDED, "K01 another's", {"wanted": 40, "yielded": True, "observed_need": 40}, 10, False),
    (DisruptionBudget(), Reason.DISRUPTION_BUDGET, "none binds", {"wanted": 4}, 4, False),
    (DisruptionBudget(), Reason.DISRUPTION_BUDGET, "D10 binds", {"wanted": 4, "least_replicas": 9}, 9, False),
    (DisruptionBudget(), Reason.DISRUPTION_BUDGET, "D10 never raises", {"wanted": 4, "least_replicas": 30}, 10, False),
    (StepUp(), Reason.STEP_UP_LIMITED, "D06 need is not spared where policy says so", {
        "wanted": 40, "observed_need": 30, "up_limit": 14, "short_up_limit": 14}, 14, False),
    (StepUp(), Reason.STEP_UP_LIMITED, "a looser limit that spares nothing leaves need", {
        "wanted": 40, "observed_need": 30, "up_limit": 14, "short_up_limit": 20}, 20, False),
    (FallbackDecay(), Reason.FALLBACK_DECAYING, "nothing is kept", {"wanted": 4}, 4, False),
    (FallbackDecay(), Reason.FALLBACK_DECAYING, "M01 comes down to", {"wanted": 4, "fallback_level": 8}, 8, False),
    (FallbackDecay(), Reason.FALLBACK_DECAYING, "raises nothing", {"wanted": 4, "fallback_level": 80}, 10, False),
    (FallbackDecay(), Reason.FALLBACK_DECAYING, "growth is free", {"wanted": 14, "fallback_level": 8}, 14, False),
    (Anomaly(), Reason.ANOMALY, "nothing abnormal", {"wanted": 4, "anomaly_hold": True}, 4, False),
    (Anomaly(), Reason.ANOMALY, "M24 M25 wrong data neither shrinks", {
        "wanted": 4, "anomaly_causes": FAULT, "anomaly_growth": NOTHING, "anomaly_hold": True}, 10, True),
    (Anomaly(), Reason.ANOMALY, "M25 nor grows, whatever it seems to need", {
        "wanted": 90, "observed_need": 90, "anomaly_causes": FAULT, "anomaly_growth": NOTHING, "anomaly_hold": True},
     10, True),
    (Anomaly(), Reason.ANOMALY, "M24 but by the forecast from before", {
        "wanted": 90, "observed_need": 90, "need_known": False, "predicted_need": 16, "predicted": True,
        "anomaly_causes": FAULT, "anomaly_growth": FORESEEN, "anomaly_hold": True}, 16, True),
    (Anomaly(), Reason.ANOMALY, "M24 which takes nothing away", {
        "wanted": 4, "predicted_need": 4, "predicted": True, "anomaly_causes": FAULT, "anomaly_growth": FORESEEN,
        "anomaly_hold": True}, 10, True),
    (Anomaly(), Reason.ANOMALY, "M24 and adds nothing where there is none", {
        "wanted": 90, "need_known": False, "predicted_need": 90, "anomaly_causes": FAULT, "anomaly_growth": FORESEEN,
        "anomaly_hold": True}, 10, True),
    (BadData(), Reason.BAD_DATA, "M03 M24 the forecast from before may add", {
        "wanted": 16, "need_known": False, "predicted_need": 16, "predicted": True, "verdict": DataVerdict.STUCK},
     16, True),
    (BadData(), Reason.BAD_DATA, "M03 no more than it asks for", {
        "wanted": 40, "need_known": False, "predicted_need": 16, "predicted": True, "verdict": DataVerdict.MISSING},
     16, True),
    (StaleData(), Reason.STALE_DATA, "M10 the forecast from before may add", {
        "wanted": 16, "need_known": False, "predicted_need": 16, "predicted": True, "data_age_s": 900.0}, 16, True),
    (StaleData(), Reason.STALE_DATA, "M10 and takes nothing away", {
        "wanted": 4, "need_known": False, "predicted_need": 4, "predicted": True, "data_age_s": 900.0}, 10, True),
    (Anomaly(), Reason.ANOMALY, "M26 failing does not shrink", {
        "wanted": 4, "anomaly_causes": FAILING, "anomaly_hold": True}, 10, True),
    (Anomaly(), Reason.ANOMALY, "M26 failing may grow", {
        "wanted": 14, "anomaly_causes": FAILING, "anomaly_hold": True}, 14, True),
    (Anomaly(), Reason.ANOMALY, "S09 not by forecast", {
        "wanted": 40, "observed_need": 12, "anomaly_causes": ATTACK, "anomaly_growth": OBSERVED_NEED}, 12, False),
    (Anomaly(), Reason.ANOMALY, "S09 may shrink", {
        "wanted": 4, "anomaly_causes": ATTACK, "anomaly_growth": OBSERVED_NEED}, 4, False),
    (Anomaly(), Reason.ANOMALY, "S09 capped, need is spared", {
        "wanted": 40, "observed_need": 22, "anomaly_causes": ATTACK, "anomaly_cap": 15}, 22, False),
    (Anomaly(), Reason.ANOMALY, "S09 capped, need is not spared", {
        "wanted": 40, "observed_need": 22, "anomaly_causes": ATTACK, "anomaly_short_cap": 15}, 15, False),
    (Anomaly(), Reason.ANOMALY, "a cap takes nothing away", {
        "wanted": 40, "anomaly_causes": ATTACK, "anomaly_short_cap": 5}, 10, False),
    (Anomaly(), Reason.ANOMALY, "under a floor what runs is there", {
        "wanted": 40, "hold_level": 16, "anomaly_causes": ATTACK, "anomaly_short_cap": 5}, 16, False),
    (FleetBrake(), Reason.FLEET_BRAKE, "free", {"wanted": 4}, 4, False),
    (FleetBrake(), Reason.FLEET_BRAKE, "D07 waits", {"wanted": 4, "braked": True}, 10, True),
    (FleetBrake(), Reason.FLEET_BRAKE, "D07 need grows", {"wanted": 4, "observed_need": 12, "braked": True}, 12, True),
    (FleetBrake(), Reason.FLEET_BRAKE, "leaves a held lane", {"wanted": 11, "held": True, "braked": True}, 11, False),
    (Budget(), Reason.BUDGET_REACHED, "free", {"wanted": 14}, 14, False),
    (Budget(), Reason.BUDGET_REACHED, "D15 cut", {"wanted": 14, "budget_cap": 12}, 12, False),
    (Budget(), Reason.BUDGET_REACHED, "D15 need is spared", {
        "wanted": 14, "observed_need": 13, "budget_cap": 5}, 13, False),
    (NoRoom(), Reason.NO_ROOM, "room", {"wanted": 14}, 14, False),
    (NoRoom(), Reason.NO_ROOM, "D08 no more", {"wanted": 14, "stuck": True, "observed_need": 14}, 10, False),
    (NoRoom(), Reason.NO_ROOM, "D08 may shrink", {"wanted": 4, "stuck": True}, 4, False),
    (RiseSpacing(), Reason.RISE_SPACED, "rested", {
        "wanted": 14, "rises_spaced": True, "now_s": 100.0, "raised_s": 70.0}, 14, False),
    (RiseSpacing(), Reason.RISE_SPACED, "too soon", {
        "wanted": 14, "rises_spaced": True, "now_s": 100.0, "raised_s": 71.0}, 10, False),
    (RiseSpacing(), Reason.RISE_SPACED, "falls at any time", {
        "wanted": 4, "rises_spaced": True, "now_s": 100.0, "raised_s": 99.0}, 4, False),
    (RiseSpacing(), Reason.RISE_SPACED, "Scale is free", {"wanted": 14, "now_s": 100.0, "raised_s": 99.0}, 14, False),
    (MinMax(), Reason.OUTSIDE_LIMITS, "D02 a lowered max waits for the budget", {
        "wanted": 10, "max_replicas": 5, "down_limit": 8, "least_replicas": 9}, 9, False),
    (MinMax(), Reason.OUTSIDE_LIMITS, "inside", {"wanted": 4}, 4, False),
    (MinMax(), Reason.OUTSIDE_LIMITS, "to min", {"wanted": 0, "min_replicas": 2}, 2, False),
    (MinMax(), Reason.OUTSIDE_LIMITS, "to max", {"wanted": 101}, 100, False),
    (MinMax(), Reason.OUTSIDE_LIMITS, "max beats need", {"wanted": 300, "observed_need": 300}, 100, False),
    (MinMax(), Reason.OUTSIDE_LIMITS, "lowered max, one step", {
        "wanted": 10, "max_replicas": 5, "down_limit": 8}, 8, False),
    (MinMax(), Reason.OUTSIDE_LIMITS, "lowered max, near", {
        "wanted": 10, "max_replicas": 9, "down_limit": 8}, 9, False),
    (MinMax(), Reason.OUTSIDE_LIMITS, "lowered max moves a held lane too", {
        "wanted": 10, "held": True, "max_replicas": 5, "down_limit": 8}, 8, False),
    (MinMax(), Reason.OUTSIDE_LIMITS, "raised min, one step", {
        "wanted": 10, "min_replicas": 20, "up_limit": 14}, 14, False),
    (MinMax(), Reason.OUTSIDE_LIMITS, "ceiling below min wins", {
        "wanted": 3, "current": 2, "min_replicas": 5, "max_replicas": 3}, 3, False),
    (MinMax(), Reason.OUTSIDE_LIMITS, "paused down stays above a lowered max", {
        "wanted": 10, "max_replicas": 5, "pause_down": True}, 10, False),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0].name}: {c[2]}")
def test_worked_example(case: Case, make_proposals: Callable[..., Proposals]) -> None:
    guard, reason, _, given, expected, holds = case
    (step,), last = run_chain((guard,), make_proposals(**given))
    assert int(last.wanted[0]) == expected
    assert bool(step.holds[0]) is holds
    assert step.reason is reason
    assert guard.reason is reason
    assert not step.failed.any()
    assert bool(step.acted[0]) is (holds or expected != int(step.before[0]))


def test_every_guard_of_the_chain_has_examples() -> None:
    assert {c[0].name for c in CASES} == {g.name for g in CHAIN}


@pytest.mark.parametrize("direction", ["pause_down", "pause_up"])
def test_a_pause_in_one_direction_outlives_all_later_guards(
    direction: str, make_proposals: Callable[..., Proposals]
) -> None:
    """Stabilisation once took a lane paused downward to what had been recommended all along."""
    for wanted, low, high in ((5, 1, 100), (20, 1, 100), (5, 1, 7), (20, 15, 100)):
        p = make_proposals(wanted=wanted, min_replicas=low, max_replicas=high, **{direction: True})
        got = int(run_chain(CHAIN, p)[1].wanted[0])
        assert got >= 10 if direction == "pause_down" else got <= 10
