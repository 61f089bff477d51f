"""Which time is decided at: M21, an operator's clock that is wrong, or is set while we run."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from autoscaler.bootstrap.server_time import ServerClock, agreed_skew_s, elapsed_s

TRUE = datetime(2026, 6, 10, 9, tzinfo=UTC)


@dataclass
class Machine:
    """The true time, a wall clock that is `off_s` from it, and a monotonic one that started somewhere."""

    off_s: float = 0.0
    passed_s: float = 0.0

    def now(self) -> datetime:
        return TRUE + timedelta(seconds=self.passed_s + self.off_s)

    def elapsed(self) -> float:
        return 4711.0 + self.passed_s

    def clock(self) -> ServerClock:
        return ServerClock(self, self.elapsed)


@pytest.mark.parametrize("off_s", [600.0, -600.0, 2.5])
def test_M21_a_wrong_clock_decides_at_the_servers_time(off_s):
    machine = Machine(off_s)
    clock = machine.clock()
    assert clock.now() == TRUE + timedelta(seconds=off_s)  # nobody has told us yet
    clock.hear(-off_s)
    machine.passed_s = 15.0
    assert clock.now() == TRUE + timedelta(seconds=15)
    assert clock.alarming == (abs(off_s) > 30)


@pytest.mark.parametrize("off_s", [0.0, 1.9, -1.9])
def test_M21_a_clock_that_is_right_enough_is_our_own(off_s):
    machine = Machine(off_s)
    clock = machine.clock()
    clock.hear(-off_s)
    assert clock.now() == machine.now()
    assert not clock.alarming


@pytest.mark.parametrize("step_s", [-600.0, 600.0])
def test_M21_a_clock_that_is_set_in_mid_loop_moves_no_decision(step_s):
    machine = Machine()
    clock = machine.clock()
    clock.hear(0.0)
    machine.passed_s, machine.off_s = 15.0, step_s
    assert clock.now() == TRUE + timedelta(seconds=15)
    clock.hear(-step_s)  # the next answer
    machine.passed_s = 30.0
    assert clock.now() == TRUE + timedelta(seconds=30)


@pytest.mark.parametrize("step_s", [-600.0, 600.0])
def test_M21_a_skew_that_is_a_median_of_old_answers_does_not_lead_astray(step_s):
    """The measured skew lags behind a clock that was set: most of the answers it stands on are older."""
    machine = Machine()
    clock = machine.clock()
    clock.hear(0.0)
    for tick in range(1, 9):
        machine.passed_s, machine.off_s = 15.0 * tick, step_s
        assert clock.now() == TRUE + timedelta(seconds=machine.passed_s)
        clock.hear(0.0 if tick < 5 else -step_s)
        assert clock.skew_s == pytest.approx(-step_s)
        assert clock.alarming


def test_M21_a_server_whose_clock_is_set_is_believed_in_the_end():
    machine = Machine()
    clock = machine.clock()
    clock.hear(0.0)
    machine.off_s = 600.0  # ours is set wrong, and the server's with it: an hour later there is no doubt left
    clock.hear(0.0)
    machine.passed_s = 3600.0
    clock.hear(0.0)
    assert clock.now() == machine.now()


def test_M21_a_clock_that_is_mended_is_ours_again():
    machine = Machine(600.0)
    clock = machine.clock()
    clock.hear(-600.0)
    machine.off_s = 0.0
    clock.hear(0.0)
    assert (clock.now(), clock.alarming) == (TRUE, False)


def test_sources_that_are_silent_leave_what_was_known():
    machine = Machine(600.0)
    clock = machine.clock()
    clock.hear(-600.0)
    machine.passed_s = 3600.0
    clock.hear(None)
    assert clock.now() == TRUE + timedelta(hours=1)
    assert clock.skew_s == -600.0


@pytest.mark.parametrize(
    ("skews", "agreed"),
    [
        ([], None),
        ([None, None], None),
        ([5.0], 5.0),
        ([0.1, 0.2, 3600.0], 0.2),  # one server with a wrong clock moves nobody
        ([0.1, 3600.0], 0.1),
        ([-3600.0, None, 0.1], 0.1),
        ([float("nan"), 1.0], 1.0),
        ([-600.0, -601.0, -599.0, 0.0], -599.0),
    ],
)
def test_the_median_of_the_servers_counts(skews, agreed):
    assert agreed_skew_s(skews) == agreed


def test_the_machines_own_interval_clock_only_grows():
    first = elapsed_s()
    assert elapsed_s() >= first > 0
