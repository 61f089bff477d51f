"""PHPA: an HPA whose own replica counts are extrapolated, Linear or Holt-Winters; the larger count is taken.

Source: jthomperoo/predictive-horizontal-pod-autoscaler, `algorithms/linear_regression/linear_regression.py` and
`algorithms/holt_winters/holt_winters.py`: each sync the HPA's count joins the model's history, the model predicts
replicas, `decisionType: maximum` decides, and `behavior` follows (300 s down). The sync period is one step (it is a
setting of PHPA's), because a history of 15 s syncs would repeat a demand that changes once a step.

Known differences, on purpose: Holt-Winters predicts one lead ahead, as with a sync period of one lead, since one step
ahead would come too late for any replica to start (both models take the newest sample for now, as upstream, though it
is a step old). It runs on instead of being fitted anew each sync with initial
states estimated by maximum likelihood, whose weight fades as (1 − α)^n and (1 − γ)^seasons. Float noise of 1e-9 costs
no replica.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from autoscaler.domain.series import Floats, Ints
from autoscaler.simulator.hpa.quantities import EPSILON
from autoscaler.simulator.rivals.contract import DAY_S, DEFAULT_TARGET, TARGETS, World, last_known, nearest
from autoscaler.simulator.rivals.hpa import percents
from autoscaler.simulator.rivals.loop import Lanes, Predictor, closed_loop

Of = Literal["replicas", "demand"]
"""What is extrapolated: the HPA's replicas, as PHPA does, or demand, which rounding does not blur (where the usual
count is three, one replica of rounding is a third) and which makes the same models a stronger rival.
"""

DOWN_S = 300
ENOUGH = 10


def at_search_time(history: int, ahead: float) -> Floats:
    """[history], weights of evenly spaced counts, oldest first, in the least-squares line's value `ahead` steps on.

    The script regresses on (search time − time of the count), so that the prediction is the line's intercept.
    """
    x = ahead + np.arange(history - 1, -1, -1, dtype=np.float64)
    design = np.column_stack((np.ones(history), x))
    return np.asarray(np.linalg.pinv(design)[0])


@dataclass(frozen=True, slots=True)
class PhpaLinear:
    """The line through the last `history` counts, one lead ahead.

    The README's example keeps 6 counts for 10 s ahead; over minutes 15 overshoot less and cost less.
    """

    history: int = 15
    of: Of = "replicas"
    knobs: tuple[float, ...] = TARGETS

    @property
    def name(self) -> str:
        return "phpa-linear" if self.of == "replicas" else "phpa-linear-demand"

    @property
    def default(self) -> int:
        return nearest(self.knobs, DEFAULT_TARGET)

    def requested(self, seen: Floats, world: World) -> Ints:
        return _predictive(seen, world, self.knobs, self.of, lambda n: self.predictor(n, world.lead_steps))

    def predictor(self, lanes: int, ahead: float) -> Predictor:
        weights = [at_search_time(n, ahead) for n in range(1, self.history + 1)]
        counts = np.zeros((self.history, lanes))
        kept = 0

        def predict(_step: int, wanted: Floats) -> Floats | None:
            nonlocal kept
            counts[:-1] = counts[1:]
            counts[-1] = wanted
            kept = min(kept + 1, self.history)
            if kept < 2:
                return None  # one count is no line
            return np.asarray(weights[kept - 1] @ counts[-kept:])

        return predict


@dataclass(slots=True, eq=False)
class HoltWinters:
    """Additive trend and season over lanes, `ahead` steps on.

    level ← α(y − s) + (1 − α)(level + trend); trend ← β·Δlevel + (1 − β)trend; s ← γ(y − level₋₁ − trend₋₁) + (1 − γ)s
    (Hyndman and Athanasopoulos, §8.3; statsmodels' `ExponentialSmoothing`). It starts after one season: level = its
    mean, trend 0, season = what the counts were above it.
    """

    alpha: float
    beta: float
    gamma: float
    season: int
    lanes: int
    ahead: int = 1
    _first: list[Floats] = field(default_factory=list)
    _seasonal: Floats | None = None
    _level: Floats = field(default_factory=lambda: np.zeros(0))
    _trend: Floats = field(default_factory=lambda: np.zeros(0))
    _seen: int = 0

    def predict(self, _step: int, wanted: Floats) -> Floats | None:
        """What it will be `ahead` steps on, once there are a season and ten counts, as the script asks for at least."""
        self._seen += 1
        if self._seasonal is None:
            self._first.append(wanted.copy())
            if len(self._first) == self.season:
                first = np.array(self._first)
                self._level, self._trend = first.mean(axis=0), np.zeros(self.lanes)
                self._seasonal, self._first = first - self._level, []
            return None
        at = (self._seen - 1) % self.season
        before, trend, usual = self._level, self._trend, self._seasonal[at].copy()
        self._level = self.alpha * (wanted - usual) + (1 - self.alpha) * (before + trend)
        self._trend = self.beta * (self._level - before) + (1 - self.beta) * trend
        self._seasonal[at] = self.gamma * (wanted - before - trend) + (1 - self.gamma) * usual
        if self._seen < self.season + ENOUGH:
            return None
        return self._level + self.ahead * self._trend + self._seasonal[(at + self.ahead) % self.season]


@dataclass(frozen=True, slots=True)
class PhpaHoltWinters:
    """The season is a day. The README's example has .9 for α, β and γ and asks for tuning them: over a day of minutes
    those lie outside the stable region (γ ≤ 1 − α) and run away, so steadier ones are the default.
    """

    alpha: float = 0.5
    beta: float = 0.01
    gamma: float = 0.3
    season_s: int = DAY_S
    of: Of = "replicas"
    knobs: tuple[float, ...] = TARGETS

    @property
    def name(self) -> str:
        return "phpa-holt-winters" if self.of == "replicas" else "phpa-holt-winters-demand"

    @property
    def default(self) -> int:
        return nearest(self.knobs, DEFAULT_TARGET)

    def requested(self, seen: Floats, world: World) -> Ints:
        season, ahead = world.steps(self.season_s), max(1, world.lead_steps)

        def model(lanes: int) -> Predictor:
            return HoltWinters(self.alpha, self.beta, self.gamma, season, lanes, ahead).predict

        return _predictive(seen, world, self.knobs, self.of, model)


def _predictive(
    seen: Floats, world: World, knobs: tuple[float, ...], of: Of, model: Callable[[int], Predictor]
) -> Ints:
    """model: of so many lanes."""
    known, lanes = last_known(seen), Lanes(percents(knobs), (world.step_s * world.steps(DOWN_S),), syncs=1)
    predict = model(len(knobs) if of == "replicas" else 1)
    if of == "replicas":
        return closed_loop(known, world, lanes, predictor=lambda step, wanted: _whole(predict(step, wanted)))
    ahead = np.full(len(known), np.nan)
    for step in np.flatnonzero(~np.isnan(known)).tolist():
        predicted = predict(step, known[step : step + 1])
        ahead[step] = np.nan if predicted is None else predicted[0]
    return closed_loop(known, world, lanes, ahead=ahead)


def _whole(predicted: Floats | None) -> Floats | None:
    return None if predicted is None else np.asarray(np.ceil(predicted - EPSILON))
