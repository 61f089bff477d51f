"""An operator inside the test's own process, ticked by hand: the same composition as `foresail operator`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoscaler.adapters.kubernetes.lease import LeaseSettings
from autoscaler.adapters.kubernetes.objects import GROUP
from autoscaler.bootstrap.operator import Operator, OperatorSettings, operator
from autoscaler.bootstrap.settings import ClusterSettings, ServiceSettings
from autoscaler.domain.decision import Decision
from tests.real.controlplane import ControlPlane
from tests.real.manifests import deployment
from tests.real.operating import HEAD, HOME, NAMES, TOKEN_S, autoscaler
from tests.real.rest import Rest
from tests.real.servers import wait_until

FREE = {
    "scaleUp": {"policies": [{"type": "Percent", "value": 1000, "periodSeconds": 15}]},
    "scaleDown": {
        "stabilizationWindowSeconds": 0,
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
    },
}
"""All steps are free, so that only what a test is about binds."""
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"
STEP_S = 5


@dataclass
class Operated:
    """One operator on a plane with our kinds, and the objects of its users. url: of the API server, by another way."""

    plane: ControlPlane
    folder: Path
    url: str | None = None
    running: Operator = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        token = self.folder / "token"
        token.write_text(self.plane.service_account_token(HOME, NAMES[0], TOKEN_S))
        cluster = ClusterSettings(self.plane.kubeconfig_for(token, self.url))
        store = self.folder / "foresail.db"
        service = ServiceSettings(
            (), store, STEP_S, tick_s=10.0, listen=None, cluster=cluster, state_every_s=None, history_days=1
        )
        identity = f"in-process_{time.monotonic_ns()}"
        self.running = operator(OperatorSettings(service, LeaseSettings.lasting(HOME, "foresail", identity, 3)))
        self.running.start()

    @property
    def admin(self) -> Rest:
        return self.plane.rest()

    def tick(self) -> Mapping[str, Decision]:
        """By NAMESPACE/NAME; empty before all was read."""
        decisions = self.running.tick()
        if decisions is None:
            return {}
        return {str(load.ref): decisions[lane] for lane, load in enumerate(decisions.fleet.workloads)}

    def until(self, ask: Callable[[], object], what: str, within_s: float = 40.0) -> None:
        """Tick until it holds."""

        def after_a_tick() -> object:
            self.tick()
            return ask()

        wait_until(after_a_tick, what, within_s, every_s=0.3)

    def close(self) -> None:
        self.running.close()

    # what users do and see

    def namespace(self, name: str) -> str:
        self.admin.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        wait_until(lambda: self.admin.answer("GET", account).status == 200, f"{name}'s service account")
        return name

    def workload(self, namespace: str, name: str = "web", replicas: int = 2, **spec: Any) -> None:
        """Under Scale, alone on a Deployment of the same name whose pods have a node of their own kind."""
        made = deployment(name, replicas, None)
        self.admin.create(DEPLOYMENTS.format(namespace), made)
        self.autoscaler(namespace, name, **spec)

    def autoscaler(self, namespace: str, name: str = "web", **spec: Any) -> None:
        demand = {
            "name": "load", "source": "prod", "query": f'sum(load{{of="{namespace}/{name}"}})',
            "capacity": {"perReplica": "10"},
        }  # fmt: skip
        given: dict[str, Any] = {
            "actuation": "Scale", "acknowledge": ["NoReactiveBackup"], "behavior": FREE, "demands": [demand],
            "lead": {"ready": "5s"},
        }  # fmt: skip
        made = autoscaler(name, **given | spec)
        self.admin.apply(f"{GROUP}/namespaces/{namespace}/predictiveautoscalers/{name}", made, "kubectl", force=True)

    def policy(self, name: str, namespace: str, **spec: Any) -> None:
        given = {"selector": {"namespaces": [namespace]}, **spec}
        made = {**HEAD, "kind": "GuardPolicy", "metadata": {"name": name}, "spec": given}
        self.admin.apply(f"{GROUP}/guardpolicies/{name}", made, "kubectl", force=True)

    def status(self, namespace: str, name: str = "web") -> dict[str, Any]:
        path = f"{GROUP}/namespaces/{namespace}/predictiveautoscalers/{name}"
        return self.admin.get(path).get("status") or {}

    def condition(self, namespace: str, kind: str, name: str = "web") -> dict[str, Any]:
        found = self.status(namespace, name).get("conditions") or []
        return next((c for c in found if c["type"] == kind), {})

    def words(self, namespace: str, name: str = "web") -> str:
        return json.dumps(self.status(namespace, name))

    def replicas(self, namespace: str, name: str = "web") -> int:
        return int(self.admin.get(f"{DEPLOYMENTS.format(namespace)}/{name}")["spec"]["replicas"])

    def events(self, namespace: str) -> set[str]:
        found = self.admin.get(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")["items"]
        return {e["reason"] for e in found if e["regarding"].get("kind") == "PredictiveAutoscaler"}


@contextmanager
def operated(plane: ControlPlane, folder: Path, url: str | None = None) -> Iterator[Operated]:
    one = Operated(plane, folder, url)
    try:
        yield one
    finally:
        one.close()
