"""PromQL over a workload's pods, joined through their owners so that roll-outs and renamed ReplicaSets change nothing.

Each query answers one series. Copies of a series, of two scrapes of one exporter, are merged before anything is summed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from autoscaler.adapters.prometheus.promql import Matcher, quoted

WHOLE_NAME = 45
"""Kubernetes cuts long names before it appends a ReplicaSet's and a pod's suffix; up to here none is cut."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to look. matchers: on every selector, such as cluster="prod". namespaces: none = all."""

    matchers: tuple[Matcher, ...] = ()
    namespaces: tuple[str, ...] = ()

    def select(self, metric: str, *extra: str, namespace_label: str = "namespace") -> str:
        """The metric's selector in this scope. extra: matchers as PromQL writes them."""
        among = "|".join(map(re.escape, self.namespaces))
        within = [f"{namespace_label}=~{quoted(among)}"] if among and namespace_label else []
        return self.exactly(metric, *within, *extra)

    def exactly(self, metric: str, *extra: str) -> str:
        """The same without regard to namespaces, for selectors that name one."""
        inside = ", ".join([*extra, *map(str, self.matchers)])
        return f"{metric}{{{inside}}}" if inside else metric

    def by(self, metric: str, *labels: str, extra: str = "") -> str:
        """One series per combination of labels."""
        return f"max by ({', '.join(labels)}) ({self.select(metric, *([extra] if extra else []))})"


@dataclass(frozen=True, slots=True)
class Pods:
    """The pods of one Deployment or StatefulSet, past ones included."""

    scope: Scope
    namespace: str
    kind: str
    name: str

    @property
    def matchers(self) -> tuple[str, str]:
        """A cheap narrowing by name, never the join itself: every pod of ours matches, strangers may."""
        head = re.escape(self.name[:WHOLE_NAME]).replace("\\-", "-")
        return f"namespace={quoted(self.namespace)}", f"pod=~{quoted(f'{head}.*')}"

    @property
    def owned(self) -> str:
        """1 for each (namespace, pod) of the workload."""
        of, scope, space = self.matchers, self.scope, f"namespace={quoted(self.namespace)}"
        if self.kind == "StatefulSet":
            mine = scope.exactly("kube_pod_owner", *of, 'owner_kind="StatefulSet"', f"owner_name={quoted(self.name)}")
            return f"max by (namespace, pod) ({mine})"
        pods = scope.exactly("kube_pod_owner", *of, 'owner_kind="ReplicaSet"')
        sets = scope.exactly(
            "kube_replicaset_owner", space, 'owner_kind="Deployment"', f"owner_name={quoted(self.name)}"
        )
        named = f'max by (namespace, owner_name) (label_replace({sets}, "owner_name", "$1", "replicaset", "(.+)"))'
        pods = f"max by (namespace, pod, owner_name) ({pods})"
        return f"max by (namespace, pod) ({pods} * on (namespace, owner_name) group_left () {named})"

    def total(self, per_pod: str) -> str:
        """The sum over the workload's pods of something that has the labels namespace and pod."""
        return f"sum({per_pod} * on (namespace, pod) group_left () {self.owned})"

    def cpu_cores(self, window_s: int) -> str:
        used = self.scope.exactly(
            "container_cpu_usage_seconds_total", *self.matchers, 'container!=""', 'container!="POD"'
        )
        return self.total(f"max by (namespace, pod, container) (rate({used}[{window_s}s]))")

    def throttled_share(self, window_s: int) -> str:
        """Share of the CPU periods of all pods in which they were throttled."""

        def periods(metric: str) -> str:
            read = self.scope.exactly(metric, *self.matchers, 'container!=""')
            return self.total(f"max by (namespace, pod, container) (increase({read}[{window_s}s]))")

        cut = periods("container_cpu_cfs_throttled_periods_total")
        return f"{cut} / ({periods('container_cpu_cfs_periods_total')} > 0)"

    def replicas(self, what: str) -> str:
        """what: wanted or ready."""
        metric, label = _REPLICAS[self.kind, what]
        mine = self.scope.exactly(metric, f"namespace={quoted(self.namespace)}", f"{label}={quoted(self.name)}")
        return f"max({mine})"


_REPLICAS = {
    ("Deployment", "wanted"): ("kube_deployment_spec_replicas", "deployment"),
    ("Deployment", "ready"): ("kube_deployment_status_replicas_ready", "deployment"),
    ("StatefulSet", "wanted"): ("kube_statefulset_replicas", "statefulset"),
    ("StatefulSet", "ready"): ("kube_statefulset_status_replicas_ready", "statefulset"),
}


def window_s(scrape_s: float, shortest_s: int = 60) -> int:
    """Seconds of a rate that holds four samples, so that a lost scrape leaves no hole; whole half minutes."""
    return max(shortest_s, int(4 * scrape_s // 30) * 30)


def matcher(text: str) -> Matcher:
    """LABEL=VALUE as typed; ValueError says what is wrong."""
    label, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", label):
        raise ValueError("is not LABEL=VALUE, such as cluster=prod")
    return Matcher(label, "=", value)
