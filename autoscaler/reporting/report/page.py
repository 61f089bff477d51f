"""The report as one HTML file: styles and pictures inside, nothing loaded, no script. Every outside text is escaped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from importlib.metadata import version

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from autoscaler.reporting.report import frontier, numbers, timeline
from autoscaler.reporting.report.answer import NEGLIGIBLE, answer, risk_words, target_words
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
        target_words=target_words(report),
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
        "ci": _ci,
        "saving_words": _saving_words,
        "avoided_words": _avoided_words,
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


def _ci(found: Estimate) -> str:
    said = numbers.interval(found)
    return said if found.low is None else f"95 %: {said}"


def _saving_words(saving: Estimate) -> str:
    if abs(saving.value) < NEGLIGIBLE:
        return "as much as set"
    return f"{numbers.percent(abs(saving.value))} {'less' if saving.value > 0 else 'more'} than as set"


def _avoided_words(avoided: Estimate) -> str:
    minutes = round(avoided.value)
    if not minutes:
        return "as many minutes as set"
    return f"{numbers.minutes(abs(minutes))} {'less' if minutes > 0 else 'more'} than as set"


def _saving(saving: Estimate) -> str:
    return _between(saving, numbers.percent)


def _avoided(avoided: Estimate) -> str:
    return _between(avoided, lambda minutes: f"{minutes:,.0f}")


def _between(found: Estimate, words: Callable[[float], str]) -> str:
    """What is gained is less; an interval over zero says both."""
    low, high = found.low or 0.0, found.high or 0.0
    least, most = words(abs(low)), words(abs(high))
    if not (low or high):
        return "no difference"
    if low >= 0:
        return f"{least} – {most} less"
    if high <= 0:
        return f"{most} – {least} more"
    return f"{least} more – {most} less"


def _longest(found: Sequence[Stretch]) -> list[Stretch]:
    """The longest few, in order of time."""
    kept = sorted(found, key=lambda s: s.steps, reverse=True)[:MOST_STRETCHES]
    return sorted(kept, key=lambda s: s.start)
