"""What the chart starts, as it starts it: the installed tree, another user, a root that cannot be written. Row S11.

No kubelet and no network plugin here: the pod's own settings are applied by hand, its NetworkPolicy is not.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autoscaler.spec.crd import RESOURCES, crd
from tests.real.commands import Settings
from tests.real.container import Container, installed_tree
from tests.real.controlplane import ControlPlane
from tests.real.helming import Helm, grant, is_hook, the
from tests.real.manifests import deployment, hpa
from tests.real.operating import DEPLOYMENTS, HEAD, HPAS, autoscaler, install
from tests.real.servers import free_port, wait_until
from tests.real.test_operator import level
from tests.real.web import fetch

pytestmark = pytest.mark.slow
HOME = "default"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed_tree(tmp_path_factory.mktemp("installed") / "foresail")


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    one = ControlPlane(tmp_path / "plane", Settings(hpa_sync="250ms"))
    one.start()
    install(one.rest(), [crd(kind) for kind in RESOURCES])
    yield one
    one.stop()


@pytest.fixture
def container(tree: Path, tmp_path: Path) -> Container:
    (tmp_path / "container").mkdir()
    return Container(tree, tmp_path / "container")


WRITABLE = ["/var/lib/foresail", "/tmp"]  # noqa: S108 - as the pod mounts them
POD: dict[str, Any] = {"securityContext": {"runAsUser": 65532, "runAsGroup": 65532}}


def test_S11_only_the_state_and_tmp_can_be_written_and_the_command_answers(container: Container) -> None:
    code, said = container.run(POD, "foresail", "--help")
    assert code == 0, said
    assert "operator" in said
    places = ["/", "/usr", "/etc", "/root", "/run", "/var/lib", str(container.tree), *WRITABLE]
    tries = f"id -u; for p in {' '.join(places)}; do touch $p/x 2>/dev/null && echo $p; done"
    code, said = container.run(POD, "sh", "-c", tries)
    assert said.split() == ["65532", *WRITABLE]
    code, said = container.run(POD, "grep", "-E", "CapEff|CapBnd|NoNewPrivs", "/proc/self/status")
    assert [line.split()[1] for line in said.splitlines()] == ["0" * 16, "0" * 16, "1"]


@pytest.mark.timeout(150)
def test_S11_the_charts_operator_raises_a_floor_from_a_read_only_root_as_another_user(
    plane: ControlPlane, container: Container, prometheus: Any, tmp_path: Path
) -> None:
    """Its arguments, environment, user and account are the rendered pod's, word for word; its rights those of Roles in
    one namespace. They are enough to hand a floor back too."""
    port = free_port()
    (tmp_path / "helm").mkdir()
    values = {
        "crds": {"install": False}, "store": {"persistent": False}, "namespaces": [HOME],
        "operator": {"tick": "1s", "step": "10s", "leaseDuration": "3s", "port": port},
    }  # fmt: skip
    found = Helm(tmp_path / "helm").render(values, namespace=HOME)
    admin = plane.rest()
    grant(admin, [t for t in found if not is_hook(t)])
    pod = the(found, "Deployment")["spec"]["template"]["spec"]
    [operator] = pod["containers"]
    container.account(plane.service_account_token(HOME, pod["serviceAccountName"], 3600), plane.ca, HOME)
    fields = {"metadata.namespace": HOME, "metadata.name": "foresail-0"}
    env = {e["name"]: fields[e["valueFrom"]["fieldRef"]["fieldPath"]] for e in operator["env"]}
    host, _, api_port = plane.url.removeprefix("https://").partition(":")
    env |= {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": api_port, "HOME": "/var/lib/foresail"}

    url = prometheus(level(110.0)).url
    source = {**HEAD, "kind": "MetricsSource", "metadata": {"name": "prod"}, "spec": {"prometheus": {"url": url}}}
    admin.create("/apis/foresail.dev/v1alpha1/metricssources", source)
    admin.create(DEPLOYMENTS.format(HOME), deployment("web", 2))
    admin.create(HPAS.format(HOME), hpa("web", 2, 30))
    pas = f"/apis/foresail.dev/v1alpha1/namespaces/{HOME}/predictiveautoscalers"
    admin.create(pas, autoscaler("web"))

    log = tmp_path / "log"
    process = container.start(pod, ["foresail", *operator["args"]], env, log)
    try:
        hpas = f"{HPAS.format(HOME)}/web"
        wait_until(lambda: _alive(process, log) and admin.get(hpas)["spec"]["minReplicas"] >= 11, "a floor", 90)
        probe = operator["readinessProbe"]["httpGet"]["path"]
        assert fetch(f"http://127.0.0.1:{port}{probe}", timeout_s=5.0).status == 200
        told = fetch(f"http://127.0.0.1:{port}/healthz", timeout_s=5.0).json()
        assert told["ok"], json.dumps(told)
        assert not [watch for watch in told["watches"].values() if watch["fault"]], json.dumps(told)
        admin.delete(f"{pas}/web")
        wait_until(lambda: admin.get(hpas)["spec"]["minReplicas"] == 2, "the floor is the owner's again", 30)
        assert container.end(process) == 0, "it ends in order"
    finally:
        if process.poll() is None:
            container.end(process, signal.SIGKILL)
    said = log.read_text()
    assert "lease_released" in said
    assert "model_in_force global-peak" in said, "the wheel brings the pretrained model"
    assert "Read-only file system" not in said
    assert "Permission denied" not in said
    assert {p.name for p in container.state.iterdir()} >= {"foresail.db"}


def _alive(process: Any, log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    return True
