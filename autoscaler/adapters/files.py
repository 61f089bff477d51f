"""Demand from recorded files: a MetricsReader over MetricsSources that name a CSV or Parquet file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from autoscaler.adapters.traces import Trace, read_each
from autoscaler.domain.errors import BadTrace
from autoscaler.domain.series import DataVerdict, SeriesBatch
from autoscaler.domain.workload import Demand


@dataclass(frozen=True, slots=True)
class _Read:
    stamp: tuple[int, int]
    step_s: int
    traces: Mapping[str, Trace]
    refused: Mapping[str, str]


@dataclass(slots=True)
class FileMetrics:
    """paths: file of each source. A file is read again when it has changed, so it may grow while we run.

    errors: source, or source and series → why it could not be read; its rows are UNREACHABLE, the others go on.
    """

    paths: Mapping[str, Path]
    errors: dict[str, str] = field(default_factory=dict)
    _kept: dict[str, _Read] = field(default_factory=dict)

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        """A demand's query names the series in the file. The batch ends where the longest file ends."""
        traces = {source: self._traces(source, step_s) for source in {d.source for d in demands}}
        rows = [None if (held := traces[d.source]) is None else held.get(d.query) for d in demands]
        newest = max((t.end_step for t in rows if t is not None), default=end_step)
        end = max(first_step, min(end_step, newest))
        raw = np.full((len(demands), end - first_step), np.nan)
        for row, trace in enumerate(rows):
            if trace is not None:
                low, high = max(first_step, trace.first_step), min(end, trace.end_step)
                if low < high:
                    raw[row, low - first_step : high - first_step] = trace.values[
                        low - trace.first_step : high - trace.first_step
                    ]
        batch = SeriesBatch.judge(step_s, first_step, raw)
        dark = np.array([traces[d.source] is None or self._refused(d) for d in demands], dtype=np.bool_)
        verdicts = np.where(dark[:, np.newaxis], np.uint8(DataVerdict.UNREACHABLE), batch.verdicts)
        return SeriesBatch(step_s, first_step, batch.values, verdicts)

    def newest_end_s(self, step_s: int) -> int | None:
        """End of the newest step in any file, in seconds since the epoch; None if no file can be read."""
        ends = [t.end_step * t.step_s for s in self.paths for t in (self._traces(s, step_s) or {}).values()]
        return max(ends, default=None)

    def unknown_series(self, demands: Sequence[Demand], step_s: int) -> tuple[str, ...]:
        """A sentence for each demand whose series is not in its file: a slip that would only show as a hold."""
        found = []
        for demand in demands:
            traces = self._traces(demand.source, step_s)
            if traces is not None and demand.query not in traces and not self._refused(demand):
                names = ", ".join(sorted(traces)[:5])
                found.append(f"{self.paths[demand.source]} has no series {demand.query!r}; it has {names}")
        return tuple(found)

    def _refused(self, demand: Demand) -> bool:
        kept = self._kept.get(demand.source)
        return kept is not None and demand.query in kept.refused

    def _traces(self, source: str, step_s: int) -> Mapping[str, Trace] | None:
        path = self.paths.get(source)
        if path is None:
            self.errors[source] = f"no MetricsSource {source}"
            return None
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            kept = self._kept.get(source)
            if kept is None or kept.stamp != stamp or kept.step_s != step_s:
                kept = _Read(stamp, step_s, *read_each(path, step_s=step_s))
                self._kept[source] = kept
                self.errors = {k: why for k, why in self.errors.items() if not k.startswith(f"{source}, ")}
        except (BadTrace, OSError) as error:
            self.errors[source] = str(error)
            return None
        self.errors.pop(source, None)
        self.errors |= {f"{source}, series {name}": why for name, why in kept.refused.items()}
        return kept.traces
