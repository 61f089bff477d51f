"""What the cluster, a write or the lead time has to say about one lane, beside its number."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Condition(StrEnum):
    """Codes are stable: they appear in records, status, metrics and docs."""

    TARGET_NOT_FOUND = "TargetNotFound"
    TARGET_NOT_SCALABLE = "TargetNotScalable"
    CLUSTER_UNREACHABLE = "ClusterUnreachable"
    FORBIDDEN = "Forbidden"
    NO_AUTOSCALER = "NoAutoscaler"
    RIVAL = "RivalAutoscaler"
    CONFLICT = "Conflict"
    CHANGED_BY_OTHER = "ChangedByOther"
    CAPPED_BY_HPA = "CappedByHpa"
    PODS_PENDING = "PodsPending"
    PODS_REFUSED = "PodsRefused"
    CAPACITY_LEARNED = "CapacityLearned"
    CAPACITY_REFUSED = "CapacityRefused"
    CALIBRATION_EXCLUDED = "CalibrationExcluded"
    BACKFILL_PENDING = "BackfillPending"
    HISTORY_MISSING = "HistoryMissing"
    LEAD_TOO_SHORT = "LeadTooShort"
    SAVING_NEEDS_HIGHER_TARGET = "SavingNeedsHigherTarget"
    POLICY_CONDITION = "PolicyCondition"
    ANOMALY = "Anomaly"
    BASELINE_MOVED = "BaselineMoved"
    EVENT = "Event"
    OPEN_ENDED_PAUSE = "OpenEndedPause"
    OVERRIDDEN = "Overridden"
    RESUMED = "Resumed"
    BUDGET_REACHED = "BudgetReached"
    WRITTEN = "Written"
    WRITE_CONFLICT = "WriteConflict"
    WRITE_EXPIRED = "WriteExpired"
    WRITE_THROTTLED = "WriteThrottled"
    WRITE_FAILED = "WriteFailed"


UNWRITTEN = frozenset(
    {
        Condition.FORBIDDEN, Condition.WRITE_FAILED, Condition.TARGET_NOT_FOUND, Condition.TARGET_NOT_SCALABLE,
        Condition.NO_AUTOSCALER,
    }
)  # fmt: skip
"""Why nothing is written that somebody has to mend; of an API server that is away there is no word for each lane."""


@dataclass(frozen=True, slots=True)
class Note:
    """words: one plain sentence with the names and numbers, and the way out where there is one."""

    condition: Condition
    words: str
