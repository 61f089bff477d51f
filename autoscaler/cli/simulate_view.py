"""What `foresail simulate` prints: the settings, what was assumed, and the figures, two-sided."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import Progress, TimeRemainingColumn
from rich.table import Table

from autoscaler.bootstrap.simulate import Outcome, cautions
from autoscaler.bootstrap.worlds import World
from autoscaler.cli.screen import screen
from autoscaler.domain.series import time_of
from autoscaler.simulator.figures import LEAST_DAYS, Scores


@contextmanager
def watched() -> Iterator[Callable[[float], None] | None]:
    """A progress bar on stderr where somebody watches, so that stdout stays what was asked for."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (*Progress.get_default_columns()[:-1], TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("simulating", total=1.0)
        yield lambda share: bar.update(task, completed=share)


def told(outcome: Outcome, world: World, notes: tuple[str, ...], out: Path | None, took_s: float) -> dict[str, Any]:
    """All there is to say, as plain values; json and yaml print it as it is."""
    log, load = outcome.log, outcome.workload
    return {
        "series": log.name,
        "from": f"{time_of(log.first_step, log.step_s):%Y-%m-%dT%H:%M:%SZ}",
        "until": f"{time_of(log.first_step + log.steps, log.step_s):%Y-%m-%dT%H:%M:%SZ}",
        "scoredFrom": f"{time_of(outcome.served.scored_step, log.step_s):%Y-%m-%dT%H:%M:%SZ}",
        "stepSeconds": log.step_s,
        "steps": log.steps,
        "settings": {
            "capacity": log.capacity,
            "leadSeconds": load.lead.total_s - load.lead.actuation_s,
            "leadP50Seconds": None if world.spread is None else world.spread.p50_s,
            "dataDelaySeconds": world.data_delay_s,
            "actuationDelaySeconds": world.actuation_delay_s,
            "risk": load.risk,
            "actuation": load.actuation.value,
            "hpaTarget": world.hpa_target if load.actuation.is_floor else None,
            "minReplicas": load.min_replicas,
            "maxReplicas": load.max_replicas,
            "startFailure": world.start_failure,
            "seed": world.seed,
            "nodeReplicas": None if world.nodes is None else world.nodes.replicas,
            "spareNodes": None if world.nodes is None else world.nodes.spares,
            "nodeReadySeconds": None if world.nodes is None else world.nodes.ready_s,
        },
        "notes": [*notes, *cautions(outcome.scores, load.max_replicas)],
        "figures": {_camel(name): value for name, value in asdict(outcome.scores).items()},
        "rows": None if out is None else str(out),
        "tookSeconds": round(took_s, 2),
    }


def show(found: dict[str, Any], output: str) -> None:
    if output == "json":
        print(json.dumps(found, indent=2, ensure_ascii=False))  # noqa: T201 - the answer itself, not a table
    elif output == "yaml":
        from ruamel.yaml import YAML

        printer = YAML(typ="safe", pure=True)
        printer.default_flow_style = False
        printer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
        printer.dump(found, sys.stdout)
    else:
        _print(found, screen())


def _print(found: dict[str, Any], console: Console) -> None:
    asked = found["settings"]
    for note in found["notes"]:
        console.print(note, style="dim", markup=False, soft_wrap=True)
    hpa = f" beside an HPA at {asked['hpaTarget']} %" if asked["hpaTarget"] is not None else ""
    console.print(
        f"{found['series']}: {found['steps']:,} steps of {found['stepSeconds']} s, scored from {found['scoredFrom']}; "
        f"{asked['actuation']}{hpa}, one replica serves {asked['capacity']:.4g}, planned to be Ready "
        f"{asked['leadSeconds']:g} s after the request",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    table = Table(box=box.SIMPLE_HEAD, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold", style="dim")
    for row in lines(Scores(**{_snake(k): v for k, v in found["figures"].items()})):
        table.add_row(*row)
    console.print(table)
    if found["rows"] is not None:
        console.print(f"{found['steps']:,} rows: {found['rows']}", markup=False, highlight=False, soft_wrap=True)


def lines(f: Scores) -> list[tuple[str, str, str]]:
    """(figure, value, what it means), cost first and shortage right after it."""
    days = f"95 % over resampled days: {_part(f.risk_low, 2)} … {_part(f.risk_high, 2)}"
    interval = days if f.risk_low is not None else f"no interval below {LEAST_DAYS} days"
    nodes = (
        [] if f.node_hours is None else [("node-hours", f"{f.node_hours:,.1f}", "nodes that are there, spare or not")]
    )
    words = f"not scored; {f.censored_short_steps:,} short even of the bound"
    censored = [("censored", f"{f.censored_steps:,} steps", words)] if f.censored_steps else []
    words = "more replicas than --max are needed; the bound stops there too"
    above = [("above --max", f"{f.above_most_steps:,} steps", words)] if f.above_most_steps else []
    return [
        ("replica-hours", f"{f.replica_hours:,.1f}", "ready and starting replicas, over observed steps"),
        *nodes,
        ("over the clairvoyant bound", _part(f.over_bound, 3), f"of {f.bound_hours:,.1f} replica-hours"),
        *above,
        ("under-provisioned", f"{f.short_minutes:,.0f} min", f"{_percent(f.short_share)} of {f.hours:,.1f} h"),
        ("unserved demand", _percent(f.unserved_share), f"{f.unserved_hours:,.4g} in units of demand × hours"),
        ("worst shortage", f"{f.worst_missing} missing", f"{_percent(f.worst_share)} of that step's demand at worst"),
        ("longest shortage", f"{f.longest_short_minutes:,.0f} min", ""),
        ("churn", f"{_part(f.churn_per_hour, 2)} per h", "replicas added and removed"),
        ("direction changes", f"{_part(f.turns_per_day, 1)} per day", ""),
        ("realised / asked risk", _part(f.risk_ratio, 2), f"asked {_percent(f.risk_asked)}; {interval}"),
        ("unobserved", f"{f.unobserved_steps:,} steps", "neither scored nor paid"),
        *censored,
    ]


def _part(value: float | None, digits: int) -> str:
    return "unknown" if value is None else f"{value:,.{digits}f}"


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share * 100:.3g} %"


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
