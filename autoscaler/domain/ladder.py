"""The ladder that every forecast climbs, from nothing known to a full season, and whether it has earned its rung."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final

import numpy as np

STANDING: Final = np.dtype(
    [("rung", "u1"), ("why", "u1"), ("next_s", "f8"), ("loss_ratio", "f8"), ("decision_ratio", "f8")]
)
"""Of one row at one origin. next_s: epoch, inf = there is no higher rung. Both ratios: inf = not compared yet."""


class Rung(IntEnum):
    """What a forecast rests on."""

    REACTIVE = 0
    PRETRAINED = 1
    HOURS = 2
    DAY = 3
    WEEK = 4

    @property
    def words(self) -> str:
        return _RUNGS[self]


class Why(IntEnum):
    """Why the forecast is what it is."""

    SHORT_HISTORY = 0
    NONE_QUALIFIED = 1
    NOTHING_RECENT = 2
    UNCOMPARED = 3
    QUALIFIED = 4
    BASELINE = 5
    BASELINE_CHEAPER = 6
    NOT_LEARNED_YET = 7

    @property
    def code(self) -> str:
        """CamelCase, as reasons are everywhere."""
        return "".join(part.capitalize() for part in self.name.split("_"))

    @property
    def words(self) -> str:
        return _WHYS[self]


_RUNGS: Final = {
    Rung.REACTIVE: "reactive: observed demand alone decides",
    Rung.PRETRAINED: "pretrained: what other workloads taught, fading out as its own errors come in",
    Rung.HOURS: "hours: its own demand, less than a day of it",
    Rung.DAY: "day: its own demand and yesterday's",
    Rung.WEEK: "week: its own demand, yesterday's and last week's",
}
_WHYS: Final = {
    Why.SHORT_HISTORY: "too little demand of its own is known",
    Why.NONE_QUALIFIED: "no model could be calibrated on its demand",
    Why.NOTHING_RECENT: "nothing is known that is recent enough to go on from",
    Why.UNCOMPARED: "there is no past day yet to compare with",
    Why.QUALIFIED: "it errs less than the same window a day ago would, and no dearer plans are proven",
    Why.BASELINE: "nothing errs less than the same window a day ago, which therefore serves alone",
    Why.BASELINE_CHEAPER: "plans on the same window a day ago cost less at the accepted risk, so that serves alone",
    Why.NOT_LEARNED_YET: "its demand has come in and waits for its turn to be learned, beside the decisions",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """One demand's place on the ladder. next_at: when the next rung can be reached at the earliest; None: it is the
    last. loss_ratio: quantile loss of what serves over that of seasonal-naive, same window; None: not compared yet.
    decision_ratio: likewise what plans cost above perfect foresight at the accepted risk, above 1 where one bad
    day may be why; None too in older records.
    """

    rung: Rung
    why: Why
    next_at: datetime | None
    loss_ratio: float | None
    decision_ratio: float | None = None

    @staticmethod
    def of(row: np.void) -> Standing:
        """From one element of a STANDING array."""
        next_s, ratio, cost = float(row["next_s"]), float(row["loss_ratio"]), float(row["decision_ratio"])
        return Standing(
            Rung(int(row["rung"])),
            Why(int(row["why"])),
            datetime.fromtimestamp(next_s, UTC) if math.isfinite(next_s) else None,
            ratio if math.isfinite(ratio) else None,
            cost if math.isfinite(cost) else None,
        )
