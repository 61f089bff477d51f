"""One tick into the tables, in one transaction. Used by the writer thread only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import Connection, bindparam, insert, select, update

from autoscaler.adapters.store.codec import pack
from autoscaler.adapters.store.place import Place
from autoscaler.adapters.store.retention import Retention, prune
from autoscaler.adapters.store.runs import NO_RUN, OpenRuns, runs_after
from autoscaler.adapters.store.schema import micros, payload, run, workload
from autoscaler.domain.decision import Decisions
from autoscaler.domain.series import Ints
from autoscaler.domain.workload import WorkloadRef

_EXTEND = (
    update(run)
    .where(run.c.id == bindparam("key"))
    .values(
        last_at=bindparam("last"),
        ticks=bindparam("n"),
        wanted_low=bindparam("low"),
        wanted_high=bindparam("high"),
        ranges=bindparam("span"),
    )
)


class Tables:
    """Holds the one writing connection and the open runs. A commit that fails leaves both as they were before."""

    def __init__(self, place: Place, tick_s: float, retention: Retention) -> None:
        self._place = place
        self._tick_s = tick_s
        self._retention = retention
        self._engine = place.writing()
        self._connection: Connection | None = None
        self._open: OpenRuns | None = None
        self._ids: dict[WorkloadRef, int] = {}

    def commit(self, decisions: Decisions) -> None:
        """Retryable when the database is busy, full or away; the same tick may be given again."""
        try:
            with self._place.translated():
                runs = runs_after(self._open, decisions, self._tick_s)
                connection = self._connected()
                with connection.begin():
                    ids = self._workload_ids(connection, decisions)
                    self._extend(connection, runs)
                    started = self._start(connection, runs, decisions, ids)
        except Exception:
            self.release()
            self._ids = {}
            raise
        self._ids = ids
        self._open = replace(runs, run_id=started)

    def restart_runs(self) -> None:
        """Claim no continuity with what was written before."""
        self._open = None

    def tidy(self) -> bool:
        """Prune for a moment; True if there is more to prune."""
        if self._open is None:
            return False
        try:
            with self._place.translated():
                done = prune(self._connected(), self._retention, micros_of(self._open.now_s))
        except Exception:
            self.release()
            raise
        if done.workloads_gone:
            self._ids = {}
        return done.more

    def release(self) -> None:
        """Close the connection; the next commit opens another."""
        held, self._connection = self._connection, None
        if held is not None:
            held.close()
        self._engine.dispose()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _workload_ids(self, connection: Connection, decisions: Decisions) -> dict[WorkloadRef, int]:
        ids = self._ids
        refs = [load.ref for load in decisions.fleet.workloads]
        if all(ref in ids for ref in refs):
            return ids
        ids = _all_ids(connection)
        missing = [{"namespace": ref.namespace, "name": ref.name} for ref in refs if ref not in ids]
        if missing:
            connection.execute(insert(workload), missing)
            ids = _all_ids(connection)
        return ids

    def _extend(self, connection: Connection, runs: OpenRuns) -> None:
        lanes = np.flatnonzero(runs.run_id != NO_RUN)
        if not len(lanes):
            return
        last = micros_of(runs.now_s)
        spans = _spans(runs, lanes)
        columns = zip(
            runs.run_id[lanes].tolist(),
            runs.ticks[lanes].tolist(),
            runs.wanted_low[lanes].tolist(),
            runs.wanted_high[lanes].tolist(),
            spans,
            strict=True,
        )
        connection.execute(
            _EXTEND,
            [
                {"key": key, "last": last, "n": n, "low": low, "high": high, "span": s}
                for key, n, low, high, s in columns
            ],
        )

    def _start(self, connection: Connection, runs: OpenRuns, decisions: Decisions, ids: dict[WorkloadRef, int]) -> Ints:
        """Insert the runs that begin, with their payloads; run ids of all lanes."""
        lanes = np.flatnonzero(runs.run_id == NO_RUN)
        if not len(lanes):
            return runs.run_id
        at = micros_of(runs.now_s)
        views = [decisions[lane] for lane in lanes.tolist()]
        rows = [
            {
                "workload_id": ids[view.workload],
                "first_at": at,
                "last_at": at,
                "ticks": 1,
                "granted": view.granted,
                "current": view.current,
                "wanted_low": view.wanted,
                "wanted_high": view.wanted,
                "state": view.state.value,
                "reasons": ",".join(view.reasons),
                "ranges": span,
            }
            for view, span in zip(views, _spans(runs, lanes), strict=True)
        ]
        new = connection.scalars(insert(run).returning(run.c.id, sort_by_parameter_order=True), rows).all()
        connection.execute(
            insert(payload), [{"run_id": key, "body": pack(view)} for key, view in zip(new, views, strict=True)]
        )
        run_id = runs.run_id.copy()
        run_id[lanes] = new
        return run_id


def micros_of(now_s: float) -> int:
    """The very time that a decision of this tick shows."""
    return micros(datetime.fromtimestamp(now_s, UTC))


def _all_ids(connection: Connection) -> dict[WorkloadRef, int]:
    found = connection.execute(select(workload.c.id, workload.c.namespace, workload.c.name))
    return {WorkloadRef(namespace, name): key for key, namespace, name in found}


def _spans(runs: OpenRuns, lanes: Ints) -> Sequence[bytes]:
    width = 8 * runs.ranges.shape[1]
    everything = runs.ranges.astype("<f8").tobytes()
    ends = np.append(runs.fleet.row_start[1:], len(runs.ranges))
    starts = (runs.fleet.row_start[lanes] * width).tolist()
    return [everything[a:b] for a, b in zip(starts, (ends[lanes] * width).tolist(), strict=True)]
