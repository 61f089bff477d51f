"""The closed-loop half of a tick: need, plan, risk control, guards, decision; over lanes, for one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from autoscaler.domain.anomaly import AnomaliesAt
from autoscaler.domain.decision import Decisions
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.forecast import LEVELS, ForesightAt
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.policy_shared import Offer
from autoscaler.domain.proposals import Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.series import Bools, DataVerdict, Ints, anywhere, everywhere, usable
from autoscaler.domain.trace import GuardTrace, Trace
from autoscaler.guards.contract import Guard
from autoscaler.pipeline.anomalies import abnormal, anomaly_notes, doubted, unjudged, unseen
from autoscaler.pipeline.inherited import either, waits
from autoscaler.pipeline.policy_notes import budget_notes, condition_notes, conditioned, event_notes
from autoscaler.pipeline.propose import propose
from autoscaler.pipeline.risk_control import learned, remembered
from autoscaler.pipeline.state import LoopState
from autoscaler.pipeline.stop_notes import stop_notes
from autoscaler.planning.fallback import Kept, kept_in_the_dark
from autoscaler.planning.need import Needs
from autoscaler.planning.plan import Plan, plan
from autoscaler.planning.trust import trusted_most
from autoscaler.planning.twofold import sized_by

EXPIRY_STEPS = 2.0


def decide(
    fleet: Fleet,
    seen: ForesightAt,
    status: ReplicaStatus,
    state: LoopState,
    guards: Sequence[Guard],
    *,
    now_s: float,
    anomalies: AnomaliesAt | None = None,
    needs: Needs | None = None,
    stands: Bools | None = None,
) -> tuple[Decisions, LoopState]:
    """Decide for every lane; the new state is what the next tick starts from.

    now_s: seconds since the epoch. The decision expires after two steps: a late writer drops it. anomalies: what a
    detector says of this moment; None = there is none. needs: of this moment, where a whole block's were worked out at
    once; None = worked out here. stands: [lane], what counts as wanted now, as somebody before
    us wrote it; None = nothing.
    """
    needs = Needs.of(fleet, seen) if needs is None else needs
    doubts = doubted(fleet, anomalies)
    state = learned(fleet, seen, state, needs, unjudged(anomalies, doubts))
    current = _written(fleet, status)
    state = _with_room(fleet, needs, status, state)
    margin, foreseen = state.twofold.margin(state.margin), seen
    seen = sized_by(fleet, seen, LEVELS, state.twofold.serves > 0)
    rules = fleet.rules.at(now_s, fleet.lead_s + seen.step_s, fleet.min_replicas, fleet.max_replicas)
    room = state.room.now(status.desired) if anywhere(fleet.is_floor) else None
    planned = plan(
        fleet, seen, LEVELS, margin, current,
        room=room, least=rules.min_replicas, uplift=rules.uplift, needs=needs,
    )  # fmt: skip
    trusts = fleet.rules.trusts
    believed = trusted_most(fleet, seen, LEVELS, margin, planned, uplift=rules.uplift) if trusts else None
    lasting = planned
    if doubts is not None:
        blind = plan(
            fleet, unseen(fleet, seen, doubts), LEVELS, margin, current,
            room=room, least=rules.min_replicas, uplift=rules.uplift,
        )  # fmt: skip
        lasting = _undoubted(planned, doubts, current, blind)
    kept = _kept(fleet, seen, lasting, state, current, believed=believed, now_s=now_s) if fleet.rules.falls else None
    before_s = float(state.times_s[-1]) if len(state.times_s) else now_s
    state = state.noted(
        now_s, _recommended(fleet, lasting, current, believed), current, status.known, fleet.horizon_s,
        stands=either(stands, waits(fleet, seen)),
    )  # fmt: skip
    state = remembered(fleet, foreseen, state, lasting, needs=needs, uplift=rules.uplift)
    proposals = propose(fleet, planned, status, current, state, rules=rules, now_s=now_s)
    if kept is not None:
        state = replace(state, fallback=kept.state)
        proposals = replace(proposals, fallback_least=kept.least, fallback_level=kept.level)
    if believed is not None:
        proposals = replace(proposals, trust_cap=believed)
    proposals, state = abnormal(
        fleet, proposals, state, anomalies, untaught=seen.untaught, foreseen=lasting.predicted_need
    )
    answers = conditioned(fleet, seen, proposals, margin, now_s) if fleet.conditions.any else None
    if answers is not None:
        proposals = replace(
            proposals, condition_hold=answers.hold, condition_unknown=answers.unknown,
            condition_floor=answers.floor, condition_cap=answers.cap, short_condition=answers.short,
        )  # fmt: skip
    asked = _asked_of(fleet, guards, proposals)
    trace, last = run_chain(guards, proposals, asked)
    shares = fleet.shared.bind(_offer(fleet, proposals, last), now_s) if fleet.shared.any else None
    if shares is not None:
        proposals = replace(
            proposals, braked=shares.braked, budget_cap=shares.cap, growth_braked=shares.growth_braked,
            short_budget=shares.short_budget, short_growth=shares.short_growth,
        )  # fmt: skip
        trace, last = run_chain(guards, proposals, asked)
    decisions = Decisions(
        fleet=fleet,
        now_s=now_s,
        expires_s=now_s + EXPIRY_STEPS * seen.step_s,
        seen=seen,
        status=status,
        margin=margin,
        sizing=planned.sizing,
        proposals=proposals,
        trace=trace,
        granted=last.wanted,
        notes=status.notes,
        anomalies=anomalies,
    )
    decisions = decisions.noted(stop_notes(decisions, before_s))
    if rules.uplift is not None:
        decisions = decisions.noted(event_notes(fleet, now_s, seen.step_s))
    if anomalies is not None and (anomalies.any or anomalies.notes):
        decisions = decisions.noted(anomaly_notes(proposals, anomalies))
    if answers is not None:
        decisions = decisions.noted(condition_notes(answers))
    if shares is not None:
        decisions = decisions.noted(budget_notes(decisions))
    return decisions.noted(_capped(decisions)), state


def run_chain(
    guards: Sequence[Guard], proposals: Proposals, asked: Sequence[tuple[int, Guard]] | None = None
) -> tuple[Trace, Proposals]:
    """Pass the proposals through the guards, in order; a guard that raises holds its lanes only.

    asked: those that may have something to say, with their places; None = found here.
    """
    spoken: dict[int, GuardTrace] = {}
    nobody = np.zeros(len(proposals.wanted), dtype=np.bool_)
    nobody.setflags(write=False)
    first = proposals.wanted
    for g, guard in _asked(guards, proposals) if asked is None else asked:
        failed, before = nobody, proposals.wanted
        try:
            verdicts = guard.review(proposals)
            if proposals.stand(verdicts):
                if verdicts.limit is not None:
                    spoken[g] = GuardTrace(guard.name, guard.reason, before, before, nobody, nobody, verdicts.limit)
                continue
            _checked(guard, verdicts, proposals)
        except Exception:  # noqa: BLE001 - reviewed again lane by lane; the lanes that raise hold
            verdicts, failed = _lane_by_lane(guard, proposals)
        after = proposals.after(verdicts)
        holds = after.held & ~proposals.held
        spoken[g] = GuardTrace(guard.name, guard.reason, before, after.wanted, holds, failed, verdicts.limit)
        proposals = after
    return Trace(guards, spoken, first, nobody), proposals


def _asked(guards: Sequence[Guard], proposals: Proposals) -> list[tuple[int, Guard]]:
    """Guards that may have something to say: those that ask for a field which is not silent."""
    silent = proposals.silent
    return [(g, guard) for g, guard in enumerate(guards) if not (asks := getattr(guard, "asks", None)) or asks - silent]


def _asked_of(fleet: Fleet, guards: Sequence[Guard], proposals: Proposals) -> list[tuple[int, Guard]]:
    """The same, kept for the fleet while guards and silence stay what they are, as they mostly do."""
    first = fleet.once("asked guards", 0, lambda: (guards, proposals.silent, _asked(guards, proposals)))
    return first[2] if first[0] is guards and first[1] is proposals.silent else _asked(guards, proposals)


def _checked(guard: Guard, verdicts: Verdicts, proposals: Proposals) -> Verdicts:
    """The guard's answer; one of another type or shape (a NaN makes it floating) counts as a guard that raises."""
    if verdicts.wanted is not proposals.wanted:
        shape = proposals.wanted.shape
        whole = verdicts.wanted.dtype.kind == "i" and verdicts.wanted.shape == shape
        if not whole or verdicts.held.shape != shape or verdicts.frozen.shape != shape:
            raise TypeError(f"{guard.name} answered {verdicts.wanted.dtype} {verdicts.wanted.shape}, not whole {shape}")
    return verdicts


