"""`foresail get`: the workloads of a service at a glance, from its record; live with --watch."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from autoscaler.cli.inputs import output_kind
from autoscaler.domain.errors import Refused

if TYPE_CHECKING:
    from rich.table import Table

    from autoscaler.domain.record import RecordedRun
    from autoscaler.ports.records import DecisionReader
    from autoscaler.reporting.overview import Overview

REFRESH_S = 2.0
_RUNS = 2000

Look = Callable[[], tuple[list["Overview"], datetime]]


def get_workloads(names: Sequence[str], store: Path, *, watch: bool, output: str) -> None:
    """Print one row per workload; with `watch` in a terminal, again and again until Ctrl-C."""
    from autoscaler.adapters.store import DecisionStore

    output_kind(output)
    record = DecisionStore.open_read_only(store)

    def look() -> tuple[list[Overview], datetime]:
        return _rows(record, names, store), datetime.now(UTC)

    try:
        if output == "json":
            from autoscaler.reporting.overview import overview_dict

            rows, now = look()
            told = {"at": now.isoformat(), "workloads": [overview_dict(row, now) for row in rows]}
            print(json.dumps(told, indent=2))  # noqa: T201
        elif watch and sys.stdout.isatty():
            _watch(look, store)
        else:
            _print(look, store)
    finally:
        record.close()


def _rows(record: DecisionReader, names: Sequence[str], store: Path) -> list[Overview]:
    from autoscaler.bootstrap.settings import demand_file
    from autoscaler.cli.record import chosen

    refs = list(dict.fromkeys(chosen(record, name, store) for name in names)) or record.workloads()
    rows = []
    for ref in refs:
        try:
            run = record.run_at(ref)
        except Refused as why:
            print(f"foresail: {why}", file=sys.stderr)  # noqa: T201
            continue
        if run is None:
            continue
        rows.append(_with_demand(record, run, demand_file(store)))
    return rows


def _with_demand(record: DecisionReader, run: RecordedRun, kept: Path) -> Overview:
    """The demand that was kept step by step, and where it was not, the ranges in the record."""
    from autoscaler.bootstrap.kept_demand import recent_demand
    from autoscaler.reporting.overview import CELLS, SPAN_S, Overview, recorded_demand

    row, d = Overview(run, ()), run.decision
    if not d.demands:
        return row
    view = d.demands[row.shown]
    key = f"{d.workload}/{view.name}={view.source}:{view.query}"
    exact = recent_demand(kept, key, run.last_at.timestamp(), SPAN_S, CELLS)
    if all(value is not None for value in exact):
        return Overview(run, exact)
    ranges = record.history(d.workload, run.last_at - timedelta(seconds=SPAN_S), None, _RUNS)
    rough = recorded_demand(ranges, run.last_at, view.name)
    return Overview(run, tuple(r if e is None else e for e, r in zip(exact, rough, strict=True)))


def _print(look: Look, store: Path) -> None:
    from autoscaler.cli.screen import screen

    console = screen()
    rows, now = look()
    if not rows:
        print(f"{store} holds no decision yet", file=sys.stderr)  # noqa: T201
        return
    console.print(_table(rows, now, console.width, plain=_plain(console.encoding)))


def _watch(look: Look, store: Path) -> None:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from autoscaler.cli.screen import screen

    console = screen()

    def frame() -> Group:
        rows, now = look()
        plain = _plain(console.encoding)
        head = Text(f"{store}  {now:%Y-%m-%d %H:%M:%S} UTC  {len(rows)} workloads  Ctrl-C ends", style="dim")
        return Group(head, _table(rows[: max(1, console.height - 3)], now, console.width, plain=plain))

    try:
        with Live(frame(), console=console, auto_refresh=False, screen=False) as live:
            while True:
                time.sleep(REFRESH_S)
                live.update(frame(), refresh=True)
    except KeyboardInterrupt:
        return


def _table(rows: Iterable[Overview], now: datetime, width: int, *, plain: bool) -> Table:
    from rich.table import Table
    from rich.text import Text

    from autoscaler.reporting.overview import cells, columns

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    numbers = {"CURRENT", "WANTED", "GRANTED", "PEAK P95", "NOW", "AGE"}
    for name in columns(width):
        justify: Literal["left", "right"] = "right" if name in numbers else "left"
        table.add_column(name, justify=justify, no_wrap=name != "WORKLOAD", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in cells(row, now, width, plain=plain)))
    return table


def _plain(encoding: str) -> bool:
    """Whether the screen can show no more than ASCII."""
    return not encoding.lower().startswith("utf")
