from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.fleet import StepLimits
from autoscaler.domain.workload import PolicyType, ScalingRule, SelectPolicy, StepPolicy
from autoscaler.planning.behavior import Behavior
from autoscaler.planning.margin import (
    CLOSE_MARGIN,
    FIRST_MARGIN,
    GREATEST_MARGIN,
    LEAST_MARGIN,
    MOST_DELAY_STEPS,
    SPENDING,
    MarginState,
    Pushes,
    Settled,
    gain,
    least_margin,
    remember,
    settle,
    slowed,
)
from autoscaler.planning.need import replicas_for


def _settled(step: int, needed: object, lead: int = 2, risk: float = 0.01) -> Settled:
    need = np.atleast_1d(np.asarray(needed, dtype=np.float64))
    pushes = Pushes.of(np.full(len(need), risk), 60)
    return Settled(np.full(len(need), step), need, np.full(len(need), lead), pushes)


def _filled(shadow: float, lead: int = 2, upto: int = 100) -> MarginState:
    state = MarginState.fresh(1, lead)
    for step in range(upto - 40, upto + 1):
        state = remember(state, step, np.array([shadow]))
    return state


@pytest.mark.parametrize("risk", [0.01, 0.03, 0.1])
def test_realised_risk_converges_to_what_was_asked(risk: float) -> None:
    lanes, steps, warm, lead = 200, 20_000, 14_000, 2
    rng = np.random.default_rng(17)
    base, one = np.full(lanes, 100.0), np.ones(lanes)
    pushes = Pushes.of(np.full(lanes, risk), 60)
    state = MarginState.fresh(lanes, lead)
    short = observed = 0
    ready_in = [np.full(lanes, np.nan)] * (lead + 1)
    for step in range(steps):
        shadow = replicas_for(base * state.margin, one).astype(np.float64)
        state = remember(state, step, shadow)
        ready_in = [*ready_in[1:], shadow]
        need = replicas_for(100 * rng.lognormal(0, 0.3, lanes), one).astype(np.float64)
        if step >= warm:
            short += int((need > np.min(ready_in, axis=0)).sum())
            observed += lanes
        state = settle(state, Settled(np.full(lanes, step), need, np.full(lanes, lead), pushes))
    assert short / observed == pytest.approx(risk, rel=0.1)


def test_the_margin_stays_within_its_bounds() -> None:
    short, calm = _filled(1.0), _filled(1e6)
    for step in range(100, 4000):
        short = settle(remember(short, step, np.array([1.0])), _settled(step, 50.0, risk=0.005))
        calm = settle(remember(calm, step, np.array([1e6])), _settled(step, 50.0, risk=0.2))
    assert short.margin[0] == pytest.approx(GREATEST_MARGIN)
    assert calm.margin[0] == pytest.approx(LEAST_MARGIN)
    again = settle(remember(short, 4000, np.array([1e9])), _settled(4000, 50.0))
    assert again.margin[0] == pytest.approx(GREATEST_MARGIN)  # the window still holds short entries
    for step in range(4001, 4005):
        again = settle(remember(again, step, np.array([1e9])), _settled(step, 50.0))
    assert again.margin[0] < GREATEST_MARGIN  # not wound up beyond the bound


@given(risks=st.lists(st.floats(1e-5, 0.5), min_size=2, max_size=5).map(sorted))
def test_the_less_risk_is_accepted_the_less_a_calm_time_takes_from_the_margin(risks: list[float]) -> None:
    least = least_margin(np.array(risks))
    assert (np.diff(least) <= 1e-12).all()
    assert ((least >= LEAST_MARGIN - 1e-12) & (least <= CLOSE_MARGIN + 1e-12)).all()
    np.testing.assert_allclose(least_margin(np.array([0.001, 0.005, 0.1, 0.3])), [0.97, 0.97, 0.75, 0.75])


