"""Why a query has no answer, as a verdict and one sentence for an SRE.

QueryFault
├── Unanswered     (Retryable)  the same query may be answered later
└── Unanswerable   (Refused)    the query or the source's settings must be mended first
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from autoscaler.domain.errors import AutoscalerError, Refused, Retryable
from autoscaler.domain.series import DataVerdict

MOST_NOTE = 200
_LATER = {DataVerdict.UNREACHABLE, DataVerdict.THROTTLED, DataVerdict.TOO_HEAVY}


class QueryFault(AutoscalerError):
    """verdict: what the row becomes. note: one line, no secrets. retry_after_s: the source's own wish."""

    def __init__(
        self, verdict: DataVerdict, note: str, retry_after_s: float | None = None, *, again: bool = False
    ) -> None:
        self.verdict = verdict
        self.note = one_line(note)
        self.retry_after_s = retry_after_s
        self.again = again  # worth one more attempt at once, as after a broken connection
        super().__init__(self.note)


class Unanswered(QueryFault, Retryable):
    """The source is away, busy or slow."""


class Unanswerable(QueryFault, Refused):
    """Asking again changes nothing."""


def fault(verdict: DataVerdict, note: str, retry_after_s: float | None = None, *, again: bool = False) -> QueryFault:
    """The fault of the class that fits the verdict."""
    kind = Unanswered if verdict in _LATER else Unanswerable
    return kind(verdict, note, retry_after_s, again=again)


def one_line(text: str, most: int = MOST_NOTE) -> str:
    """Text of a source as one short line of printable characters: its beginning and, where it is long, its end.

    Sources wrap the cause of a failure into what they were doing, or end with what is not allowed.
    """
    flat = re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in text)).strip()
    if len(flat) <= most:
        return flat
    head = most * 3 // 5
    return f"{flat[:head].rstrip()} … {flat[head + 3 - most :].lstrip()}"


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Text that a proxy or server sent back, without what we had told it in confidence."""
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, "***")
    return text
