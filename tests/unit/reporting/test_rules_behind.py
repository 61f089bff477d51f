"""Which rule stands behind an acting guard: every guard that enforces a field, in the direction in which it moved."""

from dataclasses import replace

import pytest

from autoscaler.domain.decision import GuardEffect
from autoscaler.guards.chain import CHAIN
from autoscaler.reporting import rules_behind as module
from autoscaler.reporting.rules_behind import rules_behind

RULES = (
    ("min", "m"), ("max", "x"), ("scaleUp.stabilizationWindowSeconds", "up"), ("scaleDown.limit", "one"),
    ("scaleDown.limit[2]", "two"), ("scaleDown.stabilizationWindowSeconds", "down"), ("freeze", "f"),
)  # fmt: skip


class Recorded:
    rules = RULES


@pytest.mark.parametrize(
    ("guard", "before", "after", "holds", "rules"),
    [
        ("min-max", 1, 4, False, ("m",)),
        ("min-max", 9, 4, False, ("x",)),
        ("stabilization", 4, 9, False, ("down",)),
        ("stabilization", 9, 4, False, ("up",)),
        ("step-down", 1, 4, False, ("one", "two")),
        ("change-freeze", 4, 4, True, ("f",)),
        ("change-freeze", 4, 4, False, ()),
        ("data-verdict", 1, 4, True, ()),
    ],
)
def test_the_rule_is_that_of_the_field_in_the_direction_of_the_move(guard, before, after, holds, rules) -> None:
    reason = next(g.reason for g in CHAIN if g.name == guard)
    effect = GuardEffect(guard, reason, before, after, holds)
    assert rules_behind(Recorded, effect) == rules  # type: ignore[arg-type]
    assert rules_behind(Recorded, replace(effect, after=before, holds=False)) == ()  # type: ignore[arg-type]


def test_every_guard_that_is_named_is_one_of_the_chain() -> None:
    assert set(module._FIELDS) <= {g.name for g in CHAIN}
