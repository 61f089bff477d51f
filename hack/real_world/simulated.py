"""`foresail simulate` itself over the same demand, with the document that the operator decides by."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hack.real_world.constants import STEP_S, Constants
from hack.real_world.scene import Scene
from hack.real_world.worlds import Scaler, World, autoscaler, source

SIMULATE_S = 300.0


@dataclass(frozen=True, slots=True)
class Simulated:
    """What the command tells of one world. Its risk control has the fourteen days before behind it."""

    short_minutes: float
    replica_hours: float
    churn_per_hour: float


def simulate(scene: Scene, constants: Constants, world: World, folder: Path) -> Simulated:
    """Only of worlds that Foresail serves. folder: gets the trace and the document."""
    trace, config = folder / "scene.parquet", folder / f"{world.name}.yaml"
    _write(scene, trace)
    documents = source("http://not-asked", [world]), autoscaler(scene, constants, world)
    config.write_text("\n---\n".join(map(json.dumps, documents)))
    warm_s = (scene.score_step - scene.first_step) * STEP_S
    given: list[Any] = ["--trace", trace, "--config", config, "--warmup", f"{warm_s}s", "-o", "json"]
    if world.scaler is Scaler.FLOOR:
        given += ["--hpa-target", world.target]
    command = [sys.executable, "-m", "autoscaler", "simulate", *map(str, given)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SIMULATE_S, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"foresail simulate ended with {done.returncode}: {done.stderr}")
    told = json.loads(done.stdout)["figures"]
    return Simulated(told["shortMinutes"], round(told["replicaHours"], 2), round(told["churnPerHour"], 2))


def _write(scene: Scene, path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    ms = (np.arange(len(scene.demand)) + scene.first_step) * STEP_S * 1000
    columns = {"ts": pa.array(ms, pa.timestamp("ms", "UTC")), "value": scene.demand}
    parquet.write_table(pa.table(columns), path)


def table(rows: dict[str, Simulated]) -> str:
    head = "| `foresail simulate` | short minutes | replica-hours | churn per hour |\n|---|---|---|---|\n"
    lines = (f"| {n} | {r.short_minutes:g} | {r.replica_hours:.1f} | {r.churn_per_hour:.1f} |" for n, r in rows.items())
    return head + "\n".join(lines) + "\n"
