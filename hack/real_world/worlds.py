"""The worlds that are compared, a namespace each, and what users write for them, as documents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hack.real_world.constants import Constants
from hack.real_world.demand import NEWEST_QUERY, QUERY
from hack.real_world.scene import Scene
from tests.real.keda import scaled_object
from tests.real.manifests import hpa_external

APP = "web"
METRIC = "requests"
SOURCE = "prod"
HEAD = {"apiVersion": "foresail.dev/v1alpha1"}
KEDA_POLL_S = 30


class Scaler(StrEnum):
    HPA = "HPA"
    FLOOR = "HPA and our floor"
    KEDA = "KEDA"
    SCALE = "we alone"


@dataclass(frozen=True, slots=True)
class World:
    """target: percent of a replica's capacity that the HPA, or KEDA's, aims at; it says too with how many it begins."""

    name: str
    scaler: Scaler
    target: int = 70

    @property
    def served(self) -> bool:
        """Foresail decides about it."""
        return self.scaler in {Scaler.FLOOR, Scaler.SCALE}

    @property
    def hpa(self) -> str | None:
        """The name of its HPA, whoever made it."""
        return {Scaler.SCALE: None, Scaler.KEDA: f"keda-hpa-{APP}"}.get(self.scaler, APP)


def four_worlds(target: int = 70) -> list[World]:
    """The same headroom for all that react."""
    return [
        World("hpa-alone", Scaler.HPA, target),
        World("with-foresail", Scaler.FLOOR, target),
        World("with-keda", Scaler.KEDA, target),
        World("foresail-scale", Scaler.SCALE, target),
    ]


def average(scene: Scene, world: World) -> float:
    """Demand per replica that an HPA aims at, KEDA's threshold too."""
    return scene.capacity * world.target / 100


def hpa(scene: Scene, constants: Constants, world: World) -> dict[str, Any]:
    aim = average(scene, world)
    return hpa_external(APP, constants.minimum, constants.maximum, METRIC, aim, constants.real_behavior)


def keda(scene: Scene, constants: Constants, world: World, prometheus: str) -> dict[str, Any]:
    """The same target and behavior as the HPA's. A query without an answer is an error to it and not zero demand, as
    nobody would want it: KEDA's own default makes a Prometheus that has just started a reason to shrink.
    """
    behavior = {"horizontalPodAutoscalerConfig": {"behavior": constants.real_behavior}}
    made = scaled_object(
        APP, constants.minimum, constants.maximum, prometheus, NEWEST_QUERY, average(scene, world),
        advanced=behavior, pollingInterval=round(constants.real(KEDA_POLL_S)),
    )  # fmt: skip
    made["spec"]["triggers"][0]["metadata"]["ignoreNullValues"] = "false"
    return made


def source(url: str, served: Iterable[World]) -> dict[str, Any]:
    allowed = [world.name for world in served]
    spec = {"allowedNamespaces": allowed, "prometheus": {"url": url}}
    return {**HEAD, "kind": "MetricsSource", "metadata": {"name": SOURCE}, "spec": spec}


def policy(name: str, served: Iterable[World], **limits: int) -> dict[str, Any]:
    """Limits of the replicas, the same that each workload has: policies are in force and change no comparison."""
    spec = {"selector": {"namespaces": [world.name for world in served]}, "limits": {"replicas": limits}}
    return {**HEAD, "kind": "GuardPolicy", "metadata": {"name": name}, "spec": spec}


def autoscaler(scene: Scene, constants: Constants, world: World) -> dict[str, Any]:
    alone = world.scaler is Scaler.SCALE
    capacity = {"perReplica": f"{scene.capacity:.9g}"}
    return {
        **HEAD,
        "kind": "PredictiveAutoscaler",
        "metadata": {"name": APP, "namespace": world.name},
        "spec": {
            "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": APP},
            "mode": "Act",
            "actuation": "Scale" if alone else "HpaFloor",
            **({"acknowledge": ["NoReactiveBackup"]} if alone else {}),
            "demands": [{"name": METRIC, "source": SOURCE, "query": QUERY, "capacity": capacity}],
            "objective": {"risk": constants.risk},
            "replicas": {"min": constants.minimum, "max": constants.maximum},
            "lead": {"ready": f"{constants.ready_s}s"},
        },
    }
