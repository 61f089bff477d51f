"""Which rule of which file sets each limit of a workload at a moment, and what will change next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from autoscaler.bootstrap.policies_limits import (
    brake_words,
    budget_words,
    condition_words,
    fallback_words,
    level_words,
    limit_words,
    pause_words,
    survive_words,
)
from autoscaler.domain.errors import InvalidSpec, Refused
from autoscaler.domain.policy import UNGUARDED, Guarded, Origin
from autoscaler.domain.workload import Workload
from autoscaler.spec.fleet import LoadedFleet
from autoscaler.spec.policy_match import Matcher
from autoscaler.spec.policy_merge import merged
from autoscaler.spec.reader import load_valid
from autoscaler.spec.words import did_you_mean

AHEAD_S = 7 * 86400.0
YEAR_AHEAD_S = 366 * 86400.0


@dataclass(frozen=True, slots=True)
class Limit:
    """One field in force: what it is, and which rule says so ("" = the built-in default)."""

    field: str
    value: str
    rule: str


@dataclass(frozen=True, slots=True)
class Change:
    """Something that begins or ends, and the limits that follow from it."""

    at: datetime
    what: str
    rule: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """policies: those that select the workload, the most specific first. problems: policies that are not in force.

    changes: within a week. later: the first of each rule that has none within a week, a year ahead.
    """

    workload: str
    at: datetime
    policies: tuple[str, ...]
    limits: tuple[Limit, ...]
    changes: tuple[Change, ...]
    later: tuple[Change, ...] = ()
    problems: tuple[str, ...] = ()


def explain(name: str, paths: Sequence[Path], at: datetime, site: str | None = None) -> Explanation:
    """Raises Refused for a workload that the files do not have, InvalidSpec when they have no valid one at all."""
    loaded = load_valid(paths)
    if not loaded.fleet.autoscalers and loaded.problems:
        raise InvalidSpec(loaded.problems)
    index = _chosen(loaded.fleet, name)
    policies = Matcher(loaded.fleet.policies, site).of(loaded.fleet.autoscalers[index])
    load = merged(loaded.fleet.autoscalers[index], policies, loaded.fleet.places[index], site=site, told=True)
    return Explanation(
        str(load.ref),
        at,
        tuple(f"{p.name}@{p.revision} ({p.document.file})" for p in policies),
        tuple(_limits(load, at.timestamp())),
        tuple(_changes(load, at.timestamp())),
        tuple(_later(load, at.timestamp())),
        tuple(str(p) for p in (*loaded.problems, *loaded.knock_on)),
    )


def _chosen(fleet: LoadedFleet, name: str) -> int:
    full = [f"{a.metadata.namespace}/{a.metadata.name}" for a in fleet.autoscalers]
    fitting = [k for k, known in enumerate(full) if name in {known, known.rpartition("/")[2]}]
    if len(fitting) > 1:
        raise Refused(f"{name!r} is in several namespaces; write {' or '.join(sorted(full[k] for k in fitting))}")
    if not fitting:
        raise Refused(f"no valid PredictiveAutoscaler {name!r} in the files; {did_you_mean(name, full, 'workloads')}")
    return fitting[0]


def _limits(load: Workload, now_s: float) -> Iterator[Limit]:
    guarded = load.guarded or UNGUARDED
    ahead_s = load.lead.total_s
    own = (load.min_replicas, load.max_replicas)
    low, high = guarded.limits_at(now_s, ahead_s, own)
    base = dict(guarded.origins)
    if guarded.clash is not None:
        yield Limit("clash", "min is above max: the workload keeps what it has", " and ".join(map(str, guarded.clash)))
    elif low[0] > high[0]:
        yield Limit("clash", "min is above max: the workload keeps what it has", f"{low[1]} and {high[1]}")
    yield Limit("min", str(low[0]), _said(low[1]))
    yield Limit("max", str(high[0]), _said(high[1]))
    for field, value in limit_words(load):
        found = [str(o) for key, o in base.items() if key == field or key.startswith((f"{field}[", f"{field}."))]
        yield Limit(field, value, "; ".join(found))
    if load.pause is not None and load.pause.active(datetime.fromtimestamp(now_s, UTC)):
        yield Limit("pause", pause_words(load.pause), f"PredictiveAutoscaler {load.ref} spec.pause")
    yield from _open_rules(guarded, now_s, ahead_s)


def _open_rules(guarded: Guarded, now_s: float, ahead_s: float) -> Iterator[Limit]:
    """Freezes and pauses that are on now, and what is there for losses and the dark."""
    for w in guarded.windows:
        if w.lifts(now_s, ahead_s):
            yield Limit(f"event {w.name}", f"{w.uplift:g} times the demand is expected", str(w.origin))
    for f in guarded.freezes:
        if f.window.opens_s(now_s) <= now_s:
            yield Limit("freeze", f"{f.name}: nothing shrinks, growth {f.growth} ({f.reason})", str(f.origin))
    for p in guarded.pauses:
        if p.active(now_s):
            yield Limit("pause", level_words(p), str(p.origin))
    for b in guarded.brakes:
        yield Limit("growthBrake" if b.grow else "brake", brake_words(b), str(b.origin))
    for g in guarded.budgets:
        yield Limit("budget", budget_words(g), str(g.origin))
    for c in guarded.conditions:
        yield Limit(f"condition {c.name}", condition_words(c), str(c.origin))
    if guarded.override is not None:
        words = f"what is set by hand stands for {guarded.override.hold_s:g} s"
        yield Limit("humanOverride", words, str(guarded.override.origin))
    if guarded.survive is not None:
        yield Limit("surviveLossOf", survive_words(guarded.survive), str(guarded.survive.origin))
    if guarded.fallback is not None:
        yield Limit("fallback", fallback_words(guarded.fallback), str(guarded.fallback.origin))


def _changes(load: Workload, now_s: float) -> Iterator[Change]:
    guarded = load.guarded or UNGUARDED
    for moment, what, origin in sorted(guarded.next_edge(now_s, now_s + AHEAD_S), key=lambda e: (e[0], e[1])):
        yield _change(load, moment, what, origin)


def _later(load: Workload, now_s: float) -> Iterator[Change]:
    """What opens within a year, of rules that do not change before."""
    guarded = load.guarded or UNGUARDED
    soon = {origin for _, _, origin in guarded.next_edge(now_s, now_s + AHEAD_S)}
    edges = sorted(guarded.next_edge(now_s + AHEAD_S, now_s + YEAR_AHEAD_S), key=lambda e: (e[0], e[1]))
    for moment, what, origin in edges:
        if origin not in soon:
            soon.add(origin)
            yield _change(load, moment, what, origin)


def _change(load: Workload, moment: float, what: str, origin: Origin) -> Change:
    own = (load.min_replicas, load.max_replicas)
    low, high = (load.guarded or UNGUARDED).limits_at(moment, load.lead.total_s, own)
    return Change(datetime.fromtimestamp(moment, UTC), what, str(origin), low[0], high[0])


def _said(origin: Origin | None) -> str:
    return "" if origin is None else str(origin)
