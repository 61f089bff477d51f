"""A service that tells PagerDuty, Slack, webhooks and mail: rows A01, A05, A08, S10, over its real ticks."""

import logging
import runpy
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from autoscaler.bootstrap.alert_settings import AlertSettings
from autoscaler.bootstrap.service import service
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.domain.errors import InvalidSpec, Refused
from autoscaler.simulator.clock import VirtualClock
from tests.unit.alerts.vendors import KEY, SECRET, TOKEN, Receiver

MADE = runpy.run_path(str(Path(__file__).parents[1] / "bootstrap" / "conftest.py"))
estate, source, workload = MADE["estate"], MADE["source"], MADE["workload"]
END = datetime(2026, 6, 10, 9, tzinfo=UTC)
CANARIES = (KEY, TOKEN, SECRET, "canary")


@pytest.fixture
def receiver() -> Any:
    with Receiver() as one:
        yield one


@pytest.fixture
def start(estate: Any, tmp_path: Any, receiver: Any, monkeypatch: Any) -> Any:
    """A service whose recording has ended, told by a file of notifications with more at its end."""
    monkeypatch.setenv("SLACK_TOKEN", TOKEN)
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    running, clock = [], VirtualClock(END)

    def started(key: str = KEY, more: str = "") -> Any:
        (tmp_path / "key").write_text(key)
        file = tmp_path / "notify.yaml"
        file.write_text(f"""\
apiVersion: foresail.dev/v1alpha1
kind: Notifications
metadata: {{name: on-call}}
spec:
  destinations:
  - name: pager
    pagerDuty: {{routingKey: {{file: {tmp_path}/key}}, url: {receiver.url}}}
  - name: chat
    slack: {{channel: C0123456789, token: {{env: SLACK_TOKEN}}, url: {receiver.url}/api}}
  - name: hook
    webhook: {{url: {receiver.url}/in, secret: {{env: HOOK_SECRET}}}}
{more}""")
        settings = ServiceSettings((estate.folder,), tmp_path / "r.db", alerts=AlertSettings(notify=file))
        running.append(service(settings, clock))
        return running[-1], clock

    yield started
    for each in running:
        each.close()


def tick(running: Any, clock: Any, seconds: int) -> None:
    for _ in range(seconds // 15):
        running.tick()
        clock.advance(15)


def told(receiver: Any, path: str) -> list[Any]:
    return [said for where, said in receiver.taken if where == path]


def until(true: Any, what: Any, within_s: float = 60.0) -> None:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if true():
            return
        time.sleep(0.02)
    raise AssertionError(f"not within {within_s} s: {what()}")


@pytest.mark.slow
def test_a_fault_is_told_everywhere_with_its_numbers_and_what_to_do(estate, source, workload, start, receiver):
    estate.record(steps=600)
    estate.write(source(), workload("web"))
    running, clock = start()
    tick(running, clock, 1800)
    until(lambda: len(receiver.taken) >= 3, lambda: receiver.asked)
    (page,) = told(receiver, "/v2/enqueue")
    (post,) = told(receiver, "chat.postMessage")
    (hook,) = told(receiver, "/in")
    assert page["payload"]["class"] == hook["data"]["alert"] == "ForesailHoldingAtRisk"
    details = page["payload"]["custom_details"]
    assert set(details) >= {"needed now", "Ready", "granted", "why", "foresail", "next", "command"}
    assert details["command"] == "foresail pause shop/web --for 1h --reason 'ForesailHoldingAtRisk'"
    assert len(post["blocks"][1]["fields"]) == 3
    assert receiver.wrong == []


@pytest.mark.slow
def test_a05_s10_a_wrong_key_is_told_to_the_others_and_no_secret_leaves(
    estate, source, workload, start, receiver, caplog, tmp_path
):
    caplog.set_level(logging.DEBUG)
    estate.record(steps=600)
    estate.write(source(), workload("web"))
    running, clock = start(key="canary-key-too-short")
    tick(running, clock, 1200)
    until(lambda: told(receiver, "/in"), lambda: receiver.asked)
    time.sleep(0.3)
    tick(running, clock, 600)

    def names() -> set[str]:
        return {said["data"]["alert"] for said in told(receiver, "/in")}

    until(lambda: "ForesailNotifierFailing" in names(), names)
    failing = next(s["data"] for s in told(receiver, "/in") if s["data"]["alert"] == "ForesailNotifierFailing")
    assert failing["labels"]["destination"] == "pager"
    assert "routing_key" in failing["why"]
    assert sum(1 for path, _, _ in receiver.asked if path == "/v2/enqueue") == 1
    shown = caplog.text + generate_latest(running.telemetry.registry).decode()
    shown += repr(running.alerts.outbox.recorded())
    running.close()
    shown += "".join(p.read_bytes().decode("latin-1") for p in tmp_path.glob("r.db*") if p.is_file())
    said = [f"{s}" for path, s in receiver.taken if path != "/v2/enqueue"]
    for canary in CANARIES:
        assert canary not in shown
        assert not any(canary in one for one in said)


@pytest.mark.slow
def test_a08_a_silence_wakes_nobody_and_the_record_has_it(estate, source, workload, start, receiver):
    estate.record(steps=600)
    estate.write(source(), workload("web"))
    silence = (
        "  silences:\n  - match: {labels: {namespace: shop}}\n"
        '    until: "2026-06-10T20:00:00Z"\n    who: mia\n    why: upgrade\n'
    )
    running, clock = start(more=silence)
    tick(running, clock, 1800)
    assert running.alerts.courier.flush(10)

    def held() -> Any:
        labels = {"destination": "hook", "why": "silence"}
        return running.telemetry.registry.get_sample_value("foresail_notifications_held_total", labels)

    until(held, lambda: receiver.asked)
    assert [(a.name, a.firing) for a in running.alerts.outbox.recorded()] == [
        ("ForesailWatchdog", True), ("ForesailHoldingAtRisk", True),
    ]  # fmt: skip
    assert receiver.asked == []
    assert held() == 1


@pytest.mark.slow
def test_a01_thirty_workloads_that_fail_at_once_are_one_page(estate, source, workload, start, receiver):
    estate.record(steps=600)
    estate.write(source(), *(workload(f"w{k:03}") for k in range(30)))
    running, clock = start()
    tick(running, clock, 1800)
    until(lambda: len(receiver.taken) >= 3, lambda: receiver.asked)
    time.sleep(0.5)
    (page,) = told(receiver, "/v2/enqueue")
    assert page["payload"]["summary"].endswith(
        "30 workloads are held, and nobody can say that their replicas are enough"
    )
    assert page["payload"]["custom_details"]["affected"] == "30"


def test_a_file_that_is_wrong_is_refused_at_the_start_with_its_line(estate, source, workload, start, tmp_path):
    estate.record(steps=600)
    estate.write(source(), workload("web"))
    with pytest.raises(InvalidSpec, match=r"notify.yaml:13:"):
        start(more="  routes:\n  - destinations: [nobody]\n")
    with pytest.raises(Refused, match="--notify with --replay-from"):
        service(
            ServiceSettings(
                (estate.folder,),
                tmp_path / "r.db",
                replay_from=END,
                alerts=AlertSettings(notify=tmp_path / "notify.yaml"),
            ),
            VirtualClock(END),
        )
