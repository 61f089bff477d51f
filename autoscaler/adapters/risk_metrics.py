"""Risk as asked, planned and real, per workload."""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry, Gauge

from autoscaler.domain.decision import Decisions
from autoscaler.domain.season import excluded_share
from autoscaler.domain.workload import WorkloadRef

WORKLOAD = ("namespace", "name")
_REAL = {
    "demand_weighted_shortage_ratio": "Share of demand that fell into short steps, over the last weeks.",
    "unserved_demand_ratio": "Share of demand above what the ready replicas serve, over the last weeks.",
}


class RiskMetrics:
    """Absent, not zero, while nothing was judged."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._asked = Gauge(
            "foresail_risk_asked_ratio", "Accepted share of time short of capacity.", WORKLOAD, registry=registry
        )
        self._realised = Gauge(
            "foresail_risk_realised_ratio",
            "Share of time short of capacity over the last weeks: of our own plan, and of what really served.",
            (*WORKLOAD, "of"),
            registry=registry,
        )
        self._excluded = Gauge(
            "foresail_calibration_excluded_ratio",
            "Share of the last week that owners take out of learning and risk control; absent where they take none.",
            WORKLOAD,
            registry=registry,
        )
        self._real = {
            name: Gauge(f"foresail_{name}", text, WORKLOAD, registry=registry) for name, text in _REAL.items()
        }

    def observe(self, decisions: Decisions) -> None:
        realised = decisions.realised
        if realised is None:
            return
        plan, system = realised.plan_risk.tolist(), realised.system_risk.tolist()
        weighted, unserved = realised.demand_weighted.tolist(), realised.unserved_share.tolist()
        for lane, load in enumerate(decisions.fleet.workloads):
            labels = (load.ref.namespace, load.ref.name)
            self._asked.labels(*labels).set(load.risk)
            windows = tuple(e.window for e in load.excluded)
            _set(self._excluded, excluded_share(windows, decisions.now_s) if windows else math.nan, *labels)
            _set(self._realised, plan[lane], *labels, "plan")
            _set(self._realised, system[lane], *labels, "system")
            for gauge, value in zip(self._real.values(), (weighted[lane], unserved[lane]), strict=True):
                _set(gauge, value, *labels)

    def forget(self, ref: WorkloadRef) -> None:
        labels = (ref.namespace, ref.name)
        for gauge in (self._asked, self._excluded, *self._real.values()):
            _set(gauge, math.nan, *labels)
        for of in ("plan", "system"):
            _set(self._realised, math.nan, *labels, of)


def _set(gauge: Gauge, value: float, *labels: str) -> None:
    if math.isnan(value):
        try:
            gauge.remove(*labels)
        except KeyError:
            return
    else:
        gauge.labels(*labels).set(value)
