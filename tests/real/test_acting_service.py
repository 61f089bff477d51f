"""`foresail run` and `foresail release` on real servers, as a user starts them: killed, started again, left for good.
Rows M01, M27; the real HPA under a floor that moves."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autoscaler.adapters.kubernetes.release import held, release
from autoscaler.domain.notes import Condition
from autoscaler.domain.workload import Actuation, Mode, PolicyType, ScalingRule, StepPolicy
from tests.real.acting import Acting, fleet_file
from tests.real.commands import FORESAIL, Settings
from tests.real.controlplane import ControlPlane
from tests.real.history import series
from tests.real.keda import scaled_object
from tests.real.manifests import AT_ONCE, deployment, hpa, hpa_external
from tests.real.servers import wait_until

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-m", "autoscaler"]
EVERYWHERE = [
    {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": ["get", "list", "patch"]}
]
"""What the chart grants cluster-wide: floors of a workload that nobody knows any more may be in any namespace."""


class Started:
    """`foresail run` with one-second ticks."""

    def __init__(self, folder: Path, kubeconfig: Path) -> None:
        self.folder, self.kubeconfig = folder, kubeconfig
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = ["run", "fleet.yaml", "--tick", "1s", "--step", "10s", "--listen", "off"]
        command = [*COMMAND, *words, "--kubeconfig", str(self.kubeconfig)]
        with (self.folder / "run.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0

    @property
    def log(self) -> str:
        return (self.folder / "run.log").read_text()

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [*COMMAND, *words]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def everywhere(control_plane: ControlPlane) -> Iterator[None]:
    """EVERYWHERE for the time of a test: others on this plane are about who may less."""
    binding = control_plane.grant(FORESAIL, EVERYWHERE)
    yield
    control_plane.rest().delete(binding)
    mine, path = control_plane.rest(FORESAIL), "/apis/autoscaling/v2/horizontalpodautoscalers"
    wait_until(lambda: mine.answer("GET", path).status == 403, "the right is gone")


@pytest.fixture
def started(tmp_path: Path, control_plane: Any) -> Iterator[Started]:
    one = Started(tmp_path, control_plane.kubeconfig(FORESAIL))
    yield one
    if one.process is not None and one.process.poll() is None:
        one.end()


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Where the product has rights in single namespaces only; on the shared plane tests have given it more."""
    one = ControlPlane(tmp_path_factory.mktemp("narrow"), Settings())
    one.start()
    yield one
    one.stop()


@pytest.fixture
def acting(control_plane: Any, namespace: str) -> Callable[..., Acting]:
    def make(minimum: int = 2, metric: str | None = None, **settings: Any) -> Acting:
        one = Acting(control_plane, namespace, **settings)
        one.create(deployment("web", 2))
        made = hpa("web", minimum, 30) if metric is None else hpa_external("web", minimum, 30, metric, 10, AT_ONCE)
        one.create(made, "autoscaling/v2", "horizontalpodautoscalers")
        return one

    return make


def level(load: float) -> Any:
    now = int(time.time()) // 10 * 10
    times = range(now - 4 * 3600, now + 600, 10)
    return {series("load"): (times, [load] * len(times))}


@pytest.mark.usefixtures("everywhere")
def test_M01_prometheus_and_we_die_at_the_peak_and_nothing_shrinks(acting, started, prometheus, control_plane):
    one: Acting = acting()
    server = prometheus(level(110.0))
    fleet_file(started.folder, one.namespace, server.url)
    started.start()
    wait_until(lambda: one.floor >= 11, "the forecast is a floor", 40)
    floor = one.floor
    one.until(floor, 20)
    server.kill()
    wait_until(lambda: "unreachable" in started.log or "UNREACHABLE" in started.log, "the outage is told", 30)
    time.sleep(3)
    assert (one.floor, one.replicas) == (floor, floor)
    started.kill()
    time.sleep(1)
    assert (one.floor, one.replicas) == (floor, floor), "we are dead, and the floor stands"
    started.start()  # Prometheus is still away: what is resumed is what the object holds
    wait_until(lambda: started.log.count(" INFO started") == 2, "started again", 40)
    wait_until(lambda: "decision workload=" in started.log.rpartition(" INFO started")[2], "decided again", 40)
    time.sleep(2)
    assert (one.floor, one.replicas) == (floor, floor)
    started.end()
    explained = started.call("explain", "web", "-o", "json")
    assert json.loads(explained.stdout)["decision"]["state"] == "Holding"
    # the PredictiveAutoscaler is deleted while we are down: the floor goes back at the next start
    (started.folder / "fleet.yaml").write_text(
        fleet_file(started.folder, one.namespace, server.url).read_text().replace('"name": "web"', '"name": "other"')
    )
    started.start()
    wait_until(lambda: one.floor == 2, "the orphan is handed back", 30)
    wait_until(lambda: "orphan_released HorizontalPodAutoscaler" in started.log, "it is told")


