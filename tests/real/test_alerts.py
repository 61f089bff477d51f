"""Alerts to a real Alertmanager with a webhook behind it. Rows A01, A02, A03, A06, A07, A08, A09.

What is seen is injected; the book, the outbox on disk, the threads and the sender are the product's.
"""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pytest
from prometheus_client import CollectorRegistry

from autoscaler.adapters.alert_metrics import AlertMetrics
from autoscaler.adapters.alerting.courier import Courier
from autoscaler.adapters.store import DecisionStore
from autoscaler.adapters.store.outbox import StoredOutbox
from autoscaler.bootstrap import alert_book
from autoscaler.bootstrap.alert_book import AlertBook
from autoscaler.bootstrap.alert_destinations import alertmanagers
from autoscaler.bootstrap.alert_settings import AlertSettings
from autoscaler.bootstrap.alerts import AlertDesk
from autoscaler.domain.alert_causes import HABITS, Cause
from autoscaler.domain.alert_sightings import Sighting
from tests.real.alertmanager import Alertmanager, Receiver
from tests.real.certificates import self_signed
from tests.real.servers import wait_until

pytestmark = pytest.mark.slow
REPEAT_S = 1.0
OPEN_SESAME = "$2b$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW"  # bcrypt of "open sesame"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as one:
        yield one


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Alertmanager]:
    """Shared by the tests of this file; each has an alert name of its own."""
    one = Alertmanager(tmp_path_factory.mktemp("alertmanager"), receiver.url)
    one.start()
    yield one
    one.server.stop()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has to last before it is told or over: how long it must is tested on a clock that can be moved."""
    at_once = {cause: replace(habit, after_s=0.0, over_s=0.0) for cause, habit in HABITS.items()}
    monkeypatch.setattr(alert_book, "HABITS", at_once)


class Desk:
    """A desk whose looks a test makes."""

    def __init__(self, folder: Path, *urls: str) -> None:
        DecisionStore.open(folder / "foresail.db", tick_s=15.0).close()
        self.registry = CollectorRegistry()
        metrics, self.outbox = AlertMetrics(self.registry), StoredOutbox(folder / "foresail.db")
        courier = Courier(self.outbox, alertmanagers(AlertSettings(urls, REPEAT_S)), metrics, time.time, pause_s=0.2)
        self.desk = AlertDesk(AlertBook({"sender": "foresail", "test": folder.name}), courier, metrics, self.outbox)
        self.desk.begin(time.time())

    def look(self, *seen: Sighting) -> float:
        """One look; how long it kept the tick, in seconds."""
        now_s, began = time.time(), time.perf_counter()
        self.desk._take([*seen, *self.desk._own(now_s)], now_s, tuple(Cause))
        return time.perf_counter() - began

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def start(*urls: str) -> Desk:
        made.append(Desk(tmp_path, *urls))
        return made[-1]

    yield start
    for one in made:
        one.desk.close()


def at(cause: Cause, name: str, words: str = "injected") -> Sighting:
    return Sighting(cause, (("namespace", "shop"), ("workload", name)), words)


def test_A01_A02_a_storm_each_loop_is_one_open_alert_and_one_page(
    desk: Callable[..., Desk], manager: Alertmanager, receiver: Receiver
) -> None:
    one, name = desk(manager.url), "ForesailFallbackActive"
    storm = [at(Cause.FALLBACK_ACTIVE, f"w{k:04d}") for k in range(1000)]
    one.look(*storm)
    kept = median(one.look(*storm) for _ in range(20))
    wait_until(lambda: receiver.heard(name), "the receiver hears of it")
    time.sleep(2 * REPEAT_S)
    for _ in range(5):
        one.look(*storm)
    assert len(manager.alerts(name)) == 1
    assert manager.alerts(name)[0]["annotations"]["summary"] == "1000 workloads run on their fallback"
    assert manager.alerts(name)[0]["labels"]["scope"] == "fleet"
    assert receiver.heard(name) == [("firing", 1)]
    assert kept < 1.0, f"a look at a thousand problems took {kept:.3f} s of a tick"
    one.look()
    wait_until(lambda: receiver.heard(name) == [("firing", 1), ("resolved", 1)], "its end")


def test_A03_an_end_while_the_alertmanager_is_away_arrives_after_its_restart(
    desk: Callable[..., Desk], tmp_path: Path, receiver: Receiver
) -> None:
    own, name = Alertmanager(tmp_path / "own", receiver.url), "ForesailLimitBelowNeed"
    own.start()
    try:
        one = desk(own.url)
        one.look(at(Cause.LIMIT_BELOW_NEED, "web"))
        wait_until(lambda: receiver.heard(name) == [("firing", 1)], "it fires")
        own.server.stop()
        one.look()
        wait_until(one.desk.courier.failing, "nobody takes it")
        assert receiver.heard(name) == [("firing", 1)]
        own.start()
        wait_until(lambda: receiver.heard(name) == [("firing", 1), ("resolved", 1)], "its end, after the restart", 20)
        # killed with what it knew: what fires is there again with the next sending, what ended is not
        one.look(at(Cause.CONFLICT, "web"))
        wait_until(lambda: own.alerts("ForesailConflict"), "another one fires")
        own.server.kill()
        own.start()
        wait_until(lambda: own.alerts("ForesailConflict"), "it is sent again")
        assert own.alerts(name) == []
        one.desk.book.look([at(Cause.CONFLICT, "web")], time.time() + 360)
        ended = [a.name for a in one.desk.book.standing if not a.firing]
        assert name in ended, "more than five minutes after its end it is still sent"
    finally:
        own.server.stop()


def test_A06_hostile_text_is_taken_and_shown_as_text(desk: Callable[..., Desk], manager: Alertmanager) -> None:
    hostile = '<!channel> {{ .X }} "quoted" \\ \n\r\0 \ud800 \u202e' + "A" * 1_000_000
    one = desk(manager.url)
    one.look(at(Cause.CONFLICT, hostile, hostile))
    (found,) = wait_until(lambda: manager.alerts("ForesailConflict", active="true"), "it is taken")
    assert found["labels"]["workload"].startswith('‹!channel› (( .X )) "quoted" \\ AAA')
    assert len(found["labels"]["workload"]) == 200
    assert len(json.dumps(found)) < 10_000


def test_A07_a_dead_alertmanager_is_seen_in_metrics_and_told_to_the_other(
    desk: Callable[..., Desk], tmp_path: Path, manager: Alertmanager, receiver: Receiver
) -> None:
    own = Alertmanager(tmp_path / "own", receiver.url)
    own.start()
    one = desk(own.url, manager.url)
    dead, alive = (f"alertmanager:{m.url.removeprefix('http://')}" for m in (own, manager))
    success = "foresail_notifications_last_success_timestamp_seconds"
    try:
        one.look()
        wait_until(lambda: own.alerts("ForesailWatchdog"), "the watchdog is there")
        wait_until(lambda: manager.alerts("ForesailWatchdog"), "at both")
    finally:
        own.server.stop()
    last_s = one.value(success, destination=dead)
    assert last_s
    began_s = time.time()
    wait_until(lambda: (one.value(success, destination=alive) or 0) > began_s + REPEAT_S, "the other goes on")
    wait_until(one.desk.courier.failing, "the dead one is known")
    assert (one.value(success, destination=dead) or 0) < began_s + 0.5, "it stands where it was"
    kept = median(one.look(at(Cause.CONFLICT, "late")) for _ in range(20))
    assert kept < 0.5, "a dead Alertmanager delays no tick"
    (told,) = wait_until(lambda: manager.alerts("ForesailNotifierFailing"), "the other one says so")
    assert told["labels"]["destination"] == dead
    assert "connection refused" in told["annotations"]["description"]
    assert (one.value("foresail_notifications_total", destination=dead, result="later") or 0) > 0


def test_A08_a_silence_keeps_the_pager_quiet_and_the_record_whole(
    desk: Callable[..., Desk], manager: Alertmanager, receiver: Receiver
) -> None:
    one, name = desk(manager.url), "ForesailHoldingAtRisk"
    manager.silence(name, 120)
    one.look(at(Cause.HOLDING_AT_RISK, "web"))
    (found,) = wait_until(lambda: manager.alerts(name, silenced="true"), "it is there")
    assert found["status"]["state"] == "suppressed"
    time.sleep(1.5)
    one.look()
    assert one.desk.courier.flush(5)
    time.sleep(1.5)
    assert receiver.heard(name) == [], "nobody is woken"
    assert [(a.name, a.firing) for a in one.outbox.recorded() if a.name == name] == [(name, False)]


PAUSE = """
apiVersion: foresail.dev/v1alpha1
kind: GuardPolicy
metadata: {name: stop}
spec:
  selector: {namespaces: [shop]}
  acknowledge: [OpenEnded]
  pause: {owner: jane, reason: migration, openEnded: true}
