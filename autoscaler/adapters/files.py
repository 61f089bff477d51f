"""Demand from recorded files: a MetricsReader over MetricsSources that name a CSV or Parquet file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from autoscaler.adapters.trace_table import nearest
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
    why: str | None = None


@dataclass(slots=True)
class FileMetrics:
    """paths: file of each source. A file is read again when it has changed, so it may grow while we run.

    errors: source, or source and series → why a demand has no data from there; the others go on.
    """

    paths: Mapping[str, Path]
    errors: dict[str, str] = field(default_factory=dict)
    _kept: dict[str, _Read] = field(default_factory=dict)

    def serve(self, paths: Mapping[str, Path], demands: Sequence[Demand]) -> None:
        """From now on these files, for these demands; errors that concern neither any longer are forgotten."""
        self.paths = paths
        concerned = {d.source for d in demands} | {_place(d) for d in demands}
        self.errors = {place: why for place, why in self.errors.items() if place in concerned}

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        """A demand's query names the series in the file. The batch ends where the longest file ends."""
        traces = {source: self._traces(source, step_s) for source in {d.source for d in demands}}
        for demand in demands:
            self._look(demand, traces[demand.source])
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

    def complaints(self, step_s: int) -> tuple[str, ...]:
        """Why files, or series in them, cannot be read on this grid."""
        for source in self.paths:
            self._traces(source, step_s)
        refused = [why for kept in self._kept.values() for why in kept.refused.values()]
        return (*dict.fromkeys((*self.errors.values(), *refused)),)

    def _look(self, demand: Demand, traces: Mapping[str, Trace] | None) -> None:
        """Note why the demand's series cannot be had from a file that can be read."""
        place = _place(demand)
        self.errors.pop(place, None)
        if traces is None or demand.query in traces:
            return
        kept = self._kept[demand.source]
        names = sorted((*traces, *kept.refused))
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        absent = f"{self.paths[demand.source]} has no series {demand.query!r}{nearest(demand.query, tuple(names))}"
        self.errors[place] = kept.refused.get(demand.query) or f"{absent} It has {', '.join(names[:5])}{more}"

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
                kept = self._kept[source] = _read(path, stamp, step_s)
        except OSError as error:
            self.errors[source] = f"{path}: {(error.strerror or str(error)).lower()}"
            return None
        if kept.why is not None:
            self.errors[source] = kept.why
            return None
        self.errors.pop(source, None)
        return kept.traces


def _read(path: Path, stamp: tuple[int, int], step_s: int) -> _Read:
    """A file that cannot be read as demand is kept as such, so that it is not read again before it changes."""
    try:
        return _Read(stamp, step_s, *read_each(path, step_s))
    except OSError:
        raise
    except BadTrace as error:
        return _Read(stamp, step_s, {}, {}, str(error))
    except Exception as error:  # noqa: BLE001 - whatever a reader says of one file costs no other source its data
        return _Read(stamp, step_s, {}, {}, f"{path}: cannot be read ({type(error).__name__}: {error})")


def _place(demand: Demand) -> str:
    return f"{demand.source}, series {demand.query}"
