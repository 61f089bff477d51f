"""The one tree of errors.

AutoscalerError
├── Retryable           the outside may answer next time: source down, conflict, disk busy
│   └── SourceDown
└── Refused             asking again changes nothing: the input must be mended
    ├── InvalidSpec     a user's file or object; carries every problem found, each with its place
    └── BadTrace        recorded demand that cannot be read as a regular series
"""

from dataclasses import dataclass


class AutoscalerError(Exception):
    """Base of all errors that Foresail raises on purpose."""


class Retryable(AutoscalerError):
    """The same call may succeed later; the caller holds and tries at the next tick."""


class SourceDown(Retryable):
    """A metrics source or cluster could not be asked."""


class Refused(AutoscalerError):
    """The input is wrong; the message names the place, the value and the way out."""


class BadTrace(Refused):
    """Recorded demand that cannot be read as a regular series."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a user's file: where it stands, what stands there, what would be right.

    reason: under which a status tells it: Conflict where nothing is wrong but that an older object has the target.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    value: str | None = None
    remedy: str | None = None
    reason: str = "InvalidSpec"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        field = f" {self.path}:" if self.path else ""
        got = f" (got {self.value})" if self.value is not None else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{place}:{field} {self.message}{got}{remedy}"


class InvalidSpec(Refused):
    """A user's file or object that does not say what it must; every problem found is listed."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(p) for p in problems))
