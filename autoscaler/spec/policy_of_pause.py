"""The GuardPolicy that `foresail pause` writes: whom it stops, who wrote it, and a name by which it is found again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from autoscaler.domain.workload import PauseDirection
from autoscaler.spec.metadata import API_VERSION
from autoscaler.spec.policy import GuardPolicy

PREFIX: Final = "foresail-pause"
EVERYTHING: Final = f"{PREFIX}-all"
MARK: Final = "foresail.dev/made-by"
MADE_BY: Final = "pause"
MOST_NAME: Final = 253


@dataclass(frozen=True, slots=True)
class Stop:
    """Who stops what kind of move, why, and until when; None = without an end, which only a policy can be."""

    owner: str
    reason: str
    until: datetime | None
    direction: PauseDirection = PauseDirection.BOTH

    def spec(self) -> dict[str, Any]:
        """As a pause stands in a PredictiveAutoscaler or a GuardPolicy."""
        end: dict[str, Any] = {"openEnded": True} if self.until is None else {"until": instant(self.until)}
        return {"direction": self.direction.value, "owner": self.owner, "reason": self.reason, **end}

    @property
    def words(self) -> str:
        end = "without an end" if self.until is None else f"until {instant(self.until)}"
        return f"{self.direction.value} {end} by {self.owner}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Whom:
    """All, one namespace, or one workload of a namespace: as much as is given."""

    namespace: str = ""
    name: str = ""

    @property
    def words(self) -> str:
        if self.name:
            return f"{self.namespace}/{self.name}"
        return f"namespace {self.namespace}" if self.namespace else "everything"

    @property
    def policy_name(self) -> str:
        """Parts between dots, each as long as one may be; a namespace has no dot, so that no two of these are one."""
        if not self.namespace:
            return EVERYTHING
        full = f"{PREFIX}.{self.namespace}.{self.name}" if self.name else f"{PREFIX}-ns.{self.namespace}"
        if len(full) <= MOST_NAME:
            return full
        return f"{full[: MOST_NAME - 9].rstrip('-.')}.{hashlib.sha256(full.encode()).hexdigest()[:8]}"

    @property
    def selector(self) -> dict[str, Any]:
        if self.name:
            return {"names": [f"{self.namespace}/{self.name}"]}
        return {"namespaces": [self.namespace]} if self.namespace else {}


def policy_of(whom: Whom, stop: Stop) -> dict[str, Any]:
    """The object, valid by the models that judge it. ValueError (pydantic's) for words that are no valid field."""
    knowingly = [*([] if whom.namespace else ["SelectsAll"]), *([] if stop.until else ["OpenEnded"])]
    made: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "GuardPolicy",
        "metadata": {"name": whom.policy_name, "labels": {MARK: MADE_BY}},
        "spec": {"selector": whom.selector, "pause": stop.spec()},
    }
    if knowingly:
        made["spec"]["acknowledge"] = knowingly
    GuardPolicy.model_validate(made)
    return made


def instant(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
