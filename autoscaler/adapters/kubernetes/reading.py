"""One look at the cluster: a handful of lists per namespace, side by side, each with its own outcome."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from autoscaler.adapters.kubernetes.claims import SCALED_OBJECT
from autoscaler.adapters.kubernetes.connection import Connection
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.views import NamespaceView, Thing
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.workload import Target, Workload

log = logging.getLogger("foresail")

AT_ONCE = 8
WITH_SELECTOR = {("apps/v1", kind) for kind in ("Deployment", "StatefulSet", "ReplicaSet")}
"""Kinds whose own objects say everything; of any other kind the scale subresource is asked, object by object."""


@dataclass(frozen=True, slots=True)
class Resource:
    """plural: name in paths. scalable: it has a scale subresource."""

    plural: str
    scalable: bool


@dataclass(slots=True)
class Kinds:
    """Which path a kind has, as the API server tells; known answers are kept, unknown ones asked again."""

    connection: Connection
    _known: dict[str, dict[str, Resource]] = field(default_factory=dict)

    def of(self, api_version: str, kind: str) -> Resource | None:
        """None when the server does not know the kind."""
        kinds = self._known.get(api_version)
        if kinds is None or kind not in kinds:
            kinds = self._known[api_version] = self._asked(api_version)
        return kinds.get(kind)

    def _asked(self, api_version: str) -> dict[str, Resource]:
        base = "/api" if "/" not in api_version else "/apis"
        try:
            listed = self.connection.get(f"{base}/{api_version}")["resources"]
        except ApiFault as fault:
            if fault.gone:
                return {}
            raise
        scalable = {each["name"].partition("/")[0] for each in listed if each["name"].endswith("/scale")}
        return {r["kind"]: Resource(r["name"], r["name"] in scalable) for r in listed if "/" not in r["name"]}


def target_path(target: Target, resource: Resource, namespace: str, name: str = "") -> str:
    base = "/api" if "/" not in target.api_version else "/apis"
    path = f"{base}/{target.api_version}/namespaces/{namespace}/{resource.plural}"
    return f"{path}/{name}" if name else path


Question = str
"""What is asked of one namespace: a kind in plural, or a target's group, version and kind."""


def _listed(base: str, plural: str) -> Callable[[str], str]:
    return lambda namespace: f"{base}/namespaces/{namespace}/{plural}" if namespace else f"{base}/{plural}"


CLUSTER_LISTS: Mapping[Question, Callable[[str], str]] = {
    "horizontalpodautoscalers": _listed("/apis/autoscaling/v2", "horizontalpodautoscalers"),
    "poddisruptionbudgets": _listed("/apis/policy/v1", "poddisruptionbudgets"),
    "pods": _listed("/api/v1", "pods"),
}
"""Path by namespace; of the empty one, over all."""


class Kept(Protocol):
    """Answers that are there already."""

    def answers(self, by_namespace: Mapping[str, Sequence[Workload]]) -> Mapping[str, Mapping[Question, Any]]: ...


@dataclass(slots=True)
class Reader:
    """kept: what need not be asked; None = everything is."""

    connection: Connection
    kinds: Kinds
    kept: Kept | None = None

    def look(self, loads: Iterable[Workload]) -> dict[str, NamespaceView]:
        """Per namespace. Never raises for the API: what has no answer is None, with the reason in `faults`."""
        by_namespace: dict[str, list[Workload]] = {}
        for load in loads:
            by_namespace.setdefault(load.ref.namespace, []).append(load)
        kept = {} if self.kept is None else self.kept.answers(by_namespace)
        known: dict[str, dict[Question, Any]] = {n: dict(kept.get(n, {})) for n in by_namespace}
        left = [
            (namespace, what, ask)
            for namespace, theirs in by_namespace.items()
            for what, ask in self._questions(namespace, theirs)
            if what not in known[namespace]
        ]
        if left:
            with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="foresail-look") as pool:
                told = list(pool.map(lambda one: one[2](), left))
            for (namespace, what, _), answer in zip(left, told, strict=True):
                known[namespace][what] = answer
        return {namespace: _view(answers) for namespace, answers in known.items()}

    def _questions(self, namespace: str, loads: list[Workload]) -> Iterable[tuple[str, Callable[[], Any]]]:
        connection = self.connection

        def asking(what: str, ask: Callable[[], Any]) -> Callable[[], Any]:
            def outcome() -> Any:
                try:
                    return ask()
                except ApiFault as fault:
                    return noted(fault, what, namespace)
                except Exception as error:
                    log.exception("answer_not_understood what=%s namespace=%s", what, namespace)
                    words = f"{what} in {namespace} is not understood: {type(error).__name__}: {error}"
                    return Note(Condition.CLUSTER_UNREACHABLE, words)

            return outcome

        for what, path in CLUSTER_LISTS.items():
            yield what, asking(what, partial(connection.items, path(namespace)))
        yield "scaledobjects", asking("scaledobjects", lambda: self._scaled_objects(namespace))
        targets = {(load.target.api_version, load.target.kind) for load in loads}
        for version, kind in sorted(targets):
            theirs = [load.target for load in loads if (load.target.api_version, load.target.kind) == (version, kind)]
            yield f"{version} {kind}", asking(kind, partial(self._targets, namespace, theirs))

    def _scaled_objects(self, namespace: str) -> list[dict[str, Any]]:
        if self.kinds.of(SCALED_OBJECT.api_version, SCALED_OBJECT.kind) is None:
            return []
        return self.connection.items(SCALED_OBJECT.path(namespace))

    def _targets(self, namespace: str, targets: list[Target]) -> dict[str, Thing] | Note:
        """Name → object, with spec.replicas and spec.selector where they are."""
        first = targets[0]
        resource = self.kinds.of(first.api_version, first.kind)
        if resource is None:
            return Note(Condition.TARGET_NOT_FOUND, f"the cluster does not know {first.api_version} {first.kind}")
        if not resource.scalable:
            words = f"{first.api_version} {first.kind} has no scale subresource: its replicas cannot be set"
            return Note(Condition.TARGET_NOT_SCALABLE, words)
        if (first.api_version, first.kind) in WITH_SELECTOR:
            listed = self.connection.items(target_path(first, resource, namespace))
            return {thing["metadata"]["name"]: thing for thing in listed}
        found: dict[str, Thing] = {}
        for target in targets:
            try:
                found[target.name] = self.connection.get(
                    f"{target_path(target, resource, namespace, target.name)}/scale"
                )
            except ApiFault as fault:
                if not fault.gone:
                    raise
        return found


def noted(fault: ApiFault, what: str, namespace: str) -> Note:
    """What is missing, with the exact right where it is a right."""
    if fault.forbidden:
        return Note(Condition.FORBIDDEN, f"not allowed to read {what} in {namespace}: {fault.said}")
    return Note(Condition.CLUSTER_UNREACHABLE, f"{what} in {namespace} could not be read: {fault}")


def _view(told: Mapping[str, Any]) -> NamespaceView:
    faults = {what: answer for what, answer in told.items() if isinstance(answer, Note)}

    def listed(what: str) -> list[dict[str, Any]] | None:
        return None if what in faults else told[what]

    targets = {
        (version, kind): told[what]
        for what in told
        if " " in what and what not in faults
        for version, _, kind in [what.partition(" ")]
    }
    return NamespaceView(
        targets=targets,
        hpas=listed("horizontalpodautoscalers"),
        scaled_objects=listed("scaledobjects"),
        budgets=listed("poddisruptionbudgets"),
        pods=listed("pods"),
        faults=faults,
    )
