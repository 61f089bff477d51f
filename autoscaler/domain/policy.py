"""What guard policies add to one workload: rules with their origin, and which of them hold at a moment."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from autoscaler.domain.calendar import Window, is_open
from autoscaler.domain.workload import Pause, PauseDirection, ScalingRule

if TYPE_CHECKING:
    from autoscaler.domain.anomaly import Cause
    from autoscaler.domain.anomaly_rules import AnomalyRule
    from autoscaler.domain.conditions import About, PolicyCondition


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """Which rule set a value, where a person finds it.

    owner: "GuardPolicy web-tier". revision: of its content, "" where there is none. rule: field path in the object.
    place: file:line, "" for an object that has no file.
    """

    owner: str
    rule: str
    place: str = ""
    revision: str = ""

    def __str__(self) -> str:
        version = f"@{self.revision}" if self.revision else ""
        place = f" ({self.place})" if self.place else ""
        return f"{self.owner}{version} {self.rule}{place}"


class Growth(StrEnum):
    """What may still grow while a freeze holds."""

    ANY = "Any"
    OBSERVED_NEED = "ObservedNeed"
    NONE = "None"


@dataclass(frozen=True, slots=True)
class ReplicaWindow:
    """Limits of replicas while a window is open. least is in force ahead of it by the lead time.

    bounded: an event's floor, which stays below max instead of clashing with it. uplift: factor by which demand is
    expected to be above what is forecast, also ahead of the window.
    """

    name: str
    window: Window
    origin: Origin
    least: int | None = None
    most: int | None = None
    bounded: bool = False
    uplift: float = 1.0

    def lifts(self, now_s: float, ahead_s: float) -> bool:
        """Whether more is expected now, or within the time that it takes to prepare for it."""
        return self.uplift > 1 and self.window.opens_s(now_s) <= now_s + ahead_s


@dataclass(frozen=True, slots=True)
class Freeze:
    """No shrink while the window is open, and only so much growth."""

    name: str
    window: Window
    origin: Origin
    growth: Growth = Growth.OBSERVED_NEED
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PolicyPause:
    """level: replicas at which the workload stays, reached by its steps downward; None = those that it has."""

    pause: Pause
    origin: Origin
    level: int | None = None

    def active(self, now_s: float) -> bool:
        """Until the moment that its owner set."""
        return now_s < self.pause.until.timestamp()


@dataclass(frozen=True, slots=True)
class Fallback:
    """The last plan on good data, what healthy signals ask for, or `least`, once demand has been unusable for after_s:
    the largest. decay: share of it that goes each decay_s once all is seen again; 0 = by the workload's own steps.
    """

    after_s: float
    least: int
    origin: Origin
    decay: float = 0.0
    decay_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Survive:
    """Room for a loss, on top of the plan: so many replicas, or one of `zones` zones (0 = no zone)."""

    origin: Origin
    replicas: int = 0
    zones: int = 0

    def __post_init__(self) -> None:
        if self.replicas < 0 or self.zones == 1 or self.zones < 0 or not (self.replicas or self.zones):
            raise ValueError(f"replicas ≥ 1, or at least two zones, not {self.replicas} and {self.zones}")


@dataclass(frozen=True, slots=True)
class Trust:
    """When forecasts count. What is not trusted leaves what would be wanted without a forecast.

    margin: largest safety factor that risk control may have needed. ratio: largest Q.95 ÷ median. over: largest need by
    forecast, as a multiple of what is observed. inf = not asked.
    """

    margin: float = math.inf
    ratio: float = math.inf
    over: float = math.inf


@dataclass(frozen=True, slots=True)
class Brake:
    """At most this share of the workloads that a policy selects shrinks (grow: or grows) in one tick; others wait.

    short: growth waits even for observed need.
    """

    share: float
    origin: Origin
    grow: bool = False
    short: bool = False


@dataclass(frozen=True, slots=True)
class Budget:
    """Replicas that the workloads which a policy selects may have together, above what they must have.

    short: observed need is not spared. money: per hour, in any currency; None = not asked, as with replicas.
    price: of a replica and hour, for workloads that have no own.
    """

    replicas: int | None
    origin: Origin
    short: bool = False
    money: float | None = None
    price: float = 0.0


@dataclass(frozen=True, slots=True)
class Override:
    """For how long what a person set by hand is left alone; 0 = not at all."""

    hold_s: float
    origin: Origin


OVERRIDE_S = 1800.0
"""Where no policy says otherwise: half an hour, in which an incident is over or somebody has paused the workload."""
NO_CAP = ScalingRule()
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""End of a pause that has none."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """What policies say about one workload beyond what its own fields hold already.

    up_cap, down_cap: step limits beside the workload's own; each of them binds. up_short: those of up_cap that
    bind even below what is needed now. clash: the two rules that leave no room between min and max.
    unknown: why some policy that may speak about the workload cannot be read.
    origins: field → the rule that set the workload's value. brakes, budgets: shared with the other workloads that the
    same policy selects; the higher priority is served first. anomaly: what an anomaly lets the workload do, by cause,
    where it is not what is built in.
    """

    windows: tuple[ReplicaWindow, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    pauses: tuple[PolicyPause, ...] = ()
    fallback: Fallback | None = None
    survive: Survive | None = None
    up_cap: ScalingRule = NO_CAP
    down_cap: ScalingRule = NO_CAP
    up_short: ScalingRule = NO_CAP
    clash: tuple[Origin, Origin] | None = None
    unknown: Origin | None = None
    origins: tuple[tuple[str, Origin], ...] = ()
    brakes: tuple[Brake, ...] = ()
    budgets: tuple[Budget, ...] = ()
    priority: int = 100
    replica_price: float | None = None
    trust: Trust | None = None
    conditions: tuple[PolicyCondition, ...] = ()
    about: About | None = None
    anomaly: tuple[tuple[Cause, AnomalyRule], ...] = ()
    override: Override | None = None

    def owners(self) -> frozenset[str]:
        """Names of the policies that set something, without the workload's own and the built-in."""
        found = {o.owner for _, o in self.origins}
        found |= {
            r.origin.owner
            for rules in (self.windows, self.freezes, self.pauses, self.brakes, self.budgets, self.conditions)
            for r in rules
        }
        found |= {r.origin.owner for r in (self.fallback, self.survive, self.override) if r is not None}
        return frozenset(owner for owner in found if owner.startswith("GuardPolicy "))

    def rules_at(self, now_s: float, ahead_s: float, own: tuple[int, int]) -> tuple[tuple[str, str], ...]:
        """What is in force at a moment: field and rule, for records and faces. own: the workload's min and max."""
        return tuple((field, str(origin)) for field, origin in self._in_force(now_s, ahead_s, own))

    def _in_force(self, now_s: float, ahead_s: float, own: tuple[int, int]) -> Iterator[tuple[str, Origin]]:
        base = dict(self.origins)
        low, high = self.limits_at(now_s, ahead_s, own, base)
        yield from (("min", o) for o in (low[1],) if o is not None)
        yield from (("max", o) for o in (high[1],) if o is not None)
        yield from ((name, origin) for name, origin in self.origins if name not in {"min", "max"})
        yield from (("uplift", w.origin) for w in self.windows if w.lifts(now_s, ahead_s))
        yield from (("freeze", f.origin) for f in self.freezes if is_open(f.window, now_s))
        yield from (("pause", p.origin) for p in self.pauses if p.active(now_s))
        if self.fallback is not None:
            yield "fallback", self.fallback.origin
        if self.override is not None:
            yield "humanOverride", self.override.origin
        if self.survive is not None:
            yield "surviveLossOf", self.survive.origin
        yield from (("growthBrake" if b.grow else "brake", b.origin) for b in self.brakes)
        yield from (("budget", b.origin) for b in self.budgets)
        yield from (("condition", c.origin) for c in self.conditions)
        if self.unknown is not None:
            yield "unknown", self.unknown
        if self.clash is not None:
            yield from (("clash", origin) for origin in self.clash)

    def limits_at(
        self, now_s: float, ahead_s: float, own: tuple[int, int], base: dict[str, Origin] | None = None
    ) -> tuple[tuple[int, Origin | None], tuple[int, Origin | None]]:
        """Min and max in force, each with the rule that set it; the same answer as FleetRules gives over lanes."""
        base = dict(self.origins) if base is None else base
        low, high = (own[0], base.get("min")), (own[1], base.get("max"))
        for w in self.windows:
            if w.most is not None and is_open(w.window, now_s) and w.most < high[0]:
                high = (w.most, w.origin)
            if (
                w.least is not None
                and not w.bounded
                and w.least > low[0]
                and w.window.opens_s(now_s) <= now_s + ahead_s
            ):
                low = (w.least, w.origin)
        for w in self.windows:
            if w.bounded and w.least is not None and w.window.opens_s(now_s) <= now_s + ahead_s:
                floor = min(w.least, high[0])
                low = (floor, w.origin) if floor > low[0] else low
        return low, high

    def next_edge(self, now_s: float, until_s: float) -> Iterator[tuple[float, str, Origin]]:
        """Moments in (now_s, until_s] at which a rule begins or ends, unsorted: when, what, which rule."""
        named = [(f"window {w.name}", w.window, w.origin) for w in self.windows]
        named += [(f"freeze {f.name}", f.window, f.origin) for f in self.freezes]
        for name, window, origin in named:
            for start, end in window.spans(now_s, until_s):
                if start > now_s:
                    yield start, f"{name} opens", origin
                if end <= until_s:
                    yield end, f"{name} closes", origin
        for p in self.pauses:
            if now_s < p.pause.until.timestamp() <= until_s:
                yield p.pause.until.timestamp(), "pause ends", p.origin

    def paused(self, now_s: float) -> tuple[bool, bool]:
        """Up and down, by any pause that is active."""
        active = [p.pause.direction for p in self.pauses if p.active(now_s)]
        return any(d is not PauseDirection.DOWN for d in active), any(d is not PauseDirection.UP for d in active)


NO_TRUST = Trust()
UNGUARDED = Guarded()
