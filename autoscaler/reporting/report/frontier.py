"""Cost against shortage over all settings of every method: who is lower left, and by how much."""

from __future__ import annotations

import math

from autoscaler.reporting.report.drawing import Canvas, Scale, grid, round_ticks
from autoscaler.reporting.report.numbers import percent
from autoscaler.reporting.report.timeline import Format
from autoscaler.reporting.report.values import Curve, Frontier, Point, Role

WIDE = Format("wide", 1040, 380, 0, 58, 9)
NARROW = Format("narrow", 360, 300, 0, 40, 5)
_RIGHT, _TOP, _FOOT = 14, 26, 44
_BEND = 0.0003
"""Share of short steps below which the axis is straight, so that it can reach zero; above it is logarithmic."""
_SHARES = (0.0, 0.0002, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
_FEWER = (0.0, 0.001, 0.005, 0.02, 0.1)
_WORDS = {
    Role.OURS: "Foresail",
    Role.AS_SET: "HPA as set",
    Role.RETUNED: "HPA retuned",
    Role.OBSERVED: "observed",
    Role.TWIN: "simulated twin",
}

_KINDS = {Role.OURS: "ours", Role.AS_SET: "asset", Role.RETUNED: "rival", Role.OBSERVED: "observed", Role.TWIN: "other"}


def bent(share: float) -> float:
    return math.log10(1 + share / _BEND)


def frontier(shown: Frontier, form: Format) -> str:
    """One SVG. Our curve is drawn last and strongest; each point says its setting when pointed at."""
    canvas = Canvas(form.width, _TOP + form.demand + _FOOT, _words(shown), form.kind)
    most_share, most_over = _most(shown)
    x = Scale(0, bent(most_share), form.left, form.width - _RIGHT)
    y = Scale(1.0, most_over, _TOP + form.demand, _TOP)
    canvas.text(form.left, _TOP - 10, "Cost, as a multiple of the clairvoyant bound", "panel")
    grid(canvas, round_ticks(1.0, most_over, 6), y, form.left, form.width - _RIGHT)
    wide = form.kind == "wide"
    for share in _SHARES if wide else _FEWER:
        if share <= most_share:
            at = x(bent(share))
            canvas.line(at, _TOP, at, _TOP + form.demand, "grid")
            canvas.text(
                at, _TOP + form.demand + 16, percent(share), f"tick {'start' if at < form.left + 9 else 'middle'}"
            )
    canvas.text(form.width - _RIGHT, _TOP + form.demand + 36, "Share of steps short of capacity (log)", "panel end")
    if shown.asked <= most_share:
        at = x(bent(shown.asked))
        canvas.line(at, _TOP, at, _TOP + form.demand, "asked")
        canvas.text(at + 4, _TOP + 11, "accepted risk", "tick start strong")
    for curve in sorted(shown.curves, key=lambda c: (c.role is Role.OURS, c.role is not None)):
        _curve(canvas, curve, x, y)
    for role, point in shown.marks:
        if point.share <= most_share and point.over <= most_over:
            words = f"{_WORDS[role]}: {_point(point)}"
            canvas.dot(x(bent(point.share)), y(point.over), 6, f"mark {_kind(role)}", words)
    return canvas.svg()


def _curve(canvas: Canvas, curve: Curve, x: Scale, y: Scale) -> None:
    """Inside the frame only; a line that leaves it is cut where it does."""
    kind = _kind(curve.role)
    inside: list[tuple[float, float, Point]] = []
    ordered = sorted(curve.points, key=lambda p: (p.share, -p.over))
    ends: list[tuple[float, float]] = []
    for before, point in zip([None, *ordered], ordered, strict=False):
        here = (bent(point.share), point.over)
        if before is not None and (before.over > y.high) != (point.over > y.high):
            there = (bent(before.share), before.over)
            part = (y.high - there[1]) / (here[1] - there[1])
            ends.append((there[0] + part * (here[0] - there[0]), y.high))
        if point.over <= y.high and here[0] <= x.high:
            inside.append((here[0], here[1], point))
            ends.append(here)
    if len(ends) > 1:
        d = "M" + "L".join(f"{x(a):.1f} {y(b):.1f}" for a, b in ends)
        canvas.path(d, f"curve {kind}")
    for a, b, point in inside:
        canvas.dot(x(a), y(b), 3.5 if kind != "other" else 2, f"point {kind}", f"{curve.title}: {_point(point)}")


def _point(point: Point) -> str:
    return f"{point.label}, short {percent(point.share)} of the steps at {point.over:.3g} times the bound"


def _kind(role: Role | None) -> str:
    return "other" if role is None else _KINDS[role]


def _most(shown: Frontier) -> tuple[float, float]:
    """Of both axes: what is ours, the HPA's and the marks are inside; others may leave at the top or right."""
    named = [p for c in shown.curves if c.role is not None for p in c.points if p.share <= 0.12]
    named += [p for _, p in shown.marks]
    share = max([2 * shown.asked, 0.02, *(p.share for p in named if p.share <= 0.2)])
    ours = [p.over for c in shown.curves if c.role is Role.OURS for p in c.points]
    others = [p.over for p in named]
    over = max([1.2, *ours, *(p.over for _, p in shown.marks), *(o for o in others if o <= 2.5)])
    return min(share * 1.1, 0.22), 1 + (over - 1) * 1.08


def _words(shown: Frontier) -> str:
    ours = next((c for c in shown.curves if c.role is Role.OURS), None)
    points = "; ".join(_point(p) for p in ours.points) if ours else "none"
    return f"Cost against shortage of {len(shown.curves)} methods. Foresail: {points}. The table below has all methods."
