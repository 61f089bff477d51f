"""Learned capacities of a running service: at the start and daily, beside the ticks; the last accepted one counts.

What is refused changes nothing: the capacity in force stays, and a note on every decision says why. What was accepted
survives a restart in a file beside the record, under all that it was learned from: another query or limit begins anew.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from autoscaler.bootstrap.capacity import BLOCK_S, CapacityQuestion, Row, capacity_of
from autoscaler.domain.errors import AutoscalerError
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.replicas import ReplicaStatus, ScaleRequest
from autoscaler.domain.series import DataVerdict, step_at, time_of, usable
from autoscaler.domain.workload import Demand, LearnedFrom, Workload, WorkloadRef
from autoscaler.planning.capacity import Bound
from autoscaler.ports.cluster import Cluster
from autoscaler.ports.metrics import MetricsReader
from autoscaler.reporting.capacity import CapacityAnswer, rounded_down, why_this_capacity

log = logging.getLogger("foresail")
DAYS: Final = 14
EVERY_S: Final = 86_400.0
RETRY_S: Final = 3600.0
FORGOTTEN_DAYS: Final = 35
LATE_BLOCKS: Final = 11
"""The newest are left out: nobody decides on them, and the reader need not ask how fresh they are."""
DOWN: Final = frozenset({DataVerdict.UNREACHABLE, DataVerdict.THROTTLED})
HELD: Final = "replicas carried less lately, which is no sign that they can carry less"


@dataclass(frozen=True, slots=True)
class Kept:
    """per_replica, words, at: of the capacity that was accepted last, None = none was. image: when the pod template
    that it was learned of was first seen, None = not known. refused, refused_at: why the newest try was not taken.
    """

    per_replica: float | None = None
    words: str = ""
    at: str = ""
    image: str | None = None
    refused: str | None = None
    refused_at: str = ""


class _NotNow(Exception):
    """The source does not answer: nothing is known, and nothing is refused."""


@dataclass(slots=True)
class LearnedCapacityKeeper:
    """`turn` from the ticks' thread; learning runs in one of its own, and what it found is taken at the next turn.

    reader: for that thread. path: where accepted ones are kept.
    """

    reader: MetricsReader
    path: Path
    step_s: int
    kept: dict[str, Kept] = field(default_factory=dict)
    _due_s: dict[str, float] = field(default_factory=dict)
    _found: dict[str, Kept | None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def restored(cls, reader: MetricsReader, path: Path, step_s: int) -> LearnedCapacityKeeper:
        """With what an earlier run accepted; a file that cannot be read is told and costs only that."""
        made = cls(reader, path, step_s)
        try:
            told: Any = json.loads(path.read_text(encoding="utf-8"))
            made.kept = {str(key): _checked(Kept(**one)) for key, one in told.items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, AttributeError) as error:
            log.warning("capacities_unreadable %s: %s; what is written in the files counts", path, error)
        return made

    def applied(self, load: Workload) -> Workload:
        """The workload with its capacities in force."""
        if all(d.learned is None for d in load.demands):
            return load
        return replace(load, demands=tuple(self._in_force(load.ref, d) for d in load.demands))

    def turn(self, fleet: Fleet, now: datetime) -> bool:
        """Take what was found, begin to learn what is due; True when a capacity has changed."""
        with self._lock:
            found, self._found = self._found, {}
        changed = False
        for key, one in found.items():
            self._due_s[key] = now.timestamp() + (RETRY_S if one is None else EVERY_S)
            if one is None:
                continue
            before = self.kept.get(key, Kept())
            changed = changed or one.per_replica != before.per_replica
            self.kept[key] = one
            if one.refused is not None:
                log.warning("capacity_refused %s: %s", key, one.refused)
            elif one != before:
                log.info("capacity_learned %s: %s", key, one.words)
        if any(one is not None for one in found.values()):
            self._forget(fleet, now)
            self._save()
        self._begin(fleet, now)
        return changed

    def notes(self, fleet: Fleet) -> Mapping[int, tuple[Note, ...]]:
        """By lane, which capacity is in force and why, for every demand that learns its own."""
        if all(d.learned is None for d in fleet.demands):
            return {}
        told = {}
        for lane, load in enumerate(fleet.workloads):
            some = tuple(note for d in load.demands if d.learned is not None for note in self._notes(load.ref, d))
            if some:
                told[lane] = some
        return told

    def close(self) -> None:
        """A read that is under way is not waited for: the thread ends with it, or with the process."""
        self._stop.set()

    def wait(self, timeout_s: float) -> None:
        """Until nothing is being learned."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _in_force(self, ref: WorkloadRef, demand: Demand) -> Demand:
        one = None if demand.learned is None else self.kept.get(_key(ref, demand))
        if one is None or one.per_replica is None:
            return demand
        return replace(demand, capacity_per_replica=one.per_replica)

    def _notes(self, ref: WorkloadRef, demand: Demand) -> Sequence[Note]:
        one = self.kept.get(_key(ref, demand), Kept())
        if one.per_replica is not None:
            notes = [Note(Condition.CAPACITY_LEARNED, f"{demand.name}: {one.words} (learned {one.at})")]
        else:
            words = f"{demand.name}: no capacity was learned yet; {_stands(demand)}"
            notes = [] if one.refused else [Note(Condition.CAPACITY_LEARNED, words)]
        if one.refused is not None:
            stays = _stands(demand) if one.per_replica is None else "the one before stays in force"
            notes.append(Note(Condition.CAPACITY_REFUSED, f"{demand.name}: {stays}; {one.refused_at}: {one.refused}"))
        return notes

    def _begin(self, fleet: Fleet, now: datetime) -> None:
        if self._stop.is_set() or (self._thread is not None and self._thread.is_alive()):
            return
        due = {}
        for load in fleet.workloads:
            for demand in load.demands:
                if demand.learned is not None:
                    key = _key(load.ref, demand)
                    if self._due_s.get(key, -np.inf) <= now.timestamp():
                        due[key] = demand
        if due:
            before = dict(self.kept)
            work = (due, before, now)
            self._thread = threading.Thread(target=self._learn, args=work, name="foresail-capacity", daemon=True)
            self._thread.start()

    def _learn(self, due: Mapping[str, Demand], before: Mapping[str, Kept], now: datetime) -> None:
        for key, demand in due.items():
            if self._stop.is_set():
                return
            one: Kept | None
            try:
                one = learned_of(self.reader, demand, before.get(key, Kept()), now, self.step_s)
            except _NotNow as why:
                log.warning("capacity_not_now %s: %s", key, why)
                one = None
            except Exception:
                log.exception("capacity_failed %s", key)  # one demand's failure stops no other
                one = None
            with self._lock:
                self._found[key] = one

    def _forget(self, fleet: Fleet, now: datetime) -> None:
        """What nothing has asked for in so long: edited queries, deleted workloads."""
        asked = {_key(load.ref, d) for load in fleet.workloads for d in load.demands if d.learned is not None}
        since = f"{now - timedelta(days=FORGOTTEN_DAYS):%Y-%m-%d}"
        self.kept = {k: one for k, one in self.kept.items() if k in asked or max(one.at, one.refused_at) >= since}

    def _save(self) -> None:
        draft = self.path.with_suffix(".draft")
        try:
            draft.write_text(json.dumps({k: asdict(v) for k, v in self.kept.items()}, indent=1), encoding="utf-8")
            draft.replace(self.path)
        except OSError as error:
            log.warning("capacities_not_saved %s: %s; a restart would learn them anew", self.path, error)


