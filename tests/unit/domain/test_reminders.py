"""The kill switch without an end: people are reminded at once, then every day, until it is gone."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from autoscaler.domain.policy import NEVER, Guarded, Origin, PolicyPause
from autoscaler.domain.reminders import DAY_S, OpenPause, open_pauses
from autoscaler.domain.workload import Pause, PauseDirection

HERE = Origin("GuardPolicy stop", "pause", "stop.yaml:5", "00000000")


@pytest.fixture
def fleet(make_fleet):
    def made(until: datetime = NEVER, lanes: int = 3):
        stop = PolicyPause(Pause(PauseDirection.BOTH, "mia", "fire", until), HERE)
        return make_fleet(lanes=lanes, guarded=Guarded(pauses=(stop,)))

    return made


def test_D12_an_open_ended_pause_is_told_at_once_and_then_once_a_day(fleet) -> None:
    stopped, told = fleet(), []
    pauses: Mapping[str, OpenPause] = {}
    for quarter in range(4 * 24 * 4):
        pauses, due = open_pauses(stopped, pauses, 1000.0 + 900 * quarter)
        told += [(quarter, p) for p in due]
    assert [quarter for quarter, _ in told] == [0, 96, 192, 288]
    last = told[-1][1]
    assert (last.since_s, last.workloads) == (1000.0, 3)
    assert last.words == (
        "GuardPolicy stop has paused 3 workloads (Both) without an end since 1970-01-01T00:16:40Z, by mia: fire; "
        "write until, or remove it (GuardPolicy stop@00000000 pause (stop.yaml:5))"
    )


def test_one_with_an_end_is_nobodys_to_remind_of(fleet) -> None:
    assert open_pauses(fleet(datetime(2100, 1, 1, tzinfo=UTC)), {}, 0.0) == ({}, ())


def test_one_that_is_gone_is_forgotten_and_new_when_it_comes_back(fleet, make_fleet) -> None:
    pauses, due = open_pauses(fleet(), {}, 0.0)
    assert due
    pauses, due = open_pauses(make_fleet(lanes=3), pauses, 100.0)
    assert (pauses, due) == ({}, ())
    pauses, due = open_pauses(fleet(lanes=2), pauses, 200.0)
    assert [(p.since_s, p.workloads) for p in due] == [(200.0, 2)]


def test_the_same_moment_is_told_once(fleet) -> None:
    pauses, _ = open_pauses(fleet(), {}, 0.0)
    assert open_pauses(fleet(), pauses, 0.0)[1] == ()
    assert open_pauses(fleet(), pauses, DAY_S)[1] != ()
