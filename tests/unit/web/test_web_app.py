"""/metrics and /healthz over a real socket: what Prometheus and a kubelet read."""

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.domain.errors import Refused
from autoscaler.web.app import WebServer, web_app


@pytest.fixture
def health() -> dict[str, Any]:
    return {"ok": True, "specProblems": []}


@pytest.fixture
def server(health) -> Iterator[WebServer]:
    registry = CollectorRegistry()
    Gauge("foresail_given", "A number.", registry=registry).set(7)
    running = WebServer(web_app(registry, lambda: health), "127.0.0.1", 0)
    yield running
    running.close()


def get(server: WebServer, path: str) -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status, answer.headers["content-type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["content-type"], error.read().decode()


def test_metrics_are_what_the_registry_holds(server):
    status, kind, body = get(server, "/metrics")
    assert (status, kind.split(";")[0]) == (200, "text/plain")
    (family,) = text_string_to_metric_families(body)
    assert (family.name, family.samples[0].value) == ("foresail_given", 7)


def test_health_is_503_while_not_ok_with_the_reasons_in_the_body(server, health):
    assert get(server, "/healthz")[0] == 200
    health |= {"ok": False, "lastError": "SourceDown: away"}
    status, kind, body = get(server, "/healthz")
    assert (status, kind) == (503, "application/json")
    assert json.loads(body)["lastError"] == "SourceDown: away"


def test_other_pages_are_not_there(server):
    assert get(server, "/")[0] == 404


def test_a_taken_port_is_refused_with_a_way_out():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match=r"cannot listen on 127.0.0.1:\d+ \(address already in use\); choose another"):
            WebServer(web_app(CollectorRegistry(), dict), "127.0.0.1", port)


def test_a_closed_server_leaves_its_port_to_the_next(server):
    port = server.port
    server.close()
    again = WebServer(web_app(CollectorRegistry(), lambda: {"ok": True}), "127.0.0.1", port)
    assert get(again, "/healthz")[0] == 200
    again.close()
