"""A running service, ticked by hand: what fails costs what it must and no more, and can be seen from outside."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd  # noqa: F401 - before time is frozen
import pytest
from freezegun import freeze_time

from autoscaler.adapters.store import DecisionStore
from autoscaler.adapters.telemetry import Telemetry
from autoscaler.bootstrap.fleet_files import FleetFiles
from autoscaler.bootstrap.service import Outside, Service, composed, service
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.domain.errors import InvalidSpec, Refused
from autoscaler.domain.workload import WorkloadRef
from autoscaler.simulator.clock import VirtualClock

END = datetime(2026, 6, 10, 9, tzinfo=UTC)
EXAMPLES = Path(__file__).parents[3] / "policies" / "examples"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(END)


@pytest.fixture
def start(estate, clock, tmp_path) -> Iterator[Callable[..., Service]]:
    """Starts a service on the estate; closes it at the end."""
    running: list[Service] = []

    def started(**settings: Any) -> Service:
        running.append(service(ServiceSettings((estate.folder,), tmp_path / "record.db", **settings), clock))
        return running[-1]

    yield started
    for each in running:
        each.close()


def value(running: Service, metric: str, /, **labels: str) -> float | None:
    return running.telemetry.registry.get_sample_value(metric, labels)


def result(running: Service, name: str) -> float | None:
    return value(running, "foresail_ticks_total", result=name)


class Broken:
    """A cluster port that raises so many times, then answers as the real one."""

    def __init__(self, real: Any, times: int) -> None:
        self.real, self.times = real, times

    def observe(self, fleet: Any) -> Any:
        if self.times > 0:
            self.times -= 1
            raise ConnectionError("the API server is away")
        return self.real.observe(fleet)

    def apply(self, *given: Any) -> None:
        self.real.apply(*given)


def test_a_tick_that_raises_is_counted_logged_seen_and_followed_by_a_good_one(
    estate, source, workload, start, clock, caplog
):
    estate.record(steps=60)
    estate.write(source(), workload("web"))
    running = start()
    running.pipeline.cluster = Broken(running.pipeline.cluster, times=2)
    assert [result(running, name) for name in ("ok", "failed", "skipped")] == [0, 0, 0]
    for failed in (1, 2):
        caplog.clear()
        assert running.tick() is None
        assert result(running, "failed") == failed
        assert "tick_failed at=2026-06-10T09:00" in caplog.text
        assert "the API server is away" in caplog.text
        health = running.health()
        assert (health["ok"], health["lastError"]) == (False, "ConnectionError: the API server is away")
        clock.advance(15)
    decisions = running.tick()
    assert decisions is not None
    assert decisions.granted[0] >= 20
    assert result(running, "ok") == 1
    assert running.health().pop("anomalies") is not None
    assert {k: v for k, v in running.health().items() if k != "anomalies"} | {"now": ""} == {
        "ok": True, "now": "", "lastTick": "2026-06-10T09:00:30+00:00", "lastError": None, "workloads": 1,
        "specProblems": [], "policies": {"inForce": {}, "keptThoughBroken": [], "pausedWithoutEnd": [], "unknown": []},
        "openPauses": [],
        "sourceErrors": {}, "waitingToLearn": 0, "recordsDropped": 0, "clock": {"skewSeconds": None, "ok": True},
        "sources": {"rec": {"up": True, "clockSkewSeconds": None, "failures": {}}}, "backfill": None,
        "engineState": {
            "restored": f"{running.settings.state_folder}: nothing was kept there yet; no demand is kept that could be "
            "lived through again: margins begin at the first one",
            "savedAt": None, "trouble": None,
        },
    }  # fmt: skip
    assert value(running, "foresail_last_tick_timestamp_seconds") == clock.at.timestamp()


def test_a_service_is_not_healthy_before_its_first_tick(estate, source, workload, start):
    estate.record(steps=60)
    estate.write(source(), workload("web"))
    health = start().health()
    assert (health["ok"], health["lastTick"]) == (False, None)


@pytest.mark.parametrize(("waited_s", "ok"), [(100, True), (106, False), (3600, False)])
def test_health_ends_when_ticks_stop_whatever_the_services_clock_says(
    estate, source, workload, start, clock, waited_s, ok
):
    """Three ticks of 15 s and a minute of grace, on the machine's clock: a replayed one may race or stand."""
    estate.record(steps=60)
    estate.write(source(), workload("web"))
    running = start()
    with freeze_time(datetime(2030, 1, 1, tzinfo=UTC), real_asyncio=True) as frozen:
        assert running.tick() is not None
        clock.at += timedelta(days=1)
        assert running.health()["ok"]
        frozen.tick(timedelta(seconds=waited_s))
        assert running.health()["ok"] is ok


