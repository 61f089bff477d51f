"""What the scoreboard asks of us, and whether it was held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.bench.decisions.standings import Case, even, geometric

CAUSAL, HINDSIGHT, WORST = 0.70, 0.90, 1.25
POOLED: Final = ((0.01, 1.15), (0.005, 1.15), (0.001, 1.5))
LEAST_SHORT_STEPS: Final = 100


@dataclass(frozen=True, slots=True)
class Aim:
    what: str
    found: float | None
    most: float

    @property
    def aim(self) -> str:
        return f"≤ {self.most:.2f}"

    @property
    def held(self) -> bool:
        return self.found is not None and self.found <= self.most


def aims(cases: Sequence[Case], risk: float) -> tuple[Aim, ...]:
    """Costs are ratios of excesses over the clairvoyant, ours at the asked risk and nothing chosen afterwards."""
    worst = [(ratio, c.name) for c in cases if (ratio := _beside_hindsight(c)) is not None]
    most, where = max(worst, default=(None, "no case"))
    pooled = tuple(
        Aim(f"realised ÷ asked, asked {asked:.1%}", even((c.source, c.ours.short[c.asked.index(asked)] / asked)
            for c in cases), limit)
        for asked, limit in POOLED
    )  # fmt: skip
    return (
        Aim("excess ÷ that of the best rival of each case, re-tuned daily", _mean(cases, _beside_causal(risk)), CAUSAL),
        Aim("excess ÷ that of the best rival of each case, in hindsight, at the shortage that we realised",
            _mean(cases, _beside_hindsight), HINDSIGHT),
        Aim(f"the same on the worst case ({where})", most, WORST),
        *pooled,
    )  # fmt: skip


def broken(cases: Sequence[Case]) -> list[str]:
    """Cases and risks of which enough was to be seen, and which realised more than chance explains."""
    found = []
    for case in cases:
        for at, asked in enumerate(case.asked):
            realised = float(case.ours.short[at])
            enough = asked in {one for one, _ in POOLED} and asked * case.ours.steps >= LEAST_SHORT_STEPS
            if enough and realised > 1.25 * asked * (1 + 1.64 * case.error[at]):
                found.append(f"{case.name}, asked {asked:.1%}: {realised / asked:.2f} times")
    return found


def _beside_causal(risk: float) -> Callable[[Case], float | None]:
    """Over the cheapest of the re-tuned rivals that kept the risk."""

    def beside(case: Case) -> float | None:
        kept = [m.tuned.paid for m in case.rivals if m.tuned is not None and m.tuned.short <= risk]
        return case.excess(case.as_is.paid) / case.excess(min(kept)) if kept else None

    return beside


def _beside_hindsight(case: Case) -> float | None:
    best = case.cheapest(case.as_is.short)
    return None if best is None else case.excess(case.as_is.paid) / case.excess(best[1])


def _mean(cases: Sequence[Case], ratio: Callable[[Case], float | None]) -> float | None:
    found = [(c.source, one) for c in cases if (one := ratio(c)) is not None]
    return geometric(found)
