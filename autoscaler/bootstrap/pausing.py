"""Pauses of a cluster, written and taken away: on an object itself, or by a GuardPolicy of our own name.

One workload is paused in its own spec, for which an app team has the right. Where its spec is not in force (Stalled), a
pause in it would not be either: then, as for a namespace and for everything, a GuardPolicy stops it, which works
whatever else is invalid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autoscaler.adapters.kubernetes.connection import MERGE
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.objects import autoscaler_path
from autoscaler.bootstrap.onlooker import Onlooker
from autoscaler.domain.errors import Refused
from autoscaler.domain.workload import WorkloadRef
from autoscaler.spec.policy_of_pause import MADE_BY, MARK, Stop, Whom, policy_of

MANAGER = "foresail-pause"
TRIES = 4
REFUSALS = frozenset({400, 403, 404, 422})
"""Statuses that asking again does not change."""
Thing = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    """what: paused, resumed, or unpaused (there was no such pause). how: the object that was written."""

    whom: Whom
    what: str
    how: str
    words: str


@dataclass(frozen=True, slots=True)
class Pauses:
    """by: who we are. force: also replace or end what somebody else has paused."""

    view: Onlooker
    by: str
    now: datetime
    force: bool = False

    def pause(self, whom: Whom, stop: Stop) -> Done:
        """Refused where somebody else's pause stands there. A pause of our own is replaced."""
        if whom.name:
            return _again(lambda: self._pause_one(whom, stop))
        return _again(lambda: self._pause_by_policy(whom, stop))

    def _pause_one(self, whom: Whom, stop: Stop) -> Done:
        thing = self._object(whom)
        self._mine(whom, (thing.get("spec") or {}).get("pause"), "replaces it")
        if _stalled(thing):
            done = self._pause_by_policy(whom, stop)
            return Done(whom, done.what, done.how, f"{done.words}; by a policy, as its own spec is not valid")
        if stop.until is None:
            raise Refused(
                "one workload is paused with an end (--for, --until); --open-ended is for a namespace or --all"
            )
        self._patch(thing, stop.spec())
        return Done(whom, "paused", f"PredictiveAutoscaler {whom.words}", stop.words)

    def _pause_by_policy(self, whom: Whom, stop: Stop) -> Done:
        made = policy_of(whom, stop)
        path, there = self.view.policy_path(whom.policy_name), self._policy(whom)
        query = {"fieldManager": MANAGER}
        if there is None:
            self.view.connection.call("POST", self.view.policy_path(), made, query=query)
        else:
            self._ours(there)
            self._mine(whom, (there.get("spec") or {}).get("pause"), "replaces it")
            made["metadata"]["resourceVersion"] = there["metadata"]["resourceVersion"]
            self.view.connection.call("PUT", path, made, query=query)
        return Done(whom, "paused", f"GuardPolicy {whom.policy_name}", stop.words + self._of_nobody(whom))

    def _of_nobody(self, whom: Whom) -> str:
        """A misspelt namespace is not noticed otherwise, and in an incident it counts."""
        if whom.name or not whom.namespace:
            return ""
        try:
            some = self.view.connection.items(autoscaler_path(whom.namespace))
        except ApiFault:  # who may write policies need not see objects
            return ""
        return "" if some else f". No PredictiveAutoscaler is in {whom.namespace} now: check the name"

    def resume(self, whom: Whom) -> Done:
        """Ends what `pause` made of it, and nothing else. Refused where that is somebody else's."""
        return _again(lambda: self._resumed(whom))

    def _resumed(self, whom: Whom) -> Done:
        ended: list[str] = []
        thing = self._object(whom) if whom.name else None
        pause = ((thing or {}).get("spec") or {}).get("pause")
        policy = self._policy(whom)
        self._mine(whom, pause, "ends it")
        if policy is not None:
            self._ours(policy)
            self._mine(whom, (policy.get("spec") or {}).get("pause"), "ends it")
        if thing is not None and pause is not None:
            self._patch(thing, None)
            ended.append(f"PredictiveAutoscaler {whom.words}")
        if policy is not None:
            exactly = {"resourceVersion": policy["metadata"]["resourceVersion"], "uid": policy["metadata"]["uid"]}
            body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": exactly}
            self.view.connection.call("DELETE", self.view.policy_path(whom.policy_name), body)
            ended.append(f"GuardPolicy {whom.policy_name}")
        if ended:
            return Done(whom, "resumed", " and ".join(ended), "it decides again from the next tick on")
        return Done(whom, "unpaused", "", _why_paused(thing) or "no pause of `foresail pause` is there")

    def _object(self, whom: Whom) -> Thing:
        return self.view.thing(WorkloadRef(whom.namespace, whom.name))

    def _policy(self, whom: Whom) -> Thing | None:
        """None where there is none; of one workload also where we may not read policies, as an app team."""
        try:
            found: Thing = self.view.connection.get(self.view.policy_path(whom.policy_name))
        except ApiFault as fault:
            if fault.gone or (fault.forbidden and whom.name):
                return None
            raise
        return found

    def _ours(self, policy: Thing) -> None:
        if (policy["metadata"].get("labels") or {}).get(MARK) != MADE_BY and not self.force:
            name = policy["metadata"]["name"]
            raise Refused(f"GuardPolicy {name} was not written by `foresail pause`; edit it, or say --force")

    def _mine(self, whom: Whom, pause: Thing | None, after: str) -> None:
        """Refused for a pause of somebody else that is still in force."""
        if not pause or self.force or pause.get("owner") == self.by:
            return
        until = pause.get("until")
        if until is not None and datetime.fromisoformat(str(until)) <= self.now:
            return
        end = "without an end" if until is None else f"until {until}"
        said = f"{whom.words} is paused by {pause.get('owner')} {end}: {pause.get('reason')}"
        raise Refused(f"{said}; you are {self.by}, and --force {after}")

    def _patch(self, thing: Thing, pause: Thing | None) -> None:
        meta = thing["metadata"]
        body = {"metadata": {"resourceVersion": meta["resourceVersion"]}, "spec": {"pause": pause}}
        path = autoscaler_path(meta["namespace"], meta["name"])
        self.view.connection.call("PATCH", path, body, MERGE, {"fieldManager": MANAGER})


def _again(act: Callable[[], Done]) -> Done:
    """Of an object that changes under us, such as by its status, the newest form is taken, a few times."""
    for attempt in range(TRIES):
        try:
            return act()
        except ApiFault as fault:
            if fault.status in REFUSALS:
                raise Refused(fault.said) from fault
            if not fault.conflict or attempt + 1 == TRIES:
                raise
    raise AssertionError("the last try returns or raises")


def _condition(thing: Thing, kind: str) -> Thing:
    found = (thing.get("status") or {}).get("conditions") or []
    return next((c for c in found if c["type"] == kind and c["status"] == "True"), {})


def _stalled(thing: Thing) -> bool:
    """Whether what is written is not in force: Ready says so too. A query that its source refuses is, and holds."""
    told = {c["type"]: c for c in (thing.get("status") or {}).get("conditions") or []}
    stalled = _condition(thing, "Stalled")
    return bool(stalled) and told.get("Ready", stalled)["reason"] == stalled["reason"]


def _why_paused(thing: Thing | None) -> str | None:
    """What stops it all the same, as its status tells."""
    told = _condition(thing or {}, "Paused")
    return f"it is stopped otherwise: {told['message']}" if told else None
