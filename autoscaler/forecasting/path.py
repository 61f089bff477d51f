"""The path of demand from now to 24 hours ahead, as quantiles of each step: for plans and pictures.

Sizing uses the peak of the lead window (serving.py), not this: the .95 of single steps covers the peak of many of them
far less often than 95 %. Experts are weighted by their recent error at like horizons (Stock & Watson 2004, as in
averaging.py), and their mean gets a band from its own errors of the last seven days (split conformal, as in
conformal.py); weights and bands run smoothly from one bucket of horizons to the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

import numpy as np

from autoscaler.domain.forecast import LEVELS
from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.averaging import weights_of
from autoscaler.forecasting.conformal import error_scale
from autoscaler.forecasting.local_seasons import local_past, local_places
from autoscaler.forecasting.naive import DAY_S
from autoscaler.forecasting.path_experts import DAYS, EXPERTS, SLOW_S, Expert, Lags

EDGES_S: Final = (0, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, DAY_S)
"""Buckets of horizons between them."""
WINDOW_S: Final = 7 * DAY_S
EVERY_S: Final = 53 * 60
"""Between the past origins whose errors are learned: no part of an hour, so that every minute of it is met."""
SAMPLES: Final = 6
"""Horizons of a bucket whose errors are learned."""
LEAST: Final = 48
"""Errors that a bucket needs before it says anything."""
SHARE: Final = 0.5
"""Of the errors of the expert that has most: with fewer, as a week's in its second week, luck would weigh most."""
CHUNK: Final = 16
"""Rows at once: bounds the memory, and stays in the processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class PathForecast:
    """quantiles: [row, step, level], each row's demand unit, rising along level, of steps first_step …; NaN where
    there is not enough history to say. Read-only. weights: [row, bucket, expert], shares of each bucket's mean; 0 where
    it says nothing. experts: their names.
    """

    step_s: int
    first_step: int
    levels: tuple[float, ...]
    quantiles: Floats
    experts: tuple[str, ...]
    weights: Floats

    def __post_init__(self) -> None:
        if self.quantiles.ndim != 3 or self.quantiles.shape[2] != len(self.levels):
            raise ValueError(f"quantiles {self.quantiles.shape} must be [row, step, {len(self.levels)} levels]")
        if np.isinf(self.quantiles).any() or (self.quantiles < 0).any() or (np.diff(self.quantiles, axis=2) < 0).any():
            raise ValueError("a path holds finite, non-negative demand that rises along level, or NaN")
        self.quantiles.setflags(write=False)
        self.weights.setflags(write=False)

    @property
    def steps(self) -> int:
        return int(self.quantiles.shape[1])


@dataclass(frozen=True, slots=True)
class PathForecaster:
    """Answers for all rows at one origin from the history before it; keeps nothing in between."""

    experts: Mapping[str, Expert] = field(default_factory=lambda: EXPERTS)
    levels: tuple[float, ...] = LEVELS

    def history_steps(self, step_s: int) -> int:
        """Steps before an origin that make a difference."""
        return (WINDOW_S + DAYS * DAY_S + SLOW_S) // step_s + 4

    def path(self, panel: Panel, origin: int, steps: int | None = None, *, zone: str | None = None) -> PathForecast:
        """Quantiles of demand at steps origin … origin + steps - 1; a day unless told, and never more.

        panel: only steps before `origin` (absolute) are read, and no lower bounds. zone: IANA name of the zone whose
        wall clock days follow, None = UTC; where it skips an hour of the path, nothing is said of the last hour. Raises
        ValueError where a day is no whole number of steps, or `steps` reaches beyond it.
        """
        day = DAY_S // panel.step_s
        steps = day if steps is None else steps
        if DAY_S % panel.step_s or not 1 <= steps <= day:
            raise ValueError(f"{steps} steps of {panel.step_s} s: a path has whole steps of a day, at most one day")
        quantiles = np.full((panel.rows, steps, len(self.levels)), np.nan)
        weights = np.zeros((panel.rows, len(EDGES_S) - 1, len(self.experts)))
        places: Ints = np.arange(steps, dtype=np.int64)
        if zone is not None:
            places = local_places(origin, steps, panel.step_s, zone)
        said = np.flatnonzero(places < day)
        first = origin - self.history_steps(panel.step_s)
        for low in range(0, panel.rows, CHUNK):
            rows: Ints = np.arange(low, min(low + CHUNK, panel.rows), dtype=np.int64)
            values = panel.learnable(first, origin, rows)
            if zone is not None:
                values = local_past(values, first, panel.step_s, zone)
            part = Panel(panel.step_s, first, values, np.empty((0, 0), dtype=np.uint8))
            found, weights[rows] = self._rows(part, origin, int(places[said].max()) + 1)
            quantiles[rows[:, None], said] = found[:, places[said]]
        return PathForecast(panel.step_s, origin, self.levels, quantiles, tuple(self.experts), weights)

    def _rows(self, part: Panel, origin: int, steps: int) -> tuple[Floats, Floats]:
        ahead: Ints = np.arange(steps, dtype=np.int64)
        lags = Lags.of(part, np.array([origin], dtype=np.int64), ahead)
        learned = self._learn(lags, origin)
        with np.errstate(invalid="ignore", over="ignore"):
            answers = [expert(lags)[:, 0] for expert in self.experts.values()]  # each [row, step]
            point = _mixed(answers, np.moveaxis(_between(learned.weights, learned.centres, ahead), 2, 0))
            offsets = _between(learned.offsets, learned.centres, ahead)
            scale = error_scale(point, lags.mean[:, None])
            found = np.maximum(point[:, :, None] + offsets * scale[:, :, None], 0.0)
        found = np.maximum.accumulate(found, axis=2)
        return np.where(np.isfinite(found).all(axis=2, keepdims=True), found, np.nan), learned.weights

    def _learn(self, now: Lags, origin: int) -> _Learned:
        """Weights and bands from the errors at past origins, of steps that are past too."""
        every = max(1, EVERY_S // now.step_s)
        count = max(1, WINDOW_S // now.step_s // every)
        origins: Ints = origin - every * np.arange(count, 0, -1, dtype=np.int64)
        buckets, rows = _buckets(now.step_s), len(now.values)
        lags = replace(now, origins=origins, ahead=np.concatenate(buckets))
        truth = lags.before(0)
        answers = [expert(lags) for expert in self.experts.values()]
        weights = np.zeros((rows, len(buckets), len(answers)))
        offsets = np.full((rows, len(buckets), len(self.levels)), np.nan)
        at = 0
        for b, ahead in enumerate(buckets):
            here = slice(at, at + len(ahead))
            at += len(ahead)
            weights[:, b], offsets[:, b] = self._bucket(
                [answer[:, :, here].reshape(rows, -1) for answer in answers],
                truth[:, :, here].reshape(rows, -1),
                lags.mean,
            )
        return _Learned(np.array([float(ahead.mean()) for ahead in buckets]), weights, offsets)

    def _bucket(self, answers: list[Floats], truth: Floats, mean: Floats) -> tuple[Floats, Floats]:
        """([row, expert] shares, [row, level] offsets) of one bucket, from [row, sample]."""
        seen = np.stack([(~np.isnan(truth - answer)).sum(axis=1) for answer in answers])
        losses = np.stack([self._loss(answer, truth, mean) for answer in answers])
        losses[seen < SHARE * seen.max(axis=0)] = np.inf
        weights = weights_of(losses, mean)
        point = _mixed(answers, np.broadcast_to(weights[:, :, None], (*weights.shape, truth.shape[1])))
        total = weights.sum(axis=0)
        shares = np.where(total > 0, weights / np.where(total > 0, total, 1.0), 0.0)
        return shares.T, self._offsets(point, truth, mean)

    def _offsets(self, point: Floats, truth: Floats, mean: Floats) -> Floats:
        """[row, level], order statistics of the errors in units of the scale; NaN where too few are known."""
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            scale = error_scale(point, mean[:, None])
            errors = np.where(scale > 0, (truth - point) / scale, np.where(truth == point, 0.0, np.nan))
        errors = np.sort(errors, axis=1)
        seen = (~np.isnan(errors)).sum(axis=1)
        ranks: Ints = np.ceil((seen[:, None] + 1) * np.array(self.levels) - 1e-9).astype(np.int64) - 1
        ranks = np.clip(ranks, 0, np.maximum(seen, 1)[:, None] - 1)
        return np.where((seen >= LEAST)[:, None], np.take_along_axis(errors, ranks, axis=1), np.nan)

    def _loss(self, point: Floats, truth: Floats, mean: Floats) -> Floats:
        """[row], mean pinball loss over the levels of one expert with bands of its own; inf where it has none."""
        offsets = self._offsets(point, truth, mean)
        total = np.zeros(len(truth))
        with np.errstate(invalid="ignore", over="ignore"):
            scale = error_scale(point, mean[:, None])
            for k, level in enumerate(self.levels):
                miss = truth - np.maximum(point + offsets[:, k, None] * scale, 0.0)
                total += np.nansum(np.maximum(level * miss, (level - 1) * miss), axis=1)
            count = (~np.isnan(truth - point)).sum(axis=1)
            return np.where(np.isnan(offsets[:, 0]), np.inf, total / np.maximum(count, 1))


@dataclass(frozen=True, slots=True, eq=False)
class _Learned:
    """centres: [bucket], steps ahead. weights: [row, bucket, expert], shares. offsets: [row, bucket, level]."""

    centres: Floats
    weights: Floats
    offsets: Floats


def _buckets(step_s: int) -> list[Ints]:
    """Horizons in steps whose errors are learned, for each bucket; one that holds no step has its nearest."""
    found = []
    for low, high in pairwise(EDGES_S):
        begin, end = min(low // step_s, DAY_S // step_s - 1), max(-(-high // step_s), 1)
        found.append(np.unique(np.linspace(begin, max(begin, end - 1), SAMPLES).astype(np.int64)))
    return found


def _between(learned: Floats, centres: Floats, ahead: Ints) -> Floats:
    """[row, step, …] from [row, bucket, …]: straight lines over the logarithm of the time ahead; where one neighbour
    is unknown, the other alone.
    """
    at = np.interp(np.log1p(ahead), np.log1p(centres), np.arange(len(centres), dtype=np.float64))
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, len(centres) - 1)
    part = (at - low)[None, :, None]
    one, other = learned[:, low], learned[:, high]
    # a bucket that says nothing has no offsets; beyond the last one that does nothing is said
    mixed = np.where(part > 0, one * (1 - part) + np.nan_to_num(other) * part, one)
    near = np.where(part < 0.5, one, other)
    return np.where(np.isnan(one) | np.isnan(other), near, mixed)


def _mixed(answers: list[Floats], weights: Floats) -> Floats:
    """[row, sample], mean over the experts that can say; weights: [expert, row, sample]."""
    total, mean = np.zeros(answers[0].shape), np.zeros(answers[0].shape)
    with np.errstate(over="ignore", invalid="ignore"):
        for answer, weight in zip(answers, weights, strict=True):
            there = np.where(np.isfinite(answer), weight, 0.0)
            total += there
            mean += there * np.where(np.isfinite(answer), answer, 0.0)
        found = np.where(total > 0, mean / np.where(total > 0, total, 1.0), np.nan)
    return np.where(np.isfinite(found), found, np.nan)
