"""What the chain promises for any proposals at all, lane by lane; and what one failing guard costs."""

from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.fleet import NO_LIMIT
from autoscaler.domain.proposals import ANOMALY_FIELDS, Proposals, Verdicts
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import Bools, DataVerdict
from autoscaler.guards.chain import CHAIN
from autoscaler.guards.change_freeze import NOTHING
from autoscaler.guards.contract import Guard
from autoscaler.pipeline.decide import run_chain

LANES = 40


def _drawn(seed: int) -> Proposals:
    """Anything that `decide` may build, edges above all; max may lie below min (an HPA's lowered max does that)."""
    rng = np.random.default_rng(seed)

    def counts(*extra: int) -> np.ndarray:
        return rng.choice([0, 1, 2, 3, 5, 9, 10, 11, 50, 1000, NO_LIMIT - 1, NO_LIMIT, *extra], LANES).astype(np.int64)

    def flags(share: float) -> np.ndarray:
        return rng.random(LANES) < share

    current, wanted, known = counts(), counts(), flags(0.7)
    made = Proposals(
        now_s=0.0,
        target_known=flags(0.93),
        desired=np.where(flags(0.5), current, counts()),
        current=current,
        hold_level=np.where(flags(0.7), current, np.maximum(current, counts())),
        observed_need=np.where(known, counts(), 0),
        need_known=known,
        predicted_need=counts(),
        predicted=flags(0.5),
        verdict=np.where(flags(0.7), 0, rng.integers(0, 6, LANES)).astype(np.uint8),
        data_age_s=rng.choice([0.0, 180.0, 180.1, np.inf, np.nan], LANES, p=[0.6, 0.1, 0.1, 0.1, 0.1]),
        max_data_age_s=np.full(LANES, 180.0),
        min_replicas=np.maximum(counts(), 1),
        max_replicas=np.maximum(counts(), 1),
        recent_high=np.maximum(wanted, counts()),
        recent_low=np.minimum(wanted, counts()),
        up_limit=np.maximum(current, counts()),
        down_limit=np.minimum(current, counts()),
        pause_up=flags(0.15),
        pause_down=flags(0.15),
        wanted=wanted,
        held=np.zeros(LANES, dtype=np.bool_),
        frozen=np.zeros(LANES, dtype=np.bool_),
        change_freeze=rng.choice([0, 1, 2, 3], LANES, p=[0.8, 0.08, 0.08, 0.04]).astype(np.uint8),
        clash=flags(0.04),
        policy_unknown=flags(0.05),
        fallback_least=np.where(flags(0.5), counts(), 0),
        overridden=flags(0.06),
        short_up_limit=np.where(flags(0.1), np.maximum(current, counts()), NO_LIMIT),
        fallback_level=np.where(flags(0.1), counts(), 0),
        fallback_after_s=rng.choice([60.0, 600.0, np.inf], LANES),
        braked=flags(0.1) & (wanted < current),
        budget_cap=np.where(flags(0.2), counts(), NO_LIMIT),
        pause_level=np.where(flags(0.05), counts(), -1),
        trust_cap=np.where(flags(0.2), counts(), NO_LIMIT),
        growth_braked=flags(0.1),
        short_budget=flags(0.1),
        short_growth=flags(0.1),
        condition_hold=flags(0.1),
        condition_unknown=flags(0.05),
        capacity_unknown=flags(0.05),
        condition_floor=np.where(flags(0.1), counts(), 0),
        condition_cap=np.where(flags(0.1), counts(), NO_LIMIT),
        short_condition=flags(0.05),
        tolerance_up=rng.choice([0.0, 0.1, 1.0], LANES),
        tolerance_down=rng.choice([0.0, 0.1, 1.0], LANES),
    )
    abnormal = flags(0.4)
    return replace(
        made,
        anomaly_causes=np.where(abnormal, rng.integers(1, 64, LANES), 0).astype(np.uint8),
        anomaly_growth=np.where(abnormal, rng.integers(0, 5, LANES), 0).astype(np.uint8),
        anomaly_hold=abnormal & flags(0.5),
        anomaly_cap=np.where(abnormal & flags(0.3), counts(), NO_LIMIT),
        anomaly_short_cap=np.where(abnormal & flags(0.3), counts(), NO_LIMIT),
    )


