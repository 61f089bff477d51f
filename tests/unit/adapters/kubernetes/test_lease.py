"""A Lease on the monotonic clock: never two who may write, whatever is lost, late or stopped."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.adapters.kubernetes.connection import Access, Connection
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.lease import Elector, LeaseSettings
from autoscaler.domain.errors import Refused


@dataclass
class Server:
    """Leases as an API server keeps them, and a clock. ways: what befalls the next calls, then all is well.

    A way: seconds before it is applied, "" | "lost" before it arrives | "unheard" (applied, no answer), seconds after.
    """

    now_s: float = 1000.0
    lease: dict[str, Any] | None = None
    ways: list[tuple[float, str, float]] = field(default_factory=list)
    timeout_s: float = 5.0
    version: int = 0

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        before_s, what, after_s = self.ways.pop(0) if self.ways else (0.0, "", 0.0)
        self.now_s += before_s
        if what == "lost":
            raise ApiFault(None, "no answer: lost")
        answer = self._applied(method, body)
        self.now_s += after_s
        if what == "unheard":
            raise ApiFault(None, "no answer: timed out")
        return answer

    def _applied(self, method: str, body: Any) -> Any:
        if method == "GET":
            if self.lease is None:
                raise ApiFault(404, "not found")
            return copy.deepcopy(self.lease)
        if method == "POST" and self.lease is not None:
            raise ApiFault(409, "already exists")
        if method == "PUT":
            if self.lease is None:
                raise ApiFault(404, "not found")
            if body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
                raise ApiFault(409, "the object has been modified")
        self.version += 1
        self.lease = copy.deepcopy(body)
        self.lease["metadata"]["resourceVersion"] = str(self.version)
        return copy.deepcopy(self.lease)


def elector(server: Server, name: str) -> Elector:
    return Elector(server, LeaseSettings("ops", "foresail", name), lambda: server.now_s)  # type: ignore[arg-type]


def leads(one: Elector) -> bool:
    return one.leads


def test_the_first_creates_it_the_second_waits_a_whole_duration_by_its_own_clock_and_counts_one_transition():
    server = Server()
    one, two = elector(server, "one"), elector(server, "two")
    one.step()
    assert leads(one)
    assert one.term == 0
    two.step()
    assert not leads(two)
    assert two.holder == "one"
    server.now_s += 14.9
    two.step()
    assert not leads(two)
    server.now_s += 0.2
    two.step()
    assert leads(two)
    assert two.term == 1
    assert not leads(one)
    one.step()
    assert not leads(one)
    assert one.holder == "two"


def test_K12_who_cannot_renew_stops_before_the_lease_ends_and_a_write_gets_only_the_time_that_is_left():
    server = Server()
    one = elector(server, "one")
    one.step()
    assert one.left_s() == pytest.approx(15.0)
    server.now_s += 9.0
    server.ways = [(0.0, "lost", 0.0)]
    one.step()
    assert one.fault is not None
    assert one.left_s() == pytest.approx(6.0), "a failed renewal takes nothing away, and gives nothing"
    server.now_s += 1.0
    assert one.left_s() == 0.0, "five seconds before anybody else may begin"


def test_K13_who_slept_over_its_term_may_write_nothing_when_it_wakes_though_nobody_told_it():
    server = Server()
    one, two = elector(server, "one"), elector(server, "two")
    one.step()
    two.step()
    server.now_s += 120.0  # stopped: no step, no fault
    assert not leads(one)
    two.step()
    assert leads(two)
    sent: list[str] = []
    connection = Connection(Access(), fence=one)
    connection._client = _Refusing(sent)  # type: ignore[assignment]
    with pytest.raises(ApiFault, match="does not lead"):
        connection.call("PATCH", "/x", {})
    assert sent == []


class _Refusing:
    """A client that notes what is sent."""

    def __init__(self, sent: list[str]) -> None:
        self.sent = sent

    def param_serialize(self, method: str, **_: Any) -> tuple[str, ...]:
        return (method, "url", "headers", "body")

    def call_api(self, method: str, *_: Any, **__: Any) -> Any:
        self.sent.append(method)
        raise OSError("unreachable")


def test_reads_go_through_whoever_leads():
    sent: list[str] = []
    connection = Connection(Access(), fence=elector(Server(), "nobody"))
    connection._client = _Refusing(sent)  # type: ignore[assignment]
    with pytest.raises(ApiFault, match="unreachable"):
        connection.get("/x")
    assert sent == ["GET"]


def test_an_answer_that_comes_after_the_deadline_is_no_term():
    server = Server(ways=[(0.0, "", 0.0), (0.0, "", 11.0)])
    one = elector(server, "one")
    one.step()
    assert server.lease is not None
    assert not leads(one)


def test_a_renewal_whose_answer_is_lost_is_found_to_be_ours():
    server = Server()
    one = elector(server, "one")
    one.step()
    server.now_s += 2.0
    server.ways = [(0.0, "unheard", 5.0)]
    one.step()
    assert leads(one)
    one.step()
    assert one.left_s() == pytest.approx(15.0)
    assert (one.term, one.terms) == (0, 1)


def test_released_it_is_free_at_once_and_deleted_it_is_made_anew():
    server = Server()
    one, two = elector(server, "one"), elector(server, "two")
    one.step()
    two.step()
    one.release()
    assert not leads(one)
    two.step()
    assert leads(two)
    server.lease = None
    two.step()
    assert leads(two), "what it has renewed lasts"
    two.step()
    assert leads(two)
    assert server.lease is not None


def test_times_that_cannot_hold_are_refused():
    with pytest.raises(Refused, match="before its deadline"):
        LeaseSettings("ops", "foresail", "one", duration_s=10, deadline_s=10.0)
    with pytest.raises(Refused, match="too short"):
        LeaseSettings.lasting("ops", "foresail", "one", 2)


way = st.tuples(st.floats(0, 8), st.sampled_from(["", "", "lost", "unheard"]), st.floats(0, 8))
move = st.tuples(
    st.integers(0, 2), st.floats(0, 20), st.lists(way, max_size=2), st.sampled_from(["step"] * 9 + ["release"])
)


@settings(max_examples=300, deadline=None)
@given(st.lists(move, min_size=5, max_size=60))
def test_K11_K12_K13_never_two_at_once_and_no_write_of_one_is_under_way_when_another_begins(moves):
    """Calls take long, get lost before or after they are applied; steps come when they like."""
    server = Server()
    three = [elector(server, name) for name in ("one", "two", "three")]
    under_way_until_s = [float("-inf")] * 3
    for who, wait_s, ways, what in moves:
        server.now_s += wait_s
        server.ways = list(ways)
        for k, each in enumerate(three):  # each writes whenever it may, for as long as it may
            if each.leads:
                under_way_until_s[k] = max(under_way_until_s[k], server.now_s + each.left_s())
        if what == "step":
            three[who].step()
        else:
            under_way_until_s[who] = float("-inf")  # released only after the last write
            three[who].release()
        leading = [k for k, each in enumerate(three) if each.leads]
        assert len(leading) <= 1
        for k in leading:
            others = [until_s for o, until_s in enumerate(under_way_until_s) if o != k]
            assert all(until_s <= server.now_s + 1e-6 for until_s in others)
