"""Where each demand's forecast stands on the ladder, and how it compares with seasonal-naive."""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry

from autoscaler.adapters.sheet import Labels, Sheet
from autoscaler.domain.decision import Decisions
from autoscaler.domain.ladder import Rung, Why

LABELS = ("namespace", "name", "demand")


class LadderMetrics:
    """One series per demand; what is unknown or gone is removed, not zero."""

    def __init__(self, registry: CollectorRegistry) -> None:
        rungs = ", ".join(f"{rung.value} {rung.name.lower()}" for rung in Rung)
        self._rung = Sheet("foresail_forecast_rung", f"What the forecast rests on: {rungs}.", LABELS, registry)
        self._qualified = Sheet(
            "foresail_forecast_qualified",
            "1 while what serves errs less than seasonal-naive, 0 while it does not; absent before it can be compared.",
            LABELS,
            registry,
        )
        self._ratio = Sheet(
            "foresail_forecast_loss_ratio",
            "Quantile loss of what serves over that of seasonal-naive, over the calibration window.",
            LABELS,
            registry,
        )
        self._cost = Sheet(
            "foresail_forecast_decision_ratio",
            "What plans cost above perfect foresight, at the accepted risk, over that of plans on seasonal-naive.",
            LABELS,
            registry,
        )

    def observe(self, decisions: Decisions) -> None:
        rung: dict[Labels, float] = {}
        ratios: dict[Labels, float] = {}
        qualified: dict[Labels, float] = {}
        costs: dict[Labels, float] = {}
        if decisions.seen.standing is not None:
            rows = zip(decisions.fleet.demands, decisions.fleet.row_lane.tolist(), decisions.seen.standing, strict=True)
            for demand, lane, place in rows:
                ref = decisions.fleet.workloads[lane].ref
                labels, ratio = (ref.namespace, ref.name, demand.name), float(place["loss_ratio"])
                rung[labels] = float(place["rung"])
                if math.isfinite(ratio):
                    ratios[labels], qualified[labels] = ratio, float(place["why"] == Why.QUALIFIED)
                if math.isfinite(cost := float(place["decision_ratio"])):
                    costs[labels] = cost
        said = ((self._rung, rung), (self._ratio, ratios), (self._qualified, qualified), (self._cost, costs))
        for sheet, values in said:
            sheet.show(values.items())
