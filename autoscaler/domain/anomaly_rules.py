"""What each cause of an anomaly lets a lane do, as policies say or by default; and what follows at one moment.

A rule only takes away: an anomaly, and therefore a false alarm, never makes a lane grow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.domain.anomaly import CAUSES, AnomaliesAt, Cause
from autoscaler.domain.policy import UNGUARDED, Growth
from autoscaler.domain.policy_fleet import FREEZE_CODE
from autoscaler.domain.series import Bools, Codes, Floats, Ints
from autoscaler.domain.workload import Workload

NO_CAP = int(np.iinfo(np.int32).max)
NOT_TRUSTED = FREEZE_CODE[Growth.NONE]
"""Growth None: what is observed is not believed either."""
FORESEEN = 1 + NOT_TRUSTED
"""Code of growth beside those of FREEZE_CODE: what is observed is not believed, the forecast from before may add."""
_NEED_ALONE = FREEZE_CODE[Growth.OBSERVED_NEED]
_OF_DATA = [CAUSES.index(Cause.DATA_FAULT), CAUSES.index(Cause.SENSOR_LOSS)]


@dataclass(frozen=True, slots=True)
class GrowthCap:
    """No growth beyond `most` replicas, or `over` (a share) above those that ran when it began.

    short: it binds even below what is needed now.
    """

    over: float = math.inf
    most: int = NO_CAP
    short: bool = False


@dataclass(frozen=True, slots=True)
class AnomalyRule:
    """growth: what may still grow. shrink: whether it may shrink. Of several caps each binds. foreseen: with growth
    None, the forecast may add all the same; for faults of the data, which it knows nothing of.
    """

    growth: Growth = Growth.ANY
    shrink: bool = True
    caps: tuple[GrowthCap, ...] = ()
    foreseen: bool = False


BY_DEFAULT: Mapping[Cause, AnomalyRule] = {
    Cause.DEMAND: AnomalyRule(),
    Cause.CAPACITY: AnomalyRule(shrink=False),
    Cause.LATENCY_ERRORS: AnomalyRule(shrink=False),
    Cause.DATA_FAULT: AnomalyRule(Growth.NONE, shrink=False, foreseen=True),
    Cause.SENSOR_LOSS: AnomalyRule(Growth.NONE, shrink=False, foreseen=True),
    Cause.SUSPECTED_ATTACK: AnomalyRule(Growth.OBSERVED_NEED),
}
"""Where no policy says otherwise. A forecast would learn from an attack. Of wrong data nothing is believed or learned,
so that the forecast is that of the data before it.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Acts:
    """What the verdicts of one moment come to, all [lane].

    causes: bits of Cause. growth: 0, FREEZE_CODE of what may still grow, or FORESEEN. hold: must not shrink. cap,
    short_cap: most replicas to grow to, NO_CAP = none; the latter even below what is needed now. doubted: what is
    observed is no need.
    """

    causes: Codes
    growth: Codes
    hold: Bools
    cap: Ints
    short_cap: Ints
    doubted: Bools


@dataclass(frozen=True, slots=True, eq=False)
class FleetAnomalyRules:
    """All [cause, lane]. growth: FREEZE_CODE. foreseen: where it is None, the forecast may add. over, most: of caps
    that spare observed need; short_over, short_most: of those that do not. relative: some cap counts from what ran when
    the anomaly began.
    """

    growth: Codes
    foreseen: Bools
    shrink: Bools
    over: Floats
    most: Ints
    short_over: Floats
    short_most: Ints
    relative: bool

    @staticmethod
    def of(loads: Sequence[Workload]) -> FleetAnomalyRules:
        shape = (len(CAUSES), len(loads))
        growth, shrink = np.zeros(shape, dtype=np.uint8), np.ones(shape, dtype=np.bool_)
        foreseen = np.zeros(shape, dtype=np.bool_)
        over, short_over = np.full(shape, np.inf), np.full(shape, np.inf)
        most, short_most = np.full(shape, NO_CAP, dtype=np.int64), np.full(shape, NO_CAP, dtype=np.int64)
        for k, cause in enumerate(CAUSES):
            growth[k], shrink[k] = FREEZE_CODE[BY_DEFAULT[cause].growth], BY_DEFAULT[cause].shrink
            foreseen[k] = BY_DEFAULT[cause].foreseen
        for lane, load in enumerate(loads):
            for cause, rule in (load.guarded or UNGUARDED).anomaly:
                k = CAUSES.index(cause)
                growth[k, lane], shrink[k, lane] = FREEZE_CODE[rule.growth], rule.shrink
                foreseen[k, lane] = rule.foreseen
                for cap in rule.caps:
                    shares, counts = (short_over, short_most) if cap.short else (over, most)
                    shares[k, lane] = min(shares[k, lane], cap.over)
                    counts[k, lane] = min(counts[k, lane], cap.most)
        relative = bool(np.isfinite(over).any() or np.isfinite(short_over).any())
        return FleetAnomalyRules(growth, foreseen, shrink, over, most, short_over, short_most, relative)

    def counts_from(self, found: AnomaliesAt) -> Bools:
        """[lane], where a cap that is in force counts from what ran when the anomaly began."""
        finite = np.isfinite(self.over) | np.isfinite(self.short_over)
        return np.asarray((found.active & finite).any(axis=0))

    def doubts(self, found: AnomaliesAt) -> Bools:
        """[lane], where data is at fault and what it says is not believed."""
        return np.asarray((found.active[_OF_DATA] & (self.growth[_OF_DATA] == NOT_TRUSTED)).any(axis=0))

    def acts(self, found: AnomaliesAt, before: Ints) -> Acts:
        """before: [lane], replicas when it began. Of several causes the strictest rule counts, field by field."""
        active = found.active
        bits = np.array([cause.bit for cause in CAUSES], dtype=np.uint8)[:, None]
        growth = np.where(active, self.growth, np.uint8(0))
        strictest = np.maximum.reduce(growth, axis=0)
        by_forecast = ~(active & ~self.foreseen & (self.growth >= _NEED_ALONE)).any(axis=0)
        return Acts(
            causes=np.bitwise_or.reduce(np.where(active, bits, np.uint8(0)), axis=0),
            growth=np.where((strictest == NOT_TRUSTED) & by_forecast, np.uint8(FORESEEN), strictest),
            hold=np.asarray((active & ~self.shrink).any(axis=0)),
            cap=_lowest(active, self.over, self.most, before),
            short_cap=_lowest(active, self.short_over, self.short_most, before),
            doubted=self.doubts(found),
        )


def _lowest(active: Bools, over: Floats, most: Ints, before: Ints) -> Ints:
    """[lane], the lowest cap of the causes that are active."""
    finite = np.isfinite(over)
    grown = np.minimum(np.where(finite, np.floor(before * (1 + np.where(finite, over, 0)) + 1e-9), NO_CAP), NO_CAP)
    counts = np.where(active, np.minimum(most, grown), NO_CAP)
    return np.asarray(np.minimum.reduce(counts, axis=0)).astype(np.int64)
