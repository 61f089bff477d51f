"""`foresail train`: one's own demand in, the next generation of the global model out; never put into force here.

The work is done in a process of its own with limits of time and memory (`models_training`).
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np

from autoscaler.adapters.artefacts import ModelFolder, write_artefact
from autoscaler.adapters.traces import Trace, read_each
from autoscaler.bootstrap.models_training import Trained, TrainingLimits, train_limited
from autoscaler.bootstrap.recorded import prometheus_trace
from autoscaler.bootstrap.training_cards import card_text, manifest_of, write_card
from autoscaler.bootstrap.training_kept import kept_series
from autoscaler.domain.errors import Refused, SourceDown
from autoscaler.forecasting.pretrained import EXPECTED
from autoscaler.learning.global_model import GlobalPlan, learn_globally
from autoscaler.learning.training_samples import Learnable
from autoscaler.ports.artefacts import Signer

LEAST_STEPS: Final = 30
"""A shorter series gives next to no pair."""


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """series: to learn from. passed_over: why each other one is not."""

    series: tuple[Learnable, ...]
    passed_over: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """What a training is to make of it. now: when it is made, aware."""

    plan: GlobalPlan
    now: datetime
    limits: TrainingLimits = field(default_factory=TrainingLimits)


def of_files(files: Sequence[tuple[str, Path]], step_s: int | None, column: str | None) -> Gathered:
    """Every series of each (source, file). A file that cannot be read is refused; a bad series is passed over."""
    found: list[Learnable] = []
    passed_over: list[str] = []
    for source, path in files:
        good, refused = read_each(path, step_s, column)
        found += [_learnable(source, trace) for trace in good.values()]
        passed_over += refused.values()
    return _usable(found, passed_over)


def of_queries(url: str, queries: Sequence[tuple[str, str]], since_s: float, step_s: int, now_s: float) -> Gathered:
    """The newest range of each (name, PromQL). A query without an answer is passed over; SourceDown if all are."""
    found: list[Learnable] = []
    passed_over: list[str] = []
    for name, query in queries:
        try:
            trace = prometheus_trace(url, query, since_s, step_s, now_s)
        except (Refused, SourceDown) as why:
            passed_over.append(f"{name}: {why}")
            if isinstance(why, SourceDown) and not found:
                raise
            continue
        found.append(_learnable("prometheus", replace(trace, name=name)))
    return _usable(found, passed_over)


def of_kept_demand(path: Path) -> Gathered:
    """All that a service keeps of its workloads' demand, each on its finest grid; the file is only read."""
    return _usable(list(kept_series(path)), [])


def check_left_out(names: Sequence[str], sources: Collection[str]) -> None:
    """Refused where a name is no source, or nothing but them is there."""
    there = ", ".join(sorted(sources))
    for name in names:
        if name not in sources:
            raise Refused(f"--leave-out {name!r} is no source with a series to learn from; there are {there}")
    if names and not set(sources) - set(names):
        raise Refused(f"--leave-out takes out every source ({there}), and nothing is left to learn from; keep one")


def train(models: ModelFolder, gathered: Gathered, order: Order, *, signer: Signer | None = None) -> Trained:
    """The next generation in `models`, with its card; what is in force stays so."""
    if not gathered.series:
        raise Refused("no series to learn from: " + ("; ".join(gathered.passed_over[:5]) or "nothing was given"))
    check_left_out(order.plan.leave_out, {each.source for each in gathered.series})
    arguments = (gathered.series, order.plan, order.now)
    made = train_limited(models, EXPECTED, job, arguments, now=order.now, limits=order.limits, signer=signer)
    if made.manifest is not None:
        counts = Counter(each.source for each in gathered.series if each.source not in order.plan.leave_out)
        sources = [f"{source}: {count} series" for source, count in sorted(counts.items())]
        sources += [f"left out on purpose: {source}" for source in order.plan.leave_out]
        write_card(models.place(made.manifest.name, made.manifest.generation), card_text(made.manifest, sources))
    return made


def job(folder: Path, series: tuple[Learnable, ...], plan: GlobalPlan, now: datetime) -> None:
    """Runs in its own process; tells what it does on stderr."""
    begun_s = time.monotonic()

    def say(words: str) -> None:
        print(f"train: {time.monotonic() - begun_s:5.1f} s  {words}", file=sys.stderr, flush=True)  # noqa: T201

    found = learn_globally(series, plan, say)
    write_artefact(folder / "artefact", manifest_of(found, series, now), found.model.arrays())


def _usable(found: Sequence[Learnable], passed_over: Sequence[str]) -> Gathered:
    """Without series that are too short, or in which nothing was ever asked."""
    good, bad = [], list(passed_over)
    for each in found:
        known = each.values[~np.isnan(each.values)]
        if len(known) < LEAST_STEPS:
            bad.append(f"{each.name}: {len(known)} known steps; {LEAST_STEPS} are needed")
        elif not known.any():
            bad.append(f"{each.name}: zero throughout")
        else:
            good.append(each)
    return Gathered(tuple(good), tuple(bad))


def _learnable(source: str, trace: Trace) -> Learnable:
    """Lower bounds of demand are not learned from."""
    values = trace.values if trace.censored is None else np.where(trace.censored, np.nan, trace.values)
    return Learnable(source, trace.name, trace.step_s, trace.first_step, values)
