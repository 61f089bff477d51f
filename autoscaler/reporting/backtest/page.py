"""A backtest as one HTML file in the style of the report: nothing loaded, no script, every outside text escaped."""

from __future__ import annotations

from importlib.metadata import version

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from autoscaler.reporting.backtest import pictures
from autoscaler.reporting.backtest.values import BacktestReport
from autoscaler.reporting.report import numbers


def page(report: BacktestReport) -> str:
    """The whole file."""
    return _environment().get_template("backtest.html.j2").render(
        report=report,
        drawn=[
            (
                part,
                None if part.stretch is None else _both(pictures.timeline, part.stretch),
                _both(pictures.losses, part.rows),
                _both(pictures.coverage, part.rows, part.levels),
            )
            for part in report.parts
        ],
        pooled=[
            (part, _both(pictures.losses, part.rows), _both(pictures.coverage, part.rows, part.levels))
            for part in report.pooled
        ],
        version=version("foresail"),
    )  # fmt: skip


def _both(draw: object, *shown: object) -> Markup:
    """For a wide and for a narrow screen; pictures escape their own texts."""
    drawn = "".join(draw(*shown, form) for form in (pictures.WIDE, pictures.NARROW))  # type: ignore[operator]
    return Markup(drawn)  # noqa: S704 - see autoscaler.reporting.report.drawing


def _environment() -> Environment:
    style = PackageLoader("autoscaler.reporting.report", "templates")
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("autoscaler.reporting.backtest", "templates"), style]),
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "moment": numbers.moment,
        "duration": numbers.duration,
        "number": numbers.number,
        "percent": numbers.percent,
    }
    environment.globals["css"] = Markup(style.get_source(environment, "report.css")[0])  # noqa: S704 - a file of ours
    return environment
