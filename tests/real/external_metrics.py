"""The metrics APIs that the HPA asks, answered by the test itself at the moment of each question.

`external.metrics.k8s.io` has one series per metric; `metrics.k8s.io` has the CPU of pods, as metrics-server would.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.real import aggregation
from tests.real.certificates import self_signed
from tests.real.rest import Rest

EXTERNAL = ("external.metrics.k8s.io", "v1beta1")
RESOURCE = ("metrics.k8s.io", "v1beta1")
WINDOW = "1s"
"""A sample counts only when it is younger than its pod's Ready by a whole window; metrics-server says some 15 s."""

Value = Callable[[str, str], float | None]
"""(namespace, metric) to its value; None: the source is there and has no data."""
Usage = Callable[[str], Mapping[str, int]]
"""Namespace to CPU in thousandths by pod; pods that are left out have no sample."""


class ExternalMetrics:
    """What `value` and `usage` say when asked; where one raises, the HPA gets a 500 with its words."""

    def __init__(self, folder: Path, admin: Rest) -> None:
        self.asked: list[str] = []
        """Paths of the requests for values so far."""
        self.value: Value | None = None
        self.usage: Usage | None = None
        self._admin = admin
        self._registered: list[tuple[str, str]] = []
        folder.mkdir(parents=True, exist_ok=True)
        mine = self_signed(folder)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(mine.certificate, mine.key)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.tls = tls
        self._server.metrics = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def serve(self, value: Value | None, usage: Usage | None) -> None:
        """From now on these; an API that was not there before is registered, and is there until `withdraw`."""
        self.value, self.usage = value, usage
        for api, callable_ in ((EXTERNAL, value), (RESOURCE, usage)):
            if callable_ is not None and api not in self._registered:
                aggregation.register(self._admin, *api, self._server.server_address[1])
                self._registered.append(api)

    def withdraw(self) -> None:
        """No metrics API at all, as in a cluster without any."""
        while self._registered:
            aggregation.withdraw(self._admin, *self._registered.pop())

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def answer(self, path: str, query: Mapping[str, list[str]]) -> dict[str, Any] | None:
        """The document at `path`, or None where there is none."""
        match path.strip("/").split("/"):
            case ["apis", group]:
                return _group(group)
            case ["apis", group, version] if (group, version) in {EXTERNAL, RESOURCE}:
                return _version(group, version)
            case ["apis", "external.metrics.k8s.io", "v1beta1", "namespaces", namespace, metric]:
                self.asked.append(path)
                return self._external(namespace, metric)
            case ["apis", "metrics.k8s.io", "v1beta1", "namespaces", namespace, "pods"]:
                self.asked.append(path)
                return self._pods(namespace, query)
        return None

    def _external(self, namespace: str, metric: str) -> dict[str, Any]:
        found = self.value(namespace, metric) if self.value else None
        item = {
            "metricName": metric,
            "metricLabels": {},
            "timestamp": _now(),
            "value": f"{round((found or 0) * 1000)}m",
        }
        items = [item] if found is not None else []
        return {"kind": "ExternalMetricValueList", "apiVersion": "/".join(EXTERNAL), "metadata": {}, "items": items}

    def _pods(self, namespace: str, query: Mapping[str, list[str]]) -> dict[str, Any]:
        """Of the pods that the HPA's selector picks, those that `usage` knows."""
        known = self.usage(namespace) if self.usage else {}
        picked = {name: values[0] for name, values in query.items() if name == "labelSelector"}
        pods = self._admin.get(f"/api/v1/namespaces/{namespace}/pods", **picked)["items"]
        items = [_sample(pod, known[name]) for pod in pods if (name := pod["metadata"]["name"]) in known]
        return {"kind": "PodMetricsList", "apiVersion": "/".join(RESOURCE), "metadata": {}, "items": items}


def _sample(pod: Mapping[str, Any], cpu_milli: int) -> dict[str, Any]:
    containers = [container["name"] for container in pod["spec"]["containers"]]
    usage = [{"name": n, "usage": {"cpu": f"{cpu_milli / len(containers)}m", "memory": "1Mi"}} for n in containers]
    about = {name: pod["metadata"][name] for name in ("name", "namespace", "labels") if name in pod["metadata"]}
    return {"metadata": about, "timestamp": _now(), "window": WINDOW, "containers": usage}


def _group(group: str) -> dict[str, Any] | None:
    versions = [version for name, version in (EXTERNAL, RESOURCE) if name == group]
    if not versions:
        return None
    listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"kind": "APIGroup", "apiVersion": "v1", "name": group, "versions": listed, "preferredVersion": listed[0]}


def _version(group: str, version: str) -> dict[str, Any]:
    """External metrics are named by no document: adapters answer for any name."""
    pods = {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": ["get", "list"]}
    resources = [pods] if (group, version) == RESOURCE else []
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}",
        "resources": resources,
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    metrics: ExternalMetrics
    tls: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        """TLS is begun in the connection's own thread: a silent client keeps nobody else waiting."""
        with self.tls.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """An API server that ends in the middle is part of the game."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        try:
            found = self.server.metrics.answer(asked.path, parse_qs(asked.query))
        except Exception as failed:
            self._send(500, _status(500, str(failed)))
        else:
            self._send(*((200, found) if found is not None else (404, _status(404, f"nothing at {asked.path}"))))

    def _send(self, code: int, document: Mapping[str, Any]) -> None:
        body = json.dumps(document).encode()
        with suppress(OSError):
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """What was asked is in `ExternalMetrics.asked`."""


def _status(code: int, message: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message}
