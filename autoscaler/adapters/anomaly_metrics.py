"""What detection says as metrics: bounded labels, one series per workload or watched metric, gone with it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge

from autoscaler.adapters.sheet import Labels, Sheet
from autoscaler.domain.anomaly import CAUSES
from autoscaler.domain.incident import Happening, Incident, News
from autoscaler.domain.verdict import Verdicts

WORKLOAD = ("namespace", "name")


class AnomalyMetrics:
    """Gauges over the newest step that was looked at."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._score = Sheet(
            "foresail_anomaly_score", "How rare this is on ordinary days, -log10 of the chance; 4 at most.",
            WORKLOAD, registry,
        )  # fmt: skip
        self._severity = Sheet(
            "foresail_anomaly_severity", "How bad it looks, 0 to 1; for dashboards.", WORKLOAD, registry
        )
        self._rate = Sheet(
            "foresail_anomaly_rate_per_week", "How often it is this odd on ordinary days; absent while learning.",
            WORKLOAD, registry,
        )  # fmt: skip
        self._expected = Sheet(
            "foresail_anomaly_expected", "What a metric is expected to be: bound middle, lower or upper.",
            (*WORKLOAD, "metric", "bound"), registry,
        )  # fmt: skip
        self._observed = Sheet("foresail_anomaly_observed", "What a metric is.", (*WORKLOAD, "metric"), registry)
        self._open = Gauge("foresail_incidents_open", "Open incidents, by cause.", ("cause",), registry=registry)
        self._news = Counter("foresail_incidents", "Incidents opened and resolved.", ("happening",), registry=registry)
        self._factor = Sheet(
            "foresail_anomaly_calibration", "Factor of feedback on the accepted false pages; 1 = none.",
            WORKLOAD, registry,
        )  # fmt: skip
        for happening in Happening:
            self._news.labels(happening.value)

    def observe(self, found: Verdicts, workloads: tuple[str, ...], metrics: tuple[str, ...]) -> None:
        """The newest step. metrics: of each row, within its workload."""
        names = [tuple(name.split("/", 1)) for name in workloads]
        groups, rows = found.groups, found.rows
        self._set(self._score, names, groups.surprise[:, -1])
        judged = np.isfinite(groups.surprise[:, -1])
        self._set(self._severity, names, np.where(judged, groups.severity[:, -1], np.nan))
        self._set(self._rate, names, groups.rate_per_week[:, -1])
        labels = [(*names[g], metric) for g, metric in zip(found.group.tolist(), metrics, strict=True)]
        self._set(self._observed, labels, rows.observed[:, -1])
        bounds = {"middle": rows.expected, "lower": rows.lower, "upper": rows.upper}
        every = [(*label, bound) for bound in bounds for label in labels]
        self._set(self._expected, every, np.concatenate([column[:, -1] for column in bounds.values()]))

    def incidents(self, opened: Iterable[Incident], news: Iterable[News]) -> None:
        counts = dict.fromkeys([*(c.value for c in CAUSES), "Unexplained"], 0)
        for incident in opened:
            counts["Unexplained" if incident.cause is None else incident.cause.value] += 1
        for cause, count in counts.items():
            self._open.labels(cause).set(count)
        for each in news:
            self._news.labels(each.happening.value).inc()

    def calibrated(self, factors: Mapping[str, float]) -> None:
        names = [tuple(name.split("/", 1)) for name in factors]
        self._set(self._factor, names, np.array(list(factors.values()), dtype=np.float64))

    def _set(self, sheet: Sheet, labels: list[Labels], values: np.ndarray) -> None:
        """What is not known is absent, not zero."""
        sheet.show(pair for pair in zip(labels, values.tolist(), strict=True) if math.isfinite(pair[1]))
