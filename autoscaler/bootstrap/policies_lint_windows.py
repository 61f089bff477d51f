"""Windows of policies against limits, freezes, pauses and one another: what can never count, and what is at odds.

Spans are compared as moments, over a year ahead: zones, summer time and nights are in them already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple

from autoscaler.domain.calendar import Span, Window
from autoscaler.domain.policy import Freeze, Growth, Origin, PolicyPause, ReplicaWindow
from autoscaler.domain.policy_fleet import FREEZE_CODE
from autoscaler.domain.workload import PauseDirection
from autoscaler.reporting.lint import Level, LintFinding, at_origin
from autoscaler.spec.policy_match import PlacedPolicy

YEAR_AHEAD_S = 400 * 86400.0
MOST_PAIRS = 20_000
"""Of windows that are compared: beyond it the rest is left out and told, as a lint has to answer in seconds."""


class Meet(NamedTuple):
    """covers: whether the first policy speaks about every workload of the second. maybe: about any of them."""

    covers: Callable[[PlacedPolicy, PlacedPolicy], bool]
    maybe: Callable[[PlacedPolicy, PlacedPolicy], bool]


@dataclass(slots=True)
class _Times:
    now_s: float
    known: dict[Window, list[Span]] = field(default_factory=dict)

    def of(self, window: Window) -> list[Span]:
        """The spans of the year ahead, those that touch as one."""
        if window not in self.known:
            merged: list[Span] = []
            for start, end in window.spans(self.now_s, self.now_s + YEAR_AHEAD_S):
                if merged and start <= merged[-1][1]:
                    merged[-1] = (merged[-1][0], max(merged[-1][1], end))
                else:
                    merged.append((start, end))
            self.known[window] = merged
        return self.known[window]

    def inside(self, inner: Window, outer: Window) -> bool:
        """Whether the outer is open whenever the inner is, all through the year; never of one that does not open."""
        spans, k, around = self.of(inner), 0, self.of(outer)
        for start, end in spans:
            while k < len(around) and around[k][1] < end:
                k += 1
            if k == len(around) or not around[k][0] <= start:
                return False
        return bool(spans)

    def first_start_in(self, inner: Window, outer: Window) -> float | None:
        """The first opening of `inner`, still ahead, at which `outer` is open already."""
        around = self.of(outer)
        starts = (s for s, _ in self.of(inner) if s > self.now_s)
        return next((s for s in starts if any(a < s < b for a, b in around)), None)


def window_findings(policies: Sequence[PlacedPolicy], meet: Meet, now_s: float) -> Iterator[LintFinding]:
    """Each rule that another makes idle, once; each floor that a stop keeps from coming."""
    times, pairs = _Times(now_s), 0
    for policy in policies:
        for other in policies:
            size = (len(policy.windows) + len(policy.freezes)) * (len(other.windows) + len(other.freezes) + 1)
            if not size or not meet.maybe(policy, other):
                continue
            pairs += size
            if pairs > MOST_PAIRS:
                words = (
                    f"over {MOST_PAIRS} pairs of windows may meet: those of this and later policies are not compared"
                )
                yield at_origin(Level.NOTE, "not-compared", policy.origin("limits"), words, "lint fewer files at once")
                return
            if meet.covers(other, policy):
                yield from _idle(policy, other, times)
            yield from _stopped(policy, other, times)


def _idle(policy: PlacedPolicy, other: PlacedPolicy, times: _Times) -> Iterator[LintFinding]:
    """Rules of `policy` that a rule of `other`, which binds all of the same workloads, makes idle."""
    bounds = other.limits.replicas
    fixed = {} if bounds is None else {"min": bounds.min, "max": bounds.max}
    for index, window in enumerate(policy.windows):
        least, most = _by_limits(window, fixed)
        lift = False
        stronger: Origin | None = other.origin("limits", "replicas") if least or most else None
        for k, against in enumerate(other.windows):
            if (policy is other and k == index) or not times.inside(window.window, against.window):
                continue
            equal = times.inside(against.window, window.window) and _same(window, against)
            if equal and (other.name, k) > (policy.name, index):
                continue  # of two alike the later one is told
            low, high = _by_window(window, against)
            higher = against.uplift >= window.uplift > 1
            if low > least or high > most or higher > lift:
                stronger = against.origin
            least, most, lift = least or low, most or high, lift or higher
        says = ((window.least is not None, least), (window.most is not None, most), (window.uplift > 1, lift))
        if stronger is not None and all(idle for said, idle in says if said):
            words = f"{window.name} never counts: whenever it is open, {stronger} asks for as much or more"
            yield at_origin(Level.WARNING, "unreachable", window.origin, words, "remove it, or change one of them")
    for index, freeze in enumerate(policy.freezes):
        for k, stricter in enumerate(other.freezes):
            if (policy is other and k == index) or FREEZE_CODE[stricter.growth] < FREEZE_CODE[freeze.growth]:
                continue
            if not times.inside(freeze.window, stricter.window):
                continue
            alike = stricter.growth is freeze.growth and times.inside(stricter.window, freeze.window)
            if not alike or (other.name, k) < (policy.name, index):
                words = f"freeze {freeze.name} never counts: whenever it is open, {stricter.origin} is as strict"
                yield at_origin(Level.WARNING, "unreachable", freeze.origin, words, "remove one of them")
                break


def _by_limits(window: ReplicaWindow, fixed: dict[str, int | None]) -> tuple[bool, bool]:
    low, high = fixed.get("min"), fixed.get("max")
    return (
        window.least is not None and low is not None and window.least <= low,
        window.most is not None and high is not None and window.most >= high,
    )


def _by_window(window: ReplicaWindow, against: ReplicaWindow) -> tuple[bool, bool]:
    """An event stays below max where a schedule would clash with it, so only a like rule makes a schedule idle."""
    like = window.bounded or not against.bounded
    return (
        window.least is not None and against.least is not None and like and window.least <= against.least,
        window.most is not None and against.most is not None and window.most >= against.most,
    )


def _same(one: ReplicaWindow, other: ReplicaWindow) -> bool:
    return replace(one, name="", window=other.window, origin=other.origin) == replace(other, name="")


def _stopped(policy: PlacedPolicy, other: PlacedPolicy, times: _Times) -> Iterator[LintFinding]:
    """Floors of `policy` that begin while `other` lets nothing grow."""
    for window in policy.windows:
        if window.least is None:
            continue
        for freeze in other.freezes:
            when = times.first_start_in(window.window, freeze.window) if freeze.growth is Growth.NONE else None
            if when is not None:
                yield _never_comes(window, f"freeze {freeze.name}", freeze, when)
        for pause in other.pauses:
            until = pause.pause.until.timestamp()
            enough = pause.level is not None and pause.level >= window.least
            stops = pause.pause.direction is not PauseDirection.DOWN and not enough
            start = next((s for s, _ in times.of(window.window) if s > times.now_s), None)
            if stops and start is not None and start < until:
                yield _never_comes(window, f"the pause of {pause.pause.owner}", pause, start)


def _never_comes(window: ReplicaWindow, what: str, stop: Freeze | PolicyPause, when_s: float) -> LintFinding:
    words = (
        f"at {datetime.fromtimestamp(when_s, UTC):%Y-%m-%d %H:%M} UTC {window.name} asks for {window.least} replicas, "
        f"but {what} ({stop.origin.place}) lets nothing grow then"
    )
    return at_origin(Level.WARNING, "contradiction", window.origin, words, "end the stop earlier, or let it grow")
