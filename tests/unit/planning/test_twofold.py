"""Two plans in shadow: what each costs and leaves short is told at the same risk, and the cheaper one serves."""

from collections.abc import Callable

import numpy as np
import pytest

from autoscaler.domain.decision import SIZING_REASONS
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.forecast import LEVELS, ForesightAt
from autoscaler.domain.reasons import Reason
from autoscaler.planning.margin import MarginState, Pushes, Settled, remember, settle
from autoscaler.planning.plan import plan
from autoscaler.planning.twofold import BETTER, LEAST_S, Twofold, sized_by

STEP_S, RISK = 300, 0.01
ENOUGH = LEAST_S // STEP_S


def _lived(first: float, second: float, needed: list[float]) -> tuple[MarginState, Twofold]:
    """Both plans always want the same; the margins move, and nobody sizes by them."""
    risk = np.array([RISK])
    pushes = Pushes.of(risk, STEP_S)
    margin, twofold = MarginState.fresh(1, 1), Twofold.fresh(MarginState.fresh(1, 1))
    for step, need in enumerate(needed):
        settled = Settled(np.array([step - 1]), np.array([need]), np.array([1]), pushes)
        one, two = settle(margin, settled), settle(twofold.second, settled)
        twofold = twofold.after((margin, one), two, settled, STEP_S, risk)
        margin = remember(one, step, np.array([first]))
        twofold = Twofold(
            remember(twofold.second, step, np.array([second])), twofold.cost, twofold.short, twofold.serves,
            twofold.judged, twofold.missed,
        )  # fmt: skip
    return margin, twofold


@pytest.mark.parametrize(("second", "serves"), [(8.0, 1), (10.0, 0), (12.0, 0)])
def test_the_plan_that_keeps_fewer_replicas_serves(second: float, serves: int) -> None:
    _, twofold = _lived(10.0, second, [5.0] * (ENOUGH + 10))
    assert twofold.serves.tolist() == [serves]
    assert twofold.judged[0] > ENOUGH


def test_nothing_but_the_first_plan_serves_before_two_days_were_judged() -> None:
    _, early = _lived(10.0, 5.0, [4.0] * ENOUGH)
    assert early.serves.tolist() == [0]


def test_a_plan_that_is_a_little_cheaper_does_not_take_over() -> None:
    _, twofold = _lived(100.0, 100 * (1 + BETTER) / 2, [5.0] * (ENOUGH + 10))
    assert twofold.serves.tolist() == [0]


def test_a_plan_is_not_cheaper_by_being_short() -> None:
    """One step in ten is short under nine replicas of ten: ten times the risk is no bargain for a tenth."""
    needed = [9.5 if step % 10 == 0 else 5.0 for step in range(ENOUGH + 10)]
    _, twofold = _lived(10.0, 9.0, needed)
    assert twofold.short[1, 0] > 2 * twofold.short[0, 0]
    assert twofold.serves.tolist() == [0]


def test_unobserved_steps_count_for_neither_plan() -> None:
    _, twofold = _lived(10.0, 8.0, [np.nan] * (ENOUGH + 10))
    assert twofold.judged.tolist() == [0]
    assert twofold.serves.tolist() == [0]
    assert twofold.cost.tolist() == [[0.0], [0.0]]


def test_the_margin_is_that_of_the_plan_in_force() -> None:
    margin, twofold = _lived(10.0, 8.0, [9.0 if step % 50 == 0 else 5.0 for step in range(ENOUGH + 110)])
    assert twofold.serves.tolist() == [1]
    assert twofold.margin(margin)[0] == twofold.second.margin[0] != margin.margin[0]
    assert twofold.missed[0] > 0


def test_a_lane_that_stays_keeps_its_plan_and_a_new_one_starts_with_the_first() -> None:
    _, twofold = _lived(10.0, 8.0, [5.0] * (ENOUGH + 10))
    old = np.array([-1, 0])
    carried = twofold.carried(old, twofold.second.carried(old, 1, 0))
    assert carried.serves.tolist() == [0, 1]
    assert carried.cost[:, 1].tolist() == twofold.cost[:, 0].tolist()
    assert carried.second.log_margin[1] == twofold.second.log_margin[0]


def test_only_the_sizing_quantile_of_the_second_plan_is_lifted_to_what_is_usual(
    make_fleet: Callable[..., Fleet], make_seen: Callable[..., ForesightAt]
) -> None:
    fleet = make_fleet(lanes=3)
    seen = make_seen(fleet, 0, 5.0, [30.0, 30.0, np.nan], usual=np.array([50.0, 50.0, 50.0]))
    sized = sized_by(fleet, seen, LEVELS, np.array([False, True, True]))
    assert sized.quantiles[0].tolist() == [15.0, 27.0, 30.0]
    assert sized.quantiles[1].tolist() == [15.0, 27.0, 50.0]
    assert np.isnan(sized.quantiles[2]).all(), "where there is no forecast there is none"
    lower = make_seen(fleet, 0, 5.0, 30.0, usual=np.array([5.0, np.nan, 30.0]))
    assert sized_by(fleet, lower, LEVELS, np.ones(3, dtype=np.bool_)).quantiles[:, -1].tolist() == [30.0] * 3
    assert sized_by(fleet, seen, LEVELS, np.zeros(3, dtype=np.bool_)) is seen


@pytest.mark.parametrize(
    ("observed", "usual", "serves", "why"),
    [
        (5.0, 50.0, True, Reason.USUAL_PEAK),
        (5.0, 50.0, False, Reason.FORECAST_PEAK),
        (5.0, 20.0, True, Reason.FORECAST_PEAK),  # not above the forecast
        (5.0, np.nan, True, Reason.FORECAST_PEAK),
        (90.0, 50.0, True, Reason.OBSERVED_NEED),
    ],
)
def test_a_number_that_comes_from_the_usual_peak_says_so(
    make_fleet: Callable[..., Fleet], make_seen: Callable[..., ForesightAt],
    observed: float, usual: float, serves: bool, why: Reason,
) -> None:  # fmt: skip
    fleet = make_fleet(lanes=1)
    seen = sized_by(fleet, make_seen(fleet, 0, observed, 30.0, usual=np.array([usual])), LEVELS, np.array([serves]))
    planned = plan(fleet, seen, LEVELS, np.ones(1), np.array([1]))
    assert SIZING_REASONS[int(planned.sizing[0])] is why
