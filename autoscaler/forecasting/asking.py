"""Asking a forecaster so that its failure costs its own answer and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.contract import PeakForecaster, QuantileForecaster


def ask_point(model: PeakForecaster, view: Panel, origins: Ints, lead: int, faults: dict[str, str]) -> Floats | None:
    """The model's answer [row, origin], or None when it is not one; single impossible numbers become NaN.

    faults: is told why, by the model's name.
    """
    shape = (view.rows, len(origins))
    return _asked(model.name, lambda: model.peaks(view, origins, lead), shape, faults)


def ask_quantiles(
    model: QuantileForecaster, view: Panel, origins: Ints, wanted: tuple[int, tuple[float, ...]], faults: dict[str, str]
) -> Floats | None:
    """Its quantiles [row, origin, level] at the wanted (lead, levels), rising along level; likewise."""
    lead, levels = wanted
    missing = [level for level in levels if level not in model.levels]
    if missing:
        faults[model.name] = f"knows the levels {model.levels}, not {', '.join(map(str, missing))}"
        return None
    shape = (view.rows, len(origins), len(model.levels))
    found = _asked(model.name, lambda: model.quantiles(view, origins, lead), shape, faults)
    if found is None:
        return None
    rising = np.maximum.accumulate(found[:, :, [model.levels.index(level) for level in levels]], axis=2)
    return np.where(np.isnan(rising).any(axis=2, keepdims=True), np.nan, rising)


def _asked(name: str, ask: Callable[[], object], shape: tuple[int, ...], faults: dict[str, str]) -> Floats | None:
    try:
        found = ask()
    except Exception as error:  # noqa: BLE001 - a model's failure costs its own answer, never the tick
        faults[name] = f"raised {type(error).__name__}: {error}"
        return None
    if not isinstance(found, np.ndarray) or found.shape != shape or found.dtype != np.float64:
        got = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
        faults[name] = f"answered {got} instead of float64 {shape}"
        return None
    impossible = np.isinf(found) | (found < 0)
    if impossible.any():
        faults[name] = "answered infinite or negative demand"
        return np.where(impossible, np.nan, found)
    return np.ascontiguousarray(found)
