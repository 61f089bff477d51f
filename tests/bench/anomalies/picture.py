"""Our two tracks beside the alert events of a demo shop, which has no labels: a picture, and no figure of merit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from autoscaler.detection import calibration, fitting, memory, scoring
from autoscaler.detection.grouping import Grouping
from autoscaler.domain.series import Floats

STEP_S: Final = 60
LEARNED: Final = 720
"""Minutes that are learned from: the first half of the one day."""
METRICS: Final = ("calls", "erroneous", "latency")


@dataclass(frozen=True, slots=True)
class Seen:
    """Spearman's rank correlation of severity and surprise with the number of alert events, by the minute."""

    minutes: int
    surprise: float
    severity: float


def draw(source: Path, target: Path) -> Seen:
    """Write the picture; scores of the second half of the day, from what the first half was like."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    frame = pd.read_parquet(source).sort_values("ts").set_index("ts")
    frame.columns = [str(c).removeprefix("robot_shop_") for c in frame.columns]
    numbers = frame.select_dtypes("number")
    minute = numbers.resample("1min").mean()
    alerts = numbers[["alert_events"]].resample("1min").sum()["alert_events"].to_numpy(float)
    metrics = [c for c in minute.columns if c != "alert_events"]
    values = minute[metrics].to_numpy(float).T
    surprise, severity = _tracks(values)
    new, hours = slice(LEARNED, None), (np.arange(values.shape[1]) - LEARNED)[LEARNED:] / 60
    figure, axes = plt.subplots(3, 1, figsize=(9, 5), sharex=True, layout="constrained")
    axes[0].plot(hours, values[0, new], linewidth=0.7, color="#333333")
    axes[0].set_ylabel(metrics[0].replace("_", " "))
    axes[1].bar(hours, alerts[new], width=1 / 60, color="#c44e52")
    axes[1].set_ylabel("alert events")
    axes[2].plot(hours, surprise, linewidth=0.8, color="#4c72b0", label="surprise (page track)")
    axes[2].plot(hours, severity * 4, linewidth=0.8, color="#dd8452", label="severity × 4")
    axes[2].set_ylabel("scores")
    axes[2].set_xlabel("hours after what was learned from")
    axes[2].legend(loc="upper right", fontsize=8, frameon=False)
    mpl.rcParams["svg.hashsalt"] = "foresail"
    figure.savefig(target, metadata={"Date": None})
    plt.close(figure)
    told = alerts[new]
    return Seen(len(told), _ranked(surprise, told), _ranked(severity, told))


def _tracks(values: Floats) -> tuple[Floats, Floats]:
    rows: memory.Rows = memory.empty(len(values), 240)
    every = np.arange(len(values))
    memory.adopted(rows, fitting.fit(values[:, :LEARNED], 240), every, every)
    relative, past = memory.remember(rows, values[:, :LEARNED])
    scores = scoring.look(rows, relative, None, LEARNED, 240).scores
    calibration.Stretches(4, calibration.SLOTS).put(rows["ring"], scores, 0)
    table = calibration.learned([rows["ring"]])[0]
    relative, _ = memory.remember(rows, values[:, LEARNED:])
    rows["past"] = past
    surprised = calibration.surprise(table, scoring.look(rows, relative, None, values.shape[1] - LEARNED, 240).scores)
    grouping = Grouping.of(np.zeros(len(values), dtype=np.int64), 1)
    tracks = []
    for members, width in ((memory.PAGE_MEMBERS, memory.SMOOTHED), (len(memory.MEMBERS), memory.SMOOTHED_SEVERITY)):
        mean = np.nan_to_num(np.nanmean(surprised[:, :members], axis=1)).astype(np.float32)
        none = np.full((len(mean), width - 1), np.nan, dtype=np.float32)
        tracks.append(np.nan_to_num(grouping.combined(scoring.averaged(none, mean, width))[0][0]))
    return tracks[0], (1 - 10.0 ** (-tracks[1] / 2)) ** 2


def _ranked(score: Floats, told: Floats) -> float:
    a, b = pd.Series(score).rank().to_numpy(), pd.Series(told).rank().to_numpy()
    return float(np.corrcoef(a, b)[0, 1])
