"""A real KEDA on a control plane: CRDs, operator and metrics adapter, as processes on loopback."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hack.parts.locate import kept_files
from tests.real import aggregation
from tests.real.certificates import self_signed
from tests.real.controlplane import ControlPlane
from tests.real.external_metrics import EXTERNAL
from tests.real.parts import require_part
from tests.real.rest import Rest
from tests.real.servers import Server, free_port, wait_until
from tests.real.web import fetch

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
USER = "keda"
NAMESPACE = "keda"


class Keda:
    """Use on a plane that serves no external metrics of its own: there is one such API per cluster."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        folder = plane.folder / "keda"
        folder.mkdir()
        mine = self_signed(folder)
        for name, source in (("tls.crt", mine.certificate), ("tls.key", mine.key), ("ca.crt", mine.certificate)):
            shutil.copy(source, folder / name)
        kubeconfig = plane.kubeconfig(USER)
        self._grpc, self._probe, self._secure = free_port(), free_port(), free_port()
        env = _environment()
        self.operator = Server(
            "keda-operator", self._operator_command(folder, kubeconfig), folder / "operator.log", env
        )
        self.adapter = Server("keda-adapter", self._adapter_command(folder, kubeconfig), folder / "adapter.log", env)

    @property
    def url(self) -> str:
        """Of the metrics adapter itself, for who stands between it and the API server."""
        return f"https://127.0.0.1:{self._secure}"

    def start(self, *, registered: bool = True) -> None:
        """registered: as the cluster's API of external metrics."""
        admin = self.plane.rest()
        install_crds(admin)
        admin.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        probe = f"http://127.0.0.1:{self._probe}/readyz"
        try:
            self.operator.start(lambda: fetch(probe, timeout_s=1.0).status == 200)
            self.adapter.start(lambda: True)
            if registered:
                aggregation.register(admin, *EXTERNAL, self._secure)
        except BaseException as failed:
            for server in (self.adapter, self.operator):
                failed.add_note(f"--- end of the log of {server.name}\n{server.tail()}")
            self.stop()
            raise

    def stop(self) -> None:
        self.adapter.stop()
        self.operator.stop()

    def _operator_command(self, folder: Path, kubeconfig: Path) -> list[str | Path]:
        return [
            require_part("keda-operator"),
            f"--kubeconfig={kubeconfig}",
            f"--cert-dir={folder}",
            f"--metrics-service-bind-address=127.0.0.1:{self._grpc}",
            f"--health-probe-bind-address=127.0.0.1:{self._probe}",
            "--metrics-bind-address=0",
            "--enable-cert-rotation=false",
        ]

    def _adapter_command(self, folder: Path, kubeconfig: Path) -> list[str | Path]:
        return [
            require_part("keda-adapter"),
            f"--kubeconfig={kubeconfig}",
            f"--lister-kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            f"--secure-port={self._secure}",
            f"--port={free_port()}",
            f"--cert-dir={folder}",
            f"--metrics-service-address=localhost:{self._grpc}",
        ]


def install_crds(admin: Rest) -> None:
    """KEDA's kinds, from the source of the version that runs; back when the API server knows them."""
    require_part("keda-operator")
    files = kept_files("keda")
    assert files, "KEDA came from elsewhere, without its CRDs; run `python hack/parts ensure keda` without that one"
    for file in files:
        made = admin.create_yaml(CRDS, file.read_text())
        name = made["metadata"]["name"]

        def established(path: str = f"{CRDS}/{name}") -> bool:
            conditions = admin.get(path).get("status", {}).get("conditions") or []  # null at first
            return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)

        wait_until(established, f"the kind {name}")


def scaled_object(
    name: str, minimum: int, maximum: int, server: str, query: str, threshold: float, **spec: Any
) -> dict[str, Any]:
    """A keda.sh/v1alpha1 ScaledObject of the Deployment of the same name on one Prometheus query."""
    metadata = {"serverAddress": server, "query": query, "threshold": f"{threshold:g}"}
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"name": name},
            "minReplicaCount": minimum,
            "maxReplicaCount": maximum,
            "triggers": [{"type": "prometheus", "metadata": metadata}],
            **spec,
        },
    }


def _environment() -> Mapping[str, str]:
    """No proxy of the environment stands between KEDA and loopback."""
    ours = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    where = {"POD_NAMESPACE": NAMESPACE, "POD_NAME": "keda-operator", "KEDA_CLUSTER_OBJECT_NAMESPACE": NAMESPACE}
    return {**ours, **where, "WATCH_NAMESPACE": ""}
