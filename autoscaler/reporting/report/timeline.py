"""A stretch of time as a picture: demand with its forecast band, replicas of two ways to scale, who was short when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.series import Bools, time_of
from autoscaler.reporting.report.drawing import (
    Canvas,
    Scale,
    band,
    count_ticks,
    envelope,
    extremes,
    grid,
    polyline,
    round_ticks,
    time_ticks,
)
from autoscaler.reporting.report.numbers import duration, moment
from autoscaler.reporting.report.values import Track, View


@dataclass(frozen=True, slots=True)
class Format:
    """Pixels of the picture before it is scaled to the page; a narrow one keeps its letters legible on a phone."""

    kind: str
    width: int
    demand: int
    replicas: int
    left: int
    time_ticks: int


WIDE = Format("wide", 1040, 190, 190, 58, 9)
NARROW = Format("narrow", 360, 150, 150, 46, 4)
_RIGHT, _TOP, _BETWEEN, _STRIP, _FOOT = 10, 22, 34, 11, 26


def timeline(view: View, form: Format) -> str:
    """One SVG: demand above, replicas below, and a strip each that marks the short steps."""
    strips = 2 * _STRIP + 12
    height = _TOP + form.demand + _BETWEEN + form.replicas + strips + _FOOT
    canvas = Canvas(form.width, height, _words(view), form.kind)
    count, right = len(view.demand), form.width - _RIGHT
    x = Scale(0, count, form.left, right)
    top, below = _TOP + form.demand, _TOP + form.demand + _BETWEEN
    bottom = below + form.replicas
    _time_axis(canvas, view, form, x, bottom + strips)
    for start, end in _runs(view.unknown):
        words = f"no demand known, {duration((end - start) * view.step_s)}"
        canvas.rect(x(start), _TOP, x(end) - x(start), bottom - _TOP, kind="gap", title=words)
    if view.censored is not None:
        for start, end in _runs(view.censored):
            canvas.rect(
                x(start), _TOP, x(end) - x(start), form.demand, kind="censored", title="demand may have been higher"
            )
    _demand(canvas, view, form, x, Scale(0, _most_demand(view), top, _TOP))
    _replicas(canvas, view, form, x, Scale(0, _most_replicas(view), bottom, below))
    for row, (track, kind) in enumerate(((view.ours, "ours"), (view.rival, "rival"))):
        at = bottom + 9 + row * (_STRIP + 2)
        canvas.rect(form.left, at, right - form.left, _STRIP - 3, kind="strip")
        for start, end in _runs(track.short):
            words = f"{track.name} short from {_at(view, start)} for {duration((end - start) * view.step_s)}"
            canvas.rect(x(start), at, max(x(end) - x(start), 1.5), _STRIP - 3, kind=f"short {kind}", title=words)
    canvas.text(form.left - 6, bottom + 9 + 15, "short", "tick end")
    return canvas.svg()


def _demand(canvas: Canvas, view: View, form: Format, x: Scale, y: Scale) -> None:
    canvas.text(form.left, y(y.high) - 8, "Demand", "panel")
    grid(canvas, round_ticks(0, y.high, 4), y, form.left, form.width - _RIGHT)
    buckets = (form.width - form.left - _RIGHT) // 2
    at, low, high = envelope(view.p50, view.p95, buckets)
    canvas.path(band(x.of(at), y.of(low), y.of(high)), "band")
    kept = extremes(view.demand, buckets)
    canvas.path(polyline(x.of(kept.astype(np.float64) + 0.5), y.of(view.demand[kept])), "demand")


def _replicas(canvas: Canvas, view: View, form: Format, x: Scale, y: Scale) -> None:
    canvas.text(form.left, y(y.high) - 8, "Ready replicas", "panel")
    grid(canvas, count_ticks(y.high, 4), y, form.left, form.width - _RIGHT)
    buckets = (form.width - form.left - _RIGHT) // 2
    at, _, high = envelope(view.needed, view.needed, buckets)
    canvas.path(band(x.of(at), np.where(np.isnan(high), np.nan, y(0)), y.of(high)), "needed")
    for track, kind in ((view.rival, "rival"), (view.ours, "ours")):
        kept = extremes(track.ready, buckets)
        canvas.path(polyline(x.of(kept.astype(np.float64)), y.of(track.ready[kept]), steps=True), f"replicas {kind}")


def _time_axis(canvas: Canvas, view: View, form: Format, x: Scale, foot: float) -> None:
    start_s, step_s = view.first_step * view.step_s, view.step_s
    for at_s, words in time_ticks(start_s, start_s + len(view.demand) * step_s, form.time_ticks):
        at = x((at_s - start_s) / step_s)
        canvas.line(at, _TOP, at, foot, "grid")
        edge = "start" if at - form.left < 20 else "end" if form.width - at < 24 else "middle"
        canvas.text(at, foot + 16, words, f"tick {edge}")


def _most_demand(view: View) -> float:
    """The band may be cut where a wild forecast would flatten the demand."""
    demand = float(np.nanmax(view.demand, initial=0.0))
    forecast = float(np.nanmax(view.p95, initial=0.0))
    return max(min(max(demand, forecast), 1.6 * demand), 1e-9) * 1.04


def _most_replicas(view: View) -> float:
    most = max(float(np.nanmax(a, initial=1.0)) for a in (view.ours.ready, view.rival.ready, view.needed))
    return most * 1.06


def _runs(flags: Bools) -> list[tuple[int, int]]:
    edges = np.diff(np.concatenate(([0], flags.astype(np.int8), [0])))
    return list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))


def _at(view: View, step: int) -> str:
    return f"{time_of(view.first_step + step, view.step_s):%H:%M}"


def _words(view: View) -> str:
    def one(track: Track) -> str:
        known = track.ready[~np.isnan(track.ready)]
        most = f"{known.max():.0f}" if len(known) else "an unknown number of"
        return f"{track.name}: at most {most} ready replicas, short for {duration(track.short.sum() * view.step_s)}"

    peak = float(np.nanmax(view.demand, initial=0.0))
    return (
        f"{view.title}, {moment(view.start)} to {moment(view.end)} UTC. Demand up to {peak:,.4g}. "
        f"{one(view.ours)}. {one(view.rival)}."
    )
