"""Statuses and events of a fleet, after each tick of the leader: only what changed so that somebody would care."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any

import numpy as np

from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.led import Term
from autoscaler.adapters.kubernetes.telling import Happening, Reporter
from autoscaler.adapters.kubernetes.watching import Thing
from autoscaler.adapters.operator_metrics import OperatorMetrics
from autoscaler.bootstrap.fleet_objects import FleetObjects
from autoscaler.domain.decision import Decisions
from autoscaler.domain.notes import Condition
from autoscaler.domain.series import DataVerdict
from autoscaler.domain.workload import Mode, WorkloadRef
from autoscaler.reporting.happenings import happenings
from autoscaler.reporting.status import Standing, Status, held_back, is_news, moved, status_of
from autoscaler.reporting.status_conditions import DOCS, TRANSIENT
from autoscaler.reporting.status_shared import SharedStanding, shared_status

log = logging.getLogger("foresail")

LOOK_S = 60.0
"""An object whose decision does not change is looked at so often all the same: shares and peaks creep."""
NUMBERS_S = 30.0
"""Between two writes for numbers alone: a rollout moves them at every tick."""
SETTLE_S, READY_SETTLE_S = 30.0, 300.0
SETTLING = frozenset({"MetricsAvailable", "ForecastReady", "Held", "Fallback"})
QUIET_S = 600.0
"""Between two events of one reason about one object; what is left out is counted in the next."""
MOST_A_TICK = 200
AT_ONCE = 4


@dataclass(slots=True)
class _Known:
    """One object: what is shown, what it was made of, answers that have to last, events by reason."""

    shown: Status
    made_of: Any = None
    looked_s: float = float("-inf")
    wrote_s: float = float("-inf")
    pending: dict[str, tuple[tuple[str, str], float]] = field(default_factory=dict)
    events: dict[str, tuple[float, int]] = field(default_factory=dict)


@dataclass(slots=True)
class StatusTeller:
    """Implements operator.Teller. What is shown is taken from the objects at the start of each term.

    docs: where messages say to read on: the folder, or its URL.
    """

    reporter: Reporter
    term: Term
    metrics: OperatorMetrics
    monotonic: Callable[[], float] = time.monotonic
    docs: str = DOCS
    _known: dict[str, _Known] = field(default_factory=dict)
    _of_term: int = -1
    _failing: bool = False

    def tell(self, decisions: Decisions, files: FleetObjects) -> None:
        """Never raises for the API: what could not be told is told at a later tick."""
        if self.term.terms != self._of_term:
            self._known, self._of_term = {}, self.term.terms
        now = datetime.fromtimestamp(decisions.now_s, UTC)
        found = chain(self._due(decisions, files, now), self._shared_due(decisions, files, now))
        due = list(islice(found, MOST_A_TICK))  # the others are looked at in later ticks
        alive = {thing["metadata"]["uid"] for thing in (*files.things.values(), *files.shared.values())}
        for uid in self._known.keys() - alive:
            del self._known[uid]
        if not due:
            return
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="foresail-status") as pool:
            list(pool.map(lambda one: self._told(*one), due))

    def _due(self, decisions: Decisions, files: FleetObjects, now: datetime) -> Iterator[tuple[Thing, Status]]:
        lanes = {load.ref: lane for lane, load in enumerate(decisions.fleet.workloads)}
        prints = decisions.fingerprint()
        counts = np.stack((decisions.status.desired, decisions.status.ready), axis=1).tolist()
        live = {t["metadata"]["uid"]: t for t in files.cache.autoscaler_things()}
        for ref, thing in files.things.items():
            known = self._known_of(live.get(thing["metadata"]["uid"], thing))
            lane = lanes.get(ref)
            of = (
                thing["metadata"].get("generation"), files.wrong.get(ref),
                None if lane is None else (prints[lane].tobytes(), decisions.notes.get(lane), *counts[lane]),
            )  # fmt: skip
            calm = of == known.made_of and not known.pending
            if calm and self.monotonic() - known.looked_s < LOOK_S:
                continue
            known.made_of, known.looked_s = of, self.monotonic()
            made = status_of(self._standing(decisions, files, ref, lane), known.shown, now)
            made = self._settled(known, made, by_source=not files.wrong.get(ref))
            if is_news(known.shown, made):
                yield thing, made
            elif moved(known.shown, made, now):
                if self.monotonic() - known.wrote_s >= NUMBERS_S:
                    yield thing, made
                else:
                    known.made_of = None  # looked at anew at the next tick

    def _shared_due(self, decisions: Decisions, files: FleetObjects, now: datetime) -> Iterator[tuple[Thing, Status]]:
        """Policies and sources: few, and looked at whole."""
        asked, silent = _source_use(decisions)
        for (kind, name), thing in files.shared.items():
            known, wrong = self._known_of(thing), files.shared_wrong.get((kind, name), ())
            generation = int(thing["metadata"].get("generation") or 0)
            if kind == "GuardPolicy":
                kept = name in files.policies.kept
                standing = SharedStanding(generation, wrong, kept, selected=files.selected.get(name, 0), docs=self.docs)
            else:
                kept = bool(wrong) and name in files.sources
                standing = SharedStanding(
                    generation, wrong, kept, used=asked.get(name, 0), silent=silent.get(name), docs=self.docs
                )
            made = self._settled(known, shared_status(standing, known.shown, now))
            if is_news(known.shown, made):
                yield thing, made

    def _known_of(self, thing: Thing) -> _Known:
        """What is shown, at first sight in a term as the object tells it."""
        uid = thing["metadata"]["uid"]
        if uid not in self._known:
            self._known[uid] = _Known(thing.get("status") or {})
        return self._known[uid]

    def _standing(self, decisions: Decisions, files: FleetObjects, ref: WorkloadRef, lane: int | None) -> Standing:
        thing = files.things[ref]
        aims = (thing.get("spec") or {}).get("target") or {}
        target = (str(aims.get("kind") or "?"), str(aims.get("name") or "?"))
        generation, wrong = int(thing["metadata"].get("generation") or 0), files.wrong.get(ref, ())
        if lane is None:
            return Standing(generation, target, None, wrong, docs=self.docs)
        load, status = decisions.fleet.workloads[lane], decisions.status
        floor = None
        if load.actuation.is_floor and load.mode is Mode.ACT:
            notes = decisions.notes.get(lane, ())
            written = any(n.condition is Condition.WRITTEN for n in notes)
            floor = int((decisions.granted if written else status.floor)[lane])
        risk = None
        if decisions.realised is not None:
            share = float(decisions.realised.system_risk[lane])
            risk = share if np.isfinite(share) else None
        replicas = (int(status.desired[lane]), int(status.ready[lane]), floor) if status.known[lane] else None
        return Standing(generation, target, decisions[lane], wrong, replicas, risk, self.docs)

    def _settled(self, known: _Known, made: Status, *, by_source: bool = False) -> Status:
        """A new answer of some kinds must last before it is shown: a gap that mends itself is no news.

        by_source: what is wrong with the spec, if anything, its source says and not we: a server may be wrong for once.
        """
        old = {c["type"]: c for c in known.shown.get("conditions") or []}
        seen = old.get("MetricsAvailable", {}).get("status", "Unknown") != "Unknown"
        waiting, pending = set(), {}
        for one in made["conditions"]:
            kind, now = one["type"], (one["status"], one["reason"])
            was = old.get(kind)
            if kind == "Stalled" and was is None and by_source and seen:
                wait_s = SETTLE_S
            elif was is None or was["status"] == "Unknown" or (was["status"], was["reason"]) == now:
                continue
            elif (
                kind == "Ready" and one["status"] == "False" and one["reason"] in TRANSIENT and was["status"] == "True"
            ):
                wait_s = READY_SETTLE_S
            elif kind in SETTLING:
                wait_s = SETTLE_S
            else:
                continue
            before = known.pending.get(kind)
            since_s = before[1] if before is not None and before[0] == now else self.monotonic()
            if self.monotonic() - since_s < wait_s:
                waiting.add(kind)
                pending[kind] = (now, since_s)
        known.pending = pending
        return held_back(known.shown, made, frozenset(waiting)) if waiting else made

    def _told(self, thing: Thing, made: Status) -> None:
        known = self._known[thing["metadata"]["uid"]]
        try:
            self.reporter.status(thing, made)
        except ApiFault as fault:
            known.made_of = None  # looked at anew at the next tick
            self.metrics.statuses.labels("failed").inc()
            if not fault.gone and not self._failing:
                self._failing = True
                log.warning("status_not_written %s: %s", thing["metadata"]["name"], fault)
            return
        self._failing, known.wrote_s = False, self.monotonic()
        self.metrics.statuses.labels("ok").inc()
        before, known.shown = known.shown, made
        for heard in happenings(before, made):
            self._event(thing, known, Happening(heard.reason, heard.words, heard.warning))

    def _event(self, thing: Thing, known: _Known, what: Happening) -> None:
        now_s = self.monotonic()
        last_s, left_out = known.events.get(what.reason, (float("-inf"), 0))
        if now_s - last_s < QUIET_S:
            known.events[what.reason] = (last_s, left_out + 1)
            return
        known.events[what.reason] = (now_s, 0)
        if left_out:
            more = f" ({left_out} more since the last event of this kind)"
            what = Happening(what.reason, what.words + more, what.warning)
        try:
            self.reporter.event(thing, what)
        except ApiFault as fault:
            self.metrics.events.labels("failed").inc()
            log.debug("event_not_made %s: %s", what.reason, fault)
        else:
            self.metrics.events.labels("ok").inc()


def _source_use(decisions: Decisions) -> tuple[dict[str, int], dict[str, str]]:
    """By source: how many demands ask it, and why it has no answer for any of them."""
    asked: dict[str, int] = {}
    best: dict[str, int] = {}
    for row, demand in enumerate(decisions.fleet.demands):
        verdict = int(decisions.seen.verdict[row])
        asked[demand.source] = asked.get(demand.source, 0) + 1
        best[demand.source] = min(best.get(demand.source, verdict), verdict)
    return asked, {name: DataVerdict(v).words for name, v in best.items() if v >= DataVerdict.THROTTLED}
