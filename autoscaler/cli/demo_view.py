"""The live view of the demo: what demand does, what was decided and why, and the running bill of both sides.

Shows what it is given and decides nothing. Without a terminal it prints plain lines instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

import numpy as np
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from autoscaler.cli.demo_chart import Strips, chart, legend
from autoscaler.domain.series import Floats
from autoscaler.simulator.runlog import Figures

_STATE_STYLES = {
    "Active": "bold green",
    "Advisory": "bold blue",
    "Learning": "bold cyan",
    "Holding": "bold yellow",
    "Paused": "bold magenta",
}
_NARROW = 76
_NUMBERS_WIDTH = 40
_NUMBERS_LINES = 10


@dataclass(frozen=True, slots=True)
class Totals:
    """Since the start of the run; cost and shortage always stand together."""

    replica_hours: float
    short_minutes: float


@dataclass(frozen=True, slots=True, eq=False)
class DemoFrame:
    """The present of a run. Arrays are [step], about the last day, and end at `now`; NaN = unknown.

    decisions: the last few notable ones, oldest first, as (time, sentence). progress: 0 to 1.
    """

    now: datetime
    step_s: int
    progress: float
    state: str
    demand: Floats
    p50: Floats
    p95: Floats
    capacity: Floats
    hpa_capacity: Floats
    wanted: int
    granted: int
    ready: int
    hpa_ready: int
    decisions: tuple[tuple[datetime, str], ...]
    ours: Totals
    hpa: Totals


class DemoView:
    """Use as a context and feed it frames. On a terminal it draws over itself; elsewhere it prints lines."""

    def __init__(
        self,
        title: str,
        console: Console | None = None,
        *,
        unit: str = "requests/s",
        names: tuple[str, str] = ("Foresail", "HPA"),
    ) -> None:
        self._title = title
        self._console = console or Console()
        self._unit = unit
        self._names = names
        self._live: Live | None = None
        self._last: DemoFrame | None = None
        self._day_start: tuple[Totals, Totals] = (Totals(0, 0), Totals(0, 0))

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
            self._live.start()
        else:
            self._say(self._title)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        elif self._last is not None and kind is None:
            self._say_day(self._last)

    def update(self, frame: DemoFrame) -> None:
        """Show a frame; frames come in order of time."""
        if self._live is not None:
            self._live.update(self.render(frame, self._console.width, self._console.height), refresh=True)
        else:
            self._say_news(frame)
        self._last = frame

    def render(self, frame: DemoFrame, width: int, height: int) -> RenderableType:
        """The whole screen, at most `height` - 1 lines (but 20 at the least)."""
        narrow = width < _NARROW
        numbers = self._numbers(frame)
        spare = height - 1 - 2 - 6 - _NUMBERS_LINES  # heading, what frames the plot
        plot = int(np.clip(spare - (6 if narrow and spare >= 10 else 0), 2, 16)) // 2 * 2
        strips = Strips(frame.demand, frame.p95, frame.capacity, frame.hpa_capacity)
        lines = chart(strips, frame.now, frame.step_s, width=width - 4, height=plot, names=self._names)
        upper = Panel(
            Group(*lines, legend(self._names)),
            box=box.ROUNDED,
            border_style="bright_black",
            title=f"last 24 h, {self._unit}",
        )
        if not narrow:
            row = Table.grid(expand=True)
            row.add_column(width=_NUMBERS_WIDTH)
            row.add_column(ratio=1)
            row.add_row(numbers, self._decisions(frame, _NUMBERS_LINES - 2))
            return Group(self._heading(frame, width), upper, row)
        room = spare - plot - 2
        return Group(
            self._heading(frame, width), upper, numbers, *([self._decisions(frame, room)] if room >= 2 else [])
        )

    def _heading(self, frame: DemoFrame, width: int) -> RenderableType:
        row = Table.grid(expand=True, padding=(0, 1, 0, 0))
        row.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        row.add_column(justify="right", no_wrap=True)
        when = Text(f"{frame.now:%a %d %b %H:%M} UTC  ").append(frame.state, _STATE_STYLES.get(frame.state, "bold"))
        row.add_row(Text(self._title, "bold"), when)
        bar = Table.grid(expand=True)
        bar.add_row(ProgressBar(total=1.0, completed=float(np.clip(frame.progress, 0, 1)), width=width))
        return Group(row, bar)

    def _numbers(self, frame: DemoFrame) -> Panel:
        ours, hpa = self._names
        now = Table.grid(expand=True)
        now.add_column(ratio=1, no_wrap=True)
        now.add_column(justify="right", no_wrap=True)
        for label, value in (
            ("demand now", _known(_newest(frame.demand))),
            ("coming peak, p50 – p95", f"{_known(_newest(frame.p50))} – {_known(_newest(frame.p95))}"),
            ("replicas wanted → granted", f"{frame.wanted} → {frame.granted}"),
            (f"ready: {ours} / {hpa}", f"{frame.ready} / {frame.hpa_ready}"),
        ):
            now.add_row(label, Text(value, "bold"))
        bill = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="dim")
        bill.add_column("so far", no_wrap=True)
        bill.add_column("replica-h", justify="right", no_wrap=True)
        bill.add_column("short min", justify="right", no_wrap=True)
        for name, totals in ((ours, frame.ours), (hpa, frame.hpa)):
            short = Text(f"{totals.short_minutes:,.0f}", "bold red" if totals.short_minutes else "green")
            bill.add_row(name, f"{totals.replica_hours:,.0f}", short)
        return Panel(
            Group(now, Text(""), bill), box=box.ROUNDED, border_style="bright_black", title="now", height=_NUMBERS_LINES
        )

    def _decisions(self, frame: DemoFrame, rows: int) -> Panel:
        """Newest first, so that what does not fit is the oldest."""
        table = Table.grid(padding=(0, 1, 0, 0), expand=True)
        table.add_column(no_wrap=True, style="dim")
        table.add_column(ratio=1)
        for when, words in frame.decisions[: -rows - 1 : -1]:
            table.add_row(f"{when:%H:%M}", Text(words))
        return Panel(table, box=box.ROUNDED, border_style="bright_black", title="decisions", height=rows + 2)

    def _say_news(self, frame: DemoFrame) -> None:
        """Notable decisions since the last frame, after the summary of a day that has ended."""
        last = self._last
        if last is not None and last.now.date() != frame.now.date():
            self._say_day(last)
            self._day_start = (last.ours, last.hpa)
        for when, words in frame.decisions:
            if last is None or when > last.now or (when == last.now and (when, words) not in last.decisions):
                self._say(f"{when:%Y-%m-%d %H:%M}  {words}")

    def _say_day(self, frame: DemoFrame) -> None:
        parts = (
            f"{name} {now.replica_hours - start.replica_hours:,.1f} replica-hours, "
            f"{now.short_minutes - start.short_minutes:,.0f} min short"
            for name, now, start in zip(self._names, (frame.ours, frame.hpa), self._day_start, strict=True)
        )
        self._say(f"{frame.now:%Y-%m-%d}  day: {' | '.join(parts)}")

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def final_table(figures: Mapping[str, Figures], title: str = "") -> Table:
    """The closing comparison; the first is ours, and the others' cost is given relative to it."""
    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for head in ("replica-hours", "short min", "of time", "unserved", "longest", "changes/h"):
        table.add_column(head, justify="right", overflow="fold")
    base = next(iter(figures.values())).replica_hours if figures else 0.0
    for k, (name, f) in enumerate(figures.items()):
        relative = f" ({f.replica_hours / base - 1:+.1%})" if k and base else ""
        table.add_row(
            Text(name, "bold" if k == 0 else ""),
            f"{f.replica_hours:,.1f}{relative}",
            f"{f.short_minutes:,.0f}",
            f"{f.short_share:.2%}",
            f"{f.unserved_share:.3%}",
            f"{f.longest_short_minutes:,.0f} min",
            f"{f.churn_per_hour:.2f}",
        )
    return table


def _newest(values: Floats) -> float:
    return float(values[-1]) if values.size else float("nan")


def _known(value: float) -> str:
    return "unknown" if np.isnan(value) else f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
