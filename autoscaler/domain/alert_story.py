"""What a person who was woken reads beside the name of an alert: numbers, why, what was done, what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from autoscaler.domain.alert_text import is_plain

MOST_FIGURES: Final = 3
MOST_FIGURE: Final = 60
MOST_SENTENCE: Final = 600
MOST_COMMAND: Final = 300
MOST_POINTS: Final = 288


@dataclass(frozen=True, slots=True)
class Course:
    """How a metric went, for a small picture. step_s: seconds between two points. NaN = not known, never zero.

    expected: of the same length, or empty.
    """

    name: str
    step_s: float
    observed: tuple[float, ...]
    expected: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not (is_plain(self.name, MOST_FIGURE) and self.step_s > 0):
            raise ValueError(f"a course has a plain name and a step above zero: {self.name[:80]!r}, {self.step_s!r}")
        if not 0 < len(self.observed) <= MOST_POINTS or len(self.expected) not in {0, len(self.observed)}:
            raise ValueError(
                f"{len(self.observed)} points, {len(self.expected)} expected: at most {MOST_POINTS}, both as many"
            )


@dataclass(frozen=True, slots=True)
class Story:
    """All in plain text (`alert_text.plain`); what is empty is not known, and is not shown.

    figures: at most three names with a number and its unit. did: what Foresail did or refused. command: what stops
    Foresail there, ready to be pasted.
    """

    figures: tuple[tuple[str, str], ...] = ()
    why: str = ""
    did: str = ""
    next_step: str = ""
    command: str = ""
    course: Course | None = None

    def __post_init__(self) -> None:
        if len(self.figures) > MOST_FIGURES:
            raise ValueError(f"{len(self.figures)} figures: {MOST_FIGURES} are what a person takes in at night")
        for text in (text for pair in self.figures for text in pair):
            if not (text and is_plain(text, MOST_FIGURE)):
                raise ValueError(f"a figure is plain text, not {text[:80]!r}")
        for text, most in (
            (self.why, MOST_SENTENCE), (self.did, MOST_SENTENCE), (self.next_step, MOST_SENTENCE),
            (self.command, MOST_COMMAND),
        ):  # fmt: skip
            if not is_plain(text, most):
                raise ValueError(f"a story is plain text of at most {most} characters, not {text[:80]!r}")


@dataclass(frozen=True, slots=True)
class Advice:
    """did, next_step: of every alert of a name, where its story says nothing of its own."""

    did: str
    next_step: str


_HELD = "Foresail holds: it never goes below what runs, and grows where need is seen."
ADVICE: Final[Mapping[str, Advice]] = {
    "ForesailHoldingAtRisk": Advice(_HELD, "Look whether the workload keeps up, then mend what the hold names."),
    "ForesailFallbackActive": Advice(
        "Foresail keeps the fallback's replicas and shrinks nothing in the dark.",
        "Bring the metrics back: 'kubectl foresail doctor -A' says which query has no answer.",
    ),
    "ForesailLimitBelowNeed": Advice(
        "Foresail stays within the limit.", "Raise the limit, or accept that demand goes unserved."
    ),
    "ForesailRiskAboveAsked": Advice(
        "Foresail has widened its margin as far as it may.",
        "Look at headroom and capacity in 'kubectl foresail explain'.",
    ),
    "ForesailForecastDemoted": Advice(
        "Yesterday's demand serves in place of the forecast.", "Nothing at night. Look at the workload's backtest."
    ),
    "ForesailConflict": Advice(
        "Foresail keeps off what another manager writes.", "Find the other manager: the workload's status names it."
    ),
    "ForesailNotWriting": Advice(
        "What was written last stands; nothing new is.",
        "Grant or mend what the words name: 'kubectl foresail doctor -A' tells.",
    ),
    "ForesailSourceDown": Advice(
        _HELD, "Look at the metrics backend: 'kubectl foresail doctor -A' tells what it answers."
    ),
    "ForesailPauseOpen": Advice("Foresail moves nothing that is paused.", "Give the pause an end, or end it."),
    "ForesailTicksFailing": Advice(
        "Floors stand as they were written; nothing new is decided.",
        "Read Foresail's log; 'kubectl foresail doctor -A' helps.",
    ),
    "ForesailNotifierFailing": Advice(
        "Changes wait for the destination for a day.", "Mend the destination, then run 'foresail notify test'."
    ),
    "ForesailNotificationsDropped": Advice(
        "What was dropped is on record all the same.", "Look at what is open, then at why the destination was away."
    ),
}  # fmt: skip
