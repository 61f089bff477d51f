"""Labelled recordings as cases of the benchmark: real clocks, one grid each, NaN where nothing was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from autoscaler.domain.series import Bools, Floats, Ints

WEEK_S: Final = 7 * 86400
PROBATION: Final = 0.15
"""Of a file, and at most of 5,000 points (NAB's rule): nothing is scored there."""
FILES: Final = {
    "nab": "anomalies/nab.parquet",
    "jumpstarter": "anomalies/jumpstarter_services_d2.parquet",
    "ms-cloud": "anomalies/ms_cloud_monitoring.parquet",
    "nezha": "anomalies/nezha_onlineboutique.parquet",
    "nezha-faults": "anomalies/nezha_onlineboutique_faults.parquet",
    "bizitobs": "forecast/bizitobs_robotshop_10s.parquet",
}


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """values: [row, step]; group: [row]; labels, scored: [group, step], what is anomalous and what counts.

    Rows of one case share the grid; their calendars are moved by whole weeks so that they start in the same one: hour
    and weekday stay what they were.
    """

    name: str
    step_s: int
    first_step: int
    keys: tuple[str, ...]
    groups: tuple[str, ...]
    group: Ints
    values: Floats
    labels: Bools
    scored: Bools

    @property
    def weeks(self) -> Floats:
        """[group], scored weeks outside labels' and inside."""
        return self.scored.sum(axis=1) * self.step_s / WEEK_S

    def events(self) -> list[tuple[int, int, int]]:
        """(group, first, end) of every run of labels that counts."""
        found = []
        for g in range(len(self.groups)):
            flags = np.concatenate(([False], self.labels[g] & self.scored[g], [False]))
            edges = np.flatnonzero(np.diff(flags.astype(np.int8)))
            found += [(g, int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
        return found

    def without(self, steps: slice) -> Case:
        """Where those steps, and events that touch them, do not count."""
        scored = self.scored.copy()
        scored[:, steps] = False
        for g, first, end in self.events():
            if first < steps.stop and end > steps.start:
                scored[g, first:end] = False
        return replace(self, scored=scored)


def nab(data: Path) -> list[Case]:
    """The real files: one case for each step in use."""
    frame = pd.read_parquet(data / FILES["nab"])
    return _univariate("nab", frame[~frame.series.str.startswith("artificial")])


def ms_cloud(data: Path) -> list[Case]:
    return _univariate("ms-cloud", pd.read_parquet(data / FILES["ms-cloud"]))


def _univariate(name: str, frame: pd.DataFrame) -> list[Case]:
    by_step: dict[int, list[tuple[str, Ints, Floats, Bools]]] = {}
    for key, rows in frame.groupby("series"):
        stamps = rows.ts.to_numpy().astype("datetime64[s]").astype(np.int64)
        step_s = int(np.median(np.diff(np.unique(stamps))))
        step_s = max(300, step_s) if name == "nab" else step_s
        by_step.setdefault(step_s, []).append(
            (str(key), stamps, rows.value.to_numpy(float), rows.label.to_numpy() == 1)
        )
    return [_gridded(name, step_s, rows) for step_s, rows in sorted(by_step.items())]


def _gridded(name: str, step_s: int, rows: Sequence[tuple[str, Ints, Floats, Bools]]) -> Case:
    starts = [int(stamps.min()) // WEEK_S * WEEK_S for _, stamps, _, _ in rows]
    base = max(starts)
    moved = [(stamps + base - start) // step_s for (_, stamps, _, _), start in zip(rows, starts, strict=True)]
    first, end = min(int(m.min()) for m in moved), max(int(m.max()) for m in moved) + 1
    shape = (len(rows), end - first)
    values, labels, scored = np.full(shape, np.nan), np.zeros(shape, bool), np.zeros(shape, bool)
    for r, ((_, _, given, label), steps) in enumerate(zip(rows, moved, strict=True)):
        at = steps - first
        values[r, at] = given
        low, high = int(at.min()), int(at.max()) + 1
        labels[r, at] = label
        labels[r, low:high] = _filled(labels[r, low:high], ~np.isnan(values[r, low:high]))
        probation = int(PROBATION * min(high - low, 5000))
        scored[r, low + probation : high] = True
    keys = tuple(key for key, *_ in rows)
    return Case(name, step_s, first, keys, keys, np.arange(len(rows)), values, labels, scored)


def _filled(labels: Bools, known: Bools) -> Bools:
    """A hole takes the label before it where the next one is the same."""
    at = np.maximum.accumulate(np.where(known, np.arange(len(known)), 0))
    back = len(known) - 1 - np.maximum.accumulate(np.where(known[::-1], np.arange(len(known)), 0))[::-1]
    return np.asarray(labels[at] & labels[back])


def jumpstarter(data: Path) -> Case:
    """30 services of 19 metrics; nothing is scored in the 20 days of training data."""
    frame = pd.read_parquet(data / FILES["jumpstarter"])
    metrics = [f"m{k:02d}" for k in range(19)]
    services = sorted(frame.series.unique(), key=lambda s: int(s.removeprefix("Dataset2/service")))
    values, labels, scored = [], [], []
    for service in services:
        rows = frame[frame.series == service].sort_values("ts")
        values.append(rows[metrics].to_numpy(float).T)
        labels.append(rows.label.to_numpy() == 1)
        scored.append((rows.split == "test").to_numpy())
    start = int(pd.Timestamp(frame.ts.min()).timestamp()) // 300
    keys = tuple(f"{service}/{metric}" for service in services for metric in metrics)
    group = np.repeat(np.arange(len(services)), len(metrics))
    return Case(
        "jumpstarter", 300, start, keys, tuple(services), group, np.concatenate(values), np.stack(labels),
        np.stack(scored),
    )  # fmt: skip


FLEET_INCIDENT: Final = slice(9407, 9417)
"""All services and metrics of jumpstarter read zero at once here: one event of the fleet, 30 of the labelled ones."""
