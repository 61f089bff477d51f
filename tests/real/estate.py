"""A cluster's metrics as kube-state-metrics and the kubelet export them, for workloads written down in a line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from tests.real.history import Series, series

MINUTE = 60
KSM = {"job": "kube-state-metrics", "instance": "10.0.0.2:8080"}
SECOND_KSM = {"job": "kube-state-metrics", "instance": "10.0.0.3:8080"}
KUBELET = {"job": "kubelet", "metrics_path": "/metrics/cadvisor"}
SLOW_S = 240
"""Of the series of kube-state-metrics: a sample stands for five minutes, and fewer make a smaller history."""

Points = tuple[Sequence[float], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Hpa:
    least: int
    most: int
    metric: str = "cpu"
    type: str = "utilization"
    value: float = 70


@dataclass(frozen=True, slots=True)
class Load:
    """One workload. demand: [minute], of the whole workload, requests a second or cores. replicas: [minute].

    request_cores, limit_cores: of a pod. cores_each: CPU of one request a second; None: demand is CPU itself.
    rollouts: minutes at which all pods are replaced. counter: metric of its requests, with its own labels.
    """

    namespace: str
    name: str
    demand: np.ndarray
    replicas: np.ndarray
    kind: str = "Deployment"
    request_cores: float | None = 1.0
    limit_cores: float | None = None
    cores_each: float | None = None
    hpa: Hpa | None = None
    rollouts: tuple[int, ...] = ()
    counter: str | None = None
    throttled: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)


def estate(loads: Sequence[Load], end_s: int, *, ksm_copies: int = 1) -> dict[Series, Points]:
    """Every load's series, the newest sample at end_s."""
    found: dict[Series, Points] = {}
    for load in loads:
        minutes = len(load.demand)
        at = end_s - MINUTE * np.arange(minutes - 1, -1, -1)
        for key, (where, values) in _of(load, minutes):
            copies = (KSM, SECOND_KSM)[:ksm_copies] if key[0].startswith("kube_") else ({},)
            for copy in copies:
                named = key[0], tuple(sorted({**dict(key[1]), **copy}.items()))
                found[named] = at[where].tolist(), np.asarray(values).tolist()
    return found


