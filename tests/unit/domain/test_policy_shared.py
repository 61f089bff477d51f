"""D06, D07, D15: what workloads share is shared out fairly, the same way each time, and never below what they need."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.policy import Brake, Budget, Guarded, Origin
from autoscaler.domain.policy_shared import NO_CAP, Offer, SharedRules

HERE = Origin("GuardPolicy p", "limits.budget", "p.yaml:1", "00000000")


def offer(granted, current=None, running=None, least=None, fixed=None) -> Offer:
    lanes = len(granted)

    def counts(values, blank: int) -> np.ndarray:
        return np.array([blank] * lanes if values is None else values, dtype=np.int64)

    return Offer(
        counts(granted, 0), counts(current, 0), counts(running, 0), counts(least, 0),
        np.array([False] * lanes if fixed is None else fixed),
    )  # fmt: skip


@pytest.fixture
def rules(make_workload):
    def made(*guarded: Guarded) -> SharedRules:
        return SharedRules.of([make_workload(f"w{k}", guarded=g) for k, g in enumerate(guarded)])

    return made


def budget(replicas: int, priority: int = 100) -> Guarded:
    return Guarded(budgets=(Budget(replicas, HERE),), priority=priority)


def brake(share: float) -> Guarded:
    return Guarded(brakes=(Brake(share, HERE),))


def test_a_budget_that_reaches_changes_nothing(rules):
    assert rules(budget(30), budget(30)).bind(offer([10, 20]), 0.0) is None


def test_D15_beyond_need_the_higher_priority_is_served_first(rules):
    shared = rules(budget(30, 10), budget(30, 500), budget(30, 100)).bind(offer([20, 20, 20], least=[5, 5, 5]), 0.0)
    assert shared is not None
    assert shared.cap.tolist() == [5, NO_CAP, 5]
    more = rules(budget(35, 10), budget(35, 500), budget(35, 100)).bind(offer([20, 20, 20], least=[5, 5, 5]), 0.0)
    assert more is not None
    assert more.cap.tolist() == [5, NO_CAP, 10]


def test_D15_inside_a_priority_it_is_shared_in_proportion_and_nothing_is_wasted(rules):
    shared = rules(*[budget(20)] * 3).bind(offer([8, 16, 16]), 0.0)
    assert shared is not None
    assert shared.cap.tolist() == [4, 8, 8]
    odd = rules(*[budget(10)] * 3).bind(offer([7, 7, 7]), 0.0)
    assert odd is not None
    assert odd.cap.tolist() == [4, 3, 3]


def test_D15_need_and_minimum_come_before_the_budget(rules):
    shared = rules(budget(10), budget(10)).bind(offer([30, 12], least=[9, 7]), 0.0)
    assert shared is not None
    assert shared.cap.tolist() == [9, 7]  # sixteen: the budget cuts nothing that is needed


def test_what_runs_under_an_hpa_counts_though_it_is_not_ours(rules):
    shared = rules(budget(30), budget(30)).bind(offer([4, 20], running=[18, 0]), 0.0)
    assert shared is not None
    assert shared.cap.tolist() == [NO_CAP, 12]


def test_lanes_that_hold_keep_their_part(rules):
    shared = rules(budget(20), budget(20)).bind(offer([15, 15], fixed=[True, False]), 0.0)
    assert shared is not None
    assert shared.cap.tolist() == [NO_CAP, 5]


def test_two_budgets_bind_both(make_workload):
    small, large = Budget(5, HERE), Budget(30, Origin("GuardPolicy q", "limits.budget"))
    both = [Guarded(budgets=(large, small)), Guarded(budgets=(large,))]
    shared = SharedRules.of([make_workload(f"w{k}", guarded=g) for k, g in enumerate(both)])
    found = shared.bind(offer([20, 20]), 0.0)
    assert found is not None
    assert found.cap.tolist()[0] == 5


@settings(max_examples=200, deadline=None)
@given(
    lanes=st.lists(st.tuples(*[st.integers(0, 60)] * 4, st.booleans(), st.integers(0, 2)), min_size=1, max_size=12),
    total=st.integers(1, 400),
)
def test_D15_the_sum_is_within_the_budget_or_nobody_has_more_than_they_must(make_workload, lanes, total):
    granted, current, running, least, fixed, priority = (list(column) for column in zip(*lanes, strict=True))
    loads = [make_workload(f"w{k}", guarded=budget(total, p)) for k, p in enumerate(priority)]
    given_ = offer(granted, current, running, least, fixed)
    shared = SharedRules.of(loads).bind(given_, 0.0)
    cap = np.full(len(lanes), NO_CAP) if shared is None else shared.cap
    got = np.minimum(given_.granted, cap)
    must = np.where(given_.fixed, given_.granted, np.minimum(given_.granted, given_.least))
    assert (got >= must).all()
    used = np.maximum(got, given_.running)
    floor = np.maximum(must, given_.running)
    assert used.sum() <= max(total, floor.sum())
    if used.sum() < min(total, np.maximum(given_.granted, given_.running).sum()):
        raise AssertionError("some of the budget was left while somebody wanted it")
    again = SharedRules.of(loads).bind(given_, 99.0)
    assert (again is None) == (shared is None)
    if again is not None and shared is not None:
        np.testing.assert_array_equal(again.cap, shared.cap)


def test_D07_only_the_share_shrinks_in_a_tick_and_each_has_its_turn(rules):
    shared = rules(*[brake(0.3)] * 10)
    turns = np.zeros(10, dtype=np.int64)
    for tick in range(200):
        found = shared.bind(offer([5] * 10, [10] * 10), 1_772_000_000.0 + 15 * tick)
        assert found is not None
        assert int((~found.braked).sum()) == 3
        turns += ~found.braked
    assert turns.min() > 30  # sixty in the mean
    assert turns.max() < 90


def test_D07_a_share_of_zero_freezes_and_few_that_shrink_are_free(rules):
    found = rules(*[brake(0.0)] * 4).bind(offer([5] * 4, [10] * 4), 0.0)
    assert found is not None
    assert found.braked.all()
    assert rules(*[brake(0.5)] * 4).bind(offer([5, 5, 10, 12], [10] * 4), 0.0) is None


def test_a_share_of_less_than_one_workload_still_lets_one_shrink(rules):
    assert rules(brake(0.3)).bind(offer([5], [10]), 0.0) is None
    found = rules(*[brake(0.1)] * 3).bind(offer([5] * 3, [10] * 3), 0.0)
    assert found is not None
    assert int((~found.braked).sum()) == 1


def test_lanes_that_others_hold_take_nobodys_turn(rules):
    found = rules(*[brake(0.25)] * 4).bind(offer([5] * 4, [10] * 4, fixed=[True, True, True, False]), 0.0)
    assert found is None


def test_the_same_moment_gives_the_same_turns(rules):
    one, two = (rules(*[brake(0.3)] * 10).bind(offer([5] * 10, [10] * 10), 12345.0) for _ in range(2))
    assert one is not None
    assert two is not None
    np.testing.assert_array_equal(one.braked, two.braked)


def money(per_hour: float, price: float, own: float | None = None, replicas: int | None = None) -> Guarded:
    return Guarded(budgets=(Budget(replicas, HERE, money=per_hour, price=price),), replica_price=own)


def test_D15_money_is_shared_out_by_what_a_replica_costs(rules):
    dear, cheap = money(10.0, 1.0, own=2.0), money(10.0, 1.0)
    shared = rules(dear, cheap).bind(offer([10, 10]), 0.0)
    assert shared is not None
    assert shared.cap.tolist() == [3, 4]  # a third of the 30 that are asked for, and one more that is paid for
    assert rules(dear, cheap).bind(offer([3, 4]), 0.0) is None
    both = rules(*[money(100.0, 1.0, replicas=5)] * 2).bind(offer([10, 10]), 0.0)
    assert both is not None
    assert both.cap.tolist() == [3, 2]


@settings(max_examples=100, deadline=None)
@given(
    asked=st.lists(st.integers(0, 50), min_size=1, max_size=8),
    cents=st.lists(st.integers(1, 500), min_size=8, max_size=8),
    purse=st.integers(0, 20_000),
)
def test_D15_money_is_never_overdrawn_by_what_is_only_foreseen(make_workload, asked, cents, purse):
    each = [money(purse / 100, 1.0, own=c / 100) for c in cents[: len(asked)]]
    shared = SharedRules.of([make_workload(f"w{k}", guarded=g) for k, g in enumerate(each)]).bind(offer(asked), 0.0)
    got = np.array(asked) if shared is None else np.minimum(asked, shared.cap)
    assert float((got * np.array(cents[: len(asked)])).sum()) <= purse + 0.01
