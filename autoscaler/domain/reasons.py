"""Why a number is what it is: one code per cause, and the sentence that every face shows for it."""

from enum import StrEnum


class Reason(StrEnum):
    """Codes are stable: they appear in records, metrics and docs."""

    OBSERVED_NEED = "ObservedNeed"
    FORECAST_PEAK = "ForecastPeak"
    USUAL_PEAK = "UsualPeak"
    NO_FORECAST = "NoForecast"
    UNKNOWN_DEMAND = "UnknownDemand"
    AT_MINIMUM = "AtMinimum"
    AHEAD_OF_HPA = "AheadOfHpa"
    CAPACITY_UNKNOWN = "CapacityUnknown"
    TARGET_UNKNOWN = "TargetUnknown"
    PAUSED = "Paused"
    OVERRIDDEN = "Overridden"
    SCALED_TO_ZERO = "ScaledToZero"
    BAD_DATA = "BadData"
    LOWER_BOUND = "LowerBound"
    STALE_DATA = "StaleData"
    STABILIZING = "Stabilizing"
    STEP_UP_LIMITED = "StepUpLimited"
    STEP_DOWN_LIMITED = "StepDownLimited"
    OUTSIDE_LIMITS = "OutsideLimits"
    GUARD_FAILED = "GuardFailed"
    YIELDED = "Yielded"
    NO_ROOM = "NoRoom"
    DISRUPTION_BUDGET = "DisruptionBudget"
    RISE_SPACED = "RiseSpaced"
    LIMITS_CLASH = "LimitsClash"
    POLICY_UNKNOWN = "PolicyUnknown"
    CHANGE_FREEZE = "ChangeFreeze"
    FALLBACK = "Fallback"
    FALLBACK_DECAYING = "FallbackDecaying"
    FLEET_BRAKE = "FleetBrake"
    BUDGET_REACHED = "BudgetReached"
    FORECAST_NOT_TRUSTED = "ForecastNotTrusted"
    GROWTH_BRAKE = "GrowthBrake"
    WITHIN_TOLERANCE = "WithinTolerance"
    CONDITION = "Condition"
    CONDITION_UNKNOWN = "ConditionUnknown"
    ANOMALY = "Anomaly"

    def words(self, before: int, after: int, limit: float | None = None) -> str:
        """One plain sentence; `limit` is the number that the guard worked with, where it has one."""
        return _WORDS[self].format(before=before, after=after, limit=_plain(limit))


_WORDS = {
    Reason.OBSERVED_NEED: "the demand observed now needs {after} replicas",
    Reason.FORECAST_PEAK: "the forecast peak of the lead window, with margin, needs {after} replicas",
    Reason.USUAL_PEAK: "the usual peak of this window on past days, with margin, needs {after} replicas",
    Reason.NO_FORECAST: "no forecast qualifies yet: observed demand alone decides (under a floor, the HPA does)",
    Reason.UNKNOWN_DEMAND: "demand is unknown and no forecast asks for more: keeping what is there",
    Reason.AT_MINIMUM: "the forecast peak needs no more than the minimum of {after}",
    Reason.AHEAD_OF_HPA: "the HPA will want {after} itself for the expected peak: raised ahead of it, as far as that",
    Reason.CAPACITY_UNKNOWN: "what a replica serves is not learned yet, so nothing is sized: keeping {after}",
    Reason.TARGET_UNKNOWN: "the target could not be read: nothing is written",
    Reason.PAUSED: "paused by a person: {before} → {after}",
    Reason.OVERRIDDEN: "changed by hand: left at {after} for the policy's time",
    Reason.SCALED_TO_ZERO: "scaled to zero by a person: left alone",
    Reason.BAD_DATA: "data is not usable: holding at {after}, never below current",
    Reason.LOWER_BOUND: "data is partial or recovering, a lower bound: may grow, not shrink ({before} → {after})",
    Reason.STALE_DATA: "newest sample is {limit} s old, past maxDataAge: holding at {after}",
    Reason.STABILIZING: "recent ticks wanted {limit}: waiting out the stabilisation window ({before} → {after})",
    Reason.STEP_UP_LIMITED: "step limit upward allows {limit} now ({before} → {after})",
    Reason.STEP_DOWN_LIMITED: "step limit downward allows {limit} now ({before} → {after})",
    Reason.OUTSIDE_LIMITS: "outside min/max, at most {limit} now (a floor stays below its HPA's): {before} → {after}",
    Reason.YIELDED: "somebody else decides about this workload: left alone",
    Reason.NO_ROOM: "new pods are not placed or not created: no more are asked for ({before} → {after})",
    Reason.DISRUPTION_BUDGET: "a disruption budget allows no fewer than {limit} now ({before} → {after})",
    Reason.RISE_SPACED: "the floor rose {limit} s ago; two HPA syncs lie between rises ({before} → {after})",
    Reason.LIMITS_CLASH: "policies leave no room between min and max: staying at {after}",
    Reason.POLICY_UNKNOWN: "a policy that may be about this workload cannot be read: holding at {after}",
    Reason.CHANGE_FREEZE: "a change freeze holds: nothing shrinks, growth is limited ({before} → {after})",
    Reason.FALLBACK: "demand is in the dark for longer than the policy waits: its fallback ({before} → {after})",
    Reason.FALLBACK_DECAYING: "seen again: the fallback comes down slowly, to {limit} now ({before} → {after})",
    Reason.FLEET_BRAKE: "too many workloads would shrink at once: waiting for its turn ({before} → {after})",
    Reason.BUDGET_REACHED: "the budget that workloads share leaves {limit} here ({before} → {after})",
    Reason.FORECAST_NOT_TRUSTED: "policy trusts this forecast no further than {limit} ({before} → {after})",
    Reason.GROWTH_BRAKE: "too many workloads would grow at once: waiting for its turn ({before} → {after})",
    Reason.WITHIN_TOLERANCE: "within {limit} % of what is there: not worth a move ({before} → {after})",
    Reason.CONDITION: "a condition of a policy says so ({before} → {after})",
    Reason.CONDITION_UNKNOWN: "a condition of a policy cannot be answered: holding at {after}",
    Reason.ANOMALY: "something is abnormal, and this is what may follow from it ({before} → {after})",
    Reason.GUARD_FAILED: "a guard raised: holding at {after}",
}


def _plain(limit: float | None) -> str:
    if limit is None:
        return "-"
    return f"{limit:.0f}" if abs(limit - round(limit)) < 1e-9 else f"{limit:.1f}"
