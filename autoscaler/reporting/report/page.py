"""The report as one HTML file: styles and pictures inside, nothing loaded, no script. Every outside text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from importlib.metadata import version

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from autoscaler.reporting.report import frontier, numbers, timeline
from autoscaler.reporting.report.answer import answer, risk_words, target_words
from autoscaler.reporting.report.columns import COLUMNS, cheapest
from autoscaler.reporting.report.values import LEVELS, Estimate, Report, Role, Stretch, View

MOST_STRETCHES = 40
"""Of gaps, in the page; JSON has them all."""
KINDS = {
    Role.OURS: "ours",
    Role.AS_SET: "asset",
    Role.RETUNED: "retuned",
    Role.OBSERVED: "observed",
    Role.TWIN: "retuned",
}


def page(report: Report) -> str:
    """The whole file."""
    return _environment().get_template("report.html.j2").render(
        report=report,
        answer=answer(report),
        risk_words=risk_words(report.risk),
        target_words=target_words(report.advice),
        views=[
            (view, _svg(timeline.timeline(view, timeline.WIDE)), _svg(timeline.timeline(view, timeline.NARROW)))
            for view in report.views
        ],
        frontier_wide=_svg(frontier.frontier(report.frontier, frontier.WIDE)),
        frontier_narrow=_svg(frontier.frontier(report.frontier, frontier.NARROW)),
        columns=COLUMNS,
        levels=LEVELS,
        cheapest=cheapest(report.methods),
        kinds=KINDS,
        version=version("foresail"),
    )  # fmt: skip


def _environment() -> Environment:
    loader = PackageLoader("autoscaler.reporting.report", "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        finalize=_tied,
    )  # fmt: skip
    environment.filters |= {
        "moment": numbers.moment,
        "duration": numbers.duration,
        "number": numbers.number,
        "percent": numbers.percent,
        "interval": numbers.interval,
        "saving_interval": _saving,
        "avoided_interval": _avoided,
        "longest": _longest,
        "days": _days,
        "verbatim": _verbatim,
    }
    css = loader.get_source(environment, "report.css")[0]
    environment.globals["css"] = Markup(css)  # noqa: S704 - a file of ours
    environment.globals["most"] = MOST_STRETCHES
    parts = environment.get_template("parts.html.j2").module
    for name in ("cost_delta", "shortage_delta", "stretch_list"):
        environment.globals[name] = getattr(parts, name)
    return environment


def _tied(value: object) -> object:
    """A number and its sign stay on one line."""
    return value.replace(" %", "\u00a0%") if type(value) is str else value


def _verbatim(text: str) -> Markup:
    """To be copied: escaped, and not a character else."""
    return escape(text)


def _days(view: View) -> str:
    last = view.end - timedelta(seconds=1)
    if view.start.date() == last.date():
        return f"{view.start:%A, %-d %B %Y}"
    return f"{view.start:%-d %B} to {last:%-d %B %Y}"


def _svg(drawn: str) -> Markup:
    """Pictures escape their own texts."""
    return Markup(drawn)  # noqa: S704 - see autoscaler.reporting.report.drawing


def _saving(saving: Estimate) -> str:
    low, high = saving.low or 0.0, saving.high or 0.0
    if low >= 0:
        return f"{numbers.percent(low)} – {numbers.percent(high)} less"
    if high <= 0:
        return f"{numbers.percent(-high)} – {numbers.percent(-low)} more"
    return f"{numbers.percent(-low)} more – {numbers.percent(high)} less"


def _avoided(avoided: Estimate) -> str:
    low, high = avoided.low or 0.0, avoided.high or 0.0
    if low >= 0:
        return f"{low:,.0f} – {high:,.0f} less"
    if high <= 0:
        return f"{-high:,.0f} – {-low:,.0f} more"
    return f"{-low:,.0f} more – {high:,.0f} less"


def _longest(found: Sequence[Stretch]) -> list[Stretch]:
    """The longest few, in order of time."""
    kept = sorted(found, key=lambda s: s.steps, reverse=True)[:MOST_STRETCHES]
    return sorted(kept, key=lambda s: s.start)
