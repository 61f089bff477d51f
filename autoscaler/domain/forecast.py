"""Forecasts as quantile grids, and what one `foresee` call hands to `decide`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.series import Bools, Codes, Floats, Ints

LEVELS: tuple[float, ...] = (0.5, 0.9, 0.95)
MEDIAN_LEVEL, SIZING_LEVEL = 0.5, 0.95


@dataclass(frozen=True, slots=True, eq=False)
class PeakForecast:
    """Peak of demand over the lead window, for a batch of rows and origins.

    levels: rising, each in (0, 1).
    quantiles: [row, origin, level], in each row's own demand unit, rising along level; read-only.
    present: [row, origin]; where False there is no forecast and the quantiles are NaN.
    model: [row, origin], index into `models` of the forecaster that served; -1 where absent.
    standing: [row, origin] of ladder.STANDING, what the forecast rests on and why; None: not told.
    """

    levels: tuple[float, ...]
    quantiles: Floats
    present: Bools
    model: Ints
    models: tuple[str, ...]
    standing: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        if self.quantiles.shape[-1] != len(self.levels):
            raise ValueError(f"{self.quantiles.shape[-1]} quantiles for {len(self.levels)} levels")
        if self.quantiles.shape[:-1] != self.present.shape or self.model.shape != self.present.shape:
            raise ValueError("quantiles, present and model must agree on [row, origin]")
        if self.standing is not None and self.standing.shape != self.present.shape:
            raise ValueError("standing and present must agree on [row, origin]")
        served = self.quantiles[self.present]
        if not np.isfinite(served).all() or (served < 0).any():
            raise ValueError("a forecast holds finite, non-negative numbers only; a row without one is absent")
        if (np.diff(served, axis=-1) < 0).any():
            raise ValueError("quantiles must rise along level")
        for array in (self.quantiles, self.present, self.model):
            array.setflags(write=False)


@dataclass(frozen=True, slots=True, eq=False)
class ForesightAt:
    """One origin of a Foresight: plain arrays over rows, for the closed loop of `decide`.

    lifted: [row], where the usual peak stands in the place of the quantile that sizes; None = nowhere.
    """

    step: int
    step_s: int
    data_delay_steps: Ints
    age_s: Floats
    observed: Floats
    settled: Floats
    verdict: Codes
    lead_steps: Ints
    quantiles: Floats
    present: Bools
    model: Ints
    models: tuple[str, ...]
    notes: Mapping[int, str] = field(default_factory=dict)
    standing: NDArray[Any] | None = None
    untaught: Bools | None = None
    usual: Floats | None = None
    lifted: Bools | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Foresight:
    """What is known and expected at each origin, before anything about replicas.

    first_step: absolute step of origin 0 (a decision at the start of that step); origins are consecutive.
    data_delay_steps: [lane], how many of the newest completed steps are not in yet; at origin u the last one
        that may be known is u - 1 - data_delay_steps.
    observed: [row, origin], last usable demand not older than the row's limit, NaN if there is none.
    settled: [row, origin], demand of exactly the newest step that is in, NaN = not observed (for risk control).
    age_s: [row, origin], from the end of the sample behind `observed` to the origin; inf if there is none.
    verdict: [row, origin], DataVerdict codes.
    notes: row → what the source said about its newest verdict.
    lead_steps: [row], steps from the first unknown step to the one in which a replica asked for now serves.
    untaught: [row, origin], the forecast has learned nothing from the newest step; None = from every one.
    usual: [row, origin], peak of demand in the same window on the last days, NaN = not known; None: not told.
    """

    step_s: int
    first_step: int
    data_delay_steps: Ints
    observed: Floats
    settled: Floats
    age_s: Floats
    verdict: Codes
    lead_steps: Ints
    peaks: PeakForecast
    notes: Mapping[int, str] = field(default_factory=dict)
    untaught: Bools | None = None
    usual: Floats | None = None

    def __post_init__(self) -> None:
        shape = self.peaks.present.shape
        for name in ("observed", "settled", "age_s", "verdict"):
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} {getattr(self, name).shape} must be [row, origin] = {shape}")

    @property
    def origins(self) -> int:
        return int(self.observed.shape[1])

    def at(self, origin: int) -> ForesightAt:
        """The arrays of one origin (0-based)."""
        peaks = self.peaks
        return ForesightAt(
            step=self.first_step + origin,
            step_s=self.step_s,
            data_delay_steps=self.data_delay_steps,
            age_s=self.age_s[:, origin],
            observed=self.observed[:, origin],
            settled=self.settled[:, origin],
            verdict=self.verdict[:, origin],
            lead_steps=self.lead_steps,
            quantiles=peaks.quantiles[:, origin],
            present=peaks.present[:, origin],
            model=peaks.model[:, origin],
            models=peaks.models,
            notes=self.notes,
            standing=None if peaks.standing is None else peaks.standing[:, origin],
            untaught=None if self.untaught is None else self.untaught[:, origin],
            usual=None if self.usual is None else self.usual[:, origin],
        )