def learned_of(reader: MetricsReader, demand: Demand, before: Kept, now: datetime, step_s: int) -> Kept:
    """The newest answer, or what was before with the reason why it stays."""
    wanted = demand.learned
    if wanted is None:
        raise ValueError(f"{demand.name} has a given capacity")
    day = f"{now:%Y-%m-%d}"
    try:
        rows = _rows(reader, demand, wanted, now, step_s)
        image = _image(rows.get("template"))
        question = CapacityQuestion(wanted.limit, wanted.summed, image)
        answer = capacity_of(question, rows["load"], rows["resource"], rows["replicas"])
    except AutoscalerError as error:
        return replace(before, refused=str(error), refused_at=day)
    if answer.found.refused is not None or answer.found.per_replica is None:
        why = "unknown" if answer.found.refused is None else answer.found.refused.words
        return replace(before, refused=why, refused_at=day)
    return _taken(answer, answer.found.per_replica, before, None if image is None else image.isoformat(), day)


def _taken(answer: CapacityAnswer, per: float, before: Kept, image: str | None, day: str) -> Kept:
    """A bound that follows what was carried may rise with it, and does not fall with it while the image is the same.

    Else a quiet week would make replicas look weak, more of them would carry less each, and so on.
    """
    same = image is None or image == before.image  # None: no change within the whole range
    if answer.found.bound is Bound.SEEN and same and before.per_replica is not None and per < before.per_replica:
        reaches = float(answer.curve.load_at(answer.seen.limit)[0])
        if reaches >= before.per_replica:
            return replace(before, refused=f"{rounded_down(per)} would be learned; {HELD}", refused_at=day)
    words = f"one replica serves {rounded_down(per)}, {why_this_capacity(answer)}"
    if answer.found.widened > 1:
        words += f"; taken {(answer.found.widened - 1) * 100:.0f} % lower while the new image is young"
    return Kept(float(rounded_down(per)), words, day, image)


