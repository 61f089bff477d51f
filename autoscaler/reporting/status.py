"""The status of a PredictiveAutoscaler, out of its decision: values in, the dict of the custom resource out.

Only what a person looks at stands here, rounded as they read it. Unknown is absent, never zero. The shape is that of
`PredictiveAutoscalerStatus`; conditions whose answer does not change keep their lastTransitionTime.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from autoscaler.domain.decision import Decision, DemandView
from autoscaler.domain.errors import Problem
from autoscaler.domain.notes import Condition
from autoscaler.reporting.status_conditions import DOCS, Answer, answers_of, with_place

Status = dict[str, Any]
MOST_WORDS = 1024
MOST_MESSAGE = 32768
PEAK_MOVES, COUNT_MOVES = 0.10, 0.05
"""Shares by which a shown peak or count must move to be shown anew."""
PEAK_PASSED = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of an object beside its decision. replicas: of the target, ready ones, and the floor we hold.
    docs: where its messages say to read on.

    decision: None = not decided about (yet). wrong: why its spec is not in force as written. risk: realised share.
    """

    generation: int
    target: tuple[str, str]
    decision: Decision | None
    wrong: tuple[Problem, ...] = ()
    replicas: tuple[int, int, int | None] | None = None
    risk: float | None = None
    docs: str = DOCS


def status_of(standing: Standing, before: Mapping[str, Any], now: datetime) -> Status:
    """before: the status that is shown, {} = none yet."""
    conditions = dated(answers_of(standing.decision, standing.wrong), before, standing.generation, now, standing.docs)
    kind, name = standing.target
    made: Status = {
        "conditions": conditions,
        "observedGeneration": standing.generation,
        "target": {"kind": kind, "name": name, "ref": f"{kind}/{name}"},
    }
    decision = standing.decision
    if decision is None:
        return made
    known = decision.inputs.get("target_known", True)
    made |= {"mode": decision.mode.value, "actuation": decision.actuation.value, "state": decision.state.value}
    if known and standing.replicas is not None:
        current, ready, floor = standing.replicas
        made["replicas"] = {
            "current": current, "ready": ready, "wanted": decision.wanted,
            **({} if floor is None else {"floor": floor}),
            "min": int(decision.inputs["min_replicas"]), "max": int(decision.inputs["max_replicas"]),
        }  # fmt: skip
    made |= (
        _forecast(decision) | _risk(decision, standing.risk) | _last(decision, before) | _holds(decision, before, now)
    )
    rivals = [n.words for n in decision.notes if n.condition in {Condition.RIVAL, Condition.CONFLICT}]
    if rivals:
        made["owner"] = rivals[0][:MOST_WORDS]
    fallback = next((c for c in conditions if c["type"] == "Fallback" and c["status"] == "True"), None)
    if fallback is not None:
        made["fallbackSince"] = fallback["lastTransitionTime"]
    return made


def is_news(shown: Mapping[str, Any], made: Mapping[str, Any]) -> bool:
    """Another answer, another write, another hold: told at once."""
    if _answers(shown) != _answers(made):
        return True
    for key in ("observedGeneration", "mode", "actuation", "state", "owner", "lastDecision", "selected", "used"):
        if shown.get(key) != made.get(key):
            return True
    return [h["guard"] for h in shown.get("holds") or []] != [h["guard"] for h in made.get("holds") or []]


def moved(shown: Mapping[str, Any], made: Mapping[str, Any], now: datetime) -> bool:
    """Whether a number that is shown is visibly another by now: told in its time."""
    before, after = shown.get("replicas") or {}, made.get("replicas") or {}
    if before.keys() != after.keys() or any(_far(before[k], after[k], COUNT_MOVES) for k in after):
        return True
    before, after = shown.get("forecast") or {}, made.get("forecast") or {}
    if before.keys() != after.keys() or before.get("demand") != after.get("demand"):
        return True
    if not after:
        return False
    late = now - datetime.fromisoformat(before["peakTime"]) > PEAK_PASSED
    return late or _far(float(before["peak"]), float(after["peak"]), PEAK_MOVES)


