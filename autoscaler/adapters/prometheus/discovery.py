"""What a Prometheus knows of a cluster's workloads: the series of kube-state-metrics v2 and common request counters.

Lists are asked for with `max by (…)`: where two copies of kube-state-metrics are scraped, a workload is still one.
Only what can be joined to a workload by labels is found; nothing is guessed from the shape of a pod's name.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from autoscaler.adapters.prometheus.client import PrometheusClient
from autoscaler.adapters.prometheus.decode import Series
from autoscaler.adapters.prometheus.discovery_counters import COUNTERS, Counter
from autoscaler.adapters.prometheus.discovery_queries import Scope
from autoscaler.adapters.prometheus.promql import NAME, any_of

DEPLOYMENT, STATEFUL_SET = "Deployment", "StatefulSet"
MARKS = ("kube_deployment_spec_replicas", "kube_statefulset_replicas")
"""One of these is there wherever kube-state-metrics v2 is scraped."""
OLD_MARKS = ("kube_hpa_spec_max_replicas", "kube_pod_container_resource_requests_cpu_cores")
JOINS = ("kube_pod_owner", "kube_replicaset_owner")
CPU = "container_cpu_usage_seconds_total"
SAMPLED_S = 600
USUAL_SCRAPE_S = 60.0

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Which object of the cluster."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class HpaMetric:
    """One metric of an HPA. type: Utilization, AverageValue or Value. value: percent, or units of the metric."""

    name: str
    type: str
    value: float


@dataclass(frozen=True, slots=True)
class FoundHpa:
    """behavior: where it is not the default, in a few words; its metrics do not tell it, the cluster does."""

    name: str
    least: int
    most: int
    metrics: tuple[HpaMetric, ...] = ()
    behavior: str = ""


@dataclass(frozen=True, slots=True)
class FoundWorkload:
    """replicas: asked for now. request_cores, limit_cores: CPU of one pod, all its containers; None = not set.

    hpas: those that scale it; more than one fight each other. counters: of requests, that can be joined to it.
    """

    key: Key
    replicas: int
    request_cores: float | None = None
    limit_cores: float | None = None
    hpas: tuple[FoundHpa, ...] = ()
    counters: tuple[Counter, ...] = ()


@dataclass(frozen=True, slots=True)
class Discovery:
    """ignored: objects that are none of ours, and why. absent: metrics that were looked for and are not there.

    scrape_s: metric → seconds between its samples. clusters: values of the label `cluster` among the workloads.
    """

    workloads: tuple[FoundWorkload, ...] = ()
    ignored: tuple[tuple[Key, str], ...] = ()
    absent: frozenset[str] = frozenset()
    scrape_s: Mapping[str, float] = field(default_factory=dict)
    clusters: tuple[str, ...] = ()
    old: bool = False
    renamed: bool = False


@dataclass(slots=True)
class Discoverer:
    """Asks for one moment, at_s (None: the source's now). Raises QueryFault where the source does not answer."""

    client: PrometheusClient
    scope: Scope
    at_s: float | None = None

    def discover(self, progress: Progress | None = None) -> Discovery:
        looked_for = (*MARKS, *OLD_MARKS, *JOINS, CPU, *(c.metric for c in COUNTERS))
        there = {s.labels.get(NAME, "") for s in self._ask(any_of(looked_for))}
        absent = frozenset(looked_for) - there
        if not there & set(MARKS):
            return Discovery(absent=absent, old=bool(there & set(OLD_MARKS)))
        mark = next(m for m in MARKS if m in there)
        clusters = tuple(sorted({s.labels.get("cluster", "") for s in self._ask(self.scope.by(mark, "cluster"))}))
        elsewhere = self.scope.select(mark, 'exported_namespace!=""')
        renamed = bool(self._ask(f"count({elsewhere})"))
        if renamed or len(clusters) > 1:
            return Discovery(absent=absent, clusters=clusters, renamed=renamed)
        said = progress or (lambda _share: None)
        replicas = self._replicas(there)
        said(0.2)
        pods = self._pods(there)
        said(0.4)
        hpas = self._hpas()
        said(0.6)
        ignored = self._ignored()
        counted = self._counted(there)
        said(0.8)
        owners = {pod: key for pod, key in pods.items() if key in replicas}
        requests, limits = (self._cores(what, owners) for what in ("requests", "limits"))
        counters = _joined(counted, owners, set(replicas))
        found = tuple(
            FoundWorkload(
                key, count, requests.get(key), limits.get(key), tuple(hpas.get(key, ())), tuple(counters.get(key, ()))
            )
            for key, count in sorted(replicas.items())
        )
        used = {CPU, *(c.metric for one in found for c in one.counters)} & there
        scrapes = {metric: self._scrape_s(metric) for metric in sorted(used)}
        return Discovery(found, tuple(sorted(ignored)), absent, scrapes, clusters)

    def _ask(self, query: str) -> tuple[Series, ...]:
        return self.client.instant(query, self.at_s).series

    def _replicas(self, there: set[str]) -> dict[Key, int]:
        found: dict[Key, int] = {}
        for metric, label, kind in zip(MARKS, ("deployment", "statefulset"), (DEPLOYMENT, STATEFUL_SET), strict=True):
            if metric in there:
                for one in self._ask(self.scope.by(metric, "namespace", label)):
                    found[_key(one.labels, kind, label)] = int(one.values[0])
        return found

    def _pods(self, there: set[str]) -> dict[tuple[str, str], Key]:
        """(namespace, pod) → the Deployment or StatefulSet that it belongs to."""
        if "kube_pod_owner" not in there:
            return {}
        sets = {
            (s.labels.get("namespace", ""), s.labels.get("replicaset", "")): s.labels.get("owner_name", "")
            for s in self._ask(
                self.scope.by(
                    "kube_replicaset_owner", "namespace", "replicaset", "owner_name", extra='owner_kind="Deployment"'
                )
            )
        }
        owned = 'owner_kind=~"ReplicaSet|StatefulSet"'
        found = {}
        for one in self._ask(
            self.scope.by("kube_pod_owner", "namespace", "pod", "owner_kind", "owner_name", extra=owned)
        ):
            namespace, owner = one.labels.get("namespace", ""), one.labels.get("owner_name", "")
            kind = one.labels.get("owner_kind")
            name = owner if kind == STATEFUL_SET else sets.get((namespace, owner))
            if name:
                which = STATEFUL_SET if kind == STATEFUL_SET else DEPLOYMENT
                found[namespace, one.labels.get("pod", "")] = Key(namespace, which, name)
        return found

    def _cores(self, what: str, owners: Mapping[tuple[str, str], Key]) -> dict[Key, float]:
        """CPU requests or limits of one pod: the median over the workload's pods, as a roll-out may change them."""
        metric = f"kube_pod_container_resource_{what}"
        inner = self.scope.by(metric, "namespace", "pod", "container", extra='resource="cpu"')
        by_key: defaultdict[Key, list[float]] = defaultdict(list)
        for one in self._ask(f"sum by (namespace, pod) ({inner})"):
            key = owners.get((one.labels.get("namespace", ""), one.labels.get("pod", "")))
            if key is not None and one.values[0] > 0:
                by_key[key].append(float(one.values[0]))
        return {key: statistics.median(values) for key, values in by_key.items()}

    def _hpas(self) -> dict[Key, list[FoundHpa]]:
        prefix, label = "kube_horizontalpodautoscaler", "horizontalpodautoscaler"
        limits = {
            what: {
                (s.labels.get("namespace"), s.labels.get(label)): int(s.values[0])
                for s in self._ask(self.scope.by(f"{prefix}_spec_{what}_replicas", "namespace", label))
            }
            for what in ("min", "max")
        }
        metrics: defaultdict[tuple[str | None, str | None], list[HpaMetric]] = defaultdict(list)
        for one in self._ask(
            self.scope.by(f"{prefix}_spec_target_metric", "namespace", label, "metric_name", "metric_target_type")
        ):
            kind = _TARGET_TYPES.get(one.labels.get("metric_target_type", ""), "Value")
            named = HpaMetric(one.labels.get("metric_name", ""), kind, float(one.values[0]))
            metrics[one.labels.get("namespace"), one.labels.get(label)].append(named)
        found: defaultdict[Key, list[FoundHpa]] = defaultdict(list)
        aims = ("scaletargetref_kind", "scaletargetref_name")
        for one in self._ask(self.scope.by(f"{prefix}_info", "namespace", label, *aims)):
            kind, name = (one.labels.get(aim, "") for aim in aims)
            at = (one.labels.get("namespace"), one.labels.get(label))
            if at not in limits["max"]:
                continue
            least = max(1, limits["min"].get(at, 1))
            told = tuple(sorted(metrics[at], key=lambda m: (m.name, m.type)))
            hpa = FoundHpa(str(at[1]), least, max(least, limits["max"][at]), told)
            found[Key(str(at[0]), kind, name)].append(hpa)
        return found

    def _ignored(self) -> list[tuple[Key, str]]:
        """Objects that run pods and have no replicas to size."""
        asked = (
            ("DaemonSet", "kube_daemonset_status_desired_number_scheduled", "daemonset", "it runs a pod on each node"),
            ("CronJob", "kube_cronjob_info", "cronjob", "it runs to its end, on a schedule"),
            ("Job", "kube_job_info", "job_name", "it runs to its end"),
        )
        return [
            (_key(one.labels, kind, label), f"{kind}: {why}, so there are no replicas to size")
            for kind, metric, label, why in asked
            for one in self._ask(self.scope.by(metric, "namespace", label))
        ]

    def _counted(self, there: set[str]) -> list[tuple[Counter, Mapping[str, str]]]:
        """Label sets of each request counter that is there, by the labels that join it."""
        return [
            (counter, one.labels)
            for counter in COUNTERS
            if counter.metric in there
            for one in self._ask(counter.sightings(self.scope))
        ]

    def _scrape_s(self, metric: str) -> float:
        """Seconds between samples, by the series that has most of them in ten minutes."""
        told = self._ask(f"max(count_over_time({self.scope.select(metric)}[{SAMPLED_S}s]))")
        return SAMPLED_S / float(told[0].values[0]) if told and told[0].values[0] > 0 else USUAL_SCRAPE_S


_TARGET_TYPES = {"utilization": "Utilization", "average": "AverageValue", "value": "Value"}


def _key(labels: Mapping[str, str], kind: str, label: str) -> Key:
    return Key(labels.get("namespace", ""), kind, labels.get(label, ""))


def _joined(
    counted: Sequence[tuple[Counter, Mapping[str, str]]], owners: Mapping[tuple[str, str], Key], known: set[Key]
) -> dict[Key, list[Counter]]:
    """The counters of each workload, the surest first, as COUNTERS has them."""
    found: defaultdict[Key, list[Counter]] = defaultdict(list)
    for counter, labels in counted:
        for key in counter.workloads(labels, owners, known, Key):
            if counter not in found[key]:
                found[key].append(counter)
    return found
