"""`foresail run` and `once` under policy files, on a real Prometheus and control plane. Rows M01, M05, M06, D12."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real.acting import Acting, fleet_file
from tests.real.commands import FORESAIL
from tests.real.guarded import policy
from tests.real.history import series
from tests.real.manifests import deployment, hpa
from tests.real.servers import wait_until

COMMAND = [sys.executable, "-m", "autoscaler"]
ALL = "{namespaces: [NAMESPACE]}"


class Started:
    """`foresail run` with ticks of a second, over fleet.yaml and the folder policies/."""

    def __init__(self, folder: Path, kubeconfig: Path, namespace: str) -> None:
        self.folder, self.kubeconfig, self.namespace = folder, kubeconfig, namespace
        self.policies = folder / "policies"
        self.policies.mkdir()
        self.process: subprocess.Popen[bytes] | None = None

    def say(self, file: str, **parts: str) -> None:
        text = policy(file.partition(".")[0], ALL.replace("NAMESPACE", self.namespace), **parts)
        (self.policies / file).write_text(text)

    def start(self) -> None:
        words = ["run", "fleet.yaml", "--policies", "policies", "--tick", "1s", "--step", "10s", "--listen", "off"]
        command = [*COMMAND, *words, "--kubeconfig", str(self.kubeconfig)]
        with (self.folder / "run.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)

    def end(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0

    def once(self) -> str:
        words = ["once", "fleet.yaml", "--policies", "policies", "--kubeconfig", str(self.kubeconfig)]
        done = subprocess.run(
            [*COMMAND, *words], cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout + done.stderr

    @property
    def log(self) -> str:
        return (self.folder / "run.log").read_text()

    def decisions(self) -> int:
        return self.log.count("decision workload=")


@pytest.fixture
def acting(control_plane: Any, namespace: str) -> Acting:
    one = Acting(control_plane, namespace)
    one.create(deployment("web", 2))
    one.create(hpa("web", 2, 30), "autoscaling/v2", "horizontalpodautoscalers")
    return one


@pytest.fixture
def started(tmp_path: Path, control_plane: Any, acting: Acting) -> Iterator[Started]:
    one = Started(tmp_path, control_plane.kubeconfig(FORESAIL), acting.namespace)
    yield one
    if one.process is not None and one.process.poll() is None:
        one.end()


def level(load: float) -> Any:
    now = int(time.time()) // 10 * 10
    times = range(now - 4 * 3600, now + 600, 10)
    return {series("load"): (times, [load] * len(times))}


@pytest.mark.slow
def test_M01_when_the_dark_lasts_the_policys_fallback_is_there_and_nothing_shrinks(acting, started, prometheus):
    server = prometheus(level(110.0))
    fleet_file(started.folder, acting.namespace, server.url, maxDataAge="20s")
    started.say("dark.yaml", defaults="{fallback: {after: 21s, min: 20}}")
    started.start()
    wait_until(lambda: acting.floor >= 11, "the forecast is a floor", 40)
    floor = acting.floor
    server.kill()
    seen: list[int] = []

    def fallen_back() -> bool:
        seen.append(acting.floor)
        return seen[-1] == 20

    wait_until(fallen_back, "the fallback", 60, every_s=0.5)
    assert set(seen) == {floor, 20}, "it kept what it had until the fallback, and nothing else came between"
    assert acting.replicas in {floor, 20}
    server.start()
    time.sleep(5)
    assert acting.floor > floor, "what a fallback added goes by its steps, not at once"


@pytest.mark.parametrize(
    ("query", "floor", "reason"),
    [
        pytest.param("vector(2.2e8) * 1e9", 25, "outside min/max", id="M06-huge"),
        pytest.param("vector(1) / 0", 2, "NOT_FINITE", id="M05-inf"),
        pytest.param("vector(0) / 0", 2, "NOT_FINITE", id="M05-nan"),
        pytest.param("-1 * vector(110)", 2, "NEGATIVE", id="M05-negative"),
    ],
)
def test_M05_M06_what_is_no_demand_holds_and_a_huge_one_ends_at_the_policys_max(
    acting, started, prometheus, query, floor, reason
):
    server = prometheus()
    capacity = {"name": "load", "source": "prod", "query": query, "capacity": {"perReplica": "0.1"}}
    fleet_file(started.folder, acting.namespace, server.url, demands=[capacity])
    started.say("limits.yaml", limits="{replicas: {max: 25}}")
    said = started.once()
    assert acting.floor == floor, said
    assert reason in said


@pytest.mark.slow
def test_D12_the_kill_switch_stops_all_writes_within_one_loop_whatever_else_is_broken_and_after_a_restart(
    acting, started, prometheus
):
    server = prometheus(level(110.0))
    fleet = fleet_file(started.folder, acting.namespace, server.url)
    started.say("limits.yaml", limits="{replicas: {max: 25}}")
    started.start()
    wait_until(lambda: acting.floor >= 11, "the forecast is a floor", 40)
    floor = acting.floor
    stop = started.policies / "stop.yaml"
    stop.write_text(
        policy("stop", "{}", pause="{owner: mia, reason: incident, openEnded: true}",
               acknowledge="[SelectsAll, OpenEnded]")
    )  # fmt: skip
    wait_until(lambda: "name=stop" in started.log, "the switch is read", 10)
    fleet.write_text(fleet.read_text().replace('"perReplica": "10"', '"perReplica": "5"'))  # twice as many are wanted
    (started.policies / "limits.yaml").write_text("a: [")  # and the other policy is broken
    before, writes = started.decisions(), len(acting.attempts)
    time.sleep(3)
    assert (acting.floor, len(acting.attempts)) == (floor, writes)
    started.end()
    started.start()
    wait_until(lambda: started.log.count(" INFO started") == 2, "started again", 40)
    wait_until(lambda: "Paused" in started.log.rpartition(" INFO started")[2], "decided again", 40)
    time.sleep(2)
    assert (acting.floor, len(acting.attempts)) == (floor, writes), "the switch outlives the process"
    assert started.decisions() > before
    stop.unlink()
    started.say("limits.yaml", limits="{replicas: {max: 25}}")
    wait_until(lambda: acting.floor > floor, "without the switch it moves again: it was the switch", 40)


def test_import_reads_a_live_hpa_and_what_comes_out_is_decided_on_as_it_stands(acting, started, prometheus):
    server = prometheus(level(110.0))
    pods = {"metric": {"name": "load"}, "target": {"type": "AverageValue", "averageValue": "10"}}
    path = f"/apis/autoscaling/v2/namespaces/{acting.namespace}/horizontalpodautoscalers/web"
    acting.admin.patch(path, {"spec": {"metrics": [{"type": "Pods", "pods": pods}]}})
    words = ["import", "hpa", f"{acting.namespace}/web", "--kubeconfig", str(acting.plane.kubeconfig())]
    made = subprocess.run(
        [*COMMAND, *words], cwd=started.folder, capture_output=True, text=True, timeout=60, check=True
    )
    assert "check the query against your source" in made.stderr
    told = made.stdout.replace('\\"', '"')
    of_target = re.search(r"sum\(load(\{.*?\})\)", told)
    assert of_target is not None, told
    assert of_target[1].startswith(f'{{namespace="{acting.namespace}",pod=~"web-'), "the target's pods alone"
    fleet_file(started.folder, acting.namespace, server.url)
    source = (started.folder / "fleet.yaml").read_text().partition("---")[0]
    selector = of_target[1].replace('"', '\\"')
    adapted = made.stdout.replace(selector, "").replace("mode: Advise", "mode: Act")
    assert "sum(load)" in adapted
    (started.folder / "fleet.yaml").write_text(f"{source}---\n{adapted}")
    started.say("limits.yaml", limits="{replicas: {max: 25}}")
    said = started.once()
    assert acting.floor >= 11, said
