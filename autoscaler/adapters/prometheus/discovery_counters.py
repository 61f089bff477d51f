"""Request counters that are known by name, and how each is joined to a workload.

In the order of trust: a mesh names the workload itself; an application's own counter is joined by its pod; an ingress
names a Service only, which is taken for the workload of the same name, and that is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from autoscaler.adapters.prometheus.discovery_queries import Pods, Scope
from autoscaler.adapters.prometheus.promql import quoted

if TYPE_CHECKING:
    from autoscaler.adapters.prometheus.discovery import Key


class Join(StrEnum):
    MESH = "the mesh names the workload"
    POD = "joined by the pods that export it"
    SERVICE = "of the Service with the workload's name"


@dataclass(frozen=True, slots=True)
class Counter:
    """namespace, name: labels that say whose requests they are; for POD those of the pod. extra: a matcher."""

    metric: str
    join: Join
    namespace: str = "namespace"
    name: str = "pod"
    extra: str = ""

    def sightings(self, scope: Scope) -> str:
        """One series per whose requests there are."""
        labels = [label for label in (self.namespace, self.name) if label]
        matchers = [m for m in (self.extra, f'{self.name}!=""') if m]
        return (
            f"count by ({', '.join(labels)}) ({scope.select(self.metric, *matchers, namespace_label=self.namespace)})"
        )

    def workloads(
        self,
        labels: Mapping[str, str],
        owners: Mapping[tuple[str, str], Key],
        known: set[Key],
        key: Callable[[str, str, str], Key],
    ) -> Iterator[Key]:
        """Whose requests a label set counts."""
        namespace, name = labels.get(self.namespace, ""), labels.get(self.name, "")
        if self.join is Join.POD:
            owner = owners.get((namespace, name))
            if owner is not None:
                yield owner
            return
        for kind in ("Deployment", "StatefulSet"):
            if self.namespace:
                found = key(namespace, kind, name)
                if found in known:
                    yield found
            else:  # traefik's one label: namespace-service-port@provider
                for one in known:
                    if one.kind == kind and _is_service(name, one.namespace, one.name):
                        yield one

    def per_second(self, pods: Pods, window_s: int) -> str:
        """Requests a second of one workload."""
        if self.join is Join.POD:
            if (self.namespace, self.name) == ("namespace", "pod"):
                read = pods.scope.exactly(self.metric, *pods.matchers, *([self.extra] if self.extra else []))
                return pods.total(f"sum by (namespace, pod) (rate({read}[{window_s}s]))")
            of = (
                m.replace("namespace=", f"{self.namespace}=").replace("pod=~", f"{self.name}=~") for m in pods.matchers
            )
            read = f"sum by ({self.namespace}, {self.name}) (rate({pods.scope.exactly(self.metric, *of)}[{window_s}s]))"
            moved = f'label_replace({read}, "pod", "$1", "{self.name}", "(.+)")'
            moved = f'label_replace({moved}, "namespace", "$1", "{self.namespace}", "(.+)")'
            return pods.total(f"sum by (namespace, pod) ({moved})")
        matchers = [f"{self.namespace}={quoted(pods.namespace)}", f"{self.name}={quoted(pods.name)}"]
        if not self.namespace:
            service = re.escape(f"{pods.namespace}-{pods.name}").replace("\\-", "-")
            matchers = [f"{self.name}=~{quoted(f'{service}-[a-z0-9]+@kubernetes.*')}"]
        if self.extra:
            matchers.append(self.extra)
        return f"sum(rate({pods.scope.exactly(self.metric, *matchers)}[{window_s}s]))"


def _is_service(text: str, namespace: str, name: str) -> bool:
    head, at, _ = text.partition("@kubernetes")
    port = head.removeprefix(f"{namespace}-{name}-")
    return bool(at) and port != head and re.fullmatch(r"[a-z0-9]+", port) is not None


COUNTERS: Final = (
    Counter(
        "istio_requests_total", Join.MESH, "destination_workload_namespace", "destination_workload",
        'reporter="destination"',
    ),
    Counter("request_total", Join.MESH, "namespace", "deployment", 'direction="inbound"'),
    Counter("request_total", Join.MESH, "namespace", "statefulset", 'direction="inbound"'),
    *(
        Counter(metric, Join.POD)
        for metric in (
            "http_server_request_duration_seconds_count",
            "http_server_requests_seconds_count",
            "http_request_duration_seconds_count",
            "http_requests_total",
            "grpc_server_handled_total",
            "rpc_server_duration_milliseconds_count",
        )
    ),
    Counter("http_requests_total", Join.POD, "kubernetes_namespace", "kubernetes_pod_name"),
    Counter("nginx_ingress_controller_requests", Join.SERVICE, "exported_namespace", "exported_service"),
    Counter("nginx_ingress_controller_requests", Join.SERVICE, "namespace", "service"),
    Counter("traefik_service_requests_total", Join.SERVICE, "", "service"),
)  # fmt: skip
"""envoy's own counters name clusters and listeners, not workloads: they are not used."""
