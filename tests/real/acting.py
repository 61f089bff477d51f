"""The product's write path on a real API server, as the product's own user with the rights it asks for and no more."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.adapters.kubernetes.cluster import KubernetesCluster
from autoscaler.adapters.kubernetes.connection import Access, Connection
from autoscaler.adapters.kubernetes.permissions import Rule, needed
from autoscaler.domain.decision import Decision
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.replicas import ReplicaStatus, ScaleRequest
from autoscaler.domain.series import DataVerdict, SeriesBatch
from autoscaler.domain.workload import Actuation, Demand, Lead, Mode, Target, Workload, WorkloadRef
from autoscaler.forecasting.naive import LastValue
from autoscaler.forecasting.serving import PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.intake.history import History
from autoscaler.pipeline.tick import Pipeline
from tests.real.commands import FORESAIL
from tests.real.controlplane import ControlPlane
from tests.real.parts import require_part
from tests.real.servers import wait_until
from tests.real.ticking import AT_ONCE, Kept

HPAS = "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers/{}"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments/{}"


@dataclass
class MovedClock:
    """The machine's time, and what a test adds to it."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Offered:
    """Implements ports.MetricsReader: the same demand at every step; None = the source is down."""

    demand: float | None = 100.0

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        shape = (len(demands), end_step - first_step)
        if self.demand is None:
            return SeriesBatch.judge(step_s, first_step, np.full(shape, np.nan), DataVerdict.UNREACHABLE)
        return SeriesBatch.judge(step_s, first_step, np.full(shape, self.demand))


