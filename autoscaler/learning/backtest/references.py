"""Reference models of well-known libraries, one series at a time: what a data scientist would try first.

They are here to be compared with, never to serve. Each is fitted now and then on the newest points and asked for the
path ahead with all that is known at an origin. The season is the day; a trend is damped where
the model can, since without a limit it runs away.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from autoscaler.domain.series import Floats

MOST_POINTS: Final = 2016
"""History that a fit sees: a week of 5-minute points, twelve weeks of hours. More changes little and costs much."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known at an origin. points: [point], without gaps, the newest last. season: points per day.

    end: index of the origin on the grid since the epoch, so that a model may know the time. step_s: seconds per point.
    """

    points: Floats
    season: int
    end: int
    step_s: int


class PathModel(Protocol):
    """A library's model. `fit` may be dear; `path` is asked at many origins with the newest fit."""

    @property
    def name(self) -> str: ...

    @property
    def least_seasons(self) -> int: ...

    def fit(self, known: Known, ahead: int) -> Any:
        """What was learned from `known`; ahead: points that paths of this fit may reach beyond it."""
        ...

    def path(self, fitted: Any, known: Known, count: int) -> Floats:
        """[point], expected demand of the next `count` points, from `known`, which ends at the origin."""
        ...


@dataclass(frozen=True, slots=True)
class Ets:
    """statsmodels ETSModel: additive errors, damped trend, daily season (Hyndman et al. 2008, AAdA). Parameters are
    kept between fits; the states are filtered anew at each origin.
    """

    name: str = "ets"
    least_seasons: int = 2

    def fit(self, known: Known, ahead: int) -> Any:  # noqa: ARG002 - states are filtered at each origin
        with _quiet():
            return _ets(known).fit(disp=False, maxiter=200).params

    def path(self, fitted: Any, known: Known, count: int) -> Floats:
        with _quiet():
            return np.asarray(_ets(known).smooth(fitted).forecast(count), dtype=np.float64)


def _ets(known: Known) -> Any:
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    return ETSModel(
        known.points, error="add", trend="add", damped_trend=True, seasonal="add", seasonal_periods=known.season,
        initialization_method="heuristic",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Theta:
    """statsmodels ThetaModel: θ = 2, additive daily season (Assimakopoulos & Nikolopoulos 2000); fitted anew
    at each origin.
    """

    name: str = "theta"
    least_seasons: int = 2

    def fit(self, known: Known, ahead: int) -> Any:
        """Nothing is kept: the model has no other way to take in new points."""

    def path(self, fitted: Any, known: Known, count: int) -> Floats:  # noqa: ARG002
        from statsmodels.tsa.forecasting.theta import ThetaModel

        with _quiet():
            model = ThetaModel(known.points, period=known.season, deseasonalize=True, use_test=False, method="additive")
            return np.asarray(model.fit().forecast(count), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Components:
    """statsmodels UnobservedComponents: local level and six harmonics of the day (Harvey 1989). Slow: opt-in."""

    name: str = "ucm"
    least_seasons: int = 2

    def fit(self, known: Known, ahead: int) -> Any:  # noqa: ARG002 - states are filtered at each origin
        with _quiet():
            return _components(known).fit(disp=False, maxiter=50).params

    def path(self, fitted: Any, known: Known, count: int) -> Floats:
        with _quiet():
            return np.asarray(_components(known).filter(fitted).forecast(count), dtype=np.float64)


def _components(known: Known) -> Any:
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    harmonics = min(6, known.season // 2)
    return UnobservedComponents(
        known.points, "llevel", freq_seasonal=[{"period": known.season, "harmonics": harmonics}]
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prophet:
    """Prophet (Taylor & Letham 2018) with its defaults, daily and, from two weeks on, weekly season. It does not take
    in points after its fit, so one prediction serves until the next fit.
    """

    name: str = "prophet"
    least_seasons: int = 2

    def fit(self, known: Known, ahead: int) -> Any:
        import pandas as pd
        import prophet

        for noisy in ("cmdstanpy", "prophet"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        times = _times(known.end - len(known.points), known.end, known.step_s)
        model = prophet.Prophet(
            daily_seasonality=True, yearly_seasonality=False, weekly_seasonality="auto", uncertainty_samples=0
        )  # fmt: skip
        with _quiet():
            model.fit(pd.DataFrame({"ds": times, "y": known.points}))
            future = pd.DataFrame({"ds": _times(known.end, known.end + ahead, known.step_s)})
            return known.end, np.asarray(model.predict(future)["yhat"], dtype=np.float64)

    def path(self, fitted: Any, known: Known, count: int) -> Floats:
        end, values = fitted
        return np.asarray(values[known.end - end : known.end - end + count])


def _times(first: int, end: int, step_s: int) -> Any:
    return (np.arange(first, end) * step_s).astype("datetime64[s]").astype("datetime64[ns]")


def _quiet() -> warnings.catch_warnings[None]:
    """Libraries warn of every fit that did not settle; the figures tell whether it mattered."""
    return warnings.catch_warnings(action="ignore")


REFERENCES: Final[dict[str, PathModel]] = {
    model.name: model for model in (Ets(), Theta(), Components(), Prophet())
}  # fmt: skip
PRELOAD: Final = (
    "autoscaler.learning.backtest.paths",
    "statsmodels.tsa.exponential_smoothing.ets",
    "statsmodels.tsa.forecasting.theta",
    "statsmodels.tsa.statespace.structural",
)


def absent(name: str) -> str | None:
    """Why a reference cannot be asked here, None = it can."""
    library = "prophet" if name == "prophet" else "statsmodels"
    if importlib.util.find_spec(library) is not None:
        return None
    how = "uv sync --group bench" if library == "prophet" else "pip install './foresail[server]' beside a checkout"
    return f"{library} is not installed ({how} brings it)"
