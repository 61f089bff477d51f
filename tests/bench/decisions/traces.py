"""The recorded loads of the scoreboard: a fixed list, so that two runs compare. Chosen before any figure was seen.

From each source what is load-like; every source weighs the same however many series it has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from autoscaler.adapters.traces import Trace, read_trace

DAY_S: Final = 86_400
WARM_DAYS: Final = 14
JUMPSTARTER: Final = "anomalies/jumpstarter_services_d2.parquet"
MS_CLOUD: Final = "anomalies/ms_cloud_monitoring.parquet"
SERVICES: Final = (0, 2, 4, 11)
"""One of each kind: the 30 services fall into four groups whose series hardly differ."""
METRICS: Final = ("m10", "m11", "m12", "m13", "m14", "m15", "m18")
SENSOR_LOSS: Final = (9407, 9417)
"""Rows at which all metrics of all services are zero at once: nobody measured, which is not no load."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One recorded load. name: unique, and of the source first. file: below the data folder. step_s: averaged into
    steps of this length, None = as recorded. lost: rows [from, to) that were not observed whatever stands there.
    """

    source: str
    name: str
    file: str
    series: str | None = None
    column: str | None = None
    step_s: int | None = None
    lost: tuple[int, int] | None = None


LISTED: Final = (
    Listed("worldcup98", "worldcup98", "workloads/worldcup98_1min.parquet"),
    Listed("twitter", "twitter", "workloads/twitter_stream_2021_1min.parquet"),
    *(
        Listed("ms_cloud", f"ms_cloud-{series.split('/')[1]}", MS_CLOUD, series)
        for series in (
            "data-ingress-rate/ingress-01",
            "data-ingress-rate/ingress-03",
            "data-ingress-rate/ingress-05",
            "mongodb-application-rps/mongo-01",
            "mongodb-application-rps/mongo-03",
        )
    ),
    *(
        Listed(
            "jumpstarter",
            f"jumpstarter-{service}-{metric}",
            JUMPSTARTER,
            f"Dataset2/service{service}",
            metric,
            lost=SENSOR_LOSS,
        )
        for service in SERVICES
        for metric in METRICS
    ),
    Listed("alibaba", "alibaba-cpu", "workloads/alibaba2018_cluster_10s.parquet", "cpu_util_percent", step_s=60),
)


def absent(folder: Path, listed: tuple[Listed, ...] = LISTED) -> list[Path]:
    """Files that the list needs and that are not there."""
    return sorted({folder / one.file for one in listed if not (folder / one.file).is_file()})


def load(folder: Path, one: Listed) -> Trace:
    trace = read_trace(folder / one.file, one.column, one.series, one.step_s)
    values = np.array(trace.values)
    if one.lost is not None:
        values[slice(*one.lost)] = np.nan
    return replace(trace, name=one.name, values=values)


def warm_steps(trace: Trace) -> int:
    """14 days, or a third of the record where that is less: decided like all else, tuned on, and not scored."""
    return min(WARM_DAYS * DAY_S // trace.step_s, len(trace.values) // 3)


def capacity(trace: Trace, peak_replicas: int) -> float:
    """Demand per replica such that the 99.9th percentile of the record needs `peak_replicas`.

    It looks at the whole record, for all alike: it sets the scale of the contest, and nobody is told it early.
    """
    peak = float(np.nanquantile(trace.values, 0.999))
    if not peak > 0:
        raise ValueError(f"{trace.name}: the 99.9th percentile is {peak:g}; that is no load")
    return peak / peak_replicas
