"""What the guards of one tick review, from the plan, the cluster, the rules in force and the memory of the loop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.policy_fleet import InForce
from autoscaler.domain.proposals import Proposals
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.series import Bools, Codes, Ints, anywhere
from autoscaler.pipeline.state import LoopState
from autoscaler.planning.plan import Plan


@dataclass(frozen=True, slots=True, eq=False)
class _Blank:
    """What is said of all lanes alike where nobody says otherwise, [lane] and read-only; made once a fleet.

    unpaused: no pause can be in force. silent: fields that stay blank whatever the tick brings.
    """

    nobody: Bools
    nothing: Ints
    unlimited: Ints
    calm: Codes
    unpaused: bool
    silent: frozenset[str]

    @staticmethod
    def of(fleet: Fleet) -> _Blank:
        lanes = len(fleet)
        arrays = (
            np.zeros(lanes, dtype=np.bool_), np.zeros(lanes, dtype=np.int64),
            np.full(lanes, NO_LIMIT, dtype=np.int64), np.zeros(lanes, dtype=np.uint8),
        )  # fmt: skip
        for each in arrays:
            each.setflags(write=False)
        unpaused = fleet.rules.idle and not (anywhere(fleet.pause_up) or anywhere(fleet.pause_down))
        blank = {
            ("clash", "policy_unknown", "fallback_least", "change_freeze", "pause_level"): fleet.rules.idle,
            ("pause_up", "pause_down"): unpaused,
            ("fallback_level",): not fleet.rules.falls,
            ("trust_cap",): not fleet.rules.trusts,
            ("condition_floor", "condition_hold", "condition_cap", "condition_unknown"): not fleet.conditions.any,
            ("braked", "growth_braked", "budget_cap"): not fleet.shared.any,
            ("tolerance_up",): not fleet.up.tolerance.any(),
            ("tolerance_down",): not fleet.down.tolerance.any(),
            ("capacity_unknown",): fleet.unsized is None,
            ("anomaly_causes",): True,
        }
        return _Blank(*arrays, unpaused, frozenset(n for names, is_so in blank.items() if is_so for n in names))


def propose(
    fleet: Fleet, planned: Plan, status: ReplicaStatus, current: Ints, state: LoopState, *, rules: InForce, now_s: float
) -> Proposals:
    """current: [lane], what is written now. rules: of guard policies, at now_s."""
    blank: _Blank = fleet.once("blank", 0, lambda: _Blank.of(fleet))
    paused = fleet.pause_until_s > now_s
    hold_level = current
    if anywhere(fleet.is_floor):
        running = np.maximum(status.floor, np.minimum(status.desired, status.ceiling))
        # a floor that is raised because nothing can be sized would keep its HPA from ever shrinking
        raised = fleet.is_floor if fleet.unsized is None else fleet.is_floor & ~fleet.unsized
        hold_level = np.where(raised, running, current)
    nobody, unlimited = blank.nobody, blank.unlimited
    overridden = _overridden(fleet, status, now_s)
    high = rules.max_replicas
    if not fleet.rules.idle and anywhere(
        rules.freeze > 0
    ):  # a freeze forbids every shrink, that into a lowered max too
        high = np.where(rules.freeze > 0, np.maximum(high, hold_level), high)
    return Proposals(
        now_s=now_s,
        target_known=status.known,
        desired=status.desired,
        current=current,
        hold_level=hold_level,
        observed_need=planned.observed_need,
        need_known=planned.need_known,
        predicted_need=planned.predicted_need,
        predicted=planned.predicted,
        verdict=planned.verdict,
        data_age_s=planned.data_age_s,
        max_data_age_s=fleet.max_data_age_s,
        min_replicas=np.maximum(rules.min_replicas, status.own_floor),
        max_replicas=np.maximum(np.minimum(high, status.ceiling), 1),
        recent_high=state.recent_high(now_s, fleet.down),
        recent_low=state.recent_low(now_s, fleet.up),
        up_limit=_up_limit(fleet, state, current, now_s),
        short_up_limit=unlimited
        if fleet.up_short.free
        else state.step_limit(now_s, fleet.up_short, current, upward=True),
        down_limit=_down_limit(fleet, state, current, now_s),
        pause_up=nobody if blank.unpaused else fleet.pause_up & paused | rules.pause_up,
        pause_down=nobody if blank.unpaused else fleet.pause_down & paused | rules.pause_down,
        wanted=planned.wanted,
        held=nobody,
        frozen=nobody,
        yielded=status.yielded,
        overridden=nobody if overridden is None else overridden,
        stuck=status.stuck,
        least_replicas=status.least,
        raised_s=status.raised_s,
        rises_spaced=fleet.is_floor,
        change_freeze=rules.freeze,
        clash=rules.clash,
        policy_unknown=rules.unknown,
        fallback_least=rules.fallback_least,
        fallback_after_s=rules.fallback_after_s,
        fallback_level=blank.nothing,
        braked=nobody,
        budget_cap=unlimited,
        pause_level=rules.pause_level,
        trust_cap=unlimited,
        growth_braked=nobody,
        short_budget=nobody,
        short_growth=nobody,
        condition_hold=nobody,
        condition_unknown=nobody,
        condition_floor=blank.nothing,
        condition_cap=unlimited,
        short_condition=nobody,
        tolerance_up=fleet.up.tolerance,
        tolerance_down=fleet.down.tolerance,
        capacity_unknown=nobody if fleet.unsized is None else fleet.unsized,
        anomaly_causes=blank.calm,
        anomaly_growth=blank.calm,
        anomaly_hold=nobody,
        anomaly_cap=unlimited,
        anomaly_short_cap=unlimited,
        silent=blank.silent | _NOT_OVERRIDDEN if overridden is None else blank.silent,
    )


_NOT_OVERRIDDEN = frozenset({"overridden"})


def _overridden(fleet: Fleet, status: ReplicaStatus, now_s: float) -> Bools | None:
    """[lane], where a change by hand still stands; None where there is none."""
    if not len(fleet) or status.overridden_s.max() == -np.inf:
        return None
    return np.asarray(status.known & (now_s - status.overridden_s < fleet.rules.override_s))


def _up_limit(fleet: Fleet, state: LoopState, current: Ints, now_s: float) -> Ints:
    """The workload's own step limit and those of its policies: each binds."""
    own = state.step_limit(now_s, fleet.up, current, upward=True)
    if fleet.up_cap.free:
        return own
    return np.minimum(own, state.step_limit(now_s, fleet.up_cap, current, upward=True))


def _down_limit(fleet: Fleet, state: LoopState, current: Ints, now_s: float) -> Ints:
    own = state.step_limit(now_s, fleet.down, current, upward=False)
    if fleet.down_cap.free:
        return own
    return np.maximum(own, state.step_limit(now_s, fleet.down_cap, current, upward=False))
