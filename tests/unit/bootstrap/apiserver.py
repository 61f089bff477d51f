"""An API server that is a dict of paths to answers, what lives in it, and the doctor's visit to it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from autoscaler.adapters.kubernetes.connection import Connection
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.bootstrap.checkup.cluster import look_at_kubernetes
from autoscaler.bootstrap.settings import ClusterSettings
from autoscaler.domain.workload import Demand, Lead, Mode, Target, Workload, WorkloadRef
from autoscaler.reporting.doctor import Finding, Level

HPAS = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers"
SCALED = "/apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects"
DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"
VPAS = "/apis/autoscaling.k8s.io/v1/namespaces/shop/verticalpodautoscalers"
WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}


def kinds(**plurals: str) -> dict[str, Any]:
    names = [{"name": plural, "kind": kind} for kind, plural in plurals.items()]
    return {"resources": [*names, *({"name": f"{p}/scale", "kind": "Scale"} for p in plurals.values())]}


KEDA = {"/apis/keda.sh/v1alpha1": kinds(ScaledObject="scaledobjects")}


@dataclass
class Api:
    """answers: beside, or instead of, those of a sound cluster. refused: what we may not, as `verb resource`."""

    answers: dict[str, Any] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    skew_s: float = 0.0
    verify_ssl: bool = True
    host: str = "https://api:6443"
    settings_fault: Exception | None = None
    posted: list[str] = field(default_factory=list)
    closed: bool = False
    access: Any = None

    def __post_init__(self) -> None:
        self.access = SimpleNamespace(configuration=self._configuration, in_cluster=False)
        self._sound = {
            "/version": {"gitVersion": "v1.36.3"},
            "/apis/autoscaling/v2": kinds(HorizontalPodAutoscaler="horizontalpodautoscalers"),
            "/apis/apps/v1": kinds(Deployment="deployments"),
            DEPLOYMENTS: [deployment()],
            HPAS: [hpa()],
            "/apis/policy/v1/namespaces/shop/poddisruptionbudgets": [],
            "/api/v1/namespaces/shop/pods": [],
        }

    def _configuration(self) -> Any:
        if self.settings_fault is not None:
            raise self.settings_fault
        return self

    @property
    def server_time_s(self) -> float:
        return float(int(time.time() + self.skew_s))

    def get(self, path: str, **_: str) -> Any:
        told = (self._sound | self.answers).get(path, ApiFault(404, "not found"))
        if isinstance(told, Exception):
            raise told
        return told

    items = get

    def call(self, method: str, path: str, body: Any) -> Any:
        self.posted.append(f"{method} {path}")
        asked = body["spec"]["resourceAttributes"]
        resource = "/".join(filter(None, (asked["resource"], asked["subresource"])))
        return {"status": {"allowed": f"{asked['verb']} {resource}" not in self.refused}}

    def close(self) -> None:
        self.closed = True


def thing(name: str, spec: Mapping[str, Any], managers: Mapping[str, str] | None = None, **meta: Any) -> dict[str, Any]:
    """managers: who owns which field of the spec."""
    entries = [
        {"manager": m, "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:spec": {f"f:{owned}": {}}}}
        for m, owned in (managers or {}).items()
    ]
    about = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "managedFields": entries}
    return {"metadata": about | meta, "spec": dict(spec)}


def deployment(replicas: int = 3, managers: Mapping[str, str] | None = None, **meta: Any) -> dict[str, Any]:
    pod = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "main"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": pod}
    return thing("web", spec, managers, **meta)


def hpa(name: str = "web", managers: Mapping[str, str] | None = None, meta: Any = None, **spec: Any) -> dict[str, Any]:
    base = {"scaleTargetRef": WEB, "minReplicas": 2, "maxReplicas": 60, "metrics": [CPU]}
    made = thing(name, base | spec, managers, **(meta or {}))
    made["status"] = {"conditions": [{"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"}]}
    return made


def condition(kind: str, status: str, reason: str, message: str = "because.") -> dict[str, Any]:
    told = {"type": kind, "status": status, "reason": reason, "message": message}
    return hpa() | {"status": {"conditions": [told]}}


def workload(**changes: Any) -> Workload:
    given: dict[str, Any] = {
        "ref": WorkloadRef("shop", "web"), "target": Target("apps/v1", "Deployment", "web"), "mode": Mode.ACT,
        "demands": (Demand("requests", "prod", "sum(rate(hits[1m]))", 45.0),), "min_replicas": 2, "max_replicas": 40,
        "lead": Lead(60.0),
    }  # fmt: skip
    return Workload(**(given | changes))


def examined(api: Api, *loads: Workload) -> list[Finding]:
    visit = look_at_kubernetes(ClusterSettings(), lambda _: cast("Connection", api))
    return visit(loads or (workload(),))


def said(found: list[Finding], check: str) -> Finding:
    """The worst finding of a check."""
    return max((f for f in found if f.check == check), key=lambda f: list(Level).index(f.level))
