"""What can go wrong with a call to the API server, in our own words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from autoscaler.domain.errors import Retryable

_BY_ADMISSION = re.compile(r"denied (the )?request")
"""As the API server says it of policies, and of webhooks; both may answer 403, too."""


@dataclass(slots=True)
class ApiFault(Retryable):
    """The call did not succeed. status: HTTP status, None = no answer. retry_after_s: what the server asked for.

    rivals: field managers that own what an apply wanted to set, where the server named them.
    """

    status: int | None
    said: str
    retry_after_s: float | None = None
    rivals: Sequence[str] = ()

    def __str__(self) -> str:
        return self.said if self.status is None else f"{self.status}: {self.said}"

    @property
    def gone(self) -> bool:
        return self.status in {404, 410}

    @property
    def conflict(self) -> bool:
        return self.status == 409

    @property
    def forbidden(self) -> bool:
        """A right is missing; what an admission policy or webhook denies, rights do not help."""
        return self.status == 403 and not _BY_ADMISSION.search(self.said)

    @property
    def throttled(self) -> bool:
        return self.status in {429, 503} and self.retry_after_s is not None
