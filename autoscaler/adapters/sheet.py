"""A gauge of many series that are all said at once, as one tick knows them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

Labels = tuple[str, ...]


class Sheet(Collector):
    """What is not said again is gone, not zero, and so is NaN. Saying costs a dictionary; text is made when scraped.

    prometheus_client's own Gauge looks a series up under a lock for each value: ten times as long, and it has to be
    told what went.
    """

    def __init__(self, name: str, text: str, labels: Sequence[str], registry: CollectorRegistry) -> None:
        self._name, self._text, self._labelnames = name, text, tuple(labels)
        self._rows: Mapping[Labels, float] = {}
        registry.register(self)

    def show(self, rows: Iterable[tuple[Labels, float]]) -> None:
        """labels: values in the order of the sheet's own; once each."""
        self._rows = {labels: value for labels, value in rows if not math.isnan(value)}

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The name alone, so that a second one of it is refused."""
        yield self._family()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = self._family()
        for labels, value in self._rows.items():  # replaced whole by `show`, never changed
            family.add_metric(labels, value)
        yield family

    def _family(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(self._name, self._text, labels=self._labelnames)
