"""A real control plane on loopback: etcd, API server with RBAC and audit log, controllers, kwok's nodes and pods."""

from __future__ import annotations

import base64
import json
import os
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.real.parts import require_part
from tests.real.servers import Server, free_port, wait_until
from tests.real.web import Answer, fetch

CONTROLLERS = (
    "deployment,replicaset,statefulset,disruption,node-lifecycle-controller,"
    "horizontal-pod-autoscaler-controller,garbage-collector-controller,namespace-controller,serviceaccount-controller,"
    "serviceaccount-token-controller,endpointslice-controller,resourcequota-controller"
)
ADMIN = "admin"
RESTRICTED = "restricted"
"""A user that may do nothing until a test grants it something."""
MASTERS = (ADMIN, "controllers", "kwok", "scheduler")
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
    """The HPA controller's own default; scaled down for accelerated traces."""
    api_flags: Sequence[str] = ()
    controller_flags: Sequence[str] = ()
    kwok_config: str | None = None
    """A file of kwok's Stage objects; when given it must hold all that are needed, the defaults are gone."""
    users: Sequence[str] = (RESTRICTED,)
    """Users without any right of their own."""


class Refusal(AssertionError):
    """The API server said no."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"{status}: {said}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Rest:
    """Raw calls as one user. Every call has a deadline; any status >= 400 is a Refusal."""

    url: str
    token: str
    tls: ssl.SSLContext | None
    timeout_s: float = 5.0

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json", **query: str
    ) -> Any:
        answer = self.answer(method, path, body, content_type, **query)
        if answer.status >= 400:
            raise Refusal(answer.status, answer.body.decode(errors="replace")[:1000])
        return answer.json()

    def answer(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json", **query: str
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": content_type}
        data = None if body is None else json.dumps(body).encode()
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        url = f"{self.url}{path}{'?' if asked else ''}{asked}"
        return fetch(url, method=method, body=data, headers=headers, timeout_s=self.timeout_s, tls=self.tls)

    def get(self, path: str, **query: str) -> Any:
        return self.call("GET", path, **query)

    def create(self, path: str, body: Mapping[str, Any]) -> Any:
        return self.call("POST", path, body)

    def patch(self, path: str, body: Any, kind: str = "merge-patch") -> Any:
        """`kind`: merge-patch, strategic-merge-patch or json-patch."""
        return self.call("PATCH", path, body, f"application/{kind}+json")

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path)


class ControlPlane:
    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        self.folder = folder
        self.settings = settings or Settings()
        self.audit_log = folder / "audit.log"
        self._tokens = {user: f"{user}-token" for user in (*MASTERS, *self.settings.users)}
        self._etcd_port, self._etcd_peer, self._api_port = free_port(), free_port(), free_port()
        self.url = f"https://127.0.0.1:{self._api_port}"
        self._certificates = folder / "certificates"
        folder.mkdir(parents=True, exist_ok=True)
        self._write_inputs()
        self.etcd = Server("etcd", self._etcd_command(), folder / "etcd.log")
        self.api = Server("kube-apiserver", self._api_command(), folder / "kube-apiserver.log")
        self.controllers = Server(
            "kube-controller-manager", self._controllers_command(), folder / "kube-controller-manager.log"
        )
        self.kwok = Server("kwok", self._kwok_command(), folder / "kwok.log", env=_bare())
        self.scheduler: Server | None = None
        if self.settings.scheduler:
            self.scheduler = Server("kube-scheduler", self._scheduler_command(), folder / "kube-scheduler.log")

    # life

    def start(self) -> None:
        try:
            self.etcd.start(lambda: fetch(f"http://127.0.0.1:{self._etcd_port}/health", timeout_s=1.0).status == 200)
            self.start_api()
            self.controllers.start(lambda: True)
            self.kwok.start(lambda: True)
            if self.scheduler is not None:
                self.scheduler.start(lambda: True)
            for name in self.settings.nodes:
                self.add_node(name)
            self._wait_usable()
        except BaseException as failed:
            for server in self._in_stop_order():
                failed.add_note(f"--- end of the log of {server.name}\n{server.tail()}")
            self.stop()
            raise

    def start_api(self) -> None:
        """Also the way back after `api.kill()`."""
        self.api.start(self._api_ready)

    def stop(self) -> None:
        """An API server whose etcd is gone would keep its port for minutes: etcd goes last."""
        for server in self._in_stop_order():
            server.stop()

    def _in_stop_order(self) -> Iterator[Server]:
        if self.scheduler is not None:
            yield self.scheduler
        yield from (self.kwok, self.controllers, self.api, self.etcd)

    def _api_ready(self) -> bool:
        if not self.ca.exists():  # the server makes it at its first start
            return False
        return self.rest().answer("GET", "/readyz").status == 200

    def _wait_usable(self) -> None:
        """Nodes are Ready and pods can have their service account: what is slow later is slow by itself."""
        admin = self.rest()
        for name in self.settings.nodes:
            wait_until(partial(_node_ready, admin, name), f"node {name} is Ready", 20)
        path = "/api/v1/namespaces/default/serviceaccounts/default"
        wait_until(lambda: admin.answer("GET", path).status == 200, "the default service account", 20)

    # users

    @property
    def ca(self) -> Path:
        """The API server's own certificate, which its clients trust."""
        return self._certificates / "apiserver.crt"

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))

    def token(self, user: str = ADMIN) -> str:
        return self._tokens[user]

    def rest(self, user: str = ADMIN, *, url: str | None = None, timeout_s: float = 5.0) -> Rest:
        """Calls as `user`; `url` goes through something else, such as a fault proxy."""
        return Rest(url or self.url, self._tokens[user], None if url else self.tls(), timeout_s)

    def kubeconfig(self, user: str = ADMIN, server: str | None = None) -> Path:
        path = self.folder / f"{user}{'-elsewhere' if server else ''}.kubeconfig"
        path.write_text(json.dumps(_kubeconfig(server or self.url, user, self._tokens[user], self.ca)))
        return path

    def grant(self, user: str, rules: Sequence[Mapping[str, Any]], namespace: str | None = None) -> None:
        """A role with `rules` for `user`, in one namespace or in all."""
        scope, kind = ("", "ClusterRole") if namespace is None else (f"namespaces/{namespace}/", "Role")
        group = "/apis/rbac.authorization.k8s.io/v1"
        api_version = "rbac.authorization.k8s.io/v1"
        meta = {"generateName": f"{user}-"}
        role = self.rest().create(
            f"{group}/{scope}{kind.lower()}s",
            {"apiVersion": api_version, "kind": kind, "metadata": meta, "rules": list(rules)},
        )
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role["metadata"]["name"]}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
        binding = {"apiVersion": api_version, "kind": f"{kind}Binding", "metadata": meta, "roleRef": reference}
        self.rest().create(f"{group}/{scope}{kind.lower()}bindings", {**binding, "subjects": [subject]})

    # what is in it

    def add_node(self, name: str, **capacity: str) -> None:
        """A node of kwok's; without `capacity` it has room for everything."""
        node: dict[str, Any] = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
        if capacity:
            node["status"] = {"capacity": capacity, "allocatable": capacity}
        self.rest().create("/api/v1/nodes", node)

    def ready_pods(self, namespace: str, selector: str = "") -> list[str]:
        query = {"labelSelector": selector.replace("=", "%3D")} if selector else {}
        pods = self.rest().get(f"/api/v1/namespaces/{namespace}/pods", **query)["items"]
        return sorted(pod["metadata"]["name"] for pod in pods if _is_ready(pod))

    def audit(self, pick: Callable[[dict[str, Any]], bool] | None = None) -> list[dict[str, Any]]:
        """Audit events so far, oldest first; writes come with their bodies."""
        events = [json.loads(line) for line in self.audit_log.read_text().splitlines() if line.endswith("}")]
        return [event for event in events if pick is None or pick(event)]

    def writes(self, user: str, resource: str | None = None, namespace: str | None = None) -> list[dict[str, Any]]:
        """What `user` changed or tried to change."""

        def is_one(event: dict[str, Any]) -> bool:
            about = event.get("objectRef", {})
            return (
                event["user"]["username"] == user
                and event["verb"] not in {"get", "list", "watch"}
                and resource in {None, about.get("resource")}
                and namespace in {None, about.get("namespace")}
            )

        return self.audit(is_one)

    # commands and their inputs

    def _write_inputs(self) -> None:
        masters = [f'{self._tokens[user]},{user},{user},"system:masters"' for user in MASTERS]
        others = [f"{self._tokens[user]},{user},{user}" for user in self.settings.users]
        (self.folder / "tokens.csv").write_text("\n".join([*masters, *others]) + "\n")
        (self.folder / "audit-policy.json").write_text(json.dumps(AUDIT_POLICY))
        (self.folder / "service-accounts.key").write_text(_new_key())
        if self.settings.kwok_config is not None:
            (self.folder / "kwok.yaml").write_text(self.settings.kwok_config)

    def _etcd_command(self) -> list[str | Path]:
        mine = f"http://127.0.0.1:{self._etcd_port}"
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

    def _api_command(self) -> list[str | Path]:
        key = self.folder / "service-accounts.key"
        return [
            require_part("kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            f"--secure-port={self._api_port}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={self._certificates}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.0.0.0/24",
            f"--audit-policy-file={self.folder / 'audit-policy.json'}",
            f"--audit-log-path={self.audit_log}",
            "--audit-log-mode=blocking",  # an answered call is in the log
            *self.settings.api_flags,
        ]

    def _controllers_command(self) -> list[str | Path]:
        return [
            require_part("kube-controller-manager"),
            f"--kubeconfig={self.kubeconfig('controllers')}",
            f"--controllers={CONTROLLERS}",
            f"--horizontal-pod-autoscaler-sync-period={self.settings.hpa_sync}",
            f"--horizontal-pod-autoscaler-downscale-stabilization={self.settings.downscale_stabilization}",
            "--leader-elect=false",
            f"--secure-port={free_port()}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={self.folder / 'controllers-certificates'}",
            *self.settings.controller_flags,
        ]

    def _kwok_command(self) -> list[str | Path]:
        config: list[str | Path] = (
            ["--config", self.folder / "kwok.yaml"] if self.settings.kwok_config is not None else []
        )
        return [
            require_part("kwok"),
            f"--kubeconfig={self.kubeconfig('kwok')}",
            "--manage-all-nodes=true",
            f"--server-address=127.0.0.1:{free_port()}",
            *config,
        ]

    def _scheduler_command(self) -> list[str | Path]:
        return [
            require_part("kube-scheduler"),
            f"--kubeconfig={self.kubeconfig('scheduler')}",
            "--leader-elect=false",
            f"--secure-port={free_port()}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={self.folder / 'scheduler-certificates'}",
        ]


def deployment(name: str, replicas: int, node: str | None = "node-0", cpu: str = "100m") -> dict[str, Any]:
    """An apps/v1 Deployment whose pods kwok makes Ready; `node` None leaves placing them to the scheduler."""
    labels = {"app": name}
    resources = {"requests": {"cpu": cpu}}
    pod: dict[str, Any] = {"containers": [{"name": "main", "image": "none.invalid/none", "resources": resources}]}
    if node is not None:
        pod["nodeName"] = node
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def hpa(name: str, minimum: int, maximum: int, metrics: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """An autoscaling/v2 HPA of the Deployment of the same name; CPU at 50 % where no metrics are given."""
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": minimum,
            "maxReplicas": maximum,
            "metrics": list(metrics) or [cpu],
        },
    }


def _kubeconfig(server: str, user: str, token: str, ca: Path) -> dict[str, Any]:
    cluster: dict[str, Any] = {"server": server}
    if server.startswith("https"):
        cluster["certificate-authority"] = str(ca)
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        "current-context": "test",
    }


def _is_ready(thing: Mapping[str, Any]) -> bool:
    conditions = thing.get("status", {}).get("conditions", [])
    going = "deletionTimestamp" in thing["metadata"]
    return not going and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _node_ready(admin: Rest, name: str) -> bool:
    return _is_ready(admin.get(f"/api/v1/nodes/{name}"))


def _new_key() -> str:
    """A P-256 private key, for signing service account tokens. SEC 1 lets the public half be left out."""
    body = bytes.fromhex("30310201010420") + os.urandom(32) + bytes.fromhex("a00a06082a8648ce3d030107")
    text = base64.encodebytes(body).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{text}-----END EC PRIVATE KEY-----\n"


def _bare() -> dict[str, str]:
    """kwok reads more of the environment than its flags say (KUBECONFIG, KWOK_*)."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("KUBE", "KWOK"))}
