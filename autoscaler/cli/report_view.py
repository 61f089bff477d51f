"""What `foresail report` prints: the answer, the claims and the main table; and how far it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn
from rich.table import Table

from autoscaler.cli.screen import screen
from autoscaler.reporting.report.answer import answer, risk_words, target_words
from autoscaler.reporting.report.columns import COLUMNS
from autoscaler.reporting.report.numbers import interval, minutes, moment, number, percent
from autoscaler.reporting.report.values import LEVELS, ClaimRow, Report

PARTS = ("simulating", "rivals", "our curve", "HPA targets")
SHARES = (0.12, 0.5, 0.3, 0.08)
"""Of the whole work, roughly, as measured."""


@contextmanager
def watched_parts(*, floor: bool) -> Iterator[Callable[[str, float], None] | None]:
    """A progress bar on stderr where somebody watches. floor: HPA targets are tried too."""
    if not sys.stderr.isatty():
        yield None
        return
    parts = dict(zip(PARTS, SHARES, strict=True)) if floor else dict(zip(PARTS[:-1], SHARES[:-1], strict=True))
    columns = (*Progress.get_default_columns()[:-1], TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(PARTS[0], total=sum(parts.values()))

        def told(part: str, share: float) -> None:
            names = list(parts)
            before = sum(parts[name] for name in names[: names.index(part)])
            bar.update(task, description=part, completed=before + share * parts[part])

        yield told


def print_report(report: Report, out: Path | None) -> None:
    """The answer and the claims; the methods too unless a file was written that has them."""
    console = screen()
    said = answer(report)
    for caveat in (*report.caveats, *report.mix):
        console.print(f"! {caveat}", style="bold yellow", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{said.verdict}: {said.headline}", style="bold", markup=False, highlight=False, soft_wrap=True)
    console.print(_claims(report))
    for sentence in said.sentences[1:]:
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)
    if out is not None:
        console.print(f"report: {out}", markup=False, highlight=False, soft_wrap=True)
        return
    subject = report.subject
    console.print(
        f"{subject.name}: {moment(subject.start)} to {moment(subject.end)} UTC, steps of {subject.step_s} s, "
        f"{subject.scored_hours:,.1f} h scored from {moment(subject.scored_from)}",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    console.print(_methods(report))
    console.print(risk_words(report.risk), markup=False, highlight=False, soft_wrap=True)
    console.print(target_words(report), markup=False, highlight=False, soft_wrap=True)
    for name, why in report.unfit:
        console.print(f"{name} could not run: {why}", style="dim", markup=False, soft_wrap=True)
    for line in (*report.limits, *report.notes):
        console.print(line, style="dim", markup=False, highlight=False, soft_wrap=True)


def _claims(report: Report) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("", overflow="fold")
    for name in ("replica-hours", "95 %", "less", "minutes short", "95 %", "fewer", "short"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, style="dim")
    for row in report.told_claims:
        table.add_row(*_claim(row))
    return table


def _claim(row: ClaimRow) -> tuple[str, ...]:
    return (
        row.title,
        number(row.replica_hours.value, 0),
        interval(row.replica_hours),
        "" if row.saving is None else percent(row.saving.value),
        minutes(row.short_minutes.value).split()[0],
        interval(row.short_minutes),
        "" if row.avoided_minutes is None else number(row.avoided_minutes.value, 0),
        percent(row.short_share),
        row.basis.value,
    )


def _methods(report: Report) -> Table:
    brief = [column for column in COLUMNS if column.brief]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("method", "tuned", "setting"):
        table.add_column(name, no_wrap=name != "method", overflow="fold")
    for column in brief:
        table.add_column(column.title, justify="right")
    for level in LEVELS:
        table.add_column(f"at {percent(level)}", justify="right", no_wrap=True)
    for method in report.methods:
        for at, row in enumerate(method.rows):
            costs = ["-" if c is None else number(c) for c in method.cost_at] if not at else [""] * len(LEVELS)
            figures = [column.cell(row.figures) for column in brief]
            table.add_row(method.title if not at else "", row.tuning, row.knob, *figures, *costs)
    return table
