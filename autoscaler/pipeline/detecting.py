"""From verdicts of series to causes by lane and incidents: which rows are watched, and what their verdicts come to.

The order of detection as the pipeline is of a tick: verdicts, what was usual, causes, incidents. Knows no engine, no
clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.detection.causes import Causes, Metrics, event_rows, explained
from autoscaler.detection.causes_memory import CauseMemory
from autoscaler.detection.contract import Watched
from autoscaler.detection.incidents import IncidentBook, Names, Seen
from autoscaler.detection.usual import Usual, by_day
from autoscaler.domain.anomaly import CAUSES, Anomalies, Cause, Detector
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.incident import News, short
from autoscaler.domain.series import Bools, Codes, DataVerdict, Floats, Ints
from autoscaler.domain.signals import KIND_CODE, Signal, SignalKind
from autoscaler.domain.verdict import DataFault, Verdicts
from autoscaler.domain.workload import Demand, Workload

AT_ONCE = 256
"""Rows copied at a time."""
TAKEN_BACK: Final = (
    (DataVerdict.STUCK, DataFault.STUCK),
    (DataVerdict.UNIT_CHANGE, DataFault.UNIT_CHANGE),
    (DataVerdict.DUPLICATED, DataFault.DUPLICATED),
)
"""What the intake has taken back, an engine sees as unknown; it is told all the same."""


def anything_told(values: Floats, codes: Codes) -> Bools:
    """[row, step], where a source has said a number, whether intake believes it or not."""
    return np.isfinite(values) | np.isin(codes, [int(verdict) for verdict, _ in TAKEN_BACK])


@dataclass(frozen=True, slots=True)
class Asked:
    """One metric that is watched. sized: replicas are sized by it."""

    name: str
    source: str
    query: str
    kind: SignalKind
    sized: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Metrics that are judged together, those that are sized by first. pages: false ones a week that are accepted."""

    name: str
    pages: float
    asked: tuple[Asked, ...]


def _group_of(load: Workload, accepted: Mapping[str, float]) -> Group:
    name = str(load.ref)
    demands = [Asked(d.name, d.source, d.query, SignalKind.DEMAND, sized=True) for d in load.demands]
    signals = [Asked(s.name, s.source, s.query, s.kind) for s in load.signals]
    return Group(name, accepted.get(name, load.watching.false_pages_per_week), (*demands, *signals))


