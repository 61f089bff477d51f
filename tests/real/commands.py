"""How each process of a control plane is called, and the files it is given before its start."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.real.certificates import Certificate, self_signed
from tests.real.parts import require_part
from tests.real.servers import free_port

CONTROLLERS = (
    "deployment,replicaset,statefulset,disruption,node-lifecycle-controller,"
    "horizontal-pod-autoscaler-controller,garbage-collector-controller,namespace-controller,serviceaccount-controller,"
    "serviceaccount-token-controller,endpointslice-controller,resourcequota-controller"
)
ADMIN = "admin"
RESTRICTED = "restricted"
"""A user that may do nothing until a test grants it something."""
FORESAIL = "foresail"
"""The product's own user, just as powerless: tests grant it the rules that the product ships."""
MASTERS = (ADMIN, "controllers", "kwok", "scheduler", "keda")
"""Each component is a user of its own, so that the audit log tells them apart."""

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Request", "verbs": ["create", "update", "patch", "delete", "deletecollection"]},
        {"level": "Metadata"},
    ],
}


@dataclass(frozen=True, slots=True)
class Settings:
    scheduler: bool = False
    """Without it a pod template names its node (`spec.nodeName`); with it placement and Pending are real."""
    nodes: Sequence[str] = ("node-0",)
    hpa_sync: str = "1s"
    downscale_stabilization: str = "5m"
    """This and the next two are the HPA controller's own defaults; scaled down for accelerated traces."""
    initial_readiness_delay: str = "30s"
    """For so long after its start a pod that was never Ready counts as not yet Ready."""
    cpu_initialization_period: str = "5m"
    """For so long after its start a pod's CPU samples count only if taken while it was Ready."""
    api_flags: Sequence[str] = ()
    controller_flags: Sequence[str] = ()
    kwok_config: str | None = None
    """A text of kwok's Stage objects, such as `kwok_stages.stages(…)`; the defaults are gone then."""
    users: Sequence[str] = (RESTRICTED,)
    """Users without any right of their own, beside `foresail`."""


class Commands:
    """Of one control plane: its ports, its tokens, its files below `folder`."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder
        self.settings = settings
        self.tokens = {user: f"{user}-token" for user in (*MASTERS, FORESAIL, *settings.users)}
        self.etcd_port, self._etcd_peer, self.api_port = free_port(), free_port(), free_port()
        self.audit_log = folder / "audit.log"
        self.certificates = folder / "certificates"
        folder.mkdir(parents=True, exist_ok=True)
        masters = [f'{self.tokens[user]},{user},{user},"system:masters"' for user in MASTERS]
        others = [f"{token},{user},{user}" for user, token in self.tokens.items() if user not in MASTERS]
        (folder / "tokens.csv").write_text("\n".join([*masters, *others]) + "\n")
        (folder / "audit-policy.json").write_text(json.dumps(AUDIT_POLICY))
        (folder / "service-accounts.key").write_text(_new_key())
        self._front_proxy: Certificate = self_signed(folder, "front-proxy")
        self._clients: Certificate = self_signed(folder, "clients")
        if settings.kwok_config is not None:
            (folder / "kwok.yaml").write_text(settings.kwok_config)

    def etcd(self) -> list[str | Path]:
        mine = f"http://127.0.0.1:{self.etcd_port}"
        peers = f"http://127.0.0.1:{self._etcd_peer}"
        return [
            require_part("etcd"),
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={mine}",
            f"--advertise-client-urls={mine}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync",
        ]

    def api(self) -> list[str | Path]:
        key = self.folder / "service-accounts.key"
        return [
            require_part("kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            f"--secure-port={self.api_port}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={self.certificates}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.0.0.0/24",
            f"--audit-policy-file={self.folder / 'audit-policy.json'}",
            f"--audit-log-path={self.audit_log}",
            "--audit-log-mode=blocking",  # an answered call is in the log
            *self._aggregation(),
            *self.settings.api_flags,
        ]

    def _aggregation(self) -> list[str]:
        """An aggregated API recognises the API server by the first certificate, users by what it says of them."""
        return [
            f"--client-ca-file={self._clients.certificate}",
            f"--requestheader-client-ca-file={self._front_proxy.certificate}",
            "--requestheader-allowed-names=front-proxy",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={self._front_proxy.certificate}",
            f"--proxy-client-key-file={self._front_proxy.key}",
        ]

    def controllers(self, kubeconfig: Path) -> list[str | Path]:
        hpa = "--horizontal-pod-autoscaler"
        return [
            require_part("kube-controller-manager"),
            f"--kubeconfig={kubeconfig}",
            f"--controllers={CONTROLLERS}",
            f"{hpa}-sync-period={self.settings.hpa_sync}",
            f"{hpa}-downscale-stabilization={self.settings.downscale_stabilization}",
            f"{hpa}-initial-readiness-delay={self.settings.initial_readiness_delay}",
            f"{hpa}-cpu-initialization-period={self.settings.cpu_initialization_period}",
            "--leader-elect=false",
            "--kube-api-qps=500",  # quick rounds over many HPAs spend the default of 20 and then wait for seconds
            "--kube-api-burst=500",
            f"--secure-port={free_port()}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={self.folder / 'controllers-certificates'}",
            *self.settings.controller_flags,
        ]

    def kwok(self, kubeconfig: Path) -> list[str | Path]:
        # kwok's own stages beat no heart: a node would be NotReady each minute, and who is Ready then is not any more
        stages: list[str | Path] = ["--node-lease-duration-seconds=40"]
        if self.settings.kwok_config is not None:
            stages = ["--config", self.folder / "kwok.yaml"]
        return [
            require_part("kwok"),
            f"--kubeconfig={kubeconfig}",
            "--manage-all-nodes=true",
            f"--server-address=127.0.0.1:{free_port()}",
            *stages,
        ]

    def scheduler(self, kubeconfig: Path) -> list[str | Path]:
        return [
            require_part("kube-scheduler"),
            f"--kubeconfig={kubeconfig}",
            "--leader-elect=false",
            f"--secure-port={free_port()}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={self.folder / 'scheduler-certificates'}",
        ]


def bare_environment() -> Mapping[str, str]:
    """kwok reads more of the environment than its flags say (KUBECONFIG, KWOK_*)."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("KUBE", "KWOK"))}


def _new_key() -> str:
    """A P-256 private key, for signing service account tokens. SEC 1 lets the public half be left out."""
    body = bytes.fromhex("30310201010420") + os.urandom(32) + bytes.fromhex("a00a06082a8648ce3d030107")
    text = base64.encodebytes(body).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{text}-----END EC PRIVATE KEY-----\n"
