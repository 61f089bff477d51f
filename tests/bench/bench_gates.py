"""What the gates of anomalies are worth, and what they cost: `make bench-gates`, or

    nice -n 15 .venv/bin/python -m tests.bench.bench_gates [--data DIR] [--docs DIR]

Synthetic loads, and recorded ones where they are there, each with signals made for it, through the live pipeline with
the gates on and off, over two weeks at five-minute steps. Incidents are injected at fixed moments that no setting
knows. Cost is in replica-hours, a missing replica counting 1 / risk; demand of attackers is not owed an answer.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from autoscaler.adapters.traces import read_trace
from autoscaler.bootstrap.anomaly_recorded import RecordedAnomalies, judged_recording
from autoscaler.bootstrap.cold_start import packaged_server
from autoscaler.bootstrap.worlds import World, twin
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import Floats, Panel, SeriesBatch
from autoscaler.domain.signals import Signal, SignalKind
from autoscaler.domain.workload import Actuation, Demand, Lead, Mode, ScalingRule, Target, Workload, WorkloadRef
from autoscaler.guards.chain import CHAIN
from autoscaler.simulator.run import Recording, Run
from autoscaler.spec.compile import HPA_SCALE_UP

ROOT: Final = Path(__file__).resolve().parents[2]
STEP_S, DAY, DAYS, JUDGED = 300, 288, 14, 9
FIRST: Final = 20_000 * DAY
RISK, LEAD_S, PEAK = 0.005, 300.0, 40
AT: Final = (10 * DAY + 130, 12 * DAY + 90)
READING: Final = (
    "Where demand is not seen, or what is seen is not believed, nothing shrinks and the forecast from the data before",
    "may add ([ADR 13](../adr/0013-the-forecast-goes-on-in-the-dark.md)). Where data is simply gone that needs no",
    "detector, so that gates change nothing. The first retry storm is owed all its answers: only replicas help, and no",
    "gate can gain. In the second the same callers ask twice and are owed one answer: nothing cuts below what is",
    "observed, so that it is paid for either way, and not to shrink while it fails costs a little. In the clean case",
    "some loads have incidents of their own, which change no decision.",
)
RECORDED: Final = (
    ("worldcup98", "workloads/worldcup98_1min.parquet", None, None),
    ("twitter", "workloads/twitter_stream_2021_1min.parquet", None, None),
    ("ms_cloud ingress-01", "anomalies/ms_cloud_monitoring.parquet", "data-ingress-rate/ingress-01", None),
    ("ms_cloud mongo-01", "anomalies/ms_cloud_monitoring.parquet", "mongodb-application-rps/mongo-01", None),
)


@dataclass(slots=True)
class Metrics:
    """One load, [step] each: what is owed an answer, what the demand metric shows, latency, errors, saturation."""

    owed: Floats
    seen: Floats
    latency: Floats
    errors: Floats
    cpu: Floats


def outage(m: Metrics, at: int, rng: np.random.Generator) -> None:
    """An hour behind a dead dependency: callers come through no more, and are all back at once."""
    cut = slice(at, at + 12)
    m.owed[cut] *= 0.2
    m.seen[cut] *= 0.2
    m.errors[cut] = 25 + rng.normal(0, 1, 12)
    m.latency[cut] *= 6
    m.cpu[cut] *= 0.2


def stuck(m: Metrics, at: int, rng: np.random.Generator) -> None:
    """The exporter of demand shows one value for four hours."""
    del rng
    m.seen[at : at + 48] = m.seen[at]


def gone(m: Metrics, at: int, rng: np.random.Generator) -> None:
    """The source of demand is away for four hours."""
    del rng
    m.seen[at : at + 48] = np.nan


def unit(m: Metrics, at: int, rng: np.random.Generator) -> None:
    """For two hours demand is a thousand times too large."""
    del rng
    m.seen[at : at + 24] *= 1000


def retries(m: Metrics, at: int, rng: np.random.Generator) -> None:
    """Half an hour of errors, and callers that ask again: twice the demand, all of which has to be answered."""
    cut = slice(at, at + 6)
    m.owed[cut] *= 2
    m.seen[cut] *= 2
    m.errors[cut] = 60 + rng.normal(0, 2, 6)
    m.cpu[cut] *= 1.2


def dead_end(m: Metrics, at: int, rng: np.random.Generator) -> None:
    """The same storm behind a dead dependency: who asks twice is owed one answer."""
    owed = m.owed.copy()
    retries(m, at, rng)
    m.owed[:] = owed


def attack(m: Metrics, at: int, rng: np.random.Generator) -> None:
    """Half an hour's climb to eight times the demand, then two hours of it; none of it is owed an answer."""
    del rng
    m.seen[at : at + 30] *= np.concatenate((np.linspace(1, 8, 6), np.full(24, 8.0)))


