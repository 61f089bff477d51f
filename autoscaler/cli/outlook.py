"""`foresail outlook`: the demand of the next day as quantiles, and what it is made of; it changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from autoscaler.bootstrap.outlook import Ask, kept_trace, outlook
from autoscaler.cli.inputs import moment, time_zone, whole_seconds
from autoscaler.cli.outlook_view import drawn, print_outlook, told
from autoscaler.cli.recorded import recorded_demand
from autoscaler.cli.simulate_view import show
from autoscaler.domain.errors import Refused
from autoscaler.domain.series import step_at

if TYPE_CHECKING:
    from autoscaler.adapters.traces import Trace

OUTPUTS: Final = ("table", "json", "yaml")


@dataclass(frozen=True, slots=True)
class OutlookOptions:
    """As typed; None = not given."""

    trace: Path | None
    column: str | None
    series: str | None
    censored_column: str | None
    prometheus: str | None
    query: str | None
    censored_query: str | None
    since: str | None
    demand: Path | None
    step: str | None
    at: str | None
    hours: float
    decompose: bool
    model: str | None
    out: Path | None
    output: str
    time_zone: str | None = None


def run_outlook(options: OutlookOptions) -> None:
    """Check every option before any work, then look ahead, and tell."""
    if options.output not in OUTPUTS:
        raise Refused(f"--output {options.output!r} is not known; use {', '.join(OUTPUTS[:-1])} or {OUTPUTS[-1]}")
    if options.out is not None and (options.out.suffix.lower() != ".png" or options.out.is_dir()):
        raise Refused(f"--out {options.out}: the picture is a PNG; name a file such as outlook.png")
    if options.out is not None and not options.out.parent.is_dir():
        raise Refused(f"--out {options.out}: there is no folder {options.out.parent}; make it first")
    if not 0 < options.hours <= 24:
        raise Refused(f"--hours {options.hours:g} must be above 0 and at most 24: nothing is said beyond a day")
    when = moment("--at", options.at)
    zone = None if options.time_zone is None else time_zone("--time-zone", options.time_zone)
    trace = _trace(options)
    ask = Ask(options.hours, None, options.decompose, options.model, zone)
    found = outlook(trace, ask if when is None else replace(ask, origin=step_at(when, trace.step_s)))
    if options.out is not None:
        drawn(options.out, found)
    if options.output == "table":
        print_outlook(found, options.out)
    else:
        show(told(found), options.output)


def _trace(options: OutlookOptions) -> Trace:
    """The one demand that the options name."""
    if options.demand is None:
        return recorded_demand(options)
    others = {
        "--trace": options.trace, "--prometheus": options.prometheus, "--query": options.query,
        "--since": options.since, "--column": options.column, "--censored-column": options.censored_column,
        "--censored-query": options.censored_query,
    }  # fmt: skip
    for name, value in others.items():
        if value is not None:
            raise Refused(f"{name} and --demand are two sources; name one")
    trace = kept_trace(options.demand, options.series)
    if options.step is not None and whole_seconds("--step", options.step) != trace.step_s:
        raise Refused(f"--step {options.step}: what is kept has steps of {trace.step_s} s; leave --step out")
    return trace
