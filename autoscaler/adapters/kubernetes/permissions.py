"""The rights that Foresail needs, by what it does: the same list grants them, is asked for, and is documented."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from autoscaler.domain.workload import Actuation, Mode, Workload


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a Role."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()
    """Of the only objects it is about; none = all of them."""

    def as_rule(self) -> dict[str, Any]:
        rule = {"apiGroups": [self.group], "resources": [self.resource], "verbs": list(self.verbs)}
        return rule | ({"resourceNames": list(self.names)} if self.names else {})

    @property
    def words(self) -> str:
        return f'{{apiGroups: ["{self.group}"], resources: ["{self.resource}"], verbs: [{", ".join(self.verbs)}]}}'


READ = ("get", "list")
OBSERVE = (
    Rule("", "pods", ("list",)),
    Rule("apps", "deployments", READ),
    Rule("apps", "statefulsets", READ),
    Rule("apps", "replicasets", READ),
    Rule("autoscaling", "horizontalpodautoscalers", READ),
    Rule("policy", "poddisruptionbudgets", ("list",)),
)
KEDA_OBSERVE = Rule("keda.sh", "scaledobjects", READ)
ACT_ON_HPA = Rule("autoscaling", "horizontalpodautoscalers", ("patch",))
ACT_ON_KEDA = Rule("keda.sh", "scaledobjects", ("patch",))

OPERATOR_OBJECTS = (
    Rule("foresail.dev", "predictiveautoscalers", ("get", "list", "watch")),
    Rule("foresail.dev", "predictiveautoscalers/status", ("patch",)),
)
"""Of an operator, where its autoscalers are. The first needs get for a live look before a floor is handed back."""
OPERATOR_CLUSTER = (
    Rule("foresail.dev", "guardpolicies", ("list", "watch")),
    Rule("foresail.dev", "guardpolicies/status", ("patch",)),
    Rule("foresail.dev", "metricssources", ("list", "watch")),
    Rule("foresail.dev", "metricssources/status", ("patch",)),
)
"""Of an operator, over the whole cluster always: these kinds have no namespace."""
OPERATOR_EVENTS = Rule("events.k8s.io", "events", ("create",))
"""Of an operator, where its autoscalers are, and in `default`, where events about kinds without a namespace go."""
OPERATOR = (*OPERATOR_OBJECTS, *OPERATOR_CLUSTER, OPERATOR_EVENTS)


def lease_rules(name: str) -> tuple[Rule, ...]:
    """Of an operator, in its own namespace. name: of its Lease; what is not there yet has no name to grant by."""
    return (
        Rule("coordination.k8s.io", "leases", ("create",)),
        Rule("coordination.k8s.io", "leases", ("get", "update"), (name,)),
    )


def scale_rule(group: str, plural: str, *, act: bool) -> Rule:
    return Rule(group, f"{plural}/scale", ("get", "patch") if act else ("get",))


def watched(*rules: Rule) -> tuple[Rule, ...]:
    """The same, kept up by watches: without the verb an operator lists at each tick what it may list."""
    return tuple(Rule(r.group, r.resource, (*r.verbs, "watch"), r.names) for r in rules)


WORKLOADS = ("deployments", "statefulsets", "replicasets")
ROLES: dict[str, tuple[Rule, ...]] = {
    "observe": (
        *watched(*OBSERVE),
        *(scale_rule("apps", plural, act=False) for plural in WORKLOADS),
        *OPERATOR_OBJECTS,
    ),
    "observe-keda": watched(KEDA_OBSERVE),
    "act": (ACT_ON_HPA, *(Rule("apps", f"{plural}/scale", ("patch",)) for plural in WORKLOADS)),
    "act-keda": (ACT_ON_KEDA,),
    "cluster": OPERATOR_CLUSTER,
    "events": (OPERATOR_EVENTS,),
    "release": (Rule("autoscaling", "horizontalpodautoscalers", ("get", "list", "patch")),),
    "release-keda": (Rule("keda.sh", "scaledobjects", ("get", "list", "patch")),),
}
"""What the chart grants, apart: whoever grants `observe` alone has an operator that cannot move anything."""


def needed(load: Workload, plural: str, *, keda: bool) -> Iterable[Rule]:
    """What one workload needs in its namespace. plural: of its target's kind. keda: the cluster knows ScaledObjects."""
    group = load.target.api_version.rpartition("/")[0]
    yield from (rule for rule in OBSERVE if rule.group != "apps")
    yield Rule(group, plural, READ)
    acts = load.mode is Mode.ACT
    if load.actuation is Actuation.SCALE or group != "apps":
        yield scale_rule(group, plural, act=acts and load.actuation is Actuation.SCALE)
    if keda:
        yield KEDA_OBSERVE
    if acts and load.actuation is Actuation.HPA_FLOOR:
        yield ACT_ON_HPA
    if acts and load.actuation is Actuation.KEDA_FLOOR:
        yield ACT_ON_KEDA


def merged(rules: Iterable[Rule]) -> list[Rule]:
    """One rule per resource, each with every verb that any of them has; in the order of their first mention."""
    verbs: dict[tuple[str, str], dict[str, None]] = {}
    for rule in rules:
        verbs.setdefault((rule.group, rule.resource), {}).update(dict.fromkeys(rule.verbs))
    return [Rule(group, resource, tuple(those)) for (group, resource), those in verbs.items()]


def secret_rules(names: Iterable[str]) -> tuple[Rule, ...]:
    """Of an operator, in its own namespace: the Secrets that MetricsSources name, each by its name and none else."""
    named = tuple(sorted(set(names)))
    return (Rule("", "secrets", ("get",), named),) if named else ()
