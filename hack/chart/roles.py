"""The chart's roles, from the one list of rights that the product has."""

from __future__ import annotations

import json
from collections.abc import Iterable

from autoscaler.adapters.kubernetes.permissions import ROLES, Rule, lease_rules
from hack.chart.writing import HEAD


def role_files() -> dict[str, str]:
    """Name of a file below files/rbac to its text: a list of rules."""
    roles = {**ROLES, "lease": lease_rules("{{ .Values.installation }}")}  # named as the operator names its Lease
    return {f"{name}.yaml": _text(rules) for name, rules in roles.items()}


def _text(rules: Iterable[Rule]) -> str:
    return f"# {HEAD.replace('hack/chart/values.py', 'permissions.py')}\n" + "".join(
        f"- {json.dumps(rule.as_rule())}\n" for rule in rules
    )
