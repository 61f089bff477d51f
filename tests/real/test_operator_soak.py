"""The operator under faults by chance: who leads is killed or stopped, the ways to the API server and to Prometheus
break, objects come and go, some are broken, a right is taken away. Row L03 over K05, K06, K11-K13, K16, K20, M01, M02.

`make soak` runs it for SOAK_MINUTES; its first round, with a fixed seed, is a test like any other. All the while: one
writer in each term, no floor below what is needed, and after each fault all is well again.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.spec.crd import RESOURCES, crd
from tests.bench.operator.measure import open_of, rss_mib
from tests.real.commands import Settings
from tests.real.controlplane import RBAC, ControlPlane
from tests.real.faultproxy import BLACK_HOLE, PASS, RESET, Fault, FaultProxy, latency, rewrite, status
from tests.real.history import series
from tests.real.operating import NAMES, Operators, autoscaler, granted, install, operators
from tests.real.rest import Refusal
from tests.real.servers import wait_until
from tests.real.test_operator_leading import NAMESPACE, floors, one_writer

MINUTES = float(os.environ.get("SOAK_MINUTES", "0"))
"""At least one round: each kind of fault once."""
SHARE = 1.0 if MINUTES else 0.5
"""Of its full length, how long a fault lasts."""
SEED = int(os.environ.get("SOAK_SEED", "20261126"))
LONG_MINUTES = 5.0
"""In less than this a slope says nothing."""
STEADY = 4
NEEDED = 11
WITNESS = 2
"""Never killed, so that its memory can be followed."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(int(MINUTES * 60) + 900)]


@dataclass
class Sample:
    at_s: float
    rss_mib: float
    sockets: int
    threads: int
    watches: int


