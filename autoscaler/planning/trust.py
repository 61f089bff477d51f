"""How far policies believe a forecast, before any guard: what it may ask for at most."""

from __future__ import annotations

import numpy as np

from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.forecast import MEDIAN_LEVEL, SIZING_LEVEL, ForesightAt
from autoscaler.domain.series import Floats, Ints
from autoscaler.planning.plan import Plan


def trusted_most(
    fleet: Fleet, seen: ForesightAt, levels: tuple[float, ...], margin: Floats, planned: Plan,
    *, uplift: Floats | None = None,
) -> Ints:  # fmt: skip
    """[lane], replicas that the forecast may ask for at most, NO_LIMIT where nothing is asked of it.

    A forecast is not believed whose margin risk control had to raise above the policy's, or of which the Q.95 lies too
    far above the median in any demand that has one; then the plan without a forecast is the most. Beside that it may
    ask for so many times the observed need, and the uplift ([lane]) of an event on top, which is people's and not its
    own; where that need is unknown no such limit holds.
    """
    rules = fleet.rules
    low = seen.quantiles[:, levels.index(MEDIAN_LEVEL)]
    high = seen.quantiles[:, levels.index(SIZING_LEVEL)]
    ratio = rules.trust_ratio[fleet.row_lane]
    with np.errstate(over="ignore", invalid="ignore"):
        wide = fleet.any_over_rows(seen.present & (high > low * ratio))
    doubtful = wide | (margin > rules.trust_margin)
    over = rules.trust_over if uplift is None else rules.trust_over * uplift
    with np.errstate(invalid="ignore"):  # no need times no limit: such lanes are not asked
        most = np.minimum(np.ceil(planned.observed_need * over - 1e-9), NO_LIMIT)
    beyond = planned.need_known & np.isfinite(rules.trust_over)
    cap = np.where(beyond, np.maximum(most, planned.unforeseen), NO_LIMIT)
    return np.where(doubtful, planned.unforeseen, cap).astype(np.int64)