@pytest.mark.usefixtures("everywhere")
def test_a_workload_that_is_set_back_to_advise_gives_its_floor_back_and_then_writes_nothing(
    acting, started, prometheus, control_plane
):
    one: Acting = acting()
    server = prometheus(level(110.0))
    path = fleet_file(started.folder, one.namespace, server.url)
    started.start()
    wait_until(lambda: one.floor >= 11, "the forecast is a floor", 40)
    path.write_text(path.read_text().replace('"Act"', '"Advise"'))
    wait_until(lambda: one.floor == 2, "handed back", 20)
    time.sleep(0.5)
    before = len(one.writes)
    time.sleep(4)
    assert len(one.writes) == before


def test_a_namespace_without_rights_keeps_no_other_from_getting_its_floor_back(narrow, tmp_path, prometheus):
    """With rights in one namespace only, and a fleet that names another one too; then the first leaves the fleet."""
    plane = narrow
    one = Acting(plane, "default")
    one.create(deployment("web", 2))
    one.create(hpa("web", 2, 30), "autoscaling/v2", "horizontalpodautoscalers")
    server = prometheus(level(110.0))
    path = fleet_file(tmp_path, "default", server.url)
    elsewhere = path.read_text().partition("---")[2].replace('"default"', '"nowhere"')
    started = Started(tmp_path, plane.kubeconfig(FORESAIL))
    path.write_text(f"{path.read_text()}\n---\n{elsewhere}")
    started.start()
    wait_until(lambda: one.floor >= 11, "the forecast is a floor", 40)
    started.end()
    path.write_text(f"{path.read_text().partition('---')[0]}---\n{elsewhere}")
    started.start()
    wait_until(lambda: one.floor == 2, "the floor of a namespace that only the record knows goes back", 30)
    assert "orphans_unknown in namespace nowhere" in started.log
    started.end()


@pytest.mark.usefixtures("everywhere")
def test_a_broken_document_is_not_a_deleted_one(acting, started, prometheus, control_plane):
    one: Acting = acting()
    assert one.write(9).words.endswith("→ 9")
    server = prometheus(level(20.0))
    path = fleet_file(started.folder, one.namespace, server.url)
    other = path.read_text().replace('"name": "web"', '"name": "other"')
    path.write_text(other + "\n---\n" + path.read_text().partition("---")[2].replace('"max": 40', '"max": "forty"'))
    started.start()
    wait_until(lambda: "decision workload=" in started.log, "a tick", 30)
    assert "orphan_released" not in started.log
    assert one.floor == 9


def test_release_of_a_named_workload_needs_rights_in_its_namespace_only(narrow, tmp_path):
    plane = narrow
    meta = {"name": "named"}
    plane.rest().create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    one = Acting(plane, "named")
    one.create(deployment("web", 2))
    one.create(hpa("web", 2, 30), "autoscaling/v2", "horizontalpodautoscalers")
    one.write(9)
    cluster = ["--kubeconfig", str(plane.kubeconfig(FORESAIL))]
    started = Started(tmp_path, plane.kubeconfig(FORESAIL))
    said = started.call("release", "--all", *cluster)
    assert (said.returncode, one.floor) == (2, 9)
    assert "name the workloads as NAMESPACE/NAME, say --namespace, or grant list on" in said.stderr
    assert started.call("release", "named/web", *cluster).returncode == 0
    assert one.floor == 2


@pytest.mark.parametrize("text", ["{", "hello", "[]", "", "apiVersion: v1"])
def test_a_kubeconfig_that_cannot_be_used_is_named(started, text):
    path = started.folder / "broken.yaml"
    path.write_text(text)
    said = started.call("release", "--all", "--kubeconfig", str(path))
    assert said.returncode == 2, said.stderr
    assert said.stderr.startswith(f"foresail: kubeconfig {path} cannot be used: ")


@pytest.mark.usefixtures("everywhere")
def test_release_hands_back_without_a_running_service(acting, started, control_plane):
    one: Acting = acting()
    one.write(9)
    cluster = ["--kubeconfig", str(control_plane.kubeconfig(FORESAIL))]
    assert started.call("release", *cluster).returncode == 2, "which ones must be said"
    said = started.call("release", "no-such", *cluster)
    assert (said.returncode, said.stdout) == (1, "no-such: installation 'foresail' holds no floor for it\n")
    assert one.floor == 9
    said = started.call("release", f"{one.namespace}/web", *cluster)
    assert said.returncode == 0, said.stderr
    assert "minReplicas 9 → 2" in said.stdout
    assert one.floor == 2
    one.write(8)
    said = started.call("release", "--all", "-o", "json", *cluster)
    assert [r["floor"] for r in json.loads(said.stdout)["released"] if one.namespace in r["object"]] == [8]
    assert one.floor == 2


def test_release_on_a_cluster_that_is_away_ends_with_3(started, tmp_path, control_plane):
    kubeconfig = control_plane.kubeconfig(FORESAIL, "http://127.0.0.1:9")
    said = started.call("release", "--all", "--kubeconfig", str(kubeconfig))
    assert said.returncode == 3
    assert "no answer" in said.stderr


