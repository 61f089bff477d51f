"""The measured runs: steady at a tick of 15 s, a burst, a restart, a slow Prometheus; and KEDA with the same count."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from autoscaler.adapters.prometheus import together as batching
from autoscaler.adapters.prometheus.client import PrometheusClient
from autoscaler.adapters.prometheus.reader import PrometheusReader
from autoscaler.adapters.prometheus.settings import PrometheusSettings
from autoscaler.domain.workload import Demand
from tests.bench.operator.measure import (
    AuditTail,
    Ticks,
    apart,
    cpu_s,
    lateness,
    load_average,
    open_of,
    queries,
    rss_mib,
    share,
    waited_s,
)
from tests.bench.operator.world import PER_REPLICA, World, condition, demand_history, name_of, world
from tests.real.faultproxy import PASS, FaultProxy, latency
from tests.real.keda import Keda, scaled_object
from tests.real.operating import USERS, Operators
from tests.real.prometheus import Prometheus, Settings

TICK_S: Final = 15.0
COLD_S: Final = 240.0
"""In which histories come in and are learned after a start with nothing kept."""
Row = dict[str, Any]


@dataclass
class Bench:
    """What was measured so far, kept in a file after each run so that nothing is lost."""

    folder: Path
    count: int
    rows: Row = field(default_factory=dict)

    def keep(self, run: str, **row: Any) -> None:
        row["load average"] = load_average()
        self.rows[run] = row
        (self.folder / "measured.json").write_text(json.dumps(self.rows, indent=1))
        print(f"{run}: {json.dumps(row)}", flush=True)


def started(some: Operators) -> Ticks:
    some.start(0, "--tick", f"{TICK_S:g}s", "--step", "60s", "--lease-duration", "15s")
    return Ticks(some.ports[0], some.running[0].pid)


def until_all(there: World, ticks: Ticks, ask: Callable[[], int], within_s: float) -> tuple[int, float]:
    """How many, and after how long."""
    last = [0]

    def all_of_them() -> bool:
        last[0] = ask()
        return last[0] >= there.count

    took = ticks.watch(within_s, all_of_them)
    return last[0], took


def steady(bench: Bench, there: World, some: Operators, ticks: Ticks, seconds: float, run: str = "steady") -> None:
    """Nothing changes but the demand."""
    tail = AuditTail(there.plane.audit_log)
    asked, used, began = queries(there.prometheus), cpu_s(ticks.pid), time.monotonic()
    waited = waited_s(ticks.pid)
    ticks.fresh()
    ticks.watch(seconds)
    minutes = (time.monotonic() - began) / 60
    calls = tail.calls(USERS[0])
    late = lateness(ticks.begins, TICK_S)
    done = apart(queries(there.prometheus), asked)
    sockets, threads = open_of(ticks.pid)
    bench.keep(
        run,
        objects=there.count, namespaces=there.namespaces, minutes=round(minutes, 1), ticks=len(ticks.durations),
        **{
            "lateness p50, s": round(share(late, 50), 3), "lateness p95, s": round(share(late, 95), 3),
            "lateness max, s": round(max(late, default=float("nan")), 3),
            "tick p50, s": round(share(ticks.durations, 50), 2), "tick p95, s": round(share(ticks.durations, 95), 2),
            "requests to Prometheus a tick": {k: round(v / max(1, len(late)), 1) for k, v in done.items()},
            "API calls an object and minute": round(calls.total / there.count / minutes, 4),
            "API writes an object and minute": round(calls.writes / there.count / minutes, 4),
            "API calls": calls.words(), "RSS, MiB": round(ticks.most_mib), "sockets": sockets, "threads": threads,
            "CPU, share of a core": round((cpu_s(ticks.pid) - used) / minutes / 60, 2),
            "CPU of a tick, s": round((cpu_s(ticks.pid) - used) / max(1, len(ticks.durations)), 2),
            "ready to run without a core, share": round((waited_s(ticks.pid) - waited) / minutes / 60, 2),
        },
    )  # fmt: skip


def restart(bench: Bench, there: World, some: Operators, ticks: Ticks) -> Ticks:
    """kill -9 at work; the next process waits for the lease of the dead one."""
    before = there.floors()
    tail = AuditTail(there.plane.audit_log)
    some.kill(0)
    began = time.monotonic()
    ticks = started(some)
    ticks.watch(120.0, lambda: bool(ticks.begins))
    first = time.monotonic() - began
    ticks.watch(120.0, lambda: bool(some.health(0)["leader"]))
    leads = time.monotonic() - began
    ticks.watch(2 * TICK_S)
    calls = tail.calls(USERS[0])
    after = there.floors()
    lowered = sum(after[name] < floor for name, floor in before.items())
    bench.keep(
        "restart", objects=there.count,
        **{"first decision for all, s": round(first, 1), "leads again after, s": round(leads, 1),
           "floors lowered": lowered, "writes in it": calls.writes, "API calls": calls.words()},
    )  # fmt: skip
    return ticks


def slow_source(bench: Bench, there: World, ticks: Ticks, proxy: FaultProxy, seconds: float = 120.0) -> None:
    """L04: 500 ms more for each answer of Prometheus, for two minutes."""
    ticks.fresh()
    proxy.set(latency(0.5))
    ticks.watch(seconds)
    during = lateness(ticks.begins, TICK_S)
    slow = list(ticks.durations)
    proxy.set(PASS)
    began = time.monotonic()
    ticks.fresh()
    ticks.watch(120.0, lambda: len(ticks.durations) >= 3 and max(ticks.durations[-2:]) < TICK_S / 2)
    recovered = time.monotonic() - began
    ticks.watch(2 * TICK_S)
    after = lateness(ticks.begins[-4:], TICK_S)
    bench.keep(
        "slow source", objects=there.count,
        **{"tick at 500 ms p50, s": round(share(slow, 50), 2), "lateness at 500 ms p95, s": round(share(during, 95), 2),
           "recovered after, s": round(recovered, 1), "lateness after, max, s": round(max(after, default=0.0), 3)},
    )  # fmt: skip


def burst(bench: Bench, folder: Path, count: int) -> None:
    """L02: all PredictiveAutoscalers at once; their Deployments are there, paused and without pods."""
    with world(folder / "burst", count, 20, pods=False) as there:
        there.workloads(range(count))
        there.source()
        some = Operators(there.plane, folder, lease_s=15)
        try:
            ticks = started(some)
            ticks.watch(60.0, lambda: some.ready(0))
            created = there.autoscalers(range(count))
            ready, took = until_all(there, ticks, there.ready, 600.0)
            bench.keep(
                "burst", objects=count,
                **{"created in, s": round(created, 1), "Ready": ready, "all Ready after, s": round(created + took, 1),
                   "RSS, MiB": round(ticks.most_mib)},
            )  # fmt: skip
        finally:
            for one in some.running.values():
                one.kill()
                one.wait()


def keda(bench: Bench, folder: Path, count: int, namespaces: int, seconds: float) -> None:
    """As many ScaledObjects on the same queries, by KEDA's own defaults but for the poll of 15 s."""
    with world(folder / "keda", count, namespaces) as there:
        there.workloads(range(count), hpas=False)
        rival = Keda(there.plane)
        rival.start()
        try:
            admin = there.plane.rest(timeout_s=30.0)
            tail = AuditTail(there.plane.audit_log)

            def make(index: int) -> None:
                name, namespace = name_of(index), there.namespace(index)
                query = f'sum(load{{app="{name}"}})'
                made = scaled_object(name, 1, 40, there.prometheus.url, query, PER_REPLICA, pollingInterval=15)
                admin.create(f"/apis/keda.sh/v1alpha1/namespaces/{namespace}/scaledobjects", made)

            def active() -> int | None:
                """None: the API server had no answer to give."""
                try:
                    items = there.plane.rest(timeout_s=60.0).get("/apis/keda.sh/v1alpha1/scaledobjects")["items"]
                except OSError:
                    return None
                return sum(condition(i, "Active") == "True" and condition(i, "Ready") == "True" for i in items)

            began = time.monotonic()
            there.each(make, range(count))
            most, found = 0.0, 0
            by_minute: list[int] = []
            while time.monotonic() - began < 300 + 1.5 * count:  # it allows itself 20 calls a second
                answer = active()
                found = found if answer is None else answer
                if time.monotonic() - began >= 60 * (len(by_minute) + 1):
                    by_minute.append(found)
                    print(f"after {len(by_minute)} min: {found} of {count} active", flush=True)
                most = max(most, rss_mib(rival.operator.pid) + rss_mib(rival.adapter.pid))
                if found >= count:
                    break
                time.sleep(2.0)
            took = time.monotonic() - began
            tail.skip()
            asked, used, began = queries(there.prometheus), cpu_s(rival.operator.pid), time.monotonic()
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                most = max(most, rss_mib(rival.operator.pid) + rss_mib(rival.adapter.pid))
                time.sleep(2.0)
            minutes = (time.monotonic() - began) / 60
            calls = tail.calls("keda")
            done = apart(queries(there.prometheus), asked)
            bench.keep(
                "keda", objects=count, active=found,
                **{"all active after, s": round(took, 1) if found >= count else None,
                   "active after each minute": by_minute,
                   "RSS of operator and adapter, MiB": round(most),
                   "API calls an object and minute": round(calls.total / count / minutes, 4),
                   "API writes an object and minute": round(calls.writes / count / minutes, 4),
                   "API calls": calls.words(),
                   "requests to Prometheus in 15 s": {k: round(v / minutes / 4, 1) for k, v in done.items()},
                   "CPU of the operator, share of a core": round((cpu_s(rival.operator.pid) - used) / minutes / 60, 2)},
            )  # fmt: skip
        finally:
            rival.stop()


