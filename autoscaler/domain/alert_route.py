"""Who hears of an alert, as what, and how many at once: routes by policy and time of day, silences, limits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from autoscaler.domain.alert import Alert, Severity
from autoscaler.domain.calendar import Window, is_open

HELD: Final = "ForesailAlertsHeld"
"""Name of the one alert that stands for those beyond a limit."""
BEGINS: Final = "Foresail"
"""So begins the name of every alert."""


class GroupBy(StrEnum):
    """What shares one thread, one page, one subject line."""

    ALERT = "Alert"
    INCIDENT = "Incident"
    CAUSE = "Cause"


@dataclass(frozen=True, slots=True)
class Match:
    """Which alerts are meant: all that is given must fit. names and values of labels may hold * and ?."""

    severities: frozenset[Severity] = frozenset()
    names: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()

    def fits(self, alert: Alert) -> bool:
        """An alert without severity, as the watchdog, is meant only where it is named."""
        if self.severities and alert.severity not in self.severities:
            return False
        if self.names and not any(fnmatchcase(alert.name, name) for name in self.names):
            return False
        if alert.severity is Severity.NONE and alert.name not in self.names:
            return False
        return all((have := alert.label(key)) is not None and fnmatchcase(have, value) for key, value in self.labels)

    @property
    def everything(self) -> bool:
        return not (self.severities or self.names or self.labels)

    @property
    def whatever_wakes(self) -> bool:
        """Every alert that has a severity, however that is written: as nothing, as all severities, * or Foresail*."""
        severities = not self.severities or self.severities >= frozenset(Severity) - {Severity.NONE}
        names = not self.names or any(name.endswith("*") and fnmatchcase(BEGINS, name) for name in self.names)
        return severities and names and not self.labels


@dataclass(frozen=True, slots=True)
class Route:
    """when: None = always. severity: what it counts as from here on; None = its own. No destination = recorded only."""

    match: Match
    destinations: tuple[str, ...]
    when: Window | None = None
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """Alerts that are recorded and counted, and wake nobody from from_s until until_s, seconds since the epoch."""

    match: Match
    until_s: float
    who: str
    why: str
    from_s: float = float("-inf")

    def holds(self, alert: Alert, now_s: float) -> bool:
        return self.from_s <= now_s < self.until_s and self.match.fits(alert)


@dataclass(frozen=True, slots=True)
class Taken:
    """By whom an alert is taken, and as what."""

    destinations: tuple[str, ...]
    severity: Severity


@dataclass(frozen=True, slots=True)
class Routing:
    """The first route that fits decides. No route at all: everyone hears all but what has no severity."""

    destinations: tuple[str, ...]
    routes: tuple[Route, ...] = ()
    silences: tuple[Silence, ...] = ()

    def of(self, alert: Alert, now_s: float) -> Taken:
        for route in self.routes:
            if route.match.fits(alert) and (route.when is None or is_open(route.when, now_s)):
                return Taken(route.destinations, alert.severity if route.severity is None else route.severity)
        everyone = not self.routes and Match().fits(alert)
        return Taken(self.destinations if everyone else (), alert.severity)

    def silence(self, alert: Alert, now_s: float) -> Silence | None:
        """The one that holds it now."""
        return next((one for one in self.silences if one.holds(alert, now_s)), None)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many alerts begin in so many seconds; what is more is told in one summary."""

    most: int
    per_s: float

    def __post_init__(self) -> None:
        if self.most < 1 or not self.per_s > 0:
            raise ValueError(f"a limit lets at least one through in a time above zero, not {self}")

    def reached(self, begun_s: Sequence[float], now_s: float) -> bool:
        return sum(1 for at_s in begun_s if at_s > now_s - self.per_s) >= self.most


def group_of(alert: Alert, by: GroupBy) -> str:
    """What the alert shares a thread with; the same in every process and over restarts."""
    if by is GroupBy.CAUSE:
        return f"cause:{alert.name}"
    return f"incident:{alert.incident}" if by is GroupBy.INCIDENT else f"alert:{alert.key}"


def stable_id(*parts: str) -> str:
    """32 characters, the same for the same parts in every process."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
