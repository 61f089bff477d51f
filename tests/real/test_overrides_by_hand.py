"""D04 on a real API server: who scales by hand in an incident is found by field manager, and respected for a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from autoscaler.domain.decision import Decision, State
from autoscaler.domain.notes import Condition
from autoscaler.domain.policy import Guarded, Origin, Override
from autoscaler.domain.reasons import Reason
from autoscaler.domain.workload import Actuation
from tests.real.acting import Acting
from tests.real.manifests import deployment, hpa

pytestmark = pytest.mark.slow
TEN_MINUTES = Guarded(override=Override(600.0, Origin("GuardPolicy calm", "defaults.humanOverride", "calm.yaml:5")))


@pytest.fixture
def acting(control_plane: Any, namespace: str) -> Callable[..., Acting]:
    def make(*, floor: bool = False, restarted: bool = False, **settings: Any) -> Acting:
        actuation = Actuation.HPA_FLOOR if floor else Actuation.SCALE
        one = Acting(control_plane, namespace, actuation=actuation, more={"guarded": TEN_MINUTES}, **settings)
        if not restarted:
            one.kubectl("apply", "-f", "-", given=deployment("web", replicas=2))
        if floor:
            one.kubectl("apply", "-f", "-", given=hpa("web", 2, 40))
        return one

    return make


def words(decision: Decision, condition: Condition) -> str:
    (found,) = (n.words for n in decision.notes if n.condition is condition)
    return found


def grown(one: Acting, demand: float = 100.0, ticks: int = 3) -> Decision:
    for _ in range(ticks):
        decision = one.tick(demand)
    return decision


@pytest.mark.parametrize("how", ["scale", "patch"])
def test_D04_a_person_who_scales_by_hand_is_left_alone_for_the_policys_time(acting, how):
    one = acting()
    ours = grown(one).granted
    assert ours >= 10
    assert one.replicas == ours
    if how == "scale":
        one.kubectl("scale", "deployment", "web", "--replicas=20")
    else:
        one.kubectl("patch", "deployment", "web", "-p", '{"spec":{"replicas":20}}')
    before = len(one.writes)
    for _ in range(5):
        decision = one.tick(100.0)
        assert (decision.granted, decision.state) == (20, State.PAUSED)
    assert Reason.OVERRIDDEN in decision.reasons
    assert "calm.yaml:5" in words(decision, Condition.OVERRIDDEN)
    assert (one.replicas, len(one.writes)) == (20, before)
    one.clock.ahead += timedelta(minutes=10)
    decision = one.tick(100.0)
    assert "deciding again" in words(decision, Condition.RESUMED)
    assert one.tick(100.0).granted < 20
    assert one.replicas < 20


def test_D04_a_restart_in_the_middle_still_respects_who_scaled(acting):
    one = acting()
    grown(one)
    one.kubectl("scale", "deployment", "web", "--replicas=4")
    one.tick(100.0)
    again = acting(restarted=True)
    decision = again.tick(100.0)
    assert (decision.granted, again.replicas) == (4, 4)
    assert decision.state is State.PAUSED
    assert words(decision, Condition.OVERRIDDEN)


def test_D04_a_floor_that_is_lowered_by_hand_stays_so_and_then_rises_again(acting):
    one = acting(floor=True)
    grown(one)
    assert one.floor >= 10
    one.kubectl("patch", "hpa", "web", "-p", '{"spec":{"minReplicas":3}}')
    decision = one.tick(100.0)
    assert (decision.granted, one.floor, decision.state) == (3, 3, State.PAUSED)
    one.clock.ahead += timedelta(minutes=10)
    grown(one, ticks=2)
    assert one.floor >= 10


def test_D04_what_a_tool_sets_back_is_no_persons_word(acting):
    one = acting(floor=True)
    grown(one)
    one.kubectl("patch", "hpa", "web", "--field-manager=argocd-controller", "-p", '{"spec":{"minReplicas":3}}')
    assert one.tick(100.0).granted >= 10
    assert one.floor >= 10