PROPOSALS = st.builds(_drawn, st.integers(0, 2**32 - 1))


def _untouchable(p: Proposals) -> Bools:
    stopped = ~p.target_known | (p.pause_up & p.pause_down) | ((p.desired == 0) & (p.min_replicas > 0))
    stopped |= p.overridden & (p.pause_level < 0)
    return stopped | (p.clash & (p.pause_level < 0))


def _level(p: Proposals) -> Bools:
    """Paused at a number, by which alone the lane goes."""
    return np.asarray(p.pause_level >= 0) & ~_untouchable(p)


def _short(p: Proposals) -> Bools:
    """A policy may leave the lane without what it needs now."""
    abnormal = np.asarray(p.anomaly_growth >= NOTHING) | (p.anomaly_short_cap < NO_LIMIT)
    abnormal |= np.asarray(p.short_up_limit < NO_LIMIT)
    return p.short_budget | (p.short_growth & p.growth_braked) | p.short_condition | abnormal


def _still(p: Proposals) -> Bools:
    """A freeze without any growth: people and clashes apart, the lane stays where it runs."""
    return np.asarray(p.change_freeze == NOTHING) & ~_untouchable(p)


def _holds(p: Proposals) -> Bools:
    dark = (p.verdict != DataVerdict.OK) | ~(p.data_age_s <= p.max_data_age_s)
    asked = p.condition_hold | p.condition_unknown | p.capacity_unknown | p.anomaly_hold
    return dark | p.policy_unknown | (p.change_freeze > 0) | p.braked | asked


@settings(max_examples=150, deadline=None)
@given(p=PROPOSALS)
def test_M06_every_result_is_a_whole_number_that_no_arithmetic_wrapped(p: Proposals) -> None:
    trace, last = run_chain(CHAIN, p)
    for counts in (last.wanted, *(t.after for t in trace)):
        assert counts.dtype == np.int64
        assert ((counts >= 0) & (counts <= NO_LIMIT)).all()


@settings(max_examples=200, deadline=None)
@given(p=PROPOSALS)
def test_D18_inside_the_limits_or_one_permitted_step_nearer(p: Proposals) -> None:
    got = run_chain(CHAIN, p)[1].wanted
    free = ~_untouchable(p) & ~_still(p) & ~p.pause_up & ~p.pause_down
    high, low = p.max_replicas, np.minimum(p.min_replicas, p.max_replicas)
    above = free & (got > high)
    assert (p.current[above] > high[above]).all()
    np.testing.assert_array_equal(got[above], p.down_limit[above])
    below = free & (got < low)
    assert (p.current[below] < low[below]).all()
    assert (got[below] >= p.up_limit[below]).all()


@settings(max_examples=200, deadline=None)
@given(p=PROPOSALS)
def test_step_limits_bind_except_for_observed_need_holds_and_max(p: Proposals) -> None:
    got = run_chain(CHAIN, p)[1].wanted
    free = ~_untouchable(p) & ~_still(p) & ~p.pause_up & ~p.pause_down
    free &= ~_level(p)
    most = np.maximum(p.up_limit, np.where(p.need_known, p.observed_need, 0))
    most = np.maximum(most, np.where(_holds(p), p.hold_level, 0))
    assert (got <= most)[free].all()
    assert (got >= np.minimum(p.down_limit, p.max_replicas))[free].all()


