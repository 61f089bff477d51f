"""What stands as if we had wanted it a moment ago: what somebody before us wrote, and what waits for its forecast.

Counts of a process that died are newer than the state that it kept, and those of another leader were wanted by
forecasts that we may not have. Nobody here remembers why they were written, so each begins a whole window.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.forecast import ForesightAt
from autoscaler.domain.ladder import Why
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.series import Bools, anywhere
from autoscaler.domain.workload import WorkloadRef


@dataclass(slots=True)
class Inherited:
    """begun: whether the fleet of this term was taken in. It begins so with a process's first tick."""

    begun: bool = False
    _unread: set[WorkloadRef] = field(default_factory=set)

    def stands(self, fleet: Fleet, status: ReplicaStatus) -> Bools | None:
        """[lane], whose counts were read for the first time in this term; None where there is none."""
        if status.inherited or not self.begun:
            self._unread, self.begun = {load.ref for load in fleet.workloads}, True
        if not self._unread:
            return None
        mine = np.fromiter((load.ref in self._unread for load in fleet.workloads), dtype=np.bool_, count=len(fleet))
        return mine & status.known

    def remembered(self, fleet: Fleet, status: ReplicaStatus) -> None:
        """What was read has been decided about: from now on our own memory tells why it stands."""
        if self._unread:
            unknown = {fleet.workloads[lane].ref for lane in np.flatnonzero(~status.known).tolist()}
            self._unread &= unknown


def waits(fleet: Fleet, seen: ForesightAt) -> Bools | None:
    """[lane], where a demand's history is there and has not been learned yet; None where there is none.

    That it looks as if nothing were foreseen is ours, and no load that was observed.
    """
    if seen.standing is None:
        return None
    rows = np.asarray(seen.standing["why"] == Why.NOT_LEARNED_YET)
    return fleet.any_over_rows(rows) if anywhere(rows) else None


def either(one: Bools | None, other: Bools | None) -> Bools | None:
    """[lane], where any of both is so; None = nowhere."""
    if one is None or other is None:
        return one if other is None else other
    return one | other
