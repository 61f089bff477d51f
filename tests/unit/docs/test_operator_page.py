"""docs/operator.md lists what the operator says and asks for, all of it and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from autoscaler.adapters.kubernetes.permissions import OPERATOR, lease_rules
from autoscaler.adapters.operator_metrics import OperatorMetrics
from autoscaler.reporting.happenings import REASONS
from autoscaler.spec.crd_status import ConditionType

PAGE = (Path(__file__).parents[3] / "docs" / "operator.md").read_text()


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_every_event_is_listed_and_no_other():
    listed = re.findall(r"^\| (`[^|]*) \|", section("Events"), re.MULTILINE)
    assert {name for row in listed for name in re.findall(r"`(\w+)`", row)} == REASONS


def test_every_condition_is_listed_and_no_other():
    listed = re.findall(r"^\| `(\w+)` \|", section("Status"), re.MULTILINE)
    assert listed == [kind.value for kind in ConditionType]


def test_every_right_is_listed():
    for rule in (*OPERATOR, *lease_rules("foresail")):
        named = f", resourceNames: [{', '.join(rule.names)}]" if rule.names else ""
        written = (
            f"{{apiGroups: [{rule.group}], resources: [{rule.resource}], verbs: [{', '.join(rule.verbs)}]{named}}}"
        )
        assert written in section("Rights")


def test_every_metric_is_listed():
    registry = CollectorRegistry()
    OperatorMetrics(registry)
    for family in registry.collect():
        assert f"`{family.name}" in section("Metrics")