@settings(max_examples=200, deadline=None)
@given(p=PROPOSALS)
def test_observed_need_is_cut_by_max_and_by_people_only(p: Proposals) -> None:
    got = run_chain(CHAIN, p)[1].wanted
    need = np.minimum(np.minimum(p.trusted_need, p.wanted), p.max_replicas)
    free = ~_untouchable(p) & ~_still(p) & ~p.pause_up & ~_level(p) & ~_short(p)
    assert (got >= need)[free].all()
    paused = ~_untouchable(p) & ~_still(p) & p.pause_up & ~_level(p) & ~_short(p)
    assert (got >= np.minimum(need, p.current))[paused].all()


@settings(max_examples=200, deadline=None)
@given(p=PROPOSALS)
def test_M03_M04_M05_a_held_lane_never_shrinks_but_into_a_lowered_max(p: Proposals) -> None:
    got = run_chain(CHAIN, p)[1].wanted
    held = _holds(p) & ~_untouchable(p) & ~_level(p)
    assert (got >= np.minimum(p.hold_level, p.max_replicas))[held & ~p.pause_up].all()
    assert (got >= np.minimum(p.current, p.max_replicas))[held].all()


@settings(max_examples=200, deadline=None)
@given(p=PROPOSALS)
def test_D11_a_freeze_without_growth_keeps_what_runs_and_any_freeze_keeps_at_least_that(p: Proposals) -> None:
    got = run_chain(CHAIN, p)[1].wanted
    free = ~p.pause_up & ~p.pause_down & ~_level(p)
    still = _still(p) & free
    runs = np.minimum(p.hold_level, np.maximum(p.max_replicas, p.current))
    np.testing.assert_array_equal(got[still], runs[still])
    frozen = np.asarray(p.change_freeze > 0) & ~_untouchable(p) & free
    assert (got >= np.minimum(p.hold_level, p.max_replicas))[frozen].all()


@settings(max_examples=200, deadline=None)
@given(p=PROPOSALS)
def test_what_a_person_stopped_does_not_move(p: Proposals) -> None:
    got = run_chain(CHAIN, p)[1].wanted
    still = _untouchable(p)
    np.testing.assert_array_equal(got[still], p.current[still])
    assert (got >= p.current)[p.pause_down].all()
    assert (got <= p.current)[p.pause_up].all()


@settings(max_examples=100, deadline=None)
@given(p=PROPOSALS)
def test_a_pause_at_a_number_is_kept_or_a_permitted_step_nearer(p: Proposals) -> None:
    got = run_chain(CHAIN, p)[1].wanted
    lane = _level(p) & ~p.pause_up & ~p.pause_down & (p.min_replicas <= p.max_replicas)
    goal = np.minimum(np.maximum(p.pause_level, p.min_replicas), p.max_replicas)
    slowest = np.minimum(np.maximum(p.down_limit, p.least_replicas), p.current)
    np.testing.assert_array_equal(got[lane], np.maximum(goal, slowest)[lane])


@settings(max_examples=60, deadline=None)
@given(p=PROPOSALS)
def test_a_lanes_answer_depends_on_that_lane_alone(p: Proposals) -> None:
    trace, last = run_chain(CHAIN, p)
    for lane in range(0, LANES, 7):
        alone, end = run_chain(CHAIN, p.one(lane))
        assert end.wanted[0] == last.wanted[lane]
        for one, every in zip(alone, trace, strict=True):
            assert (one.before[0], one.after[0], one.holds[0]) == (
                every.before[lane],
                every.after[lane],
                every.holds[lane],
            )


@settings(max_examples=60, deadline=None)
@given(p=PROPOSALS)
def test_every_change_is_told_by_the_guard_that_made_it(p: Proposals) -> None:
    trace, last = run_chain(CHAIN, p)
    for earlier, later in pairwise(trace):
        np.testing.assert_array_equal(earlier.after, later.before)
    changed = np.logical_or.reduce([t.before != t.after for t in trace])
    assert changed[last.wanted != p.wanted].all()
    acted = np.logical_or.reduce([t.acted for t in trace])
    assert acted[_holds(p) & ~_untouchable(p) & ~_level(p)].all()


