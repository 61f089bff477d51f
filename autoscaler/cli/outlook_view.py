"""What `foresail outlook` prints and draws: two lines at one scale, a table of moments ahead, the parts in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich import box
from rich.table import Table

from autoscaler.bootstrap.outlook import Outlook
from autoscaler.cli.screen import screen
from autoscaler.domain.series import Floats, time_of
from autoscaler.domain.sparkline import sparkline
from autoscaler.learning.decompose import LEAST_WEEKS, Decomposition, strength_words
from autoscaler.reporting.report.numbers import duration, moment, short_number, stamp

ROWS_S: Final = (0, 900, 1800, 3600, 2 * 3600, 3 * 3600, 6 * 3600, 9 * 3600, 12 * 3600, 18 * 3600, 86399)
HALF: Final = 48
"""Characters of the past, and of the path."""
DAY_S: Final = 86400


def print_outlook(found: Outlook, out: Path | None) -> None:
    console = screen()

    def say(words: str, style: str | None = None) -> None:
        console.print(words, style=style, markup=False, highlight=False, soft_wrap=True)

    path = found.path
    for note in found.notes:
        say(note, "dim")
    begin, end = (time_of(step, path.step_s) for step in (path.first_step, path.first_step + path.steps))
    say(f"{found.name}: {moment(begin)} to {moment(end)} UTC, steps of {duration(path.step_s)}")
    quantiles = path.quantiles[0]
    if np.isfinite(quantiles).any():
        past = _binned(found.recent[-DAY_S // path.step_s :])
        median, high = _binned(quantiles[:, 0]), _binned(quantiles[:, -1])
        top = float(np.nanmax(np.concatenate((past, median, high))))
        for words, line in (("median", median), (f"{path.levels[-1]:g}", high)):
            say(f"{words:>7} {_line(past, top)}│{_line(line, top)}")
        say(f"{'':>7} {'the day before':<{HALF}}│the path ahead, most {short_number(top)}", "dim")
        console.print(_table(found))
        say(_basis(found), "dim")
    if found.parts is not None:
        for words in parts_words(found.parts):
            say(words)
    if out is not None:
        say(f"picture: {out}")


def parts_words(parts: Decomposition) -> list[str]:
    """The decomposition as sentences."""
    days = len(parts.observed) * parts.step_s / DAY_S
    trend = parts.trend
    change = (trend[-1] - trend[0]) / trend[0] if trend[0] > 0 else None
    moved = "" if change is None else f", {change:+.0%} over these days"
    known = float((~np.isnan(parts.observed)).mean())
    gaps = "" if known == 1 else f"; {1 - known:.1%} of it unknown and filled from the season before"
    week = f"unknown: {LEAST_WEEKS} weeks are needed" if parts.week is None else strength_words(parts.week_strength)
    lines = [
        f"made of, over {days:.0f} days in points of {duration(parts.step_s)}{gaps}:",
        f"  trend      {short_number(trend[0])} to {short_number(trend[-1])}{moved}",
        f"  day        {strength_words(parts.day_strength)}, swing {short_number(float(np.ptp(parts.day)))}",
        f"  week       {week}" + ("" if parts.week is None else f", swing {short_number(float(np.ptp(parts.week)))}"),
    ]
    spread = np.nanmedian(np.abs(parts.remainder)) * 1.4826
    at = int(np.nanargmax(np.abs(parts.remainder)))
    when = time_of(parts.first + at, parts.step_s)
    far = short_number(parts.remainder[at])
    lines.append(f"  remainder  usual spread {short_number(spread)}; most out of line: {far} at {moment(when)} UTC")
    return lines


def told(found: Outlook) -> dict[str, Any]:
    """All there is to say, as plain values; None = unknown."""
    path = found.path
    names = [f"p{level * 100:g}" for level in path.levels]
    steps = []
    for k in range(path.steps):
        row: dict[str, Any] = {"at": stamp(time_of(path.first_step + k, path.step_s))}
        row |= dict(zip(names, map(_plain, path.quantiles[0, k]), strict=True))
        if found.beside is not None:
            row[str(found.model)] = _plain(found.beside[k])
        if np.isfinite(found.actual).any():
            row["actual"] = _plain(found.actual[k])
        steps.append(row)
    parts = found.parts
    return {
        "series": found.name,
        "stepSeconds": path.step_s,
        "from": stamp(time_of(path.first_step, path.step_s)),
        "levels": list(path.levels),
        "notes": list(found.notes),
        "path": steps,
        "weights": [
            {name: round(float(share), 4) for name, share in zip(path.experts, row, strict=True)}
            for row in path.weights[0]
        ],
        "parts": None if parts is None else _parts_told(parts),
    }


def drawn(out: Path, found: Outlook) -> Path:
    """The same as a picture."""
    from autoscaler.reporting.outlook import Ahead, Course, draw_outlook

    path, parts = found.path, found.parts
    recent = Course("demand", path.step_s, path.first_step - len(found.recent), found.recent)
    others = []
    if np.isfinite(found.actual).any():
        others.append(Course("what came", path.step_s, path.first_step, found.actual))
    if found.beside is not None:
        others.append(Course(str(found.model), path.step_s, path.first_step, found.beside))
    panels: list[Course] = []
    if parts is not None:
        named = (
            ("Trend", parts.trend),
            (f"Season of the day: {strength_words(parts.day_strength)}", parts.day),
            (f"Season of the week: {strength_words(parts.week_strength)}", parts.week),
            ("Remainder", parts.remainder),
        )
        panels = [Course(name, parts.step_s, parts.first, part) for name, part in named if part is not None]
    title = f"{found.name}: the next {duration(path.steps * path.step_s)}"
    return draw_outlook(out, title, Ahead(recent, path.levels, path.quantiles[0], tuple(others)), panels)


def _parts_told(parts: Decomposition) -> dict[str, Any]:
    columns = {"observed": parts.observed, "trend": parts.trend, "day": parts.day, "remainder": parts.remainder}
    if parts.week is not None:
        columns["week"] = parts.week
    return {
        "stepSeconds": parts.step_s,
        "from": stamp(time_of(parts.first, parts.step_s)),
        "dayStrength": parts.day_strength,
        "weekStrength": parts.week_strength,
        "points": {name: [_plain(value) for value in column] for name, column in columns.items()},
    }


def _table(found: Outlook) -> Table:
    path = found.path
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown = np.isfinite(found.actual).any()
    heads = ["at (UTC)", "ahead", *(f"{level:g}" for level in path.levels)]
    heads += [*([] if found.beside is None else [str(found.model)]), *(["came"] if shown else [])]
    for head in heads:
        table.add_column(head, justify="left" if head == "at (UTC)" else "right", no_wrap=True)
    for k in dict.fromkeys(min(s, path.steps * path.step_s - 1) // path.step_s for s in ROWS_S):
        columns: list[float] = [*path.quantiles[0, k]]
        columns += [] if found.beside is None else [float(found.beside[k])]
        columns += [float(found.actual[k])] if shown else []
        when = time_of(path.first_step + k, path.step_s)
        table.add_row(f"{when:%a %H:%M}", duration(k * path.step_s) if k else "now", *map(_cell, columns))
    return table


def _basis(found: Outlook) -> str:
    """What the path leans on, soon and at the end of the day."""
    said = []
    spoken = np.flatnonzero(found.path.weights[0].any(axis=1))
    for words, bucket in (("soon", spoken[:1]), ("later", spoken[-1:])):
        for b in bucket.tolist():
            best = np.argsort(-found.path.weights[0, b])[:2].tolist()
            named = " and ".join(f"{found.path.experts[x]} {found.path.weights[0, b, x]:.0%}" for x in best)
            said.append(f"{words} mostly {named}")
    return "leans on: " + "; ".join(said)


def _binned(values: Floats) -> Floats:
    """[HALF], the largest of each part: a peak is never averaged away."""
    edges = [len(values) * k // HALF for k in range(HALF + 1)]
    parts = [values[a : max(b, a + 1)] for a, b in pairwise(edges)]
    return np.array([np.nanmax(part) if np.isfinite(part).any() else np.nan for part in parts])


def _line(values: Sequence[float] | Floats, top: float) -> str:
    """At the scale of `top`, so that lines can be compared."""
    return sparkline([*map(float, values), top], len(values) + 1)[:-1]


def _cell(value: float) -> str:
    return short_number(value) if np.isfinite(value) else "unknown"


def _plain(value: float) -> float | None:
    return float(f"{value:.8g}") if np.isfinite(value) else None
