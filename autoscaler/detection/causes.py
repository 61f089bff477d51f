"""Why a workload is abnormal, by stated rules over the kinds of its metrics.

Pure: what the detectors say comes in, what was usual, and which kind each row is; cause and rule of each step come
out. Data comes first: of values that are not believed nothing else is concluded. Then, of rows that contribute to an
event:

- demand far above what is usual at this hour (ATTACK_RATIO) and above all that was ever seen, while what used to rise
  with it does not, or steeper than it ever was: a suspected attack. A flash crowd of real callers raises its
  companions (other demands, saturation); where none is watched, nothing can confirm it and the bar is higher. Metrics
  cannot tell intent.
- errors that grow far more than demand does: retries of something that fails; not demand to scale for alone.
- errors or latency up at usual or falling demand: it fails; load that falls then is no reason to shrink.
- saturation up at usual demand: capacity.
- else what demand does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.detection.causes_memory import CauseMemory, Told, carried
from autoscaler.detection.faults import FACTORS
from autoscaler.detection.usual import Reached
from autoscaler.domain.anomaly import CAUSES, Cause
from autoscaler.domain.incident import Rule
from autoscaler.domain.series import Bools, Codes, Floats, Ints
from autoscaler.domain.signals import KIND_CODE, SignalKind
from autoscaler.domain.verdict import DataFault, Verdicts

ODD = 2.0
"""Surprise of a row that counts as evidence where nothing stands outside its range."""
OUTSIDE = 1.1
"""So far outside the range of this hour on the last seven days a value is high or low, however long that lasts."""
ATTACK_RATIO, ATTACK_BEYOND = 3.0, 1.5
"""Times what is typical at this hour, and times the highest of two weeks. With nothing to confirm it: the next two."""
LONE_RATIO, LONE_BEYOND = 5.0, 3.0
STEEPER = 3.0
UNIT_BEYOND, UNIT_SLACK = 20.0, 0.5
"""So far outside all that was, at a ratio that is one between two units but for the noise of a day."""
MOVED = 1.3
"""A companion at so many times what is typical has moved too."""
RETRY_RATIO = 2.0
"""Errors grow so many times more than demand."""
LEAST_DAYS = 3
"""Days that must be known before anything can be called beyond all that was usual."""
LEAST_SEVERITY = 0.1
DATA_SEVERITY = 0.7

_SENSOR = DataFault.GAP | DataFault.STUCK
_WRONG = DataFault.UNIT_CHANGE | DataFault.COUNTER_RESET | DataFault.DUPLICATED
_NEWS = (
    (Cause.SENSOR_LOSS, DataFault.GAP, Rule.SENSOR_GONE),
    (Cause.SENSOR_LOSS, DataFault.STUCK, Rule.SENSOR_STUCK),
    (Cause.DATA_FAULT, DataFault.DUPLICATED, Rule.TWICE_THE_SAME),
    (Cause.DATA_FAULT, DataFault.COUNTER_RESET, Rule.COUNTER_FELL),
    (Cause.DATA_FAULT, DataFault.UNIT_CHANGE, Rule.OTHER_UNIT),
)
_BIT = {cause: np.uint8(cause.bit) for cause in CAUSES}


@dataclass(frozen=True, slots=True, eq=False)
class Metrics:
    """kind: [row], code of SignalKind. start: [group], its first row; rows of a group are side by side, none is empty.

    same: [row], asked for by another row too, so that equal numbers are no news.
    """

    kind: Codes
    start: Ints
    same: Bools

    def of(self, *kinds: SignalKind) -> Bools:
        """[row, 1]."""
        return np.isin(self.kind, [KIND_CODE[k] for k in kinds])[:, None]

    def any(self, rows: Bools) -> Bools:
        """[group, step] of [row, step]."""
        return np.asarray(np.logical_or.reduceat(rows, self.start, axis=0))

    def most(self, rows: Floats) -> Floats:
        """[group, step] of [row, step]; NaN only where all are."""
        return np.asarray(np.fmax.reduceat(rows, self.start, axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class Causes:
    """All [group, step]. bits: of Cause, those that bind a gate; news: those that do not, as of a signal's data.

    rule: code of Rule, the one that decides. event: something is abnormal. evident: a row stands outside its range now.
    severity: 0 … 1. masked: [row, step], values of demands of which nothing may be learned.
    """

    bits: Codes
    news: Codes
    rule: Codes
    event: Bools
    evident: Bools
    severity: Floats
    masked: Bools


def explained(found: Verdicts, metrics: Metrics, reached: Reached, memory: CauseMemory, accepted: Floats) -> Causes:
    """Causes of consecutive steps; `memory` goes on. found, reached: of the same rows and steps.

    accepted: [group], false pages a week.
    """
    demand = metrics.of(SignalKind.DEMAND)
    faults = found.rows.faults & np.where(metrics.same, ~np.uint8(DataFault.DUPLICATED), np.uint8(255))[:, None]
    with np.errstate(invalid="ignore"):
        usual = (found.rows.observed >= reached.least) & (found.rows.observed <= reached.most)
    faults &= np.where(usual, ~np.uint8(DataFault.UNIT_CHANGE), np.uint8(255))  # what is usual is in no other unit
    faults |= np.where(demand & _other_unit(found, reached), np.uint8(DataFault.UNIT_CHANGE), np.uint8(0))
    bits, news, rule, news_rule = _of_data(faults, metrics, demand)
    paging = memory.lasting(found, accepted)
    named, named_rule, outside = _of_events(found, metrics, reached, memory)
    evident = paging & metrics.any(outside)
    doubted = bits != 0
    at = Told(found.first_step, found.step_s, paging, evident, doubted)
    goes_on, goes_on_rule, echo = carried(at, named, named_rule, memory)
    bits |= np.where(doubted, np.uint8(0), goes_on)
    for other in (goes_on_rule, news_rule, np.where(paging & ~echo, np.uint8(Rule.UNEXPLAINED), np.uint8(0))):
        rule = np.where(rule == 0, other, rule).astype(np.uint8)
    event = (paging & ~echo) | (bits != 0) | (news != 0)
    severity = np.where(paging & ~echo, np.maximum(found.groups.severity, LEAST_SEVERITY), 0.0)
    severity = np.where(doubted | (news != 0), np.maximum(severity, DATA_SEVERITY), severity)
    attacked = np.repeat((bits & _BIT[Cause.SUSPECTED_ATTACK]) != 0, _lengths(metrics), axis=0)
    wrong = (faults & np.uint8(_SENSOR | _WRONG)) != 0
    return Causes(bits, news, rule, event, evident, severity, demand & (wrong | attacked))


def event_rows(event: Bools, metrics: Metrics) -> Bools:
    """[row, step] of [group, step]."""
    return np.repeat(event, _lengths(metrics), axis=0)


def _lengths(metrics: Metrics) -> Ints:
    return np.diff(np.append(metrics.start, len(metrics.kind)))


def _other_unit(found: Verdicts, reached: Reached) -> Bools:
    """[row, step], at the ratio between two units and out of all that ever was: at once, before replicas are bought
    by it.

    An engine is sure only when it comes twice.
    """
    observed, expected = found.rows.observed, found.rows.expected
    near = np.zeros(observed.shape, dtype=np.bool_)
    with np.errstate(invalid="ignore", divide="ignore"):
        typical = np.where(reached.typical > 0, reached.typical, expected)
        ratio = np.maximum(observed / typical, typical / observed)
        for factor in FACTORS:
            near |= np.abs(np.log(ratio / factor)) < np.log1p(UNIT_SLACK)
        out = (observed > UNIT_BEYOND * reached.highest[:, None]) | (observed < reached.least / UNIT_BEYOND)
    return near & out & (observed > 0) & (reached.known_days >= 1)[:, None]


def _of_data(faults: Codes, metrics: Metrics, demand: Bools) -> tuple[Codes, Codes, Codes, Codes]:
    """Causes that bind, causes that are only news, and the rules of both, of faults of the data; all [group, step]."""
    shape = (len(metrics.start), faults.shape[1])
    bits, news, rule, news_rule = (np.zeros(shape, dtype=np.uint8) for _ in range(4))
    if not faults.any():
        return bits, news, rule, news_rule
    for cause, fault, why in _NEWS:
        has = (faults & np.uint8(fault)) != 0
        binds, tells = metrics.any(has & demand), metrics.any(has & ~demand)
        bits |= np.where(binds, _BIT[cause], np.uint8(0))
        news |= np.where(tells, _BIT[cause], np.uint8(0))
        rule = np.where(binds, np.uint8(why), rule).astype(np.uint8)
        news_rule = np.where(tells, np.uint8(why), news_rule).astype(np.uint8)
    return bits, news, rule, news_rule


def _of_events(found: Verdicts, metrics: Metrics, reached: Reached, memory: CauseMemory) -> tuple[Codes, Codes, Bools]:
    """What the rules say at each step, as if there were an event: bits of Cause and the rule, [group, step].

    And [row, step], what stands outside its range.
    """
    rows = found.rows
    typical = np.where(np.isnan(reached.typical), rows.expected, reached.typical)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(typical > 0, rows.observed / typical, np.nan)
        high = (rows.observed > OUTSIDE * reached.most) | (rows.observed > rows.upper) & (rows.observed > typical)
        low = (rows.observed < reached.least / OUTSIDE) | (rows.observed < rows.lower) & (rows.observed < typical)
        odd = rows.surprise >= ODD
        width = rows.upper - rows.lower
        strong = (rows.observed > rows.upper + width) | (rows.observed < rows.lower - width)
        beyond = rows.observed / reached.highest[:, None]
        steep = reached.climb / reached.steepest[:, None]
    high, low = memory.surely(high, low, strong)
    demand = metrics.of(SignalKind.DEMAND)
    errors, latency = metrics.of(SignalKind.ERRORS), metrics.of(SignalKind.LATENCY)
    saturation = metrics.of(SignalKind.SATURATION)
    more, less = metrics.any(high & demand), metrics.any(low & demand)
    failing, slow = metrics.any(high & errors), metrics.any(high & latency)
    full = metrics.any(high & saturation)
    known = (reached.known_days >= LEAST_DAYS)[:, None]
    lone, climbs = _attacks(_Heights(ratio, beyond, steep, high & demand), metrics, known, memory)
    errors_by = metrics.most(np.where(errors & high, ratio, np.nan))
    demand_by = np.fmax(metrics.most(np.where(demand, ratio, np.nan)), 1.0)
    with np.errstate(invalid="ignore"):
        retries = more & failing & (errors_by >= RETRY_RATIO * demand_by)
    confirmed = _has_companions(metrics)[:, None]
    choices = (  # the last that holds decides
        (metrics.any(odd & demand), Cause.DEMAND, Rule.OTHER_SHAPE),
        (less, Cause.DEMAND, Rule.LESS_DEMAND),
        (more, Cause.DEMAND, Rule.MORE_DEMAND),
        (slow & ~more, Cause.LATENCY_ERRORS, Rule.SLOW),
        (full & ~more, Cause.CAPACITY, Rule.SATURATED),
        (failing & ~more, Cause.LATENCY_ERRORS, Rule.FAILING),
        ((failing | slow) & less & ~more, Cause.LATENCY_ERRORS, Rule.FAILING_WITH_LESS),
        (climbs, Cause.SUSPECTED_ATTACK, Rule.STEEP),
        (lone & ~confirmed, Cause.SUSPECTED_ATTACK, Rule.BEYOND_ALL),
        (lone & confirmed, Cause.SUSPECTED_ATTACK, Rule.ALONE),
        (retries, Cause.LATENCY_ERRORS, Rule.RETRIES),
    )
    bits, rule = (np.zeros(more.shape, dtype=np.uint8) for _ in range(2))
    for holds, cause, why in choices:
        bits = np.where(holds, _BIT[cause], bits).astype(np.uint8)
        rule = np.where(holds, np.uint8(why), rule).astype(np.uint8)
    more_errors = more & (failing | slow) & (bits == _BIT[Cause.DEMAND])
    bits |= np.where(more_errors, _BIT[Cause.LATENCY_ERRORS], np.uint8(0))
    return bits, rule, high | low


def _has_companions(metrics: Metrics) -> Bools:
    """[group], whether something is watched that rises with demand: a second demand, or saturation."""
    of_kind = metrics.of(SignalKind.DEMAND, SignalKind.SATURATION)[:, 0]
    return np.add.reduceat(of_kind.astype(np.int64), metrics.start) > 1


@dataclass(frozen=True, slots=True, eq=False)
class _Heights:
    """[row, step]: times what is typical, times the highest, climb over the steepest; and demand that is high."""

    ratio: Floats
    beyond: Floats
    steep: Floats
    high: Bools


def _attacks(at: _Heights, metrics: Metrics, known: Bools, memory: CauseMemory) -> tuple[Bools, Bools]:
    """Demand that stands alone, and demand that climbs too steeply; [group, step]. known: [row, 1], of enough days."""
    companions = _has_companions(metrics)
    wide = np.repeat(companions, _lengths(metrics))[:, None]
    least, beyond_all = np.where(wide, ATTACK_RATIO, LONE_RATIO), np.where(wide, ATTACK_BEYOND, LONE_BEYOND)
    with np.errstate(invalid="ignore"):
        far = at.high & known & (at.ratio >= least) & (at.beyond >= beyond_all)
        steep = (at.ratio >= ATTACK_RATIO) & (at.beyond >= ATTACK_BEYOND) & (at.steep >= STEEPER)
        climbing = at.high & known & steep
        moved = metrics.of(SignalKind.DEMAND, SignalKind.SATURATION) & (at.ratio >= MOVED)
    with_it = np.add.reduceat((moved & ~far & ~climbing).astype(np.int64), metrics.start, axis=0)
    of_far = np.add.reduceat(far.astype(np.int64), metrics.start, axis=0)
    all_far = of_far == np.add.reduceat(metrics.of(SignalKind.DEMAND).astype(np.int64), metrics.start, axis=0)
    several = companions[:, None] & all_far & (of_far > 1)
    alone = (of_far > 0) & (with_it == 0) & ~several
    climbs = metrics.any(climbing) & (with_it == 0) & ~several
    lasting = memory.lasting_far(metrics.any(far | climbing))
    return alone & lasting, climbs & lasting