def test_what_goes_unused_at_the_lower_limit_is_kept_a_week_and_spent_by_a_quarter_a_step() -> None:
    week, lead = 7 * 24, 0
    pushes = Pushes.of(np.array([0.1]), 3600)

    def after(state: MarginState, step: int, need: float) -> MarginState:
        state = remember(state, step, np.array([5.0]))
        return settle(state, Settled(np.array([step]), np.array([need]), np.array([lead]), pushes))

    state, step = MarginState.fresh(1, lead), 0
    while state.margin[0] > LEAST_MARGIN + 1e-9:
        assert state.unspent[0] == 0
        state, step = after(state, step, 1.0), step + 1
    for kept in range(week + 10):
        assert state.unspent[0] == min(kept, week)
        state, step = after(state, step, 1.0), step + 1
    unseen = after(state, step, np.nan)
    assert unseen.unspent[0] == week

    for _ in range(20):
        before, state, step = state, after(state, step, 9.0), step + 1
        assert state.unspent[0] == week, "a short step spends nothing"
        assert state.log_margin[0] > before.log_margin[0]
    hit = after(state, step, 1.0)
    assert hit.unspent[0] == week - SPENDING
    slow = slowed(state.judged, pushes.settling_steps)[0]
    assert hit.log_margin[0] - state.log_margin[0] == pytest.approx((1 + SPENDING) * pushes.hit[0] * slow)
    np.testing.assert_array_equal(state.carried(np.array([-1, 0]), lead, 0).unspent, [0, week])


def test_what_a_calm_time_left_is_spent_when_it_saves_and_the_whole_keeps_the_risk() -> None:
    lanes, risk, calm, busy = 400, 0.1, 600, 2400
    rng = np.random.default_rng(5)
    one, lead = np.ones(lanes), np.zeros(lanes, dtype=np.int64)
    pushes = Pushes.of(np.full(lanes, risk), 3600)
    state, short = MarginState.fresh(lanes, 0), []
    for step in range(calm + busy):
        level = 0.3 if step < calm else 100.0  # of a replica, then of a hundred
        shadow = replicas_for(level * state.margin, one).astype(np.float64)
        need = replicas_for(level * rng.lognormal(0, 0.05, lanes), one).astype(np.float64)
        state = remember(state, step, shadow)
        state = settle(state, Settled(np.full(lanes, step), need, lead, pushes))
        short.append(float((need > shadow).mean()))
    begun, later = np.mean(short[calm + 250 : calm + 600]), np.mean(short[-1200:])
    assert begun == pytest.approx(risk * (1 + SPENDING), rel=0.06)
    assert later == pytest.approx(risk, rel=0.06)
    assert np.mean(short) <= 1.01 * risk


def test_one_miss_weighs_as_many_quiet_steps_as_the_risk_says() -> None:
    state = _filled(10.0)
    missed = settle(state, _settled(100, 11.0, risk=0.2))
    up = missed.log_margin[0] - state.log_margin[0]
    down = state.log_margin[0] - settle(state, _settled(100, 10.0, risk=0.2)).log_margin[0]
    assert up == pytest.approx(gain(np.array([0.2]), 60)[0])
    assert up / down == pytest.approx(4.0)  # (1 - risk) / risk


@pytest.mark.parametrize(("needed", "shadow"), [(np.nan, 10.0), (11.0, np.nan)])
def test_an_unobserved_step_teaches_nothing(needed: float, shadow: float) -> None:
    state = _filled(shadow)
    after = settle(state, _settled(100, needed))
    np.testing.assert_array_equal(after.log_margin, state.log_margin)
    assert after.settled_step.tolist() == [100]


def test_a_step_counts_once_however_many_ticks_it_has() -> None:
    state = settle(_filled(10.0), _settled(100, 11.0))
    assert settle(state, _settled(100, 11.0)) is state
    assert settle(state, _settled(99, 11.0)) is state
    assert remember(state, 100, np.array([50.0])) is state  # a replica asked for later is ready later
    assert remember(state, 99, np.array([50.0])) is state


@pytest.mark.parametrize(("delay", "learns"), [(0, True), (MOST_DELAY_STEPS, True), (MOST_DELAY_STEPS + 1, False)])
def test_late_demand_is_judged_on_its_whole_window_or_not_at_all(delay: int, learns: bool) -> None:
    lead, state = 3, MarginState.fresh(1, 3)
    settled = 200 - delay
    for step in range(150, 201):
        state = remember(state, step, np.array([1.0 if step == settled - lead else 99.0]))
    after = settle(state, _settled(settled, 50.0, lead=lead))
    assert bool(after.log_margin[0] > state.log_margin[0]) is learns


