"""Which lanes a rule is about: each distinct rule once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from autoscaler.domain.series import Ints

_Rule = TypeVar("_Rule")
_Item = TypeVar("_Item")


def lanes_of(each: Sequence[_Item], rules: Callable[[_Item], tuple[_Rule, ...]]) -> tuple[tuple[_Rule, Ints], ...]:
    """Rule and its lanes, in the order of the lanes."""
    lanes: dict[_Rule, list[int]] = defaultdict(list)
    for lane, item in enumerate(each):
        for rule in rules(item):
            lanes[rule].append(lane)
    return tuple((rule, np.array(found, dtype=np.int64)) for rule, found in lanes.items())
