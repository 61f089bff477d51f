"""One budget for all: waits grow, are spread, end, and never spin."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.adapters.prometheus.faults import fault, one_line, without_secrets
from autoscaler.adapters.prometheus.retry import LONGEST_WAIT_S, RetryBudget
from autoscaler.adapters.prometheus.troubles import retry_after_s
from autoscaler.domain.series import DataVerdict


class Hand:
    def __init__(self) -> None:
        self.at_s = 100.0

    def __call__(self) -> float:
        return self.at_s


def budget(hand: Hand, **changes: Any) -> RetryBudget:
    return RetryBudget(clock=hand, rng=random.Random(1), **changes)


def test_a_spent_budget_refuses_until_it_is_refilled():
    hand = Hand()
    one = budget(hand, burst=3, per_s=0.5)
    assert [one.pause_s(0) is not None for _ in range(5)] == [True, True, True, False, False]
    hand.at_s += 2.0
    assert [one.pause_s(0) is not None for _ in range(2)] == [True, False]
    hand.at_s += 1000.0
    assert sum(one.pause_s(0) is not None for _ in range(10)) == 3, "never more than the burst"


def test_pauses_are_drawn_from_a_doubling_range():
    one = budget(Hand(), burst=10_000, base_s=0.1, cap_s=5.0)
    for attempt in range(12):
        drawn = [one.pause_s(attempt) for _ in range(200)]
        most = min(5.0, 0.1 * 2**attempt)
        assert all(p is not None and 0 <= p <= most for p in drawn)
        assert max(p or 0 for p in drawn) > 0.8 * most
        assert min(p if p is not None else 9 for p in drawn) < 0.2 * most


@given(st.floats(0.1, 1e9))
def test_retry_after_is_the_least_and_never_days(seconds):
    one = budget(Hand())
    wait_s = one.throttled(seconds)
    assert min(seconds, LONGEST_WAIT_S) <= wait_s <= min(seconds + 1, LONGEST_WAIT_S)
    assert one.quiet_s() == pytest.approx(wait_s)


def test_without_a_wish_the_wait_doubles_and_an_answer_ends_it():
    hand = Hand()
    one = budget(hand)
    waits = []
    for _ in range(8):
        waits.append(one.throttled(None))
        hand.at_s += waits[-1]
        assert one.quiet_s() == 0
    assert all(min(60.0, 2.0**k) / 2 <= wait <= min(60.0, 2.0**k) for k, wait in enumerate(waits))
    one.answered()
    assert one.throttled(None) <= 1.0


def test_refusals_of_queries_under_way_together_count_once():
    hand = Hand()
    one = budget(hand)
    for _ in range(50):
        one.throttled(None)
    hand.at_s += one.quiet_s()
    assert one.throttled(None) <= 2.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "120"}, 120.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:27:00 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Wed, 99 Oct 2026"}, None),
        ({}, None),
    ],
)
def test_retry_after_in_both_forms(headers, seconds):
    assert retry_after_s(headers) == seconds


def test_notes_are_one_short_line():
    assert one_line("a\n b\t\x00c\x1b[0m ") == "a b c [0m"
    assert len(one_line("x" * 999)) == 200
    assert fault(DataVerdict.REFUSED, "a\nb").note == "a b"
    assert without_secrets("token tok-123 and x", ["tok-123", "x"]) == "token *** and x", "a letter is no secret"