@settings(max_examples=200, deadline=None)
@given(
    ticks=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3), st.one_of(st.none(), st.integers(0, 9))),
                   min_size=1, max_size=25),
    lead=st.integers(0, 5),
    needed=st.integers(0, 9),
)  # fmt: skip
def test_skipped_and_repeated_ticks_are_judged_as_a_plain_loop_would(
    ticks: list[tuple[int, int, int | None]], lead: int, needed: int
) -> None:
    state = MarginState.fresh(1, lead)
    asked: dict[int, float] = {}
    step, newest_settled = 100, -1
    for skip, delay, shadow in ticks:
        settled = step - delay - 1
        before = state
        state = settle(state, _settled(settled, float(needed), lead=lead))
        window = [asked.get(s, np.nan) for s in range(settled - lead, settled + 1) if s <= before.step]
        if settled > newest_settled and window and not np.isnan(window).any():
            newest_settled = settled
            assert bool(state.log_margin[0] > before.log_margin[0]) is bool(needed > min(window))
        else:
            newest_settled = max(newest_settled, settled)
            np.testing.assert_array_equal(state.log_margin, before.log_margin)
        value = np.nan if shadow is None else float(shadow)
        state = remember(state, step, np.array([value]))
        if step not in asked:
            last = max(asked, default=step)
            asked |= dict.fromkeys(range(last + 1, step), asked.get(last, np.nan)) | {step: value}
        step += skip
    assert state.margin[0] > 0


def test_a_fresh_margin_is_the_first_one() -> None:
    np.testing.assert_allclose(MarginState.fresh(3, 4).margin, FIRST_MARGIN)


def test_what_stabilisation_keeps_of_our_own_wanted_counts_as_ready() -> None:
    """Ten were wanted two steps before; a window of two steps keeps them, so a need of ten is no miss."""
    kept, bare = MarginState.fresh(1, 0, 2), MarginState.fresh(1, 0, 2)
    for step, wanted in enumerate((10.0, 4.0, 4.0)):
        kept = remember(kept, step, np.array([wanted]), _descent(180))
        bare = remember(bare, step, np.array([wanted]), _descent(0))
    assert settle(kept, _settled(2, 10.0, lead=0)).margin[0] < kept.margin[0]
    assert settle(bare, _settled(2, 10.0, lead=0)).margin[0] > bare.margin[0]
    late = remember(kept, 3, np.array([4.0]), _descent(180))
    assert settle(late, _settled(3, 10.0, lead=0)).margin[0] > late.margin[0], "the window has passed"


def test_a_step_without_a_forecast_is_no_shadow_whatever_was_kept() -> None:
    state = remember(MarginState.fresh(1, 0, 2), 0, np.array([10.0]), _descent(180))
    state = remember(state, 1, np.array([np.nan]), _descent(180))
    assert settle(state, _settled(1, 50.0, lead=0)).margin[0] == state.margin[0]


def _descent(window_s: int, *policies: StepPolicy, select: SelectPolicy = SelectPolicy.MAX) -> Behavior:
    down, free = ScalingRule(window_s, policies, select), ScalingRule()
    return Behavior.of(StepLimits.of((down,)), StepLimits.of((free,)), np.ones(1, dtype=np.int64), 60)


def _ascent(window_s: int, *policies: StepPolicy, select: SelectPolicy = SelectPolicy.MAX, least: int = 1) -> Behavior:
    up, free = ScalingRule(window_s, policies, select), ScalingRule()
    return Behavior.of(StepLimits.of((free,)), StepLimits.of((up,)), np.array([least]), 60)


def _stands(descent: Behavior, wanted: list[float]) -> list[float]:
    state, found = MarginState.fresh(1, 0, descent.depth), []
    for step, value in enumerate(wanted):
        state = remember(state, step, np.array([value]), descent)
        found.append(float(state.shadow[0, 0]))
    return found


