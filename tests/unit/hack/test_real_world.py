"""The harness of comparisons on real servers: what it counts, without any server."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from hack.real_world.constants import Constants
from hack.real_world.demand import DemandServer, SceneClock
from hack.real_world.installed import Pod
from hack.real_world.proof import Found, _judge
from hack.real_world.report import Row, contradictions, twins
from hack.real_world.samples import Figures, Sample
from hack.real_world.scene import Scene, sale_day
from hack.real_world.worlds import autoscaler, average, four_worlds, hpa, keda

ALONE, FLOOR, KEDA, SCALE = four_worlds()


@pytest.fixture
def scene() -> Scene:
    return Scene("flat", 1000, 1010, 1012, 1020, np.arange(20.0), 10.0)


def test_a_scale_at_which_the_hpa_would_need_parts_of_seconds_is_refused():
    assert Constants(speed=15).real_behavior["scaleDown"]["stabilizationWindowSeconds"] == 20
    with pytest.raises(ValueError, match="no whole number"):
        Constants(speed=20)


def test_both_sides_count_what_starts_as_well_as_what_serves():
    samples = [Sample(0, 10, 1, 1, 1), Sample(15, 15, 1, 2, 2), Sample(30, 15, 2, 2, 2), Sample(45, 15, 2, 2, 2)]
    assert Figures.of(samples, 10.0, 900) == Figures(15.0, 1.75, 1.5, 9.091, 2, 1.0)


def test_the_rate_of_the_counter_over_a_minute_is_the_minutes_demand(scene):
    clock = SceneClock(scene.start_step * 60.0, 15)
    server = DemandServer(scene, clock)
    try:
        rate = (server.total(1015.9 * 60) - server.total(1015.2 * 60)) / (0.7 * 60)
        assert rate == pytest.approx(15.0)
        assert server.last_minute() == 9.0
        ((times, values),) = server.history().values()
        assert max(times) < scene.start_step * 60
        assert values == sorted(values)
    finally:
        server.close()


def test_what_falls_in_the_dark_or_below_what_was_found_is_told(scene):
    found = Found(scene, Constants())
    found.deaths = {"prometheus": (0.0, 60.0), "foresail": (120.0, 150.0)}
    floors = [9, 9, 8, 8, 8, 8, 8, 8, 8, 8, 8, 12, 8, 7]
    found.samples = {FLOOR.name: [Sample(15.0 * k, 1, 9, 9, floor) for k, floor in enumerate(floors)]}
    _judge(found, [FLOOR])
    assert found.shrunk == ["with-foresail: floor 9 → 8 after 00:00:15"]
    assert found.fallen == ["with-foresail: floor 7 below 8 at 00:03:15"]


def test_in_the_twin_a_sale_that_has_happened_before_is_foreseen():
    rows = twins(sale_day(warm=4, minutes=20), Constants(ready_s=180), four_worlds())
    assert rows[ALONE.name].short_minutes >= 3
    assert rows[FLOOR.name].short_minutes == 0
    assert rows[FLOOR.name].replica_hours > rows[ALONE.name].replica_hours
    assert rows[SCALE.name].short_minutes < rows[ALONE.name].short_minutes
    assert rows[SCALE.name].replica_hours < rows[ALONE.name].replica_hours


def test_in_the_twin_kedas_hpa_is_an_hpa():
    rows = twins(sale_day(warm=4, minutes=20), Constants(ready_s=180), [ALONE, KEDA])
    assert rows[KEDA.name] == rows[ALONE.name]


def test_two_orders_contradict_each_other_only_where_the_worlds_are_clearly_apart():
    def rows(*hours: float) -> dict[str, Row]:
        return {name: Row(0.0, h, h, 9, 0.0) for name, h in zip("abc", hours, strict=True)}

    real, near = rows(100, 110, 100.5), 1.0
    assert contradictions(real, rows(101, 120, 100.9), "replica_hours", near) == []
    assert contradictions(real, rows(100, 100, 100), "replica_hours", near) == []
    assert contradictions(real, rows(110, 100, 112), "replica_hours", near) == [
        "replica_hours: b less a is +10 on real servers, -10 in the simulator",
        "replica_hours: c less b is -9.5 on real servers, +12 in the simulator",
    ]


def test_who_writes_what_for_the_four_worlds(scene):
    constants = Constants()
    target = average(scene, KEDA)
    made = keda(scene, constants, KEDA, "http://prometheus")["spec"]
    assert made["triggers"][0]["metadata"]["threshold"] == f"{target:g}"
    assert hpa(scene, constants, ALONE)["spec"]["behavior"] == constants.real_behavior
    assert made["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == constants.real_behavior
    spec = autoscaler(scene, constants, SCALE)["spec"]
    assert (spec["actuation"], spec["acknowledge"]) == ("Scale", ["NoReactiveBackup"])
    assert [w.hpa for w in four_worlds()] == ["web", "web", "keda-hpa-web", None]


class Plane:
    """What the installed release looks like from the API server."""

    mounts = (("store", "/var/lib/foresail"), ("tmp", "/tmp"), ("policies", "/etc/foresail/policies"))  # noqa: S108
    args = ("operator", "--in-cluster", "--listen=0.0.0.0:9464", "--store=/var/lib/foresail/foresail.db",
            "--policies=/etc/foresail/policies", "--site=/tmpfs")  # fmt: skip

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def rest(self) -> Plane:
        return self

    def get(self, path: str) -> dict[str, Any]:
        if path.endswith("configmaps/rules"):
            return {"data": {"most.yaml": "kind: GuardPolicy"}}
        env = [
            {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "LEVEL", "value": "debug"},
        ]
        mounts = [{"name": name, "mountPath": place} for name, place in self.mounts]
        kinds: dict[str, dict[str, Any]] = {
            "store": {"persistentVolumeClaim": {}},
            "tmp": {},
            "policies": {"configMap": {"name": "rules"}},
        }
        volumes = [{"name": name, **kind} for name, kind in kinds.items()]
        containers = [{"args": list(self.args), "env": env, "volumeMounts": mounts}]
        spec = {"serviceAccountName": "foresail", "containers": containers, "volumes": volumes}
        return {"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": spec}}}

    def pods(self, namespace: str, selector: str) -> list[dict[str, Any]]:
        return [{"metadata": {"name": f"{namespace}-0-{selector}"}}]

    def service_account_token(self, namespace: str, name: str, expires_s: int) -> str:
        return f"{namespace}/{name} for {expires_s} s"

    def kubeconfig_for(self, token: Path) -> Path:
        return token.with_suffix(".kubeconfig")


def test_the_process_gets_what_its_pod_would_have_had(tmp_path):
    pod = Pod(cast("Any", Plane(tmp_path)), tmp_path / "pod", tmp_path / "record")
    assert pod.arguments(1234) == [
        "operator", f"--kubeconfig={tmp_path}/pod/token.kubeconfig", "--listen=127.0.0.1:1234",
        f"--store={tmp_path}/record/foresail.db", f"--policies={tmp_path}/pod/policies", "--site=/tmpfs",
    ]  # fmt: skip
    assert (tmp_path / "pod" / "token").read_text() == "foresail/foresail for 14400 s"
    assert (tmp_path / "pod" / "policies" / "most.yaml").read_text() == "kind: GuardPolicy"
    env = pod.environment()
    assert (env["POD_NAMESPACE"], env["POD_NAME"], env["LEVEL"]) == ("foresail", "foresail-0-a=b", "debug")