@settings(max_examples=300, deadline=None)
@given(p=PROPOSALS)
def test_D16_a_false_alarm_of_any_kind_never_makes_anything_grow_and_takes_nothing_away(p: Proposals) -> None:
    """Beyond what runs, and what is needed now, nothing is asked for that would not be asked for without it."""
    p = replace(p, rises_spaced=p.hold_level > p.current, raised_s=np.where(p.wanted % 2 == 0, -10.0, -np.inf))
    blank: dict[str, Any] = {name: np.empty(0, dtype=getattr(p, name).dtype) for name in ANOMALY_FIELDS}
    calm = replace(p, **blank)
    got, without = run_chain(CHAIN, p)[1].wanted, run_chain(CHAIN, calm)[1].wanted
    assert (got <= np.maximum(without, np.maximum(p.hold_level, p.trusted_need))).all()
    shrunk = got < np.minimum(without, p.current)
    assert not shrunk.any()


def test_the_order_is_people_then_data_then_smoothing_then_limits() -> None:
    assert [g.reason for g in CHAIN] == [
        Reason.TARGET_UNKNOWN,
        Reason.YIELDED,
        Reason.PAUSED,
        Reason.OVERRIDDEN,
        Reason.SCALED_TO_ZERO,
        Reason.LIMITS_CLASH,
        Reason.POLICY_UNKNOWN,
        Reason.CONDITION_UNKNOWN,
        Reason.CAPACITY_UNKNOWN,
        Reason.BAD_DATA,
        Reason.LOWER_BOUND,
        Reason.STALE_DATA,
        Reason.FORECAST_NOT_TRUSTED,
        Reason.FALLBACK,
        Reason.CHANGE_FREEZE,
        Reason.STABILIZING,
        Reason.WITHIN_TOLERANCE,
        Reason.CONDITION,
        Reason.ANOMALY,
        Reason.STEP_UP_LIMITED,
        Reason.STEP_DOWN_LIMITED,
        Reason.FALLBACK_DECAYING,
        Reason.DISRUPTION_BUDGET,
        Reason.FLEET_BRAKE,
        Reason.GROWTH_BRAKE,
        Reason.BUDGET_REACHED,
        Reason.NO_ROOM,
        Reason.RISE_SPACED,
        Reason.OUTSIDE_LIMITS,
    ]
    assert len({g.name for g in CHAIN}) == len(CHAIN)


@dataclass(frozen=True)
class RaisesOn:
    """A guard with a bug that shows on lanes with these tags (their maxDataAge) only."""

    sound: Guard
    tags: frozenset[float]

    @property
    def name(self) -> str:
        return self.sound.name

    @property
    def reason(self) -> Reason:
        return self.sound.reason

    def review(self, lanes: Proposals) -> Verdicts:
        if self.tags & set(lanes.max_data_age_s.tolist()):
            raise IndexError("off by one")
        return self.sound.review(lanes)


def _with_failing(place: int, bad: list[int]) -> tuple[Guard, ...]:
    chain = list(CHAIN)
    chain[place] = RaisesOn(chain[place], frozenset(1000.0 + lane for lane in bad))
    return tuple(chain)


@settings(max_examples=120, deadline=None)
@given(
    p=PROPOSALS,
    place=st.integers(0, len(CHAIN) - 1),
    bad=st.lists(st.integers(0, LANES - 1), min_size=1, max_size=5, unique=True),
)
def test_a_raising_guard_holds_its_own_lanes_and_changes_nothing_on_others(
    p: Proposals, place: int, bad: list[int]
) -> None:
    p = replace(p, max_data_age_s=np.arange(1000, 1000 + LANES).astype(np.float64))
    trace, last = run_chain(_with_failing(place, bad), p)
    sound_trace, sound = run_chain(CHAIN, p)
    others = np.setdiff1d(np.arange(LANES), bad)
    np.testing.assert_array_equal(last.wanted[others], sound.wanted[others])
    np.testing.assert_array_equal(last.held[others], sound.held[others])
    for one, other in zip(trace, sound_trace, strict=True):
        np.testing.assert_array_equal(one.after[others], other.after[others])
    np.testing.assert_array_equal(np.flatnonzero(trace[place].failed), np.sort(bad))
    assert not any(t.failed.any() for t in trace if t is not trace[place])

    got = last.wanted[bad]
    frozen_before = np.zeros(LANES, dtype=np.bool_) if place == 0 else run_chain(CHAIN[:place], p)[1].frozen
    loose = ~frozen_before[bad] & ~p.pause_up[bad] & (p.pause_level[bad] < 0)  # a person's number beats a hold
    assert last.held[bad].all()
    assert (got >= np.minimum(p.current, p.max_replicas)[bad])[loose].all()
    assert (got <= np.maximum(p.max_replicas, p.current)[bad]).all()
    assert (got <= p.current[bad])[p.pause_up[bad]].all()