def test_our_own_wanted_comes_down_as_behavior_lets_it() -> None:
    """As autoscaling/v2: percents round up, the loosest policy counts, Min the tightest."""
    percent, pods = StepPolicy(PolicyType.PERCENT, 10, 60), StepPolicy(PolicyType.PODS, 30, 120)
    down = [100.0, 20.0, 20.0, 20.0]
    assert _stands(_descent(0), down) == down
    assert _stands(_descent(0, percent), down) == [100, 90, 81, 72]
    assert _stands(_descent(180, percent), down) == [100, 100, 100, 90]
    assert _stands(_descent(0, pods), [100.0, 100.0, *down[1:]]) == [100, 100, 70, 70, 40]
    assert _stands(_descent(0, percent, pods), [100.0, *down]) == [100, 100, 70, 63, 40]
    assert _stands(_descent(0, percent, pods, select=SelectPolicy.MIN), [100.0, *down]) == [100, 100, 90, 81, 72]
    assert _stands(_descent(0, percent, select=SelectPolicy.DISABLED), down) == [100] * 4


def test_a_limit_on_the_way_down_slows_no_rise() -> None:
    assert _stands(_descent(300, StepPolicy(PolicyType.PERCENT, 10, 60)), [5.0, 50.0]) == [5, 50]


def test_our_own_wanted_rises_as_behavior_lets_it() -> None:
    """As autoscaling/v2: the loosest policy counts, Min the tightest; a window keeps the least that was wanted."""
    percent, pods = StepPolicy(PolicyType.PERCENT, 100, 15), StepPolicy(PolicyType.PODS, 4, 15)
    up = [1.0, 50.0, 50.0, 50.0]
    assert _stands(_ascent(0), up) == up
    assert _stands(_ascent(0, percent, pods), up) == [1, 5, 10, 20]
    assert _stands(_ascent(0, percent, pods, select=SelectPolicy.MIN), up) == [1, 2, 4, 8]
    assert _stands(_ascent(0, percent, pods, least=10), up) == [1, 20, 40, 50], "a rise starts at the minimum"
    assert _stands(_ascent(0, StepPolicy(PolicyType.PODS, 4, 120)), up) == [1, 5, 5, 9]
    assert _stands(_ascent(180), up) == [1, 1, 1, 50]
    assert _stands(_ascent(0, percent, select=SelectPolicy.DISABLED), up) == [1] * 4
    assert _stands(_ascent(0, percent), [50.0, 5.0, 5.0]) == [50, 5, 5], "and none of it slows a fall"


def test_what_a_limit_on_rises_holds_back_counts_as_short() -> None:
    """Fifty were wanted in time, ten could be there: the margin learns of it and rises."""
    state = MarginState.fresh(1, 0, 1)
    for step, wanted in enumerate((5.0, 50.0)):
        state = remember(state, step, np.array([wanted]), _ascent(0, StepPolicy(PolicyType.PERCENT, 100, 15)))
    assert settle(state, _settled(1, 40.0, lead=0)).margin[0] > state.margin[0]
    assert settle(state, _settled(1, 10.0, lead=0)).margin[0] < state.margin[0]


def test_the_first_shadow_is_held_back_by_nothing() -> None:
    assert _stands(_ascent(0, StepPolicy(PolicyType.PODS, 4, 120)), [50.0, 60.0])[0] == 50


def test_the_margin_moves_half_as_far_once_a_week_has_been_judged_and_no_less_later() -> None:
    steps = 7 * 86_400 // 60
    share = slowed(np.array([0, steps // 2, steps, 100 * steps]), float(steps))
    np.testing.assert_allclose(share, [1, 2 / 3, 1 / 2, 1 / 2])
    state = _filled(10.0)
    early = settle(state, _settled(100, 11.0, risk=0.2)).log_margin - state.log_margin
    settled = replace(state, judged=np.array([steps]))
    late = settle(settled, _settled(100, 11.0, risk=0.2)).log_margin - settled.log_margin
    assert late == pytest.approx(early / 2)
