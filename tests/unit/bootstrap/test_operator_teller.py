"""What the cluster is told after a tick: little, late where it may mend itself, from where the last leader stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from autoscaler.adapters.kubernetes.claims import HPA, Claim
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.led import LedCluster
from autoscaler.adapters.kubernetes.release import Held
from autoscaler.adapters.kubernetes.telling import Reporter, event_name
from autoscaler.adapters.operator_metrics import OperatorMetrics
from autoscaler.adapters.telemetry import Telemetry
from autoscaler.bootstrap.fleet_objects import FleetObjects
from autoscaler.bootstrap.operator import Operator
from autoscaler.bootstrap.operator_caretaker import LedCaretaker
from autoscaler.bootstrap.operator_teller import READY_SETTLE_S, SETTLE_S, StatusTeller
from autoscaler.domain.decision import Decisions
from autoscaler.domain.errors import Refused
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.replicas import ReplicaStatus, ScaleRequest
from autoscaler.domain.series import DataVerdict, SeriesBatch
from autoscaler.domain.workload import Demand
from autoscaler.forecasting.naive import LastValue
from autoscaler.forecasting.serving import PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.intake.history import History
from autoscaler.pipeline.tick import Pipeline
from autoscaler.simulator.cluster import MemoryCluster
from autoscaler.spec.crd_status import STATUSES
from tests.unit.bootstrap.test_fleet_objects import Told, autoscaler, policy, source

START = 500_000


@dataclass
class Line:
    """Stands in for the connection: what was sent, and whether the server takes it."""

    sent: list[tuple[str, str, Any]] = field(default_factory=list)
    refuses: bool = False

    def call(self, method: str, path: str, body: Any, *_: Any) -> None:
        if self.refuses:
            raise ApiFault(None, "no answer: away")
        self.sent.append((method, path, body))

    @property
    def statuses(self) -> list[dict[str, Any]]:
        return [b["status"] for method, path, b in self.sent if method == "PATCH" and "/predictiveautoscalers/" in path]

    def shared(self, kind: str) -> list[dict[str, Any]]:
        return [b["status"] for method, _, b in self.sent if method == "PATCH" and b["kind"] == kind]

    @property
    def events(self) -> list[str]:
        return [body["reason"] for method, _, body in self.sent if method == "POST"]


@dataclass
class Term:
    leads: bool = True
    terms: int = 1


@dataclass
class Offered:
    """Implements ports.MetricsReader."""

    demand: float | None = 100.0
    verdict: DataVerdict = DataVerdict.UNREACHABLE
    """Of no demand."""

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        shape = (len(demands), end_step - first_step)
        if self.demand is None:
            return SeriesBatch.judge(step_s, first_step, np.full(shape, np.nan), self.verdict)
        return SeriesBatch.judge(step_s, first_step, np.full(shape, self.demand))


class Kept:
    def append(self, decisions: Decisions) -> None:
        pass


class World:
    """One leader over what a cluster says, ticked by the test."""

    def __init__(self, *things: dict[str, Any]) -> None:
        self.told = Told()
        self.told.autoscaler_things = self._autoscalers  # type: ignore[attr-defined]
        self.told.say(source(), *(t for t in things or (autoscaler(),)))
        self.files = FleetObjects((), cache=self.told)  # type: ignore[arg-type]
        self.files.refresh()
        self.offered, self.line, self.term = Offered(), Line(), Term()
        fleet = self.files.fleet
        cluster = MemoryCluster(fleet, 60, fleet.is_floor.copy(), np.full(len(fleet), 10, dtype=np.int64))
        self.cluster = cluster
        self.pipeline = Pipeline(
            self.offered, cluster, Kept(), History(60, 400), PeakServer((LastValue(),)), CHAIN
        )  # fmt: skip
        self.now_s = START * 60.0
        self.reporter = Reporter(self.line, "me")  # type: ignore[arg-type]
        self.teller = self.another()

    def another(self) -> StatusTeller:
        metrics = OperatorMetrics(CollectorRegistry())
        return StatusTeller(self.reporter, self.term, metrics, lambda: self.now_s)

    def _autoscalers(self) -> list[dict[str, Any]]:
        return [t for t in self.told.said.values() if t["kind"] == "PredictiveAutoscaler"]

    def tick(self, after_s: float = 60.0) -> None:
        self.now_s += after_s
        self.cluster.begin()
        decisions = self.pipeline.tick(self.files.fleet, datetime.fromtimestamp(self.now_s, UTC))
        self.teller.tell(decisions, self.files)

    def until_calm(self) -> int:
        for _ in range(8):
            self.tick()
        return len(self.line.statuses)

    def answer(self, kind: str) -> str:
        return next(c["status"] for c in self.line.statuses[-1]["conditions"] if c["type"] == kind)


def test_K15_an_idle_object_is_written_once_and_then_left_alone():
    world = World()
    world.tick()
    assert len(world.line.statuses) == 1
    (method, path, body) = world.line.sent[0]
    assert len(world.line.sent) == 2, "and its source once"
    assert (method, path) == (
        "PATCH", "/apis/foresail.dev/v1alpha1/namespaces/shop/predictiveautoscalers/web/status",
    )  # fmt: skip
    assert body["metadata"]["uid"] == "u-web", "an object made anew gets none of it"
    settled = world.until_calm()
    for _ in range(20):
        world.tick()
    assert len(world.line.statuses) == settled


def test_messages_say_to_read_on_where_one_publishes_the_pages():
    world = World()
    world.teller.docs = "https://git.example.com/docs"
    world.tick()
    told = [c for status in world.line.statuses for c in status["conditions"]]
    assert told
    for one in told:
        assert one["message"].endswith(f"(https://git.example.com/docs/reasons.md#{one['reason'].lower()})")


def test_a_short_gap_is_no_news_a_longer_one_turns_its_condition_and_ready_only_after_minutes():
    world = World()
    before = world.until_calm()
    world.offered.demand = None
    world.tick(15.0)
    world.offered.demand = 100.0
    world.tick(15.0)
    assert len(world.line.statuses) == before, "a tick without data, and nobody is bothered"
    world.offered.demand = None
    world.tick(60.0)
    world.tick(SETTLE_S)
    assert world.answer("MetricsAvailable") == "False"
    assert world.answer("Ready") == "True"
    assert world.line.events.count("MetricsUnavailable") == 1
    for _ in range(int(READY_SETTLE_S // 60) + 1):
        world.tick(60.0)
    assert world.answer("Ready") == "False"
    assert world.line.events.count("MetricsUnavailable") == 1


def test_a_query_that_its_source_refuses_is_stalled_after_a_while_and_at_once_where_nothing_was_shown_before():
    world = World()
    before = world.until_calm()
    world.offered.demand, world.offered.verdict = None, DataVerdict.BAD_QUERY
    world.tick(15.0)
    world.offered.demand = 100.0
    world.tick(15.0)
    assert len(world.line.statuses) == before, "a server may be wrong for once"
    world.offered.demand = None
    world.tick(60.0)
    world.tick(SETTLE_S)
    assert (world.answer("MetricsAvailable"), world.answer("Stalled")) == ("False", "True")
    told = len(world.line.statuses)
    for _ in range(4):
        world.tick(15.0)
    assert len(world.line.statuses) <= told + 1, "no churn"
    new = World()
    new.offered.demand, new.offered.verdict = None, DataVerdict.BAD_QUERY
    new.tick(15.0)
    assert new.answer("Stalled") == "True"


def test_events_of_one_reason_are_rare_and_the_next_says_how_many_were_left_out():
    world = World()
    world.until_calm()
    for _ in range(3):  # 330 s each: the second falls into the quiet time of the first
        world.offered.demand = None
        for _ in range(3):
            world.tick(SETTLE_S)
        world.offered.demand = 100.0
        for _ in range(8):
            world.tick(SETTLE_S)
    told = [b for m, _, b in world.line.sent if m == "POST" and b["reason"] == "MetricsUnavailable"]
    assert len(told) == 2
    assert "(1 more since the last event of this kind)" in told[-1]["note"]


def test_what_the_server_did_not_take_is_told_again():
    world = World()
    world.line.refuses = True
    world.tick()
    assert world.line.statuses == []
    world.line.refuses = False
    world.tick(15.0)
    assert len(world.line.statuses) == 1


def test_K23_a_burst_of_new_objects_is_told_over_a_few_ticks_all_of_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("autoscaler.bootstrap.operator_teller.MOST_A_TICK", 10)
    world = World(*(autoscaler(f"w{k}") for k in range(25)))
    told = []
    for _ in range(4):
        world.tick(15.0)
        told.append(len(world.line.statuses))
    assert told[:3] == [10, 20, 25]


def test_K24_the_next_leader_goes_on_from_what_the_object_shows_and_writes_nothing_twice():
    world = World()
    world.until_calm()
    shown = world.line.statuses[-1]
    for thing in world._autoscalers():
        thing["status"] = shown
    world.line.sent.clear()
    world.teller = world.another()
    world.term.terms += 1
    for _ in range(5):
        world.tick()
    assert world.line.statuses == []


def test_K16_a_broken_object_is_told_so_in_its_own_status():
    world = World(autoscaler("web"), autoscaler("api"))
    world.until_calm()
    broken = autoscaler("web", generation=2)
    broken["spec"]["replicas"] = {"min": 5, "max": 2}
    world.told.say(broken)
    world.files.refresh()
    world.line.sent.clear()
    world.tick()
    (status,) = world.line.statuses
    stalled = next(c for c in status["conditions"] if c["type"] == "Stalled")
    assert (stalled["status"], stalled["reason"], stalled["observedGeneration"]) == ("True", "InvalidSpec", 2)
    assert "min 5 is above max 2" in stalled["message"]
    assert world.line.events == ["InvalidSpec"]


def test_policies_and_sources_tell_whether_they_are_in_force_and_for_how_many():
    world = World(autoscaler("web"), autoscaler("api"), policy(12))
    world.until_calm()
    (told,) = world.line.shared("GuardPolicy")
    assert told["selected"] == 2
    assert (told["conditions"][0]["status"], told["conditions"][0]["reason"]) == ("True", "InForce")
    (told,) = world.line.shared("MetricsSource")
    assert told["used"] == 2
    world.told.say(policy(0, generation=2))
    world.files.refresh()
    world.tick()
    told = world.line.shared("GuardPolicy")[-1]
    assert [(c["type"], c["status"]) for c in told["conditions"]] == [("Ready", "False"), ("Stalled", "True")]
    assert "The last valid form stays in force. (docs/reasons.md" in told["conditions"][1]["message"]
    assert told["selected"] == 2
    world.offered.demand = None
    for _ in range(7):
        world.tick(60.0)
    assert world.line.shared("MetricsSource")[-1]["conditions"][0]["reason"] == "Unreachable"
    for kind in ("GuardPolicy", "MetricsSource"):
        for status in world.line.shared(kind):
            STATUSES[kind].model_validate(status)


@pytest.mark.parametrize("length", [3, 236, 237, 253])
def test_K23_an_event_of_the_longest_name_has_a_name_that_is_allowed_and_new(length: int):
    about = ("a." * 127)[: length - 1] + "b"
    one, other = event_name(about), event_name(about)
    assert one != other
    assert len(one) <= 253
    assert ".." not in one


# before there is anything to tell


@dataclass
class Standing:
    """Stands in for the elector: whether it was let run."""

    running: bool = False
    leads: bool = False
    terms: int = 0
    holder: str = ""
    term: int = -1
    fault: None = None

    def start(self) -> None:
        self.running = True

    @property
    def alive(self) -> bool:
        return self.running


@dataclass
class Serving:
    """Stands in for a service."""

    fails: bool = True
    last_tick: datetime | None = None

    def tick(self) -> Any:
        if self.fails:
            return None
        self.last_tick = datetime.now(UTC)
        return object()

    def health(self) -> dict[str, Any]:
        return {"ok": not self.fails}


def test_K09_nothing_is_decided_before_all_was_read_and_nobody_leads_before_it_has_decided():
    told, elector, service, made = Told(synced=False), Standing(), Serving(), list[int]()
    told.kinds = ()  # type: ignore[attr-defined]
    files = FleetObjects((), cache=told)  # type: ignore[arg-type]
    registry = CollectorRegistry()

    def make() -> Any:
        made.append(1)
        if len(made) == 1:
            raise Refused("the record cannot be opened")
        return service

    one = Operator(None, None, files, elector, make, Telemetry(), OperatorMetrics(registry))  # type: ignore[arg-type]
    assert one.tick() is None
    assert made == []
    assert one.health()["ok"], "waiting is no fault that a restart would mend"
    told.synced = True
    assert one.tick() is None
    assert not one.health()["ok"], "what it cannot begin without is a fault"
    assert one.tick() is None
    assert made == [1, 1]
    assert [elector.running] == [False], "its first tick failed"
    service.fails = False
    assert one.tick() is not None
    assert elector.running
    assert one.ready
    assert one.health()["ok"]
    elector.running = False
    assert not one.health()["ok"], "a lease thread that died is a fault"


# who may write


@dataclass
class Remembered:
    """Stands in for KubernetesCluster."""

    number: int
    written: list[ScaleRequest] = field(default_factory=list)

    def observe(self, fleet: Fleet) -> ReplicaStatus:
        counts = np.full(len(fleet), self.number, dtype=np.int64)
        return ReplicaStatus(np.ones(len(fleet), dtype=np.bool_), counts, counts, counts, counts)

    def apply(self, fleet: Fleet, requests: list[ScaleRequest], now_s: float) -> dict[int, Any]:
        self.written += requests
        return {}


def led(doubt: str | None = None) -> tuple[LedCluster, Term, list[Remembered], Fleet]:
    made: list[Remembered] = []

    def make() -> Any:
        made.append(Remembered(len(made)))
        return made[-1]

    term = Term(leads=False, terms=0)
    return LedCluster(make, term, lambda _: doubt), term, made, World().files.fleet


REQUEST = ScaleRequest(0, 5, 1e12)


def test_K11_a_standby_looks_and_writes_nothing():
    cluster, _, made, fleet = led()
    cluster.observe(fleet)
    assert cluster.apply(fleet, [REQUEST], 0.0) == {}
    assert not any(one.written for one in made)


def test_K11_who_became_leader_between_look_and_write_waits_for_a_look_of_its_own():
    cluster, term, made, fleet = led()
    cluster.observe(fleet)
    term.leads, term.terms = True, 1
    assert cluster.apply(fleet, [REQUEST], 0.0) == {}
    cluster.observe(fleet)
    cluster.apply(fleet, [REQUEST], 0.0)
    assert made[-1].written == [REQUEST]
    assert made[-1].number == 1, "and remembers none of what it wrote in a term before"


def test_K11_the_first_look_of_a_term_says_that_another_process_may_have_written():
    cluster, term, made, fleet = led()
    assert not cluster.observe(fleet).inherited, "nobody leads yet who did not before"
    term.leads, term.terms = True, 1
    assert cluster.observe(fleet).inherited
    assert not cluster.observe(fleet).inherited
    term.leads = False
    assert cluster.observe(fleet).inherited
    assert len(made) == 3


def test_K07_what_was_last_heard_of_too_long_ago_is_not_written_by():
    cluster, term, made, fleet = led("predictiveautoscalers was last heard of 300 s ago")
    term.leads, term.terms = True, 1
    cluster.observe(fleet)
    told = cluster.apply(fleet, [REQUEST], 0.0)
    assert "may have been changed or paused" in told[0][0].words
    assert made[-1].written == []


# floors of nobody


@dataclass
class Cache:
    """What the cache and the API server say of an autoscaler."""

    live: bool | ApiFault = False
    silent: str | None = None

    def doubt(self, namespace: str) -> str | None:
        return self.silent

    def exists(self, namespace: str, name: str) -> bool:
        if isinstance(self.live, ApiFault):
            raise self.live
        return self.live


@pytest.mark.parametrize(
    ("cache", "workload", "handed_back"),
    [
        (Cache(live=False), "shop/gone", True),
        (Cache(live=True), "shop/gone", False),
        (Cache(live=ApiFault(None, "no answer")), "shop/gone", False),
        (Cache(live=ApiFault(403, "cannot get")), "shop/gone", False),
        (Cache(live=False, silent="silent for 300 s"), "shop/gone", False),
        (Cache(live=True), "shop/web", True),
        (Cache(live=True, silent="silent for 300 s"), "shop/web", False),
    ],
)
def test_K10_only_what_the_server_itself_says_is_gone_is_handed_back(cache: Cache, workload: str, handed_back: bool):
    """The last two: it is in force, and says by itself that it holds no floor there."""
    caretaker = LedCaretaker(None, cache=cache, term=Term())  # type: ignore[arg-type]
    assert caretaker.confirmed(_held(workload), World().files) is handed_back


def _held(workload: str) -> Held:
    claim = Claim("foresail", workload, 11, 2, (), 0.0)
    return Held(HPA, {"metadata": {"name": "web", "namespace": "shop"}}, claim)
