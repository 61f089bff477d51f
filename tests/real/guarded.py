"""Workloads of one namespace under a policy file, on a real API server: read, decided and written by the product."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.adapters.kubernetes.cluster import KubernetesCluster
from autoscaler.adapters.kubernetes.connection import Access, Connection
from autoscaler.adapters.kubernetes.permissions import needed
from autoscaler.domain.decision import Decision, Decisions
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import DataVerdict, SeriesBatch
from autoscaler.domain.workload import Demand
from autoscaler.forecasting.naive import LastValue
from autoscaler.forecasting.serving import PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.intake.history import History
from autoscaler.pipeline.tick import Pipeline
from autoscaler.ports.metrics import MetricsReader
from autoscaler.spec.reader import load
from tests.real.acting import MovedClock, _allowed
from tests.real.commands import FORESAIL
from tests.real.controlplane import ControlPlane
from tests.real.manifests import deployment
from tests.real.servers import wait_until
from tests.real.ticking import Kept

HEAD = "apiVersion: foresail.dev/v1alpha1\nkind: "
SOURCE = f"{HEAD}MetricsSource\nmetadata: {{name: prod}}\nspec: {{prometheus: {{url: 'http://localhost:9'}}}}\n"
AT_ONCE = {
    "scaleUp": {"policies": [{"type": "Percent", "value": 1000, "periodSeconds": 15}]},
    "scaleDown": {
        "stabilizationWindowSeconds": 0,
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
    },
}
"""What a workload says of itself: all steps are free, so that only the policies bind."""


def policy(name: str = "shop", selector: str = "{matchLabels: {tier: web}}", **parts: str) -> str:
    """A GuardPolicy as a user writes it; parts in YAML: limits="{replicas: {max: 9}}"."""
    lines = "".join(f"  {key}: {value}\n" for key, value in ({"selector": selector} | parts).items())
    return f"{HEAD}GuardPolicy\nmetadata: {{name: {name}}}\nspec:\n{lines}"


def autoscaler(name: str, namespace: str, labels: Mapping[str, str], **spec: Any) -> str:
    """Ten units of demand a replica; alone on its Deployment unless `spec` says another actuation."""
    given: dict[str, Any] = {
        "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "mode": "Act", "actuation": "Scale", "acknowledge": ["NoReactiveBackup"],
        "demands": [{"name": "load", "source": "prod", "query": name, "capacity": {"perReplica": "10"}}],
        "replicas": {"min": 1, "max": 1000}, "behavior": AT_ONCE, "lead": {"ready": "1s"},
    }  # fmt: skip
    head = {"apiVersion": "foresail.dev/v1alpha1", "kind": "PredictiveAutoscaler"}
    meta = {"name": name, "namespace": namespace, "labels": {"tier": "web", **labels}}
    return json.dumps(head | {"metadata": meta, "spec": given | spec}) + "\n"


@dataclass
class Said:
    """Implements ports.MetricsReader: by query the same demand at every step; None = the source is down."""

    demand: Mapping[str, float] | float | None = 100.0

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        shape = (len(demands), end_step - first_step)
        if self.demand is None:
            return SeriesBatch.judge(step_s, first_step, np.full(shape, np.nan), DataVerdict.UNREACHABLE)
        told = self.demand
        each = [told if isinstance(told, (int, float)) else told.get(d.query, np.nan) for d in demands]
        return SeriesBatch.judge(step_s, first_step, np.broadcast_to(np.array(each)[:, None], shape).copy())


@dataclass
class Estate:
    """labels: by workload. replicas: at the start. Deployments are paused: their counts are real, and no pods run."""

    plane: ControlPlane
    namespace: str
    folder: Path
    labels: Mapping[str, Mapping[str, str]]
    replicas: int = 10
    reader: MetricsReader | None = None
    step_s: int = 60
    spec: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = MovedClock()
        self.said = Said()
        self.admin = self.plane.rest()
        (self.folder / "source.yaml").write_text(SOURCE)
        fleet = (autoscaler(n, self.namespace, labels, **self.spec) for n, labels in self.labels.items())
        (self.folder / "fleet.yaml").write_text("---\n".join(fleet))
        self.obey(policy(limits="{replicas: {max: 1000}}"))
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._create, self.labels))
        rules = list(needed(self.fleet.workloads[0], "deployments", keda=False))
        self.plane.grant(FORESAIL, [r.as_rule() for r in rules], self.namespace)
        mine = self.plane.rest(FORESAIL)
        wait_until(lambda: all(_allowed(mine, self.namespace, r) for r in rules), "the product's rights work")
        self.cluster = KubernetesCluster(Connection(Access(self.plane.kubeconfig(FORESAIL))), "foresail", self.clock)
        server = PeakServer((LastValue(),))
        self.kept = Kept()
        reader = self.reader or self.said
        self.pipeline = Pipeline(reader, self.cluster, self.kept, History(self.step_s, 400), server, CHAIN)

    def obey(self, *policies: str) -> None:
        """Write the file of policies anew, and read all files as a service does when they change."""
        (self.folder / "policies.yaml").write_text("---\n".join(policies))
        self.fleet = Fleet(load([self.folder]).compile())

    def tick(self, demand: Mapping[str, float] | float | None, ahead_s: float = 60.0) -> Decisions:
        """One decision for all, `ahead_s` later by the product's clock, written to the cluster."""
        self.clock.ahead += timedelta(seconds=ahead_s)
        self.said.demand = demand
        return self.pipeline.tick(self.fleet, self.clock.now())

    def one(self, demand: float | None, ahead_s: float = 60.0) -> Decision:
        return self.tick(demand, ahead_s)[0]

    def at(self, ahead_s: float) -> datetime:
        """A moment of the product's clock, from now."""
        return self.clock.now() + timedelta(seconds=ahead_s)

    @property
    def sizes(self) -> dict[str, int]:
        """What the API server has, by workload."""
        found = self.admin.get(f"/apis/apps/v1/namespaces/{self.namespace}/deployments")["items"]
        return {d["metadata"]["name"]: int(d["spec"]["replicas"]) for d in found}

    def _create(self, name: str) -> None:
        made = deployment(name, self.replicas)
        made["spec"]["paused"] = True
        self.admin.create(f"/apis/apps/v1/namespaces/{self.namespace}/deployments", made)
