"""Where each demand's forecast stands on the ladder, and how it compares with seasonal-naive."""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry, Gauge

from autoscaler.domain.decision import Decisions
from autoscaler.domain.ladder import Rung, Why

LABELS = ("namespace", "name", "demand")


class LadderMetrics:
    """One series per demand; what is unknown or gone is removed, not zero."""

    def __init__(self, registry: CollectorRegistry) -> None:
        rungs = ", ".join(f"{rung.value} {rung.name.lower()}" for rung in Rung)
        self._rung = Gauge("foresail_forecast_rung", f"What the forecast rests on: {rungs}.", LABELS, registry=registry)
        self._qualified = Gauge(
            "foresail_forecast_qualified",
            "1 while what serves errs less than seasonal-naive, 0 while it does not; absent before it can be compared.",
            LABELS,
            registry=registry,
        )
        self._ratio = Gauge(
            "foresail_forecast_loss_ratio",
            "Quantile loss of what serves over that of seasonal-naive, over the calibration window.",
            LABELS,
            registry=registry,
        )
        self._cost = Gauge(
            "foresail_forecast_decision_ratio",
            "What plans cost above perfect foresight, at the accepted risk, over that of plans on seasonal-naive.",
            LABELS,
            registry=registry,
        )
        self._seen: dict[Gauge, set[tuple[str, str, str]]] = {}

    def observe(self, decisions: Decisions) -> None:
        now: dict[Gauge, set[tuple[str, str, str]]] = {
            g: set() for g in (self._rung, self._qualified, self._ratio, self._cost)
        }
        if decisions.seen.standing is not None:
            rows = zip(decisions.fleet.demands, decisions.fleet.row_lane.tolist(), decisions.seen.standing, strict=True)
            for demand, lane, place in rows:
                ref = decisions.fleet.workloads[lane].ref
                labels, ratio = (ref.namespace, ref.name, demand.name), float(place["loss_ratio"])
                values = {self._rung: float(place["rung"])}
                if math.isfinite(ratio):
                    values |= {self._ratio: ratio, self._qualified: float(place["why"] == Why.QUALIFIED)}
                if math.isfinite(float(place["decision_ratio"])):
                    values[self._cost] = float(place["decision_ratio"])
                for gauge, value in values.items():
                    gauge.labels(*labels).set(value)
                    now[gauge].add(labels)
        for gauge, before in self._seen.items():
            for gone in before - now[gauge]:
                gauge.remove(*gone)
        self._seen = now
