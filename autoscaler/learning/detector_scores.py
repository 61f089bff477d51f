"""What one detector alone says of recorded metrics, as it would have said it live: for comparison of detectors."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from autoscaler.detection import fitting
from autoscaler.detection.contract import Arrays, Block, Detector
from autoscaler.detection.engine import DAY_S
from autoscaler.domain.series import Floats


def relived(detector: Detector, history: Block, since: int | None = None) -> Floats:
    """[row, step], raw scores; NaN before a day was learned from, and where the detector cannot say.

    since: days that end before this absolute step are not scored, only learned from.

    Each day of absolute steps is scored by what was learned from the two weeks before it, as the engine does.
    """
    day, back = DAY_S // history.step_s, fitting.HISTORY_S // history.step_s
    starts = range(history.first_step - history.first_step % day + day, history.end_step, day)
    found = [np.full((len(history.values), min(history.end_step, starts.start) - history.first_step), np.nan)]
    for first, end in pairwise([*starts, history.end_step]) if starts else ():
        if since is not None and end <= since:
            found.append(np.full((len(history.values), end - first), np.nan))
            continue
        state: Arrays = detector.fit(history.cut(max(history.first_step, first - back), first))
        found.append(detector.score(state, history.cut(first, end))[0])
    return np.concatenate(found, axis=1)
