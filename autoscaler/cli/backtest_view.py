"""What `foresail backtest` prints: a table per series and window, the means over series, and how far it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import Progress, TimeRemainingColumn
from rich.table import Table

from autoscaler.cli.screen import screen
from autoscaler.reporting.backtest.values import BacktestReport, ModelRow
from autoscaler.reporting.report.numbers import duration, moment, percent


@contextmanager
def watched_backtest() -> Iterator[Callable[[str, float], None] | None]:
    """A progress bar with the time that is left, on stderr where somebody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (*Progress.get_default_columns()[:-1], TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)


def print_backtest(report: BacktestReport, out: Path | None) -> None:
    """All tables; where a file was written, only the means and where it is."""
    console = screen()
    for warning in report.warnings:
        _say(console, f"! {warning}", style="bold yellow")
    for pooled in report.pooled:
        _say(console, f"all {pooled.series} series, windows of {duration(pooled.horizon_s)}")
        console.print(_pooled(pooled.rows, pooled.levels))
    for part in report.parts if out is None or not report.pooled else ():
        _say(
            console,
            f"{part.series}, windows of {duration(part.horizon_s)}: {part.origins} origins, one each "
            f"{duration(part.every_s)}, scored from {moment(part.scored_from)} to {moment(part.end)} UTC",
        )
        console.print(_one(part.rows, part.levels))
        for row in part.rows:
            if row.why is not None:
                _say(console, f"! {row.model} has no figures: {row.why}", style="yellow")
    for note in report.notes:
        _say(console, note, style="dim")
    if out is not None:
        _say(console, f"backtest: {out}")


def _say(console: Console, words: str, style: str | None = None) -> None:
    console.print(words, style=style, markup=False, highlight=False, soft_wrap=True)


def _table(heads: tuple[str, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("model", no_wrap=True)
    for head in heads:
        table.add_column(head, justify="right")
    return table


def _one(rows: tuple[ModelRow, ...], levels: tuple[float, ...]) -> Table:
    table = _table(
        (
            "loss ÷ base", "loss", "MASE", *(f"peak≤Q{level:g}" for level in levels),
            *(f"step≤Q{level:g}" for level in levels), "Q.95÷peak", "÷ clairvoyant", "short",
        )
    )  # fmt: skip
    for row in rows:
        sizing = row.sizing
        table.add_row(
            row.model, _figure(row.relative), _figure(row.loss, 4), _figure(row.mase),
            *_shares(row.peak_coverage, levels), *_shares(row.step_coverage, levels), _figure(row.size, 2),
            "-" if sizing is None else _figure(sizing.over_bound),
            "-" if sizing is None else percent(sizing.short_share),
            style="bold" if row.ours else None,
        )  # fmt: skip
    return table


def _pooled(rows: tuple[ModelRow, ...], levels: tuple[float, ...]) -> Table:
    table = _table(
        (
            "loss ÷ base", "MASE", *(f"peak≤Q{level:g}" for level in levels), "loss ÷ ours", "beats base", "beats us",
        )
    )  # fmt: skip
    for row in rows:
        table.add_row(
            row.model, _figure(row.relative), _figure(row.mase), *_shares(row.peak_coverage, levels),
            _figure(row.against_us), _of(row.beats_baseline), "-" if row.ours else _of(row.beats_us),
            style="bold" if row.ours else None,
        )  # fmt: skip
    return table


def _figure(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _shares(found: tuple[float, ...], levels: tuple[float, ...]) -> list[str]:
    return [percent(share) for share in found] + ["-"] * (len(levels) - len(found))


def _of(found: tuple[int, int] | None) -> str:
    return "-" if found is None else f"{found[0]} of {found[1]}"
