"""A workload and the policies that select it, as one value in which every number knows who set it.

Defaults fill what the PredictiveAutoscaler does not say itself; the most specific policy that says a field wins, of
equals the first by name. Limits bind whatever it says: the strictest wins, field by field. A min that ends above max
is no answer: the workload is marked, keeps what it has, and both rules are named.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from autoscaler.domain.anomaly import CAUSES, Cause
from autoscaler.domain.anomaly_rules import BY_DEFAULT, AnomalyRule, GrowthCap
from autoscaler.domain.conditions import About
from autoscaler.domain.policy import UNGUARDED, Fallback, Growth, Guarded, Origin, Override, Survive, Trust
from autoscaler.domain.policy_fleet import FREEZE_CODE
from autoscaler.domain.workload import ScalingRule, SelectPolicy, StepPolicy, Workload
from autoscaler.spec.behavior import StepPolicySpec
from autoscaler.spec.compile import to_workload
from autoscaler.spec.kinds import PredictiveAutoscaler
from autoscaler.spec.policy_anomaly import GrowthCapSpec, field_of
from autoscaler.spec.policy_match import PlacedPolicy
from autoscaler.spec.scalars import duration_s, headroom_of, quantity_of, risk_of

BUILT_IN = Origin("Foresail", "built-in default")
_RULE_FIELDS = (
    ("stabilizationWindowSeconds", "stabilization_window_seconds", "stabilization_s"),
    ("policies", "policies", "policies"),
    ("selectPolicy", "select_policy", "select"),
    ("tolerance", "tolerance", "tolerance"),
)
"""As written, in the model, in the domain."""


@dataclass(frozen=True, slots=True)
class OwnPlaces:
    """Where a PredictiveAutoscaler's document says things: "replicas.max" → line."""

    file: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)

    def place(self, rule: str) -> str:
        """file:line of a field of its spec; of one that is not written, of nothing."""
        line = self.lines.get(rule)
        return f"{self.file}:{line}" if line else self.file


def merged(
    autoscaler: PredictiveAutoscaler,
    policies: Sequence[PlacedPolicy],
    places: OwnPlaces | None = None,
    unknown: Origin | None = None,
    site: str | None = None,
    *,
    told: bool = False,
) -> Workload:
    """The workload under its policies, the most specific first. unknown: one that may speak and cannot be read.

    site: where we run, for conditions that ask it. told: where no policy selects it too, who set each field.
    """
    base = to_workload(autoscaler)
    if not (policies or told):
        return base if unknown is None else replace(base, guarded=Guarded(unknown=unknown))
    return _Merge(autoscaler, base, policies, places or OwnPlaces(), unknown, site=site).result()


