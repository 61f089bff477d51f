"""`foresail backtest`: how well each model would have forecast the coming peak of a recorded demand."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from autoscaler.bootstrap.backtest import DEFAULT_MODELS, SCORED_DAYS, Choice, Terms, chosen, plan_of, run_backtests
from autoscaler.bootstrap.backtest_telling import report_of
from autoscaler.cli.backtest_view import print_backtest, watched_backtest
from autoscaler.cli.inputs import seconds, time_zone, whole_seconds
from autoscaler.cli.recorded import recorded_demand
from autoscaler.cli.simulate_view import show
from autoscaler.domain.errors import Refused
from autoscaler.learning.backtest.run import Effort
from autoscaler.spec.compile import DEFAULT_READY_S
from autoscaler.spec.scalars import checked_risk, risk_of

if TYPE_CHECKING:
    from autoscaler.adapters.traces import Trace

OUTPUTS: Final = ("table", "json", "yaml", "html")
DEFAULT_OUT: Final = Path("backtest.html")
MOST_SERIES: Final = 50
DEFAULT_RISK: Final = "0.5%"
ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class BacktestOptions:
    """As typed; None = not given."""

    trace: Path | None
    column: str | None
    series: str | None
    censored_column: str | None
    prometheus: str | None
    query: str | None
    censored_query: str | None
    since: str | None
    step: str | None
    models: str | None
    lead: str | None
    horizons: tuple[str, ...]
    capacity: float | None
    risk: str | None
    warmup: str | None
    days: float | None
    decisions: bool
    workers: int
    out: Path | None
    output: str
    time_zone: str | None = None


def run_backtest(options: BacktestOptions) -> None:
    """Check every option before any work, then test, and tell."""
    if options.output not in OUTPUTS:
        raise Refused(f"--output {options.output!r} is not known; use {', '.join(OUTPUTS[:-1])} or {OUTPUTS[-1]}")
    if options.out is not None and options.output != "html":
        raise Refused(f"--out is the place of the HTML file; with -o {options.output} the answer goes to stdout")
    out = options.out or DEFAULT_OUT
    if options.output == "html":
        from autoscaler.cli.report import check_out

        check_out(out)
    terms, notes = _terms(options)
    choice = _choice(options)
    traces = _traces(options)
    for trace in traces:
        if np.isnan(trace.values).all():
            raise Refused(f"{trace.name}: no step of it was observed, so there is nothing to test on")
        plan_of(trace, terms)
    began = time.monotonic()
    with watched_backtest() as progress:
        tested = run_backtests(traces, choice, terms, progress)
    for trace in traces:
        notes += [f"{trace.name}: {note}" if len(traces) > 1 else note for note in trace.notes]
    title = traces[0].name if len(traces) == 1 else f"{len(traces)} series of {_named(options)}"
    report = report_of(tested, choice, terms, title, notes=notes, took_s=time.monotonic() - began)
    if options.output in {"json", "yaml"}:
        from autoscaler.reporting.backtest.plain import plain

        show(plain(report), options.output)
    elif options.output == "html":
        from autoscaler.cli.report import write_whole
        from autoscaler.reporting.backtest.page import page

        write_whole(out, page(report))
        print_backtest(report, out)
    else:
        print_backtest(report, None)


def _named(options: BacktestOptions) -> str:
    return options.trace.name if options.trace is not None else "prometheus"


def _terms(options: BacktestOptions) -> tuple[Terms, list[str]]:
    notes: list[str] = []
    if options.lead is None:
        notes.append(f"lead {DEFAULT_READY_S:g} s (the default; type --lead)")
    lead_s = DEFAULT_READY_S if options.lead is None else seconds("--lead", options.lead)
    horizons = tuple(seconds("--horizon", text) for text in options.horizons)
    risk_text = options.risk or DEFAULT_RISK
    try:
        risk = checked_risk(risk_of(risk_text))
    except ValueError as error:
        raise Refused(f"--risk {risk_text!r}: {error}") from None
    if options.capacity is not None and not 0 < options.capacity < np.inf:
        raise Refused(f"--capacity {options.capacity:g} must be a positive number: the demand that one replica serves")
    days = float(SCORED_DAYS) if options.days is None else options.days
    if not 0 < days <= 3650:
        raise Refused(f"--days {days:g} must be a positive number of days, at most 3650")
    if options.workers < 1:
        raise Refused(f"--workers {options.workers} must be 1 or more")
    if options.decisions and options.capacity is None:
        notes.append("capacity per replica from the warm-up: its 99.9th percentile needs 60 (type --capacity)")
    warmup_s = None if options.warmup is None else seconds("--warmup", options.warmup, most=math.inf)
    zone = None if options.time_zone is None else time_zone("--time-zone", options.time_zone)
    if zone is not None:
        notes.append(f"days by the clock of {zone}; those of library models by UTC")
    terms = Terms(
        (lead_s, *horizons), risk, warmup_s, days * 86400.0, options.capacity, options.decisions,
        Effort(workers=options.workers), zone,
    )  # fmt: skip
    return terms, notes


def _choice(options: BacktestOptions) -> Choice:
    typed = ",".join(DEFAULT_MODELS) if options.models is None else options.models
    names = tuple(name.strip() for name in typed.split(",") if name.strip())
    if not names:
        raise Refused("--models names no model; write e.g. --models foresail,ets,theta")
    choice = chosen(names)
    if not choice.house and not choice.references:
        raise Refused(f"--models: nothing is left to test: {'; '.join(choice.missing.values())}")
    return choice


def _traces(options: BacktestOptions) -> tuple[Trace, ...]:
    """One series, or with --series all every one of a file."""
    if options.series == ALL and options.trace is not None:
        from autoscaler.adapters.traces import read_series

        _only_one_source(options)
        step = None if options.step is None else whole_seconds("--step", options.step)
        found = tuple(read_series(options.trace, step, options.column).values())
        if len(found) > MOST_SERIES:
            raise Refused(
                f"--series all: {options.trace} holds {len(found)}, above the {MOST_SERIES} at once; name one"
            )
        return found
    return (recorded_demand(options),)


def _only_one_source(options: BacktestOptions) -> None:
    asked = {"--prometheus": options.prometheus, "--query": options.query, "--since": options.since}
    for name, value in asked.items():
        if value is not None:
            raise Refused(f"{name} and --trace are two sources; name one")
    if options.censored_column is not None:
        raise Refused("--censored-column is for one series; name it instead of --series all")
