"""A real control plane on loopback: etcd, API server with RBAC and audit log, controllers, kwok's nodes and pods."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.real.commands import ADMIN, Commands, Settings, bare_environment
from tests.real.external_metrics import ExternalMetrics, Usage, Value
from tests.real.rest import Rest
from tests.real.servers import Server, wait_until
from tests.real.web import fetch

RBAC = "/apis/rbac.authorization.k8s.io/v1"
TOKEN_LEAST_S = 600
"""The API server gives no token for less."""
TOKEN_KNOWN_S = 10
"""So long the API server takes a token it has checked without checking it again."""


class ControlPlane:
    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        self.folder = folder
        self.settings = settings or Settings()
        self._commands = commands = Commands(folder, self.settings)
        self.audit_log = commands.audit_log
        self.url = f"https://127.0.0.1:{commands.api_port}"
        self.etcd = Server("etcd", commands.etcd(), folder / "etcd.log")
        self.api = Server("kube-apiserver", commands.api(), folder / "kube-apiserver.log")
        self.controllers = self._client("kube-controller-manager", commands.controllers, "controllers")
        self.kwok = self._client("kwok", commands.kwok, "kwok", bare_environment())
        self.scheduler: Server | None = None
        if self.settings.scheduler:
            self.scheduler = self._client("kube-scheduler", commands.scheduler, "scheduler")
        self._metrics: ExternalMetrics | None = None

    def _client(
        self,
        name: str,
        command: Callable[[Path], list[str | Path]],
        user: str,
        env: Mapping[str, str] | None = None,
    ) -> Server:
        return Server(name, command(self.kubeconfig(user)), self.folder / f"{name}.log", env)

    # life

    def start(self) -> None:
        etcd = f"http://127.0.0.1:{self._commands.etcd_port}/health"
        try:
            self.etcd.start(lambda: fetch(etcd, timeout_s=1.0).status == 200)
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
        if self._metrics is not None:
            self._metrics.close()
            self._metrics = None

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
        return self._commands.certificates / "apiserver.crt"

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))

    def token(self, user: str = ADMIN) -> str:
        return self._commands.tokens[user]

    def rest(self, user: str = ADMIN, *, url: str | None = None, timeout_s: float = 5.0) -> Rest:
        """Calls as `user`; `url` goes through something else, such as a fault proxy."""
        return Rest(url or self.url, self.token(user), None if url else self.tls(), timeout_s)

    def rest_by(self, token: str) -> Rest:
        """Calls as whoever the token says."""
        return Rest(self.url, token, self.tls())

    def kubeconfig(self, user: str = ADMIN, server: str | None = None) -> Path:
        path = self.folder / f"{user}{'-elsewhere' if server else ''}.kubeconfig"
        path.write_text(json.dumps(_kubeconfig(server or self.url, {"token": self.token(user)}, self.ca)))
        return path

    def kubeconfig_for(self, token_file: Path, server: str | None = None) -> Path:
        """A kubeconfig beside `token_file` that names it: what is in the file may change while a client runs."""
        path = token_file.with_suffix(".kubeconfig")
        path.write_text(json.dumps(_kubeconfig(server or self.url, {"tokenFile": str(token_file)}, self.ca)))
        return path

    def service_account_token(self, namespace: str, name: str, expires_s: int = TOKEN_LEAST_S) -> str:
        """A token bound to the account, which is made where it is missing; its user is `system:serviceaccount:…`."""
        admin, path = self.rest(), f"/api/v1/namespaces/{namespace}/serviceaccounts"
        if admin.answer("GET", f"{path}/{name}").status == 404:
            admin.create(path, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
        wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        made = admin.create(f"{path}/{name}/token", {**wanted, "spec": {"expirationSeconds": expires_s}})
        token: str = made["status"]["token"]
        return token

    def invalidate_tokens(self, namespace: str, name: str) -> None:
        """Delete the account: its tokens end, those used lately up to TOKEN_KNOWN_S later.

        The file of static tokens is read once, at the API server's start: those users stay.
        """
        self.rest().delete(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}")

    def grant(self, user: str, rules: Sequence[Mapping[str, Any]], namespace: str | None = None) -> str:
        """A role with `rules` for `user`, in one namespace or in all; the path of what binds it, to be deleted."""
        scope, kind = ("", "ClusterRole") if namespace is None else (f"namespaces/{namespace}/", "Role")
        api_version = "rbac.authorization.k8s.io/v1"
        meta = {"generateName": f"{user.replace(':', '-')}-"}
        role = self.rest().create(
            f"{RBAC}/{scope}{kind.lower()}s",
            {"apiVersion": api_version, "kind": kind, "metadata": meta, "rules": list(rules)},
        )
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role["metadata"]["name"]}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
        binding = {"apiVersion": api_version, "kind": f"{kind}Binding", "metadata": meta, "roleRef": reference}
        bindings = f"{RBAC}/{scope}{kind.lower()}bindings"
        made = self.rest().create(bindings, {**binding, "subjects": [subject]})
        return f"{bindings}/{made['metadata']['name']}"

    # what is in it

    def add_node(self, name: str, **capacity: str) -> None:
        """A node of kwok's; without `capacity` it has room for everything."""
        node: dict[str, Any] = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
        if capacity:
            node["status"] = {"capacity": capacity, "allocatable": capacity}
        self.rest().create("/api/v1/nodes", node)

    def pods(self, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        query = {"labelSelector": selector} if selector else {}
        found: list[dict[str, Any]] = self.rest().get(f"/api/v1/namespaces/{namespace}/pods", **query)["items"]
        return found

    def ready_pods(self, namespace: str, selector: str = "") -> list[str]:
        return sorted(pod["metadata"]["name"] for pod in self.pods(namespace, selector) if _is_ready(pod))

    def serve_external_metrics(self, value: Value | None = None, usage: Usage | None = None) -> ExternalMetrics:
        """The metrics APIs, from these callables, ready for the HPA; a later call puts others in their place."""
        if self._metrics is None:
            self._metrics = ExternalMetrics(self.folder / "external-metrics", self.rest())
        self._metrics.serve(value, usage)
        return self._metrics

    def withdraw_external_metrics(self) -> None:
        """A cluster without any metrics API, whatever was served before."""
        if self._metrics is not None:
            self._metrics.withdraw()

    def audit(
        self, pick: Callable[[dict[str, Any]], bool] | None = None, *, naming: tuple[str, ...] = ()
    ) -> list[dict[str, Any]]:
        """Audit events so far, oldest first; writes come with their bodies.

        naming: words that each has in it; only those events are parsed, of a log that all tests of a worker share.
        """
        words = [word.encode() for word in naming]
        lines = self.audit_log.read_bytes().splitlines()
        whole = (line for line in lines if line.endswith(b"}") and all(word in line for word in words))
        events = map(json.loads, whole)
        return [event for event in events if pick is None or pick(event)]

    def writes(self, user: str, resource: str | None = None, namespace: str | None = None) -> list[dict[str, Any]]:
        """What `user` changed or tried to change; `len` of it counts the mutating calls."""

        def is_one(event: dict[str, Any]) -> bool:
            about = event.get("objectRef", {})
            return (
                event["user"].get("username") == user  # none for a refused token
                and event["verb"] not in {"get", "list", "watch"}
                and resource in {None, about.get("resource")}
                and namespace in {None, about.get("namespace")}
            )

        return self.audit(is_one, naming=tuple(word for word in (user, resource, namespace) if word is not None))


def _kubeconfig(server: str, user: Mapping[str, str], ca: Path) -> dict[str, Any]:
    cluster: dict[str, Any] = {"server": server}
    if server.startswith("https"):
        cluster["certificate-authority"] = str(ca)
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": dict(user)}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }


def _is_ready(thing: Mapping[str, Any]) -> bool:
    conditions = thing.get("status", {}).get("conditions", [])
    going = "deletionTimestamp" in thing["metadata"]
    return not going and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _node_ready(admin: Rest, name: str) -> bool:
    return _is_ready(admin.get(f"/api/v1/nodes/{name}"))
