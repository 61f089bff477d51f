"""The page docs/benchmarks/decisions.md: what was compared, how, and who won. Losses stay in the tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autoscaler.simulator.rivals.tuned import paid_at
from tests.bench.decisions.aims import aims, broken
from tests.bench.decisions.standings import BEST, FLOOR, Case, Standing, as_we_are, in_hindsight, standings

COMMAND = "make bench-decisions"
OTHER_RISK = 0.01


@dataclass(frozen=True, slots=True)
class Told:
    """What the page says of the run itself. unfit: rivals that could not run, and why."""

    date: str
    commit: str
    took: str
    picture: str
    unfit: tuple[tuple[str, str], ...] = ()


def page(cases: Sequence[Case], risk: float, told: Told) -> str:
    parts = [
        _head(cases, risk, told),
        _summary(cases, risk),
        _aims(cases, risk),
        f"![Excess by method, and the best rival's cost by source]({told.picture})\n",
        _methods(cases, risk),
        _cells(cases, risk),
        _other(cases, OTHER_RISK),
        _method(risk, told),
        _each(cases, risk),
    ]
    return "\n".join(parts)


def _head(cases: Sequence[Case], risk: float, told: Told) -> str:
    traces = len({c.trace for c in cases})
    sources = list(dict.fromkeys(c.source for c in cases))
    return (
        f"# Decisions: Foresail beside its rivals\n\n"
        f"{traces} recorded loads of {len(sources)} sources ({', '.join(sources)}), {len(cases)} cases, asked risk "
        f"{risk:.1%}. `{COMMAND}`, {told.date}, commit {told.commit}; {told.took}.\n\n"
        "**Excess** is replica-hours over those of a clairvoyant, minus 1: less is better. **Realised ÷ asked** is the "
        "share of steps short of capacity over the asked one: above 1 the promise is broken, far below 1 it is "
        "overpaid. All means are geometric over excesses or costs, arithmetic over shares, and every source weighs "
        "the same.\n"
    )


def _summary(cases: Sequence[Case], risk: float) -> str:
    excess, ratio = as_we_are(cases, risk)
    chosen, there = in_hindsight(cases, risk)
    best, *others = standings(cases, risk)
    single = next((s for s in others if s.reached == s.cases), None)
    rows = [
        ("Foresail as it is", _number(excess), _number(ratio, 2), f"{len(cases)} of {len(cases)}"),
        ("Foresail, asked risk chosen in hindsight", _number(chosen), "1", f"{there} of {len(cases)}"),
        ("Best rival of each case, in hindsight", _number(best.excess), "1", f"{best.reached} of {best.cases}"),
        (
            "Best rival of each case, re-tuned each midnight, of those that kept the risk",
            _number(best.tuned_excess),
            _number(best.tuned_ratio, 2),
            f"{best.tuned_reached} of {best.cases}",
        ),
    ]
    if single is not None:
        rows.insert(
            3, (f"Best single rival ({single.name}), in hindsight", _number(single.excess), "1", _of(single, "reached"))
        )
    return (
        _table(("", "excess", "realised ÷ asked", "cases"), rows)
        + f"\nAt the shortage that Foresail realised, the best rival of each case, tuned for exactly that in "
        f"hindsight, costs {_number(best.at_ours)} times as much as Foresail as it is; Foresail is cheaper in "
        f"{best.dearer} of {best.at_ours_reached} cases.\n"
    )


def _aims(cases: Sequence[Case], risk: float) -> str:
    rows = [(a.what, _number(a.found, 2), a.aim, "held" if a.held else "**missed**") for a in aims(cases, risk)]
    late = broken(cases)
    kept = "On no case was a risk realised beyond what chance explains."
    if late:
        kept = "Realised beyond what chance explains (1.25 times the asked risk and 1.64 standard errors by days): "
        kept += "; ".join(late) + "."
    note = "Each case that ought to have been short in at least 100 steps is judged by itself: "
    return "## What we aim at\n\n" + _table(("", "found", "aim", ""), rows) + f"\n{note}{kept}\n"


def _methods(cases: Sequence[Case], risk: float) -> str:
    rows = [
        (
            s.name,
            _number(s.excess),
            _of(s, "reached"),
            _number(s.beside, 2),
            _number(s.tuned_excess),
            _number(s.tuned_ratio, 2),
            _number(s.at_ours),
            f"{s.dearer} of {s.at_ours_reached}",
        )
        for s in standings(cases, risk)
    ]
    heads = (
        "rival", "excess, in hindsight", "reaches the risk in", "÷ ours in hindsight",
        "excess, re-tuned daily", "realised ÷ asked", "cost ÷ ours at our shortage", "costs more than ours in",
    )  # fmt: skip
    return (
        "## Every rival\n\n"
        "A rival whose ladder does not get down to the asked risk in some case has no excess there; the column says in "
        "how many it does, and each comparison is over the cases that both have. "
        f"Re-tuned daily, `{BEST}` counts those that kept the risk. A ratio above 1: the rival costs more.\n\n"
        + _table(heads, rows)
    )


def _cells(cases: Sequence[Case], risk: float) -> str:
    rows = []
    for words, some in _groups(cases):
        excess, ratio = as_we_are(some, risk)
        chosen, _ = in_hindsight(some, risk)
        best = standings(some, risk)[0]
        rows.append(
            (words, str(len(some)), _number(excess), _number(ratio, 2), _number(chosen), _number(best.excess),
             _number(best.at_ours), f"{best.dearer} of {best.at_ours_reached}")
        )  # fmt: skip
    heads = (
        "", "cases", "ours as it is", "realised ÷ asked", "ours in hindsight", "best rival of each case, in hindsight",
        "its cost ÷ ours at our shortage", "costs more than ours in",
    )  # fmt: skip
    return "## By source, lead and size\n\n" + _table(heads, rows)


def _groups(cases: Sequence[Case]) -> Iterable[tuple[str, list[Case]]]:
    for source in dict.fromkeys(c.source for c in cases):
        yield source, [c for c in cases if c.source == source]
    for lead in sorted({c.lead_min for c in cases}):
        yield f"lead {lead} min", [c for c in cases if c.lead_min == lead]
    for peak in sorted({c.peak for c in cases}):
        yield f"{peak} replicas at peak", [c for c in cases if c.peak == peak]


def _other(cases: Sequence[Case], risk: float) -> str:
    chosen, there = in_hindsight(cases, risk)
    rows = [("Foresail", _number(chosen), f"{there} of {len(cases)}", "1")]
    rows += [(s.name, _number(s.excess), _of(s, "reached"), _number(s.beside, 2)) for s in standings(cases, risk)]
    return f"## At {risk:.1%}, everybody in hindsight\n\n" + _table(("", "excess", "cases", "÷ ours"), rows)


def _method(risk: float, told: Told) -> str:
    unfit = "".join(f"\n- not run: {name}: {why}" for name, why in told.unfit)
    return f"""## How