class _Merge:
    def __init__(
        self,
        autoscaler: PredictiveAutoscaler,
        base: Workload,
        policies: Sequence[PlacedPolicy],
        places: OwnPlaces,
        unknown: Origin | None,
        *,
        site: str | None,
    ) -> None:
        self._spec = autoscaler.spec
        self._owner = f"PredictiveAutoscaler {base.ref}"
        self._base = base
        self._policies = policies
        self._places = places
        self._unknown = unknown
        labels = tuple(sorted(autoscaler.metadata.labels.items()))
        self._about = About(base.ref.namespace, base.ref.name, labels, site or "")
        self._origins: dict[str, Origin] = {}

    def result(self) -> Workload:
        base, spec = self._base, self._spec
        said = spec.model_fields_set
        up, up_cap, up_short = self._direction("scaleUp", base.scale_up)
        down, down_cap, _ = self._direction("scaleDown", base.scale_down)
        headroom = self._bounded(
            "headroom", base.headroom, own="headroom" in said, parse=headroom_of, stricter=lambda new, old: new > old
        )
        risk = self._bounded(
            "risk", base.risk, own="objective" in said, parse=risk_of, stricter=lambda new, old: new < old
        )
        age = self._bounded(
            "maxDataAge", base.max_data_age_s, own="max_data_age" in said, parse=duration_s,
            stricter=lambda new, old: new < old,
        )  # fmt: skip
        low, high = self._replicas()
        clash = (low[1], high[1]) if low[0] > high[0] else None
        changed = replace(
            base,
            min_replicas=base.min_replicas if clash else low[0],
            max_replicas=base.max_replicas if clash else high[0],
            headroom=headroom,
            risk=risk,
            max_data_age_s=age,
            scale_up=up,
            scale_down=down,
        )
        guarded = Guarded(
            windows=tuple(w for p in self._policies for w in p.windows),
            freezes=tuple(f for p in self._policies for f in p.freezes),
            pauses=tuple(q for p in self._policies for q in p.pauses),
            fallback=self._fallback(),
            survive=self._survive(),
            up_cap=up_cap,
            down_cap=down_cap,
            up_short=up_short,
            clash=clash,
            unknown=self._unknown,
            brakes=tuple(b for p in self._policies for b in p.brakes),
            budgets=tuple(b for p in self._policies for b in p.budgets),
            priority=self._priority(),
            replica_price=self._price(),
            trust=self._trust(),
            anomaly=self._anomaly(),
            override=self._override(),
            conditions=tuple(c for p in self._policies for c in p.conditions),
            about=self._about if any(p.conditions for p in self._policies) else None,
            origins=tuple(self._origins.items()),
        )
        return replace(changed, guarded=guarded)

    def _own(self, rule: str) -> Origin:
        """The PredictiveAutoscaler's own word."""
        return Origin(self._owner, f"spec.{rule}", self._places.place(rule))

    def _default(self, *path: str) -> tuple[Any, Origin] | None:
        """The most specific policy's value of a field of `defaults`."""
        return next(self._all("defaults", *path), None)

    def _all(self, part: str, *path: str) -> Iterator[tuple[Any, Origin]]:
        """(value, origin) of every policy that says the field; path in the names that users write."""
        return (found for p in self._policies if (found := p.said(part, path)) is not None)

    def _bounded(
        self, name: str, value: float, *, own: bool,
        parse: Callable[[str], float], stricter: Callable[[float, float], bool],
    ) -> float:  # fmt: skip
        """A field that defaults may fill and limits may tighten."""
        if own:
            self._origins[name] = self._own("objective" if name == "risk" else name)
        elif (found := self._default(name)) is not None:
            value, self._origins[name] = parse(found[0]), found[1]
        for limit, origin in self._all("limits", name):
            if stricter(parse(limit), value):
                value, self._origins[name] = parse(limit), origin
        return value

    def _replicas(self) -> tuple[tuple[int, Origin], tuple[int, Origin]]:
        """Min and max, each with who set it."""
        own = self._spec.replicas
        low = (own.min, self._own("replicas.min") if "min" in own.model_fields_set else BUILT_IN)
        if "min" not in own.model_fields_set and (found := self._default("replicas", "min")) is not None:
            low = found
        high = (own.max, self._own("replicas.max"))
        for limit, origin in self._all("limits", "replicas", "min"):
            low = (limit, origin) if limit > low[0] else low
        for limit, origin in self._all("limits", "replicas", "max"):
            high = (limit, origin) if limit < high[0] else high
        self._origins |= {"min": low[1], "max": high[1]}
        return low, high

    def _direction(self, name: str, rule: ScalingRule) -> tuple[ScalingRule, ScalingRule, ScalingRule]:
        """The workload's own rule of one direction, what limits add, and what of that spares nothing."""
        behavior = self._spec.behavior
        own = (behavior.scale_up if name == "scaleUp" else behavior.scale_down).model_fields_set
        for written, python, attribute in _RULE_FIELDS:
            key = f"{name}.{written}"
            if python in own:
                self._origins[key] = self._own(f"behavior.{key}")
            elif (found := self._default("behavior", name, written)) is not None:
                said: dict[str, Any] = {attribute: steps(found[0]) if written == "policies" else found[0]}
                rule = replace(rule, **said)
                self._origins[key] = found[1]
        for limit, origin in self._all("limits", "behavior", name, "stabilizationWindowSeconds"):
            if limit > rule.stabilization_s:
                rule = replace(rule, stabilization_s=limit)
                self._origins[f"{name}.stabilizationWindowSeconds"] = origin
        cap: dict[StepPolicy, None] = {}
        hard = [origin.owner for word, origin in self._short(name) if word]
        hard_cap: dict[StepPolicy, None] = {}
        for count, (limit, origin) in enumerate(self._all("limits", "behavior", name, "policies"), 1):
            cap |= dict.fromkeys(steps(limit))
            hard_cap |= dict.fromkeys(steps(limit) if origin.owner in hard else ())
            self._origins[f"{name}.limit" + (f"[{count}]" if count > 1 else "")] = origin
        forbids = next(self._all("limits", "behavior", name, "selectPolicy"), None)
        if forbids is not None:
            self._origins[f"{name}.limit"] = forbids[1]
        stops = any(o.owner in hard for _, o in self._all("limits", "behavior", name, "selectPolicy"))
        return rule, _limit(cap, stops=forbids is not None), _limit(hard_cap, stops=stops)

    def _short(self, name: str) -> Iterator[tuple[Any, Origin]]:
        """Which policies let the step limits of a direction cause a shortage; only those upward can."""
        return self._all("limits", "behavior", name, "mayCauseShortage") if name == "scaleUp" else iter(())

    def _fallback(self) -> Fallback | None:
        found = self._default("fallback")
        if found is None:
            return None
        said, origin = found
        if said.decay is None:
            return Fallback(duration_s(said.after), said.min or 0, origin)
        return Fallback(
            duration_s(said.after), said.min or 0, origin, said.decay.percent / 100, duration_s(said.decay.every)
        )

    def _override(self) -> Override | None:
        found = self._default("humanOverride")
        return None if found is None else Override(duration_s(found[0].hold_for), found[1])

    def _priority(self) -> int:
        found = self._default("priority")
        if found is None:
            return UNGUARDED.priority
        self._origins["priority"] = found[1]
        return int(found[0])

    def _price(self) -> float | None:
        found = self._default("replicaPrice")
        if found is None:
            return None
        self._origins["replicaPrice"] = found[1]
        return quantity_of(found[0])

    def _trust(self) -> Trust | None:
        least: dict[str, float] = {}
        for written, part in (("maxMargin", "margin"), ("maxQuantileRatio", "ratio"), ("maxOverObserved", "over")):
            for limit, origin in self._all("limits", "forecastTrust", written):
                if limit < least.get(part, math.inf):
                    least[part], self._origins[f"forecastTrust.{written}"] = float(limit), origin
        return Trust(**least) if least else None

    def _anomaly(self) -> tuple[tuple[Cause, AnomalyRule], ...]:
        """The rules that are not as built in."""
        if self._default("anomaly") is None and next(self._all("limits", "anomaly"), None) is None:
            return ()
        found = ((cause, self._of_cause(cause)) for cause in CAUSES)
        return tuple((cause, rule) for cause, rule in found if rule != BY_DEFAULT[cause])

    def _of_cause(self, cause: Cause) -> AnomalyRule:
        """Defaults in place of what is built in, then the strictest of the limits; every cap counts."""
        at, rule, caps = ("anomaly", field_of(cause)), BY_DEFAULT[cause], []
        growth: tuple[Growth, Origin | None] = (rule.growth, None)
        shrink: tuple[bool, Origin | None] = (rule.shrink, None)
        growth = self._default(*at, "growth") or growth
        foreseen = rule.foreseen and growth[1] is None  # a policy that says None means none at all
        shrink = self._default(*at, "shrink") or shrink
        for limit, origin in self._all("limits", *at, "growth"):
            if foreseen and limit is not Growth.ANY:  # neither what is observed nor the forecast
                growth, foreseen = (growth[0], origin), False
            growth = (limit, origin) if FREEZE_CODE[limit] > FREEZE_CODE[growth[0]] else growth
        for limit, origin in self._all("limits", *at, "shrink"):
            shrink = (limit, origin) if shrink[0] and not limit else shrink
        said = [found] if (found := self._default(*at, "cap")) is not None else []
        for count, (cap, origin) in enumerate([*said, *self._all("limits", *at, "cap")], 1):
            caps.append(_cap_of(cap))
            self._origins[".".join((*at, "cap")) + (f"[{count}]" if count > 1 else "")] = origin
        for name, by in (("growth", growth[1]), ("shrink", shrink[1])):
            if by is not None:
                self._origins[".".join((*at, name))] = by
        return AnomalyRule(growth[0], shrink[0], tuple(caps), foreseen)

    def _survive(self) -> Survive | None:
        found = self._default("surviveLossOf")
        return None if found is None else Survive(found[1], found[0].replicas or 0, found[0].zone_of or 0)


def _cap_of(cap: GrowthCapSpec) -> GrowthCap:
    over = math.inf if cap.over is None else headroom_of(cap.over) - 1
    most = GrowthCap().most if cap.replicas is None else cap.replicas
    return GrowthCap(over, most, cap.may_cause_shortage)


def _limit(cap: Iterable[StepPolicy], *, stops: bool) -> ScalingRule:
    """Each of the step policies binds; stops: none may pass at all."""
    found = tuple(cap)
    select = SelectPolicy.DISABLED if stops else SelectPolicy.MIN
    return ScalingRule(0, found, select) if found or stops else ScalingRule()


def steps(policies: Iterable[StepPolicySpec]) -> tuple[StepPolicy, ...]:
    """The domain's step policies."""
    return tuple(StepPolicy(p.type, p.value, p.period_seconds) for p in policies)