def _rows(reader: MetricsReader, demand: Demand, wanted: LearnedFrom, now: datetime, step_s: int) -> dict[str, Row]:
    asked = {"load": demand.query, "resource": wanted.resource, "replicas": wanted.replicas}
    if wanted.template is not None:
        asked["template"] = wanted.template
    end = (step_at(now, BLOCK_S) - LATE_BLOCKS) * BLOCK_S // step_s
    first = end - DAYS * 86_400 // step_s
    batch = reader.load([Demand(n, demand.source, q, 1.0) for n, q in asked.items()], first, end, step_s)
    if not batch.values.size:
        raise _NotNow("the range holds no whole step")
    rows = {}
    for k, name in enumerate(asked):
        worst = DataVerdict(int(batch.verdicts[k].max()))
        if worst in DOWN:
            raise _NotNow(f"{name}: {worst.words}")
        values = np.where(usable(batch.verdicts[k]), batch.values[k], np.nan)
        if name != "template" and np.isnan(values).all():
            log.info("capacity_unknown %s of %s: %s", name, demand.name, worst.words)
        rows[name] = Row(name, step_s, batch.first_step, values)
    return rows


def _image(template: Row | None) -> datetime | None:
    """Since when the template is what it is; None where it never changed within the range, or is not known."""
    if template is None:
        return None
    known = np.flatnonzero(~np.isnan(template.values))
    changes = np.flatnonzero(np.diff(template.values[known]) != 0)
    if not len(changes):
        return None
    return time_of(template.first_step + int(known[changes[-1] + 1]), template.step_s)


def _stands(demand: Demand) -> str:
    return "perReplica stands" if demand.capacity_per_replica is not None else "nothing is sized, the workload holds"


def _key(ref: WorkloadRef, demand: Demand) -> str:
    """All that a capacity hangs on."""
    found = demand.learned
    parts = () if found is None else (found.resource, found.limit, found.replicas, found.summed, found.template)
    return f"{ref}/{demand.name}={demand.source}:{demand.query} of {json.dumps(parts)}"


def _checked(one: Kept) -> Kept:
    if one.per_replica is not None and not (np.isfinite(one.per_replica) and one.per_replica > 0):
        raise ValueError(f"a capacity of {one.per_replica!r}")
    return one


@dataclass(slots=True)
class WithNotes:
    """Implements ports.Cluster over another one, with more to say about each lane."""

    cluster: Cluster
    more: Callable[[Fleet], Mapping[int, tuple[Note, ...]]]

    def observe(self, fleet: Fleet) -> ReplicaStatus:
        status, more = self.cluster.observe(fleet), self.more(fleet)
        if not more:
            return status
        notes = {lane: (*status.notes.get(lane, ()), *more.get(lane, ())) for lane in {*status.notes, *more}}
        return replace(status, notes=notes)

    def apply(self, fleet: Fleet, requests: Sequence[ScaleRequest], now_s: float) -> Mapping[int, tuple[Note, ...]]:
        return self.cluster.apply(fleet, requests, now_s)
