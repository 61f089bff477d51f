"""What guards review and what they answer: arrays over lanes, one guard after the other.

Four rules are enforced here for every guard, so that none can break them: a frozen lane is not changed by
anything, and a lane paused in one direction never moves that way; a hold is absorbing and never goes below its
level; no guard cuts below trusted observed need (both but for the one that brings a lane back into changed
limits); counts saturate, never wrap.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from autoscaler.domain.fleet import NO_LIMIT
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import Bools, Codes, Floats, Ints, anywhere, everywhere

POLICY_FIELDS = frozenset(
    {
        "change_freeze", "clash", "policy_unknown", "fallback_least", "fallback_after_s", "fallback_level",
        "braked", "budget_cap",
        "pause_level", "trust_cap", "growth_braked", "short_budget", "short_growth",
        "short_up_limit", "condition_hold", "condition_unknown", "condition_floor", "condition_cap", "short_condition",
    }
)  # fmt: skip
"""Fields that are blank on every lane that no guard policy selects."""
ANOMALY_FIELDS = frozenset({"anomaly_causes", "anomaly_growth", "anomaly_hold", "anomaly_cap", "anomaly_short_cap"})
"""Fields that are blank on every lane on which nothing is abnormal."""


@dataclass(frozen=True, slots=True, eq=False)
class Proposals:
    """One tick's proposals, over lanes. All counts are replicas (or the floor, for a floor actuation).

    target_known: the target was found and read. desired: its spec.replicas.
    current: what is written now. hold_level: what a hold keeps (for a floor: the replicas that run).
    observed_need: replicas for the demand observed now, 0 where need_known is False.
    predicted_need: replicas for the sizing quantile of the peak, 0 where predicted is False.
    verdict: worst DataVerdict among the lane's demands. data_age_s: oldest newest-sample age, inf if none.
    recent_high, recent_low: highest and lowest recommendation within each lane's stabilisation windows.
    up_limit, down_limit: what the step limits allow this tick, counted from the start of their periods.
    overridden: somebody set it by hand, and the time for which that is respected is not over.
    yielded: somebody else decides about the lane. stuck: more replicas would not start.
    least_replicas: fewest that the disruption budgets allow now. raised_s: when our floor rose last, -inf = never.
    rises_spaced: the lane is a floor, whose rises keep apart.
    change_freeze: 0, or what a freeze still lets grow: 1 anything, 2 up to observed need, 3 nothing. clash: policies
    leave no room between min and max. policy_unknown: a policy that may speak about the lane cannot be read.
    braked: too many of a policy's workloads would shrink in this tick, and it is not the lane's turn. budget_cap: the
    lane's part of what a policy's workloads may have together.
    pause_level: where a pause keeps the lane, -1 = as it is. trust_cap: most that forecasts may ask for, as far as they
    are trusted. growth_braked: too many would grow, and it is not the lane's turn. short_budget, short_growth: the
    budget, the growth brake may cut below observed need, for a policy says so.
    condition_hold, condition_unknown: some condition of a policy holds the lane, or cannot be answered.
    condition_floor, condition_cap: at least, at most for a condition; short_condition: the latter even below need.
    tolerance_up, tolerance_down: shares of current within which a lane stays.
    anomaly_causes: bits of domain.anomaly.Cause. anomaly_growth: as change_freeze, what they let grow; 4 by forecast
    alone. anomaly_hold:
    they let nothing shrink. anomaly_cap, anomaly_short_cap: most replicas to grow to; the latter even below need.
    capacity_unknown: some demand of the lane has no capacity yet.
    fallback_least: replicas that are there at least once the data is older than fallback_after_s; 0 = no such rule.
    short_up_limit: what step limits of policies allow even below observed need.
    fallback_level: what is still kept of a fallback now that all is seen again; 0 = nothing.
    wanted: the number under review. held, frozen: state of the chain so far. silent: names of fields that are known to
    be blank on every lane; guards that ask for nothing else are passed over.
    """

    now_s: float
    target_known: Bools
    desired: Ints
    current: Ints
    hold_level: Ints
    observed_need: Ints
    need_known: Bools
    predicted_need: Ints
    predicted: Bools
    verdict: Codes
    data_age_s: Floats
    max_data_age_s: Floats
    min_replicas: Ints
    max_replicas: Ints
    recent_high: Ints
    recent_low: Ints
    up_limit: Ints
    down_limit: Ints
    pause_up: Bools
    pause_down: Bools
    wanted: Ints
    held: Bools
    frozen: Bools
    yielded: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    stuck: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    least_replicas: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    raised_s: Floats = field(default_factory=lambda: np.empty(0))
    rises_spaced: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    change_freeze: Codes = field(default_factory=lambda: np.empty(0, dtype=np.uint8))
    clash: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    policy_unknown: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    fallback_least: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    fallback_after_s: Floats = field(default_factory=lambda: np.empty(0))
    braked: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    budget_cap: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    pause_level: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    trust_cap: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    growth_braked: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    short_budget: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    short_growth: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    condition_hold: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    condition_unknown: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    condition_floor: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    condition_cap: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    short_condition: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    tolerance_up: Floats = field(default_factory=lambda: np.empty(0))
    tolerance_down: Floats = field(default_factory=lambda: np.empty(0))
    capacity_unknown: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    overridden: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    short_up_limit: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    fallback_level: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    anomaly_causes: Codes = field(default_factory=lambda: np.empty(0, dtype=np.uint8))
    anomaly_growth: Codes = field(default_factory=lambda: np.empty(0, dtype=np.uint8))
    anomaly_hold: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    anomaly_cap: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    anomaly_short_cap: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    silent: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        lanes = len(self.wanted)
        if len(self.rises_spaced) == lanes and len(self.capacity_unknown) == lanes and len(self.anomaly_hold) == lanes:
            return
        nobody = np.zeros(lanes, dtype=np.bool_)
        blanks: dict[str, np.ndarray] = {"yielded": nobody, "stuck": nobody, "rises_spaced": nobody}
        blanks |= {"least_replicas": np.zeros(lanes, dtype=np.int64), "raised_s": np.full(lanes, -np.inf)}
        blanks |= {"change_freeze": np.zeros(lanes, dtype=np.uint8), "clash": nobody, "policy_unknown": nobody}
        blanks |= {"fallback_least": np.zeros(lanes, dtype=np.int64), "fallback_after_s": np.full(lanes, np.inf)}
        unlimited = np.full(lanes, NO_LIMIT, dtype=np.int64)
        blanks |= {"braked": nobody, "budget_cap": unlimited, "trust_cap": unlimited, "growth_braked": nobody}
        blanks |= {"pause_level": np.full(lanes, -1, dtype=np.int64), "short_budget": nobody, "short_growth": nobody}
        blanks |= {"condition_hold": nobody, "condition_unknown": nobody, "short_condition": nobody}
        blanks |= {"condition_floor": np.zeros(lanes, dtype=np.int64), "condition_cap": unlimited}
        blanks |= {"tolerance_up": np.zeros(lanes), "tolerance_down": np.zeros(lanes)}
        blanks |= {"anomaly_causes": np.zeros(lanes, dtype=np.uint8), "anomaly_growth": np.zeros(lanes, dtype=np.uint8)}
        blanks |= {"overridden": nobody}
        blanks |= {"fallback_level": np.zeros(lanes, dtype=np.int64), "short_up_limit": unlimited}
        blanks |= {"anomaly_hold": nobody, "anomaly_cap": unlimited, "anomaly_short_cap": unlimited}
        blanks |= {"capacity_unknown": nobody}
        for name, blank in blanks.items():
            if len(getattr(self, name)) != lanes:
                object.__setattr__(self, name, blank)

    def one(self, lane: int) -> Proposals:
        """The same proposals for a single lane, for isolating a guard that raises."""
        return replace(
            self,
            **{
                name: getattr(self, name)[lane : lane + 1] for name in self.__slots__ if name not in {"now_s", "silent"}
            },
        )

    @property
    def trusted_need(self) -> Ints:
        """Observed need where it is known, else 0: what no ordinary guard may cut below."""
        if everywhere(self.need_known):
            return self.observed_need
        return np.where(self.need_known, self.observed_need, 0)

    @property
    def foreseen_need(self) -> Ints:
        """What the forecast asks for, 0 where there is none."""
        if everywhere(self.predicted):
            return self.predicted_need
        return np.where(self.predicted, self.predicted_need, 0)

    def unchanged(self, reason: Reason, limit: Ints | Floats | None = None) -> Verdicts:
        return Verdicts(reason, self.wanted, self.held, self.frozen, limit=limit)

    def at_least(self, level: Ints, reason: Reason) -> Verdicts:
        """Raise to `level` where below it."""
        if everywhere(level <= self.wanted):
            return self.unchanged(reason, level)
        return Verdicts(reason, np.maximum(self.wanted, level), self.held, self.frozen, limit=level)

    def at_most(self, level: Ints, reason: Reason, short: Bools | None = None) -> Verdicts:
        """Cut to `level` where above it, but never below trusted observed need; short: lanes on which even below."""
        if everywhere(level >= self.wanted):
            return self.unchanged(reason, level)
        if short is None or not anywhere(short):
            spared = np.maximum(level, self.trusted_need)
            return Verdicts(reason, np.minimum(self.wanted, spared), self.held, self.frozen, limit=level)
        spared = np.maximum(level, np.where(short, 0, self.trusted_need))
        wanted = np.minimum(self.wanted, spared)
        return Verdicts(reason, wanted, self.held, self.frozen, limit=level, short=short)

    def hold(self, lanes: Bools, reason: Reason, limit: Floats | None = None) -> Verdicts:
        """Keep `lanes` at their hold level or, where it is higher, at trusted observed need."""
        if not anywhere(lanes):
            return self.unchanged(reason, limit)
        kept = np.maximum(self.hold_level, self.trusted_need)
        return Verdicts(reason, np.where(lanes, kept, self.wanted), self.held | lanes, self.frozen, limit=limit)

    def hold_blindly(self, lanes: Bools, reason: Reason, limit: Floats | None = None) -> Verdicts:
        """As `hold`, for lanes whose demand is not seen: their forecast, made from what was seen before, may add."""
        if not anywhere(lanes):
            return self.unchanged(reason, limit)
        kept = np.maximum(self.hold_level, self.trusted_need)
        kept = np.maximum(kept, np.minimum(self.wanted, self.foreseen_need))
        return Verdicts(reason, np.where(lanes, kept, self.wanted), self.held | lanes, self.frozen, limit=limit)

    def freeze(self, lanes: Bools, reason: Reason) -> Verdicts:
        """Take `lanes` out of the chain at what is written now: a person said so."""
        if not anywhere(lanes):
            return self.unchanged(reason)
        return Verdicts(reason, np.where(lanes, self.current, self.wanted), self.held, self.frozen | lanes)

    def stand(self, verdicts: Verdicts) -> bool:
        """Whether a guard left everything as it was: its answer holds the very arrays that it was given."""
        return verdicts.wanted is self.wanted and verdicts.held is self.held and verdicts.frozen is self.frozen

    def after(self, verdicts: Verdicts) -> Proposals:
        """The proposals that the next guard sees."""
        if self.stand(verdicts):
            return self
        wanted = np.minimum(np.maximum(verdicts.wanted, 0), NO_LIMIT)
        if not verdicts.glides:
            need = self.trusted_need if verdicts.short is None else np.where(verdicts.short, 0, self.trusted_need)
            kept = np.minimum(np.where(self.held, np.maximum(self.hold_level, need), need), self.wanted)
            kept = np.where(self.pause_up, np.minimum(kept, self.current), kept)
            wanted = np.where(verdicts.frozen, wanted, np.maximum(wanted, kept))
        if anywhere(self.pause_down):
            wanted = np.where(self.pause_down, np.maximum(wanted, np.minimum(self.current, self.wanted)), wanted)
        if anywhere(self.pause_up):
            wanted = np.where(self.pause_up, np.minimum(wanted, np.maximum(self.current, self.wanted)), wanted)
        wanted = np.where(self.frozen, self.wanted, wanted)
        return self._with(wanted, self.held | verdicts.held, self.frozen | verdicts.frozen)

    def _with(self, wanted: Ints, held: Bools, frozen: Bools) -> Proposals:
        """All else shared. Several times faster than `replace`, which checks thirty fields by name at every guard."""
        new = object.__new__(Proposals)
        for name in self.__slots__:
            object.__setattr__(new, name, getattr(self, name))
        object.__setattr__(new, "wanted", wanted)
        object.__setattr__(new, "held", held)
        object.__setattr__(new, "frozen", frozen)
        return new


class Verdicts(NamedTuple):
    """One guard's answer, over lanes: the number it leaves, and the number it worked with.

    glides: the guard may move a held lane (only the one that brings a lane back into changed limits).
    short: lanes on which it may cut below observed need, for a policy accepts that.
    """

    reason: Reason
    wanted: Ints
    held: Bools
    frozen: Bools
    limit: Ints | Floats | None = None
    glides: bool = False
    short: Bools | None = None
