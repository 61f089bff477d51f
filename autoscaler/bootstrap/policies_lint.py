"""What is wrong with policies before they are in force: broken files, rules that contradict, rules that do nothing.

Looks at files alone: no server is asked. Workloads among the files make the answers sharper; without any, only what
is wrong whatever the workload is said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from autoscaler.bootstrap.policies_lint_conditions import condition_findings
from autoscaler.bootstrap.policies_lint_idle import idle_findings
from autoscaler.bootstrap.policies_lint_risky import lone_findings, risky_findings
from autoscaler.bootstrap.policies_lint_windows import Meet, window_findings
from autoscaler.bootstrap.policies_queries import query_findings
from autoscaler.domain.anomaly import CAUSES
from autoscaler.domain.calendar import Hours, Once, Window
from autoscaler.domain.conditions import NO_CAP
from autoscaler.domain.policy import NEVER, Guarded, Origin
from autoscaler.domain.workload import Workload
from autoscaler.reporting.lint import Level, LintFinding, at_origin, of_problem
from autoscaler.spec.fleet import LoadedFleet
from autoscaler.spec.policy_anomaly import field_of
from autoscaler.spec.policy_match import Matcher, PlacedPolicy, disjoint, specificity
from autoscaler.spec.policy_merge import merged
from autoscaler.spec.reader import load_valid

DAY_S = 86400.0
WEEKS_AHEAD_S = 15 * DAY_S
YEAR_AHEAD_S = 400 * DAY_S
LONG_FREEZE_S = 31 * DAY_S
LONG_PAUSE_S = 14 * DAY_S
DEFAULT_LEAVES = (
    ("replicas", "min"), ("headroom",), ("risk",), ("maxDataAge",), ("surviveLossOf",), ("fallback",), ("priority",),
    ("humanOverride",),
    ("replicaPrice",),
    *(("anomaly", field_of(c), f) for c in CAUSES for f in ("growth", "shrink", "cap")),
    *(("behavior", d, f) for d in ("scaleUp", "scaleDown")
      for f in ("stabilizationWindowSeconds", "policies", "selectPolicy", "tolerance")),
)  # fmt: skip


def lint(paths: Sequence[Path], now: datetime, site: str | None = None) -> tuple[LintFinding, ...]:
    """All findings, in the order of files and lines; empty = nothing is wrong."""
    loaded = load_valid(paths)
    found = [of_problem(p) for p in (*loaded.problems, *loaded.knock_on)]
    found += _Look(loaded.fleet, now.timestamp(), site).findings()
    found += query_findings(loaded.fleet)
    return tuple(sorted(dict.fromkeys(found), key=lambda f: (f.file, f.line, f.column, f.rule, f.message)))


@dataclass(slots=True)
class _Look:
    fleet: LoadedFleet
    now_s: float
    site: str | None
    loads: dict[str, Workload] = field(default_factory=dict)
    selected: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def findings(self) -> Iterator[LintFinding]:
        matcher = Matcher(self.fleet.policies, self.site)
        for autoscaler, places in zip(self.fleet.autoscalers, self.fleet.places, strict=True):
            policies = matcher.of(autoscaler)
            load = merged(autoscaler, policies, places, site=self.site)
            self.loads[str(load.ref)] = load
            for policy in policies:
                self.selected[policy.name].append(str(load.ref))
        yield from self._clashes()
        yield from self._pairs()
        for policy in self.fleet.policies:
            yield from self._selects_nothing(policy)
            yield from self._over(policy)
            yield from self._long(policy)
            yield from self._shared(policy)
            yield from lone_findings(policy)
            yield from idle_findings(policy)
        yield from self._unreachable()
        yield from self._above_max()
        yield from risky_findings(self.loads)
        yield from window_findings(self.fleet.policies, Meet(self._covers, self._meet), self.now_s)
        selected = {name: [self.loads[n] for n in names] for name, names in self.selected.items()}
        yield from condition_findings(self.fleet.policies, selected, self._meet)

    def _covers(self, one: PlacedPolicy, other: PlacedPolicy) -> bool:
        """Whether the first speaks about every workload of the second; of those among the files, where there are."""
        selector, narrower = one.model.spec.selector, other.model.spec.selector
        if selector.selects_all or selector == narrower:
            return True
        names = self.selected[other.name]
        return bool(names) and set(names) <= set(self.selected[one.name])

    def _meet(self, one: PlacedPolicy, other: PlacedPolicy) -> bool:
        """Whether some workload may have both; among the files, where there are."""
        if one is other:
            return True
        if self.loads:
            return bool(set(self.selected[one.name]) & set(self.selected[other.name]))
        return not disjoint(one.model.spec.selector, other.model.spec.selector)

    def _clashes(self) -> Iterator[LintFinding]:
        """Min above max, always or while windows are open."""
        found: dict[tuple[Origin, Origin, str], list[str]] = defaultdict(list)
        early: dict[tuple[Origin, Origin, str], list[str]] = defaultdict(list)
        for name, load in self.loads.items():
            guarded = load.guarded
            if guarded is None:
                continue
            if guarded.clash is not None:
                found[*guarded.clash, ""].append(name)
                continue
            own = (load.min_replicas, load.max_replicas)
            open_: set[tuple[Origin, Origin]] = set()
            for moment, low, high in _window_clashes(guarded, own, self.now_s):
                open_.add((low, high))
                found[low, high, f" from {datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M %Z}"].append(name)
            for moment, low, high in _window_clashes(guarded, own, self.now_s, load.lead.total_s):
                if (low, high) not in open_:
                    early[low, high, f"{datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M %Z}"].append(name)
        for (low, high, when), names in found.items():
            words = f"min of {low} is above max of {high}{when}: {_some(names)} would keep what it has"
            yield at_origin(Level.ERROR, "clash", low if low.owner.startswith("Guard") else high, words,
                            "raise max, lower min, or let their selectors not overlap")  # fmt: skip
        for (low, high, when), names in early.items():
            words = f"is asked for by the lead time ahead, from {when} on, while {high} still caps {_some(names)}"
            remedy = "let that max end earlier by the lead time, or the replicas come only when it ends"
            yield at_origin(Level.WARNING, "early-clash", low, words, remedy)

    def _pairs(self) -> Iterator[LintFinding]:
        """Two policies that may speak about one workload and do not agree."""
        policies = sorted(self.fleet.policies, key=lambda p: p.name)
        for k, one in enumerate(policies):
            if not self.loads:
                yield from _may_clash(one, one, self.now_s)
            for other in policies[k + 1 :]:
                if disjoint(one.model.spec.selector, other.model.spec.selector):
                    continue
                yield from self._ambiguous(one, other)
                if not self.loads:
                    yield from _may_clash(one, other, self.now_s)
                    yield from _may_clash(other, one, self.now_s)

    def _ambiguous(self, one: PlacedPolicy, other: PlacedPolicy) -> Iterator[LintFinding]:
        """Equally specific defaults of one field."""
        if one.model.spec.defaults is None or other.model.spec.defaults is None:
            return
        if specificity(one.model.spec.selector) != specificity(other.model.spec.selector):
            return
        if self.loads and not set(self.selected[one.name]) & set(self.selected[other.name]):
            return
        for path in DEFAULT_LEAVES:
            ours, theirs = one.default(path), other.default(path)
            if ours is not None and theirs is not None and ours != theirs:
                where = other.origin("defaults", *path)
                words = f"{'.'.join(path)} is also a default of {one.origin('defaults', *path)}, as specific as this"
                remedy = f"the first name wins, {one.name}; make one selector more specific"
                yield at_origin(Level.WARNING, "ambiguous", where, words, remedy)

    def _selects_nothing(self, policy: PlacedPolicy) -> Iterator[LintFinding]:
        needs_site = policy.model.spec.selector.sites is not None and self.site is None
        if self.loads and not self.selected[policy.name] and not needs_site:
            words = f"selects none of the {len(self.loads)} workloads among the files"
            yield at_origin(Level.WARNING, "selects-nothing", policy.origin("selector"), words, "check its spelling")

    def _over(self, policy: PlacedPolicy) -> Iterator[LintFinding]:
        """Rules whose time has passed."""
        for window, name, origin in _windows(policy):
            if not window.spans(self.now_s, self.now_s + YEAR_AHEAD_S):
                words = f"{name} is over: it never opens again"
                yield at_origin(Level.WARNING, "over", origin, words, "remove it, or give it a new date")
        for pause in policy.pauses:
            if not pause.active(self.now_s):
                words = f"the pause ended at {pause.pause.until:%Y-%m-%d %H:%M} UTC"
                yield at_origin(Level.WARNING, "over", pause.origin, words, "remove it")

    def _long(self, policy: PlacedPolicy) -> Iterator[LintFinding]:
        """Stops that last longer than people remember them."""
        for freeze in policy.freezes:
            if isinstance(freeze.window, Once) and freeze.window.end_s - freeze.window.start_s > LONG_FREEZE_S:
                words = f"freeze {freeze.name} lasts longer than a month: nothing shrinks for all that time"
                yield at_origin(Level.WARNING, "long-freeze", freeze.origin, words, "split it, or shorten it")
        for pause in policy.pauses:
            if pause.pause.until == NEVER:
                words = (
                    f"the pause of {pause.pause.owner} has no end: everybody it selects waits for somebody to remove it"
                )
                yield at_origin(Level.WARNING, "long-pause", pause.origin, words, "write until as soon as it is known")
            elif pause.pause.until.timestamp() - self.now_s > LONG_PAUSE_S:
                words = f"the pause ends only at {pause.pause.until:%Y-%m-%d}, more than two weeks from now"
                yield at_origin(Level.WARNING, "long-pause", pause.origin, words, "choose an earlier until")

    def _shared(self, policy: PlacedPolicy) -> Iterator[LintFinding]:
        """Budgets that the minima alone use up."""
        names = self.selected[policy.name]
        for budget in policy.budgets:
            loads = [self.loads[name] for name in names]
            least = sum(load.min_replicas for load in loads)
            prices = [(load.guarded or Guarded()).replica_price for load in loads]
            costs = sum(
                load.min_replicas * (budget.price if price is None else price)
                for load, price in zip(loads, prices, strict=True)
            )
            over = budget.replicas is not None and least > budget.replicas
            if over or (budget.money is not None and costs > budget.money):
                told = f"{least}" if over else f"{least}, {costs:g} an hour,"
                words = f"the minima of {len(names)} workloads are {told} already, and min beats a budget"
                yield at_origin(Level.WARNING, "budget", budget.origin, words, "raise the budget, or lower minima")

    def _unreachable(self) -> Iterator[LintFinding]:
        """Defaults that every selected workload, or a more specific policy, says otherwise."""
        used = {str(o) for load in self.loads.values() if load.guarded for o in _origins(load.guarded)}
        for policy in self.fleet.policies:
            for path in DEFAULT_LEAVES if self.selected[policy.name] else ():
                if policy.default(path) is None or str(policy.origin("defaults", *path)) in used:
                    continue
                names = self.selected[policy.name]
                words = f"is never used: {_some(names)} and more specific policies say {path[-1]} themselves"
                yield at_origin(Level.WARNING, "unreachable", policy.origin("defaults", *path), words, "remove it")

    def _above_max(self) -> Iterator[LintFinding]:
        """Floors that the max of a workload cuts."""
        found: dict[tuple[Origin, int], list[str]] = defaultdict(list)
        for name, load in self.loads.items():
            guarded = load.guarded or Guarded()
            floors = [(w.origin, w.least) for w in guarded.windows if w.bounded and w.least is not None]
            if guarded.fallback is not None:
                floors.append((guarded.fallback.origin, guarded.fallback.least))
            for origin, floor in floors:
                if floor > load.max_replicas:
                    found[origin, floor].append(f"{name} (max {load.max_replicas})")
        for (origin, floor), names in found.items():
            words = f"{floor} replicas are above the max of {_some(names)}, which cuts them"
            yield at_origin(Level.WARNING, "above-max", origin, words, "raise that max, or lower this floor")


def _windows(policy: PlacedPolicy) -> Iterator[tuple[Window, str, Origin]]:
    for w in policy.windows:
        yield w.window, w.name, w.origin
    for f in policy.freezes:
        yield f.window, f"freeze {f.name}", f.origin


def _origins(guarded: Guarded) -> Iterator[Origin]:
    yield from (origin for _, origin in guarded.origins)
    if guarded.survive is not None:
        yield guarded.survive.origin
    if guarded.override is not None:
        yield guarded.override.origin
    if guarded.fallback is not None:
        yield guarded.fallback.origin


def _window_clashes(
    guarded: Guarded, own: tuple[int, int], now_s: float, ahead_s: float = 0.0
) -> Iterator[tuple[float, Origin, Origin]]:
    """Moments at which windows leave no room: each pair of rules once, with the first such moment.

    ahead_s: how much earlier a min is asked for.
    """
    seen: set[tuple[Origin, Origin]] = set()
    edges = {now_s}
    for w in guarded.windows:
        until_s = now_s + (WEEKS_AHEAD_S if isinstance(w.window, Hours) and w.window.days else YEAR_AHEAD_S)
        starts = {start for start, _ in w.window.spans(now_s, until_s)}
        edges |= {max(start, now_s) for start in starts} | {max(start - ahead_s, now_s) for start in starts}
    base = dict(guarded.origins)
    fixed = Guarded(windows=tuple(w for w in guarded.windows if not w.bounded), origins=guarded.origins)
    for moment in sorted(edges):
        (low, low_by), (high, high_by) = fixed.limits_at(moment, ahead_s, own, base)
        if low > high and low_by is not None and high_by is not None and (low_by, high_by) not in seen:
            seen.add((low_by, high_by))
            yield moment, low_by, high_by


def _may_clash(low: PlacedPolicy, high: PlacedPolicy, now_s: float) -> Iterator[LintFinding]:
    """No workload is known that both select, but there may be one: a min of `low` above a max of `high`."""
    bounds = (low.limits.replicas, high.limits.replicas)
    least = bounds[0].min if bounds[0] and bounds[0].min is not None else 1
    most = bounds[1].max if bounds[1] and bounds[1].max is not None else NO_CAP
    windows = [replace(w, most=None) for w in low.windows] + [replace(w, least=None) for w in high.windows]
    guarded = Guarded(
        windows=tuple(w for w in windows if w.least is not None or w.most is not None),
        origins=(
            ("min", low.origin("limits", "replicas", "min")),
            ("max", high.origin("limits", "replicas", "max")),
        ),
    )
    if least <= most and not guarded.windows:
        return
    for moment, lower, upper in _window_clashes(guarded, (least, most), now_s):
        counts = guarded.limits_at(moment, 0.0, (least, most))
        when = "" if least > most else f" from {datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"
        words = f"min {counts[0][0]} is above max {counts[1][0]} of {upper}{when}, for any workload of both"
        if low is high:
            words = words.removesuffix(" of both") + " of it"
        yield at_origin(Level.ERROR, "clash", lower, words, "raise max, lower min, or let their selectors not overlap")


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more