def held_back(shown: Mapping[str, Any], made: Status, kinds: frozenset[str]) -> Status:
    """With the answers of these kinds as they are shown: what is new has not lasted long enough.

    A kind that stands there only while it is so, and is not shown yet, is left out.
    """
    old = {c["type"]: c for c in shown.get("conditions") or []}
    conditions = [
        old.get(c["type"], c) if c["type"] in kinds else c
        for c in made["conditions"]
        if not (c["type"] == "Stalled" and c["type"] in kinds and c["type"] not in old)
    ]
    kept = {key: value for key, value in made.items() if key not in {"state", "holds"}}
    return kept | {key: shown[key] for key in ("state", "holds") if key in shown} | {"conditions": conditions}


def _answers(status: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """A message is for reading along; only of what is wrong with a spec it is the answer itself."""
    return [
        (c["type"], c["status"], c["reason"], c.get("observedGeneration"), c["type"] == "Stalled" and c["message"])
        for c in status.get("conditions") or []
    ]


def _far(before: float, after: float, share: float) -> bool:
    return abs(after - before) > share * max(abs(before), abs(after))


def dated(
    answers: Iterator[Answer], before: Mapping[str, Any], generation: int, now: datetime, docs: str = DOCS
) -> list[dict[str, Any]]:
    """As conditions of a status; an answer that is shown already keeps its time."""
    old = {c["type"]: c for c in before.get("conditions") or []}
    made = []
    for one in answers:
        known = old.get(one.kind)
        since = known["lastTransitionTime"] if known is not None and known["status"] == one.status else iso(now)
        made.append({
            "type": one.kind, "status": one.status, "reason": one.reason,
            "message": with_place(one.message, one.reason, MOST_MESSAGE, docs),
            "lastTransitionTime": since, "observedGeneration": generation,
        })  # fmt: skip
    return made


def deciding_demand(decision: Decision) -> DemandView | None:
    """The demand whose forecast asks for most replicas; None without a forecast."""
    found = [d for d in decision.demands if d.sizing_quantile is not None]
    return max(found, key=lambda d: (d.sizing_quantile or 0.0) / (d.capacity_per_replica or 1.0), default=None)


def _forecast(decision: Decision) -> Status:
    demand = deciding_demand(decision)
    if demand is None or demand.sizing_quantile is None:
        return {}
    made = {
        "peak": f"{demand.sizing_quantile:.3g}" if demand.sizing_quantile < 1000 else f"{demand.sizing_quantile:.0f}",
        "peakTime": iso(decision.at + timedelta(seconds=decision.lead_s)),
        "demand": demand.name,
        "horizon": f"{decision.lead_s:.0f}s",
    }
    if demand.model is not None:
        made["model"] = demand.model
    return {"forecast": made}


def _risk(decision: Decision, realised: float | None) -> Status:
    asked = _percent(decision.risk)
    if realised is None:
        return {"risk": {"asked": asked}}
    came = _percent(realised)
    return {"risk": {"realised": came, "asked": asked, "ratio": f"{came}/{asked}"}}


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.1 else f"{share * 100:.2g}%"


def _last(decision: Decision, before: Mapping[str, Any]) -> Status:
    """The write of this tick, or the last one that is shown."""
    if not any(n.condition is Condition.WRITTEN for n in decision.notes):
        last = before.get("lastDecision")
        return {"lastDecision": last} if last else {}
    words = f"{decision.current} to {decision.granted} at {decision.at.astimezone(UTC):%H:%MZ}"
    return {
        "lastDecision": {
            "time": iso(decision.at), "from": decision.current, "to": decision.granted,
            "reason": decision.reasons[-1].value, "expires": iso(decision.expires), "action": words,
        }
    }  # fmt: skip


def _holds(decision: Decision, before: Mapping[str, Any], now: datetime) -> Status:
    since = {h["guard"]: h.get("since") for h in before.get("holds") or []}
    made = [
        {"guard": e.guard, "reason": e.words[:MOST_WORDS], "since": since.get(e.guard) or iso(now)}
        for e in decision.effects
        if e.holds
    ]
    return {"holds": made[:16]} if made else {}


def iso(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
