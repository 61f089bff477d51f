"""`foresail report --live` on what a service really wrote: run on a replay, its record read, its demand kept."""

import json
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.adapters.demand_store import DemandStore
from autoscaler.adapters.store import DecisionStore
from autoscaler.adapters.traces import read_trace
from autoscaler.domain.errors import Refused
from autoscaler.domain.series import DataVerdict
from autoscaler.domain.workload import WorkloadRef
from autoscaler.ports.history import FINAL, KeptDemand

MADE = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "bootstrap" / "conftest.py"))
estate, source, workload = MADE["estate"], MADE["source"], MADE["workload"]
FORESAIL = str(Path(sys.executable).with_name("foresail"))
PATIENCE_S = 120.0
UNTIL = "2026-06-10T04:00"
"""Of the replay, as the record tells it."""
KEY = "shop/web/requests=rec:web"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def lived(folder: Path) -> None:
    """Two hours of a replay, decided in a process of its own."""
    command = [FORESAIL, "run", "fleet", "--listen", "off", "--tick", "60s", "--speed", "600"]
    with (folder / "log.txt").open("w") as log:
        service = subprocess.Popen(
            [*command, "--replay-from", "2026-06-10T02:00:00Z"], cwd=folder, stdout=log, stderr=log
        )
        end = time.monotonic() + PATIENCE_S
        try:
            while newest(folder) < UNTIL:
                assert time.monotonic() < end, (folder / "log.txt").read_text()
                assert service.poll() is None, (folder / "log.txt").read_text()
                time.sleep(0.2)
        finally:
            service.send_signal(signal.SIGTERM)
            ended = service.wait(PATIENCE_S)
        assert ended == 0


def newest(folder: Path) -> str:
    """When the newest recorded decision was made; "" while there is none."""
    if not (folder / "foresail.db").exists():
        return ""
    try:
        store = DecisionStore.open_read_only(folder / "foresail.db")
    except Refused:  # the file is there before its tables are
        return ""
    try:
        run = store.run_at(WorkloadRef("shop", "web"))
    finally:
        store.close()
    return "" if run is None else run.last_at.isoformat()


def keep(folder: Path) -> None:
    """The demand as a service with a Prometheus keeps it: with a hole that has a cause, and a lower bound."""
    trace = read_trace(folder / "fleet" / "web.csv")
    values = trace.values.copy()
    marks = np.full(len(values), DataVerdict.OK, dtype=np.uint8)
    values[-450:-440], marks[-450:-440] = np.nan, DataVerdict.UNREACHABLE | FINAL
    marks[-420:-415] = DataVerdict.PARTIAL
    with DemandStore.open(folder / "foresail-demand.db") as store:
        store.save([KeptDemand((KEY,), 60, trace.first_step, values[None], marks[None])])


def told(folder: Path, *words: str) -> dict[str, Any]:
    command = [FORESAIL, "report", "--live", "web", *words, "-o", "json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("mode", ["Act", "Advise"])
def test_observed_and_simulated_rows_are_told_apart_over_the_same_steps(estate, source, workload, tmp_path, mode):
    estate.record("web.csv", "web", steps=1440 * 2)
    estate.write(source(), workload("web", mode=mode))
    lived(tmp_path)
    missing = subprocess.run(
        [FORESAIL, "report", "--live", "web"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert missing.returncode == 2
    assert "name that file with --trace" in missing.stderr
    assert not (tmp_path / "report.html").exists()

    plain = told(tmp_path, "--trace", "fleet/web.csv", "--hpa-target", "60")
    keep(tmp_path)
    found = told(tmp_path, "--hpa-target", "60")
    assert found["series"] == "shop/web"
    assert plain["scoredFrom"] == found["scoredFrom"]
    assert "2026-06-10T02:" < found["scoredFrom"] < "2026-06-10T04:"  # the replay's first decision, once it is up
    assert found["from"] == "2026-06-08T09:00:00Z"  # kept demand before the first decision is warm-up
    roles = {c["role"]: c for c in found["claims"]}
    observed = "foresail" if mode == "Act" else "observed"
    assert {role for role, c in roles.items() if c["basis"] == "observed"} == {observed}
    assert ("simulated twin" in roles) == (mode == "Act")
    assert roles["as set"]["title"] == "your HPA as set (60 %)"
    assert any(line.startswith("Observed: demand, forecasts and the replicas") for line in found["basis"])

    figures = {m["name"]: m["rows"][0]["figures"] for m in found["methods"]}
    assert figures["observed"]["steps"] == figures["foresail"]["steps"] > 15
    assert figures["observed"]["replicaHours"] == pytest.approx(roles[observed]["replicaHours"]["value"])
    causes = {g["cause"]: g["steps"] for g in found["gaps"]}
    assert causes == {"the metrics source did not answer": 10}
    assert [(c["steps"], "partial" in c["cause"]) for c in found["censored"]] == [(5, True)]
    assert plain["gaps"] == plain["censored"] == []


def test_replicas_of_an_acting_service_are_those_it_had(estate, source, workload, tmp_path):
    """Each observed step has the replicas of the decision in force: the record is asked step by step."""
    estate.record("web.csv", "web", steps=1440)
    estate.write(source(), workload("web"))
    lived(tmp_path)
    from autoscaler.bootstrap.report.record import recorded

    store = DecisionStore.open_read_only(tmp_path / "foresail.db")
    try:
        ref = WorkloadRef("shop", "web")
        found = recorded(store.history(ref, limit=100_000), read_trace(tmp_path / "fleet" / "web.csv"))
        known = np.flatnonzero(found.ready >= 0)
        assert len(known) > 15
        for step in known[:: max(1, len(known) // 20)].tolist():
            at = found.trace.start + (found.trace.end - found.trace.start) * (step / len(found.trace.values))
            run = store.run_at(ref, at)
            assert run is not None
            assert found.ready[step] == run.decision.ready
    finally:
        store.close()
    assert (found.running[known] >= found.ready[known]).all()
    assert np.isfinite(found.p95[known]).any()
    assert found.acted == 1.0
