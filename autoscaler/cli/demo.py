"""`foresail demo`: the real pipeline over an accelerated week, live in the terminal, with an honest end."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from rich.console import Console

from autoscaler.adapters.store import DecisionStore
from autoscaler.adapters.traces import Trace, read_trace
from autoscaler.bootstrap.demo import Knobs, Scene, Stage, held_spells
from autoscaler.cli.demo_view import DemoFrame, DemoView, Totals, final_table
from autoscaler.cli.inputs import folder, moment, seconds
from autoscaler.cli.screen import screen
from autoscaler.domain.decision import Decision, Decisions
from autoscaler.domain.errors import Refused
from autoscaler.domain.series import step_at, time_of
from autoscaler.domain.workload import WorkloadRef
from autoscaler.simulator.runlog import Figures, RunLog
from autoscaler.simulator.shop import LABEL, UNIT, ShopEvent, shop_load, shop_window
from autoscaler.spec.scalars import checked_risk, risk_of

DAY_S = 86400
SHOP_CAPACITY = 45.0
PEAK_REPLICAS = 60
WARM_DAYS, HISTORY_DAYS = 2, 15
LASTING_TICKS = 3
MOST_DEMAND = 1e15
RECORD = "demo-decisions.db"


@dataclass(frozen=True, slots=True)
class DemoOptions:
    trace: Path | None
    column: str | None
    series: str | None
    start: str | None
    days: int | None
    capacity: float | None
    lead: str
    risk: str
    hpa_target: int
    out: Path
    seconds: float
    seed: int


@dataclass(frozen=True, slots=True)
class Story:
    """A scene with the words around it."""

    scene: Scene
    title: str
    unit: str
    synthetic: bool
    events: tuple[ShopEvent, ...]
    notes: tuple[str, ...]


def run_demo(options: DemoOptions) -> None:
    """Play the week, then print the comparison and say where picture and record are."""
    for name, value in (("--seconds", options.seconds), ("--seed", options.seed)):
        if not 0 <= value < math.inf:
            raise Refused(f"{name} {value:g} must be zero or more")
    knobs = Knobs(seconds("--lead", options.lead), _risk(options.risk), _target(options.hpa_target), options.seed)
    story = _shop(options) if options.trace is None else _recorded(options, options.trace)
    console = screen()
    for note in story.notes:
        console.print(note, style="dim", markup=False)
    folder("--out", options.out)
    record_file = options.out / RECORD
    for stale in options.out.glob(f"{RECORD}*"):
        stale.unlink()
    with DecisionStore.open(record_file, tick_s=float(story.scene.step_s)) as record:
        news = _News(story.scene, record)
        logs = _play(story, Stage(story.scene, knobs, news), news, options.seconds, console)
    _close(story, knobs, logs, options.out, console)


class _News:
    """Keeps every decision on record and the notable ones as sentences: large moves, and holds that last."""

    def __init__(self, scene: Scene, record: DecisionStore) -> None:
        self._show_s, self._record = scene.show_step * scene.step_s, record
        self._held_ticks = 0
        self.lines: list[tuple[datetime, str]] = []
        self.newest: Decisions | None = None

    def __call__(self, decisions: Decisions) -> None:
        self.newest = decisions
        if decisions.now_s < self._show_s:
            return
        self._record.append(decisions)
        held = bool(decisions.held[0])
        before, self._held_ticks = self._held_ticks, self._held_ticks + 1 if held else 0
        if self._held_ticks == LASTING_TICKS or (before >= LASTING_TICKS and not held):
            self.lines.append(_sentence(decisions[0], "holding: " if held else "data is back: "))
        elif not held:
            current, granted = int(decisions.proposals.current[0]), int(decisions.granted[0])
            if abs(granted - current) >= max(3, current // 6):
                self.lines.append(_sentence(decisions[0], ""))

    def settle(self) -> None:
        """Wait until what was decided so far is on record: the demo runs faster than any service."""
        self._record.flush()


def _sentence(found: Decision, lead_in: str) -> tuple[datetime, str]:
    move = f"floor {found.current} → {found.granted}" if found.changes else f"floor stays at {found.granted}"
    return found.at, f"{lead_in}{move}: {'; '.join(found.words)}"


def _play(story: Story, stage: Stage, news: _News, pace_s: float, console: Console) -> tuple[RunLog, ...]:
    scene = story.scene
    shown = scene.end_step - scene.show_step
    frame_steps = max(1, 1200 // scene.step_s)
    before = scene.show_step - scene.first_step
    console.print(f"learning on the {before * scene.step_s / DAY_S:.0f} days before …")
    logs: tuple[RunLog, ...] = ()
    frame_s = pace_s * frame_steps / shown if sys.stdout.isatty() else 0.0
    with DemoView(story.title, console, unit=story.unit, names=("Foresail", "HPA 70%")) as view:
        due = time.monotonic()
        for logs in stage.play(frame_steps):
            view.update(_frame(scene, logs, news, shown))
            news.settle()
            due += frame_s
            time.sleep(max(0.0, due - time.monotonic()))
            due = max(due, time.monotonic() - 1.0)
    return logs


def _frame(scene: Scene, logs: tuple[RunLog, ...], news: _News, shown: int) -> DemoFrame:
    ours, hpa = logs[0], logs[1]
    day = max(1, DAY_S // scene.step_s)
    assert news.newest is not None  # noqa: S101 - a frame comes after its steps
    found = news.newest[0]
    mine, theirs = ours.figures(), hpa.figures()
    return DemoFrame(
        now=time_of(ours.first_step + ours.steps - 1, scene.step_s),
        step_s=scene.step_s,
        progress=ours.steps / shown,
        state=found.state,
        demand=ours.demand[-day:],
        p50=ours.p50[-day:],
        p95=ours.p95[-day:],
        capacity=np.asarray(ours.ready[-day:] * scene.capacity, dtype=np.float64),
        hpa_capacity=np.asarray(hpa.ready[-day:] * scene.capacity, dtype=np.float64),
        wanted=found.wanted,
        granted=found.granted,
        ready=int(ours.ready[-1]),
        hpa_ready=int(hpa.ready[-1]),
        decisions=tuple(news.lines[-12:]),
        ours=Totals(mine.replica_hours, mine.short_minutes),
        hpa=Totals(theirs.replica_hours, theirs.short_minutes),
    )


def _close(story: Story, knobs: Knobs, logs: tuple[RunLog, ...], out: Path, console: Console) -> None:
    from autoscaler.reporting.picture import draw_demo

    scene = story.scene
    console.print(final_table({log.name: log.figures() for log in logs}, title=story.title))
    ours = logs[0].figures()
    for rival in logs[1:3]:
        console.print(_compared(ours, rival), soft_wrap=True)
    console.print(f"short {ours.short_share:.2%} of the time; accepted risk {knobs.risk:.2%}")
    for first, end in held_spells(logs[0]):
        if (end - first) * scene.step_s >= 600:
            start, stop = time_of(first, scene.step_s), time_of(end, scene.step_s)
            console.print(f"held from {start:%a %H:%M} to {stop:%H:%M} UTC: demand was unknown, nothing shrank")
    subtitle = (
        f"one replica serves {scene.capacity:g} {story.unit} and is Ready after {knobs.lead_s:g} s; "
        f"accepted risk {knobs.risk:.2%}"
    )
    picture = draw_demo(
        out / "demo.png", logs, story.events,
        title=story.title, subtitle=subtitle, synthetic=story.synthetic, unit=story.unit, zoom=_zoom(story),
    )  # fmt: skip
    peak = time_of(logs[0].first_step + int(np.nanargmax(logs[0].demand)), scene.step_s)
    console.print(f"picture: {picture}", soft_wrap=True)
    question = f"explain {scene.ref} --store {out / RECORD} --at {peak:%Y-%m-%dT%H:%M:%SZ}"
    console.print(f"ask why: {_command()} {question}", soft_wrap=True)


def _command() -> str:
    """How this command was called, so that the next one can be copied."""
    called = Path(sys.argv[0])
    if called.name != "foresail":
        return "foresail"
    inside = called.is_absolute() and called.is_relative_to(Path.cwd())
    return str(called.relative_to(Path.cwd()) if inside else called)


def _compared(ours: Figures, rival: RunLog) -> str:
    """Both ways: what it costs or saves, and what it adds or removes in shortage."""
    theirs = rival.figures()
    hours = (ours.replica_hours / theirs.replica_hours - 1) * 100
    return (
        f"Foresail + HPA against {rival.name} alone: {hours:+.1f} % replica-hours, "
        f"{ours.short_minutes - theirs.short_minutes:+.0f} under-provisioned minutes"
    )


def _zoom(story: Story) -> tuple[int, int] | None:
    """Around the flash crowd, where there is one."""
    for event in story.events:
        if event.name == "flash crowd" and event.end_step < story.scene.end_step:
            hours = 3600 // story.scene.step_s
            return event.first_step - 3 * hours, min(event.end_step + 4 * hours, story.scene.end_step)
    return None


def _shop(options: DemoOptions) -> Story:
    for value, name in ((options.column, "--column"), (options.series, "--series"), (options.start, "--from")):
        if value is not None:
            raise Refused(f"{name} needs --trace FILE")
    window = shop_window()
    load = shop_load(window.first_step, window.end_step - window.first_step, seed=options.seed)
    days = 7 if options.days is None else options.days
    if not 1 <= days <= 7:
        raise Refused(f"--days {days}: the synthetic week has 1 to 7 days")
    end = window.week_step + days * DAY_S // load.step_s
    n = end - window.first_step
    scene = Scene(
        ref=WorkloadRef("shop", "web"),
        step_s=load.step_s,
        first_step=window.first_step,
        warm_step=window.week_step - WARM_DAYS * DAY_S // load.step_s,
        show_step=window.week_step,
        offered=load.demand[:n],
        seen=load.seen[:n],
        capacity=_capacity(options.capacity) or SHOP_CAPACITY,
    )
    note = f"{LABEL}: nothing here is measured; seed {options.seed}"
    title = f"{LABEL}, {'one week' if days == 7 else _days(days)}"
    events = tuple(e for e in load.events if e.first_step < end)
    return Story(scene, title, UNIT, synthetic=True, events=events, notes=(note,))


def _recorded(options: DemoOptions, path: Path) -> Story:
    trace = read_trace(path, options.column, options.series)
    days = 7 if options.days is None else options.days
    if days < 1:
        raise Refused(f"--days {days} must be at least 1")
    if trace.step_s > DAY_S:
        raise Refused(f"{path}: a sample every {trace.step_s / DAY_S:g} days; the demo needs at least one a day")
    day = DAY_S // trace.step_s
    start = moment("--from", options.start)
    show = trace.end_step - days * day if start is None else step_at(start, trace.step_s)
    end = show + days * day
    if show < trace.first_step + day or end > trace.end_step:
        raise Refused(
            f"--from/--days: {path} covers {trace.start:%Y-%m-%d %H:%M} to {trace.end:%Y-%m-%d %H:%M} UTC; the shown "
            f"part must lie in it with at least a day before it"
        )
    first = max(trace.first_step, show - HISTORY_DAYS * day)
    values = trace.values[first - trace.first_step : end - trace.first_step]
    given = _capacity(options.capacity)
    scene = Scene(
        ref=WorkloadRef("demo", "trace"),
        step_s=trace.step_s,
        first_step=first,
        warm_step=max(first + 1, show - WARM_DAYS * day),
        show_step=show,
        offered=values,
        seen=values,
        capacity=given or _typical(trace, values[: show - first]),
    )
    said = "given" if given else f"derived from the days before alone: their 99.9th percentile needs {PEAK_REPLICAS}"
    notes = (*trace.notes, f"capacity per replica {scene.capacity:.4g} ({said})")
    return Story(scene, f"{path.stem}, {_days(days)}", "demand", synthetic=False, events=(), notes=notes)


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def _typical(trace: Trace, before: np.ndarray) -> float:
    known = before[~np.isnan(before)]
    peak = float(np.quantile(known, 0.999)) if len(known) else 0.0
    if not peak > 0:
        raise Refused(f"{trace.name}: no demand above zero before the shown part; pass --capacity")
    if peak > MOST_DEMAND:
        raise Refused(f"{trace.name}: a demand of {peak:g} is no load of anything; check the unit of the values")
    return peak / PEAK_REPLICAS


def _capacity(value: float | None) -> float | None:
    if value is not None and not 0 < value <= MOST_DEMAND:
        raise Refused(f"--capacity {value:g} must be a positive number: the demand that one replica serves")
    return value


def _risk(text: str) -> float:
    try:
        return checked_risk(risk_of(text))
    except ValueError as error:
        raise Refused(f"--risk {text!r}: {error}") from None


def _target(percent: int) -> int:
    if not 1 <= percent <= 100:
        raise Refused(f"--hpa-target {percent} must be a percentage from 1 to 100")
    return percent
