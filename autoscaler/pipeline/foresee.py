"""The exogenous half of a tick: what is known and expected, for a block of origins at once.

Nothing about replicas enters, so a simulation computes a day of origins in one call; a property test proves
that a block and single ticks agree.
"""

from __future__ import annotations

import numpy as np

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.forecast import Foresight
from autoscaler.domain.series import LAST_VALUED, DataVerdict, Panel
from autoscaler.forecasting.serving import PeakServer


def foresee(
    panel: Panel, fleet: Fleet, server: PeakServer, first_step: int, *, origins: int = 1, data_delay_steps: int = 0
) -> Foresight:
    """Observed demand, verdicts and quantiles of the coming peak at consecutive origins.

    panel: rows as in fleet.demands. first_step: absolute step of the first origin (a decision at its start).
    data_delay_steps: newest completed steps that are not in yet; they widen the lead window.
    """
    step_s = panel.step_s
    leads = fleet.lead_steps(step_s, data_delay_steps)
    first_unknown = np.arange(first_step, first_step + origins, dtype=np.int64) - data_delay_steps
    peaks = server.forecast(panel, fleet.row_keys(), leads, first_unknown)

    limit_s = fleet.max_data_age_s[fleet.row_lane][:, None]
    limit_steps = np.maximum(1, limit_s / step_s).astype(np.int64)
    reach = int(limit_steps.max(initial=1)) + 1
    low, high = int(first_unknown[0]) - reach, int(first_unknown[-1])
    values, faults = panel.columns(low, high), panel.faults(low, high)
    position = np.where(faults <= LAST_VALUED, np.arange(high - low), -1)
    newest = np.maximum.accumulate(position, axis=1)[:, reach - 1 :]
    rows = np.arange(len(fleet.demands))[:, None]
    within = newest >= np.arange(origins) + reach - 1 - limit_steps
    age_steps = np.arange(reach, reach + origins) - newest - 1 + data_delay_steps
    fresh = within & (age_steps * step_s <= limit_s)
    return Foresight(
        step_s=step_s,
        first_step=first_step,
        data_delay_steps=data_delay_steps,
        observed=np.where(fresh, values[rows, newest], np.nan),
        settled=np.where(faults == DataVerdict.OK, values, np.nan)[:, reach - 1 :],
        age_s=np.where(within, age_steps * float(step_s), np.inf),
        verdict=faults[:, reach - 1 :],
        lead_steps=leads,
        peaks=peaks,
        notes=panel.notes,
    )