def test_a_broken_edit_is_visible_and_stops_nothing(estate, source, workload, start, clock, caplog):
    estate.record("web.csv", "web", "api", steps=60)
    estate.write(source(), workload("web"), workload("api"))
    running = start()
    running.tick()
    estate.write(source(), workload("web", replicas="{min: x, max: 9}"), workload("api"))
    clock.advance(15)
    decisions = running.tick()
    assert decisions is not None
    assert [w.max_replicas for w in decisions.fleet.workloads] == [60, 60]
    (problem,) = running.health()["specProblems"]
    assert problem.startswith(f"{estate.folder}/fleet.yaml:15:19: spec.replicas.min: must be a whole number")
    assert f"spec_problem {problem}" in caplog.text
    assert value(running, "foresail_spec_problems") == 1
    estate.write(source(), workload("web", replicas="{min: 2, max: 9}"), workload("api"))
    clock.advance(15)
    decisions = running.tick()
    assert decisions is not None
    assert [(w.ref.name, w.max_replicas) for w in decisions.fleet.workloads] == [("api", 60), ("web", 9)]
    assert decisions.granted[1] == 9
    assert (running.health()["specProblems"], value(running, "foresail_spec_problems")) == ([], 0)


def test_a_source_file_that_appears_later_is_picked_up(estate, source, workload, start, clock, caplog):
    estate.write(source(), workload("web"))
    running = start()
    caplog.set_level(logging.INFO, "foresail")
    first = running.tick()
    assert first is not None
    assert first[0].state == "Holding"
    assert running.health()["sourceErrors"] == {"rec": f"{estate.folder}/web.csv: no such file or directory"}
    assert value(running, "foresail_source_errors") == 1
    assert caplog.text.count("source_error rec: ") == 1
    clock.advance(60)
    running.tick()
    assert caplog.text.count("source_error rec: ") == 1, "the same failure is told once"
    estate.record(steps=60, end=END + timedelta(minutes=2))
    clock.advance(60)
    found = running.tick()
    assert found is not None
    assert (found[0].state, found[0].demands[0].verdict.name) == ("Active", "OK")
    assert found.granted[0] >= 20
    assert "source_ok rec" in caplog.text
    assert (running.health()["sourceErrors"], value(running, "foresail_source_errors")) == ({}, 0)


def test_a_series_that_is_not_there_is_told_and_held(estate, source, workload, start, caplog):
    estate.record("web.csv", "web_requests", steps=60)
    estate.write(source(), workload("web", query="web_request"))
    running = start()
    decisions = running.tick()
    assert decisions is not None
    assert decisions[0].state == "Holding"
    assert "did you mean 'web_requests'? It has web_requests" in caplog.text


def test_all_workloads_may_go_and_come_back(estate, source, workload, start, clock):
    estate.record(steps=60)
    estate.write(source(), workload("web"))
    running = start()
    running.tick()
    estate.write(source())
    clock.advance(60)
    decisions = running.tick()
    assert decisions is not None
    assert len(decisions) == 0
    assert running.health()["ok"]
    assert value(running, "foresail_current_replicas", namespace="shop", name="web") is None
    estate.write(source(), workload("web"))
    clock.advance(60)
    decisions = running.tick()
    assert decisions is not None
    assert len(decisions) == 1
    assert value(running, "foresail_current_replicas", namespace="shop", name="web") is not None


