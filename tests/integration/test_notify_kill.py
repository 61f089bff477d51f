"""kill -9 between a page and its end, over the real outbox: rows A02, A03, A05, A09.

Run as a script with a record, a file of notifications and an act, this file is the process that gets killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from autoscaler.adapters.alert_metrics import AlertMetrics
from autoscaler.adapters.alerting.courier import Courier
from autoscaler.adapters.store import DecisionStore
from autoscaler.adapters.store.outbox import StoredOutbox
from autoscaler.bootstrap.notify_making import routed
from autoscaler.ports.alerts import Outcome
from tests.unit.alerts.mailbox import Mailbox
from tests.unit.alerts.told import alert
from tests.unit.alerts.vendors import KEY, SECRET, TOKEN, Receiver, check_signature

ROOT = Path(__file__).parents[2]


def serve(record: str, file: str, act: str) -> None:
    """Begin: an alert fires. end: what the record says is open is over. Until it is killed, or its input is closed."""
    now_s = time.time()
    metrics = AlertMetrics(CollectorRegistry())
    courier = Courier(
        StoredOutbox(record), routed(Path(file), record, metrics.held), metrics, time.time, pause_s=0.05
    )  # fmt: skip
    courier.leads = True
    open_ones = [one for one in courier._outbox.standing(0.0) if one.firing]
    changes = [alert(at_s=now_s)] if not open_ones and act == "begin" else open_ones
    if act == "end":
        changes = [one.resolved(now_s) for one in changes]
    courier.start()
    courier.hand([] if act == "go on" else changes, standing=changes)
    print("started", flush=True)
    sys.stdin.read()
    courier.close()


class Child:
    """The process; use as a context manager."""

    def __init__(self, record: Path, file: Path, act: str, env: dict[str, str]) -> None:
        command = [sys.executable, "-m", "tests.integration.test_notify_kill", str(record), str(file), act]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **env}
        )

    def __enter__(self) -> Any:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"started\n"
        return self

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


def until(true: Any, what: Any, within_s: float = 120.0) -> None:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if true():
            return
        time.sleep(0.02)
    raise AssertionError(f"not within {within_s} s: {what()}")


@pytest.fixture
def world(tmp_path: Path) -> Any:
    """A record, receivers, and the file that names them."""
    record = tmp_path / "foresail.db"
    DecisionStore.open(record, tick_s=15.0).close()
    with Receiver() as receiver, Mailbox() as box:
        file = tmp_path / "notify.yaml"
        (tmp_path / "key").write_text(KEY)
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
  - name: mail
    email: {{host: 127.0.0.1, port: {box.port}, security: None, from: a@example.com, to: [b@example.com]}}
""")
        env = {"SLACK_TOKEN": TOKEN, "HOOK_SECRET": SECRET}
        yield receiver, box, lambda act: Child(record, file, act, env), tmp_path
        assert receiver.wrong == []


def of(receiver: Any, path: str) -> list[Any]:
    return [said for where, said in receiver.taken if where == path]


@pytest.mark.slow
def test_a09_a03_an_alert_told_before_a_kill_is_not_told_again_and_its_end_comes_to_the_same_threads(world):
    receiver, box, child, folder = world
    with child("begin") as first:
        until(lambda: len(receiver.taken) >= 3 and box.mails, lambda: receiver.taken)
        until(lambda: kept(folder) == 4, lambda: kept(folder))
        first.kill()
    with child("go on"):
        time.sleep(0.8)  # it looks at what stands at once
    assert [len(of(receiver, p)) for p in ("/v2/enqueue", "chat.postMessage", "/in")] == [1, 1, 1]
    assert len(box.mails) == 1
    with child("end"):
        until(
            lambda: len(of(receiver, "chat.postMessage")) == 2 and len(box.mails) == 2 and len(receiver.taken) == 7,
            lambda: (receiver.taken, box.mails),
        )
    (trigger, resolve) = of(receiver, "/v2/enqueue")
    assert (trigger["dedup_key"], resolve["event_action"]) == (resolve["dedup_key"], "resolve")
    (head, reply), (update,) = of(receiver, "chat.postMessage"), of(receiver, "chat.update")
    assert reply["thread_ts"] == update["ts"] == "1800000000.000001"
    assert "thread_ts" not in head
    assert [said["type"] for said in of(receiver, "/in")] == ["alert.firing", "alert.resolved"]
    assert box.mails[1]["References"] == box.mails[0]["Message-ID"]
    for _, headers, body in receiver.asked:
        if "webhook-id" in headers:
            check_signature(headers, body, time.time())


@pytest.mark.slow
def test_a02_a_kill_between_taking_and_remembering_repeats_under_the_same_key(world):
    receiver, box, child, _ = world
    with child("begin") as first:
        receiver.on_taken = lambda path: first.kill() if path == "/v2/enqueue" else None
        until(lambda: of(receiver, "/v2/enqueue"), lambda: receiver.asked)
        first.process.wait(60)
    receiver.on_taken = None
    with child("go on"):
        until(lambda: len(of(receiver, "/v2/enqueue")) == 2, lambda: receiver.taken)
        until(lambda: box.mails, lambda: receiver.taken)
    assert len({said["dedup_key"] for said in of(receiver, "/v2/enqueue")}) == 1
    ids = [headers["webhook-id"] for path, headers, _ in receiver.asked if path == "/in"]
    assert len(set(ids)) == 1
    assert len({got["Message-ID"] for got in box.mails}) == 1


@pytest.mark.slow
def test_a05_a_key_that_is_wrong_shuts_one_destination_and_the_others_hear(world):
    receiver, box, child, folder = world
    (folder / "key").write_text("short")
    with child("begin"):
        until(lambda: len(of(receiver, "/in")) == 1 and box.mails, lambda: receiver.taken)
        time.sleep(0.3)
    asked = [path for path, _, _ in receiver.asked]
    assert asked.count("/v2/enqueue") <= 1
    assert of(receiver, "/v2/enqueue") == []


@pytest.mark.slow
def test_notify_test_tries_each_and_says_plainly_what_became_of_it(world):
    receiver, box, _, folder = world

    def notify(**env: str) -> Any:
        command = [sys.executable, "-m", "autoscaler", "notify", "test", "--notify", str(folder / "notify.yaml")]
        done = subprocess.run(
            [*command, "-o", "json"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
            env={**os.environ, "HOOK_SECRET": SECRET, **env},
        )  # fmt: skip
        return done.returncode, {one["destination"]: one for one in json.loads(done.stdout)}

    code, told = notify(SLACK_TOKEN=TOKEN)
    assert code == 0
    assert {one["words"] for one in told.values()} == {"took the test alert and its end"}
    assert [said["event_action"] for said in of(receiver, "/v2/enqueue")] == ["trigger", "resolve"]
    assert len(of(receiver, "chat.update")) == 1
    assert len(box.mails) == 2
    code, told = notify(SLACK_TOKEN="xoxb-wrong")  # noqa: S106 - of no workspace
    assert code == 1
    assert told["chat"]["result"] == Outcome.SHUT.value
    assert told["chat"]["words"] == "did not take the test alert: chat.postMessage: invalid_auth"


def kept(folder: Path) -> int:
    import sqlite3

    with sqlite3.connect(folder / "foresail.db") as connection:
        found = int(connection.execute("SELECT count(*) FROM receipt").fetchone()[0])
    connection.close()
    return found


if __name__ == "__main__":
    serve(*sys.argv[1:])
