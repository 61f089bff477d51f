"""The record of decisions in memory: the twin of the store, lane by lane and plain, for the demo and for tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from autoscaler.domain.decision import Decision, Decisions
from autoscaler.domain.record import Range, RecordedRun, StoreSize
from autoscaler.domain.workload import Workload, WorkloadRef

MAX_GAP_TICKS = 3.0


@dataclass(slots=True)
class _Open:
    """A lane's run that the next tick may extend; `sameness` is all that must stay as it is."""

    spec: Workload
    sameness: tuple[object, ...]
    index: int


class MemoryRecords:
    """DecisionWriter and DecisionReader with the run-length behaviour of the store; not for several threads."""

    def __init__(self, *, tick_s: float) -> None:
        """tick_s: usual spacing of ticks; a hole longer than three of them ends every run."""
        self._max_gap_s = MAX_GAP_TICKS * tick_s
        self._runs: defaultdict[WorkloadRef, list[RecordedRun]] = defaultdict(list)
        self._open: dict[WorkloadRef, _Open] = {}
        self._last_s: float | None = None

    def append(self, decisions: Decisions) -> None:
        unbroken = self._last_s is not None and 0 < decisions.now_s - self._last_s <= self._max_gap_s
        self._last_s = decisions.now_s
        fingerprints = decisions.fingerprint().tolist()
        still_open = {}
        for lane, spec in enumerate(decisions.fleet.workloads):
            view = decisions[lane]
            runs = self._runs[spec.ref]
            sameness = (*fingerprints[lane], decisions.seen.models, *_sameness(view))
            last = self._open.get(spec.ref)
            if unbroken and last is not None and last.sameness == sameness and last.spec == spec:
                runs[last.index] = _extended(runs[last.index], view)
                still_open[spec.ref] = last
            else:
                runs.append(_begun(view))
                still_open[spec.ref] = _Open(spec, sameness, len(runs) - 1)
        self._open = still_open

    def workloads(self) -> Sequence[WorkloadRef]:
        return sorted(self._runs)

    def run_at(self, workload: WorkloadRef, at: datetime | None = None) -> RecordedRun | None:
        _aware(at)
        begun = [r for r in self._runs.get(workload, ()) if at is None or r.first_at <= at]
        return max(reversed(begun), key=lambda r: r.first_at, default=None)

    def history(
        self,
        workload: WorkloadRef,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 1000,
    ) -> Sequence[RecordedRun]:
        _aware(since, until)
        found = [
            r
            for r in self._runs.get(workload, ())
            if (since is None or r.last_at >= since) and (until is None or r.first_at <= until)
        ]
        found.sort(key=lambda r: r.first_at)
        return found[max(0, len(found) - limit) :]

    def size(self) -> StoreSize:
        """Nothing is on disk: no bytes, and no bytes per day to speak of."""
        runs = [r for of_one in self._runs.values() for r in of_one]
        return StoreSize(
            bytes=0,
            runs=len(runs),
            ticks=sum(r.ticks for r in runs),
            workloads=len(self._runs),
            bytes_per_workload_day=None,
        )


def _sameness(view: Decision) -> tuple[object, ...]:
    return (
        view.state,
        bool(view.inputs["predicted"]),
        tuple((e.guard, e.reason, e.holds, e.acted) for e in view.effects),
        tuple((d.verdict, d.model, d.standing and (d.standing.rung, d.standing.why)) for d in view.demands),
    )


def _begun(view: Decision) -> RecordedRun:
    return RecordedRun(
        first_at=view.at,
        last_at=view.at,
        ticks=1,
        decision=view,
        observed=tuple(Range(d.observed, d.observed) for d in view.demands),
        sizing_quantile=tuple(Range(d.sizing_quantile, d.sizing_quantile) for d in view.demands),
        wanted=Range(view.wanted, view.wanted),
    )


def _extended(run: RecordedRun, view: Decision) -> RecordedRun:
    new = _begun(view)
    return RecordedRun(
        first_at=run.first_at,
        last_at=view.at,
        ticks=run.ticks + 1,
        decision=run.decision,
        observed=tuple(map(_joined, run.observed, new.observed)),
        sizing_quantile=tuple(map(_joined, run.sizing_quantile, new.sizing_quantile)),
        wanted=_joined(run.wanted, new.wanted),
    )


def _joined(a: Range, b: Range) -> Range:
    low = [v for v in (a.low, b.low) if v is not None]
    high = [v for v in (a.high, b.high) if v is not None]
    return Range(min(low, default=None), max(high, default=None))


def _aware(*times: datetime | None) -> None:
    for when in times:
        if when is not None and when.tzinfo is None:
            raise ValueError(f"{when!r} has no time zone; pass an aware datetime")