@dataclass(frozen=True)
class Answers:
    """A guard that answers anything."""

    wanted: object
    held: object = None
    name: str = "broken"
    reason: Reason = Reason.STABILIZING

    def review(self, lanes: Proposals) -> Verdicts:
        wanted, held = self.wanted, self.held
        if callable(wanted):
            wanted = wanted(lanes)
        return Verdicts(self.reason, wanted, lanes.held if held is None else held, lanes.frozen)  # type: ignore[arg-type]


BROKEN = {
    "not a number": lambda lanes: np.full(len(lanes.wanted), np.nan),
    "infinite": lambda lanes: lanes.wanted * np.inf,
    "floating": lambda lanes: lanes.wanted.astype(np.float64),
    "too long": lambda lanes: np.append(lanes.wanted, 0),
    "too short": lambda lanes: lanes.wanted[:-1],
    "one for all": lambda _: np.array(3),
    "nothing": lambda _: None,
    "objects": lambda lanes: lanes.wanted.astype(object),
}


@pytest.mark.parametrize("how", BROKEN)
def test_M06_an_answer_that_is_no_whole_number_a_lane_holds(how: str) -> None:
    p = _drawn(5)
    with np.errstate(all="ignore"):
        trace, last = run_chain((Answers(BROKEN[how]), *CHAIN), p)
    assert trace[0].failed.all()
    assert last.wanted.dtype == np.int64
    assert last.held.all()


@pytest.mark.parametrize("value", [-(2**62), -1, 0, 2**62])
def test_M06_an_absurd_answer_neither_wraps_nor_cuts_below_need_or_hold(value: int) -> None:
    p = _drawn(6)
    p = run_chain(CHAIN[:7], p)[1]
    after = p.after(Verdicts(Reason.STABILIZING, np.full(LANES, value), p.held, p.frozen))
    free = ~p.frozen & ~p.pause_up
    assert (after.wanted >= np.minimum(p.wanted, p.trusted_need))[free].all()
    assert (after.wanted >= np.minimum(p.wanted, p.hold_level))[free & p.held].all()
    np.testing.assert_array_equal(after.wanted[p.frozen], p.wanted[p.frozen])
    assert (after.wanted <= NO_LIMIT).all()


def test_a_hold_cannot_be_undone_by_a_later_guard() -> None:
    p = run_chain(CHAIN[:7], _drawn(7))[1]
    assert p.held.any()
    nobody = np.zeros(LANES, dtype=np.bool_)
    after = p.after(Verdicts(Reason.STABILIZING, np.zeros(LANES, dtype=np.int64), nobody, nobody))
    np.testing.assert_array_equal(after.held, p.held)
    np.testing.assert_array_equal(after.frozen, p.frozen)


def test_no_lanes_are_reviewed_without_harm() -> None:
    p = _drawn(1)
    nobody = replace(p, **{f.name: getattr(p, f.name)[:0] for f in fields(p) if f.name not in {"now_s", "silent"}})
    trace, last = run_chain(CHAIN, nobody)
    assert len(last.wanted) == 0
    assert all(len(t.after) == 0 for t in trace)
