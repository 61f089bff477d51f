"""Risk as asked, planned and real, per workload."""

from __future__ import annotations

import math
from itertools import chain

from prometheus_client import CollectorRegistry

from autoscaler.adapters.sheet import Sheet
from autoscaler.domain.decision import Decisions
from autoscaler.domain.season import excluded_share

WORKLOAD = ("namespace", "name")
_REAL = {
    "demand_weighted_shortage_ratio": "Share of demand that fell into short steps, over the last weeks.",
    "unserved_demand_ratio": "Share of demand above what the ready replicas serve, over the last weeks.",
}


class RiskMetrics:
    """Absent, not zero, while nothing was judged."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._asked = Sheet(
            "foresail_risk_asked_ratio", "Accepted share of time short of capacity.", WORKLOAD, registry
        )
        self._realised = Sheet(
            "foresail_risk_realised_ratio",
            "Share of time short of capacity over the last weeks: of our own plan, and of what really served.",
            (*WORKLOAD, "of"),
            registry,
        )
        self._excluded = Sheet(
            "foresail_calibration_excluded_ratio",
            "Share of the last week that owners take out of learning and risk control; absent where they take none.",
            WORKLOAD,
            registry,
        )
        self._real = {name: Sheet(f"foresail_{name}", text, WORKLOAD, registry) for name, text in _REAL.items()}

    def observe(self, decisions: Decisions) -> None:
        loads = decisions.fleet.workloads
        names = [(load.ref.namespace, load.ref.name) for load in loads]
        realised = decisions.realised
        if realised is None:
            return
        self._asked.show(zip(names, (load.risk for load in loads), strict=True))
        windows = (tuple(e.window for e in load.excluded) for load in loads)
        shares = (excluded_share(those, decisions.now_s) if those else math.nan for those in windows)
        self._excluded.show(zip(names, shares, strict=True))
        of = {"plan": realised.plan_risk.tolist(), "system": realised.system_risk.tolist()}
        self._realised.show(
            chain.from_iterable(
                zip(((*name, kind) for name in names), values, strict=True) for kind, values in of.items()
            )
        )
        columns = (realised.demand_weighted, realised.unserved_share)
        for sheet, values in zip(self._real.values(), columns, strict=True):
            sheet.show(zip(names, values.tolist(), strict=True))
