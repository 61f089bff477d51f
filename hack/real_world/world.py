"""The worlds on one real control plane: in a namespace each the same Deployment, under the HPA alone or with our floor.

One Prometheus feeds both the HPAs (as an adapter would) and Foresail: while it is away, all of them are blind.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from autoscaler.adapters.kubernetes.permissions import needed
from hack.real_world.constants import STEP_S, Constants
from hack.real_world.demand import QUERY, DemandServer, SceneClock, prometheus
from hack.real_world.scene import Scene
from hack.real_world.service import ForesailRun
from hack.real_world.twin import begins_with, workload
from tests.real.commands import FORESAIL, Settings
from tests.real.controlplane import ControlPlane
from tests.real.kwok_stages import stages
from tests.real.manifests import deployment, hpa_external
from tests.real.parts import require_part
from tests.real.prometheus import Prometheus
from tests.real.rest import Rest
from tests.real.servers import wait_until

APP = "web"
METRIC = "requests"
SCRAPED_WITHIN_S = 20.0
QUICK = ("--kube-api-qps=300", "--kube-api-burst=600", "--concurrent-deployment-syncs=10")
"""At the client limits of a controller in real time, a hundred pods would take a minute of the demand's time."""


@dataclass(frozen=True, slots=True)
class World:
    """hpa_target: percent. served: our floor is under the HPA."""

    name: str
    hpa_target: int
    served: bool


def usual_worlds(constants: Constants) -> tuple[World, World]:
    return (
        World("hpa-alone", constants.hpa_target, served=False),
        World("with-foresail", constants.floor_hpa_target, served=True),
    )


@dataclass(slots=True)
class Stage:
    """Everything that runs. Use as a context manager: what was started ends, however the block ends."""

    scene: Scene
    constants: Constants
    folder: Path
    worlds: Sequence[World]
    clock: SceneClock = field(init=False)
    plane: ControlPlane = field(init=False)
    demand: DemandServer = field(init=False)
    prometheus: Prometheus = field(init=False)
    foresail: ForesailRun = field(init=False)
    admin: Rest = field(init=False)
    dark: bool = False
    """Prometheus is away."""

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.clock = SceneClock(float(self.scene.start_step * STEP_S), self.constants.speed)
        self.demand = DemandServer(self.scene, self.clock)
        self.prometheus = prometheus(self.folder / "prometheus", self.demand)
        self.plane = ControlPlane(self.folder / "control-plane", self._settings())
        try:
            self.prometheus.start()
            self.plane.start()
            self._furnish()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        with suppress(AttributeError):  # not made yet
            self.foresail.end()
        self.plane.stop()
        self.prometheus.stop()
        self.demand.close()

    def begin(self) -> None:
        """Time begins to run, by the clock of `foresail run`."""
        self.foresail.start()

    def blind(self) -> None:
        """Prometheus gets a SIGKILL."""
        self.dark = True
        self.prometheus.kill()

    def see_again(self) -> None:
        self.prometheus.start()
        scrapes = self.demand.scrapes
        wait_until(lambda: self.demand.scrapes > scrapes, "Prometheus scrapes again", SCRAPED_WITHIN_S)
        self.dark = False

    def kubectl(self, *words: str) -> str:
        """What an operator sees, as admin."""
        command = [str(require_part("kubectl")), "--kubeconfig", str(self.plane.kubeconfig()), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout + done.stderr

    def _settings(self) -> Settings:
        return Settings(
            hpa_sync=f"{self.constants.real(self.constants.sync_s):g}s",
            kwok_config=stages(round(self.constants.real(self.constants.ready_s) * 1000)),
            controller_flags=QUICK,
        )

    def _furnish(self) -> None:
        self.admin = self.plane.rest()
        wait_until(lambda: self.demand.scrapes > 0, "the first scrape", SCRAPED_WITHIN_S)
        self.plane.serve_external_metrics(self._metric)
        for world in self.worlds:
            self._build(world)
        for world in self.worlds:
            count = begins_with(self.scene, self.constants, world.hpa_target)
            within_s = 30 + self.constants.real(self.constants.ready_s)
            wait_until(lambda w=world, n=count: self._settled(w, n), f"{world.name} stands at {count}", within_s, 0.5)  # type: ignore[misc]
        fleet = self.folder / "fleet.yaml"
        fleet.write_text(self._fleet())
        kubeconfig = self.plane.kubeconfig(FORESAIL)
        self.foresail = ForesailRun(self.folder, fleet, kubeconfig, self.clock, self.constants.tick_s)

    def _metric(self, namespace: str, metric: str) -> float:
        if self.dark:
            raise ConnectionError(f"{namespace}/{metric}: no answer from Prometheus")
        return self.demand.last_minute()

    def _build(self, world: World) -> None:
        constants, ns = self.constants, world.name
        self.admin.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}})
        account = f"/api/v1/namespaces/{ns}/serviceaccounts/default"
        wait_until(lambda: self.admin.answer("GET", account).status == 200, f"{ns}'s service account")
        count = begins_with(self.scene, constants, world.hpa_target)
        self.admin.create(f"/apis/apps/v1/namespaces/{ns}/deployments", deployment(APP, count))
        aim = self.scene.capacity * world.hpa_target / 100
        made = hpa_external(APP, constants.minimum, constants.maximum, METRIC, aim, constants.real_behavior)
        self.admin.create(f"/apis/autoscaling/v2/namespaces/{ns}/horizontalpodautoscalers", made)
        if world.served:
            load = workload(self.scene, constants, ns)
            rules = [rule.as_rule() for rule in needed(load, "deployments", keda=False)]
            self.plane.grant(FORESAIL, rules, ns)

    def _settled(self, world: World, count: int) -> bool:
        status = self.admin.get(f"/apis/apps/v1/namespaces/{world.name}/deployments/{APP}")["status"]
        return bool(status.get("readyReplicas", 0) == count)

    def _fleet(self) -> str:
        source: dict[str, Any] = {
            "apiVersion": "foresail.dev/v1alpha1", "kind": "MetricsSource", "metadata": {"name": "prod"},
            "spec": {"prometheus": {"url": self.prometheus.url}},
        }  # fmt: skip
        return "\n---\n".join(json.dumps(d) for d in (source, *map(self._autoscaler, self.worlds)) if d)

    def _autoscaler(self, world: World) -> dict[str, Any] | None:
        if not world.served:
            return None
        constants = self.constants
        capacity = {"perReplica": f"{self.scene.capacity:.9g}"}
        return {
            "apiVersion": "foresail.dev/v1alpha1",
            "kind": "PredictiveAutoscaler",
            "metadata": {"name": APP, "namespace": world.name},
            "spec": {
                "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": APP},
                "mode": "Act",
                "actuation": "HpaFloor",
                "demands": [{"name": METRIC, "source": "prod", "query": QUERY, "capacity": capacity}],
                "objective": {"risk": constants.risk},
                "replicas": {"min": constants.minimum, "max": constants.maximum},
                "lead": {"ready": f"{constants.ready_s}s"},
            },
        }
