"""A service that tells on-call: wired into its ticks, harmless to them, off where it must be. Rows A02, A07."""

import runpy
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from autoscaler.adapters.store.outbox import StoredOutbox
from autoscaler.bootstrap.alert_settings import AlertSettings
from autoscaler.bootstrap.service import service
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.domain.errors import Refused
from autoscaler.simulator.clock import VirtualClock

MADE = runpy.run_path(str(Path(__file__).parents[1] / "bootstrap" / "conftest.py"))
estate, source, workload = MADE["estate"], MADE["source"], MADE["workload"]
END = datetime(2026, 6, 10, 9, tzinfo=UTC)
NOBODY = AlertSettings(("http://127.0.0.1:1",))


@pytest.fixture
def clock() -> Any:
    return VirtualClock(END)


@pytest.fixture
def start(estate: Any, clock: Any, tmp_path: Any) -> Any:
    running = []

    def started(**settings: Any) -> Any:
        running.append(service(ServiceSettings((estate.folder,), tmp_path / "record.db", **settings), clock))
        return running[-1]

    yield started
    for each in running:
        each.close()


def value(running: Any, metric: Any, /, **labels: Any) -> Any:
    return running.telemetry.registry.get_sample_value(metric, labels)


def tick(running: Any, clock: Any, seconds: Any) -> Any:
    """Ticks of 15 s for so long."""
    for _ in range(int(seconds // 15)):
        running.tick()
        clock.advance(15)


def recorded(running: Any) -> Any:
    assert running.alerts.courier.flush(10)
    return [(a.name, a.firing) for a in running.alerts.outbox.recorded()]


def test_A02_a_fault_that_lasts_is_one_open_alert_recorded_without_any_destination(
    estate, source, workload, start, clock
):
    """The recording ends, so nobody sees demand: held after its age, at risk after ten minutes more."""
    estate.record(steps=600)
    estate.write(source(), workload("web"))
    running = start()
    tick(running, clock, 600)
    opened = {"alertname": "ForesailHoldingAtRisk", "severity": "critical"}
    problem = {"namespace": "shop", "name": "web", "cause": "HoldingAtRisk"}
    assert value(running, "foresail_alerts_open", **opened) == 0
    assert value(running, "foresail_problem", **problem) == 1, "seen, not told yet"
    tick(running, clock, 1200)
    assert value(running, "foresail_alerts_open", **opened) == 1
    assert recorded(running) == [("ForesailHoldingAtRisk", True)]
    for _ in range(6):
        estate.record(steps=700, end=clock.at)
        tick(running, clock, 60)
    assert value(running, "foresail_problem", **problem) is None
    assert value(running, "foresail_alerts_open", **opened) == 0
    assert recorded(running) == [("ForesailHoldingAtRisk", False)]


def test_A07_a_dead_alertmanager_costs_no_tick_anything(estate, source, workload, start, clock):
    estate.record(steps=600)
    estate.write(source(), workload("web"))
    running = start(alerts=NOBODY)
    began = time.perf_counter()
    tick(running, clock, 1500)
    assert time.perf_counter() - began < 100, "not one answer was waited for"
    assert value(running, "foresail_ticks_total", result="ok") == 100
    name = "alertmanager:127.0.0.1:1"
    assert value(running, "foresail_notifications_last_success_timestamp_seconds", destination=name) == 0
    assert value(running, "foresail_notifications_total", destination=name, result="later") >= 1
    assert value(running, "foresail_notifications_waiting", destination=name) >= 1
    assert value(running, "foresail_alerts_open", alertname="ForesailWatchdog", severity="none") == 1
    assert value(running, "foresail_alerts_open", alertname="ForesailNotifierFailing", severity="warning") == 1


def test_ticks_that_fail_are_told_though_nothing_is_decided(estate, source, workload, start, clock, monkeypatch):
    estate.record(steps=600)
    estate.write(source(), workload("web"))
    running = start()

    def broken(*_: Any) -> Any:
        raise RuntimeError("the API server is away")

    real = running.pipeline.cluster.observe
    running.pipeline.cluster = type("Cluster", (), {"observe": broken, "apply": None})()
    tick(running, clock, 330)
    assert recorded(running) == [("ForesailTicksFailing", True)]
    assert "the API server is away" in running.alerts.outbox.recorded()[0].description
    running.pipeline.cluster = type("Cluster", (), {"observe": lambda _, f: real(f), "apply": lambda *_: None})()
    tick(running, clock, 120)
    assert ("ForesailTicksFailing", False) in recorded(running)


def test_a_fault_of_the_desk_is_no_fault_of_the_tick(estate, source, workload, start, clock, caplog):
    estate.record(steps=600)
    estate.write(source(), workload("web"))
    running = start()
    running.alerts.book = None
    assert running.tick() is not None
    assert "alerts_not_looked_at" in caplog.text
    assert value(running, "foresail_ticks_total", result="ok") == 1


def test_a_pause_without_an_end_is_open_after_a_day_and_over_with_it(estate, source, workload, start, clock, tmp_path):
    estate.record(steps=600)
    policy = (
        "apiVersion: foresail.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: stop}\nspec:\n"
        "  selector: {namespaces: [shop]}\n  acknowledge: [OpenEnded]\n"
        "  pause: {owner: jane, reason: 'a <b>rush</b> @here', openEnded: true}\n"
    )
    estate.write(source(), workload("web"), policy)
    running = start()
    running.tick()
    clock.advance(86_300)
    running.tick()
    assert ("ForesailPauseOpen", True) not in recorded(running)
    clock.advance(200)
    running.tick()
    assert ("ForesailPauseOpen", True) in recorded(running)
    found = next(a for a in running.alerts.outbox.recorded() if a.name == "ForesailPauseOpen")
    assert dict(found.labels)["policy"] == "GuardPolicy stop"
    assert "‹b›rush‹/b› (at)here" in found.description, "row A06"
    estate.write(source(), workload("web"))
    clock.advance(15)
    running.tick()
    assert ("ForesailPauseOpen", False) in recorded(running)


def test_a_replay_wakes_nobody_and_a_wrong_destination_is_refused_at_the_start(estate, source, workload, start):
    estate.record(steps=600)
    estate.write(source(), workload("web"))
    with pytest.raises(Refused, match="--replay-from: alerts of the past would wake people"):
        start(alerts=NOBODY, replay_from=END)
    for url, words in (("http://u:p@x:9093", "x:9093: .*no user or password"), ("am:9093", "am:9093: .*http://")):
        with pytest.raises(Refused, match=f"--alertmanager {words}"):
            start(alerts=AlertSettings((url,)))
    with pytest.raises(Refused, match="named twice"):
        start(alerts=AlertSettings(("http://x:9093", "http://x:9093/")))


def test_a_single_decision_opens_no_outbox(estate, source, workload, start, tmp_path):
    estate.record(steps=600)
    estate.write(source(), workload("web"))
    running = start(beside=False, state_every_s=None)
    running.tick()
    assert running.alerts is None
    outbox = StoredOutbox(tmp_path / "record.db")
    assert outbox.recorded() == []
    outbox.close()