def test_once_advises_on_the_real_cluster_and_writes_nothing(acting, started, prometheus):
    one: Acting = acting(mode=Mode.ADVISE)
    fleet_file(started.folder, one.namespace, prometheus(level(110.0)).url, mode="Advise")
    said = started.call("once", "fleet.yaml", "-o", "json", "--kubeconfig", str(started.kubeconfig))
    (found,) = json.loads(said.stdout)["decisions"]
    assert (found["current"], found["granted"] >= 11) == (2, True), said.stdout
    assert "simulated" not in said.stderr
    assert (one.floor, one.writes) == (2, [])


TEN_PERCENT = ScalingRule(0, (StepPolicy(PolicyType.PERCENT, 10, 60),))


def test_a_long_held_floor_comes_down_step_by_step_with_ours_and_in_one_sync_without(acting, control_plane):
    """The HPA remembers no recommendation above its metric's from the time of the floor: it drops where it may."""
    control_plane.serve_external_metrics(lambda _ns, _metric: 20.0)
    one: Acting = acting(metric="load", more={"scale_down": TEN_PERCENT, "max_replicas": 30})
    one.write(20)
    one.until(20, 20)
    sizes = []
    for _ in range(3):
        one.tick(20.0)
        one.until(one.floor, 20)
        sizes.append(one.replicas)
    assert sizes[0] >= 18
    assert sizes == sorted(sizes, reverse=True)
    assert all(before - after <= 2 for before, after in zip([20, *sizes], sizes, strict=False)), sizes
    one.admin.patch(
        f"/apis/autoscaling/v2/namespaces/{one.namespace}/horizontalpodautoscalers/web", {"spec": {"minReplicas": 2}}
    )
    one.until(2, 10)
    writes = control_plane.writes("controllers", "deployments", one.namespace)
    scaled = [w["requestObject"]["spec"]["replicas"] for w in writes if w["objectRef"].get("subresource") == "scale"]
    assert scaled[-1] == 2
    assert scaled[-2] >= 14, f"everything in one sync: {scaled}"


def test_M27_pods_without_samples_neither_shrink_the_hpa_nor_move_our_floor(acting, control_plane):
    """Half of the pods have no sample: the HPA takes them for idle on the way up and for full on the way down."""
    one: Acting = acting(minimum=10)
    one.until(10, 20)
    pods: list[str] = []

    def ready() -> bool:
        pods[:] = control_plane.ready_pods(one.namespace, "app=web")
        return len(pods) == 10

    wait_until(ready, "ten pods", 30)
    usage = dict.fromkeys(pods[:5], 100)
    control_plane.serve_external_metrics(None, lambda _ns: usage)
    assert one.write(12).words == "HPA web minReplicas: 10 → 12"
    one.until(12, 20)
    time.sleep(1.5)
    assert one.replicas == 12, "5 × 100 % of 12 pods are 42 %, not 100 %: no scale-up"
    usage.update(dict.fromkeys(pods[:5], 10))
    time.sleep(1.5)
    assert one.replicas == 12
    seen = one.look()
    assert (int(seen.floor[0]), int(seen.desired[0])) == (12, 12)


def test_keda_floor_is_raised_held_by_keda_and_handed_back(keda, prometheus, exporter):
    exporter.set("load_rps", 20.0)
    server = prometheus(scrape=[exporter.target], scrape_interval="200ms")
    plane = keda.plane
    one = Acting(plane, "default", actuation=Actuation.KEDA_FLOOR)
    one.create(deployment("web", 2))
    made = scaled_object("web", 2, 20, server.url, "sum(load_rps)", 10)
    one.kubectl("apply", "-f", "-", "--server-side", given=made)
    path = "/apis/keda.sh/v1alpha1/namespaces/default/scaledobjects/web"
    hpas = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/keda-hpa-web"
    wait_until(lambda: one.admin.answer("GET", hpas).status == 200, "KEDA made an HPA", 20)
    note = one.write(7)
    assert note.words == "ScaledObject web minReplicaCount: 2 → 7"
    wait_until(lambda: one.admin.get(hpas)["spec"]["minReplicas"] == 7, "KEDA hands it down", 20)
    one.until(7, 20)
    floor = Acting(plane, "default", actuation=Actuation.HPA_FLOOR)
    assert "use actuation: KedaFloor" in floor.told(Condition.RIVAL)
    mine = held(one.cluster.connection, one.cluster.kinds, "foresail", ["default"])
    (done,) = release(one.cluster.floors, mine)
    assert "minReplicaCount 7 → 2, owned by kubectl again" in done.words
    assert one.admin.get(path)["spec"]["minReplicaCount"] == 2
    assert "conflict" not in one.kubectl("apply", "-f", "-", "--server-side", given=made)
    wait_until(lambda: one.admin.get(hpas)["spec"]["minReplicas"] == 2, "and the HPA follows", 20)
