"""A record that a service has left, made once: two decisions of three workloads, one of which has no demand."""

from __future__ import annotations

import runpy
from datetime import datetime
from pathlib import Path

import pytest

from autoscaler.bootstrap.service import service
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.simulator.clock import VirtualClock

WRITTEN = runpy.run_path(str(Path(__file__).parents[1] / "bootstrap" / "conftest.py"))
EVIL = "</script><script>alert(1)</script>"
MOMENTS = ("2026-06-10T08:30:00+00:00", "2026-06-10T09:00:00+00:00")


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of the store."""
    folder = tmp_path_factory.mktemp("record")
    (folder / "fleet").mkdir()
    estate, source, workload = WRITTEN["Estate"](folder / "fleet"), WRITTEN["_source"], WRITTEN["_workload"]
    estate.record("web.csv", "web", "api")
    dead = workload("dead", query=f"'{EVIL}'")
    estate.write(source(), workload("web"), workload("api", namespace="ops"), dead)
    clock = VirtualClock(datetime.fromisoformat(MOMENTS[0]))
    running = service(ServiceSettings((folder / "fleet",), folder / "foresail.db"), clock)
    for at in MOMENTS:
        clock.at = datetime.fromisoformat(at)
        assert running.tick() is not None
    assert running.store.flush()
    running.close()
    return folder / "foresail.db"
