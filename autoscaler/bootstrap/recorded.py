"""Recorded demand from a Prometheus-compatible source, as a trace."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from autoscaler.adapters.prometheus.reader import PrometheusReader
from autoscaler.adapters.prometheus.settings import PrometheusSettings
from autoscaler.adapters.traces import Trace
from autoscaler.bootstrap.servers import settings_of
from autoscaler.bootstrap.worlds import steps_of
from autoscaler.domain.errors import Refused, SourceDown
from autoscaler.domain.series import DataVerdict, SeriesBatch
from autoscaler.domain.workload import Demand
from autoscaler.spec.compile import PrometheusSource

DOWN = frozenset({DataVerdict.UNREACHABLE, DataVerdict.THROTTLED})
QUERY_S = 60.0
"""A month of a heavy query may take its time; nobody waits for a tick."""


def prometheus_trace(
    url: str, query: str, since_s: float, step_s: int, now_s: float, *, censored_query: str | None = None
) -> Trace:
    """The newest `since_s` seconds of a query, in requests within the source's limit of points.

    A step's value is the query at its end. Steps without a sample are unknown; those before the first sample and
    after the last are left out. A step is censored where `censored_query` is above zero, or the source itself said
    that its answer is partial.
    """
    try:
        settings = PrometheusSettings("prometheus", url, timeout_s=QUERY_S)
    except ValueError as error:
        shown = url.rpartition("@")[2]  # what stands before it would reach the log by our own words
        raise Refused(f"--prometheus {shown}: {error}") from None
    end = int(now_s // step_s)
    demands = [Demand("demand", "prometheus", query, 1.0)]
    if censored_query is not None:
        demands.append(Demand("censored", "prometheus", censored_query, 1.0))
    reader = PrometheusReader(settings)
    try:
        batch = reader.load(demands, end - steps_of(since_s, step_s), end, step_s)
    finally:
        reader.close()
    return _recorded(url, query, batch, censored_query)


def source_trace(source: PrometheusSource, query: str, since_s: float, step_s: int, now_s: float) -> Trace:
    """The same from a described source: its credentials, tenant and limits count."""
    reader = PrometheusReader(replace(settings_of(source), timeout_s=QUERY_S))
    end = int(now_s // step_s)
    try:
        batch = reader.load([Demand("demand", source.name, query, 1.0)], end - steps_of(since_s, step_s), end, step_s)
    finally:
        reader.close()
    return _recorded(source.url, query, batch, None)


def _recorded(url: str, query: str, batch: SeriesBatch, censored_query: str | None) -> Trace:
    """A step without a sample is unknown; a step for which the source gave no answer at all is a failure."""
    if not batch.values.size:
        raise Refused(f"{url}: the range holds no whole step; ask for a longer --since")
    values, known = batch.values[0], np.flatnonzero(~np.isnan(batch.values[0]))
    if DataVerdict(int(batch.verdicts[0].max())) >= DataVerdict.SEVERAL_SERIES or not len(known):
        raise _unanswered(url, query, batch, 0)
    first, last = int(known[0]), int(known[-1]) + 1
    partial = ~np.isnan(values) & (batch.verdicts[0] == DataVerdict.PARTIAL)
    notes = _notes(batch)
    if censored_query is not None:
        if DataVerdict(int(batch.verdicts[1].max())) >= DataVerdict.SEVERAL_SERIES:
            raise _unanswered(url, f"--censored-query {censored_query}", batch, 1)
        partial |= ~np.isnan(values) & (np.nan_to_num(batch.values[1], nan=0.0) > 0)
        notes += (f"{int(partial.sum())} of {len(values)} steps are censored: lower bounds of demand",)
        if np.isnan(batch.values[1]).all():
            notes += ("--censored-query has no sample in the whole range: is it the query that was meant?",)
    marks = partial[first:last].copy() if censored_query is not None or partial.any() else None
    return Trace("prometheus", batch.step_s, batch.first_step + first, values[first:last].copy(), notes, marks)


def _unanswered(url: str, query: str, batch: SeriesBatch, row: int) -> SourceDown | Refused:
    worst = DataVerdict(int(batch.verdicts[row].max()))
    steps = int((batch.verdicts[row] == worst).sum())
    note = f" ({batch.notes[row]})" if row in batch.notes else ""
    words = f"{url}: {query!r}: {worst.words}{note}: {steps} of {batch.values.shape[1]} steps"
    return SourceDown(words) if worst in DOWN else Refused(words)


def _notes(batch: SeriesBatch) -> tuple[str, ...]:
    """What is unknown or only a lower bound, by cause."""
    codes, counts = np.unique(batch.verdicts[0], return_counts=True)
    return tuple(
        f"{count} of {batch.verdicts.shape[1]} steps: {DataVerdict(code).words}"
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True)
        if code != DataVerdict.OK
    )
