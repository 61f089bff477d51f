"""Crane's DSP: a period is tested for, the coming cycle is the maximum of past cycles, and an HPA takes the larger.

Source: gocrane/crane, `pkg/prediction/dsp` (`signal.go` FindPeriod, `peak.go`, `estimators.go` maxValueEstimator,
`prediction.go` QueryRealtimePredictedValues) and its EffectiveHPA: 7 days of history, a new estimate every 12 hours,
and the predicted metric is the largest of the coming hour; it stands beside the real metric, so that the HPA takes the
larger. Shuffles are seeded by the absolute step, not by the clock as upstream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from autoscaler.domain.series import Floats, Ints
from autoscaler.simulator.rivals.contract import (
    DEFAULT_TARGET,
    HOUR_S,
    TARGETS,
    World,
    held,
    last_known,
    leading_max,
    nearest,
)
from autoscaler.simulator.rivals.floored import hpa_with

REFRESH_S: Final = 12 * HOUR_S
PEAK_SEARCH_S: Final = 4 * HOUR_S
SHUFFLES: Final = 100
RANK: Final = 98


@dataclass(frozen=True, slots=True)
class CraneDsp:
    """The knob is the HPA's target for both metrics. margin: of the maximum-value estimator, 0 by default.

    future_s: how far the predicted metric looks, an hour upstream; never less than the lead. Fewer days and a
    shorter look are what an operator would set where flash crowds make a week of maxima dear.
    """

    history_days: int = 7
    future_s: int = HOUR_S
    margin: float = 0.0
    knobs: tuple[float, ...] = TARGETS

    @property
    def name(self) -> str:
        return "crane-dsp" if self.history_days == 7 else f"crane-dsp-{self.history_days}d"

    @property
    def default(self) -> int:
        return nearest(self.knobs, DEFAULT_TARGET)

    def requested(self, seen: Floats, world: World) -> Ints:
        return hpa_with(self.predicted(seen, world), last_known(seen), self.knobs, world)

    def predicted(self, seen: Floats, world: World) -> Floats:
        """[step], the predicted metric; NaN while no period is found."""
        values, ahead = held(seen), np.full(len(seen), np.nan)
        refresh, future = world.steps(REFRESH_S), max(world.lead_steps, round(self.future_s / world.step_s))
        known_from = int(np.isnan(values).sum())
        for now in range(-world.first_step % refresh, len(values), refresh):
            days = min(self.history_days, (now - known_from) // world.day)
            history = values[now - days * world.day : now] if days >= 2 else values[:0]
            period = found_period(history, world, seed=world.first_step + now)
            if period is None:
                continue
            cycle = largest_cycle(history, period) * (1 + self.margin)
            until = min(now + refresh, len(values))
            coming = np.resize(cycle, until - now + future)
            ahead[now:until] = leading_max(coming, future + 1)[: until - now]
        return ahead


def largest_cycle(history: Floats, period: int) -> Floats:
    """[period], the largest value at each place of the cycle; what does not fill a cycle at the start is left out."""
    cycles = len(history) // period
    return np.asarray(history[len(history) - cycles * period :].reshape(cycles, period).max(axis=0))


def found_period(history: Floats, world: World, seed: int) -> int | None:
    """A day or a week in steps, where that is the period of the history and two of them are there."""
    if len(history) < 2 or history.min() == history.max():
        return None
    period = fundamental_period(history, world.steps(PEAK_SEARCH_S), seed)
    fitting = period in (world.day, 7 * world.day) and len(history) >= 2 * period
    return period if fitting else None


def fundamental_period(samples: Floats, reach: int, seed: int) -> int:
    """Period in samples, -1 for none: frequencies with more power than shuffled samples have in 99 of 100 cases,
    verified as peaks of the (circular) autocorrelation within `reach`; the highest peak wins.
    """
    length, rng = len(samples), np.random.default_rng(seed)
    shuffled = rng.permuted(np.broadcast_to(samples, (SHUFFLES, length)), axis=1)
    top = np.abs(np.fft.rfft(shuffled, axis=1))[:, 1 : length // 2].max(axis=1)
    threshold = np.sort(top)[RANK]
    power = np.abs(np.fft.rfft(samples))
    hints: list[int] = []
    for k in (np.flatnonzero(power[2 : length // 2] > threshold) + 2).tolist():
        if not hints or hints[-1] > length // k:
            hints.append(length // k)
    spread = (samples - samples.mean()) / samples.std()
    correlation = np.fft.irfft(np.abs(np.fft.rfft(spread)) ** 2, n=length) / length
    best, period = 0.0, -1
    for hint in hints:
        if _is_peak(correlation, hint, min(reach, hint // 2)) and correlation[hint] > best:
            best, period = float(correlation[hint]), hint
    return period


def _is_peak(values: Floats, at: int, reach: int) -> bool:
    """Rising to it and falling from it, by least-squares lines over `reach` values on each side."""
    if not 1 <= at <= len(values) - 1 or reach < 1:
        return False
    return _slope(values[max(0, at - reach) : at + 1]) > 0 > _slope(values[at : at + reach + 1])


def _slope(values: Floats) -> float:
    x = np.arange(len(values)) - (len(values) - 1) / 2
    spread = float(x @ x)
    return float(x @ values) / spread if spread else 0.0
