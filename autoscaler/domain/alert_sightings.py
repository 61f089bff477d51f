"""What is wrong at one tick, read off its decisions: causes, and whom they are about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

import numpy as np

from autoscaler.domain.alert_causes import Cause
from autoscaler.domain.decision import Decisions
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.ladder import Why
from autoscaler.domain.notes import UNWRITTEN, Condition
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import Bools, DataVerdict, valueless
from autoscaler.domain.workload import Mode

DECIDED_BY_OTHERS = frozenset({Condition.CONFLICT, Condition.RIVAL})
IN_THE_DARK = frozenset(
    {
        Reason.BAD_DATA, Reason.STALE_DATA, Reason.TARGET_UNKNOWN, Reason.GUARD_FAILED, Reason.POLICY_UNKNOWN,
        Reason.CONDITION_UNKNOWN, Reason.CAPACITY_UNKNOWN,
    }
)  # fmt: skip
"""Holds that nobody asked for. A person's pause, freeze or condition holds too, and is no fault."""
BEATEN = (int(Why.BASELINE), int(Why.BASELINE_CHEAPER), int(Why.NONE_QUALIFIED))
SURE = 3.0
"""Standard deviations by which the shortage counted must be above the one accepted."""
LEAST_STEPS = 360.0


@dataclass(frozen=True, slots=True)
class Sighting:
    """One cause at one subject. labels: what it is about. words: one sentence with numbers. first: of what is
    remembered elsewhere, since when, seconds since the epoch. figures: up to three names with their numbers.
    """

    cause: Cause
    labels: tuple[tuple[str, str], ...]
    words: str
    first_s: float | None = None
    figures: tuple[tuple[str, str], ...] = ()

    @property
    def subject(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        return self.cause.value, self.labels


def sightings(decisions: Decisions, demoted: Collection[int] = ()) -> Iterator[Sighting]:
    """All that the decisions show. demoted: rows whose forecast has lost its place (`Demotions`)."""
    yield from _of_lanes(decisions, Cause.HOLDING_AT_RISK, at_risk(decisions), _held_words)
    yield from _of_lanes(decisions, Cause.FALLBACK_ACTIVE, _acted(decisions, "fallback"), _fallback_words)
    yield from _of_lanes(decisions, Cause.LIMIT_BELOW_NEED, below_need(decisions), _limit_words)
    yield from _of_lanes(decisions, Cause.RISK_ABOVE_ASKED, risk_above_asked(decisions), _risk_words)
    yield from _rivals(decisions)
    yield from _unwritten(decisions)
    yield from _silent_sources(decisions)
    for row in sorted(demoted):
        lane, demand = int(decisions.fleet.row_lane[row]), decisions.fleet.demands[row]
        words = f"the forecast of {demand.name} errs no less than yesterday's demand, which serves in its place"
        yield Sighting(Cause.FORECAST_DEMOTED, (*_who(decisions.fleet, lane), ("demand", demand.name)), words)


def at_risk(decisions: Decisions) -> Bools:
    """[lane], held by a fault, and not known to have enough: neither for what is observed nor for what is forecast."""
    p, status = decisions.proposals, decisions.status
    faulty = ~p.target_known
    for _, step in decisions.trace.changed:
        if step.reason in IN_THE_DARK:
            faulty = faulty | step.holds
        faulty = faulty | (step.failed & step.holds)
    enough = status.known & p.need_known & (p.observed_need <= status.ready)
    enough &= ~p.predicted | (p.predicted_need <= np.maximum(status.ready, decisions.granted))
    answer: Bools = faulty & ~enough & ~p.frozen & ~p.yielded
    return answer


def below_need(decisions: Decisions) -> Bools:
    """[lane], a max or a shared budget leaves fewer replicas than the demand observed now needs."""
    p = decisions.proposals
    capped = p.max_replicas < p.observed_need
    for name in ("budget", "growth-brake", "condition", "anomaly"):
        capped = capped | (_cut(decisions, name) & (decisions.granted < p.observed_need))
    answer: Bools = capped & p.need_known & p.target_known & ~p.yielded & ~p.frozen
    return answer


def risk_above_asked(decisions: Decisions) -> Bools:
    """[lane], short of capacity more often than accepted, beyond chance: by SURE standard deviations of a Poisson
    count.

    Of what really served where we write, of our own plan where we advise. Short steps come in runs, so this is no exact
    test; the cause has to last for half an hour besides.
    """
    none: Bools = np.zeros(len(decisions), dtype=np.bool_)
    real = decisions.realised
    if real is None:
        return none
    acts = np.array([w.mode is Mode.ACT for w in decisions.fleet.workloads], dtype=np.bool_)
    risk = np.array([w.risk for w in decisions.fleet.workloads])
    steps, short = np.where(acts, real.steps, real.plan_steps), np.where(acts, real.short, real.plan_short)
    accepted = risk * steps
    answer: Bools = (steps >= LEAST_STEPS) & (short > accepted + SURE * np.sqrt(np.maximum(accepted, 1.0)))
    return answer


def _no_rows() -> Bools:
    return np.zeros(0, dtype=np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Demotions:
    """Whose forecast has qualified, and lost it since: [row] of `fleet`; nothing else is demoted."""

    fleet: Fleet | None = None
    keys: tuple[str, ...] = ()
    qualified: Bools = field(default_factory=_no_rows)
    demoted: Bools = field(default_factory=_no_rows)

    def after(self, decisions: Decisions) -> Demotions:
        """With one more tick. What cannot be compared now changes nothing; rows that are gone are forgotten."""
        standing = decisions.seen.standing
        if standing is None:
            return self
        now, why = self.over(decisions.fleet), standing["why"]
        serves, beaten = why == int(Why.QUALIFIED), np.isin(why, BEATEN)
        lost = now.qualified & beaten
        return Demotions(now.fleet, now.keys, (now.qualified & ~lost) | serves, (now.demoted | lost) & ~serves)

    def over(self, fleet: Fleet) -> Demotions:
        """The same over the rows of another fleet."""
        if fleet is self.fleet:
            return self
        keys, before = fleet.row_keys(), {key: row for row, key in enumerate(self.keys)}
        old = np.array([before.get(key, -1) for key in keys], dtype=np.int64)
        qualified, demoted = np.append(self.qualified, False)[old], np.append(self.demoted, False)[old]
        return Demotions(fleet, keys, qualified, demoted)

    def rows(self, fleet: Fleet) -> list[int]:
        """Rows of the fleet that are demoted now."""
        found: list[int] = np.flatnonzero(self.over(fleet).demoted).tolist()
        return found


def _of_lanes(
    decisions: Decisions, cause: Cause, where: Bools, words: Callable[[Decisions, int], str]
) -> Iterator[Sighting]:
    for lane in np.flatnonzero(where).tolist():
        yield Sighting(cause, _who(decisions.fleet, lane), words(decisions, lane), figures=_figures(decisions, lane))


def _figures(decisions: Decisions, lane: int) -> tuple[tuple[str, str], ...]:
    """What a person compares first; what is not known is said to be so."""
    p, status = decisions.proposals, decisions.status
    return (
        ("needed now", f"{p.observed_need[lane]} replicas" if p.need_known[lane] else "unknown"),
        ("Ready", f"{status.ready[lane]} replicas" if status.known[lane] else "unknown"),
        ("granted", f"{decisions.granted[lane]} replicas"),
    )


def _who(fleet: Fleet, lane: int) -> tuple[tuple[str, str], ...]:
    ref = fleet.workloads[lane].ref
    return ("namespace", ref.namespace), ("workload", ref.name)


def _acted(decisions: Decisions, name: str) -> Bools:
    found: Bools = np.zeros(len(decisions), dtype=np.bool_)
    for step in decisions.trace:
        if step.guard == name:
            found = found | step.acted
    return found


def _cut(decisions: Decisions, name: str) -> Bools:
    found: Bools = np.zeros(len(decisions), dtype=np.bool_)
    for step in decisions.trace:
        if step.guard == name and step.before is not step.after:
            found = found | (step.before > step.after)
    return found


def _held_words(decisions: Decisions, lane: int) -> str:
    p = decisions.proposals
    if not p.target_known[lane]:
        return "the target cannot be read, so nothing is written and nobody knows what serves"
    need = f"{p.observed_need[lane]} are needed" if p.need_known[lane] else "the need is unknown"
    verdict = DataVerdict(int(p.verdict[lane]))
    why = f": {verdict.words}" if verdict is not DataVerdict.OK else ""
    return f"held at {decisions.granted[lane]} with {decisions.status.ready[lane]} Ready, {need}{why}"


def _fallback_words(decisions: Decisions, lane: int) -> str:
    age_s = float(decisions.proposals.data_age_s[lane])
    age = f"for {age_s / 60:.0f} min" if np.isfinite(age_s) else "since the start"
    return f"demand has not been seen {age}: the fallback keeps {decisions.granted[lane]} replicas"


def _limit_words(decisions: Decisions, lane: int) -> str:
    p = decisions.proposals
    what = f"max is {p.max_replicas[lane]}"
    if p.max_replicas[lane] >= p.observed_need[lane]:
        what = f"a shared budget or cap leaves {decisions.granted[lane]}"
    return f"{p.observed_need[lane]} replicas are needed now, {what}: raise it, or demand goes unserved"


def _risk_words(decisions: Decisions, lane: int) -> str:
    load, real = decisions.fleet.workloads[lane], decisions.realised
    acts = load.mode is Mode.ACT
    share = float("nan") if real is None else float((real.system_risk if acts else real.plan_risk)[lane])
    whose = "short of capacity" if acts else "short by our plan"
    return f"{whose} in {share:.2%} of the last weeks' time, {load.risk:.2%} is accepted"


def _rivals(decisions: Decisions) -> Iterator[Sighting]:
    for lane, notes in decisions.notes.items():
        said = next((n.words for n in notes if n.condition in DECIDED_BY_OTHERS), None)
        if said is not None:
            yield Sighting(Cause.CONFLICT, _who(decisions.fleet, lane), said)


def _unwritten(decisions: Decisions) -> Iterator[Sighting]:
    """What we are to write and cannot. Advice, a pause and a lane left to others write nothing anyway."""
    p = decisions.proposals
    for lane, notes in decisions.notes.items():
        if decisions.fleet.workloads[lane].mode is not Mode.ACT or p.frozen[lane] or p.yielded[lane]:
            continue
        said = next((n for n in notes if n.condition in UNWRITTEN), None)
        if said is not None:
            words = f"nothing is written: {said.condition.value}: {said.words}"
            yield Sighting(Cause.NOT_WRITING, _who(decisions.fleet, lane), words, figures=_figures(decisions, lane))


def _silent_sources(decisions: Decisions) -> Iterator[Sighting]:
    """A source that answers nobody: of no demand of it is there a value, and it says so itself."""
    if not np.any(decisions.seen.verdict >= int(DataVerdict.THROTTLED)):
        return
    best: dict[str, int] = {}
    asked: dict[str, int] = {}
    note: dict[str, str] = {}
    silent = valueless(decisions.seen.verdict)
    for row, demand in enumerate(decisions.fleet.demands):
        code = int(decisions.seen.verdict[row])
        best[demand.source] = min(best.get(demand.source, code), code)
        asked[demand.source] = asked.get(demand.source, 0) + 1
        if silent[row] and row in decisions.seen.notes:
            note.setdefault(demand.source, decisions.seen.notes[row])
    for name, code in best.items():
        if code >= DataVerdict.THROTTLED:
            more = f" ({note[name]})" if name in note else ""
            words = f"none of its {asked[name]} demands has a value: {DataVerdict(code).words}{more}"
            yield Sighting(Cause.SOURCE_DOWN, (("source", name),), words)
