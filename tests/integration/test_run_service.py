"""`foresail run` as a process of its own: ticks, pages, edits of its files, signals, kill -9, replay."""

import json
import re
import runpy
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.adapters.store import DecisionStore
from autoscaler.domain.workload import WorkloadRef

MADE = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "bootstrap" / "conftest.py"))
estate, source, workload = MADE["estate"], MADE["source"], MADE["workload"]
FORESAIL = str(Path(sys.executable).with_name("foresail"))
PATIENCE_S = 180.0
WEB = WorkloadRef("shop", "web")

pytestmark = pytest.mark.slow


class Running:
    """A service in a process, its log in a file, its pages on a free port."""

    def __init__(self, folder: Path, *args: str) -> None:
        self.log_file = folder / "log.txt"
        with self.log_file.open("w") as log:
            command = [FORESAIL, "run", "fleet", "--listen", "127.0.0.1:0", *args]
            self.process = subprocess.Popen(command, cwd=folder, stderr=log, stdout=log)

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def until(self, true: Callable[[], Any]) -> Any:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            assert self.process.poll() is None, f"ended early:\n{self.log}"
            if found := true():
                return found
            time.sleep(0.05)
        raise AssertionError(f"nothing happened:\n{self.log}")

    def get(self, page: str) -> tuple[int, str]:
        where = re.search(r"listening (http://127\.0\.0\.1:\d+)", self.log)
        if where is None:
            return 0, ""
        try:
            with urllib.request.urlopen(where[1] + page, timeout=5) as answer:  # noqa: S310 - our own http
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def health(self) -> dict[str, Any]:
        status, body = self.get("/healthz")
        found: dict[str, Any] = json.loads(body) if body else {"ok": None}
        assert status == {True: 200, False: 503, None: 0}[found["ok"]]
        return found

    def healthy(self) -> dict[str, Any]:
        found: dict[str, Any] = self.until(lambda: (h := self.health())["ok"] and h)
        return found

    def metrics(self) -> dict[str, float]:
        families = text_string_to_metric_families(self.get("/metrics")[1])
        return {f"{s.name}{sorted(s.labels.values())}": s.value for f in families for s in f.samples}

    def end(self, number: signal.Signals) -> float:
        """Seconds until it was gone."""
        start = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=PATIENCE_S)
        return time.monotonic() - start


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def begin(*args: str) -> Running:
        started.append(Running(tmp_path, *args))
        return started[-1]

    yield begin
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0)


def recorded(folder: Path) -> list[Any]:
    reader = DecisionStore.open_read_only(folder / "foresail.db")
    try:
        return list(reader.history(WEB))
    finally:
        reader.close()


def test_a_service_lives_through_edits_and_ends_on_sigterm(estate, source, workload, run, now, tmp_path):
    estate.record("web.csv", "web", "api", end=now + timedelta(minutes=30), steps=200)
    estate.write(source(), source("late", "late.csv"), workload("web"), workload("new", source="late", query="api"))
    service = run("--tick", "200ms")
    service.healthy()

    assert service.health()["sourceErrors"] == {"late": "fleet/late.csv: no such file or directory"}
    found = service.metrics()
    assert found["foresail_ticks_total['ok']"] >= 1
    assert found["foresail_source_errors[]"] == 1
    assert found["foresail_held['new', 'shop']"] == 1
    assert found["foresail_held['shop', 'web']"] == 0
    assert found["foresail_granted_replicas['shop', 'web']"] >= 14  # 200 less 30 % at the least, 10 each
    assert "foresail_observed_need_replicas['new', 'shop']" not in found

    estate.record("late.csv", "api", end=now + timedelta(minutes=30), steps=200)
    estate.write(
        source(), source("late", "late.csv"), workload("web", replicas="{min: 2"), workload("new", source="late")
    )
    broken = service.until(lambda: (h := service.health())["specProblems"] and h)
    assert broken["ok"]
    assert broken["workloads"] == 2
    assert any("fleet/fleet.yaml:" in problem for problem in broken["specProblems"])
    assert "spec_problem fleet/fleet.yaml:" in service.log
    assert service.metrics()["foresail_spec_problems[]"] == len(broken["specProblems"])

    estate.write(source(), source("late", "late.csv"), workload("web", replicas="{min: 2, max: 7}"),
                 workload("new", source="late", query="api"))  # fmt: skip
    service.until(lambda: service.metrics()["foresail_granted_replicas['shop', 'web']"] == 7)
    # the source that came late is read at the latest with the next minute's data, or with the fleet that names it
    assert service.health()["specProblems"] == []
    service.until(lambda: service.health()["sourceErrors"] == {} or datetime.now(UTC) > now + timedelta(minutes=2))
    assert service.health()["sourceErrors"] == {}

    ticked = datetime.fromisoformat(service.health()["lastTick"])
    assert service.end(signal.SIGTERM) < 60
    assert service.process.returncode == 0
    assert service.log.rstrip().endswith("stopped")
    assert "Traceback" not in service.log
    assert recorded(tmp_path)[-1].last_at >= ticked


def test_sigint_ends_it_too_and_kill_9_does_no_lasting_harm(estate, source, workload, run, now, tmp_path):
    estate.record("web.csv", "web", end=now + timedelta(minutes=30), steps=200)
    estate.write(source(), workload("web"))
    killed = run("--tick", "100ms")
    killed.healthy()
    ticks = "foresail_ticks_total['ok']"
    killed.until(lambda: killed.metrics()[ticks] > 5)
    killed.end(signal.SIGKILL)
    before = recorded(tmp_path)
    assert before

    again = run("--tick", "100ms")
    again.healthy()
    again.until(lambda: again.metrics()[ticks] > 5)
    assert again.end(signal.SIGINT) < 60
    assert again.process.returncode == 0
    after = recorded(tmp_path)
    assert after[0].first_at == before[0].first_at
    assert after[-1].first_at > before[-1].last_at
    told = subprocess.run([FORESAIL, "explain", "web"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told.stdout.startswith("shop/web: ")
    assert told.stderr == ""


def test_a_replay_lives_through_the_past_faster_than_time(estate, source, workload, run, tmp_path):
    estate.record("web.csv", "web", steps=1440)
    estate.write(source(), workload("web"))
    replay = run("--replay-from", "2026-06-10T06:00:00Z", "--speed", "600", "--tick", "60s")
    replay.until(lambda: (replay.health().get("lastTick") or "") > "2026-06-10T06:45")
    assert replay.health()["ok"]
    assert replay.end(signal.SIGTERM) < 60
    assert replay.process.returncode == 0
    runs = recorded(tmp_path)
    assert runs[0].first_at < runs[-1].last_at - timedelta(minutes=3)
    assert runs[-1].last_at > datetime(2026, 6, 10, 6, 44, tzinfo=UTC)
    assert all(run.decision.state != "Holding" for run in runs)
    assert "at=2026-06-10T06:" in replay.log