CASES: Final[tuple[tuple[str, Callable[[Metrics, int, np.random.Generator], None] | None], ...]] = (
    ("none (clean)", None), ("outage", outage), ("sensor stuck", stuck), ("sensor gone", gone),
    ("unit change", unit), ("retry storm", retries), ("retries at a dead end", dead_end), ("attack ramp", attack),
)  # fmt: skip


def loads(data: Path) -> dict[str, Floats]:
    """[step] of each load, DAYS long."""
    found: dict[str, Floats] = {}
    t = np.arange(DAYS * DAY) / DAY
    for seed, (noise, night) in enumerate(((0.03, 0.4), (0.08, 0.7), (0.15, 0.2))):
        rng = np.random.default_rng(seed)
        week = 1 - 0.3 * (np.floor(t) % 7 >= 5)
        found[f"synthetic {seed}"] = (
            (1 + night * np.sin(2 * np.pi * (t - 0.3))) * week * rng.lognormal(0, noise, len(t))
        )
    for name, file, series, column in RECORDED:
        path = data / file
        if not path.exists():
            print(f"{name}: {path} is not there; left out", file=sys.stderr)
            continue
        values = read_trace(path, column, series, STEP_S).values
        known = np.flatnonzero(np.isfinite(values))
        cut = values[known[0] :][: DAYS * DAY]
        if len(cut) < DAYS * DAY or np.isnan(cut).mean() > 0.05:
            print(f"{name}: {len(cut) / DAY:.1f} usable days; left out", file=sys.stderr)
            continue
        at = np.arange(len(cut))
        found[name] = np.interp(at, at[np.isfinite(cut)], cut[np.isfinite(cut)])
    return found


def metrics_of(load: Floats, seed: int) -> Metrics:
    rng = np.random.default_rng(100 + seed)
    n = len(load)
    full = load / np.quantile(load, 0.999)
    return Metrics(
        load.copy(), load.copy(), 0.1 * rng.lognormal(0, 0.1, n), np.abs(rng.normal(0.5, 0.2, n)),
        0.6 * full * rng.lognormal(0, 0.05, n),
    )  # fmt: skip


