"""One writer: three operators, killed, cut off, stopped. Rows K11, K12, K13, K14, K24, shown by the audit log."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from autoscaler.adapters.kubernetes.objects import GROUP
from tests.real.commands import Settings
from tests.real.controlplane import ControlPlane
from tests.real.faultproxy import BLACK_HOLE, PASS
from tests.real.operating import DEPLOYMENTS, HPAS, LEASE, USERS, Operators, autoscaler, granted, install, operators
from tests.real.servers import wait_until
from tests.real.test_operator import level

pytestmark = pytest.mark.slow
NAMESPACE = "shop"
KILLS = int(os.environ.get("FORESAIL_KILLS", "3"))
"""`make soak` kills twenty times."""


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    one = ControlPlane(tmp_path_factory.mktemp("led"), Settings(hpa_sync="1s"))
    one.start()
    admin = one.rest()
    install(admin)
    granted(one)
    admin.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    yield one
    one.stop()


@pytest.fixture
def some(plane: ControlPlane, tmp_path: Path, prometheus: Any) -> Iterator[Operators]:
    """On an API server that knows nothing of the tests before: no Lease, no object."""
    if not plane.api.running:
        plane.start_api()  # a test that failed had killed it
    with operators(plane, tmp_path) as running:
        running.source(prometheus(level(110.0)).url)
        yield running
    admin = plane.rest()
    admin.answer("DELETE", LEASE)
    for path in (f"{GROUP}/namespaces/{{}}/predictiveautoscalers", HPAS, DEPLOYMENTS):
        admin.delete(path.format(NAMESPACE))
    wait_until(lambda: not floors(running) and not plane.pods(NAMESPACE), "all of it is gone")


class Term(NamedTuple):
    """One process's: from its first to the end of its last renewal, by the API server's clock."""

    user: str
    first_s: float
    end_s: float


def at_s(event: dict[str, Any], stamp: str) -> float:
    return datetime.fromisoformat(event[stamp]).timestamp()


def terms_of(some: Operators) -> dict[int, Term]:
    """By leaseTransitions. A term has one holder, or this fails."""
    held = defaultdict(list)
    for event in some.plane.audit():
        about = event.get("objectRef", {})
        if event["user"].get("username") not in USERS or event["verb"] not in {"create", "update"}:
            continue
        if about.get("resource") != "leases" or at_s(event, "stageTimestamp") < some.began_s:
            continue
        if event["responseStatus"]["code"] >= 300 or not event["requestObject"]["spec"].get("holderIdentity"):
            continue
        held[int(event["requestObject"]["spec"].get("leaseTransitions", 0))].append(event)
    found = {}
    for number, events in held.items():
        (user,) = {e["user"]["username"] for e in events}
        (_,) = {e["requestObject"]["spec"]["holderIdentity"] for e in events}
        last_s = max(at_s(e, "requestReceivedTimestamp") for e in events)
        found[number] = Term(user, min(at_s(e, "requestReceivedTimestamp") for e in events), last_s + some.lease_s)
    for (_, one), (_, other) in pairwise(sorted(found.items())):
        assert one.first_s < other.first_s
    return found


def writes_of(some: Operators) -> list[tuple[str, float]]:
    """Who wrote a floor, a status or an event, and when it was done."""
    return [
        (user, at_s(event, "stageTimestamp"))
        for user in USERS
        for event in some.plane.writes(user)
        if event["objectRef"]["resource"] != "leases"
        and event["responseStatus"]["code"] < 300
        and at_s(event, "stageTimestamp") >= some.began_s
    ]


def one_writer(some: Operators) -> dict[int, Term]:
    terms = terms_of(some)
    numbers = sorted(terms)
    for user, when_s in writes_of(some):
        inside = [
            n for n in numbers
            if terms[n].user == user and terms[n].first_s <= when_s <= terms[n].end_s
        ]  # fmt: skip
        assert inside, f"{user} wrote at {when_s} outside of its terms {terms}"
        later = [terms[n] for n in numbers if n > inside[-1]]
        assert all(when_s < term.first_s for term in later), f"{user} wrote at {when_s} in another's term"
    return terms


def floors(some: Operators) -> dict[str, int]:
    found = some.admin.get(f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers")["items"]
    return {h["metadata"]["name"]: int(h["spec"]["minReplicas"]) for h in found}


def until_raised(some: Operators, name: str, within_s: float = 40.0) -> None:
    wait_until(lambda: floors(some)[name] >= 11, f"{name} has its floor", within_s)


def any_other_ready(some: Operators, leader: int) -> bool:
    return any(which != leader and some.ready(which) for which in some.running)


@pytest.mark.timeout(1500)
def test_K11_K24_the_leader_is_killed_again_and_again_one_writes_per_term_and_no_floor_is_forgotten(
    some: Operators,
) -> None:
    for which in range(3):
        some.start(which)
    leader = some.until_leader(60)
    some.workload(NAMESPACE, "web-0")
    until_raised(some, "web-0")
    took_s = []
    for turn in range(1, KILLS + 1):
        wait_until(lambda leader=leader: any_other_ready(some, leader), "a standby is ready", 240)  # type: ignore[misc]
        some.kill(leader)
        killed_s, dead = time.monotonic(), leader
        some.workload(NAMESPACE, f"web-{turn}")
        leader = some.until_leader(60)
        took_s.append(time.monotonic() - killed_s)
        assert leader != dead
        some.start(dead)
        until_raised(some, f"web-{turn}")
        assert min(floors(some).values()) >= 11, "not one floor came down in a take-over"
    terms = one_writer(some)
    assert len(terms) >= KILLS + 1
    took_s.sort()
    print(f"\ntake-overs of a {some.lease_s} s lease: {len(took_s)}, median {took_s[len(took_s) // 2]:.1f} s, "
          f"longest {took_s[-1]:.1f} s; terms {len(terms)}, writes {len(writes_of(some))}")  # fmt: skip
    assert took_s[-1] < 90.0, "a busy machine starts a process slowly; `make soak` prints what it takes"


@pytest.mark.timeout(300)
def test_K12_a_leader_that_is_cut_off_stops_before_its_lease_ends_and_another_goes_on(
    some: Operators, fault_proxy: Any
) -> None:
    proxy = fault_proxy(some.plane.url, some.plane.tls())
    some.lease_s = 6
    some.start(0, url=proxy.url)
    assert some.until_leader(60) == 0
    some.workload(NAMESPACE, "web-0")
    until_raised(some, "web-0")
    some.start(1)
    wait_until(lambda: some.ready(1), "the standby is ready", 60)
    proxy.set(BLACK_HOLE)
    some.workload(NAMESPACE, "web-1")

    def passed_on() -> bool:
        leads = bool(some.health(1)["leader"])  # asked first: who still leads after that is one too many
        assert not (leads and some.health(0)["leader"]), "it knows by itself, and before another leads"
        return leads

    wait_until(passed_on, "another leads")
    until_raised(some, "web-1")
    proxy.set(PASS)
    wait_until(lambda: some.health(0)["leaseFault"] is None, "it is back", 30)
    time.sleep(some.lease_s + 1)
    assert some.health(1)["leader"], "who comes back waits for its turn"
    assert not some.health(0)["leader"]
    assert floors(some)["web-0"] >= 11
    one_writer(some)


@pytest.mark.timeout(300)
def test_K13_a_leader_that_slept_over_its_term_writes_nothing_when_it_wakes(some: Operators) -> None:
    some.start(0)
    assert some.until_leader(60) == 0
    some.start(1)
    wait_until(lambda: some.ready(1), "the standby is ready", 60)
    for turn in range(2):  # each of them once; `make soak` does it all the time
        sleeper, other = turn % 2, 1 - turn % 2
        some.workload(NAMESPACE, f"web-{turn}")  # so that there is something to write
        some.pause(sleeper)
        wait_until(lambda other=other: some.health(other)["leader"], "the other takes over", 20)  # type: ignore[misc]
        until_raised(some, f"web-{turn}")
        some.resume(sleeper)
        wait_until(lambda sleeper=sleeper: not some.health(sleeper)["leader"], "it knows", 10)  # type: ignore[misc]
        wait_until(lambda sleeper=sleeper: some.ready(sleeper), "it stands by", 10)  # type: ignore[misc]
    one_writer(some)


@pytest.mark.timeout(200)
def test_K14_one_that_ends_in_order_lets_the_next_lead_at_once(some: Operators) -> None:
    some.lease_s = 300
    some.start(0)
    assert some.until_leader(60) == 0
    some.start(1)
    wait_until(lambda: some.ready(1), "the standby is ready", 60)
    began_s = time.monotonic()
    some.end(0)
    wait_until(lambda: some.health(1)["leader"], "the other leads", 90)
    assert time.monotonic() - began_s < some.lease_s / 2, "no lease had to run out"
    one_writer(some)


@pytest.mark.timeout(300)
def test_K24_who_takes_over_forgets_neither_a_stabilisation_window_nor_a_pause(some: Operators) -> None:
    """The demand of `web-0` is gone and that of `web-1` paused, right before the leader dies."""
    some.start(0)
    assert some.until_leader(60) == 0
    for name in ("web-0", "web-1"):
        some.workload(NAMESPACE, name)
        until_raised(some, name)
    some.start(1)
    wait_until(lambda: some.ready(1), "the standby is ready", 60)
    before = floors(some)
    ten_times = {"name": "load", "source": "prod", "query": "sum(load)", "capacity": {"perReplica": "100"}}
    pause = {"owner": "mia", "reason": "incident", "until": "2100-01-01T00:00:00Z"}
    some.apply(NAMESPACE, autoscaler("web-0", demands=[ten_times]))
    some.apply(NAMESPACE, autoscaler("web-1", replicas={"min": 20, "max": 40}, pause=pause))
    some.kill(0)
    wait_until(lambda: some.health(1)["leader"], "the other leads", 20)
    for _ in range(8):
        ticks_from = some.health(1)["lastTick"]
        wait_until(lambda last=ticks_from: some.health(1)["lastTick"] > last, "it decides once more")  # type: ignore[misc]
    assert floors(some) == before, "300 s of stabilisation, and a person's pause"
    assert some.condition(NAMESPACE, "Paused", "web-1")["status"] == "True"
    assert some.status(NAMESPACE, "web-0")["replicas"]["wanted"] < before["web-0"]
    one_writer(some)


@pytest.mark.timeout(300)
def test_K06_an_api_server_that_is_away_is_waited_for_and_nothing_stale_is_written_afterwards(some: Operators) -> None:
    some.start(0)
    assert some.until_leader(60) == 0
    for turn in range(3):
        some.workload(NAMESPACE, f"web-{turn}")
        until_raised(some, f"web-{turn}")
    before, wrote = floors(some), len(writes_of(some))
    some.plane.api.kill()
    wait_until(lambda: not some.health(0)["leader"], "it knows that it leads no more", 20)

    def told() -> dict[str, Any]:
        return some.health(0)

    wait_until(lambda: told()["leaseFault"] and all(w["fault"] for w in told()["watches"].values()), "all is known")
    assert told()["workloads"] == 3, "what was read stays in force"
    some.plane.start_api()
    assert some.until_leader(60) == 0
    time.sleep(5)
    assert floors(some) == before
    flood = len(writes_of(some)) - wrote
    assert flood <= 12, "a status and an event for each at most, and no floor"
    some.workload(NAMESPACE, "web-9")
    until_raised(some, "web-9")
