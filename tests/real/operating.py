"""`foresail operator` as it runs in a cluster: processes with a service account each, so that the audit log
tells them apart, with exactly the rights that the chart grants."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoscaler.adapters.kubernetes.objects import GROUP
from tests.real.controlplane import ControlPlane
from tests.real.helming import Helm, grant
from tests.real.manifests import deployment, hpa
from tests.real.rest import Refusal, Rest
from tests.real.servers import free_port, wait_until
from tests.real.web import fetch

HOME = "default"
"""Where the accounts and the Lease are."""
NAMES = ("operator-0", "operator-1", "operator-2")
USERS = tuple(f"system:serviceaccount:{HOME}:{name}" for name in NAMES)
"""As the audit log has them."""
TOKEN_S = 4 * 3600
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
HEAD = {"apiVersion": "foresail.dev/v1alpha1"}
HPAS = "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{HOME}/leases/foresail"
FAST = {"scaleUp": {"policies": [{"type": "Percent", "value": 1000, "periodSeconds": 15}]}}


def bare_crd(kind: str, plural: str, *, namespaced: bool) -> dict[str, Any]:
    """One that takes anything: for objects that a stricter one would refuse, and that are stored all the same."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": anything, "status": anything}}
    version = {
        "name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }  # fmt: skip
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.foresail.dev"},
        "spec": {
            "group": "foresail.dev", "scope": "Namespaced" if namespaced else "Cluster", "versions": [version],
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
        },
    }  # fmt: skip


BARE = (
    bare_crd("PredictiveAutoscaler", "predictiveautoscalers", namespaced=True),
    bare_crd("GuardPolicy", "guardpolicies", namespaced=False),
    bare_crd("MetricsSource", "metricssources", namespaced=False),
)


def install(admin: Rest, crds: Any = BARE, *, again: bool = False) -> None:
    """again: those that are there already stay as they are."""
    for crd in crds:
        if not (again and admin.answer("GET", f"{CRDS}/{crd['metadata']['name']}").status == 200):
            admin.create(CRDS, crd)
    paths = [f"{GROUP}/{crd['spec']['names']['plural']}" for crd in crds]
    wait_until(lambda: all(admin.answer("GET", path).status == 200 for path in paths), "our kinds are served", 20)


def autoscaler(name: str = "web", **spec: Any) -> dict[str, Any]:
    """Ten units of demand a replica, acting through the HPA of the Deployment of the same name."""
    given: dict[str, Any] = {
        "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}, "mode": "Act",
        "demands": [{"name": "load", "source": "prod", "query": "sum(load)", "capacity": {"perReplica": "10"}}],
        "replicas": {"min": 1, "max": 40},
    }  # fmt: skip
    return {**HEAD, "kind": "PredictiveAutoscaler", "metadata": {"name": name}, "spec": given | spec}