def together(bench: Bench, folder: Path, count: int) -> None:
    """One load of all demands from a real Prometheus: many queries in a request, and each in its own."""
    server = Prometheus(folder / "together", Settings())
    server.load(demand_history(count, time.time()))
    server.start()
    demands = [Demand("load", "prod", f'sum(load{{app="{name_of(i)}"}})', float(PER_REPLICA)) for i in range(count)]
    settings = PrometheusSettings("prod", server.url, timeout_s=30.0, stale_after_s=300.0)
    try:
        for run, most in (("together", batching.MOST_QUERIES), ("each alone", 1)):
            batching.MOST_QUERIES = most
            reader = PrometheusReader(settings, PrometheusClient(settings))
            found: list[Row] = []
            for _ in range(4):
                step = int(time.time()) // 60
                asked, before = queries(server), cpu_s(server.server.pid)
                mine, began = time.process_time(), time.monotonic()
                batch = reader.load(demands, step - 5, step, 60)
                found.append({
                    "requests": sum(apart(queries(server), asked).values()), "wall, s": time.monotonic() - began,
                    "CPU here, s": time.process_time() - mine,
                    "CPU of Prometheus, s": cpu_s(server.server.pid) - before,
                    "answered": int(np.isfinite(batch.values[:, -1]).sum()),
                })  # fmt: skip
            reader.close()
            calm = {k: round(float(np.median([row[k] for row in found[1:]])), 2) for k in found[0]}
            bench.keep(f"queries {run}", objects=count, **calm)
    finally:
        server.stop()