- **World.** A requested replica serves one lead (3 or 10 minutes) later, a removed one is gone at once, starting ones
  are paid. No data delay, no failing starts. Steps that were not observed are neither scored nor paid. A load whose
  step is longer than the lead is not scored at it (five-minute steps: 10 minutes alone). The load of alibaba, recorded
  every 10 s, is averaged into minutes.
- **Size.** Capacity is such that the 99.9th percentile of the load needs 60 replicas, and once more 320: rounding up
  hides a lot where the usual need is three.
- **Ours.** `Scale` through the live code path (`foresee`, `decide`, all guards), nothing chosen per load. Its own
  knob is the asked risk: "in hindsight" lies on the curve over eight asked risks.
- **Rivals.** Each over the ladder of its own knob (`simulator/rivals`). In hindsight: its frontier, straight between
  rungs, at exactly the share that is asked, which no operator can do. Re-tuned daily: each midnight the cheapest rung
  whose last 14 days, or what there is of them, kept the risk. Where figures differ from reference figures that are
  published elsewhere, `tests/bench/bench_rivals.py` explains the difference.
- **Warm-up.** 14 days, or a third of a shorter record, decided and tuned on, not scored.
- **Excesses** below {FLOOR} count as that, or near-perfect cases would rule the mean. The clairvoyant is never short.
- **Data.** The lists of loads, services and lost samples stand in `tests/bench/decisions/traces.py`; the
  {risk:.1%} is one value for all. Nothing was tuned on this table, but parts of the method were chosen on loads of the
  first sources.
- **Again.** `{COMMAND}` keeps the figures of finished jobs in `out/bench-decisions`, by the sources that they depend
  on, and goes on from there.{unfit}
"""


def _each(cases: Sequence[Case], risk: float) -> str:
    rows = []
    for c in cases:
        chosen, best, same = paid_at(c.ours, risk), c.cheapest(risk), c.cheapest(c.as_is.short)
        kept = [m for m in c.rivals if m.tuned is not None and m.tuned.short <= risk]
        daily = min(kept, key=lambda m: m.tuned.paid if m.tuned else 0.0) if kept else None
        rows.append(
            (
                c.trace,
                str(c.lead_min),
                str(c.peak),
                _number(c.as_is.paid / c.bound_hours - 1),
                _number(c.as_is.short / risk, 2),
                "never" if chosen is None else _number(chosen / c.bound_hours - 1),
                "none gets there" if best is None else f"{_number(best[1] / c.bound_hours - 1)} {best[0]}",
                "none kept it"
                if daily is None or daily.tuned is None
                else f"{_number(daily.tuned.paid / c.bound_hours - 1)} {daily.name}",
                "none gets there" if same is None else f"{_number(same[1] / c.as_is.paid)} {same[0]}",
            )
        )
    heads = (
        "load", "lead", "peak", "ours as it is", "realised ÷ asked", "ours in hindsight",
        "best rival, in hindsight", "best rival, re-tuned daily", "best rival's cost ÷ ours at our shortage",
    )  # fmt: skip
    return "## Every case\n\nExcesses here are as they are, without the floor.\n\n" + _table(heads, rows)


def _of(standing: Standing, field: str) -> str:
    return f"{getattr(standing, field)} of {standing.cases}"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|--:" * (len(heads) - 1) + "|"]
    return "\n".join((*lines, *("| " + " | ".join(row) + " |" for row in rows))) + "\n"
