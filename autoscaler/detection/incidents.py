"""From abnormal steps to incidents: grouped over metrics and workloads, opened at once, resolved when it stays quiet.

An incident is of one workload until many go at once; then the first one takes the others in and keeps its name. The
name follows from when and where it began, so that a restart, or another process over the same data, gives the same
one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from autoscaler.detection.causes import Causes, Metrics
from autoscaler.detection.usual import Reached
from autoscaler.domain.anomaly import Cause
from autoscaler.domain.incident import MOST_NAMED, Evidence, Happening, Incident, News, Rule, Trail
from autoscaler.domain.series import Floats
from autoscaler.domain.signals import KINDS
from autoscaler.domain.verdict import DataFault, Verdicts

MANY, MANY_SHARE = 3, 0.2
"""So many workloads, and that share of all, within TOGETHER_S are one incident."""
TOGETHER_S = 600
RESOLVE_S, LEAST_QUIET = 900, 3
"""So long, and so many steps, nothing was abnormal: it is over."""
REOPEN_S = 6 * 3600
"""The same workload within it is the same incident again: the budget of false pages counts one for such a stretch."""
UPDATE_S, WORSE = 300, 0.2
"""An update is news at most so often, unless the cause changed."""
STRONGER, EVIDENCE_S = 1.2, 600
"""Evidence is replaced by such that is so many times further outside its band, as long as the incident is so young."""
TRAIL_BEFORE, TRAIL_AFTER, TRAIL_ROWS = 60, 240, 3
RANK: tuple[Cause | None, ...] = (
    None, Cause.DEMAND, Cause.CAPACITY, Cause.LATENCY_ERRORS, Cause.SUSPECTED_ATTACK, Cause.SENSOR_LOSS,
    Cause.DATA_FAULT,
)  # fmt: skip
"""Of several causes the last counts: what makes the others doubtful."""


@dataclass(frozen=True, slots=True)
class Names:
    """groups: names of workloads. metrics: of each row, within its workload."""

    groups: tuple[str, ...]
    metrics: tuple[str, ...]


@dataclass(slots=True)
class Standing:
    """One incident that is open, or was lately. groups: names; last_on, told_at: steps."""

    incident: Incident
    groups: list[str]
    last_on: int
    told_at: int
    told_severity: float = 0.0
    rows: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What one block of steps shows. causes, found and reached are of the same rows, groups and steps."""

    found: Verdicts
    causes: Causes
    reached: Reached
    metrics: Metrics