@dataclass
class Soak:
    some: Operators
    api: dict[int, FaultProxy]
    source: FaultProxy
    dice: random.Random
    faults: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    _done: threading.Event = field(default_factory=threading.Event)

    def start(self, which: int) -> None:
        self.some.start(which, url=self.api[which].url)

    # what must hold all the while

    def watch(self) -> None:
        """Beside the faults, by the API server's own word."""
        while not self._done.wait(0.5):
            with suppress(OSError, Refusal):
                for name, floor in floors(self.some).items():
                    if name.startswith("web-") and floor < NEEDED:
                        self.wrong.append(f"{name} had a floor of {floor} after {self.faults[-1:]}")
            with suppress(OSError, KeyError):
                pid = self.some.running[WITNESS].pid
                watches = len(self.some.health(WITNESS)["watches"])
                self.samples.append(Sample(time.monotonic(), rss_mib(pid), *open_of(pid), watches))

    def end(self) -> None:
        self._done.set()

    def well(self) -> bool:
        """One leads and decides, all that should be Ready is, and nothing is refused."""
        for which in self.some.running:
            told = self.some.health(which)
            if not told["ok"]:
                return False
        if not any(self.some.health(which)["leader"] for which in self.some.running):
            return False
        for name in (f"web-{k}" for k in range(STEADY)):
            ready = self.some.condition(NAMESPACE, "Ready", name)
            if ready.get("status") != "True" or self.some.condition(NAMESPACE, "Stalled", name):
                return False
        return True

    # faults

    def rest(self, least_s: float, most_s: float) -> None:
        time.sleep(SHARE * self.dice.uniform(least_s, most_s))

    @property
    def leader(self) -> int | None:
        leader = self.some.leader
        return leader if leader in self.some.running else None

    def kill_leader(self) -> None:
        leader = self.leader
        if leader is None or leader == WITNESS:
            return
        self.some.kill(leader)
        self.rest(0.5, 3.0)
        self.start(leader)

    def stop_leader(self) -> None:
        leader = self.leader
        if leader is None:
            return
        self.some.pause(leader)
        self.rest(1.0, 8.0)
        self.some.resume(leader)

    def break_api(self) -> None:
        which = self.dice.choice(list(self.some.running))
        self._for_a_while(
            self.api[which], self.dice.choice([RESET, BLACK_HOLE, latency(1.5), status(503), status(429, 1)])
        )

    def break_watches(self) -> None:
        which = self.dice.choice(list(self.some.running))
        self._for_a_while(self.api[which], BLACK_HOLE, lambda _, path: "watch=1" in path)

    def break_source(self) -> None:
        wrong = rewrite(lambda body: body[: len(body) // 2])
        self._for_a_while(self.source, self.dice.choice([RESET, BLACK_HOLE, latency(2.0), status(500), wrong]))

    def churn(self) -> None:
        name = f"churn-{self.dice.randrange(1000)}"
        self.some.workload(NAMESPACE, name, least=NEEDED)
        self.rest(0.5, 3.0)
        for path in (
            self.some.path(NAMESPACE, name),
            f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers/{name}",
            f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}",
        ):
            self.some.admin.answer("DELETE", path)

    def bad_object(self) -> None:
        name = f"web-{self.dice.randrange(STEADY)}"
        self.some.apply(NAMESPACE, autoscaler(name, timeZone="Mars/Olympus"))
        wait_until(lambda: self.some.condition(NAMESPACE, "Stalled", name), f"{name} is told", 60)
        self.some.apply(NAMESPACE, autoscaler(name))

    def no_rights(self) -> None:
        """What lets them act is taken away from all, and given back."""
        admin, path = self.some.admin, f"{RBAC}/clusterrolebindings"
        names = tuple(f"{name}-act" for name in NAMES)
        acting = [b for b in admin.get(path)["items"] if b["metadata"]["name"].endswith(names)]
        assert acting
        for binding in acting:
            admin.delete(f"{path}/{binding['metadata']['name']}")
        self.rest(2.0, 6.0)
        for binding in acting:
            meta = {"name": binding["metadata"]["name"], "labels": binding["metadata"].get("labels") or {}}
            admin.create(path, {**binding, "metadata": meta})

    def _for_a_while(self, proxy: FaultProxy, fault: Fault, only: Callable[[str, str], bool] | None = None) -> None:
        proxy.set(fault, only)
        self.rest(2.0, 8.0)
        proxy.set(PASS)


@pytest.fixture
def soak(tmp_path: Path, prometheus: Any) -> Iterator[Soak]:
    now = int(time.time()) // 10 * 10
    times = range(now - 4 * 3600, now + int(MINUTES * 60) + 1200, 10)
    server = prometheus({series("load"): (times, [110.0] * len(times))})
    plane = ControlPlane(tmp_path / "plane", Settings(hpa_sync="1s"))
    with ExitStack() as stack:
        stack.callback(plane.stop)
        plane.start()
        admin = plane.rest()
        install(admin, [crd(kind) for kind in RESOURCES])
        granted(plane)
        admin.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        source = stack.enter_context(FaultProxy(server.url))
        api = {which: stack.enter_context(FaultProxy(plane.url, plane.tls())) for which in range(len(NAMES))}
        some = stack.enter_context(operators(plane, tmp_path))
        some.source(source.url)
        yield Soak(some, api, source, random.Random(SEED))


def test_L03_faults_by_chance_leave_one_writer_no_floor_too_low_and_all_well_again(
    soak: Soak, capsys: pytest.CaptureFixture[str]
) -> None:
    some = soak.some
    for which in range(len(NAMES)):
        soak.start(which)
    for k in range(STEADY):
        some.workload(NAMESPACE, f"web-{k}")
    wait_until(lambda: min(floors(some).values()) >= NEEDED, "all have their floors", 300)
    wait_until(soak.well, "all is well at the start", 180)
    watcher = threading.Thread(target=soak.watch, daemon=True)
    watcher.start()
    kinds = [
        soak.kill_leader, soak.stop_leader, soak.break_api, soak.break_watches, soak.break_source, soak.churn,
        soak.bad_object, soak.no_rights,
    ]  # fmt: skip
    until, recovered = time.monotonic() + MINUTES * 60, []
    soak.dice.shuffle(kinds)
    turn = 0
    while turn < len(kinds) or time.monotonic() < until:
        fault = kinds[turn % len(kinds)]
        turn += 1
        if turn % len(kinds) == 0:
            soak.dice.shuffle(kinds)
        soak.faults.append(fault.__name__)
        fault()
        healed = time.monotonic()
        wait_until(soak.well, f"all is well again after {soak.faults[-3:]} (seed {SEED})", 120, every_s=0.5)
        recovered.append(time.monotonic() - healed)
        assert not soak.wrong, (SEED, soak.wrong[:3])
    soak.end()
    watcher.join(10)
    terms = one_writer(some)
    assert not soak.wrong, (SEED, soak.wrong[:3])
    first, last = soak.samples[0], soak.samples[-1]
    creeping = f" ({_creeping(soak.samples)})" if MINUTES >= LONG_MINUTES else ""
    with capsys.disabled():
        print(
            f"\nsoak of {MINUTES:g} min, seed {SEED}: {len(soak.faults)} faults, {len(terms)} terms, one writer each; "
            f"well again after {np.median(recovered):.1f} s (median), {max(recovered):.1f} s at most. The process that "
            f"was never killed: {first.rss_mib:.0f} → {last.rss_mib:.0f} MiB{creeping}, sockets "
            f"{first.sockets} → {last.sockets}, threads {first.threads} → {last.threads}, watches {last.watches}. "
            f"{json.dumps({name: soak.faults.count(name) for name in sorted(set(soak.faults))})}"
        )
    assert last.watches == first.watches
    assert last.threads <= first.threads + 8
    assert last.sockets <= first.sockets + 16


def _creeping(samples: list[Sample]) -> str:
    """A process grows until it has done everything once, so that only the second half tells of a leak."""
    later = samples[len(samples) // 2 :]
    hours = [(s.at_s - later[0].at_s) / 3600 for s in later]
    slope = float(np.polyfit(hours, [s.rss_mib for s in later], 1)[0])
    quarters = [np.median([s.rss_mib for s in part]) for part in np.array_split(np.array(samples, dtype=object), 4)]
    return f"by quarters {', '.join(f'{q:.0f}' for q in quarters)}; in the second half {slope:+.1f} MiB an hour"
