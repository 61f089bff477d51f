"""The page docs/benchmarks/forecast.md: aims, models, sources and every series; losses stay in the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from autoscaler.learning.backtest.candidates import ENGINE
from autoscaler.learning.backtest.figures import Figures
from autoscaler.learning.backtest.plan import LIBRARY_STEP_S
from autoscaler.learning.backtest.pooled import Measured, Pooled, pooled
from autoscaler.learning.backtest.references import MOST_POINTS
from tests.bench.forecast.aims import Aim
from tests.bench.forecast.listed import LEFT_OUT

COMMAND = "make bench-forecast"


@dataclass(frozen=True, slots=True)
class Case:
    """One series. every_s: between origins. origins: that were scored for all models."""

    measured: Measured
    levels: tuple[float, ...]
    step_s: int
    every_s: int
    origins: int


@dataclass(frozen=True, slots=True)
class Told:
    """What the page says of the run itself. missing: model → why it did not take part."""

    date: str
    commit: str
    took_s: float
    days: int
    horizon_s: float
    missing: Mapping[str, str]


def page(cases: Sequence[Case], aims: Sequence[Aim], told: Told) -> str:
    measured = [case.measured for case in cases]
    models = tuple(dict.fromkeys(name for each in measured for name in each.figures))
    levels = max((case.levels for case in cases), key=len)
    return "\n".join(
        (
            _head(cases, aims, told),
            _models([pooled(measured, model, ENGINE) for model in models], levels),
            _sources(measured, models),
            _series(cases, models),
            _method(told),
        )
    )


def _head(cases: Sequence[Case], aims: Sequence[Aim], told: Told) -> str:
    sources = tuple(dict.fromkeys(case.measured.source for case in cases))
    missed = [aim for aim in aims if not aim.reached]
    verdict = "Every aim is reached." if not missed else f"**{len(missed)} of {len(aims)} aims are missed.**"
    absent = "".join(f"\n**{name} did not take part: {why}.**\n" for name, why in told.missing.items())
    rows = "\n".join(f"| {aim.words} | {aim.found} | {'yes' if aim.reached else '**no**'} |" for aim in aims)
    return (
        f"# Forecasts: Foresail beside seasonal-naive, ETS, Theta and Prophet\n\n"
        f"{len(cases)} recorded loads of {len(sources)} sources ({', '.join(sources)}); the peak of demand over the "
        f"coming {told.horizon_s / 60:g} minutes, {sum(case.origins for case in cases):,} forecasts per model. "
        f"`{COMMAND}`, {told.date}, commit {told.commit}; {told.took_s / 60:.0f} minutes by the clock.\n\n"
        f"{verdict}\n{absent}\n| aim | found | reached |\n|---|---|---|\n{rows}\n"
    )


def _models(found: Sequence[Pooled], levels: tuple[float, ...]) -> str:
    heads = "".join(f" peaks within Q{level:g} |" for level in levels)
    rows = []
    for each in sorted(found, key=lambda p: (p.relative is None, p.relative or 0.0)):
        shares = list(each.peak_coverage) + [None] * (len(levels) - len(each.peak_coverage))
        us = "–" if each.model == ENGINE else f"{each.beats_us} of {each.met}"
        rows.append(
            f"| {each.model} | {_number(each.relative)} | {_number(each.mase)} |"
            + "".join(f" {_number(share)} |" for share in shares)
            + f" {_number(each.against_us)} | {each.beats_baseline} of {each.compared} | {us} |"
        )
    return (
        "## Models\n\nMeans are geometric over losses and arithmetic over shares, and every source weighs the same.\n\n"
        f"| model | loss ÷ seasonal-naive-day | MASE |{heads} loss ÷ ours | beats the baseline in | beats us in |\n"
        f"|---|--:|--:|{'--:|' * len(levels)}--:|--:|--:|\n" + "\n".join(rows) + "\n"
    )


def _sources(measured: Sequence[Measured], models: Sequence[str]) -> str:
    rows = []
    for source in dict.fromkeys(each.source for each in measured):
        of = [each for each in measured if each.source == source]
        losses = "".join(f" {_number(pooled(of, model, ENGINE).relative)} |" for model in models)
        rows.append(f"| {source} | {len(of)} |{losses}")
    heads = "".join(f" {model} |" for model in models)
    return (
        f"## Loss by source, over seasonal-naive-day's\n\n| source | series |{heads}\n|---|--:|{'--:|' * len(models)}\n"
        + "\n".join(rows)
        + "\n"
    )


def _series(cases: Sequence[Case], models: Sequence[str]) -> str:
    rows = []
    for case in cases:
        figures = case.measured.figures
        losses = "".join(f" {_loss(figures.get(model))} |" for model in models)
        ours = figures.get(ENGINE)
        shares = "–" if ours is None else " ".join(f"{share:.3f}" for share in ours.peak_coverage)
        rows.append(
            f"| {case.measured.series} | {case.step_s} s | {case.every_s // 60} min | {case.origins} |{losses} "
            f"{shares} |"
        )
    heads = "".join(f" {model} |" for model in models)
    return (
        "## Every series\n\nLoss over seasonal-naive-day's; the last column is our coverage at "
        f"{', '.join(f'{level:g}' for level in max((c.levels for c in cases), key=len))}.\n\n"
        f"| series | step | origins every | origins |{heads} coverage |\n"
        f"|---|--:|--:|--:|{'--:|' * len(models)}---|\n" + "\n".join(rows) + "\n"
    )


_METHOD: Final = """## Method

- At each origin a model is told what was known before it, and answers for the peak of the window that begins there and
  reaches {horizon:g} minutes ahead. Demand that was only partly observed is no peak. The baseline is
  seasonal-naive-day.
- From each series at most {days} days are taken: 14 to learn from, 14 that count; of a shorter record a third and the
  rest. Origins are sampled: one an hour, closer where the days to learn from are few, at multiples of that spacing.
  The origins that count are the same for all models of a series.
- Loss: pinball at .5, .9, .95 and .99, summed. Foresail's first three are what it serves; .99 comes from a second
  instance that is asked for it too. Every other model says one number, and its quantiles come from its own errors of
  the last 7 days at these origins (conformal), in the same way for all: what differs is the forecast.
- Libraries see means of at least {least} minutes, the newest {points:,} of them, and gaps filled with the day before.
  ETS (additive, damped trend, daily season) learns its parameters once a day and takes in new points at each origin;
  Theta is fitted at each origin; Prophet with its defaults once a day, and it takes in nothing in between.
- Their fits run in processes of their own with limits; one that is lost has no figures and is named.
- Left out: {left_out}.
"""


def _method(told: Told) -> str:
    return _METHOD.format(
        horizon=told.horizon_s / 60, days=told.days, least=LIBRARY_STEP_S // 60, points=MOST_POINTS,
        left_out="; ".join(LEFT_OUT),
    )  # fmt: skip


def _loss(figures: Figures | None) -> str:
    return "–" if figures is None else _number(figures.relative)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
