"""The settings that were simulated, as a PredictiveAutoscaler to copy. What only the user knows is marked as such."""

from __future__ import annotations

import io
import re
from decimal import Decimal
from enum import Enum, auto
from typing import Any

from ruamel.yaml import YAML

from autoscaler.domain.workload import PolicyType, ScalingRule, StepPolicy, Workload
from autoscaler.spec.compile import HPA_SCALE_UP
from autoscaler.spec.kinds import API_VERSION

SOURCE = "prod"
_UNBOUNDED = 1_000_000
HOUSE_DOWN = ScalingRule(300, (StepPolicy(PolicyType.PERCENT, 10, 60),))
"""What `behavior.scaleDown` is unless written."""


class Named(Enum):
    """Where the names come from. RECORD: of a service, which does not tell the target's."""

    NOT = auto()
    FILE = auto()
    RECORD = auto()


def settings_yaml(load: Workload, *, name: str, query: str | None, named: Named, most_granted: int) -> str:
    """name: of the series, for want of the workload's. query: behind the record, None = not known.

    named: how much of the object's names is known. most_granted: replicas that were ever asked for.
    """
    from_file = named is not Named.NOT
    own = load.ref.name if from_file else object_name(name)
    demand = load.demands[0]
    asked = demand.query if from_file else query
    most = load.max_replicas if load.max_replicas < _UNBOUNDED else max(load.min_replicas, -(-3 * most_granted // 2))
    spec: dict[str, Any] = {
        "target": {
            "apiVersion": load.target.api_version, "kind": load.target.kind,
            "name": load.target.name if from_file else own,
        },
        "mode": "Advise",
        "actuation": load.actuation.value,
    }  # fmt: skip
    if not load.actuation.is_floor:
        spec["acknowledge"] = ["NoReactiveBackup"]
    spec |= {
        "demands": [
            {
                "name": demand.name,
                "source": demand.source if from_file else SOURCE,
                "query": asked or f'sum(rate(http_requests_total{{app="{own}"}}[1m]))',
                "capacity": {"perReplica": _number(demand.known_capacity)},
            }
        ],
        "objective": {"risk": f"{load.risk * 100:.6g}%"},
        "replicas": {"min": load.min_replicas, "max": most},
        "lead": _lead(load),
    }
    if load.headroom != 1:
        spec["headroom"] = f"{(load.headroom - 1) * 100:.6g}%"
    behavior = _behavior(load)
    if behavior:
        spec["behavior"] = behavior
    metadata = {"name": own, "namespace": load.ref.namespace if from_file else "default"}
    found = {"apiVersion": API_VERSION, "kind": "PredictiveAutoscaler", "metadata": metadata, "spec": spec}
    head = ["# Advise decides and records and writes nothing; Act also writes."]
    if not from_file:
        head.append(
            f"# To replace: metadata, target, source ({SOURCE}: your MetricsSource){'' if query else ', query'}."
        )
    if named is Named.RECORD:
        head.append("# To check: target, which is not in the record.")
    if load.max_replicas >= _UNBOUNDED:
        head.append(
            f"# max: one and a half times the most that was ever asked for ({most_granted:,}); choose your own."
        )
    return "\n".join(head) + "\n" + _dumped(found)


def object_name(text: str) -> str:
    """The nearest name that Kubernetes accepts."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:50].strip("-") or "workload"


def _lead(load: Workload) -> dict[str, str]:
    """Delays of acting are measured by the service; the wait for nodes is a part of the time to Ready there."""
    lead = {"ready": _seconds(load.lead.ready_s + load.lead.provisioning_s)}
    return lead | ({"warmup": _seconds(load.lead.warmup_s)} if load.lead.warmup_s else {})


def _behavior(load: Workload) -> dict[str, Any]:
    """Only what differs from what is there by default."""
    up = ScalingRule() if load.actuation.is_floor else ScalingRule(0, HPA_SCALE_UP)
    found: dict[str, Any] = {}
    for key, rule, usual in (("scaleUp", load.scale_up, up), ("scaleDown", load.scale_down, HOUSE_DOWN)):
        if rule == usual:
            continue
        found[key] = {"stabilizationWindowSeconds": rule.stabilization_s, "selectPolicy": rule.select.value}
        if rule.policies:
            found[key]["policies"] = [
                {"type": p.type.value, "value": p.value, "periodSeconds": p.period_s} for p in rule.policies
            ]
    return found


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f}s" if seconds == round(seconds) else f"{seconds * 1000:.0f}ms"


def _number(value: float) -> str:
    """Six digits that matter, as a quoted Kubernetes quantity, never with an exponent: YAML readers dispute it."""
    return f"{Decimal(f'{value:.6g}').normalize():f}"


def _dumped(found: dict[str, Any]) -> str:
    printer = YAML(typ="safe", pure=True)
    printer.default_flow_style = False
    printer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    printer.width = 10_000
    text = io.StringIO()
    printer.dump(found, text)
    return text.getvalue()