def workload(name: str, load: Floats) -> Workload:
    kinds = (("p95", SignalKind.LATENCY), ("errors", SignalKind.ERRORS), ("cpu", SignalKind.SATURATION))
    return Workload(
        ref=WorkloadRef("bench", name), target=Target("apps/v1", "Deployment", name),
        demands=(Demand("requests", "rec", name, float(np.quantile(load[: JUDGED * DAY], 0.999)) / PEAK),),
        min_replicas=1, max_replicas=100_000, lead=Lead(LEAD_S), mode=Mode.ACT, actuation=Actuation.SCALE, risk=RISK,
        scale_up=ScalingRule(0, HPA_SCALE_UP), max_data_age_s=900.0,
        signals=tuple(Signal(signal, "rec", f"{name}-{signal}", kind) for signal, kind in kinds),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figures:
    """Over all loads, per load and judged day: replica-hours, replica-hours short, cost, and changes of mind."""

    replica_hours: float
    short_hours: float
    cost: float
    changes: float


def run(fleet: Fleet, every: Sequence[Metrics], *, gates: bool) -> tuple[Figures, RecordedAnomalies | None]:
    owed, seen = (_panel(np.stack([getattr(m, name) for m in every])) for name in ("owed", "seen"))
    found = None
    if gates:
        signals = np.concatenate([np.stack([m.latency, m.errors, m.cpu]) for m in every])
        found = judged_recording(seen, fleet, signals)
    simulated = Run(
        fleet, Recording(owed, seen), twin(fleet.workloads, STEP_S, World()), FIRST, FIRST + DAYS * DAY,
        server=packaged_server(), guards=CHAIN, block_steps=DAY, detector=found,
        learn=None if found is None else found.learn,
    )  # fmt: skip
    totals = np.zeros(3)
    for log, m in zip(simulated.finish(), every, strict=True):
        cut = slice(JUDGED * DAY, None)
        need = np.ceil(m.owed[cut] / log.capacity)
        ready = log.ready[cut]
        totals += (ready.sum(), np.maximum(need - ready, 0).sum(), np.count_nonzero(np.diff(log.granted[cut])))
    hours = totals * STEP_S / 3600 / len(every) / (DAYS - JUDGED)
    return Figures(hours[0], hours[1], hours[0] + hours[1] / RISK, totals[2] / len(every) / (DAYS - JUDGED)), found


def _panel(values: Floats) -> Panel:
    return Panel.of(SeriesBatch.judge(STEP_S, FIRST, values))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "benchmarks")
    asked = parser.parse_args(arguments)
    every = loads(asked.data)
    fleet = Fleet(tuple(workload(name.replace(" ", "-").replace("_", "-"), load) for name, load in every.items()))
    lines = []
    began = time.monotonic()
    for case, inject in CASES:
        rng = np.random.default_rng(9)
        made = [metrics_of(load, k) for k, load in enumerate(every.values())]
        for m in made:
            for at in AT if inject is not None else ():
                if inject is not None:
                    inject(m, at, rng)
        off, _ = run(replace(fleet), made, gates=False)
        on, found = run(replace(fleet), made, gates=True)
        causes = sorted(
            {f"{i.cause}" for i in found.incidents if i.opened_s >= (FIRST + JUDGED * DAY) * STEP_S} if found else []
        )
        lines.append(_line(case, off, on, ", ".join(causes) or "none"))
        print(lines[-1], f"({time.monotonic() - began:.0f} s)", flush=True)
    page = _page(tuple(every), lines)
    (asked.docs / "gates.md").write_text(page, encoding="utf-8")
    return 0


def _line(case: str, off: Figures, on: Figures, causes: str) -> str:
    pairs = (
        (off.replica_hours, on.replica_hours, ",.1f"), (off.short_hours, on.short_hours, ".2f"),
        (off.cost, on.cost, ",.0f"), (off.changes, on.changes, ".0f"),
    )  # fmt: skip
    hours, short, cost, changes = (f"{a:{form}} → {b:{form}}" for a, b, form in pairs)
    return f"| {case} | {hours} | {short} | {cost} | {on.cost / off.cost - 1:+.1%} | {changes} | {causes} |"


def _page(names: Sequence[str], lines: Sequence[str]) -> str:
    head = (
        "| incident | replica-hours | short | cost | change | changes a day | causes that were found |",
        "|---|---|---|---|---|---|---|",
    )
    return "\n".join(
        [
            "# Gates of anomalies: worth and price", "",
            f"`make bench-gates`, {datetime.now(UTC):%Y-%m-%d}, commit {_commit()};",
            f"{len(names)} loads ({', '.join(names)}),",
            f"{DAYS} days at {STEP_S // 60}-minute steps, the last {DAYS - JUDGED} judged; two incidents of a kind on",
            "every load; gates off → on, per load and day.",
            f"A missing replica counts {1 / RISK:.0f} running ones. Latency, errors and saturation are made for each",
            "load; of an attack nothing is owed an answer, of the first retry storm all of it. Engine, rules and",
            "thresholds are those of the product; nothing is fitted to these loads.",
            "", *head, *lines, "", *READING, "",
        ]
    )  # fmt: skip


def _commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(("git", "-C", str(ROOT), *words), capture_output=True, text=True, check=False).stdout

    changed = git("status", "--porcelain", "--", "autoscaler", "tests/bench/bench_gates.py")
    return (git("rev-parse", "--short", "HEAD").strip() or "unknown") + (" with changes" if changed else "")


if __name__ == "__main__":
    sys.exit(main())
