"""`foresail get` of a cluster: PredictiveAutoscalers with their status, and lines of recent hours by the operator."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from autoscaler.cli.cluster_choice import ClusterOptions
from autoscaler.cli.inputs import output_kind
from autoscaler.domain.errors import Retryable

if TYPE_CHECKING:
    from rich.table import Table

    from autoscaler.bootstrap.onlooker import Onlooker
    from autoscaler.reporting.cluster_overview import ClusterRow

REFRESH_S = 5.0
_NUMBERS = frozenset({"CURRENT", "WANTED", "FLOOR", "PEAK P95", "NOW", "AGE"})


def onlooker(options: ClusterOptions) -> Onlooker:
    from autoscaler.bootstrap.onlooker import Onlooker

    operator = (options.operator_namespace, options.operator_service)
    return Onlooker.of(options.settings(), options.namespace, everywhere=options.all_namespaces, operator=operator)


def get_from_cluster(names: Sequence[str], options: ClusterOptions, *, watch: bool, output: str) -> None:
    """Print one row per object; with `watch` in a terminal, again and again until Ctrl-C."""
    from autoscaler.reporting.cluster_overview import cluster_dict

    output_kind(output)
    with closing(onlooker(options)) as view:
        if watch and output == "table" and sys.stdout.isatty():
            _watch(view, names)
            return
        rows, why_not = view.rows(names)
        if output == "json":
            told = {"at": datetime.now(UTC).isoformat(), "workloads": [cluster_dict(row) for row in rows]}
            print(json.dumps(told | {"recentMissing": why_not}, indent=2))  # noqa: T201
            return
        if not rows:
            where = f"namespace {view.namespace}" if view.namespace else "this cluster"
            print(f"there is no PredictiveAutoscaler in {where}", file=sys.stderr)  # noqa: T201
            return
        _print(rows, why_not)


def _print(rows: Sequence[ClusterRow], why_not: str | None) -> None:
    from autoscaler.cli.screen import screen

    console = screen()
    console.print(_table(rows, console.width, plain=_plain(console.encoding)))
    if why_not is not None:
        print(f"no lines of recent hours: {why_not}", file=sys.stderr)  # noqa: T201


def _watch(view: Onlooker, names: Sequence[str]) -> None:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from autoscaler.cli.screen import screen

    console = screen()
    last: list[ClusterRow] = []

    def frame() -> Group:
        nonlocal last
        trouble = None
        try:
            last, trouble = view.rows(names)
        except Retryable as why:  # an API server that is away for a moment ends no watch: what was seen last stays
            trouble = f"as it was last seen: {why}"
        head = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC  {len(last)} workloads  Ctrl-C ends"
        table = _table(last[: max(1, console.height - 4)], console.width, plain=_plain(console.encoding))
        foot = [Text(trouble, style="yellow")] if trouble else []
        return Group(Text(head, style="dim"), table, *foot)

    try:
        with Live(frame(), console=console, auto_refresh=False, screen=False) as live:
            while True:
                time.sleep(REFRESH_S)
                live.update(frame(), refresh=True)
    except KeyboardInterrupt:
        return


def _table(rows: Sequence[ClusterRow], width: int, *, plain: bool) -> Table:
    from rich.table import Table
    from rich.text import Text

    from autoscaler.reporting.cluster_overview import cluster_cells, cluster_columns

    now = datetime.now(UTC)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in cluster_columns(width):
        justify: Literal["left", "right"] = "right" if name in _NUMBERS else "left"
        table.add_column(name, justify=justify, no_wrap=name != "WORKLOAD", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in cluster_cells(row, now, width, plain=plain)))
    return table


def _plain(encoding: str) -> bool:
    """Whether the screen can show no more than ASCII."""
    return not encoding.lower().startswith("utf")
