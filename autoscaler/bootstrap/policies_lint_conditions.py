"""Conditions of policies that are provably constant, idle beside others, or at odds with them.

Only what `spec.cel_logic` proves is said; a condition that it does not understand is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from autoscaler.domain.conditions import PolicyCondition, Then
from autoscaler.domain.policy import Origin
from autoscaler.domain.workload import Workload
from autoscaler.reporting.lint import Level, LintFinding, at_origin
from autoscaler.spec.cel_logic import Cases, facts, implies, never, reading, together
from autoscaler.spec.cel_tokens import reads, tokens_of
from autoscaler.spec.policy_match import PlacedPolicy
from autoscaler.spec.selector import Operator, SelectorSpec

HOLDING = (Then.HOLD, Then.ALLOW)
MAPS = ("observed", "p50", "p90", "p95", "labels")
_PLAIN = {Then.CAP: "limits.replicas.max", Then.FLOOR: "limits.replicas.min"}


@dataclass(frozen=True, slots=True)
class Spoken:
    """One condition. speaks: when it says something; silent: when not; both with what its selector tells: known."""

    policy: PlacedPolicy
    condition: PolicyCondition
    speaks: Cases | None
    silent: Cases | None
    known: Cases

    @property
    def origin(self) -> Origin:
        return self.condition.origin

    @property
    def where(self) -> str:
        """For other findings: its name and place."""
        return f"condition {self.condition.name} ({self.origin.place})"


def condition_findings(
    policies: tuple[PlacedPolicy, ...], selected: Mapping[str, list[Workload]],
    meet: Callable[[PlacedPolicy, PlacedPolicy], bool],
) -> Iterator[LintFinding]:  # fmt: skip
    """selected: by policy, the workloads among the files. meet: whether two policies may speak about one workload."""
    spoken = [_spoken(p, c) for p in policies for c in p.conditions]
    odd: set[Origin] = set()
    for one in spoken:
        for finding in (*_constant(one), *_of_none(one, selected.get(one.policy.name, []))):
            odd.add(one.origin)
            yield finding
        yield from _not_there(one, selected.get(one.policy.name, []))
        yield from _beside_limits(one, selected.get(one.policy.name, []))
    sound = [s for s in spoken if s.origin not in odd]
    for one, other in combinations(sound, 2):
        if one.policy is other.policy or meet(one.policy, other.policy):
            yield from _pair(one, other)


def _spoken(policy: PlacedPolicy, condition: PolicyCondition) -> Spoken:
    known = _facts(policy.model.spec.selector)
    true, false = reading(condition.program.text)
    if condition.then is Then.ALLOW:
        true, false = false, true
    return Spoken(policy, condition, together(known, true), together(known, false), known)


def _facts(selector: SelectorSpec) -> Cases:
    """What is known of every workload that a selector fits."""
    fields: dict[str, tuple[str, ...]] = {}
    if selector.namespaces:
        fields["ns"] = selector.namespaces
    if selector.sites:
        fields["site"] = selector.sites
    if selector.names:
        fields["name"] = tuple(n.rpartition("/")[2] for n in selector.names)
    labels: dict[str, tuple[str, ...]] = {key: (value,) for key, value in selector.match_labels.items()}
    labels |= {e.key: e.values for e in selector.match_expressions if e.operator is Operator.IN}
    return facts(fields, labels)


def _constant(one: Spoken) -> Iterator[LintFinding]:
    then, name = one.condition.then, one.condition.name
    if never(one.speaks):
        why = "is true of whatever it selects" if then is Then.ALLOW else "can be true of nothing that it selects"
        words = f"condition {name} {why}: it never says anything"
        yield at_origin(Level.WARNING, "unreachable", one.origin, words, "mend the expression, or remove it")
    elif never(one.silent):
        if then in HOLDING:
            words = f"condition {name} holds whenever it can be answered: nothing that it selects ever shrinks"
            remedy = "mend the expression; to stop on purpose, write a pause or a freeze, which have an end"
            yield at_origin(Level.WARNING, "always", one.origin, words, remedy)
        else:
            words = f"condition {name} is true whenever it can be answered"
            yield at_origin(Level.WARNING, "always", one.origin, words, f"write {_PLAIN[then]}, or mend it")


def _of_none(one: Spoken, loads: list[Workload]) -> Iterator[LintFinding]:
    """What the names and labels of all workloads among the files rule out, though the selector would not."""
    if not loads or never(one.speaks):
        return
    if all(never(together(_facts_of(load), one.speaks)) for load in loads):
        words = f"condition {one.condition.name} says nothing of any of the {len(loads)} workloads that it selects"
        yield at_origin(Level.WARNING, "unreachable", one.origin, words, "check its names and labels, or remove it")


def _facts_of(load: Workload) -> Cases:
    about = None if load.guarded is None else load.guarded.about
    if about is None:
        return ({},)
    labels = {key: (value,) for key, value in about.labels}
    return facts({"ns": (about.namespace,), "name": (about.name,)}, labels)


def _not_there(one: Spoken, loads: list[Workload]) -> Iterator[LintFinding]:
    """Keys that a workload does not have: reading one leaves the condition without an answer."""
    for read in reads(tokens_of(one.condition.program.text) or (), MAPS):
        if read.asked:
            continue
        lacking = [str(w.ref) for w in loads if not _has(w, read.map, read.key)]
        if lacking:
            what = "label" if read.map == "labels" else "demand"
            some = ", ".join(sorted(lacking)[:3]) + (f" and {len(lacking) - 3} more" if len(lacking) > 3 else "")
            words = (
                f'condition {one.condition.name} reads {read.map}["{read.key}"], but {some} '
                f"{'has' if len(lacking) == 1 else 'have'} no such {what}: where it is read there is no answer, "
                "and that workload holds"
            )
            remedy = f'ask first: "{read.key}" in {read.map} && ...; or check its spelling'
            yield at_origin(Level.WARNING, "not-there", one.origin, words, remedy)


def _has(load: Workload, name: str, key: str) -> bool:
    if name == "labels":
        about = None if load.guarded is None else load.guarded.about
        return about is None or key in dict(about.labels)
    return any(d.name == key for d in load.demands)


def _beside_limits(one: Spoken, loads: list[Workload]) -> Iterator[LintFinding]:
    """Caps below every min and floors above every max, which min and max overrule."""
    if one.condition.then is Then.CAP and loads and all(one.condition.replicas < w.min_replicas for w in loads):
        least = min(w.min_replicas for w in loads)
        words = f"a cap of {one.condition.replicas} is below the min of all that it selects, {least} or more"
        yield at_origin(Level.WARNING, "below-min", one.origin, f"{words}: min comes after it", "raise the cap")
    if one.condition.then is Then.FLOOR and loads and all(one.condition.replicas > w.max_replicas for w in loads):
        most = max(w.max_replicas for w in loads)
        words = f"a floor of {one.condition.replicas} is above the max of all that it selects, {most} or less"
        yield at_origin(Level.WARNING, "above-max", one.origin, f"{words}: max cuts it", "lower the floor")


def _pair(one: Spoken, other: Spoken) -> Iterator[LintFinding]:
    """At most one finding: a contradiction, else that one of them adds nothing."""
    a, b = one.condition, other.condition
    if a.then in HOLDING and b.then in HOLDING and never(together(one.silent, other.silent)):
        words = f"condition {b.name} holds whenever {one.where} does not: nothing ever shrinks"
        yield at_origin(Level.WARNING, "contradiction", other.origin, words, "mend one of them, or remove it")
        return
    floor, cap = (one, other) if a.then is Then.FLOOR else (other, one)
    if (floor.condition.then, cap.condition.then) == (Then.FLOOR, Then.CAP):
        yield from _floor_under_cap(floor, cap)
        return
    for weak, strong in ((other, one), (one, other)):
        if _covers(strong.condition, weak.condition) and _with(weak, strong):
            words = f"whenever condition {weak.condition.name} says something, {strong.where} says as much or more"
            yield at_origin(Level.WARNING, "unreachable", weak.origin, words, "remove it, or mend one of them")
            return


def _floor_under_cap(floor: Spoken, cap: Spoken) -> Iterator[LintFinding]:
    high, low = floor.condition, cap.condition
    if high.replicas > low.replicas and _with(floor, cap):
        words = (
            f"condition {high.name} asks for {high.replicas}, but whenever it does, {cap.where} "
            f"caps at {low.replicas}, and a cap beats a floor"
        )
        yield at_origin(Level.WARNING, "contradiction", floor.origin, words, "let them not overlap, or raise the cap")


def _with(one: Spoken, other: Spoken) -> bool:
    """Whether the other speaks whenever the first does, of a workload that both select."""
    return implies(together(one.speaks, other.known), other.speaks)


def _covers(strong: PolicyCondition, weak: PolicyCondition) -> bool:
    """Whether `weak` asks for nothing that `strong` does not, where both speak."""
    if strong.then in HOLDING and weak.then in HOLDING:
        return True
    if strong.then is not weak.then:
        return False
    if strong.then is Then.FLOOR:
        return weak.replicas <= strong.replicas
    return weak.replicas >= strong.replicas and (strong.short or not weak.short)
