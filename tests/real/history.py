"""Any series as history for Prometheus: written as OpenMetrics, for promtool to turn into blocks."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

Series = tuple[str, tuple[tuple[str, str], ...]]
"""Metric name and sorted label pairs."""

History = Mapping[Series, tuple[Sequence[float], Sequence[float]]]
"""For each series its timestamps (Unix seconds, rising) and values."""


def series(metric: str, **labels: str) -> Series:
    return metric, tuple(sorted(labels.items()))


def escaped(key: Series) -> str:
    """The series as an exposition line names it."""
    metric, labels = key
    if not labels:
        return metric
    # JSON's escapes of backslash, quote and newline are the exposition format's
    return f"{metric}{{{','.join(f'{name}={json.dumps(value, ensure_ascii=False)}' for name, value in labels)}}}"


def write_openmetrics(history: History, path: Path) -> None:
    with path.open("w") as file:
        file.writelines(_lines(history))
        file.write("# EOF\n")


def _lines(history: History) -> Iterator[str]:
    for key, (times, values) in history.items():
        name = escaped(key)
        for at, value in zip(times, values, strict=True):
            yield f"{name} {_number(float(value))} {float(at):.3f}\n"


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(value)
