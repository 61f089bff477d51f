"""`foresail simulate` on a real Prometheus: a range of several requests decides as the same demand in a file."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.real.history import series

MINUTE, STEPS = 60, 11_000  # more than one request may ask for
OUTAGE = slice(4000, 4090)


def _simulate(folder: Path, *args: object) -> dict[str, object]:
    command = [str(Path(sys.executable).with_name("foresail")), "simulate", *map(str, args), "--capacity", "5"]
    ran = subprocess.run([*command, "-o", "json"], cwd=folder, capture_output=True, text=True, check=False, timeout=110)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, object] = json.loads(ran.stdout)
    return found


@pytest.mark.slow
def test_a_range_of_prometheus_decides_as_the_same_demand_in_a_file(prometheus, tmp_path):
    end = int(time.time()) // MINUTE - 30
    steps = np.arange(end - STEPS, end)
    demand = np.round(100 + 60 * np.sin(steps * MINUTE / 86400 * 2 * np.pi), 3)
    keep = np.ones(STEPS, dtype=np.bool_)
    keep[OUTAGE] = False
    at = (steps + 1) * MINUTE  # a step's value is what the query answers at its end
    server = prometheus({series("load"): (at[keep].tolist(), demand[keep].tolist())})
    query = "last_over_time(load[30s])"
    live = _simulate(tmp_path, "--prometheus", server.url, "--query", query, "--since", "8d", "--out", "live.parquet")
    stamps = [datetime.fromtimestamp(int(k) * MINUTE, UTC).isoformat() for k in steps[keep]]
    pd.DataFrame({"ts": stamps, "value": demand[keep]}).to_csv(tmp_path / "load.csv", index=False)
    filed = _simulate(tmp_path, "--trace", "load.csv", "--out", "filed.parquet")
    assert live["steps"] == filed["steps"] == STEPS
    assert live["figures"] == filed["figures"]
    one, other = (pd.read_parquet(tmp_path / f"{n}.parquet").drop(columns="series") for n in ("live", "filed"))
    pd.testing.assert_frame_equal(one, other)
    assert one["demand"].isna().sum() == OUTAGE.stop - OUTAGE.start
