"""The cluster's side of a fleet kept up by watches, so that a tick lists nothing.

One watch for each kind that a look needs, over all namespaces or over those that are named; begun when the kind is
first needed. A kind that may not be watched is listed at each look, as without this. What is kept says nothing any
more once its watch has been broken for a moment or silent for too long: the lanes are then unknown, and hold.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autoscaler.adapters.kubernetes.claims import SCALED_OBJECT
from autoscaler.adapters.kubernetes.connection import Connection
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.reading import CLUSTER_LISTS, WITH_SELECTOR, Kinds, Question, noted, target_path
from autoscaler.adapters.kubernetes.trimming import TRIMS, scaled
from autoscaler.adapters.kubernetes.watching import QUIET_S, KindCache
from autoscaler.domain.workload import Target, Workload

log = logging.getLogger("foresail")

FIRST_S = 20.0
"""How long the first look waits for lists that are new."""
BROKEN_S = 15.0
"""How long a broken watch is borne: it is opened anew within seconds where the server is well."""
ASK_KEDA_S = 60.0


@dataclass(slots=True)
class KeptCluster:
    """Implements reading.Kept. namespaces: which are watched; none = all. oldest_s: the longest silence.

    connection: of the watches, without a fence. `close` ends them.
    """

    connection: Connection
    namespaces: Sequence[str] = ()
    quiet_s: float = QUIET_S
    oldest_s: float = 2 * QUIET_S
    monotonic: Callable[[], float] = time.monotonic
    kinds: Kinds = field(init=False)
    _caches: dict[str, KindCache] = field(default_factory=dict)
    _keda: tuple[float, bool] = (float("-inf"), False)
    _told: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.kinds = Kinds(self.connection)

    def answers(self, by_namespace: Mapping[str, Sequence[Workload]]) -> dict[str, dict[Question, Any]]:
        """What is known of each namespace, by question; what is left out has to be asked."""
        paths = {namespace: self._paths(namespace, loads) for namespace, loads in by_namespace.items()}
        new = [self._begin(p, q) for asked in paths.values() for q, p in asked.items() if p not in self._caches]
        self._wait(new)
        grouped: dict[str, dict[str, list[Any]]] = {}
        found: dict[str, dict[Question, Any]] = {}
        for namespace, asked in paths.items():
            mine = found[namespace] = self._without_keda(namespace)
            for question, path in asked.items():
                cache = self._caches[path]
                fault = self._fault(cache)
                if fault is not None:
                    if not fault.forbidden:
                        mine[question] = noted(fault, question, namespace)
                    continue
                if path not in grouped:
                    grouped[path] = cache.by_namespace()
                things = grouped[path].get(namespace, [])
                is_target = " " in question
                mine[question] = {t["metadata"]["name"]: t for t in things} if is_target else things
        return found

    @property
    def watches(self) -> tuple[KindCache, ...]:
        return tuple(self._caches.values())

    def close(self) -> None:
        for cache in self._caches.values():
            cache.stop()

    def _paths(self, namespace: str, loads: Sequence[Workload]) -> dict[Question, str]:
        """By question, what is watched for it."""
        where = namespace if namespace in self.namespaces else ""
        if self.namespaces and not where:
            return {}
        found = {what: path(where) for what, path in CLUSTER_LISTS.items()}
        if self._has_keda():
            found["scaledobjects"] = _over(SCALED_OBJECT.path(where), where)
        for load in loads:
            target = load.target
            if (target.api_version, target.kind) in WITH_SELECTOR:
                found[f"{target.api_version} {target.kind}"] = self._target(target, where)
        return {question: path for question, path in found.items() if path}

    def _target(self, target: Target, where: str) -> str:
        try:
            resource = self.kinds.of(target.api_version, target.kind)
        except ApiFault:
            return ""  # asked as without a watch, and said there
        return "" if resource is None else _over(target_path(target, resource, where), where)

    def _has_keda(self) -> bool:
        asked_s, there = self._keda
        if not there and self.monotonic() - asked_s > ASK_KEDA_S:
            try:
                there = self.kinds.of(SCALED_OBJECT.api_version, SCALED_OBJECT.kind) is not None
            except ApiFault:
                return False  # not known: asked in its place
            self._keda = (self.monotonic(), there)
        return there

    def _without_keda(self, namespace: str) -> dict[Question, Any]:
        """That there is none is known for a minute."""
        asked_s, there = self._keda
        known = not there and asked_s > float("-inf") and (not self.namespaces or namespace in self.namespaces)
        return {"scaledobjects": []} if known else {}

    def _begin(self, path: str, question: Question) -> KindCache:
        if path not in self._caches:
            trim = TRIMS.get(question, scaled)
            made = KindCache(self.connection, path, self.quiet_s, monotonic=self.monotonic, lean=trim)
            self._caches[path] = made
            made.start()
        return self._caches[path]

    def _wait(self, new: Sequence[KindCache]) -> None:
        end = self.monotonic() + FIRST_S
        while any(not c.synced and c.fault is None for c in new) and self.monotonic() < end:
            time.sleep(0.02)

    def _fault(self, cache: KindCache) -> ApiFault | None:
        """Why what is kept says nothing; one that is forbidden is asked for directly."""
        fault, silent_s = cache.fault, cache.silent_s
        if fault is not None and fault.forbidden:
            if cache.path not in self._told:
                self._told.add(cache.path)
                log.warning("not_watched %s: it is listed at each tick: %s", cache.path, fault.said)
            return fault
        self._told.discard(cache.path)
        if not cache.synced:
            return fault or ApiFault(None, "it was not read yet")
        if fault is not None and silent_s > BROKEN_S:
            return fault
        if silent_s > self.oldest_s:
            return ApiFault(None, f"the API server last spoke of it {silent_s:.0f} s ago")
        return None


def _over(path: str, where: str) -> str:
    """A path in one namespace, or of all."""
    return path if where else path.replace("/namespaces//", "/")
