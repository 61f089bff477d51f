"""Recorded demand as commands are told it: one series of a file, or the newest part of a query."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Final, Protocol

from autoscaler.adapters.traces import Trace, read_trace
from autoscaler.bootstrap.recorded import prometheus_trace
from autoscaler.bootstrap.simulate import check_length
from autoscaler.cli.inputs import seconds, whole_seconds
from autoscaler.domain.errors import Refused

PROMETHEUS_STEP_S: Final = 60


class DemandOptions(Protocol):
    """As typed; None = not given."""

    @property
    def trace(self) -> Path | None: ...
    @property
    def column(self) -> str | None: ...
    @property
    def series(self) -> str | None: ...
    @property
    def censored_column(self) -> str | None: ...
    @property
    def prometheus(self) -> str | None: ...
    @property
    def query(self) -> str | None: ...
    @property
    def censored_query(self) -> str | None: ...
    @property
    def since(self) -> str | None: ...
    @property
    def step(self) -> str | None: ...


def recorded_demand(options: DemandOptions) -> Trace:
    """The trace that the options name, or Refused with the way out."""
    step = None if options.step is None else whole_seconds("--step", options.step)
    if (options.trace is None) == (options.prometheus is None):
        raise Refused("name the recorded demand: either --trace FILE, or --prometheus URL --query QUERY")
    if options.prometheus is None and options.trace is not None:
        asked = ((options.query, "--query"), (options.since, "--since"), (options.censored_query, "--censored-query"))
        for value, name in asked:
            if value is not None:
                raise Refused(f"{name} needs --prometheus URL")
        return read_trace(options.trace, options.column, options.series, step, options.censored_column)
    of_files = (
        (options.column, "--column"), (options.series, "--series"), (options.censored_column, "--censored-column"),
    )  # fmt: skip
    for value, name in of_files:
        if value is not None:
            raise Refused(f"{name} needs --trace FILE")
    if not options.query:
        raise Refused("--prometheus needs --query: PromQL that answers one number, such as sum(rate(...[1m]))")
    since_s = seconds("--since", options.since or "30d", least=1.0, most=math.inf)
    step = step or PROMETHEUS_STEP_S
    check_length(f"--since {options.since or '30d'}", int(since_s // step), step)
    return prometheus_trace(
        options.prometheus or "", options.query, since_s, step, time.time(),
        censored_query=options.censored_query,
    )  # fmt: skip