def key_of(group: str, asked: Asked) -> str:
    """Stable identity of a row, as Fleet.row_keys gives that of a demand; another query is another row."""
    return f"{group}/{asked.name}={asked.source}:{asked.query}"


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """The rows that are watched of a fleet: of each lane that is, its demands and then its signals.

    lane: [group]. demand_row: [row], in Fleet.demands, -1 = a signal. signal_row: [row], in `signals`, -1 = a demand.
    signals: as demands, for a reader.
    """

    watched: Watched
    metrics: Metrics
    names: Names
    lane: Ints
    demand_row: Ints
    signal_row: Ints
    signals: tuple[Demand, ...]

    @staticmethod
    def of(fleet: Fleet, accepted: Mapping[str, float] | None = None) -> Watch:
        """accepted: false pages a week by workload, where feedback has moved them from what is written."""
        lanes = [lane for lane, load in enumerate(fleet.workloads) if load.watching.on]
        groups = [_group_of(fleet.workloads[lane], accepted or {}) for lane in lanes]
        first = [int(fleet.row_start[lane]) for lane in lanes]
        return Watch._of(groups, lanes, first)

    @staticmethod
    def of_groups(groups: Sequence[Group]) -> Watch:
        """Of queries without any workload: every metric is a signal, those of kind Demand too."""
        return Watch._of(groups, list(range(len(groups))), None)

    @staticmethod
    def _of(groups: Sequence[Group], lanes: Sequence[int], first_rows: Sequence[int] | None) -> Watch:
        asked = [a for group in groups for a in group.asked]
        keys = [key_of(group.name, a) for group in groups for a in group.asked]
        counts = [len(group.asked) for group in groups]
        signals: list[Demand] = []
        demand_row: list[int] = []
        signal_row: list[int] = []
        for k, group in enumerate(groups):
            for place, a in enumerate(group.asked):
                sized = first_rows is not None and a.sized
                demand_row.append(first_rows[k] + place if sized and first_rows is not None else -1)
                signal_row.append(-1 if sized else len(signals))
                signals += [] if sized else [Demand(a.name, a.source, a.query, 1.0)]
        often = Counter((a.source, a.query) for a in asked)
        pages = np.array([group.pages for group in groups], dtype=np.float64)
        return Watch(
            watched=Watched(tuple(keys), np.repeat(np.arange(len(groups), dtype=np.int64), counts), pages),
            metrics=Metrics(
                np.array([KIND_CODE[a.kind] for a in asked], dtype=np.uint8),
                np.cumsum([0, *counts], dtype=np.int64)[: len(groups)],
                np.array([often[a.source, a.query] > 1 for a in asked], dtype=np.bool_),
            ),
            names=Names(tuple(group.name for group in groups), tuple(a.name for a in asked)),
            lane=np.array(lanes, dtype=np.int64),
            demand_row=np.array(demand_row, dtype=np.int64),
            signal_row=np.array(signal_row, dtype=np.int64),
            signals=tuple(signals),
        )

    @property
    def rows(self) -> int:
        return len(self.demand_row)

    def parts(self, most_rows: int) -> list[Watch]:
        """Groups that follow each other, of together at most so many rows each where a single one has not more."""
        ends = np.append(self.metrics.start[1:], self.rows).tolist()
        found, begin = [], 0
        for group in range(1, len(ends) + 1):
            first = int(self.metrics.start[begin])
            if group == len(ends) or ends[group] - first > most_rows:
                found.append(self._part(begin, group))
                begin = group
        return found

    def _part(self, begin: int, end: int) -> Watch:
        first = int(self.metrics.start[begin])
        last = int(self.metrics.start[end]) if end < len(self.metrics.start) else self.rows
        groups, rows = slice(begin, end), slice(first, last)
        return Watch(
            watched=Watched(
                self.watched.keys[rows], self.watched.group[rows] - begin, self.watched.false_pages_per_week[groups]
            ),
            metrics=Metrics(self.metrics.kind[rows], self.metrics.start[groups] - first, self.metrics.same[rows]),
            names=Names(self.names.groups[groups], self.names.metrics[rows]),
            lane=self.lane[groups],
            demand_row=self.demand_row[rows],
            signal_row=self.signal_row[rows],
            signals=self.signals,
        )

    def joined(self, demands: Floats, signals: Floats) -> Floats:
        """[row, step] of values over Fleet.demands and over `signals`, of the same steps."""
        out = np.full((self.rows, demands.shape[1]), np.nan)
        for rows, given in ((self.demand_row, demands), (self.signal_row, signals)):
            here = np.flatnonzero(rows >= 0) if given.size else np.empty(0, dtype=np.int64)
            for at in range(0, len(here), AT_ONCE):  # two weeks of a fleet are not copied twice
                some = here[at : at + AT_ONCE]
                out[some] = given[rows[some]]
        return out


@dataclass(frozen=True, slots=True)
class Span:
    """Steps [first, end) of one row of Fleet.demands of which nothing is learned. code: DataVerdict that says why."""

    row: int
    first: int
    end: int
    code: int