def test_a_tick_that_was_left_out_is_counted_and_told(estate, source, workload, start, caplog):
    estate.record(steps=60)
    estate.write(source(), workload("web"))
    running = start()
    running.skipped()
    assert result(running, "skipped") == 1
    assert "tick_skipped" in caplog.text


def test_everything_decided_is_on_record_once_closed(estate, source, workload, start, clock, tmp_path):
    estate.record(steps=60)
    estate.write(source(), workload("web"))
    running = start()
    for _ in range(5):
        assert running.tick() is not None
        clock.advance(15)
    running.close()
    reader = DecisionStore.open_read_only(tmp_path / "record.db")
    runs = reader.history(WorkloadRef("shop", "web"))
    reader.close()
    assert sum(run.ticks for run in runs) == 5
    assert runs[-1].last_at == END + timedelta(seconds=60)


def test_the_twin_grows_by_what_is_written(estate, source, workload, start, clock):
    """The loop is closed: what we grant is what runs a lead later."""
    estate.record(steps=60, end=END + timedelta(minutes=20))
    estate.write(source(), workload("web"))
    running = start()
    for _ in range(40):
        decisions = running.tick()
        clock.advance(15)
    assert decisions is not None
    assert decisions[0].ready == decisions[0].current == decisions[0].granted >= 25


def test_nothing_valid_is_refused_with_every_problem(estate, source, workload, start):
    estate.write(source(), workload("web", replicas="{min: 3, max: 1}"), workload("api", mode="Maybe"))
    with pytest.raises(InvalidSpec) as refused:
        start()
    assert len(refused.value.problems) == 2


def test_files_without_a_workload_are_refused(estate, source, start, tmp_path):
    estate.write(source())
    with pytest.raises(Refused, match="no PredictiveAutoscaler in"):
        start()
    assert not (tmp_path / "record.db").exists()


@pytest.mark.parametrize("name", sorted(p.name for p in EXAMPLES.glob("*.yaml") if "path: demand" in p.read_text()))
def test_every_example_runs_at_the_end_of_its_recording(name, tmp_path):
    clock = VirtualClock(END)
    running = service(ServiceSettings((EXAMPLES / name,), tmp_path / "record.db"), clock)
    newest_s = running.metrics.newest_end_s(60)
    assert newest_s is not None, running.metrics.errors
    clock.at = datetime.fromtimestamp(newest_s, UTC)
    decisions = running.tick()
    running.close()
    assert decisions is not None
    assert running.files.problems == ()
    assert running.metrics.errors == {}
    assert not decisions.held.any()
    assert (decisions.granted >= decisions.fleet.min_replicas).all()


def test_a_service_that_could_not_begin_leaves_nothing_in_the_way_of_the_next(
    estate, source, workload, clock, tmp_path, monkeypatch
):
    """As an operator tries again: its pages and the file of the record are the same ones."""
    estate.write(source(), workload())
    estate.record()
    files = FleetFiles((estate.folder,))
    files.refresh()
    settings, telemetry = ServiceSettings((estate.folder,), tmp_path / "record.db"), Telemetry()
    outside = Outside(lambda *_: None, clock, telemetry=telemetry)
    real, failures = Service.begin, iter([ConnectionError("away"), ConnectionError("still away")])

    def begin(self: Service) -> None:
        for failure in failures:
            raise failure
        real(self)

    monkeypatch.setattr(Service, "begin", begin)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            composed(settings, files, outside)
    running = composed(settings, files, outside)
    try:
        assert running.tick() is not None
        assert result(running, "ok") == 1
    finally:
        running.close()
