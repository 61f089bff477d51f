"""D04: what a person set by hand stands for the policy's time, then its end is announced; pauses without an end."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from autoscaler.domain.decision import Decision
from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.policy import NEVER, OVERRIDE_S, Guarded, Origin, Override, PolicyPause
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.workload import Actuation, Pause, PauseDirection, ScalingRule
from autoscaler.guards.chain import CHAIN
from autoscaler.pipeline.decide import decide
from autoscaler.pipeline.state import LoopState
from autoscaler.reporting.rules_behind import rules_behind

START_S = 6000.0
HERE = Origin("GuardPolicy p", "defaults.humanOverride", "p.yaml:1", "00000000")


@pytest.fixture
def run(make_workload, make_seen):
    """A minute a step, each decision carried out; at minute `at` somebody sets `to` by hand."""

    def stepped(minutes: int, demand: float, *, at: int = 3, to: int = 20, **changes: Any) -> list[Decision]:
        load = make_workload(**({"scale_down": ScalingRule()} | changes))
        fleet, found, count = Fleet((load,)), [], 10
        state, changed_s = LoopState.fresh(fleet, 60), -np.inf
        for minute in range(minutes):
            now_s = START_S + 60 * minute
            if minute == at:
                count, changed_s = to, now_s - 5
            running = np.array([count])
            status = ReplicaStatus(
                np.ones(1, dtype=np.bool_), running, running, running, np.array([NO_LIMIT]),
                overridden_s=np.array([changed_s]),
            )  # fmt: skip
            seen = make_seen(fleet, int(now_s // 60), demand, demand / 1.125, settled=np.full(1, np.nan))
            decisions, state = decide(fleet, seen, status, state, CHAIN, now_s=now_s)
            found.append(decisions[0])
            if found[-1].granted != count:
                count, changed_s = found[-1].granted, -np.inf  # what stands there is ours again
        return found

    return stepped


def noted(decision: Decision, condition: str) -> list[str]:
    return [n.words for n in decision.notes if n.condition == condition]


@pytest.mark.parametrize("actuation", [Actuation.SCALE, Actuation.HPA_FLOOR])
@pytest.mark.parametrize("to", [3, 20])
def test_D04_it_stands_both_ways_for_half_an_hour_and_then_we_decide_again(run, actuation, to) -> None:
    found = run(40, 100.0, to=to, actuation=actuation)
    granted = [d.granted for d in found]
    assert granted[:3] == [10] * 3
    last = 3 + int(OVERRIDE_S // 60)
    assert granted[3:last] == [to] * (last - 3)
    assert granted[last] == 10
    assert {d.state for d in found[3:last]} == {"Paused"}
    assert noted(found[3], "Overridden")[0].startswith("set by hand at 1970-01-01T01:42:55Z: left alone until")
    assert [k for k, d in enumerate(found) if noted(d, "Resumed")] == [last]
    assert "built-in default" in noted(found[last], "Resumed")[0]


def test_D04_a_policy_says_for_how_long(run) -> None:
    rules = Guarded(override=Override(300.0, HERE))
    found = run(12, 100.0, guarded=rules)
    assert [d.granted for d in found][3:9] == [20] * 5 + [10]
    assert ("humanOverride", str(HERE)) in found[4].rules
    (effect,) = (e for e in found[4].effects if e.guard == "override")
    assert effect.acted
    assert rules_behind(found[4], effect) == (str(HERE),)
    assert str(HERE) in noted(found[8], "Resumed")[0]
    assert "Overridden" in found[4].reasons


def test_D04_a_policy_may_not_respect_it_at_all(run) -> None:
    found = run(6, 100.0, guarded=Guarded(override=Override(0.0, HERE)))
    assert found[3].granted == 10
    assert not any(noted(d, c) for d in found for c in ("Overridden", "Resumed"))


def test_D04_who_changes_it_again_is_respected_anew(make_workload, make_seen) -> None:
    fleet = Fleet((make_workload(),))
    state = LoopState.fresh(fleet, 60)
    for minute, ago_s in ((0, 1500.0), (5, 60.0), (6, 120.0)):
        now_s = START_S + 60 * minute
        ten = np.array([10])
        status = ReplicaStatus(
            np.ones(1, dtype=np.bool_), ten, ten, ten, np.array([NO_LIMIT]), overridden_s=np.array([now_s - ago_s])
        )
        seen = make_seen(fleet, int(now_s // 60), 30.0, 30.0)
        decisions, state = decide(fleet, seen, status, state, CHAIN, now_s=now_s)
        assert decisions.granted[0] == 10
        assert not noted(decisions[0], "Resumed")


def paused(until: datetime) -> Guarded:
    stop = PolicyPause(Pause(PauseDirection.BOTH, "mia", "fire", until), HERE)
    return Guarded(pauses=(stop,))


def test_a_pause_without_an_end_is_told_at_every_tick_and_one_with_an_end_is_not(run) -> None:
    (told,) = noted(run(1, 100.0, guarded=paused(NEVER))[0], "OpenEndedPause")
    assert told.startswith("paused by mia without an end: fire (GuardPolicy p@")
    later = datetime.fromtimestamp(START_S + 3600, UTC)
    assert noted(run(1, 100.0, guarded=paused(later))[0], "OpenEndedPause") == []
