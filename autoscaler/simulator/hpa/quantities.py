"""Numbers as the HPA sees them: whole milli-units in, int32 replica counts out. Knows nothing of pods or time.

Source: `resource.Quantity.MilliValue` (rounds up) and the int32 replica counts of autoscaling/v2, Kubernetes 1.36.
"""

import math
from decimal import ROUND_CEILING, Decimal
from typing import Final

INT32_MAX: Final = 2**31 - 1
INT64_MAX: Final = 2**63 - 1

EPSILON: Final = 1e-9
"""Slack for float noise: in the tolerance test, and in the array twin's ceil and floor, where it is counted in
replicas and in percent points. A billionth of a replica is noise, not need."""


def milli_value(quantity: float) -> int | None:
    """Whole milli-units of a quantity, rounded up from its shortest decimal form; saturates at int64 max.

    None where the quantity is no demand at all: NaN, ±Inf or negative. 0.1 → 100, 0.0001 → 1, 1e300 → 2^63 − 1.
    """
    if not (math.isfinite(quantity) and quantity >= 0):
        return None
    whole = Decimal(repr(float(quantity))).scaleb(3).to_integral_value(rounding=ROUND_CEILING)
    return min(int(whole), INT64_MAX)


def replicas_ceil(numerator: int, denominator: int) -> int:
    """ceil(numerator / denominator) on integers, saturated at int32 max (fault M06); denominator > 0."""
    return min(-(-numerator // denominator), INT32_MAX)


def saturated(replicas: float) -> int:
    """A whole count inside int32: what an overflowing sum or product becomes instead of wrapping."""
    return int(max(-INT32_MAX, min(replicas, INT32_MAX)))