def _of(load: Load, minutes: int) -> Iterator[tuple[Series, tuple[np.ndarray, np.ndarray]]]:
    every, slow = np.arange(minutes), np.arange((minutes - 1) % (SLOW_S // MINUTE), minutes, SLOW_S // MINUTE)

    def steady(value: float) -> tuple[np.ndarray, np.ndarray]:
        return slow, np.full(len(slow), value)

    where = {"namespace": load.namespace}
    label = load.kind.lower()
    mine = {**where, label: load.name}
    if load.kind == "Deployment":
        yield series("kube_deployment_spec_replicas", **mine), (slow, load.replicas[slow])
        yield series("kube_deployment_status_replicas_ready", **mine), (slow, load.replicas[slow])
    else:
        yield series("kube_statefulset_replicas", **mine), (slow, load.replicas[slow])
        yield series("kube_statefulset_status_replicas_ready", **mine), (slow, load.replicas[slow])
    if load.hpa is not None:
        yield from _hpa(load, load.hpa, steady)
    cores = load.demand if load.cores_each is None else 0.02 * load.replicas + load.cores_each * load.demand
    edges = [0, *load.rollouts, minutes]
    for low, high in pairwise(edges):
        owner = load.name if load.kind == "StatefulSet" else f"{load.name}-{low:06x}"
        alive = slow[(slow >= low) & (slow < high)]
        if load.kind == "Deployment":
            owned = {**where, "replicaset": owner, "owner_kind": "Deployment", "owner_name": load.name}
            yield (
                series("kube_replicaset_owner", **owned, owner_is_controller="true"),
                (slow[slow >= low], np.ones((slow >= low).sum())),  # old ReplicaSets stay, scaled to zero
            )
        for pod in range(int(load.replicas[low:high].max(initial=0))):
            yield from _pod(load, owner, pod, (every[low:high], cores[low:high]), alive)


def _hpa(
    load: Load, hpa: Hpa, steady: Callable[[float], tuple[np.ndarray, np.ndarray]]
) -> Iterator[tuple[Series, tuple[np.ndarray, np.ndarray]]]:
    mine = {"namespace": load.namespace, "horizontalpodautoscaler": f"{load.name}-hpa"}
    prefix = "kube_horizontalpodautoscaler"
    aim = {"scaletargetref_api_version": "apps/v1", "scaletargetref_kind": load.kind, "scaletargetref_name": load.name}
    yield series(f"{prefix}_info", **mine, **aim), steady(1)
    yield series(f"{prefix}_spec_min_replicas", **mine), steady(hpa.least)
    yield series(f"{prefix}_spec_max_replicas", **mine), steady(hpa.most)
    target = {"metric_name": hpa.metric, "metric_target_type": hpa.type}
    yield series(f"{prefix}_spec_target_metric", **mine, **target), steady(hpa.value)


def _pod(
    load: Load, owner: str, pod: int, used: tuple[np.ndarray, np.ndarray], alive: np.ndarray
) -> Iterator[tuple[Series, tuple[np.ndarray, np.ndarray]]]:
    """A pod shares the load evenly with those that are there; what is scaled away ends."""
    minutes, cores = used
    there = load.replicas[minutes] > pod
    name = f"{owner}-{pod}" if load.kind == "StatefulSet" else f"{owner}-{pod:05x}"
    mine = {"namespace": load.namespace, "pod": name}
    kinds = {"StatefulSet": "StatefulSet", "Deployment": "ReplicaSet"}
    known = alive[load.replicas[alive] > pod]
    if not len(known):
        return
    ones = np.ones(len(known))
    owned = {**mine, "owner_kind": kinds[load.kind], "owner_name": owner, "owner_is_controller": "true"}
    yield series("kube_pod_owner", **owned), (known, ones)
    box = {**mine, "container": "app"}
    for what, value in (("requests", load.request_cores), ("limits", load.limit_cores)):
        if value is not None:
            named = {**box, "resource": "cpu", "unit": "core"}
            yield series(f"kube_pod_container_resource_{what}", **named), (known, ones * value)
    at, share = minutes[there], np.maximum(1, load.replicas[minutes])[there]
    burnt = np.cumsum(cores[there] / share) * MINUTE
    yield series("container_cpu_usage_seconds_total", **box, **KUBELET, cpu="total", image="img"), (at, burnt)
    yield series("container_cpu_usage_seconds_total", **mine, **KUBELET, cpu="total"), (at, burnt)  # the pod's own sum
    if load.throttled:
        periods = np.cumsum(np.full(len(at), 600.0))
        yield series("container_cpu_cfs_periods_total", **box, **KUBELET), (at, periods)
        yield series("container_cpu_cfs_throttled_periods_total", **box, **KUBELET), (at, periods * load.throttled)
    if load.counter is not None:
        counted = np.cumsum(load.demand[minutes][there] / share) * MINUTE
        yield series(load.counter, **mine, job=load.name, code="200", **load.labels), (at, np.round(counted, 3))


def wave(days: float, mean: float, *, seed: int, swing: float = 0.6, burst: float = 1.8) -> np.ndarray:
    """[minute], a daily wave with a working week, noise, and a burst of a quarter of an hour every other day."""
    rng = np.random.default_rng(seed)
    minutes = int(days * 1440)
    at = np.arange(minutes)
    shape = 1 + swing * np.sin(2 * np.pi * (at / 60 - 8 + seed % 5) / 24)
    week = np.where(at // 1440 % 7 >= 5, 0.7, 1.0)
    smooth = np.convolve(rng.normal(0, 0.05, minutes + 4), np.ones(5) / 2.2, "valid")
    bursts = np.where((at // 15) % 192 == 100 + 13 * (seed % 5), burst, 1.0)
    return np.asarray(np.maximum(0.01, mean * shape * week * (1 + smooth) * bursts))


def sized(demand: np.ndarray, per_replica: float, least: int, most: int, late: int = 3) -> np.ndarray:
    """[minute], what an HPA that is late by some minutes and comes down after five more would run."""
    seen = np.concatenate((np.full(late, demand[0]), demand[:-late]))
    peak = np.maximum.reduce([np.concatenate((np.full(k, seen[0]), seen[: len(seen) - k])) for k in range(6)])
    return np.clip(np.ceil(peak / per_replica), least, most).astype(np.int64)
