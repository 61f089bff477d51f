"""Of two operators the leader tells on-call; when it dies the other goes on with the same alerts. Rows A09, K11."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.real.alertmanager import Alertmanager, Receiver
from tests.real.commands import Settings
from tests.real.controlplane import ControlPlane
from tests.real.operating import Operators, granted, install, operators
from tests.real.servers import wait_until
from tests.real.test_operator import level
from tests.real.web import fetch

pytestmark = pytest.mark.slow
NAMESPACE = "shop"
SUCCESS = "foresail_notifications_last_success_timestamp_seconds"


@pytest.fixture
def some(tmp_path: Path, prometheus: Any) -> Iterator[Operators]:
    plane = ControlPlane(tmp_path / "plane", Settings(hpa_sync="1s"))
    plane.start()
    try:
        admin = plane.rest()
        install(admin)
        granted(plane)
        admin.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        with operators(plane, tmp_path) as running:
            running.source(prometheus(level(110.0)).url)
            yield running
    finally:
        plane.stop()


def success_s(some: Operators, which: int) -> float | None:
    """When that process last told somebody; None while it is not its part."""
    with suppress(OSError):
        text = fetch(f"http://127.0.0.1:{some.ports[which]}/metrics", timeout_s=2.0).body.decode()
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return next((sample.value for sample in samples if sample.name == SUCCESS), None)
    return None


@pytest.mark.timeout(300)
def test_A09_the_leader_alone_tells_and_the_next_one_goes_on_with_the_same_alerts(
    some: Operators, tmp_path: Path
) -> None:
    with Receiver() as receiver:
        manager = Alertmanager(tmp_path / "am", receiver.url)
        manager.start()
        try:
            words, name = ("--alertmanager", manager.url, "--alert-resend", "10s"), "ForesailWatchdog"
            some.workload(NAMESPACE)
            some.start(0, *words)
            (first,) = wait_until(lambda: manager.alerts(name), "the leader tells", 60)
            assert first["labels"]["installation"] == "foresail"
            some.start(1, *words)
            wait_until(lambda: some.ready(1), "a standby", 60)
            assert success_s(some, 0)
            assert success_s(some, 1) is None, "a standby sends nothing, and is not missed"
            some.kill(0)
            wait_until(lambda: success_s(some, 1), "the other one tells", 60)
            (again,) = manager.alerts(name)
            assert (again["fingerprint"], again["status"]["state"]) == (first["fingerprint"], "active")
            assert receiver.heard(name) == [("firing", 1)], "nobody hears of the change"
        finally:
            manager.server.stop()