@dataclass(slots=True)
class IncidentBook:
    """Incidents of one fleet, step by step; `advance` goes on where the last call ended."""

    names: Names
    step_s: int
    standing: dict[str, Standing] = field(default_factory=dict)
    _of: dict[str, str] = field(default_factory=dict)  # workload → its open incident
    _back: Floats = field(default_factory=lambda: np.empty((0, 0, 0)))  # [4, row, step], the newest columns

    def adopt(self, names: Names, standing: Sequence[Standing]) -> None:
        """Another fleet, or a restart: incidents of workloads that are still there go on."""
        self.names, self._back = names, np.empty((0, 0, 0))
        there = set(names.groups)
        self.standing, self._of = {}, {}
        for each in standing:
            each.groups = [g for g in each.groups if g in there]
            each.rows = []
            if each.groups or not each.incident.open:
                self.standing[each.incident.id] = each
            if each.incident.open:
                self._of |= dict.fromkeys(each.groups, each.incident.id)

    def rename(self, names: Mapping[str, str]) -> None:
        """Incidents by the ids that a record has them under. names: from ours to those."""
        for ours, theirs in names.items():
            one = self.standing.pop(ours, None)
            if one is not None:
                one.incident = replace(one.incident, id=theirs)
                self.standing[theirs] = one
        self._of = {workload: names.get(key, key) for workload, key in self._of.items()}

    def advance(self, seen: Seen) -> list[News]:
        """News of the steps of a block, in their order."""
        told: list[News] = []
        active = np.asarray(seen.causes.event.any(axis=0))
        for column in range(seen.found.steps):
            if active[column] or self.standing:
                told += self._step(seen, column)
            self._trail(seen, column)
        self._remember(seen)
        return told

    @property
    def open(self) -> list[Incident]:
        return [s.incident for s in self.standing.values() if s.incident.open]

    def _step(self, seen: Seen, column: int) -> Iterator[News]:
        step = seen.found.first_step + column
        on = np.flatnonzero(seen.causes.event[:, column]).tolist()
        fresh: list[int] = []
        for group in on:
            name = self.names.groups[group]
            known = self._of.get(name) or self._lately(name)
            if known is None:
                fresh.append(group)
            else:
                yield from self._goes_on(self.standing[known], seen, group, column)
        yield from self._begins(fresh, seen, column)
        yield from self._ends(step)

    def _goes_on(self, one: Standing, seen: Seen, group: int, column: int) -> Iterator[News]:
        step = seen.found.first_step + column
        one.last_on = step
        before = one.incident
        cause, rule = _cause_of(seen, group, column)
        worse = float(seen.causes.severity[group, column])
        changes = RANK.index(cause) > RANK.index(before.cause)
        if not changes and worse <= before.severity and before.open and not seen.causes.evident[group, column]:
            return
        now_s = float((step + 1) * self.step_s)
        evidence = self._evidence(seen, group, column)
        young = now_s - before.opened_s <= EVIDENCE_S
        if not changes and not (young and _strength(evidence) > STRONGER * _strength(before.evidence)):
            evidence = before.evidence
        one.incident = replace(
            before, updated_s=now_s, resolved_s=None, severity=max(worse, before.severity),
            cause=cause if changes else before.cause, rule=rule if changes else before.rule,
            evidence=evidence or before.evidence, gates=before.gates or _gates(seen, group, column),
        )  # fmt: skip
        self._of[self.names.groups[group]] = before.id
        due = (step - one.told_at) * self.step_s >= UPDATE_S and worse >= one.told_severity + WORSE
        if changes or due or not before.open:
            one.told_at, one.told_severity = step, one.incident.severity
            yield News(Happening.UPDATED, one.incident)

    def _begins(self, fresh: Sequence[int], seen: Seen, column: int) -> Iterator[News]:
        if not fresh:
            return
        step = seen.found.first_step + column
        since = step - max(1, TOGETHER_S // self.step_s)
        recent = [
            s for s in self.standing.values()
            if s.incident.open and s.incident.opened_s > (since + 1) * self.step_s
        ]  # fmt: skip
        together = len(fresh) + sum(len(s.groups) for s in recent)
        if together >= max(MANY, math.ceil(MANY_SHARE * len(self.names.groups))):
            host = min(recent, key=lambda s: (s.incident.opened_s, s.incident.id), default=None)
            yield from self._joined(host, recent, fresh, seen, column)
            return
        for group in fresh:
            yield self._opened([group], seen, column)

    def _joined(
        self, host: Standing | None, recent: Sequence[Standing], fresh: Sequence[int], seen: Seen, column: int
    ) -> Iterator[News]:
        """Many at once are one: the first of them takes the others in."""
        if host is None:
            yield self._opened(fresh, seen, column)
            return
        step = seen.found.first_step + column
        now_s = float((step + 1) * self.step_s)
        for other in recent:
            if other is not host:
                host.groups += other.groups
                gone = replace(other.incident, updated_s=now_s, resolved_s=now_s, merged_into=host.incident.id)
                other.incident, other.groups = gone, []
                yield News(Happening.RESOLVED, gone)
        host.groups += [self.names.groups[g] for g in fresh]
        self._of |= dict.fromkeys(host.groups, host.incident.id)
        host.last_on = host.told_at = step
        worst = max(fresh, key=lambda g: float(seen.causes.severity[g, column]))
        cause, rule = self._common_cause(fresh, seen, column)
        changes = RANK.index(cause) > RANK.index(host.incident.cause)
        host.incident = replace(
            host.incident, updated_s=now_s, workloads=tuple(host.groups[:MOST_NAMED]), affected=len(host.groups),
            severity=max(host.incident.severity, float(seen.causes.severity[worst, column])),
            cause=cause if changes else host.incident.cause, rule=rule if changes else host.incident.rule,
            gates=host.incident.gates or any(_gates(seen, g, column) for g in fresh),
        )  # fmt: skip
        host.told_severity = host.incident.severity
        yield News(Happening.UPDATED, host.incident)

    def _opened(self, groups: Sequence[int], seen: Seen, column: int) -> News:
        step = seen.found.first_step + column
        now_s = float((step + 1) * self.step_s)
        names = [self.names.groups[g] for g in groups]
        worst = max(groups, key=lambda g: float(seen.causes.severity[g, column]))
        cause, rule = self._common_cause(groups, seen, column)
        rate = float(seen.found.groups.rate_per_week[worst, column])
        incident = Incident(
            id=name_of(min(names), now_s),
            opened_s=now_s,
            updated_s=now_s,
            cause=cause,
            rule=rule,
            severity=max(float(seen.causes.severity[g, column]) for g in groups),
            workloads=tuple(names[:MOST_NAMED]),
            affected=len(names),
            evidence=self._evidence(seen, worst, column),
            rate_per_week=rate if math.isfinite(rate) else math.nan,
            gates=any(_gates(seen, g, column) for g in groups),
        )
        rows = self._rows(seen, worst, column)
        incident = replace(incident, trails=self._trails_begin(seen, column, rows, names[groups.index(worst)]))
        self.standing[incident.id] = Standing(incident, names, step, step, incident.severity, rows)
        self._of |= dict.fromkeys(names, incident.id)
        return News(Happening.OPENED, incident)

    def _ends(self, step: int) -> Iterator[News]:
        quiet = max(LEAST_QUIET, RESOLVE_S // self.step_s)
        forget = quiet + max(1, REOPEN_S // self.step_s)
        for one in list(self.standing.values()):
            if one.incident.open and step - one.last_on >= quiet:
                now_s = float((step + 1) * self.step_s)
                one.incident = replace(one.incident, updated_s=now_s, resolved_s=now_s)
                for name in one.groups:
                    self._of.pop(name, None)
                yield News(Happening.RESOLVED, one.incident)
            elif not one.incident.open and step - one.last_on >= forget:
                del self.standing[one.incident.id]

    def _lately(self, name: str) -> str | None:
        """The incident of this workload alone that was resolved a short while ago."""
        for key, one in self.standing.items():
            if not one.incident.open and one.groups == [name]:
                return key
        return None

    def _common_cause(self, groups: Sequence[int], seen: Seen, column: int) -> tuple[Cause | None, Rule]:
        """What most of them have; the more doubtful of two as frequent."""
        found = [_cause_of(seen, g, column) for g in groups]
        return max(found, key=lambda each: (found.count(each), RANK.index(each[0])))

    def _rows(self, seen: Seen, group: int, column: int) -> list[int]:
        """Rows that contribute most, those with faulty data first."""
        start = int(seen.metrics.start[group])
        end = int(seen.metrics.start[group + 1]) if group + 1 < len(seen.metrics.start) else len(seen.metrics.kind)
        faulty = [r for r in range(start, end) if DataFault(int(seen.found.rows.faults[r, column])).is_wrong_data]
        top = [int(r) for r in seen.found.groups.top[group, column].tolist() if r >= 0]
        return list(dict.fromkeys([*faulty, *top]))[:TRAIL_ROWS] or [start]

    def _evidence(self, seen: Seen, group: int, column: int) -> tuple[Evidence, ...]:
        rows, reached, out = seen.found.rows, seen.reached, []
        for row in self._rows(seen, group, column):
            observed, expected = float(rows.observed[row, column]), float(rows.expected[row, column])
            lower, upper = float(rows.lower[row, column]), float(rows.upper[row, column])
            typical = float(reached.typical[row, column])
            if not (observed < lower or observed > upper) and math.isfinite(typical):
                expected = typical  # inside the band of the next step, and still far from a usual day
                lower, upper = float(reached.least[row, column]), float(reached.most[row, column])
            out.append(
                Evidence(
                    workload=self.names.groups[group],
                    metric=self.names.metrics[row],
                    kind=KINDS[int(seen.metrics.kind[row])],
                    observed=observed,
                    expected=expected,
                    lower=lower,
                    upper=upper,
                    surprise=float(rows.surprise[row, column]),
                    faults=DataFault(int(rows.faults[row, column])),
                )
            )
        return tuple(each for each in out if each.strength > 0) or tuple(out[:1])

    def _trails_begin(self, seen: Seen, column: int, rows: Sequence[int], workload: str) -> tuple[Trail, ...]:
        step = seen.found.first_step + column
        here = [a[:, max(0, column - TRAIL_BEFORE) : column] for a in _lines(seen)]
        back = (
            self._back if self._back.shape[1] == len(self.names.metrics) else np.empty((4, len(self.names.metrics), 0))
        )
        trails = []
        for row in rows:
            parts = [np.concatenate((back[k, row], here[k][row]))[-TRAIL_BEFORE:].tolist() for k in range(4)]
            begin = step - len(parts[0])
            trails.append(Trail(workload, self.names.metrics[row], self.step_s, begin, *map(tuple, parts)))
        return tuple(trails)

    def _trail(self, seen: Seen, column: int) -> None:
        step = seen.found.first_step + column
        for one in self.standing.values():
            trails = one.incident.trails
            if not (one.incident.open and one.rows and trails):
                continue
            known = len(trails[0].observed)
            if step != trails[0].first_step + known or known >= TRAIL_BEFORE + TRAIL_AFTER:
                continue
            new = [tuple(float(a[row, column]) for a in _lines(seen)) for row in one.rows]
            longer = tuple(_longer(trail, at) for trail, at in zip(trails, new, strict=True))
            one.incident = replace(one.incident, trails=longer)

    def _remember(self, seen: Seen) -> None:
        now = _columns(seen)
        back = np.concatenate((self._back, now), axis=2) if self._back.shape[1] == now.shape[1] else now
        self._back = back[:, :, max(0, back.shape[2] - TRAIL_BEFORE) :].copy()


def name_of(first: str, opened_s: float) -> str:
    """When and where it began: 20261126-0731-3f9a1c."""
    digest = hashlib.sha256(f"{first}\0{opened_s:.0f}".encode()).hexdigest()[:6]
    return f"{datetime.fromtimestamp(opened_s, UTC):%Y%m%d-%H%M}-{digest}"


def known_as(found: Sequence[Incident], recorded: Sequence[Incident]) -> dict[str, str]:
    """Ids of a record for those incidents found that it has under another: of the same workload and the same time.

    What is watched beside a workload moves its calibration a little, and so the step in which an incident begins.
    """
    taken = {one.id for one in found}
    names: dict[str, str] = {}
    for one in sorted(found, key=lambda each: each.opened_s):
        for old in recorded:
            again = old.id not in taken and not old.merged_into and set(old.workloads) & set(one.workloads)
            if one.id not in {each.id for each in recorded} and again and _overlap(one, old):
                names[one.id] = old.id
                taken.add(old.id)
                break
    return names


def _overlap(one: Incident, other: Incident) -> bool:
    ends = [each.updated_s if each.resolved_s is None else each.resolved_s for each in (one, other)]
    return one.opened_s <= ends[1] + RESOLVE_S and other.opened_s <= ends[0] + RESOLVE_S


def _cause_of(seen: Seen, group: int, column: int) -> tuple[Cause | None, Rule]:
    rule = Rule(int(seen.causes.rule[group, column]))
    return rule.cause, rule


def _strength(evidence: Sequence[Evidence]) -> float:
    return max((each.strength for each in evidence), default=0.0)


def _gates(seen: Seen, group: int, column: int) -> bool:
    return bool(seen.causes.bits[group, column])


def _longer(trail: Trail, at: tuple[float, ...]) -> Trail:
    observed, expected, lower, upper = at
    return replace(
        trail, observed=(*trail.observed, observed), expected=(*trail.expected, expected),
        lower=(*trail.lower, lower), upper=(*trail.upper, upper),
    )  # fmt: skip


def _lines(seen: Seen) -> tuple[Floats, Floats, Floats, Floats]:
    rows = seen.found.rows
    return rows.observed, rows.expected, rows.lower, rows.upper


def _columns(seen: Seen) -> Floats:
    """[4, row, step]: observed, expected, lower, upper; of the newest steps that a trail can need."""
    return np.stack([a[:, max(0, a.shape[1] - TRAIL_BEFORE - 1) :] for a in _lines(seen)])
