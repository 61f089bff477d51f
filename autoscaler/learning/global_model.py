"""Trains the global model of the peak over many recorded demands, and measures it on what it has not seen.

Two measures: the newest part of every series (rolling origin: learned before, asked after), and whole sources that are
left out. Both beside a rule without learning: the highest of the last hour, times what is right over all series.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from autoscaler.domain.errors import Refused
from autoscaler.domain.forecast import LEVELS
from autoscaler.domain.series import Bools, Floats
from autoscaler.forecasting.pretrained import GlobalPeaks
from autoscaler.learning.training_samples import Learnable, Samples, samples_of
from autoscaler.learning.trees import TreePlan, fit_quantile

LEAST_PAIRS: Final = 500
"""Fewer say nothing about a quantile of .95."""
LEAST_TESTED: Final = 50
MOST_STEP_S: Final = 600
"""On a coarser grid a lead window is one step, and the same time yesterday says more than the last hour."""

HIGHEST: Final = ("newest", "max-1800s", "max-60m")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class GlobalPlan:
    """leads_s: for which it is trained. pairs: of features and peaks in all, shared evenly by the sources. held_out:
    share of every series, its newest, that only measures. leave_out: sources that are not learned from at all.
    """

    leads_s: tuple[int, ...] = (60, 180, 600, 1800)
    pairs: int = 240_000
    held_out: float = 0.2
    leave_out: tuple[str, ...] = ()
    levels: tuple[float, ...] = LEVELS
    trees: TreePlan = field(default_factory=TreePlan)
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """features: names, in order. pairs: learned from. series: of each source learned from. metrics: see `measured`."""

    model: GlobalPeaks
    features: tuple[str, ...]
    pairs: int
    series: dict[str, int]
    metrics: dict[str, float]


def learn_globally(series: Sequence[Learnable], plan: GlobalPlan, say: Say = lambda _: None) -> Learned:
    """The model, learned from all that is not left out; its metrics are of one that saw nothing of what measures it.

    Raises Refused where there is too little to learn from, or a source to leave out is not there.
    """
    sources = Counter(each.source for each in series)
    for name in plan.leave_out:
        if name not in sources:
            raise Refused(f"no source {name!r} to leave out; there are {', '.join(sorted(sources)) or 'none'}")
    kept = [each for each in series if each.source not in plan.leave_out]
    usable = [each for each in kept if each.step_s <= MOST_STEP_S]
    rng = np.random.default_rng(plan.seed)
    say(f"pairs of {len(usable)} series")
    before, after = (
        _pairs(usable, plan, rng, (0.0, 1 - plan.held_out)),
        _pairs(usable, plan, rng, (1 - plan.held_out, 1.0)),
    )
    if len(before) + len(after) < LEAST_PAIRS:
        raise Refused(
            f"{len(before) + len(after)} pairs of history and peak in {len(usable)} series with steps of at most "
            f"{MOST_STEP_S} s; at least {LEAST_PAIRS} are needed: give more workloads, or longer records"
        )
    apart = [each for each in series if each.source in plan.leave_out and each.step_s <= MOST_STEP_S]
    left_out = _pairs(apart, replace(plan, pairs=plan.pairs // 8), rng, (0.0, 1.0))
    metrics: dict[str, float] = {}
    if len(after) >= LEAST_TESTED and len(before) >= LEAST_PAIRS:
        trial = _fitted(before, usable, plan, lambda words: say(f"to be measured: {words}"))
        metrics |= measured(trial, before, after, "held-out")
    whole = Samples.joined([part for part in (before, after) if len(part)])
    model = _fitted(whole, usable, plan, say)
    if len(left_out) >= LEAST_TESTED:
        metrics |= measured(model, whole, left_out, "left-out")
    return Learned(model, whole.names, len(whole), dict(Counter(each.source for each in usable)), metrics)


def measured(model: GlobalPeaks, learned: Samples, asked: Samples, name: str) -> dict[str, float]:
    """Of each level: coverage, pinball loss in logarithms of the recent level, and its ratio to the simple rule's.

    young: the same for pairs of a short history alone. Below 1 is better than the rule.
    """
    found: dict[str, float] = {f"{name}.pairs": float(len(asked))}
    table = np.ascontiguousarray(asked.table.T)
    said: Floats = np.maximum.accumulate([trees.predict(table) for trees in model.trees], axis=0)
    for level, answer in zip(model.levels, said, strict=True):
        simple = _highest(asked) + float(np.quantile(learned.relative - _highest(learned), level))
        for part, chosen in (("", np.ones(len(asked), dtype=np.bool_)), ("young.", asked.young)):
            if int(chosen.sum()) < LEAST_TESTED:
                continue
            key = f"{name}.{part}q{round(level * 1000):03d}"
            found[f"{key}.coverage"] = float((asked.relative[chosen] <= answer[chosen] + 1e-9).mean())
            theirs = _pinball(asked, simple, chosen, level)
            found[f"{key}.loss"] = _pinball(asked, answer, chosen, level)
            if theirs > 0:
                found[f"{key}.loss-ratio"] = found[f"{key}.loss"] / theirs
    return found


def _highest(pairs: Samples) -> Floats:
    """[sample], the highest value of the last hour, as what is learned is told."""
    columns = [pairs.names.index(name) for name in HIGHEST]
    return np.fmax.reduce(pairs.table[:, columns], axis=1).astype(np.float64)


def _pinball(asked: Samples, answer: Floats, chosen: Bools, level: float) -> float:
    miss = (asked.relative - answer)[chosen]
    return float(np.where(miss > 0, level * miss, (level - 1) * miss).mean())


def _pairs(
    series: Sequence[Learnable], plan: GlobalPlan, rng: np.random.Generator, part: tuple[float, float]
) -> Samples:
    """Pairs whose lead windows lie within a part of each series; the sources share them evenly."""
    of_source = Counter(each.source for each in series)
    share = plan.pairs * (part[1] - part[0]) / max(1, len(of_source))
    found = []
    for each in series:
        leads = sorted({-(-lead_s // each.step_s) for lead_s in plan.leads_s})
        most = max(8, int(share / of_source[each.source] / len(leads)))
        first, end = (round(len(each.values) * at) for at in part)
        found += [samples_of(each, lead, most, rng, first=first, end=end) for lead in leads]
    return Samples.joined([each for each in found if len(each)])


def _fitted(pairs: Samples, series: Sequence[Learnable], plan: GlobalPlan, say: Say) -> GlobalPeaks:
    trees = []
    small = replace(plan.trees, least=min(plan.trees.least, max(20, len(pairs) // 200)))
    for level in plan.levels:
        say(f"quantile {level:g} over {len(pairs)} pairs")
        trees.append(fit_quantile(pairs.table, pairs.relative, level, small))
    steps = [each.step_s for each in series]
    most_lead_s = 2 * max(plan.leads_s)
    return GlobalPeaks(plan.levels, tuple(trees), min(steps) // 2, max(steps) * 2, most_lead_s, point=plan.levels[-1])
