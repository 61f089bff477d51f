"""From one metric to a proposed replica count, and from several proposals to one. Knows nothing of pods or time.

Source: `Tolerances.isWithin`, `getUsageRatioReplicaCount`, `GetExternalPerPodMetricReplicas` (and their twins for
Object metrics) in replica_calculator.go, `computeReplicasForMetrics` in horizontal.go; Kubernetes 1.36.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from autoscaler.simulator.hpa.quantities import EPSILON, replicas_ceil


class MetricFault(StrEnum):
    """Why a metric gives no proposal."""

    NO_VALUE = "NoValue"
    NO_PODS = "NoPods"
    NO_SAMPLES = "NoSamples"
    NO_REQUEST = "NoRequest"
    NO_METRICS = "NoMetrics"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one metric asks for.

    ratio: usage over target as status shows it, that is before missing and unready pods are filled in.
    """

    replicas: int
    ratio: float


@dataclass(frozen=True, slots=True)
class Unusable:
    """A metric that cannot be used in this sync."""

    fault: MetricFault


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Share of the target by which the ratio may be off before anything moves; each direction has its own."""

    down: float = 0.1
    up: float = 0.1

    def __post_init__(self) -> None:
        if not all(math.isfinite(share) and share >= 0 for share in (self.down, self.up)):
            raise ValueError(f"a tolerance is a non-negative share of the target, not {self}")

    def holds(self, ratio: float) -> bool:
        """Is the ratio too near to 1 to act on? Bounds included, with EPSILON of slack."""
        return 1.0 - self.down - EPSILON <= ratio <= 1.0 + self.up + EPSILON


DEFAULT_TOLERANCE = Tolerance()


def value_proposal(
    total_milli: int | None, target_milli: int, current: int, ready: int, tolerance: Tolerance = DEFAULT_TOLERANCE
) -> Proposal | Unusable:
    """Object or external metric with a `Value` target: ratio × ready pods.

    total_milli: the metric in milli-units, None when it could not be read. current: spec.replicas.
    ready: pods Running and Ready; terminating pods count while Ready. At 0 replicas: ceil(ratio), no tolerance.
    """
    if total_milli is None:
        return Unusable(MetricFault.NO_VALUE)
    _refuse_negative(total_milli, target_milli)
    ratio = total_milli / target_milli
    if current == 0:
        return Proposal(replicas_ceil(total_milli, target_milli), ratio)
    if tolerance.holds(ratio):
        return Proposal(current, ratio)
    return Proposal(replicas_ceil(total_milli * ready, target_milli), ratio)


def average_value_proposal(
    total_milli: int | None, target_milli: int, status_replicas: int, tolerance: Tolerance = DEFAULT_TOLERANCE
) -> Proposal | Unusable:
    """Object or external metric with an `AverageValue` target: ceil(total / target), whatever is ready.

    The tolerance looks at total / (target × status replicas); at 0 replicas there is none. Inside it the proposal
    is status.replicas, as upstream, not spec.replicas.
    """
    if total_milli is None:
        return Unusable(MetricFault.NO_VALUE)
    _refuse_negative(total_milli, target_milli)
    if status_replicas == 0:
        return Proposal(replicas_ceil(total_milli, target_milli), math.inf if total_milli else math.nan)
    ratio = total_milli / (target_milli * status_replicas)
    if tolerance.holds(ratio):
        return Proposal(status_replicas, ratio)
    return Proposal(replicas_ceil(total_milli, target_milli), ratio)


def largest_proposal(proposals: Sequence[Proposal | Unusable], current: int) -> Proposal | Unusable:
    """The largest proposal. With any metric unusable there is no scale-down; with all unusable, no proposal."""
    usable = [p for p in proposals if isinstance(p, Proposal)]
    faults = [p for p in proposals if isinstance(p, Unusable)]
    if not usable:
        return faults[0] if faults else Unusable(MetricFault.NO_METRICS)
    largest = max(usable, key=lambda p: p.replicas)
    if faults and largest.replicas < current:
        return faults[0]
    return largest


def _refuse_negative(total_milli: int, target_milli: int) -> None:
    if total_milli < 0 or target_milli <= 0:
        raise ValueError(f"need total ≥ 0 and target > 0 in milli-units, not {total_milli} and {target_milli}")