@dataclass
class Operators:
    """Up to three operators over one cluster. lease_s: short, so that take-overs are."""

    plane: ControlPlane
    folder: Path
    lease_s: int = 3
    program: tuple[str, ...] = (sys.executable, "-m", "autoscaler")
    began_s: float = field(default_factory=time.time)
    """What the audit log has of before is of another test."""
    running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.admin = self.plane.rest()

    def start(self, which: int = 0, *more: str, url: str | None = None) -> None:
        name = NAMES[which]
        self.ports[which] = free_port()
        here = self.folder / name
        here.mkdir(exist_ok=True)
        token = here / "token"
        token.write_text(self.plane.service_account_token(HOME, name, TOKEN_S))
        kubeconfig = self.plane.kubeconfig_for(token, url)
        command = [
            *self.program, "operator", "--kubeconfig", str(kubeconfig),
            "--tick", "1s", "--step", "10s", "--listen", f"127.0.0.1:{self.ports[which]}", "--identity", name,
            "--lease-namespace", HOME, "--lease-duration", f"{self.lease_s}s", *more,
        ]  # fmt: skip
        with (here / "log").open("ab") as log:
            self.running[which] = subprocess.Popen(command, cwd=here, stdout=log, stderr=log)

    def end(self, which: int = 0) -> None:
        one = self.running.pop(which)
        one.send_signal(signal.SIGTERM)
        assert one.wait(30) == 0, self.log(which)

    def kill(self, which: int) -> None:
        one = self.running.pop(which)
        one.kill()
        one.wait()

    def pause(self, which: int) -> None:
        self.running[which].send_signal(signal.SIGSTOP)

    def resume(self, which: int) -> None:
        self.running[which].send_signal(signal.SIGCONT)

    def log(self, which: int = 0) -> str:
        return (self.folder / NAMES[which] / "log").read_text()

    def health(self, which: int = 0) -> dict[str, Any]:
        told: dict[str, Any] = fetch(f"http://127.0.0.1:{self.ports[which]}/healthz", timeout_s=10.0).json()
        return told

    def ready(self, which: int = 0) -> bool:
        with suppress(OSError):
            return self._ready(which)
        return False

    def _ready(self, which: int) -> bool:
        return fetch(f"http://127.0.0.1:{self.ports[which]}/readyz", timeout_s=10.0).status == 200

    @property
    def leader(self) -> int | None:
        """By the Lease, which may still name one that is dead."""
        try:
            holder = str(self.admin.get(LEASE)["spec"].get("holderIdentity") or "")
        except Refusal:
            return None
        return next((k for k, name in enumerate(NAMES) if holder.startswith(f"{name}_")), None)

    def until_leader(self, within_s: float = 30.0) -> int:
        """A running process that says of itself that it leads, and has decided."""

        def found() -> int | None:
            for which in self.running:
                with suppress(OSError):  # one that is not up yet keeps nobody from leading
                    told = self.health(which)
                    if told["leader"] and told.get("lastTick"):
                        return which + 1
            return None

        return int(wait_until(found, "somebody leads", within_s) or 0) - 1

    # what users do and see

    def workload(self, namespace: str, name: str = "web", least: int = 2, replicas: int = 2, **spec: Any) -> None:
        self.admin.create(DEPLOYMENTS.format(namespace), deployment(name, replicas))
        self.admin.create(HPAS.format(namespace), hpa(name, least, 30))
        self.apply(namespace, autoscaler(name, **spec))

    def source(self, url: str, name: str = "prod") -> None:
        made = {**HEAD, "kind": "MetricsSource", "metadata": {"name": name}, "spec": {"prometheus": {"url": url}}}
        self.admin.answer("DELETE", f"{GROUP}/metricssources/{name}")
        self.admin.create(f"{GROUP}/metricssources", made)

    def path(self, namespace: str, name: str = "web") -> str:
        return f"{GROUP}/namespaces/{namespace}/predictiveautoscalers/{name}"

    def apply(self, namespace: str, made: Mapping[str, Any]) -> dict[str, Any]:
        path = self.path(namespace, made["metadata"]["name"])
        done: dict[str, Any] = self.admin.apply(path, made, "kubectl", force=True)
        return done

    def status(self, namespace: str, name: str = "web") -> dict[str, Any]:
        found: dict[str, Any] = self.admin.get(self.path(namespace, name)).get("status") or {}
        return found

    def condition(self, namespace: str, kind: str, name: str = "web") -> dict[str, Any]:
        found = self.status(namespace, name).get("conditions") or []
        return next((c for c in found if c["type"] == kind), {})

    def floor(self, namespace: str, name: str = "web") -> int:
        return int(self.admin.get(f"{HPAS.format(namespace)}/{name}")["spec"]["minReplicas"])

    def replicas(self, namespace: str, name: str = "web") -> int:
        return int(self.admin.get(f"{DEPLOYMENTS.format(namespace)}/{name}")["spec"]["replicas"])

    def events(self, namespace: str) -> list[dict[str, Any]]:
        found = self.admin.get(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")["items"]
        return [e for e in found if e["regarding"].get("kind") == "PredictiveAutoscaler"]


def granted(plane: ControlPlane, values: Mapping[str, Any] | None = None) -> None:
    """To each of the three, what the chart grants with these values: by default what an acting operator needs."""
    home = plane.folder / "helm"
    home.mkdir(exist_ok=True)
    for name in NAMES:
        own = {"fullnameOverride": name, "permissions": {"userRoles": False}, "crds": {"install": False}}
        grant(plane.rest(), Helm(home).render(own | dict(values or {}), namespace=HOME))


@contextmanager
def operators(plane: ControlPlane, folder: Path, **settings: Any) -> Iterator[Operators]:
    some = Operators(plane, folder, **settings)
    try:
        yield some
    finally:
        for one in some.running.values():
            one.send_signal(signal.SIGCONT)
            one.kill()
            one.wait()