"""
FLEET = """
apiVersion: foresail.dev/v1alpha1
kind: MetricsSource
metadata: {name: rec}
spec: {file: {path: web.csv}}
---
apiVersion: foresail.dev/v1alpha1
kind: PredictiveAutoscaler
metadata: {name: web, namespace: shop}
spec:
  target: {apiVersion: apps/v1, kind: Deployment, name: web}
  demands: [{name: requests, source: rec, query: web, capacity: {perReplica: "10"}}]
  replicas: {min: 2, max: 60}
  lead: {ready: 2m}
"""


class Running:
    """`foresail run` on files, with a pause that has had no end for two days; killed and started on its record."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        now = datetime.now(UTC).replace(second=0, microsecond=0)
        rows = [f"{(now - timedelta(minutes=600 - k)).isoformat()},web,200" for k in range(660)]
        (folder / "web.csv").write_text("ts,series,value\n" + "\n".join(rows) + "\n")
        (folder / "fleet.yaml").write_text(FLEET)
        (folder / "policies").mkdir()
        (folder / "policies" / "stop.yaml").write_text(PAUSE)
        since_s = time.time() - 2 * 86_400
        told = {
            "policy": "GuardPolicy stop", "rule": "x", "owner": "jane", "reason": "migration", "direction": "both",
            "workloads": 1, "since_s": since_s, "reminded_s": time.time(),
        }  # fmt: skip
        (folder / "foresail-reminders.json").write_text(json.dumps([told]))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = ["run", "fleet.yaml", "--policies", "policies", "--tick", "0.5s", "--listen", "off"]
        command = [sys.executable, "-m", "autoscaler", *words, "--alertmanager", self.url, "--alert-resend", "1s"]
        with (self.folder / "run.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def waiting(self) -> list[str]:
        """Names of what waits on disk."""
        path = self.folder / "foresail.db"
        if not path.exists():
            return []
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return [json.loads(body)["name"] for (body,) in connection.execute("SELECT body FROM notice ORDER BY id")]
        except sqlite3.OperationalError:
            return []  # not made yet
        finally:
            connection.close()


def test_A09_killed_between_begin_and_end_both_arrive(tmp_path: Path, receiver: Receiver) -> None:
    own, name = Alertmanager(tmp_path / "own", receiver.url), "ForesailPauseOpen"
    running, since = Running(tmp_path, own.url), len(receiver.told)
    try:
        running.start()  # its Alertmanager is away
        wait_until(lambda: name in running.waiting(), "the begin waits on disk", 90)
        running.kill()
        own.start()
        running.start()
        wait_until(lambda: receiver.heard(name, since) == [("firing", 1)], "the begin, after the kill", 90)
        starts = own.alerts(name)[0]["startsAt"]
        running.kill()
        (tmp_path / "policies" / "stop.yaml").unlink()  # it ends while nobody looks
        running.start()
        wait_until(lambda: receiver.heard(name, since) == [("firing", 1), ("resolved", 1)], "its end", 90)
        last = [a for g in receiver.told[since:] for a in g["alerts"] if a["labels"]["alertname"] == name][-1]
        assert last["startsAt"][:19] == starts[:19], "the same alert, not another one"
    finally:
        if running.process is not None and running.process.poll() is None:
            running.kill()
        own.server.stop()


def test_notify_test_says_who_is_told_and_rings(manager: Alertmanager, receiver: Receiver) -> None:
    command = [sys.executable, "-m", "autoscaler", "notify", "test", "--alertmanager", manager.url, "--for", "2s"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    where = manager.url.removeprefix("http://")
    assert done.stdout == f"alertmanager:{where}: took the test alert and its end; it routes it to: oncall\n"
    wait_until(lambda: receiver.heard("ForesailTest") == [("firing", 1), ("resolved", 1)], "the pager rings and stops")
    wrong = subprocess.run([*command[:-3], f"{manager.url}/no/such/path"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, "did not take the test alert: HTTP 404" in wrong.stdout) == (1, True)


def test_an_alertmanager_behind_tls_and_a_password(tmp_path: Path, receiver: Receiver) -> None:
    made = self_signed(tmp_path)
    guarded = {
        "basic_auth_users": {"foresail": OPEN_SESAME},
        "tls_server_config": {"cert_file": str(made.certificate), "key_file": str(made.key)},
    }
    own = Alertmanager(tmp_path / "own", receiver.url, guarded)
    (tmp_path / "right").write_text("open sesame\n")
    (tmp_path / "wrong").write_text("open barley\n")
    own.start()
    try:
        trust = ("--alertmanager-ca-file", str(made.certificate))
        said = {}
        for name, words in {
            "right": (
                *trust,
                "--alertmanager-user",
                "foresail",
                "--alertmanager-password-file",
                str(tmp_path / "right"),
            ),
            "wrong": (
                *trust,
                "--alertmanager-user",
                "foresail",
                "--alertmanager-password-file",
                str(tmp_path / "wrong"),
            ),
            "stranger": (),
        }.items():
            command = [sys.executable, "-m", "autoscaler", "notify", "test", "--alertmanager", own.url, *words]
            said[name] = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    finally:
        own.server.stop()
    assert {name: done.returncode for name, done in said.items()} == {"right": 0, "wrong": 1, "stranger": 1}
    assert "took the test alert and its end; it routes it to: oncall" in said["right"].stdout
    assert "did not take the test alert: HTTP 401" in said["wrong"].stdout
    assert "certificate verify failed" in said["stranger"].stdout