def _lane_by_lane(guard: Guard, proposals: Proposals) -> tuple[Verdicts, Bools]:
    """Each lane as if it were alone; those that raise hold, within max and a pause upward."""
    wanted, held, frozen = proposals.wanted.copy(), proposals.held.copy(), proposals.frozen.copy()
    failed = np.zeros(len(wanted), dtype=np.bool_)
    for lane in range(len(wanted)):
        alone = proposals.one(lane)
        try:
            one = alone.after(_checked(guard, guard.review(alone), alone))
        except Exception:  # noqa: BLE001 - this lane holds, the others go on
            failed[lane] = True
        else:
            wanted[lane], held[lane], frozen[lane] = one.wanted[0], one.held[0], one.frozen[0]
    kept = proposals.hold(failed, Reason.GUARD_FAILED).wanted
    most = np.where(proposals.pause_up, proposals.current, np.maximum(proposals.max_replicas, proposals.current))
    kept = np.minimum(kept, most)
    return Verdicts(guard.reason, np.where(failed, kept, wanted), held | failed, frozen, glides=True), failed


def _capped(decisions: Decisions) -> Mapping[int, tuple[Note, ...]]:
    """Where the HPA's own maximum, not ours, is what a floor cannot pass."""
    fleet, status = decisions.fleet, decisions.status
    over = decisions.wanted > status.ceiling
    if not anywhere(over):
        return {}
    binds = over & fleet.is_floor & status.known & (status.ceiling < fleet.max_replicas)
    found = {}
    for lane in np.flatnonzero(binds).tolist():
        words = (
            f"{int(decisions.wanted[lane])} are wanted; under the HPA's max a floor of {int(status.ceiling[lane])} is"
        )
        found[lane] = (Note(Condition.CAPPED_BY_HPA, f"{words} the most: raise its maxReplicas"),)
    return found


