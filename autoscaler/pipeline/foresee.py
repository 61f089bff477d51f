"""The exogenous half of a tick: what is known and expected, for a block of origins at once.

Nothing about replicas enters, so a simulation computes a day of origins in one call; a property test proves
that a block and single ticks agree.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autoscaler.domain.fleet import Fleet
from autoscaler.domain.forecast import Foresight
from autoscaler.domain.season import steps_within
from autoscaler.domain.series import LAST_VALUED, DataVerdict, Floats, Ints, Panel
from autoscaler.forecasting.serving import PeakServer, Rows
from autoscaler.forecasting.usual import usual_peaks


def foresee(
    panel: Panel,
    fleet: Fleet,
    server: PeakServer,
    first_step: int,
    *,
    origins: int = 1,
    data_delay_steps: Ints | int = 0,
    keys: Sequence[str] | None = None,
    learn: Panel | None = None,
) -> Foresight:
    """Observed demand, verdicts and quantiles of the coming peak at consecutive origins.

    panel: rows as in fleet.demands. first_step: absolute step of the first origin (a decision at its start).
    data_delay_steps: [lane] or one for all, newest completed steps that are not in yet; nothing of them is used,
        and they widen the lead window. keys: [row], identities by which refits are staggered, None = the fleet's own.
    learn: the same steps without what nothing may be learned from; None = all of them teach.
    """
    step_s = panel.step_s
    delay: Ints = np.broadcast_to(np.asarray(data_delay_steps, dtype=np.int64), len(fleet))
    row_delay = delay[fleet.row_lane]
    leads = fleet.lead_steps(step_s, delay)
    steps = np.arange(first_step, first_step + origins, dtype=np.int64)
    names = fleet.row_keys() if keys is None else keys
    asked = Rows(names, leads, row_delay, fleet.risk[fleet.row_lane], fleet.row_seasons)
    taught = panel if learn is None else learn
    peaks = server.forecast(taught, asked, steps)
    usual = usual_peaks(taught, asked, steps, server.quarantined)

    limit_s = fleet.max_data_age_s[fleet.row_lane][:, None]
    limit_steps = np.maximum(1, limit_s / step_s).astype(np.int64)
    reach, most = int(limit_steps.max(initial=1)) + 1, int(row_delay.max(initial=0))
    low, high = first_step - reach - most, first_step + origins - 1
    # column c of row r is step first_step - reach - row_delay[r] + c
    shifted = np.arange(reach + origins - 1) + (most - row_delay)[:, None]
    values = np.take_along_axis(panel.columns(low, high), shifted, axis=1)
    faults = np.take_along_axis(panel.faults(low, high), shifted, axis=1)
    of_taught = faults if learn is None else np.take_along_axis(taught.faults(low, high), shifted, axis=1)
    position = np.where(faults <= LAST_VALUED, np.arange(reach + origins - 1), -1)
    newest = np.maximum.accumulate(position, axis=1)[:, reach - 1 :]
    rows = np.arange(len(fleet.demands))[:, None]
    within = newest >= np.arange(origins) + reach - 1 - limit_steps
    age_steps = np.arange(reach, reach + origins) - newest - 1 + row_delay[:, None]
    fresh = within & (age_steps * step_s <= limit_s)
    first = first_step - 1 - row_delay
    return Foresight(
        step_s=step_s,
        first_step=first_step,
        data_delay_steps=delay,
        observed=np.where(fresh, values[rows, newest], np.nan),
        settled=_judged(fleet, np.where(faults == DataVerdict.OK, values, np.nan)[:, reach - 1 :], first, step_s),
        age_s=np.where(within, age_steps * float(step_s), np.inf),
        verdict=faults[:, reach - 1 :],
        lead_steps=leads,
        peaks=peaks,
        notes=panel.notes,
        untaught=of_taught[:, reach - 1 :] != DataVerdict.OK,
        usual=usual,
    )


def _judged(fleet: Fleet, settled: Floats, first: Ints, step_s: int) -> Floats:
    """[row, origin], without what owners exclude from risk control. first: [row], step of the first column."""
    for row, season in enumerate(fleet.row_seasons or ()):
        if season is not None and season.excluded:
            begin = int(first[row])
            settled[row, steps_within(season.excluded, begin, begin + settled.shape[1], step_s)] = np.nan
    return settled
