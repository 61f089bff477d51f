"""Prophet beside us: a fit a week, four at most for a series, its interval as the width of what is expected."""

# ruff: noqa: PD011 - the values of a case are an array, not a data frame
from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from autoscaler.domain.series import Floats
from tests.bench.anomalies.cases import WEEK_S, Case

LEAST_S = 2 * 86400
FITS = 4
MOST = 4032
"""Points of a fit: the newest."""


def residuals(case: Case) -> Floats:
    """[row, step]; NaN before the first fit. Raises ImportError where Prophet is not installed."""
    from prophet import Prophet

    for name in ("cmdstanpy", "prophet"):
        logging.getLogger(name).setLevel(logging.ERROR)
    out = np.full(case.values.shape, np.nan)
    stamps = pd.to_datetime((case.first_step + np.arange(case.values.shape[1])) * case.step_s, unit="s")
    for row, values in enumerate(case.values):
        known = np.flatnonzero(~np.isnan(values))
        start = int(known[0]) + LEAST_S // case.step_s
        week = max(WEEK_S // case.step_s, (int(known[-1]) + 1 - start) // FITS + 1)
        while start < int(known[-1]) + 1:
            end = min(start + week, int(known[-1]) + 1)
            past = known[known < start][-MOST:]
            if len(past) > 50:
                model = Prophet(
                    daily_seasonality=True, weekly_seasonality=len(past) > 10 * 86400 // case.step_s, interval_width=0.8
                )
                model.fit(pd.DataFrame({"ds": stamps[past], "y": values[past]}))
                told = model.predict(pd.DataFrame({"ds": stamps[start:end]}))
                half = np.maximum(
                    (told.yhat_upper - told.yhat_lower).to_numpy() / 2, 1e-9 * (1 + np.abs(values[past]).mean())
                )
                out[row, start:end] = np.abs(values[start:end] - told.yhat.to_numpy()) / half
            start = end
    return out
