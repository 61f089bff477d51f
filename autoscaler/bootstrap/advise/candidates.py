"""From what was discovered to what may be judged: one demand per workload, and its HPA in terms that can be simulated.

What cannot be told from the metrics is never assumed: the workload is listed with the reason and the way out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from autoscaler.adapters.prometheus.discovery import CPU, JOINS, USUAL_SCRAPE_S, Discovery, FoundHpa, FoundWorkload
from autoscaler.adapters.prometheus.discovery_counters import Counter, Join
from autoscaler.adapters.prometheus.discovery_queries import Pods, Scope, window_s
from autoscaler.domain.workload import WorkloadRef

QUERIES_REMEDY: Final = "name its demand in a file: --queries"


class Confidence(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for the surest."""
        return list(Confidence).index(self)


@dataclass(frozen=True, slots=True)
class Doubt:
    """most: the highest confidence that this leaves. words: why, for the user."""

    most: Confidence
    words: str


class Basis(StrEnum):
    """What stands for the demand."""

    REQUESTS = "requests"
    CPU = "cpu"
    TYPED = "typed"


@dataclass(frozen=True, slots=True)
class HpaAsSet:
    """An HPA as it can be simulated; one of the targets is set.

    cpu_share: of the CPU request. cpu_cores: per pod. capacity_percent: of what one replica serves, as typed.
    behavior: what of it is not simulated, in words.
    """

    name: str
    least: int
    most: int
    cpu_share: float | None = None
    cpu_cores: float | None = None
    capacity_percent: int | None = None
    behavior: str = ""

    @property
    def words(self) -> str:
        if self.cpu_share is not None:
            target = f"cpu {self.cpu_share * 100:.0f} %"
        elif self.cpu_cores is not None:
            target = f"cpu {self.cpu_cores:g} cores"
        else:
            target = f"{self.capacity_percent} %"
        return f"{target}, {self.least}–{self.most}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """query: of the demand. pods: for what else is asked about it; None = a typed query of no known workload.

    requests_query, cpu_query: for a demand in requests, the CPU beside it. capacity: as typed.
    """

    ref: WorkloadRef
    kind: str
    name: str
    basis: Basis
    query: str
    pods: Pods | None
    metric: str
    replicas: int | None = None
    hpa: HpaAsSet | None = None
    request_cores: float | None = None
    limit_cores: float | None = None
    capacity: float | None = None
    cpu_query: str | None = None
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Unjudged:
    """remedy: what the user can do, empty where nothing needs doing."""

    name: str
    reason: str
    remedy: str = ""
    kind: str = ""


def candidates(found: Discovery, scope: Scope) -> tuple[tuple[Candidate, ...], tuple[Unjudged, ...]]:
    """Every workload is in one of the two."""
    taken: set[WorkloadRef] = set()
    judged, unjudged = [], []
    for one in found.workloads:
        ref = WorkloadRef(one.key.namespace, one.key.name)
        if ref in taken:
            ref = WorkloadRef(one.key.namespace, f"{one.key.name}-{one.key.kind.lower()}")
        taken.add(ref)
        made = candidate(one, ref, found, scope)
        if isinstance(made, Unjudged):
            unjudged.append(made)
        else:
            judged.append(made)
    return tuple(judged), tuple(unjudged)


def candidate(one: FoundWorkload, ref: WorkloadRef, found: Discovery, scope: Scope) -> Candidate | Unjudged:
    hpa = hpa_as_set(one.hpas, str(ref))
    if isinstance(hpa, Unjudged):
        return hpa
    if hpa is None and one.replicas <= 1:
        words = f"{one.replicas} replica and no HPA: there is nothing to scale" if one.replicas else "scaled to zero"
        return Unjudged(str(ref), words)
    missing = [m for m in JOINS if m in found.absent and (m == JOINS[0] or one.key.kind == "Deployment")]
    if missing:
        return Unjudged(
            str(ref),
            f"{' and '.join(missing)} not found: its pods cannot be told from others'",
            "let kube-state-metrics export it (--metric-allowlist), or " + QUERIES_REMEDY,
        )
    pods = Pods(scope, one.key.namespace, one.key.kind, one.key.name)
    cpu = None if CPU in found.absent else pods.cpu_cores(window_s(found.scrape_s.get(CPU, USUAL_SCRAPE_S)))
    counter = next(iter(one.counters), None)
    if counter is not None:
        return _by_requests(one, ref, counter, cpu, pods, found, hpa)
    if cpu is None:
        words = f"no request counter that can be joined to it, and {CPU} is not there"
        return Unjudged(str(ref), words, f"scrape the kubelet's /metrics/cadvisor, or {QUERIES_REMEDY}")
    proxy = Doubt(Confidence.MEDIUM, "CPU stands for demand: no request counter was found for it")
    return Candidate(
        ref, one.key.kind, one.key.name, Basis.CPU, cpu, pods, CPU, one.replicas, hpa,
        one.request_cores, one.limit_cores, doubts=(proxy,),
    )  # fmt: skip


def _by_requests(  # noqa: PLR0917 - the parts of one candidate
    one: FoundWorkload, ref: WorkloadRef, counter: Counter, cpu: str | None, pods: Pods, found: Discovery,
    hpa: HpaAsSet | None,
) -> Candidate:  # fmt: skip
    query = counter.per_second(pods, window_s(found.scrape_s.get(counter.metric, USUAL_SCRAPE_S)))
    doubts = []
    if counter.join is Join.SERVICE:
        doubts.append(Doubt(Confidence.MEDIUM, f"{counter.metric} of the Service that has the workload's name"))
    return Candidate(
        ref, one.key.kind, one.key.name, Basis.REQUESTS, query, pods, counter.metric, one.replicas, hpa,
        one.request_cores, one.limit_cores, cpu_query=cpu, doubts=tuple(doubts),
    )  # fmt: skip


def as_cpu(one: Candidate, why: str) -> Candidate | None:
    """The same workload by its CPU, where its requests do not tell what it needs."""
    if one.cpu_query is None:
        return None
    kept = tuple(d for d in one.doubts if one.metric not in d.words)
    proxy = Doubt(Confidence.MEDIUM, f"CPU stands for demand: {why}")
    return Candidate(
        one.ref, one.kind, one.name, Basis.CPU, one.cpu_query, one.pods, CPU, one.replicas, one.hpa,
        one.request_cores, one.limit_cores, doubts=(*kept, proxy),
    )  # fmt: skip


def hpa_as_set(hpas: Sequence[FoundHpa], name: str) -> HpaAsSet | Unjudged | None:
    """None: there is no HPA."""
    if not hpas:
        return None
    if len(hpas) > 1:
        words = f"{len(hpas)} HPAs scale it ({', '.join(sorted(h.name for h in hpas))}): they fight each other"
        return Unjudged(name, words, "keep one")
    one = hpas[0]
    if not one.metrics:
        return Unjudged(name, f"the target of HPA {one.name} is not in the metrics", "pass --kubeconfig to read it")
    for metric in one.metrics:
        if metric.name == "cpu" and metric.type == "Utilization":
            return HpaAsSet(one.name, one.least, one.most, cpu_share=metric.value / 100, behavior=one.behavior)
        if metric.name == "cpu" and metric.type == "AverageValue":
            return HpaAsSet(one.name, one.least, one.most, cpu_cores=metric.value, behavior=one.behavior)
    names = ", ".join(sorted({m.name for m in one.metrics}))
    words = f"HPA {one.name} scales on {names}, and nothing tells how that follows from a demand on record"
    return Unjudged(name, words, f"{QUERIES_REMEDY}, with capacity and hpa: {{target, min, max}}")


def other_metrics(hpas: Iterable[FoundHpa]) -> str | None:
    """Names of an HPA's metrics beside CPU, which are not simulated."""
    names = sorted({m.name for hpa in hpas for m in hpa.metrics if m.name != "cpu"})
    return ", ".join(names) or None
