"""A release takes the Lease from a running operator: from then on until it is removed nobody raises a floor again."""

from __future__ import annotations

import pytest

from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.lease import Elector, LeaseSettings
from autoscaler.adapters.kubernetes.takeover import HELD_S, KEPT_S, Takeover
from autoscaler.domain.errors import Retryable
from tests.unit.adapters.kubernetes.test_lease import Server


class World:
    """One operator that renews every two seconds of a clock that only waiting moves."""

    def __init__(self) -> None:
        self.server = Server()
        settings = LeaseSettings("ops", "foresail", "operator")
        self.operator = Elector(self.server, settings, lambda: self.server.now_s)  # type: ignore[arg-type]
        self.takeover = Takeover(self.server, "ops", "foresail", "release", self.wait)  # type: ignore[arg-type]

    def wait(self, seconds: float) -> None:
        end_s = self.server.now_s + seconds
        while self.server.now_s + 2.0 <= end_s:
            self.server.now_s += 2.0
            self.operator.step()
        self.server.now_s = end_s


def leads(world: World) -> bool:
    return world.operator.leads


def test_K25_the_operator_stops_first_stays_away_while_floors_go_back_and_for_a_minute_after():
    world = World()
    world.operator.step()
    assert leads(world)
    world.takeover.take()
    assert not leads(world)
    assert world.operator.holder == "release"
    world.wait(200.0)
    assert not leads(world)
    world.takeover.end(keep=True)
    world.wait(KEPT_S - 4.0)
    assert not leads(world)
    world.wait(10.0)
    assert leads(world), "an uninstall that was given up is no outage for ever"


def test_K25_without_the_operators_own_lease_time_a_write_of_it_could_still_be_under_way():
    world = World()
    world.operator.step()
    began_s = world.server.now_s
    world.takeover.take()
    assert world.server.now_s - began_s == pytest.approx(15.0)


def test_where_nobody_led_nothing_is_waited_for_and_nobody_begins():
    world = World()
    began_s = world.server.now_s
    world.takeover.take()
    assert world.server.now_s == began_s
    world.operator.step()
    assert not leads(world)


def test_a_release_that_failed_gives_the_lease_back_at_once():
    world = World()
    world.operator.step()
    world.takeover.take()
    world.takeover.end(keep=False)
    world.operator.step()
    assert leads(world)


def test_a_release_that_was_killed_keeps_the_operator_waiting_for_a_stated_time_only():
    world = World()
    world.operator.step()
    world.takeover.take()
    world.wait(HELD_S + 4.0)
    assert leads(world)


def test_a_renewal_in_between_is_no_failure_and_a_right_that_is_missing_is_one():
    world = World()
    world.operator.step()
    real, count = world.server.call, iter(range(100))

    def racing(method: str, path: str, body: object = None) -> object:
        if method == "PUT" and next(count) == 0:
            real("PUT", path, world.server.lease)  # the operator's renewal
        return real(method, path, body)

    world.server.call = racing  # type: ignore[method-assign]
    world.takeover.take()
    assert world.server.lease is not None
    assert world.server.lease["spec"]["holderIdentity"] == "release"

    def forbidden(method: str, path: str, body: object = None) -> object:
        raise ApiFault(403, "leases is forbidden")

    world.server.call = forbidden  # type: ignore[method-assign]
    with pytest.raises(Retryable, match=r"ops/foresail cannot be written: .*forbidden"):
        world.takeover.take()