def fleet(bench: Bench, folder: Path, count: int, namespaces: int, seconds: float) -> None:
    """L01, L04, L05 on one fleet with pods, behind a proxy that can be slow."""
    with world(folder / f"fleet-{namespaces}", count, namespaces) as there, FaultProxy(there.prometheus.url) as proxy:
        there.workloads(range(count))
        there.source(proxy.url)
        there.autoscalers(range(count))
        some = Operators(there.plane, folder, lease_s=15)
        try:
            ticks = started(some)
            ready, took = until_all(there, ticks, there.ready, 420.0)
            ticks.watch(COLD_S - took)
            late = lateness(ticks.begins, TICK_S)
            bench.keep(
                f"start-{namespaces}", objects=count, Ready=ready,
                **{"all Ready after, s": round(took, 1), "RSS, MiB": round(ticks.most_mib),
                   "ticks": len(ticks.durations),
                   "lateness p50, s": round(share(late, 50), 3), "lateness p95, s": round(share(late, 95), 3),
                   "lateness max, s": round(max(late, default=float("nan")), 3),
                   "tick p95, s": round(share(ticks.durations, 95), 2),
                   "waiting to learn": some.health(0)["waitingToLearn"]},
            )  # fmt: skip
            ticks.watch(60.0)
            steady(bench, there, some, ticks, seconds, f"steady-{namespaces}")
            slow_source(bench, there, ticks, proxy)
            restart(bench, there, some, ticks)
        finally:
            for one in some.running.values():
                one.kill()
                one.wait()
