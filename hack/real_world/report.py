"""Figures of a proof as JSON, as the tables of docs/proof.md, and as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from hack.real_world.constants import STEP_S, Constants
from hack.real_world.proof import Found
from hack.real_world.samples import Figures
from hack.real_world.scene import Scene, time_of
from hack.real_world.twin import TwinRun, twin
from hack.real_world.worlds import World

COLUMNS = ("short minutes", "replica-hours", "of them Ready", "most replicas", "churn per hour")
HEAD = f"| {{}} | {' | '.join(COLUMNS)} |\n{'|---' * (len(COLUMNS) + 1)}|\n"


@dataclass(frozen=True, slots=True)
class Row:
    """Of one world. replica_hours: of replicas that exist, Ready or starting."""

    short_minutes: float
    replica_hours: float
    ready_hours: float
    most_replicas: int
    churn_per_hour: float

    @staticmethod
    def real(figures: Figures) -> Row:
        hours = figures.replica_hours, figures.ready_hours
        return Row(figures.short_minutes, *hours, figures.most_replicas, figures.churn_per_hour)

    @staticmethod
    def twin(run: TwinRun) -> Row:
        most = int(run.existing.max())
        return Row(run.short_minutes, run.replica_hours, run.ready_hours, most, run.churn_per_hour)


Rows = Mapping[str, Row]


def twins(scene: Scene, constants: Constants, worlds: list[World], dark: range = range(0)) -> dict[str, Row]:
    return {w.name: Row.twin(twin(scene, constants, w, dark)) for w in worlds}


def contradictions(real: Mapping[str, Any], modelled: Mapping[str, Any], column: str, near: float) -> list[str]:
    """Pairs of worlds that one side puts in this order by more than `near`, and the other side the other way round.

    What is alike (KEDA's HPA and an HPA at the same target are one algorithm) may fall either way.
    """
    found = []
    for a, b in combinations([name for name in real if name in modelled], 2):
        here, there = (getattr(rows[b], column) - getattr(rows[a], column) for rows in (real, modelled))
        if here * there < 0 and max(abs(here), abs(there)) > near:
            found.append(f"{column}: {b} less {a} is {here:+g} on real servers, {there:+g} in the simulator")
    return found


def table(title: str, rows: Rows) -> str:
    lines = [
        f"| {name} | {row.short_minutes:g} | {row.replica_hours:.1f} | {row.ready_hours:.1f} | {row.most_replicas} | "
        f"{row.churn_per_hour:.1f} |"
        for name, row in rows.items()
    ]
    return HEAD.format(title) + "\n".join(lines) + "\n"


def apart(real: Rows, modelled: Rows) -> dict[str, float]:
    """Percent by which the twin's replica-hours differ from the real ones."""
    return {name: round(100 * (modelled[name].replica_hours / real[name].replica_hours - 1), 2) for name in real}


def plain(rows: Rows) -> dict[str, Any]:
    return {name: asdict(row) for name, row in rows.items()}


def picture(found: Found, path: Path) -> None:
    """Demand in replicas, and each world's Ready replicas over it; short moments are shaded."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import DateFormatter
    from matplotlib.figure import Figure

    scene, worlds = found.scene, found.samples
    figure = Figure(figsize=(11, 3.1 * len(worlds) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(worlds), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, samples) in zip(panels, worlds.items(), strict=True):
        at = [time_of(s.at_s / STEP_S) for s in samples]
        need = [s.demand / scene.capacity for s in samples]
        ready = [s.ready for s in samples]
        axes.step(at, ready, where="post", color="#2563eb", lw=1.4, label="Ready replicas")
        axes.step(at, [s.floor for s in samples], where="post", color="#16a34a", lw=0.9, ls="--", label="minReplicas")
        axes.plot(at, need, color="#111827", lw=1.0, label="demand, in replicas")
        short = [n > r for n, r in zip(need, ready, strict=True)]
        axes.fill_between(at, need, ready, where=short, step="post", color="#dc2626", alpha=0.45, lw=0)
        for word, (low_s, high_s) in found.deaths.items():
            axes.axvspan(time_of(low_s / STEP_S), time_of(high_s / STEP_S), color="#9ca3af", alpha=0.3, lw=0)
            axes.annotate(f"{word} dead", (time_of(low_s / STEP_S), 0), fontsize=7, color="#374151")
        axes.axvline(time_of(scene.score_step), color="#9ca3af", lw=0.8, ls=":")
        f = found.figures[name]
        told = (
            f"short {f.short_minutes:g} min, {f.replica_hours:.1f} replica-hours, churn {f.churn_per_hour:.0f} per hour"
        )
        axes.set_title(f"{name}: {told}", loc="left", fontsize=10)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.2)
    panels[0].legend(loc="upper left", fontsize=8, frameon=False)
    panels[-1].xaxis.set_major_formatter(DateFormatter("%H:%M"))  # type: ignore[no-untyped-call]
    figure.suptitle(f"{scene.name}, {found.constants.speed}x, Ready after {found.constants.ready_s} s", fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