def _with_room(fleet: Fleet, needs: Needs, status: ReplicaStatus, state: LoopState) -> LoopState:
    """The rises of the HPAs above our floors say how much room they keep."""
    if not anywhere(fleet.is_floor):
        return state
    known = status.known if fleet.unsized is None else status.known & ~fleet.unsized
    return state.with_room(state.room.seen(status.desired, needs.load, status.floor, fleet.is_floor & known))


def _recommended(fleet: Fleet, planned: Plan, current: Ints, believed: Ints | None) -> Ints:
    """What stabilisation remembers of this tick: what is believed; where data is bad, that what runs was wanted."""
    wanted = planned.wanted
    if believed is not None:
        wanted = np.minimum(wanted, np.maximum(believed, planned.observed_need))
    trusted = usable(planned.verdict) & (planned.data_age_s <= fleet.max_data_age_s)
    if everywhere(trusted):
        return wanted
    return np.where(trusted, wanted, np.maximum(wanted, current))


def _undoubted(planned: Plan, doubts: Bools, current: Ints, blind: Plan) -> Plan:
    """The plan as it is remembered: what wrong data asked for is no plan of ours, and no reading either; what was
    foreseen before it is. blind: the plan without what is observed on those lanes.
    """
    foreseen = np.where(blind.predicted, np.maximum(current, blind.predicted_need), current)
    return replace(
        planned,
        predicted_need=np.where(doubts, blind.predicted_need, planned.predicted_need),
        shadow=np.where(doubts, np.nan, planned.shadow),
        wanted=np.where(doubts, foreseen, planned.wanted),
        verdict=np.where(doubts, np.uint8(DataVerdict.STUCK), planned.verdict),
    )


def _kept(
    fleet: Fleet, seen: ForesightAt, planned: Plan, state: LoopState, current: Ints,
    *, believed: Ints | None, now_s: float,
) -> Kept:  # fmt: skip
    """What fallbacks keep. The time since the last tick counts, but for a pause: what was not looked at is no light."""
    plan_ = planned.wanted if believed is None else np.minimum(planned.wanted, believed)
    elapsed_s = now_s - float(state.times_s[-1]) if len(state.times_s) else 0.0
    return kept_in_the_dark(
        fleet, seen, planned, state.twofold.margin(state.margin), current, believed=plan_, before=state.fallback,
        elapsed_s=min(max(elapsed_s, 0.0), EXPIRY_STEPS * seen.step_s),
    )  # fmt: skip


def _written(fleet: Fleet, status: ReplicaStatus) -> Ints:
    """[lane], what is written now: the floor, or the target's own count."""
    if status.floor is status.desired:
        return status.desired
    return np.where(fleet.is_floor, status.floor, status.desired)


def _offer(fleet: Fleet, proposals: Proposals, last: Proposals) -> Offer:
    """What the lanes would get, for what they share."""
    need = proposals.trusted_need
    bound = np.maximum(np.minimum(proposals.min_replicas, proposals.max_replicas), proposals.down_limit)
    outside = proposals.current > proposals.max_replicas  # a way into changed limits is nobody's failing metric
    kept = np.where(last.held, np.maximum(proposals.hold_level, need), 0)  # beyond it a held lane grows by forecast
    return Offer(
        granted=last.wanted,
        current=proposals.current,
        running=np.where(fleet.is_floor, proposals.hold_level, 0),
        least=np.maximum(np.maximum(need, bound), kept),
        fixed=last.held & (last.wanted <= kept) | last.frozen | outside,
        least_short=np.maximum(bound, kept),
        need=need,
    )
