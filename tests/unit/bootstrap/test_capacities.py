"""A service that learns what a replica serves: what counts, what is kept, and what is said on every decision."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from autoscaler.bootstrap.capacities import EVERY_S, RETRY_S, Kept, LearnedCapacityKeeper
from autoscaler.bootstrap.service import Service, service
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.cli.record import explain_workload
from autoscaler.domain.decision import State
from autoscaler.domain.notes import Condition
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import DataVerdict, SeriesBatch
from autoscaler.domain.workload import Demand
from autoscaler.simulator.clock import VirtualClock

END = datetime(2026, 6, 10, 9, tzinfo=UTC)
DAYS = 5
STEPS = DAYS * 1440
READY = 3.0 + np.arange(STEPS) // 900 % 3
STEADY = 0.3 * READY
LEARNED = '{perReplica: "10", learned: {resource: cpu, limit: "1", replicas: ready, summed: true, template: image}}'


def record(folder: Path, top: float = 50.0, **other: Any) -> None:
    """Replicas of 0.1 + 0.02 × load cores, at loads of 0 to `top` each."""
    stamps = pd.date_range(end=END - timedelta(minutes=1), periods=STEPS, freq="1min")
    per = top / 2 * (1 - np.cos(np.arange(STEPS) * 2 * np.pi / 1440))
    columns = {"web": per * READY, "cpu": (0.1 + 0.02 * per) * READY, "ready": READY, "image": np.ones(STEPS)} | other
    frames = [pd.DataFrame({"ts": stamps, "series": name, "value": value}) for name, value in columns.items()]
    draft = folder / "web.draft"
    pd.concat(frames).to_parquet(draft)
    draft.replace(folder / "web.parquet")


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(END)


@pytest.fixture
def start(estate, source, workload, clock, tmp_path) -> Iterator[Callable[..., Service]]:
    """Starts a service whose one demand learns its capacity; ticks until it has learned."""
    demands = f"[{{name: requests, source: rec, query: web, capacity: {LEARNED}}}]"
    estate.write(source(path="web.parquet"), workload("web", demands=demands))
    running: list[Service] = []

    def started(**settings: Any) -> Service:
        while running:  # one at a time writes the record
            running.pop().close()
        running.append(service(ServiceSettings((estate.folder,), tmp_path / "record.db", **settings), clock))
        return running[-1]

    yield started
    for each in running:
        each.close()


def learn(running: Service) -> Any:
    """One tick begins to learn, the next one after it is done decides with what was found."""
    assert running.capacities is not None
    running.tick()
    running.capacities.wait(30)
    decisions = running.tick()
    assert decisions is not None, running.last_error
    return decisions[0]


def notes(decision: Any) -> dict[str, str]:
    return {n.condition: n.words for n in decision.notes if n.condition.startswith("Capacity")}


def test_what_is_learned_sizes_the_next_tick_and_is_said(estate, start, tmp_path, capsys):
    record(estate.folder)
    running = start()
    first = running.tick()
    assert first[0].demands[0].capacity_per_replica == 10
    assert "perReplica stands" in notes(first[0])[Condition.CAPACITY_LEARNED]
    decision = learn(running)
    assert decision.demands[0].capacity_per_replica == pytest.approx(45, rel=0.02)
    assert notes(decision) == {
        Condition.CAPACITY_LEARNED: "requests: one replica serves 45, where the curve reaches the limit of 1 "
        "(learned 2026-06-10)"
    }
    running.close()
    explain_workload("web", tmp_path / "record.db", None, "table")
    assert "CapacityLearned: requests: one replica serves 45" in capsys.readouterr().out


def test_what_is_refused_leaves_the_given_one_with_the_reason(estate, start):
    record(estate.folder, cpu=STEADY)
    decision = learn(start())
    assert decision.demands[0].capacity_per_replica == 10
    assert "perReplica stands; 2026-06-10: the load explains too little" in notes(decision)[Condition.CAPACITY_REFUSED]
    assert Condition.CAPACITY_LEARNED not in notes(decision)


def test_learned_only_holds_until_it_is_accepted_and_forecasts_meanwhile(
    estate, start, source, workload, tmp_path, capsys
):
    only = LEARNED.replace('perReplica: "10", ', "")
    demands = f"[{{name: requests, source: rec, query: web, capacity: {only}}}]"
    estate.write(source(path="web.parquet"), workload("web", demands=demands))
    record(estate.folder)
    running = start()
    first = running.tick()[0]
    assert first.demands[0].capacity_per_replica is None
    assert (first.state, first.granted, first.sizing) == (State.HOLDING, first.current, Reason.CAPACITY_UNKNOWN)
    assert "nothing is sized, the workload holds" in notes(first)[Condition.CAPACITY_LEARNED]
    running.close()
    explain_workload("web", tmp_path / "record.db", None, "table")
    told = capsys.readouterr().out
    assert "one replica serves what is not learned yet" in told
    assert "capacity-known" in told
    second = learn(start())
    assert second.demands[0].capacity_per_replica == pytest.approx(45, rel=0.02)
    assert second.demands[0].quantiles is not None, "its error was learned before it had a capacity"
    assert (second.state is not State.HOLDING, second.sizing is not Reason.CAPACITY_UNKNOWN) == (True, True)


def test_learned_only_and_refused_holds_with_the_reason(estate, start, source, workload):
    only = LEARNED.replace('perReplica: "10", ', "")
    demands = f"[{{name: requests, source: rec, query: web, capacity: {only}}}]"
    estate.write(source(path="web.parquet"), workload("web", demands=demands))
    noise = np.random.default_rng(1).gamma(4.0, 0.1, STEPS)
    record(estate.folder, cpu=noise)
    decision = learn(start())
    assert decision.demands[0].capacity_per_replica is None
    assert (decision.state, decision.granted) == (State.HOLDING, decision.current)
    said = notes(decision)[Condition.CAPACITY_REFUSED]
    assert "nothing is sized, the workload holds; 2026-06-10: the load explains too little" in said


def test_a_later_refusal_holds_the_one_before(estate, start, clock):
    record(estate.folder)
    running = start()
    learn(running)
    record(estate.folder, cpu=STEADY)
    clock.at += timedelta(seconds=EVERY_S + 60)
    decision = learn(running)
    assert decision.demands[0].capacity_per_replica == pytest.approx(45, rel=0.02)
    said = notes(decision)
    assert "the one before stays in force; 2026-06-11" in said[Condition.CAPACITY_REFUSED]
    assert "(learned 2026-06-10)" in said[Condition.CAPACITY_LEARNED]


def test_it_is_learned_daily_and_not_at_every_tick(estate, start, clock):
    record(estate.folder)
    running = start()
    learn(running)
    record(estate.folder, cpu=STEADY)
    clock.at += timedelta(hours=23)
    assert Condition.CAPACITY_REFUSED not in notes(learn(running))


def test_a_restart_begins_with_what_was_accepted(estate, start, tmp_path):
    record(estate.folder)
    learn(start())
    told = json.loads((tmp_path / "record-capacities.json").read_text())
    assert [one["per_replica"] for one in told.values()] == [45.0]
    again = start()
    assert again.files.fleet.capacity.tolist() == [45.0]


def test_a_single_decision_applies_and_learns_nothing(estate, start):
    record(estate.folder)
    once = start(beside=False)
    once.tick()
    assert once.capacities._thread is None
    assert once.files.fleet.capacity.tolist() == [10.0]
    learn(start())
    assert start(beside=False).files.fleet.capacity.tolist() == [45.0]


def test_another_limit_begins_anew(estate, start, source, workload):
    record(estate.folder)
    learn(start())
    other = LEARNED.replace('limit: "1"', 'limit: "0.5"')
    demands = f"[{{name: requests, source: rec, query: web, capacity: {other}}}]"
    estate.write(source(path="web.parquet"), workload("web", demands=demands))
    fresh = start()
    assert fresh.files.fleet.capacity.tolist() == [10.0]
    assert learn(fresh).demands[0].capacity_per_replica == pytest.approx(20, rel=0.02)


def test_what_nobody_asks_for_is_forgotten_in_the_end(estate, start, tmp_path):
    record(estate.folder)
    old, young = Kept(9.0, "w", "2026-04-01", None, "why", "2026-05-01"), Kept(8.0, "w", "2026-05-20")
    told = {"shop/gone": asdict(old), "shop/away": asdict(young)}
    (tmp_path / "record-capacities.json").write_text(json.dumps(told))
    learn(start())
    kept = json.loads((tmp_path / "record-capacities.json").read_text())
    assert [key.split("=")[0] for key in kept] == ["shop/away", "shop/web/requests"]


def test_an_edit_of_something_else_keeps_what_was_learned(estate, start, source, workload):
    record(estate.folder)
    running = start()
    learn(running)
    demands = f"[{{name: requests, source: rec, query: web, capacity: {LEARNED}}}]"
    estate.write(source(path="web.parquet"), workload("web", demands=demands, replicas="{min: 3, max: 70}"))
    decisions = running.tick()
    assert (decisions.fleet.max_replicas.tolist(), decisions.fleet.capacity.tolist()) == ([70], [45.0])


def test_a_bound_by_what_was_carried_does_not_fall_in_a_quiet_week(estate, start, clock):
    """Else fewer would be asked of each replica, each would carry less, and so on down."""
    record(estate.folder, top=30)
    running = start()
    assert learn(running).demands[0].capacity_per_replica == pytest.approx(33, rel=0.02)
    record(estate.folder, top=20)
    clock.at += timedelta(seconds=EVERY_S + 60)
    decision = learn(running)
    assert decision.demands[0].capacity_per_replica == pytest.approx(33, rel=0.02)
    assert "carried less lately" in notes(decision)[Condition.CAPACITY_REFUSED]
    record(estate.folder, top=38)
    clock.at += timedelta(seconds=EVERY_S + 60)
    decision = learn(running)
    assert decision.demands[0].capacity_per_replica == pytest.approx(41.8, rel=0.02)
    assert Condition.CAPACITY_REFUSED not in notes(decision)


def test_a_new_image_is_taken_more_carefully(estate, start):
    image = np.where(np.arange(STEPS) < STEPS - 180, 1.0, 2.0)
    record(estate.folder, image=image)
    decision = learn(start())
    assert 36 <= decision.demands[0].capacity_per_replica < 38
    assert "lower while the new image is young" in notes(decision)[Condition.CAPACITY_LEARNED]


def test_a_source_that_is_away_refuses_nothing_and_is_asked_again(estate, start, clock):
    record(estate.folder)
    running = start()
    (estate.folder / "web.parquet").unlink()
    decision = learn(running)
    assert Condition.CAPACITY_REFUSED not in notes(decision)
    record(estate.folder)
    clock.at += timedelta(seconds=RETRY_S + 60)
    assert learn(running).demands[0].capacity_per_replica == pytest.approx(45, rel=0.02)


def test_a_resource_with_hardly_a_sample_is_a_reason(estate, start):
    record(estate.folder, cpu=np.where(np.arange(STEPS) < 99, STEADY, np.nan))
    assert "fewer than 12 hours" in notes(learn(start()))[Condition.CAPACITY_REFUSED]


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 3}', '{"a": {"per_replica": -1.0}}', '{"a": {"other": 1}}'])
def test_a_damaged_file_costs_only_what_it_held(estate, start, tmp_path, text, caplog):
    record(estate.folder)
    (tmp_path / "record-capacities.json").write_text(text)
    running = start()
    assert running.files.fleet.capacity.tolist() == [10.0]
    assert "capacities_unreadable" in caplog.text
    assert learn(running).demands[0].capacity_per_replica == pytest.approx(45, rel=0.02)


def test_a_given_capacity_is_never_touched_and_says_nothing(estate, source, workload, clock, tmp_path):
    estate.record(steps=60)
    estate.write(source(), workload("web"))
    running = service(ServiceSettings((estate.folder,), tmp_path / "record.db"), clock)
    try:
        assert notes(learn(running)) == {}
        assert not (tmp_path / "record-capacities.json").exists()
    finally:
        running.close()


def test_a_reader_that_raises_stops_no_tick(estate, start):
    record(estate.folder)
    running = start()

    class Broken:
        def load(self, *_: Any) -> Any:
            raise RuntimeError("no")

    assert isinstance(running.capacities, LearnedCapacityKeeper)
    running.capacities.reader = Broken()
    assert learn(running).demands[0].capacity_per_replica == 10


@dataclass
class Health:
    reachable: bool = True
    last_ok_s: float | None = None
    skew_s: float | None = None
    queries: int = 1
    failures: dict[Any, int] = field(default_factory=dict)


@dataclass
class Server:
    """A server with two weeks of everything; dark = it answers nothing. asked: queries that came beside the ticks."""

    dark: bool = False
    health: Health = field(default_factory=Health)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        steps = np.arange(first_step, end_step)
        per = 25 * (1 - np.cos(steps * step_s * 2 * np.pi / 86_400))
        rows = {"web": per * 4, "cpu": (0.1 + 0.02 * per) * 4, "ready": np.full(len(steps), 4.0)}
        raw = np.stack([rows.get(d.query, np.ones(len(steps))) for d in demands])
        batch = SeriesBatch.judge(step_s, first_step, np.where(self.dark, np.nan, raw))
        away = np.full(batch.verdicts.shape, DataVerdict.UNREACHABLE, dtype=np.uint8)
        return SeriesBatch(step_s, first_step, batch.values, away) if self.dark else batch

    @property
    def wide(self) -> Any:
        server = self

        class Beside:
            def load(self, demands: Sequence[Demand], *span: int) -> SeriesBatch:
                server.asked.append(tuple(d.query for d in demands))
                return server.load(demands, *span)

        return Beside()

    def greet(self) -> str | None:
        return None

    def close(self) -> None:
        pass


@pytest.mark.parametrize("dark", [False, True])
def test_a_server_is_asked_beside_the_ticks(estate, workload, clock, tmp_path, dark):
    prod = (
        "apiVersion: foresail.dev/v1alpha1\nkind: MetricsSource\nmetadata: {name: prod}\n"
        "spec: {prometheus: {url: 'http://prometheus:9090'}}\n"
    )
    demands = f"[{{name: requests, source: prod, query: web, capacity: {LEARNED}}}]"
    estate.write(prod, workload("web", demands=demands))
    server = Server(dark)
    running = service(ServiceSettings((estate.folder,), tmp_path / "record.db"), clock, lambda _: server)
    try:
        decision = learn(running)
    finally:
        running.close()
    assert ("web", "cpu", "ready", "image") in server.asked
    assert decision.demands[0].capacity_per_replica == pytest.approx(10 if dark else 45, rel=0.02)
    assert Condition.CAPACITY_REFUSED not in notes(decision)


def test_nothing_kept_is_no_capacity():
    assert Kept().per_replica is None