@dataclass(slots=True)
class Explainer:
    """Causes and incidents of one watch, block after block in the order of time. State is bounded and restartable."""

    watch: Watch
    step_s: int
    usual: Usual = field(init=False)
    memory: CauseMemory = field(init=False)
    book: IncidentBook = field(init=False)
    since: Ints = field(init=False)
    """[cause, group], the step in which each cause began; -1 where it is not."""

    def __post_init__(self) -> None:
        groups = len(self.watch.lane)
        self.usual = Usual(self.step_s, self.watch.rows)
        self.memory = CauseMemory.fresh(groups, self.watch.rows)
        self.book = IncidentBook(self.watch.names, self.step_s)
        self.since = np.full((len(CAUSES), groups), -1, dtype=np.int64)

    def take(
        self, found: Verdicts, taken_back: Codes | None = None, *, books: bool = True
    ) -> tuple[Explained, list[News]]:
        """Verdicts of the steps that come next. taken_back: [row, step], DataVerdict of what intake has taken back.

        books: incidents are kept; without, causes alone.
        """
        parts: list[Causes] = []
        news: list[News] = []
        since: list[Ints] = []
        for first, end in by_day(found.first_step, found.first_step + found.steps, self.step_s):
            some = _cut(found, first, end, taken_back)
            values = some.rows.observed
            reached = self.usual.reached(first, values)
            metrics = self.watch.metrics
            causes = explained(some, metrics, reached, self.memory, self.watch.watched.false_pages_per_week)
            if books:
                news += self.book.advance(Seen(some, causes, reached, metrics))
            self.usual.learn(first, values, event_rows(causes.event, metrics))
            since.append(self._since(causes.bits, first))
            parts.append(causes)
        return Explained(self.watch, found.first_step, self.step_s, parts, since), news

    def _since(self, bits: Codes, first_step: int) -> Ints:
        """[cause, group, step], when each began; -1 where it is not."""
        steps = first_step + np.arange(bits.shape[1])
        out = np.full((len(CAUSES), *bits.shape), -1, dtype=np.int64)
        if not bits.any():
            self.since[:] = -1
            return out
        for k, cause in enumerate(CAUSES):
            on = (bits & np.uint8(cause.bit)) != 0
            if not on.any():
                self.since[k] = -1
                continue
            off = np.maximum.accumulate(np.where(on, first_step - 1, steps), axis=1)  # last step without it
            begun = np.where(
                off >= first_step, off + 1, np.where(self.since[k] >= 0, self.since[k], first_step)[:, None]
            )
            out[k] = np.where(on, begun, -1)
            self.since[k] = out[k][:, -1]
        return out

    def baselines(self) -> Mapping[str, str]:
        """By workload, where what its demand reaches each day has moved far within two weeks (slowly, or for good)."""
        moved = self.usual.moved()
        found: dict[str, str] = {}
        for row in np.flatnonzero(np.isfinite(moved[0]) & (self.watch.demand_row >= 0)).tolist():
            before, now = float(moved[0, row]), float(moved[1, row])
            said = (
                f"{self.watch.names.metrics[row]} reached {short(before)} a day two weeks ago and reaches {short(now)}"
            )
            group = self.watch.names.groups[int(self.watch.watched.group[row])]
            found[group] = f"{said} now; forecasts follow it: exclude those days if they are no demand of yours"
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Rows and groups by name, so that another fleet takes over what is still there."""
        of_rows = self.usual.arrays() | self.memory.row_arrays()
        rows = {f"row.{name}": array for name, array in of_rows.items()}
        groups = {f"group.{name}": array for name, array in self.memory.arrays().items()}
        return rows | groups | {
            "row.key": np.array([k.encode() for k in self.watch.watched.keys], dtype=bytes),
            "group.name": np.array([g.encode() for g in self.watch.names.groups], dtype=bytes),
            "group.since": self.since.T.copy(),
        }  # fmt: skip

    def restore(self, saved: Mapping[str, NDArray[Any]]) -> None:
        """Take over what is known of rows and groups that are still there; ValueError where it is of another grid."""
        here, there = _matched(self.watch.watched.keys, saved["row.key"])
        of_rows = {n[4:]: a for n, a in saved.items() if n.startswith("row.")}
        self.usual.restore(of_rows, here, there)
        self.memory.restore_rows(of_rows, here, there)
        here, there = _matched(self.watch.names.groups, saved["group.name"])
        self.memory.restore({n[6:]: a for n, a in saved.items() if n.startswith("group.")}, here, there)
        self.since[:, here] = saved["group.since"][there].T


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """Causes of consecutive steps, day by day."""

    watch: Watch
    first_step: int
    step_s: int
    parts: Sequence[Causes]
    since: Sequence[Ints]

    def anomalies(self, lanes: int, steps: Ints) -> Anomalies:
        """As gates take them, at chosen steps ([origin], those outside the block have none)."""
        severity = np.zeros((len(CAUSES), lanes, len(steps)))
        since_s = np.full(severity.shape, np.nan)
        width = sum(p.bits.shape[1] for p in self.parts)
        at = np.asarray(steps) - self.first_step
        inside = np.flatnonzero((at >= 0) & (at < width))
        if not len(inside) or not any(p.bits.any() for p in self.parts):
            return Anomalies(Detector.ON, severity, since_s)
        bits = np.concatenate([p.bits for p in self.parts], axis=1)[:, at[inside]]
        bad = np.concatenate([p.severity for p in self.parts], axis=1)[:, at[inside]]
        began = np.concatenate(self.since, axis=2)[:, :, at[inside]]
        for k, cause in enumerate(CAUSES):
            on = (bits & np.uint8(cause.bit)) != 0
            severity[k][np.ix_(self.watch.lane, inside)] = np.where(on, np.clip(bad, 0.01, 1.0), 0.0)
            since_s[k][np.ix_(self.watch.lane, inside)] = np.where(on, began[k] * float(self.step_s), np.nan)
        return Anomalies(Detector.ON, severity, since_s)

    def masked(self, told: Bools | None = None) -> list[Span]:
        """Of demands: wrong values by their fault's code; those of a suspected attack as PARTIAL, which keeps them.

        told: [row, step], where there was anything to believe; None = everywhere. In a gap there was not, and what
        comes for it afterwards is the truth.
        """
        found: list[Span] = []
        at = 0
        for part in self.parts:
            end = at + part.bits.shape[1]
            masked = part.masked if told is None else part.masked & told[:, at:end]
            rows = np.flatnonzero(masked.any(axis=1) & (self.watch.demand_row >= 0))
            for row in rows.tolist():
                group = int(self.watch.watched.group[row])
                demand = int(self.watch.demand_row[row])
                found += _spans(demand, masked[row], part.bits[group], self.first_step + at)
            at = end
        return found


_DATA_CODES = {Cause.DATA_FAULT: DataVerdict.UNIT_CHANGE, Cause.SENSOR_LOSS: DataVerdict.STUCK}
_DATA_BITS = {cause.bit: code for cause, code in _DATA_CODES.items()}


def _spans(row: int, masked: Bools, bits: Codes, first: int) -> list[Span]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], masked, [False])).astype(np.int8)))
    found = []
    for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        there = int(np.bitwise_or.reduce(bits[a:b]))
        code = next((int(code) for bit, code in _DATA_BITS.items() if there & bit), int(DataVerdict.PARTIAL))
        found.append(Span(row, first + a, first + b, code))
    return found


def as_demand(signal: Signal) -> Demand:
    """As a reader takes it; nothing is sized by it, so the capacity is no matter."""
    return Demand(signal.name, signal.source, signal.query, 1.0)


def _matched(mine: Sequence[str], saved: NDArray[Any]) -> tuple[Ints, Ints]:
    """Places in mine and in what was saved, of names in both."""
    there = {name.decode(errors="replace"): k for k, name in enumerate(saved.tolist())}
    pairs = [(k, there[name]) for k, name in enumerate(mine) if name in there]
    here = np.array([a for a, _ in pairs], dtype=np.int64)
    return here, np.array([b for _, b in pairs], dtype=np.int64)


def _cut(found: Verdicts, first: int, end: int, taken_back: Codes | None) -> Verdicts:
    """Steps [first, end), with what intake has taken back among the faults."""
    cut = slice(first - found.first_step, end - found.first_step)
    rows = {name: getattr(found.rows, name)[:, cut] for name in found.rows.__dataclass_fields__}
    if taken_back is not None and taken_back.size:
        codes = taken_back[:, cut]
        for verdict, fault in TAKEN_BACK:
            hit = codes == int(verdict)
            if hit.any():
                rows["faults"] = rows["faults"] | np.where(hit, np.uint8(fault), np.uint8(0))
    groups = {name: getattr(found.groups, name)[:, cut] for name in found.groups.__dataclass_fields__}
    return replace(found, first_step=first, rows=replace(found.rows, **rows), groups=replace(found.groups, **groups))
