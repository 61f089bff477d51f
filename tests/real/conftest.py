"""Fixtures of real servers. Servers that cost seconds live for a session; what a test writes lives for the test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.real import servers
from tests.real.commands import Settings as ControlPlaneSettings
from tests.real.controlplane import ControlPlane
from tests.real.exporter import Exporter
from tests.real.faultproxy import FaultProxy
from tests.real.history import History
from tests.real.keda import Keda
from tests.real.prometheus import Prometheus, Settings

_count = itertools.count(1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failure shows what the servers said."""
    report: Any = yield
    if report.failed:
        for server in servers.LIVE:
            report.sections.append((f"end of the log of {server.name} ({server.log})", server.tail()))
    return report


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Callable[..., Prometheus]]:
    """`prometheus(history=…, scrape=[exporter.target], flags=[…], …)`: started and ready; see prometheus.Settings."""
    started: list[Prometheus] = []

    def start(history: History | None = None, **settings: Any) -> Prometheus:
        one = Prometheus(tmp_path / f"prometheus-{len(started)}", Settings(**settings))
        if history:
            one.load(history)
        one.start()
        started.append(one)
        return one

    yield start
    for one in reversed(started):
        one.stop()


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    with Exporter() as one:
        yield one


@pytest.fixture
def fault_proxy() -> Iterator[Callable[..., FaultProxy]]:
    """`fault_proxy(upstream_url, tls=None)`."""
    with ExitStack() as stack:
        yield lambda upstream, tls=None: stack.enter_context(FaultProxy(upstream, tls))


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One for all tests of a worker, with a node `node-0`; keep to the `namespace` of your own, and kill nothing."""
    quick = ControlPlaneSettings(hpa_sync="250ms")  # many tests wait for rounds of the HPA controller
    plane = ControlPlane(tmp_path_factory.mktemp("control-plane"), quick)
    plane.start()
    yield plane
    plane.stop()


@pytest.fixture
def own_control_plane(tmp_path: Path) -> Iterator[Callable[..., ControlPlane]]:
    """`own_control_plane(scheduler=True, …)`: for tests that need other settings, or break things."""
    started: list[ControlPlane] = []

    def start(**settings: Any) -> ControlPlane:
        one = ControlPlane(tmp_path / f"control-plane-{len(started)}", ControlPlaneSettings(**settings))
        started.append(one)
        one.start()
        return one

    yield start
    for one in reversed(started):
        one.stop()


@pytest.fixture
def keda(own_control_plane: Callable[..., ControlPlane]) -> Iterator[Keda]:
    """KEDA on a control plane of its own, `keda.plane`."""
    one = Keda(own_control_plane())
    one.start()
    yield one
    one.stop()


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A fresh namespace of the shared control plane, usable at once and deleted afterwards."""
    admin = control_plane.rest()
    name = f"test-{next(_count)}"
    admin.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    servers.wait_until(lambda: admin.answer("GET", account).status == 200, f"{name}'s service account")
    yield name
    admin.delete(f"/api/v1/namespaces/{name}")
