"""Incidents in words: what may be done about one, the command for it, and one line for each. Text only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from autoscaler.domain.anomaly import Cause
from autoscaler.domain.incident import Incident, Rule


@dataclass(frozen=True, slots=True)
class Act:
    """words: what may be done. command: to do it, or to look closer; ready to be typed."""

    words: str
    command: str


_WORDS: Mapping[Cause | None, str] = {
    Cause.DEMAND: "Nothing has to be done: it scales. See that it has room below its max.",
    Cause.CAPACITY: "Compare with the newest rollout and the nodes: replicas serve less than they should.",
    Cause.LATENCY_ERRORS: "Look at what it depends on and at its newest rollout. It is not shrunk while this lasts.",
    Cause.DATA_FAULT: "Mend the query or the exporter. Until then nothing moves and nothing is learned.",
    Cause.SENSOR_LOSS: "Mend the exporter or its scrape. Until then nothing moves and nothing is learned.",
    Cause.SUSPECTED_ATTACK: "Decide whether callers are real. It grows to what is needed now, not by forecast; a pause "
    "or a cap stops that too.",
    None: "Look at it; no rule explains it.",
}


def act_of(incident: Incident, *, scaled: bool = True) -> Act:
    """What may be done. scaled: its workloads are PredictiveAutoscalers; else they are watched only."""
    if not scaled:
        words = "Look at its metrics; then say whether it was one, which moves what is accepted, within bounds."
        return Act(words, f"foresail anomalies label {incident.id} real")
    namespace, _, name = incident.workloads[0].partition("/")
    words = _WORDS[incident.cause]
    if incident.rule is Rule.LESS_DEMAND:
        words = "Look upstream: at the ingress, at callers, at DNS. It shrinks slowly and only as its rules allow."
    if incident.cause is Cause.SUSPECTED_ATTACK:
        where = incident.workloads[0]
        return Act(words, f"foresail pause {where} --direction Up --for 1h --reason 'incident {incident.id}'")
    if incident.cause in {Cause.CAPACITY, Cause.LATENCY_ERRORS}:
        return Act(words, f"kubectl -n {namespace} rollout history deployment/{name}")
    return Act(words, f"foresail explain {incident.workloads[0]}")


def told(incident: Incident, *, scaled: bool = True) -> dict[str, object]:
    """All there is to say of an incident, as plain values; None = unknown."""
    act = act_of(incident, scaled=scaled)
    return {
        "id": incident.id,
        "state": "Open" if incident.open else "Resolved",
        "cause": None if incident.cause is None else incident.cause.value,
        "rule": incident.rule.name,
        "title": incident.title,
        "why": incident.why,
        "severity": round(incident.severity, 3),
        "ratePerWeek": _plain(incident.rate_per_week),
        "openedAt": stamp(incident.opened_s),
        "updatedAt": stamp(incident.updated_s),
        "resolvedAt": None if incident.resolved_s is None else stamp(incident.resolved_s),
        "mergedInto": incident.merged_into or None,
        "affected": incident.affected,
        "workloads": list(incident.workloads),
        "bindsScaling": scaled and incident.gates,
        "evidence": [
            {
                "workload": e.workload, "metric": e.metric, "kind": e.kind.value, "observed": _plain(e.observed),
                "expected": _plain(e.expected), "lower": _plain(e.lower), "upper": _plain(e.upper),
                "surprise": _plain(e.surprise), "faults": e.faults.words or None,
            }
            for e in incident.evidence
        ],
        "act": act.words,
        "command": act.command,
    }  # fmt: skip


def stamp(moment_s: float) -> str:
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%dT%H:%M:%SZ}"


def lasted(incident: Incident, now_s: float) -> str:
    """12 min, 3.5 h, 2 d."""
    seconds = max(0.0, (now_s if incident.resolved_s is None else incident.resolved_s) - incident.opened_s)
    for unit_s, unit in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.3g} {unit}"
    return f"{seconds:.0f} s"


def _plain(value: float) -> float | None:
    return float(f"{value:.6g}") if value == value and abs(value) != float("inf") else None  # noqa: PLR0124
