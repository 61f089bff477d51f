"""An alert: one problem of one subject, from when it was sure until it was over, in a form that all can take."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from autoscaler.domain.alert_story import Story
from autoscaler.domain.alert_text import MOST_DESCRIPTION, MOST_LABEL, MOST_SUMMARY, is_plain

DOCS: Final = "https://foresail.dev/docs"
"""Where the folder docs is published, for those who do not say where theirs is."""
MOST_LABELS: Final = 12
_NAME = re.compile(r"[A-Z][A-Za-z0-9]{2,63}")
_LABEL = re.compile(r"[a-z_][a-z0-9_]{0,63}")
_RESERVED = frozenset({"alertname", "severity"})


class Severity(IntEnum):
    """How soon somebody must look: rising. What waits too long goes by it, lowest first."""

    NONE = 0
    INFO = 1
    WARNING = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """As it stands in the label `severity`."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Alert:
    """One problem. Two alerts with the same name, severity and labels are the same one, over restarts too.

    labels: what it is about, sorted by name. summary, description: plain text (`alert_text.plain`), the second with
    numbers and the way out. starts_s, resolved_s: seconds since the epoch; None = it lasts. incident: alerts of one
    incident are told in their order. destination: the one that it is about, which is not told of itself. story: what a
    person reads beside it; None = no more than is said here.
    """

    name: str
    severity: Severity
    labels: tuple[tuple[str, str], ...]
    summary: str
    description: str
    starts_s: float
    resolved_s: float | None = None
    incident: str = ""
    destination: str = ""
    story: Story | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"an alert's name is in CamelCase, not {self.name!r}")
        names = [name for name, _ in self.labels]
        if names != sorted(set(names)) or len(names) > MOST_LABELS or _RESERVED & set(names):
            raise ValueError(
                f"labels of {self.name} are sorted, at most {MOST_LABELS}, no alertname or severity: {names}"
            )
        for name, value in self.labels:
            if not (_LABEL.fullmatch(name) and value and is_plain(value, MOST_LABEL)):
                raise ValueError(f"label {name}={value[:80]!r} of {self.name} is not plain text")
        if not (is_plain(self.summary, MOST_SUMMARY) and is_plain(self.description, MOST_DESCRIPTION)):
            raise ValueError(f"summary and description of {self.name} must be plain text")
        if not math.isfinite(self.starts_s):
            raise ValueError(f"{self.name} starts at a moment, not at {self.starts_s!r}")
        if self.resolved_s is not None and not self.resolved_s >= self.starts_s:
            raise ValueError(f"{self.name} cannot end at {self.resolved_s!r}, before it starts at {self.starts_s!r}")
        if not self.incident:
            object.__setattr__(self, "incident", self.key)

    @property
    def key(self) -> str:
        """32 characters, the same for the same problem in every process and at every time."""
        told = "\0".join((self.name, self.severity.word, *(f"{name}={value}" for name, value in self.labels)))
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    @property
    def firing(self) -> bool:
        return self.resolved_s is None

    def resolved(self, now_s: float) -> Alert:
        return replace(self, resolved_s=max(now_s, self.starts_s))

    def label(self, name: str) -> str | None:
        return dict(self.labels).get(name)


def runbook_of(name: str, docs: str = DOCS) -> str:
    """The page of an alert. docs: where the folder docs is read, without a slash at its end."""
    return f"{docs}/runbooks/{name}.md"


def labels_of(named: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Labels as an alert takes them; those that are empty are left out."""
    return tuple(sorted((name, value) for name, value in named.items() if value))
