"""The record of a service, read for others while it is written: overviews, histories, explanations, recent hours.

Everything is read through connections of its own and never waits for a tick, nor a tick for it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from autoscaler.adapters.store import DecisionStore, StoredDecisions
from autoscaler.adapters.store.lines import StoredLines
from autoscaler.adapters.store.place import Place
from autoscaler.bootstrap.kept_demand import recent_demand
from autoscaler.bootstrap.settings import demand_file
from autoscaler.domain.record import RecordedRun
from autoscaler.domain.workload import WorkloadRef
from autoscaler.reporting.overview import Overview
from autoscaler.reporting.recent import Recent, Stretch, recent_of

HOUR_S = 3600.0
MOST_RUNS = 5000
"""Of one line of recent hours: a run a tick for most of a day."""


@dataclass(slots=True)
class Reading:
    """store: of a service that may not have begun yet. Refused or Retryable, with the reason, where it cannot be."""

    store: Path
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _decisions: StoredDecisions | None = None
    _lines: StoredLines | None = None

    def workloads(self) -> Sequence[WorkloadRef]:
        return self._opened()[0].workloads()

    def newest(self, ref: WorkloadRef) -> RecordedRun | None:
        return self._opened()[0].run_at(ref)

    def run_at(self, ref: WorkloadRef, at: datetime | None) -> RecordedRun | None:
        return self._opened()[0].run_at(ref, at)

    def history(
        self, ref: WorkloadRef, since: datetime | None, until: datetime | None, limit: int
    ) -> Sequence[RecordedRun]:
        return self._opened()[0].history(ref, since, until, limit)

    def recent(self, run: RecordedRun, hours: float, cells: int) -> Recent:
        """The hours up to the end of a workload's newest run, of the demand that needs most replicas."""
        lines, d = self._opened()[1], run.decision
        end_s, span_s = run.last_at.timestamp(), hours * HOUR_S
        shown = Overview(run, ()).shown
        stretches = list(self._stretches(lines, d.workload, end_s - span_s, end_s, shown))
        if not d.demands:
            return recent_of(stretches, end_s, span_s, cells=cells)
        view = d.demands[shown]
        key = f"{d.workload}/{view.name}={view.source}:{view.query}"
        exact = recent_demand(demand_file(self.store), key, end_s, int(span_s), cells)
        return recent_of(stretches, end_s, span_s, cells=cells, name=view.name, exact=exact)

    @staticmethod
    def _stretches(lines: StoredLines, ref: WorkloadRef, since_s: float, end_s: float, shown: int) -> Iterator[Stretch]:
        for one in lines.numbers(ref, since_s, end_s, MOST_RUNS):
            known = shown < len(one.observed)
            demand, peak = (one.observed[shown], one.peak[shown]) if known else (math.nan, math.nan)
            yield Stretch(one.first_s, one.last_s, demand, peak, float(one.granted))

    def _opened(self) -> tuple[StoredDecisions, StoredLines]:
        with self._lock:
            if self._decisions is None or self._lines is None:
                self._decisions = DecisionStore.open_read_only(self.store)
                self._lines = StoredLines(Place.of(self.store))
            return self._decisions, self._lines

    def close(self) -> None:
        with self._lock:
            for part in (self._decisions, self._lines):
                if part is not None:
                    part.close()
            self._decisions = self._lines = None


def explained(run: RecordedRun, at: datetime | None) -> tuple[dict[str, Any], str]:
    """A run as `foresail explain` tells it, as JSON values and as text."""
    from autoscaler.guards.chain import CHAIN
    from autoscaler.pipeline.counterfactual import counterfactuals
    from autoscaler.reporting.words import explain, explain_dict

    without = counterfactuals(run.decision, CHAIN)
    return explain_dict(run, at, without), explain(run, at, without)
