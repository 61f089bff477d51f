"""The outlook of one recorded demand: its path to a day ahead, and what it is made of where that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from autoscaler.adapters.traces import Trace
from autoscaler.bootstrap.training_kept import kept_series
from autoscaler.domain.errors import Refused
from autoscaler.domain.series import Floats, Panel, time_of
from autoscaler.forecasting.path import PathForecast, PathForecaster

if TYPE_CHECKING:
    from autoscaler.learning.decompose import Decomposition

DAY_S: Final = 86400
SHOWN_S: Final = 2 * DAY_S
"""History that is shown beside the path."""


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """hours: how far ahead, at most 24. origin: absolute step that is now, None = where the record ends. model: name of
    a library's model to stand beside ours. zone: IANA name of the zone whose wall clock days follow, None = UTC.
    """

    hours: float = 24.0
    origin: int | None = None
    decompose: bool = False
    model: str | None = None
    zone: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """recent: [step], demand of the steps before path.first_step, NaN = unknown. actual: [step] over the path where the
    record goes on, else NaN. beside: [step], a library's path, by `model`. parts: None where not asked for.
    """

    name: str
    path: PathForecast
    recent: Floats
    actual: Floats
    model: str | None
    beside: Floats | None
    parts: Decomposition | None
    notes: tuple[str, ...]


def outlook(trace: Trace, ask: Ask) -> Outlook:
    """Raises Refused for a grid without whole days, a moment outside the record, or parts that cannot be made."""
    step_s = trace.step_s
    if DAY_S % step_s:
        raise Refused(f"{trace.name}: steps of {step_s} s make no whole day; pass e.g. --step 60s")
    steps = int(ask.hours * 3600 // step_s)
    if not 1 <= steps <= DAY_S // step_s:
        raise Refused(f"--hours {ask.hours:g} must hold at least one step of {step_s} s, and be at most 24")
    known = np.flatnonzero(~np.isnan(trace.values))
    if not len(known):
        raise Refused(f"{trace.name}: no step of it was observed, so nothing can be said of what comes")
    origin = trace.first_step + int(known[-1]) + 1 if ask.origin is None else ask.origin
    if not trace.first_step + int(known[0]) < origin <= trace.end_step:
        raise Refused(
            f"--at {time_of(origin, step_s):%Y-%m-%dT%H:%M:%SZ} is outside the record, which goes from "
            f"{trace.start:%Y-%m-%dT%H:%M:%SZ} to {trace.end:%Y-%m-%dT%H:%M:%SZ}"
        )
    panel = Panel.of(trace.as_seen())
    path = PathForecaster().path(panel, origin, steps, zone=ask.zone)
    recent = panel.columns(origin - SHOWN_S // step_s, origin)[0]
    actual = panel.columns(origin, origin + steps)[0]
    past = panel.learnable(trace.first_step, origin)[0]
    beside = None
    if ask.model is not None:
        from autoscaler.learning.decompose_reference import reference_path

        beside = reference_path(ask.model, past, step_s, trace.first_step, steps)
    parts = None
    if ask.decompose:
        from autoscaler.learning.decompose import decompose

        parts = decompose(past, step_s, trace.first_step)
    return Outlook(trace.name, path, recent, actual, ask.model, beside, parts, (*trace.notes, *_silent(path)))


def _silent(path: PathForecast) -> tuple[str, ...]:
    """What the path does not say, in words."""
    known = np.isfinite(path.quantiles[0]).all(axis=1)
    if known.all():
        return ()
    if not known.any():
        return ("no outlook: a few hours of demand are needed before anything can be said",)
    last = int(np.flatnonzero(known)[-1]) + 1
    words = f"up to {last * path.step_s / 3600:.3g} h ahead" if known[:last].all() else "for a part of the steps"
    return (f"an outlook {words}: there is too little history for the rest",)


def kept_trace(path: Path, series: str | None) -> Trace:
    """One demand of those that a service keeps; Refused names what there is."""
    found = {one.name: one for one in kept_series(path)}
    if not found:
        raise Refused(f"{path}: keeps no demand yet")
    if series is None and len(found) == 1:
        series = next(iter(found))
    if series is None or series not in found:
        names = sorted(found)
        told = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
        wrong = "several demands" if series is None else f"no demand {series!r}"
        raise Refused(f"{path}: {wrong}; name one with --series: {told}")
    one = found[series]
    return Trace(one.name, one.step_s, one.first_step, one.values)
