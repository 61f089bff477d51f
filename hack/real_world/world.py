"""The worlds on one real control plane: in a namespace each the same Deployment, and what scales it.

One Prometheus feeds the HPAs (as an adapter would), KEDA and Foresail: while it is away, all of them are blind.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from autoscaler.adapters.kubernetes.objects import GROUP
from hack.real_world.constants import STEP_S, Constants
from hack.real_world.demand import DemandServer, SceneClock, prometheus
from hack.real_world.installed import Installed
from hack.real_world.metrics import SharedMetrics
from hack.real_world.scene import Scene
from hack.real_world.twin import begins_with
from hack.real_world.worlds import APP, Scaler, World, autoscaler, hpa, keda, policy, source
from tests.real.commands import Settings
from tests.real.controlplane import ControlPlane
from tests.real.keda import Keda
from tests.real.kwok_stages import stages
from tests.real.manifests import deployment
from tests.real.parts import require_part
from tests.real.prometheus import Prometheus
from tests.real.rest import Rest
from tests.real.servers import wait_until

SCRAPED_WITHIN_S = 20.0
QUICK = ("--kube-api-qps=300", "--kube-api-burst=600", "--concurrent-deployment-syncs=10")
"""At the client limits of a controller in real time, a hundred pods would take a minute of the demand's time."""


@dataclass(slots=True)
class Stage:
    """Everything that runs. Use as a context manager: what was started ends, however the block ends."""

    scene: Scene
    constants: Constants
    folder: Path
    worlds: Sequence[World]
    record: Path | None = None
    """Folder of the record, in the place of the operator's volume; None = in `folder`."""
    clock: SceneClock = field(init=False)
    plane: ControlPlane = field(init=False)
    demand: DemandServer = field(init=False)
    prometheus: Prometheus = field(init=False)
    foresail: Installed = field(init=False)
    admin: Rest = field(init=False)
    keda: Keda | None = None
    metrics: SharedMetrics | None = None
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
        if self.keda is not None:
            self.keda.stop()
        self.plane.stop()
        if self.metrics is not None:
            self.metrics.close()
        self.prometheus.stop()
        self.demand.close()

    def begin(self) -> None:
        """Time begins to run, by the clock of `foresail operator`."""
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

    @property
    def served(self) -> list[World]:
        return [world for world in self.worlds if world.served]

    def statuses(self) -> dict[str, dict[str, Any]]:
        """What the operator tells of each workload that it decides about."""
        return {w.name: self.admin.get(_path_of(w)).get("status") or {} for w in self.served}

    def _settings(self) -> Settings:
        return Settings(
            hpa_sync=f"{self.constants.real(self.constants.sync_s):g}s",
            kwok_config=stages(round(self.constants.real(self.constants.ready_s) * 1000)),
            controller_flags=QUICK,
        )

    def _furnish(self) -> None:
        self.admin = self.plane.rest()
        wait_until(lambda: self.demand.scrapes > 0, "the first scrape", SCRAPED_WITHIN_S)
        theirs = frozenset(w.name for w in self.worlds if w.scaler is Scaler.KEDA)
        if theirs:
            self.keda = Keda(self.plane)
            self.keda.start(registered=False)
        self.metrics = SharedMetrics(self.folder / "metrics", self.keda, theirs, self.admin)
        self.metrics.serve(self._metric, None)
        for world in self.worlds:
            self._build(world)
        self._install()
        for world in self.worlds:
            count = begins_with(self.scene, self.constants, world.target)
            within_s = 30 + self.constants.real(self.constants.ready_s)
            wait_until(lambda w=world, n=count: self._settled(w, n), f"{world.name} stands at {count}", within_s, 0.5)  # type: ignore[misc]

    def _metric(self, namespace: str, metric: str) -> float:
        if self.dark:
            raise ConnectionError(f"{namespace}/{metric}: no answer from Prometheus")
        return self.demand.last_minute()

    def _build(self, world: World) -> None:
        """What is there without us."""
        scene, constants, ns = self.scene, self.constants, world.name
        self.admin.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}})
        account = f"/api/v1/namespaces/{ns}/serviceaccounts/default"
        wait_until(lambda: self.admin.answer("GET", account).status == 200, f"{ns}'s service account")
        count = begins_with(scene, constants, world.target)
        self.admin.create(f"/apis/apps/v1/namespaces/{ns}/deployments", deployment(APP, count))
        if world.scaler is Scaler.KEDA:
            made = keda(scene, constants, world, self.prometheus.url)
            self.admin.create(f"/apis/keda.sh/v1alpha1/namespaces/{ns}/scaledobjects", made)
            path = f"{_hpas(ns)}/{world.hpa}"
            wait_until(lambda: self.admin.answer("GET", path).status == 200, "KEDA makes its HPA", 20)
        elif world.hpa is not None:
            self.admin.create(_hpas(ns), hpa(scene, constants, world))

    def _install(self) -> None:
        """The chart, then what platform, SREs and teams apply; the operator itself does not run yet."""
        served, constants = self.served, self.constants
        record = self.record or self.folder / "record"
        self.foresail = Installed(self.plane, self.folder, self.clock, constants, record.resolve())
        self.foresail.install({"most.yaml": policy("most", served, max=constants.maximum)})
        self._apply("metricssources", source(self.prometheus.url, served))
        self._apply("guardpolicies", policy("least", served, min=constants.minimum))
        for world in served:
            made = autoscaler(self.scene, constants, world)
            self._apply(f"namespaces/{world.name}/predictiveautoscalers", made)

    def _apply(self, where: str, made: dict[str, Any]) -> None:
        path = f"{GROUP}/{where}"
        wait_until(lambda: self.admin.answer("GET", path).status == 200, f"{made['kind']} is served", 20)
        self.admin.apply(f"{path}/{made['metadata']['name']}", made, "kubectl")

    def _settled(self, world: World, count: int) -> bool:
        status = self.admin.get(f"/apis/apps/v1/namespaces/{world.name}/deployments/{APP}")["status"]
        return bool(status.get("readyReplicas", 0) == count)


def _hpas(namespace: str) -> str:
    return f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers"


def _path_of(world: World) -> str:
    return f"{GROUP}/namespaces/{world.name}/predictiveautoscalers/{APP}"
