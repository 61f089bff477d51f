"""Recorded decisions in plain words, for an SRE who asks why this number; and the same as JSON values.

Pure: text and dicts out, nothing looked up. Unknown is said as such, never shown as zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from autoscaler.domain.decision import Decision, DemandView, GuardEffect, State, level_names
from autoscaler.domain.ladder import Standing
from autoscaler.domain.reasons import Reason
from autoscaler.domain.record import Range, RecordedRun
from autoscaler.domain.workload import Actuation, LeadBasis, Mode
from autoscaler.reporting.rules_behind import rules_behind

HISTORY_COLUMNS = ("from (UTC)", "until", "ticks", "replicas", "state", "why", "observed")

_WRITES = {
    Actuation.HPA_FLOOR: "the floor of its HPA (minReplicas)",
    Actuation.KEDA_FLOOR: "the floor of its ScaledObject (minReplicaCount)",
    Actuation.SCALE: "its replicas (scale)",
}


def explain(run: RecordedRun, at: datetime | None, counterfactuals: Mapping[str, int]) -> str:
    """Why this number.

    at: the moment that was asked about; None = the newest. counterfactuals: guard → replicas without that guard.
    """
    return "\n".join(_lines(run, at, counterfactuals))


def _lines(run: RecordedRun, at: datetime | None, counterfactuals: Mapping[str, int]) -> Iterator[str]:
    d = run.decision
    yield f"{d.workload}: {d.current} → {d.granted}, {d.state}"
    yield f"  {_writing(d)}; written now {d.current}, granted {d.granted}, ready {d.ready}"
    yield f"  {_since(run)}"
    yield from (f"  {line}" for line in _beyond(run, at))
    if run.ticks > 1:
        yield "  the numbers below are of the run's first tick; [a – b] is the range over the run"
    yield "demand"
    for k, demand in enumerate(d.demands):
        yield from (f"  {line}" for line in _demand_lines(d, demand, _at(run.observed, k), _at(run.sizing_quantile, k)))
    yield "size"
    yield from (f"  {line}" for line in _size_lines(run))
    yield "guards, in order"
    width = max((len(e.guard) for e in d.effects), default=0)
    for e in d.effects:
        yield f"  {e.guard:<{width}}  {_effect(e)}"
        yield from (f"  {'':<{width}}    by {rule}" for rule in rules_behind(d, e))
    yield f"  granted {d.granted}"
    for guard, count in _differing(d, counterfactuals).items():
        yield f"  without {guard}: {count}"
    if d.rules:
        yield "rules in force"
        yield from (f"  {field}: {rule}" for field, rule in d.rules)
    if d.notes:
        yield "cluster"
        yield from (f"  {note.condition}: {note.words}" for note in d.notes)
    valid_s = (d.expires - d.at).total_seconds()
    last = run.last_at + (d.expires - d.at)
    yield f"expires {duration(valid_s)} after its tick (the last one at {_time(last)}): a later write is dropped"


def history_table(runs: Sequence[RecordedRun]) -> list[tuple[str, ...]]:
    """One row of text per run, in the order of HISTORY_COLUMNS."""
    rows: list[tuple[str, ...]] = []
    for run in runs:
        d = run.decision
        same_day = run.first_at.astimezone(UTC).date() == run.last_at.astimezone(UTC).date()
        until = run.last_at.astimezone(UTC).strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M:%S")
        first = run.first_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        replicas = f"{d.current} → {d.granted}"
        why = ", ".join(d.reasons)
        rows.append((first, until, f"{run.ticks:,}", replicas, d.state.value, why, _observed(run)))
    return rows


def history_dicts(runs: Sequence[RecordedRun]) -> list[dict[str, Any]]:
    """One JSON-able dict per run, without the details of its decision but with the rules that changed its number."""
    return [_span_dict(run) | _head_dict(run.decision) | {"rules": list(ruling(run.decision))} for run in runs]


def export_dict(run: RecordedRun) -> dict[str, Any]:
    """Everything that is on record about a run, for a log store."""
    return {"kind": "ForesailDecision", **_span_dict(run), **decision_dict(run.decision)}


def ruling(decision: Decision) -> tuple[str, ...]:
    """The rules behind the guards that changed or held the number, in the order of the guards, each once."""
    return tuple(dict.fromkeys(rule for e in decision.effects for rule in rules_behind(decision, e)))


def explain_dict(run: RecordedRun, at: datetime | None, counterfactuals: Mapping[str, int]) -> dict[str, Any]:
    """What `explain` tells, as JSON values; unknown is null."""
    return {
        "askedAt": None if at is None else _iso(at),
        "recordedThen": at is None or at <= run.last_at + (run.decision.expires - run.decision.at),
        "run": _span_dict(run),
        "decision": decision_dict(run.decision),
        "withoutGuard": _differing(run.decision, counterfactuals),
    }


def decision_dict(decision: Decision) -> dict[str, Any]:
    """One decision as JSON values; unknown is null."""
    d = decision
    return _head_dict(d) | {
        "at": _iso(d.at),
        "expires": _iso(d.expires),
        "mode": d.mode.value,
        "actuation": d.actuation.value,
        "ready": d.ready,
        "margin": _json(d.margin),
        "leadSeconds": _json(d.lead_s),
        "lead": _lead_dict(d),
        "risk": _json(d.risk),
        "words": list(d.words),
        "demands": [_demand_dict(v) for v in d.demands],
        "guards": [_effect_dict(e) | {"rules": list(rules_behind(d, e))} for e in d.effects],
        "notes": [{"condition": n.condition.value, "words": n.words} for n in d.notes],
        "rules": [{"field": field, "rule": rule} for field, rule in d.rules],
        "inputs": {name: _json(value) for name, value in d.inputs.items()},
    }


def lead_words(d: Decision) -> str:
    """The parts of the time from a sample until what was decided on it serves; "" in records before they were known."""
    lead = d.lead
    if lead is None:
        return ""
    basis = {
        LeadBasis.TYPED: "as typed",
        LeadBasis.MEASURED: f"measured, p95 of {lead.batches} batches",
        LeadBasis.DEFAULT: "the stated default, until enough starts were seen",
    }[lead.basis]
    behind = _named({
        "a node for it": lead.provisioning_s, "warm-up": lead.warmup_s, "actuation": lead.actuation_s,
    })  # fmt: skip
    before = _named({"lateness of the data": d.data_delay_s, "tick": d.tick_s})
    whole = ", ".join([f"until the last pod is Ready {duration(lead.ready_s)} ({basis})", *behind])
    return f"{whole}; before it {', '.join(before)}" if before else whole


def _named(parts: Mapping[str, float]) -> list[str]:
    return [f"{name} {duration(part_s)}" for name, part_s in parts.items() if part_s]


def _lead_dict(d: Decision) -> dict[str, Any] | None:
    lead = d.lead
    if lead is None:
        return None
    return {
        "readySeconds": lead.ready_s, "provisioningSeconds": lead.provisioning_s, "warmupSeconds": lead.warmup_s,
        "actuationSeconds": lead.actuation_s, "dataDelaySeconds": d.data_delay_s, "tickSeconds": d.tick_s,
        "basis": lead.basis.value, "batches": lead.batches,
    }  # fmt: skip


def number(value: float | None) -> str:
    """For reading: 12,346, 240, 41.5, 0.0123; "unknown" where there is none."""
    if value is None or math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "no limit" if value > 0 else "-∞"
    if value == round(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def duration(seconds: float | None) -> str:
    """20 s, 2 min 30 s, 3 h 5 min, 2 d 4 h: the two largest units."""
    if seconds is None or not math.isfinite(seconds):
        return "unknown"
    if abs(seconds) < 1 and seconds:
        return f"{seconds:.2g} s"
    left, parts = round(abs(seconds)), []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if left >= size:
            parts.append(f"{left // size} {unit}")
            left %= size
    return ("-" if seconds < 0 else "") + (" ".join(parts[:2]) or "0 s")


def _writing(d: Decision) -> str:
    if d.state is State.YIELDED:
        return f"mode {d.mode.value}: writes nothing, somebody else decides about {_WRITES[d.actuation]}"
    verb = "writes" if d.mode is Mode.ACT else "only advises, would write"
    return f"mode {d.mode.value}: {verb} {_WRITES[d.actuation]}"


def _since(run: RecordedRun) -> str:
    if run.ticks == 1:
        return f"decided at {_time(run.first_at)}, in one tick"
    lasted = duration((run.last_at - run.first_at).total_seconds())
    return f"the same since {_time(run.first_at)}: {run.ticks:,} ticks over {lasted}, the last at {_time(run.last_at)}"


def _beyond(run: RecordedRun, at: datetime | None) -> Iterator[str]:
    """Say so when the record does not reach the moment that was asked about."""
    if at is None:
        return
    yield f"asked about {_time(at)}"
    if at < run.first_at:
        yield "this run began only after that"
    elif at > run.last_at + (run.decision.expires - run.decision.at):
        silent = duration((at - run.last_at).total_seconds())
        yield f"nothing was recorded for {silent} before that: this decision had expired by then"


def _demand_lines(d: Decision, demand: DemandView, observed: Range, sizing: Range) -> Iterator[str]:
    yield f"{demand.name}, from {demand.source}: {demand.query}"
    yield f"  data: {demand.verdict.words}"
    if demand.note:
        yield f"    the source: {demand.note}"
    age = "" if demand.age_s is None else f", {duration(demand.age_s)} old"
    yield f"  observed {number(demand.observed)}{age}{_span(observed)}"
    if demand.quantiles is None:
        yield f"  no forecast of the next {duration(d.lead_s)}: {_why_none(demand)}{_span(sizing)}"
    else:
        names = level_names()
        labels = names if len(names) == len(demand.quantiles) else tuple(f"q{k}" for k in range(len(demand.quantiles)))
        shown = ", ".join(f"{name} {number(q)}" for name, q in zip(labels, demand.quantiles, strict=True))
        yield f"  forecast peak of the next {duration(d.lead_s)}: {shown} (by {demand.model}){_span(sizing)}"
    if demand.standing is not None:
        yield f"  forecast rung: {_rung(demand.standing)}"
    served = number(demand.capacity_per_replica)
    yield f"  one replica serves {served if demand.capacity_per_replica is not None else 'what is not learned yet'}"


def _why_none(demand: DemandView) -> str:
    return "no model qualifies" if demand.standing is None else demand.standing.why.words


def _rung(standing: Standing) -> str:
    compared = "" if standing.loss_ratio is None else f" (quantile loss {standing.loss_ratio:.3g} of its)"
    if standing.loss_ratio is not None and standing.decision_ratio is not None:
        losses = f"quantile loss {standing.loss_ratio:.3g}, decision loss {standing.decision_ratio:.3g}"
        compared = f" ({losses} of its)"
    ahead = "" if standing.next_at is None else f"; the next rung at {_time(standing.next_at)} at the earliest"
    return f"{standing.rung.words}; {standing.why.words}{compared}{ahead}"


def _size_lines(run: RecordedRun) -> Iterator[str]:
    d = run.decision
    if d.inputs.get("need_known", True):
        yield f"observed demand needs {_count(d, 'observed_need')}"
    else:
        yield "what observed demand needs is unknown"
    if d.inputs.get("predicted", True):
        chosen = f"lead {duration(d.lead_s)}, accepted risk {100 * d.risk:.3g} % of time"
        by = "usual peak of past days" if d.sizing is Reason.USUAL_PEAK else f"forecast {level_names()[-1]}"
        yield f"{by} × margin {d.margin:.3g} needs {_count(d, 'predicted_need')} ({chosen})"
    else:
        yield f"no forecast counts here (lead {duration(d.lead_s)}, accepted risk {100 * d.risk:.3g} % of time)"
    if words := lead_words(d):
        yield f"lead: {words}"
    yield f"wanted {d.wanted}{_span(run.wanted)}: {d.sizing.words(d.current, d.wanted)}"


def _count(d: Decision, name: str) -> str:
    return number(d.inputs.get(name))


def _effect(effect: GuardEffect) -> str:
    if not effect.acted:
        return "no effect"
    if "→" in effect.words:
        return effect.words
    moved = f"{effect.before} → {effect.after}" if effect.before != effect.after else f"stays {effect.after}"
    return f"{moved}: {effect.words}"


def _differing(d: Decision, counterfactuals: Mapping[str, int]) -> dict[str, int]:
    return {guard: count for guard, count in counterfactuals.items() if count != d.granted}


def _observed(run: RecordedRun) -> str:
    texts = []
    for k, demand in enumerate(run.decision.demands):
        span = _at(run.observed, k)
        text = number(span.low) if span.low == span.high else f"{number(span.low)} – {number(span.high)}"
        texts.append(text if len(run.decision.demands) == 1 else f"{demand.name} {text}")
    return ", ".join(texts)


def _at(ranges: Sequence[Range], k: int) -> Range:
    return ranges[k] if k < len(ranges) else Range(None, None)


def _span(span: Range) -> str:
    """Only where it says more than the number before it."""
    return "" if span.low is None or span.low == span.high else f" [{number(span.low)} – {number(span.high)}]"


def _span_dict(run: RecordedRun) -> dict[str, Any]:
    demands = run.decision.demands
    return {
        "from": _iso(run.first_at),
        "until": _iso(run.last_at),
        "ticks": run.ticks,
        "wantedRange": _range(run.wanted),
        "observedRange": {v.name: _range(_at(run.observed, k)) for k, v in enumerate(demands)},
        "sizingQuantileRange": {v.name: _range(_at(run.sizing_quantile, k)) for k, v in enumerate(demands)},
    }


def _head_dict(d: Decision) -> dict[str, Any]:
    return {
        "workload": str(d.workload),
        "state": d.state.value,
        "current": d.current,
        "wanted": d.wanted,
        "granted": d.granted,
        "reasons": [r.value for r in d.reasons],
    }


def _demand_dict(v: DemandView) -> dict[str, Any]:
    quantiles = None
    if v.quantiles is not None:
        quantiles = {name: _json(q) for name, q in zip(level_names(), v.quantiles, strict=False)}
    return {
        "name": v.name,
        "source": v.source,
        "query": v.query,
        "capacityPerReplica": _json(v.capacity_per_replica),
        "verdict": v.verdict.name,
        "note": v.note,
        "observed": _json(v.observed),
        "ageSeconds": _json(v.age_s),
        "model": v.model,
        "quantiles": quantiles,
        "ladder": None if v.standing is None else _standing_dict(v.standing),
    }


def _standing_dict(s: Standing) -> dict[str, Any]:
    return {
        "rung": s.rung.name.capitalize(),
        "reason": s.why.code,
        "words": _rung(s),
        "nextRungAt": None if s.next_at is None else _iso(s.next_at),
        "lossRatio": _json(s.loss_ratio),
        "decisionRatio": _json(s.decision_ratio),
    }


def _effect_dict(e: GuardEffect) -> dict[str, Any]:
    return {
        "guard": e.guard,
        "reason": e.reason.value,
        "acted": e.acted,
        "holds": e.holds,
        "before": e.before,
        "after": e.after,
        "limit": _json(e.limit),
        "words": e.words if e.acted else "no effect",
    }


def _range(span: Range) -> list[float | None]:
    return [_json(span.low), _json(span.high)]


def _json(value: float | None) -> float | None:
    return value if value is None or math.isfinite(value) else None


def _iso(when: datetime) -> str:
    return when.astimezone(UTC).isoformat()


def _time(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
