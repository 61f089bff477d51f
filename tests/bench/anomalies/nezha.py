"""Faults injected into a demo shop, by kind: the first day is learned from, the second is scored.

One day is too short for the engine's own course of days, so that its scores are asked by themselves; they are
calibrated on the day that they were learned from, which makes every threshold worth less, ours as the rivals'.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from autoscaler.detection import calibration, fitting, memory, scoring
from autoscaler.detection.grouping import Grouping
from autoscaler.domain.series import Bools, Floats, Ints
from tests.bench.anomalies.cases import FILES

STEP_S: Final = 60
LABEL_STEPS: Final = 5
"""An injection counts as found within 270 s, as the data's README has it."""
QUIET: Final = 30
"""Steps without an alarm that part two pages: injections come every eight minutes somewhere, twice an hour each pod."""
FALSE_A_DAY: Final = (1.0, 4.0)
"""False pages that a pod may cause a day."""


@dataclass(frozen=True, slots=True, eq=False)
class Shop:
    """Two days of pods: values [row, step] each; group [row]; injections of the second day (group, step, kind)."""

    pods: tuple[str, ...]
    group: Ints
    first: Floats
    second: Floats
    injected: tuple[tuple[int, int, str], ...]
    label: Bools


def load(data: Path) -> Shop:
    frame = pd.read_parquet(data / FILES["nezha"])
    faults = pd.read_parquet(data / FILES["nezha-faults"])
    frame["day"], frame["pod"] = frame.series.str[:10], frame.series.str[11:].str.split("-").str[0]
    faults["day"], faults["pod"] = faults.series.str[:10], faults.series.str[11:].str.split("-").str[0]
    days = sorted(frame.day.unique())
    pods = tuple(sorted(frame.pod.unique()))
    metrics = [c for c in frame.columns if c not in {"series", "ts", "label", "day", "pod"}]
    parts, starts = [], []
    for day in days:
        mine = frame[frame.day == day]
        start = mine.ts.min().floor("min")
        end = int((mine.ts.max() - start).total_seconds()) // STEP_S + 1
        values = np.full((len(pods) * len(metrics), end), np.nan)
        for p, pod in enumerate(pods):
            rows = mine[mine.pod == pod]
            at = ((rows.ts - start).dt.total_seconds() // STEP_S).astype(int).to_numpy()
            values[p * len(metrics) : (p + 1) * len(metrics), at] = rows[metrics].to_numpy(float).T
        parts.append(values)
        starts.append(start)
    label = np.zeros((len(pods), parts[1].shape[1]), dtype=bool)
    injected = []
    for one in faults[faults.day == days[1]].itertuples():
        at = int((one.ts - starts[1]).total_seconds()) // STEP_S
        injected.append((pods.index(one.pod), at, str(one.fault)))
        label[pods.index(one.pod), at : at + LABEL_STEPS + 1] = True
    return Shop(pods, np.repeat(np.arange(len(pods)), len(metrics)), parts[0], parts[1], tuple(injected), label)


def ours(shop: Shop) -> Floats:
    """[pod, step] of the second day: the page track's surprise."""
    day = 240  # of a demo without days: four hours stand for one in the ridge's yesterday
    rows: memory.Rows = memory.empty(len(shop.group), day)
    fitted = fitting.fit(shop.first, day)
    memory.adopted(rows, fitted, np.arange(len(shop.group)), np.arange(len(shop.group)))
    relative, past = memory.remember(rows, shop.first)
    scores = scoring.look(rows, relative, None, shop.first.shape[1], day).scores
    stretches = calibration.Stretches(4, calibration.SLOTS)
    stretches.put(rows["ring"], scores, 0)
    rows["table"] = calibration.learned([rows["ring"]])[0]
    relative, _ = memory.remember(rows, shop.second)
    rows["past"] = past
    scores = scoring.look(rows, relative, None, shop.second.shape[1], day).scores
    surprised = calibration.surprise(rows["table"], scores)[:, : memory.PAGE_MEMBERS]
    with np.errstate(invalid="ignore"):
        mean = np.nanmean(np.where(np.isnan(surprised).all(axis=1, keepdims=True), 0.0, surprised), axis=1)
    recent = np.full((len(mean), memory.SMOOTHED - 1), np.nan, dtype=np.float32)
    smooth = scoring.averaged(recent, mean.astype(np.float32), memory.SMOOTHED)
    found, _ = Grouping.of(shop.group, len(shop.pods)).combined(smooth)
    return found


@dataclass(frozen=True, slots=True)
class ByKind:
    """found: kind → (how many, of how many). false_a_day: pages outside labels, of a pod."""

    found: dict[str, tuple[int, int]]
    false_a_day: float


def by_kind(shop: Shop, score: Floats, false_a_day: float) -> ByKind:
    """Each pod's threshold is the one that keeps the budget on all other pods."""
    days = shop.second.shape[1] * STEP_S / 86400
    levels = np.unique(np.nanquantile(score, 1 - np.logspace(-4, np.log10(0.5), 200)))
    false = np.array([[_false(shop, score[p] >= t, p) for t in levels] for p in range(len(shop.pods))])
    found: dict[str, tuple[int, int]] = {}
    wrong = 0
    for p in range(len(shop.pods)):
        rate = np.delete(false, p, axis=0).sum(axis=0) / (days * (len(shop.pods) - 1))
        kept = np.flatnonzero(np.maximum.accumulate(rate[::-1])[::-1] <= false_a_day)
        t = int(kept[0]) if len(kept) else len(levels) - 1
        wrong += int(false[p, t])
        for pod, at, kind in shop.injected:
            if pod == p:
                hit = bool((score[p, at : at + LABEL_STEPS + 1] >= levels[t]).any())
                hits, all_ = found.get(kind, (0, 0))
                found[kind] = (hits + hit, all_ + 1)
    return ByKind(found, wrong / (days * len(shop.pods)))


def _false(shop: Shop, alarm: Bools, pod: int) -> int:
    at = np.flatnonzero(alarm)
    starts = at[np.concatenate(([True], np.diff(at) > QUIET))] if len(at) else at
    return int(np.count_nonzero(~shop.label[pod, starts]))


def rivals(shop: Shop) -> dict[str, Floats]:
    """[pod, step] of the second day."""
    from sklearn.ensemble import IsolationForest

    out = {}
    mean, spread = np.nanmean(shop.first, axis=1), np.maximum(np.nanstd(shop.first, axis=1), 1e-9)
    z = np.abs(shop.second - mean[:, None]) / spread[:, None]
    out["σ rules, any metric"] = np.stack([np.fmax.reduce(z[shop.group == g], axis=0) for g in range(len(shop.pods))])
    forest = np.full((len(shop.pods), shop.second.shape[1]), np.nan)
    for g in range(len(shop.pods)):
        past, new = np.nan_to_num(shop.first[shop.group == g].T), np.nan_to_num(shop.second[shop.group == g].T)
        forest[g] = -IsolationForest(n_estimators=100, random_state=0).fit(past).score_samples(new)
    out["IForest, metric vector"] = forest
    return out
