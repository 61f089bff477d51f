"""Our own kinds as they stand in the cluster: one cache for each, together one revision."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoscaler.adapters.kubernetes.connection import Connection
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.watching import QUIET_S, KindCache, Thing

GROUP = "/apis/foresail.dev/v1alpha1"
AUTOSCALERS, POLICIES, SOURCES = "predictiveautoscalers", "guardpolicies", "metricssources"
OLDEST_S = 180.0
"""Twice the silence that a watch bears, so that it has had a second chance."""


def autoscaler_path(namespace: str, name: str = "") -> str:
    base = f"{GROUP}/namespaces/{namespace}/{AUTOSCALERS}" if namespace else f"{GROUP}/{AUTOSCALERS}"
    return f"{base}/{name}" if name else base


def object_path(thing: Mapping[str, Any]) -> str:
    """Of one of our objects."""
    meta = thing["metadata"]
    if thing["kind"] == "PredictiveAutoscaler":
        return autoscaler_path(meta["namespace"], meta["name"])
    return f"{GROUP}/{POLICIES if thing['kind'] == 'GuardPolicy' else SOURCES}/{meta['name']}"


@dataclass(frozen=True, slots=True)
class ObjectCache:
    """autoscalers: by namespace; under "" of all of them. oldest_s: silence past which nothing is written by it."""

    connection: Connection
    autoscalers: dict[str, KindCache]
    policies: KindCache
    sources: KindCache
    oldest_s: float = OLDEST_S

    @staticmethod
    def of(connection: Connection, namespaces: Sequence[str] = (), quiet_s: float = QUIET_S) -> ObjectCache:
        """namespaces: where autoscalers are looked for; none = in all."""

        def cache(path: str) -> KindCache:
            return KindCache(connection, path, quiet_s)

        theirs = {n: cache(autoscaler_path(n)) for n in namespaces or ("",)}
        return ObjectCache(
            connection, theirs, cache(f"{GROUP}/{POLICIES}"), cache(f"{GROUP}/{SOURCES}"), max(2 * quiet_s, 1.0)
        )

    @property
    def kinds(self) -> Iterator[KindCache]:
        yield from self.autoscalers.values()
        yield self.policies
        yield self.sources

    def start(self) -> None:
        for kind in self.kinds:
            kind.start()

    def stop(self) -> None:
        for kind in self.kinds:
            kind.stop()

    def wait_synced(self, within_s: float) -> bool:
        """Whether all were read in time."""
        end = time.monotonic() + within_s
        while not self.synced and time.monotonic() < end:
            time.sleep(0.02)
        return self.synced

    @property
    def synced(self) -> bool:
        """Whether every kind was read whole once: before that, what is missing says nothing."""
        return all(kind.synced for kind in self.kinds)

    @property
    def revision(self) -> tuple[int, ...]:
        return tuple(kind.revision for kind in self.kinds)

    def things(self) -> list[Thing]:
        """All objects, sources and policies first."""
        first = [*self.sources.objects(), *self.policies.objects()]
        return [*first, *(thing for kind in self.autoscalers.values() for thing in kind.objects())]

    def autoscaler_things(self) -> list[Thing]:
        return [thing for kind in self.autoscalers.values() for thing in kind.objects()]

    def doubt(self, namespace: str) -> str | None:
        """Why what we know of a namespace's autoscalers and the policies may be too old to act on; None = it is not."""
        theirs = self.autoscalers.get(namespace) or self.autoscalers.get("")
        for kind in (theirs, self.policies):
            if kind is not None and kind.silent_s > self.oldest_s:
                why = f": {kind.fault}" if kind.fault else ""
                return f"{kind.path} was last heard of {kind.silent_s:.0f} s ago{why}"
        return None

    def exists(self, namespace: str, name: str) -> bool:
        """Whether the API server knows the autoscaler now, and nobody deletes it. ApiFault when it cannot say."""
        try:
            live = self.connection.get(autoscaler_path(namespace, name))
        except ApiFault as fault:
            if fault.status == 404:
                return False
            raise
        return "deletionTimestamp" not in live["metadata"]

    def faults(self) -> dict[str, str]:
        """By path: a right that is missing names itself in the server's words."""
        return {kind.path: str(kind.fault) for kind in self.kinds if kind.fault is not None}
