"""Candidates and records as a source would give them."""

from typing import Any

import numpy as np
import pytest

from autoscaler.adapters.prometheus.discovery_queries import Pods, Scope
from autoscaler.bootstrap.advise.candidates import Basis, Candidate, HpaAsSet
from autoscaler.bootstrap.advise.record import Record
from autoscaler.domain.series import DataVerdict
from autoscaler.domain.workload import WorkloadRef

DAYS, PER_BLOCK = 14, 5


def _candidate(name: str = "web", basis: Basis = Basis.CPU, **changes: Any) -> Candidate:
    told: dict[str, Any] = {
        "replicas": 4, "hpa": HpaAsSet("h", 2, 20, cpu_share=0.7), "request_cores": 1.0, "cpu_query": "cpu",
    } | changes  # fmt: skip
    pods = Pods(Scope(), "shop", "Deployment", name)
    return Candidate(WorkloadRef("shop", name), "Deployment", name, basis, f"demand of {name}", pods, "metric", **told)


def _record(demand: Any, per_replica: float = 0.7, **changes: Any) -> Record:
    """Sized by the block before, as an HPA that is five minutes late would."""
    values = np.asarray(demand, dtype=np.float64)
    sums, known = np.nansum(values.reshape(-1, PER_BLOCK), axis=1), (~np.isnan(values)).reshape(-1, PER_BLOCK)
    blocks = sums / np.maximum(1, known.sum(axis=1))
    replicas = np.maximum(2.0, np.ceil(np.roll(blocks, 1) / per_replica))
    told: dict[str, Any] = {
        "ready": replicas, "wanted": replicas, "cpu_cores": blocks, "throttled": np.full(len(blocks), np.nan),
        "verdict": DataVerdict.OK, "note": "",
    } | changes  # fmt: skip
    return Record(values, **told)


def _wave(mean: float = 4.0, days: float = DAYS, seed: int = 1) -> Any:
    at = np.arange(int(days * 1440))
    noise = np.random.default_rng(seed).lognormal(0, 0.05, len(at))
    bursts = np.where((at // 15) % 192 == 100, 1.8, 1.0)
    return mean * (1 + 0.6 * np.sin(2 * np.pi * at / 1440)) * noise * bursts


@pytest.fixture
def candidate() -> Any:
    return _candidate


@pytest.fixture
def record() -> Any:
    return _record


@pytest.fixture
def wave() -> Any:
    return _wave
