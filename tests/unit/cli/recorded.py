"""Recorded demand as files for the tests of `simulate`, and the PredictiveAutoscaler that goes with it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

COLUMNS = ["ts", "series", "demand", "wanted", "granted", "ready", "p50", "p95", "margin", "lead_s", "reasons"]
START = datetime(2026, 3, 1, tzinfo=UTC)
COUNT = 300
PLAIN = ("--capacity", 10, "-o", "json")

AUTOSCALER = """apiVersion: foresail.dev/v1alpha1
kind: PredictiveAutoscaler
metadata: {name: web, namespace: shop}
spec:
  target: {apiVersion: apps/v1, kind: Deployment, name: web}
  demands: [{name: requests, source: prod, query: "sum(rate(x[1m]))", capacity: {perReplica: "8"}}]
  objective: {risk: "1%"}
  lead: {ready: 10m}
  replicas: {min: 3, max: 40}
"""


def lines(count: int = COUNT, step_s: int = 300) -> list[str]:
    stamps = [START + timedelta(seconds=k * step_s) for k in range(count)]
    return [f"{t.isoformat()},{100 + 60 * np.sin(k / 20):.3f}" for k, t in enumerate(stamps)]


def write(path: Path, rows: list[str], head: str = "ts,value") -> None:
    path.write_text("\n".join([head, *rows]) + "\n")