@dataclass
class Acting:
    """One workload `web` in a namespace of its own, and the real cluster as the product sees it."""

    plane: ControlPlane
    namespace: str
    actuation: Actuation = Actuation.HPA_FLOOR
    mode: Mode = Mode.ACT
    target: Target = field(default_factory=lambda: Target("apps/v1", "Deployment", "web"))
    plural: str = "deployments"
    installation: str = "foresail"
    grant: bool = True
    url: str | None = None
    clock: MovedClock = field(default_factory=MovedClock)
    more: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.admin = self.plane.rest()
        self.fleet = Fleet((self.workload(),))
        if self.grant:
            self.allow(needed(self.workload(), self.plural, keda=self.actuation is Actuation.KEDA_FLOOR))
        kubeconfig = self.plane.kubeconfig(FORESAIL, self.url)
        self.cluster = KubernetesCluster(Connection(Access(kubeconfig)), self.installation, self.clock)
        self.kept = Kept()
        self.offered = Offered()
        self._pipeline: Pipeline | None = None

    def workload(self, **changes: Any) -> Workload:
        given: dict[str, Any] = {
            "min_replicas": 1, "max_replicas": 40, "lead": Lead(0.0), "mode": self.mode, "actuation": self.actuation,
            "scale_up": AT_ONCE, "scale_down": AT_ONCE, "max_data_age_s": 600.0,
        }  # fmt: skip
        ref = WorkloadRef(self.namespace, "web")
        return Workload(
            ref=ref, target=self.target, demands=(Demand("load", "prom", "q", 10.0),), **(given | self.more | changes)
        )

    def allow(self, rules: Any) -> None:
        """Exactly these rules, and wait until the API server knows them."""
        told = list(rules)
        self.plane.grant(FORESAIL, [rule.as_rule() for rule in told], self.namespace)
        mine = self.plane.rest(FORESAIL)
        wait_until(lambda: all(_allowed(mine, self.namespace, r) for r in told), "the product's rights work")

    # what the product does

    def look(self) -> ReplicaStatus:
        return self.cluster.observe(self.fleet)

    def notes(self) -> list[Note]:
        return list(self.look().notes.get(0, ()))

    def told(self, condition: Condition) -> str:
        """The words of the one note with this condition."""
        found = self.notes()
        words = [n.words for n in found if n.condition is condition]
        assert len(words) == 1, found
        return words[0]

    def write(self, replicas: int, *, expires_in_s: float = 30.0, instead_of: int | None = None) -> Note:
        """Look, then write, as a tick does."""
        seen = self.look()
        current = int((seen.floor if self.fleet.is_floor[0] else seen.desired)[0])
        now_s = self.clock.now().timestamp()
        request = ScaleRequest(0, replicas, now_s + expires_in_s, current if instead_of is None else instead_of)
        (note,) = self.cluster.apply(self.fleet, [request], now_s)[0]
        return note

    def tick(self, demand: float | None, **changes: Any) -> Decision:
        """The whole pipeline a minute later, with `demand` at every step of the past that is read."""
        self.clock.ahead += timedelta(minutes=1)
        if self._pipeline is None:
            server = PeakServer((LastValue(),))
            self._pipeline = Pipeline(self.offered, self.cluster, self.kept, History(60, 400), server, CHAIN)
        if changes:
            self.fleet = Fleet((replace(self.fleet.workloads[0], **changes),))
        self.offered.demand = demand
        return self._pipeline.tick(self.fleet, self.clock.now())[0]

    # what its owners do and see

    def create(self, made: dict[str, Any], group: str = "apps/v1", plural: str = "deployments") -> Any:
        return self.admin.create(f"/apis/{group}/namespaces/{self.namespace}/{plural}", made)

    def kubectl(self, *words: str, given: Any = None, check: bool = True) -> str:
        done = subprocess.run(
            [str(require_part("kubectl")), "-n", self.namespace, *words],
            env={**os.environ, "KUBECONFIG": str(self.plane.kubeconfig())},
            input=None if given is None else json.dumps(given),
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    @property
    def hpa(self) -> dict[str, Any]:
        found: dict[str, Any] = self.admin.get(HPAS.format(self.namespace, "web"))
        return found

    @property
    def floor(self) -> int:
        return int(self.hpa["spec"]["minReplicas"])

    @property
    def floor_owners(self) -> set[str]:
        entries = self.hpa["metadata"]["managedFields"]
        return {e["manager"] for e in entries if "f:minReplicas" in e["fieldsV1"].get("f:spec", {})}

    @property
    def replicas(self) -> int:
        return int(self.admin.get(DEPLOYMENTS.format(self.namespace, "web"))["spec"]["replicas"])

    def until(self, replicas: int, within_s: float = 30.0) -> None:
        wait_until(lambda: self.replicas == replicas, f"the target has {replicas} replicas", within_s)

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """Every mutating call of the product, refused ones too."""
        return self.plane.writes(FORESAIL, namespace=self.namespace)

    @property
    def writes(self) -> list[dict[str, Any]]:
        """Without those that lost the race for a resource version: a controller may write a status at any moment."""
        return [write for write in self.attempts if write["responseStatus"]["code"] != 409]


def _allowed(mine: Any, namespace: str, rule: Rule) -> bool:
    resource, _, sub = rule.resource.partition("/")
    for verb in rule.verbs:
        about = {
            "namespace": namespace, "verb": verb, "group": rule.group, "resource": resource, "subresource": sub,
        }  # fmt: skip
        asked = mine.create(
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            {
                "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": about},
            },
        )  # fmt: skip
        if not asked["status"]["allowed"]:
            return False
    return True


def fleet_file(folder: Path, namespace: str, prometheus: str, **spec: Any) -> Path:
    """A fleet of one workload `web`, as a user writes it; `spec` overrides top-level fields."""
    given: dict[str, Any] = {
        "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "mode": "Act",
        "demands": [{"name": "load", "source": "prod", "query": "sum(load)", "capacity": {"perReplica": "10"}}],
        "replicas": {"min": 1, "max": 40},
    }
    source = {
        "apiVersion": "foresail.dev/v1alpha1", "kind": "MetricsSource", "metadata": {"name": "prod"},
        "spec": {"prometheus": {"url": prometheus}},
    }  # fmt: skip
    autoscaler = {
        "apiVersion": "foresail.dev/v1alpha1", "kind": "PredictiveAutoscaler",
        "metadata": {"name": "web", "namespace": namespace}, "spec": given | spec,
    }  # fmt: skip
    path = folder / "fleet.yaml"
    path.write_text(f"{json.dumps(source)}\n---\n{json.dumps(autoscaler)}\n")
    return path
