"""What an edit of policies changes, and for which workloads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
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
    survive_words,
)
from autoscaler.bootstrap.policies_risk import brake_name, risk, window_name
from autoscaler.domain.calendar import DAY_MINUTES, Once, Window
from autoscaler.domain.policy import UNGUARDED, Origin, ReplicaWindow
from autoscaler.domain.workload import Workload
from autoscaler.spec.reader import load, load_valid
from autoscaler.spec.when import DAYS


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One field of some workloads. before, after: in words, "" = not there. risky: why it deserves a second look.

    acknowledged: the policy that says it now, or said it before, has acknowledged LargeChange.
    """

    field: str
    before: str
    after: str
    rule: str
    risky: str
    acknowledged: bool
    workloads: tuple[str, ...]

    @property
    def stops(self) -> bool:
        """Whether it is risky, and nobody said that it is meant."""
        return bool(self.risky) and not self.acknowledged


def loads_of(paths: Sequence[Path], workloads: Sequence[Path], site: str | None) -> Mapping[str, Workload]:
    """The workloads of all paths under the policies of `paths`; raises InvalidSpec for any problem."""
    found = load([*paths, *workloads])
    return {str(w.ref): w for w in found.compile(site)}


def acknowledged_in(paths: Sequence[Path]) -> frozenset[str]:
    """Owners, as origins name them, of policies that acknowledge LargeChange."""
    found = load_valid(paths).fleet.policies
    return frozenset(f"GuardPolicy {p.name}" for p in found if "LargeChange" in p.model.spec.acknowledge)


def differences(
    before: Mapping[str, Workload],
    after: Mapping[str, Workload],
    acknowledged: frozenset[str] = frozenset(),
    now_s: float | None = None,
) -> tuple[Difference, ...]:
    """What changes for workloads that are in both, alike changes of several as one. acknowledged: owners of rules.

    now_s: rules that are over by then may go without a second look.
    """
    grouped: dict[tuple[str, str, str, str, str, bool], list[str]] = defaultdict(list)
    for name in sorted(before.keys() & after.keys()):
        was, now = _fields(before[name]), _fields(after[name])
        said, says = _rules(before[name]), _rules(after[name])
        for field in dict.fromkeys((*was, *now)):
            old, new = was.get(field, ""), now.get(field, "")
            if old != new:
                owners = {rules[field].owner for rules in (said, says) if field in rules}
                rule = str(says[field]) if new and field in says else ""
                why = risk(field, before[name], after[name], now_s)
                grouped[field, old, new, rule, why, bool(owners & acknowledged)].append(name)
    return tuple(Difference(*key, tuple(names)) for key, names in grouped.items())


def only_in(before: Mapping[str, Workload], after: Mapping[str, Workload]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of workloads that are only in the first, and only in the second."""
    return tuple(sorted(before.keys() - after.keys())), tuple(sorted(after.keys() - before.keys()))


def _fields(load_: Workload) -> dict[str, str]:
    guarded = load_.guarded or UNGUARDED
    found = {"min": str(load_.min_replicas), "max": str(load_.max_replicas)}
    if guarded.clash is not None:
        found["clash"] = "min above max: keeps what it has"
    found |= dict(limit_words(load_))
    found |= {window_name(w, guarded): _window(w) for w in guarded.windows}
    found |= {
        f"freeze {f.name}": f"{_when(f.window)}: nothing shrinks, growth {f.growth} ({f.reason})"
        for f in guarded.freezes
    }
    found |= {f"pause by {p.pause.owner}": level_words(p) for p in guarded.pauses}
    found |= {brake_name(b): brake_words(b) for b in guarded.brakes}
    found |= {f"budget of {b.origin.owner}": budget_words(b) for b in guarded.budgets}
    found |= {f"condition {c.name}": condition_words(c) for c in guarded.conditions}
    if guarded.survive is not None:
        found["surviveLossOf"] = survive_words(guarded.survive)
    if guarded.override is not None:
        found["humanOverride"] = f"{guarded.override.hold_s:g} s"
    if guarded.fallback is not None:
        found["fallback"] = fallback_words(guarded.fallback)
    return found


def _rules(load_: Workload) -> dict[str, Origin]:
    """Who says the fields of `_fields`, where it is a rule that has a place."""
    guarded = load_.guarded or UNGUARDED
    found = {field: origin for field, origin in guarded.origins if not field.endswith("]")}
    found |= {window_name(w, guarded): w.origin for w in guarded.windows}
    found |= {f"freeze {f.name}": f.origin for f in guarded.freezes}
    found |= {f"pause by {p.pause.owner}": p.origin for p in guarded.pauses}
    found |= {brake_name(b): b.origin for b in guarded.brakes}
    found |= {f"budget of {b.origin.owner}": b.origin for b in guarded.budgets}
    found |= {f"condition {c.name}": c.origin for c in guarded.conditions}
    if guarded.survive is not None:
        found["surviveLossOf"] = guarded.survive.origin
    if guarded.override is not None:
        found["humanOverride"] = guarded.override.origin
    if guarded.fallback is not None:
        found["fallback"] = guarded.fallback.origin
    return found


def _window(window: ReplicaWindow) -> str:
    bounds = [f"min {window.least}"] * (window.least is not None) + [f"max {window.most}"] * (window.most is not None)
    bounds += [f"{window.uplift:g} times the demand"] * (window.uplift > 1)
    return f"{_when(window.window)}: {', '.join(bounds)}"


def _when(window: Window) -> str:
    if isinstance(window, Once):
        start, end = (datetime.fromtimestamp(t, UTC) for t in (window.start_s, window.end_s))
        return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
    days = " ".join(DAYS[d] for d in window.days) or ", ".join(str(d) for d in window.dates)
    start_, end_ = (f"{m // 60:02}:{m % 60:02}" for m in (window.start_min, window.end_min % (DAY_MINUTES + 1)))
    return f"{days} {start_} to {end_} {window.zone}"
