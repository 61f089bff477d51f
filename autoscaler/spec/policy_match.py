"""Which policies speak about a workload, and which of two is the more specific."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from pydantic.alias_generators import to_snake

from autoscaler.domain.conditions import PolicyCondition
from autoscaler.domain.policy import NEVER, Brake, Budget, Freeze, Origin, PolicyPause, ReplicaWindow
from autoscaler.domain.workload import Pause
from autoscaler.spec.cel import program_of
from autoscaler.spec.kinds import GuardPolicy, PredictiveAutoscaler
from autoscaler.spec.nodes import Document
from autoscaler.spec.policy_rules import LimitsSpec
from autoscaler.spec.policy_shared import share_of
from autoscaler.spec.scalars import instant_of, quantity_of
from autoscaler.spec.selector import ExpressionSpec, Operator, SelectorSpec
from autoscaler.spec.when import window_of
from autoscaler.spec.words import path_words

Specificity = tuple[bool, int, bool, bool]


class PlacedPolicy:
    """A valid policy, and the document it was read from, for its places. revision: eight digits of its content.

    What is written as it would be by default is no other content: the API server writes defaults into objects.
    """

    def __init__(self, model: GuardPolicy, document: Document) -> None:
        self.model = model
        self.document = document
        self._origins: dict[tuple[str | int, ...], Origin] = {}
        self._said: dict[tuple[str, ...], tuple[Any, Origin] | None] = {}
        text = json.dumps(model.model_dump(mode="json", by_alias=True, exclude_defaults=True), sort_keys=True)
        self.revision = hashlib.sha256(text.encode()).hexdigest()[:8]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlacedPolicy) and self.model == other.model

    __hash__ = None  # type: ignore[assignment]  # equal by content, which has dicts in it

    @property
    def name(self) -> str:
        return self.model.metadata.name

    @property
    def limits(self) -> LimitsSpec:
        return self.model.spec.limits or _NO_LIMITS

    def origin(self, *path: str | int) -> Origin:
        """Where the field at `path` below spec stands."""
        if path not in self._origins:
            _, place = self.document.find(("spec", *path))
            where = f"{self.document.file}:{place.line}"
            self._origins[path] = Origin(f"GuardPolicy {self.name}", path_words(path), where, self.revision)
        return self._origins[path]

    def said(self, part: str, path: tuple[str, ...] = ()) -> tuple[Any, Origin] | None:
        """What `defaults`, `limits` or `pause` says at a path of written names, and where; None where it does not."""
        key = (part, *path)
        if key not in self._said:
            node: Any = getattr(self.model.spec, part)
            for name in path:
                node = None if node is None else getattr(node, to_snake(name))
            self._said[key] = None if node is None else (node, self.origin(*key))
        return self._said[key]

    def default(self, path: tuple[str, ...]) -> Any:
        """What `defaults` says at a path of written names; None where it does not."""
        found = self.said("defaults", path)
        return None if found is None else found[0]

    @cached_property
    def windows(self) -> tuple[ReplicaWindow, ...]:
        """Calendar windows and events, compiled once for all workloads."""
        schedule = (
            ReplicaWindow(s.name, window_of(s.when), self.origin("limits", "schedule", k), s.min, s.max)
            for k, s in enumerate(self.limits.schedule or ())
        )
        events = (
            ReplicaWindow(
                e.name,
                window_of(e.when),
                self.origin("limits", "events", k),
                e.floor,
                None,
                bounded=True,
                uplift=e.uplift or 1.0,
            )
            for k, e in enumerate(self.limits.events or ())
        )
        return (*schedule, *events)

    @cached_property
    def freezes(self) -> tuple[Freeze, ...]:
        return tuple(
            Freeze(f.name, window_of(f.when), self.origin("limits", "freezes", k), f.growth, f.reason)
            for k, f in enumerate(self.limits.freezes or ())
        )

    @cached_property
    def conditions(self) -> tuple[PolicyCondition, ...]:
        return tuple(
            PolicyCondition(
                c.name, program_of(c.expression), c.then, c.message, self.origin("limits", "conditions", k),
                c.replicas or 0, c.may_cause_shortage,
            )
            for k, c in enumerate(self.limits.conditions or ())
        )  # fmt: skip

    @cached_property
    def brakes(self) -> tuple[Brake, ...]:
        brake = self.limits.brake
        if brake is None:
            return ()
        origin = self.origin("limits", "brake")
        down = () if brake.shrink is None else (Brake(share_of(brake.shrink), origin),)
        up = () if brake.grow is None else (Brake(share_of(brake.grow), origin, True, brake.may_cause_shortage),)
        return (*down, *up)

    @cached_property
    def budgets(self) -> tuple[Budget, ...]:
        budget = self.limits.budget
        if budget is None:
            return ()
        price = 0.0 if budget.replica_price is None else quantity_of(budget.replica_price)
        origin = self.origin("limits", "budget")
        return (Budget(budget.replicas, origin, budget.may_cause_shortage, budget.money, price),)

    @property
    def endless(self) -> bool:
        """Whether it pauses without an end."""
        return self.model.spec.pause is not None and self.model.spec.pause.open_ended

    @cached_property
    def pauses(self) -> tuple[PolicyPause, ...]:
        pause = self.model.spec.pause
        if pause is None:
            return ()
        until = NEVER if pause.until is None else instant_of(pause.until)
        stop = Pause(pause.direction, pause.owner, pause.reason, until)
        return (PolicyPause(stop, self.origin("pause"), pause.at),)


_NO_LIMITS = LimitsSpec.model_construct()


def specificity(selector: SelectorSpec) -> Specificity:
    """Larger is more specific: names, then the number of label requirements, then namespaces, then sites."""
    labels = len(selector.match_labels) + len(selector.match_expressions)
    return (selector.names is not None, labels, selector.namespaces is not None, selector.sites is not None)


def disjoint(one: SelectorSpec, other: SelectorSpec) -> bool:
    """Whether no workload can fit both; False where that cannot be told."""
    pairs = ((one.namespaces, other.namespaces), (one.sites, other.sites))
    if any(a is not None and b is not None and not set(a) & set(b) for a, b in pairs):
        return True
    labels = one.match_labels.keys() & other.match_labels.keys()
    if any(one.match_labels[key] != other.match_labels[key] for key in labels):
        return True
    if one.names is None or other.names is None:
        return False
    return not any(_may_be_same(a, b) for a in one.names for b in other.names)


def _may_be_same(one: str, other: str) -> bool:
    if "/" in one and "/" in other:
        return one == other
    return one.rpartition("/")[2] == other.rpartition("/")[2]


def selects(selector: SelectorSpec, autoscaler: PredictiveAutoscaler, site: str | None) -> bool:
    """Whether every field that is written fits."""
    meta = autoscaler.metadata
    if selector.namespaces is not None and meta.namespace not in selector.namespaces:
        return False
    if selector.names is not None and not {meta.name, f"{meta.namespace}/{meta.name}"} & set(selector.names):
        return False
    if selector.sites is not None and site not in selector.sites:
        return False
    if any(meta.labels.get(key) != value for key, value in selector.match_labels.items()):
        return False
    return all(_holds(e, meta.labels) for e in selector.match_expressions)


def _holds(expression: ExpressionSpec, labels: Mapping[str, str]) -> bool:
    """A label selector of Kubernetes: NotIn also fits an object without the label."""
    value = labels.get(expression.key)
    match expression.operator:
        case Operator.IN:
            return value is not None and value in expression.values
        case Operator.NOT_IN:
            return value is None or value not in expression.values
        case Operator.EXISTS:
            return value is not None
        case Operator.DOES_NOT_EXIST:
            return value is None


class Matcher:
    """Policies in the order of their word: the most specific first, of equals by name."""

    def __init__(self, policies: Iterable[PlacedPolicy], site: str | None = None) -> None:
        self._site = site
        by_name = sorted(policies, key=lambda p: p.name)
        self.policies = tuple(sorted(by_name, key=lambda p: specificity(p.model.spec.selector), reverse=True))
        self._everywhere: list[tuple[int, PlacedPolicy]] = []
        self._in_namespace: dict[str, list[tuple[int, PlacedPolicy]]] = defaultdict(list)
        for rank, policy in enumerate(self.policies):
            namespaces = policy.model.spec.selector.namespaces
            if namespaces is None:
                self._everywhere.append((rank, policy))
            for namespace in dict.fromkeys(namespaces or ()):
                self._in_namespace[namespace].append((rank, policy))

    def of(self, autoscaler: PredictiveAutoscaler) -> Sequence[PlacedPolicy]:
        """Those that select the workload, the most specific first."""
        near = self._in_namespace.get(autoscaler.metadata.namespace, [])
        ranked = sorted((*self._everywhere, *near), key=lambda pair: pair[0]) if near else self._everywhere
        return [p for _, p in ranked if selects(p.model.spec.selector, autoscaler, self._site)]
