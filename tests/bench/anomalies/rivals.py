"""What others do, each as a causal score of every series: larger = odder; their thresholds are moved like ours.

Written from the published rules of each, not from their code; where a product has a fixed band, the score is how many
half-widths of it a value lies from the middle. Several metrics of a workload: the largest of their scores, as an alert
on any of them would page.
"""

# ruff: noqa: PD011 - the values of a case are an array, not a data frame
from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pandas as pd

from autoscaler.detection import shape
from autoscaler.detection.tails import copod, ecod
from autoscaler.domain.series import Floats
from tests.bench.anomalies.cases import Case

DAY_S: Final = 86400
Rival = Callable[[Case], Floats]
"""[row, step]."""


def z_score(case: Case) -> Floats:
    """Distance from the mean of the day before in its standard deviations (vmanomaly's zscore, fitted all the time)."""
    day = _steps(case, DAY_S)
    past = _frame(case).shift(1).rolling(day, min_periods=max(12, day // 8))
    return _score(case, past.mean(), past.std())


def median_mad(case: Case) -> Floats:
    """Distance from the median of the day before in its median absolute deviations (vmanomaly's mad)."""
    day = _steps(case, DAY_S)
    frame = _frame(case).shift(1)
    least = max(12, day // 8)
    middle = frame.rolling(day, min_periods=least).median()
    return _score(case, middle, (frame - middle).abs().rolling(day, min_periods=least).median())


def grafana_adaptive(case: Case) -> Floats:
    """Half-widths of the adaptive bands of Grafana's rules: an hour's mean ± the wider of two filtered standard
    deviations averaged over 26 h and half the mean, spread by the bands of an hour a day and a week ago.
    """
    frame, hour = _frame(case), _steps(case, 3600)
    mean = frame.rolling(hour, min_periods=1).mean()
    deviation = frame.rolling(hour, min_periods=min(2, hour)).std(ddof=0) if hour > 1 else mean * np.nan
    lively = deviation.where(deviation > 0.5 * mean.abs())
    short = lively.rolling(_steps(case, 26 * 3600), min_periods=1).mean()
    upper, lower = mean + mean.abs() * 0.5, mean - mean.abs() * 0.5
    upper, lower = _outer(upper, mean + 2 * short), -_outer(-lower, -(mean - 2 * short))
    for back in (_steps(case, 23.5 * 3600), _steps(case, 167.5 * 3600)):
        then, wide = mean.shift(back), deviation.shift(back).fillna(0)
        upper, lower = _outer(upper, then + 2 * wide), -_outer(-lower, -(then - 2 * wide))
    with np.errstate(divide="ignore", invalid="ignore"):
        over = (frame - mean) / (upper - mean)
        under = (mean - frame) / (mean - lower)
    return _finite(np.fmax(over.to_numpy().T, under.to_numpy().T))


def seasonal_esd(case: Case) -> Floats:
    """What is left after the median of the same time on seven days, moved to the day's median, in robust deviations:
    the statistic of Twitter's seasonal hybrid ESD (Hochenbaum et al., 2017), trailing instead of over a whole batch.
    """
    day = _steps(case, DAY_S)
    frame = _frame(case)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        usual = np.nanmedian(np.stack([frame.shift(k * day).to_numpy() for k in range(1, 8)]), axis=0)
    left = frame - usual
    left = left.where(left.notna(), frame - frame.rolling(day, min_periods=day // 8 + 2).median())
    past = left.shift(1).rolling(7 * day, min_periods=day // 2 + 2)
    middle = past.median()
    return _score(
        case, middle, (left.shift(1) - middle).abs().rolling(7 * day, min_periods=day // 2 + 2).median(), left
    )


def netdata_like(case: Case) -> Floats:
    """18 k-means of two centres, each on six hours, a new one every three: the least of the 18 normalised distances of
    six smoothed differences (Netdata's ML: all models must agree), averaged over six steps.
    """
    values = shape.carried(case.values)
    hours = case.values.shape[1] * case.step_s / 3600
    window, every = (_steps(case, 6 * 3600), _steps(case, 3 * 3600)) if case.step_s <= 600 else (72, 36)
    if hours < 1:
        return np.full(values.shape, np.nan)
    change = np.diff(values, axis=1, prepend=np.nan)
    smooth = pd.DataFrame(change.T).rolling(3, min_periods=3).mean().to_numpy().T
    lags = np.stack([shape.lagged(smooth, k) for k in range(6)], axis=2)
    out = np.full(values.shape, np.nan)
    models: list[tuple[Floats, Floats, Floats]] = []
    for end in range(window, values.shape[1], every):
        models = [*models[-17:], _two_means(lags[:, end - window : end])]
        block = lags[:, end : end + every]
        scores = []
        for centres, low, high in models:
            gap = np.sqrt(((block[:, :, None, :] - centres[:, None]) ** 2).sum(axis=3)).min(axis=2)
            scores.append((gap - low[:, None]) / np.maximum(high - low, 1e-12)[:, None])
        out[:, end : end + every] = np.fmin.reduce(scores, axis=0)
    return pd.DataFrame(out.T).rolling(6, min_periods=1).mean().to_numpy().T


def _two_means(sample: shape.Reals) -> tuple[Floats, Floats, Floats]:
    """Two centres of each row's sample [row, n, 6], and the least and largest distance in it."""
    known = np.asarray(~np.isnan(sample).any(axis=2))
    filled = np.where(known[:, :, None], sample, 0.0)
    size = np.where(known, (filled**2).sum(axis=2), -1.0)
    centres = np.stack(
        [np.take_along_axis(filled, size.argmax(axis=1)[:, None, None], axis=1)[:, 0], filled.mean(axis=1)], axis=1
    )
    for _ in range(10):
        nearest = ((filled[:, :, None] - centres[:, None]) ** 2).sum(axis=3).argmin(axis=2)
        for k in (0, 1):
            mine = (nearest == k) & known
            count = mine.sum(axis=1)
            mean = (filled * mine[:, :, None]).sum(axis=1) / np.maximum(count, 1)[:, None]
            centres[:, k] = np.where(count[:, None] > 0, mean, centres[:, k])
    gap = np.sqrt(((filled[:, :, None] - centres[:, None]) ** 2).sum(axis=3)).min(axis=2)
    none = ~known.any(axis=1)
    low = np.where(known, gap, np.inf).min(axis=1)
    high = np.where(known, gap, -np.inf).max(axis=1)
    centres[none] = np.nan
    return centres, np.where(none, np.nan, low), np.where(none, np.nan, high)


def isolation_forest(case: Case) -> Floats:
    """scikit-learn's IsolationForest on the window features, refitted every four days (or 400 steps) on two weeks."""
    from sklearn.ensemble import IsolationForest

    return _refitted(case, lambda past: IsolationForest(n_estimators=100, random_state=0).fit(past).score_samples)


def _refitted(case: Case, fit: Callable[[shape.Reals], Callable[[shape.Reals], Floats]]) -> Floats:
    day, out = _steps(case, DAY_S), np.full(case.values.shape, np.nan)
    for row in range(case.values.shape[0]):
        values = case.values[row : row + 1]
        scale = shape.Scale.of(values[:, : 3 * day])
        z = shape.carried(values)
        if not np.isnan(scale.width[0]):
            z = (z - scale.centre[0]) / scale.width[0]
        table = shape.features(z, z.shape[1])[:, 0].T
        whole = np.asarray(~np.isnan(table).any(axis=1))
        every = max(4 * day, 400)
        for end in range(day, len(table), every):
            past = table[max(0, end - 14 * day) : end]
            past = past[whole[max(0, end - 14 * day) : end]]
            at = np.flatnonzero(whole[end : end + every]) + end
            if len(past) >= shape.LEAST and len(at):
                out[row, at] = -fit(past)(table[at])
    return out


def prophet_residual(case: Case) -> Floats:
    """Distance from Prophet's forecast in its 80 % half-widths; refitted weekly, at most four times."""
    from tests.bench.anomalies.prophets import residuals

    return residuals(case)


UNIVARIATE: Final[Mapping[str, Rival]] = {
    "z-score, trailing day": z_score,
    "median/MAD, trailing day": median_mad,
    "Grafana adaptive bands": grafana_adaptive,
    "Netdata-like k-means": netdata_like,
    "seasonal ESD": seasonal_esd,
    "IForest, window features": isolation_forest,
    "Prophet residual": prophet_residual,
}


def vector_rivals(case: Case, until: int) -> Mapping[str, Floats]:
    """[group, step] of those that look at all metrics of a workload at one moment, fitted on steps before `until`."""
    from sklearn.ensemble import IsolationForest

    forest, tail = np.full(case.labels.shape, np.nan), np.full(case.labels.shape, np.nan)
    sigma, either = tail.copy(), tail.copy()
    for g in range(len(case.groups)):
        values = case.values[case.group == g].T
        scale = shape.Scale.of(values[:until].T)
        z = np.nan_to_num((values - scale.centre) / scale.width)
        forest[g] = -IsolationForest(n_estimators=100, random_state=0).fit(z[:until]).score_samples(z)
        past = np.sort(z[:until], axis=0)
        left, right = (
            np.stack([-np.log((_rank(side * past[:, m], side * z[:, m]) + 1) / (until + 1)) for m in range(z.shape[1])])
            for side in (-1, 1)
        )
        tail[g], either[g] = ecod(left, right), copod(left, right)
        spread = np.maximum(values[:until].std(axis=0), 1e-12)
        sigma[g] = np.abs((values - values[:until].mean(axis=0)) / spread).max(axis=1)
    return {"σ rules, any metric": sigma, "IForest, metric vector": forest, "ECOD, metric vector": tail,
            "COPOD, metric vector": either}  # fmt: skip


def _rank(past: Floats, values: Floats) -> Floats:
    """How many of the past are at least as large."""
    ordered = np.sort(past)
    return (len(ordered) - np.searchsorted(ordered, values, side="left")).astype(np.float64)


def any_metric(case: Case, scores: Floats) -> Floats:
    """[group, step], the largest of a workload's rows."""
    out = np.full(case.labels.shape, np.nan)
    for g in range(len(case.groups)):
        out[g] = np.fmax.reduce(scores[case.group == g], axis=0)
    return out


def _steps(case: Case, seconds: float) -> int:
    return max(1, round(seconds / case.step_s))


def _frame(case: Case) -> pd.DataFrame:
    return pd.DataFrame(case.values.T)


def _outer(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    return a.where(~(b > a), b)


def _score(case: Case, middle: pd.DataFrame, width: pd.DataFrame, values: pd.DataFrame | None = None) -> Floats:
    frame = _frame(case) if values is None else values
    floor = 1e-3 * frame.abs().expanding().mean().shift(1)
    wide = width.where(width > floor, floor).to_numpy().T
    with np.errstate(divide="ignore", invalid="ignore"):
        return _finite(((frame - middle).abs().to_numpy().T) / wide)


def _finite(scores: Floats) -> Floats:
    return np.where(np.isinf(scores), 1e9, scores)
