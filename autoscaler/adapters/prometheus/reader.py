"""A MetricsReader over one Prometheus-compatible source.

Step k covers [k·s, (k+1)·s): its value is the query evaluated at its end, t = (k+1)·s. Each distinct query is asked
once and its row shared; a query that fails costs its own rows. What is asked beyond the demand itself (age of the
newest sample, copies of series, start of the server, why something is missing) concerns the newest steps only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from autoscaler.adapters.prometheus.client import PrometheusClient
from autoscaler.adapters.prometheus.diagnosis import Diagnoses, why_missing
from autoscaler.adapters.prometheus.doubts import Doubles, Freshness
from autoscaler.adapters.prometheus.faults import QueryFault, fault
from autoscaler.adapters.prometheus.health import SourceHealth
from autoscaler.adapters.prometheus.patience import Heavy, Patience
from autoscaler.adapters.prometheus.promql import Reading, reading
from autoscaler.adapters.prometheus.recovery import Recovery
from autoscaler.adapters.prometheus.restarts import Restarts
from autoscaler.adapters.prometheus.rows import Grid, Row, batch_of
from autoscaler.adapters.prometheus.settings import PrometheusSettings
from autoscaler.adapters.prometheus.together import ManyAsked, Together
from autoscaler.domain.series import DataVerdict, SeriesBatch
from autoscaler.domain.workload import Demand

SMALLER = 4
"""Into how many pieces a request that was too heavy is cut, once."""

SLOW = frozenset({DataVerdict.UNREACHABLE, DataVerdict.TOO_HEAVY})
PAST_STEPS = 10
"""A load that ends this far behind what was read already fills the past."""


class PrometheusReader:
    """Implements ports.MetricsReader. One load at a time; `clock` counts monotonic seconds."""

    def __init__(
        self,
        settings: PrometheusSettings,
        client: PrometheusClient | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.client = client or PrometheusClient(settings, clock=clock)
        self._clock = clock
        self._pool = ThreadPoolExecutor(settings.concurrency, thread_name_prefix=f"prometheus-{settings.name}")
        self._loading = threading.Lock()
        self._furthest_s = 0
        self._heavy = Heavy(clock)
        self._patience = Patience(settings.concurrency)
        self._recovery = Recovery()
        self._restarts = Restarts(self.client, clock)
        self._diagnoses = Diagnoses()
        self._together = Together(self.client, settings.timeout_s, clock)
        self._asked = ManyAsked(self._together, self.client, self._pool)
        self._freshness = Freshness(self._asked, settings.stale_after_s)
        self._doubles = Doubles(self._asked, self.client, settings.replica_labels, clock)

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        """Demand over [first_step, end_step), cut where the source's own clock is: later steps are not in yet."""
        grid = Grid(first_step, max(first_step, end_step), step_s)
        with self._loading:
            rows = {query: Row(query, grid) for query in dict.fromkeys(d.query for d in demands)}
            if grid.width:
                self._fetch_all(rows.values())
                grid = self._cut(rows.values(), grid)
                if grid.width:
                    self._doubt(list(rows.values()), grid)
            return batch_of([rows[d.query] for d in demands], grid)

    @property
    def health(self) -> SourceHealth:
        return self.client.health

    def close(self) -> None:
        """End the threads and connections; what is under way is waited for, a query's deadline at most."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.client.close()

    def _fetch_all(self, rows: Iterable[Row]) -> None:
        """Ask every query, many in one request. After a dark load one goes first: what is down is found out once."""
        left = {row.query: row for row in rows}
        self._patience.start_load()
        if self._patience.probing:
            self._fetch(left.pop(next(iter(left))))
        fit = [q for q, row in left.items() if self._heavy.rests(q) is None and self._whole(row)]
        groups = [[left[query] for query in group] for group in self._together.groups(fit)]
        for answered in self._pool.map(self._fetch_group, groups):
            for query in answered:
                del left[query]
        list(self._pool.map(self._fetch, left.values()))

    def _whole(self, row: Row) -> bool:
        """Whether all of it goes into one request."""
        return row.grid.width <= self._heavy.points(row.query, self.settings.max_points)

    def _fetch_group(self, rows: Sequence[Row]) -> list[str]:
        """The queries that were answered; the others are asked alone."""
        part = rows[0].grid
        try:
            self._patience.check()
            answers = self._together.ask([row.query for row in rows], part)
        except QueryFault as failed:
            self._patience.failed(failed)
            return []
        if answers:
            self._patience.answered()
        for row in rows:
            if row.query in answers:
                row.take(answers[row.query], part)
        return list(answers)

    def _fetch(self, row: Row) -> None:
        """The row's steps in requests of at most max_points, the newest first; older ones wait for its success."""
        most, cut = self._heavy.points(row.query, self.settings.max_points), False
        todo = list(row.grid.chunks(most))
        while todo:
            part = todo.pop(0)
            try:
                self._patience.check()
                self._heavy.check(row.query)
                answer = self.client.range(row.query, part.first_s, part.end_s, part.step_s)
            except QueryFault as failed:
                self._patience.failed(failed)
                if failed.verdict == DataVerdict.TOO_HEAVY and part.width > 1 and not cut and self._heavy.asked(failed):
                    cut, most = True, max(1, part.width // SMALLER)
                    todo = list(Grid(row.grid.first, part.end, part.step_s).chunks(most))
                    continue
                self._heavy.failed(row.query, failed, newest=part.end == row.grid.end)
                if failed.verdict in SLOW:
                    self._together.slow_alone(row.query)
                row.fail(Grid(row.grid.first, part.end, part.step_s), _mended(row.query, failed))
                return
            self._patience.answered()
            self._heavy.answered(row.query, most if cut else None)
            row.take(answer, part)

    @staticmethod
    def _cut(rows: Iterable[Row], grid: Grid) -> Grid:
        """The grid up to what was complete by the source's clock when it answered; all rows alike."""
        seen = [r.server_time_s for r in rows if r.answered and r.server_time_s is not None]
        if not seen:
            return grid
        end = max(grid.first, min(grid.end, int(min(seen) // grid.step_s)))
        for row in rows:
            row.cut(end)
        return Grid(grid.first, end, grid.step_s)

    def _doubt(self, rows: list[Row], grid: Grid) -> None:
        """What speaks against values that look well, and why there are none.

        A load that ends long before what was read already fills the past: nobody decides on its newest step.
        """
        answered = [r for r in rows if r.answered]
        self._doubles.judge(answered)
        if grid.end_s < self._furthest_s - PAST_STEPS * grid.step_s:
            for row in answered:
                self._recovery.note_past(row, reading(row.query).window_s)
            return
        self._furthest_s = max(self._furthest_s, grid.end_s)
        self._freshness.judge(answered)
        restarted_s = self._restarts.news(answered)
        for row in rows:
            self._recovery.note(row, reading(row.query).window_s, restarted_s)
        kept = {r.query for r in rows}
        for memory in (self._recovery, self._heavy, self._doubles, self._together):
            memory.forget_others(kept)
        self._diagnose(answered)

    def _diagnose(self, rows: list[Row]) -> None:
        missing = [r for r in rows if r.newest == DataVerdict.MISSING]
        self._diagnoses.start_load({r.query for r in missing})
        due = [r for r in missing if self._diagnoses.due(r.query, self._clock())]

        def ask(row: Row) -> None:
            words = why_missing(self.client, reading(row.query), float(row.grid.end_s))
            self._diagnoses.keep(row.query, self._clock(), words)

        list(self._pool.map(ask, due))
        for row in missing:
            row.note = self._diagnoses.words(row.query) or row.note


def _mended(query: str, failed: QueryFault) -> QueryFault:
    """A source of another make may only say that the query is wrong where we see that its type is."""
    read: Reading = reading(query)
    if failed.verdict == DataVerdict.BAD_QUERY and read.understood and not read.number:
        return fault(DataVerdict.WRONG_TYPE, failed.note)
    return failed
