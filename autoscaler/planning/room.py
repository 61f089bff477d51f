"""The room that a user's own HPA keeps above the load, learned from its rises.

A floor that rises by less than the HPA was about to ask for slows it down: the HPA jumps to the new minimum and skips
its metrics in that sync, and then counts the pods that start as idle against its own next rise (kubernetes,
horizontal.go and replica_calculator.go). So a floor that rises ahead of the load goes as far as the HPA will by itself
once the load is there, whatever its metric and target are. Only its rises say how far that is: while it waits to come
down, or within its tolerance, it keeps more, and what a floor of ours left behind would teach us our own doing.

Source: a quantile followed by subgradient steps of its pinball loss (Koenker & Bassett 1978; Robbins & Monro 1951).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from autoscaler.domain.series import Bools, Floats, Ints, anywhere

LEVEL = 0.35
"""Of the room seen: a little below its median, as a demand may have risen since."""
ROUNDED_UP = 0.5
"""Replicas, on average."""
PACE = 0.02
"""By which one rise moves what was learned, up or down in all."""
FIRST_SHARE = 0.8
"""Of the first rise seen, which may be a poor one."""
LOG_MOST = math.log(3.0)
LEAST_NEED = 2.0
"""Replicas; below, the room is mostly rounding."""
USED_SHARE = 0.95
"""At all of the room the floor would stand above the HPA half of the time for nothing: 7 percent of replica-hours on a
football tournament, against 3 percent at this share, which still brings most of the gain."""


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """All [lane]. kept: replicas that the HPA sets per replica needed, at least 1. ahead: those to which a floor rises
    ahead of the load. running: replicas that the target is set to.
    """

    kept: Floats
    ahead: Floats
    running: Ints


@dataclass(frozen=True, slots=True, eq=False)
class RoomState:
    """log_room: [lane], logarithm of the replicas that the HPA sets per replica needed; 0 until a rise was seen.
    replicas: [lane], that it had set at the last look, -1 = not known. need: [lane], replicas, not rounded, that the
    demand asked for then; 0 = unknown.
    """

    log_room: Floats
    replicas: Ints
    need: Floats

    @staticmethod
    def fresh(lanes: int) -> RoomState:
        return RoomState(np.zeros(lanes), np.full(lanes, -1, dtype=np.int64), np.zeros(lanes))

    def carried(self, old: Ints) -> RoomState:
        """For another fleet: lane l was old[l] here, or is new where that is -1."""
        stays = old >= 0
        return (
            RoomState(
                np.where(stays, self.log_room[old], 0.0),
                np.where(stays, self.replicas[old], -1),
                np.where(stays, self.need[old], 0.0),
            )
            if len(self.log_room)
            else RoomState.fresh(len(old))
        )

    def now(self, running: Ints) -> Room:
        """What the plan of this tick works with."""
        kept = np.exp(self.log_room)
        return Room(kept, np.maximum(USED_SHARE * kept, 1.0), running)

    def seen(self, replicas: Ints, need: Floats, floor: Ints, known: Bools) -> RoomState:
        """After one more look. known: [lane], there is an HPA, and it was read.

        The HPA set `replicas` on the demand of the last look or of this one; the larger of both is taken.
        """
        most = np.maximum(need, self.need)
        teaches = known & (self.replicas >= 0) & (replicas > np.maximum(self.replicas, floor)) & (most >= LEAST_NEED)
        log_room = self.log_room
        if anywhere(teaches):
            shown = np.log(np.maximum(replicas - ROUNDED_UP, 1.0) / np.where(teaches, most, 1.0))
            step = PACE * np.where(shown > log_room, LEVEL, LEVEL - 1)
            moved = np.where(log_room > 0, log_room + step, FIRST_SHARE * shown)
            log_room = np.where(teaches, np.minimum(np.maximum(moved, 0.0), LOG_MOST), log_room)
        return RoomState(log_room, np.where(known, replicas, -1), need)
