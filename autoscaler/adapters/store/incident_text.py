"""An incident as text for a row, and back. JSON without NaN: what is not known is null."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from autoscaler.domain.anomaly import Cause
from autoscaler.domain.incident import Evidence, Incident, Rule, Trail
from autoscaler.domain.signals import SignalKind
from autoscaler.domain.verdict import DataFault

DIGITS = 7


def packed(incident: Incident) -> str:
    plain: dict[str, Any] = {
        "v": 1, "id": incident.id, "opened": incident.opened_s, "updated": incident.updated_s,
        "resolved": incident.resolved_s, "cause": None if incident.cause is None else incident.cause.value,
        "rule": int(incident.rule), "severity": round(incident.severity, 4), "workloads": list(incident.workloads),
        "affected": incident.affected, "rate": _number(incident.rate_per_week), "merged": incident.merged_into,
        "gates": incident.gates, "evidence": [_evidence(e) for e in incident.evidence],
        "trails": [
            {
                "workload": t.workload, "metric": t.metric, "step": t.step_s, "first": t.first_step,
                "observed": _numbers(t.observed), "expected": _numbers(t.expected), "lower": _numbers(t.lower),
                "upper": _numbers(t.upper),
            }
            for t in incident.trails
        ],
    }  # fmt: skip
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def unpacked(text: str) -> Incident:
    """Raises ValueError for what is no incident of this version."""
    try:
        p = json.loads(text)
        return Incident(
            id=p["id"], opened_s=p["opened"], updated_s=p["updated"], resolved_s=p["resolved"],
            cause=None if p["cause"] is None else Cause(p["cause"]), rule=Rule(p["rule"]), severity=p["severity"],
            workloads=tuple(p["workloads"]), affected=p["affected"], rate_per_week=_known(p["rate"]),
            merged_into=p["merged"], gates=p["gates"], evidence=tuple(_evidence_of(e) for e in p["evidence"]),
            trails=tuple(
                Trail(t["workload"], t["metric"], t["step"], t["first"],
                      *(tuple(map(_known, t[name])) for name in ("observed", "expected", "lower", "upper")))
                for t in p["trails"]
            ),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as why:
        raise ValueError(f"no incident that can be read: {why}") from why


def _evidence(e: Evidence) -> dict[str, Any]:
    found = {f.name: getattr(e, f.name) for f in fields(e)}
    numbers = {name: _number(found[name]) for name in ("observed", "expected", "lower", "upper", "surprise")}
    return found | numbers | {"kind": e.kind.value, "faults": int(e.faults)}


def _evidence_of(p: dict[str, Any]) -> Evidence:
    numbers = {name: _known(p[name]) for name in ("observed", "expected", "lower", "upper", "surprise")}
    return Evidence(**p | numbers | {"kind": SignalKind(p["kind"]), "faults": DataFault(p["faults"])})


def _numbers(values: Sequence[float]) -> list[float | None]:
    return [_number(v) for v in values]


def _number(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def _known(value: float | None) -> float:
    return math.nan if value is None else float(value)
