"""What is asked of the forecasts, and whether it was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from autoscaler.learning.backtest.candidates import ENGINE
from autoscaler.learning.backtest.pooled import Measured, pooled

LOSS: Final = 0.60
POINTS: Final = 0.01
TAIL: Final = (0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Aim:
    words: str
    found: str
    reached: bool


def aims(measured: Sequence[Measured], rivals: Sequence[str], levels: tuple[float, ...]) -> tuple[Aim, ...]:
    """levels: of the series that has most of them. What could not be measured is not reached."""
    ours = pooled(measured, ENGINE, ENGINE)
    loss = ours.relative
    found = [
        Aim(
            f"quantile loss at most {LOSS:.2f} of seasonal-naive-day's (geometric mean)",
            _number(loss),
            loss is not None and loss <= LOSS,
        )
    ]
    coverage = dict(zip(levels, ours.peak_coverage, strict=False))
    for level in TAIL:
        share = coverage.get(level)
        found.append(
            Aim(
                f"coverage at {level:g} within {POINTS * 100:g} point",
                "not measured" if share is None else f"{share:.4f}",
                share is not None and abs(share - level) <= POINTS + 1e-12,
            )
        )
    for rival in rivals:
        theirs = pooled(measured, rival, ENGINE)
        ratio = theirs.against_us
        words = "not measured" if ratio is None else f"{ratio:.3f} times our loss, on {theirs.met} series"
        found.append(Aim(f"better than {rival} (its loss over ours above 1)", words, ratio is not None and ratio > 1))
    return tuple(found)


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3f}"
