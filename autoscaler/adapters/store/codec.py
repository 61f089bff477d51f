"""A decision as compressed bytes and back, without loss; the version is the first byte and the key `v`.

NaN and infinities travel as the words "nan", "inf", "-inf" (JSON has no numbers for them), unknown as null:
neither ever becomes zero. Within one version the seed of the compression never changes.
"""

from __future__ import annotations

import json
import math
import zlib
from typing import Any

from autoscaler.adapters.store.schema import micros, moment
from autoscaler.domain.decision import Decision, DemandView, GuardEffect, State
from autoscaler.domain.errors import Refused
from autoscaler.domain.ladder import Rung, Standing, Why
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import DataVerdict
from autoscaler.domain.workload import Actuation, Lead, LeadBasis, Mode, WorkloadRef

VERSION = 1

_SEED = (
    b'nan-inf,true]],false,null],TargetUnknown","ScaledToZero","GuardFailed","UnknownDemand","NoForecast",'
    b'"Learning","Holding","Paused","KedaFloor","Scale","Advise","Advisory"sum(rate(http_requests_total{namespace="'
    b'",app="\\"}[1m])),["target-known","TargetUnknown",["pause","Paused",["scaled-to-zero","ScaledToZero",'
    b'["data-verdict","BadData",["data-age","StaleData",["stabilization","Stabilizing",'
    b'["step-up","StepUpLimited",["step-down","StepDownLimited",["min-max","OutsideLimits",'
    b'"inputs":{"target_known":true,"desired":"current":"hold_level":"observed_need":"need_known":true,'
    b'"predicted_need":"predicted":true,"verdict":0,"data_age_s":0.0,"max_data_age_s":180.0,"min_replicas":2,'
    b'"max_replicas":"recent_high":"recent_low":"up_limit":2147483647,"down_limit":"pause_up":false,'
    b'"pause_down":false,"wanted":"held":false,"frozen":false,"now_s":1800000000.0},"margin":1.0,"lead_s":'
    b'"risk":0.005,"demands":[["requests","prod","effects":[["sizing":"ObservedNeed","ForecastPeak",'
    b'"current":"ready":"wanted":"granted":{"v":1,"workload":["at":1800000000000000,"expires":1800000030000000,'
    b'"mode":"Act","actuation":"HpaFloor","state":"Active",'
)


class UnreadablePayload(Refused):
    """One recorded decision that this version of Foresail cannot read; its neighbours are not affected."""


def pack(decision: Decision) -> bytes:
    text = json.dumps(to_dict(decision), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, _SEED)
    return bytes([VERSION]) + squeeze.compress(text.encode()) + squeeze.flush()


def unpack(body: bytes) -> Decision:
    """Refused (UnreadablePayload) when the bytes are of a newer version, or damaged."""
    if not body or body[0] != VERSION:
        found = body[0] if body else "none"
        raise UnreadablePayload(
            f"recorded decision has payload version {found}, this Foresail reads version {VERSION}; "
            "read it with the Foresail that wrote it, or a newer one"
        )
    try:
        text = zlib.decompressobj(-15, zdict=_SEED).decompress(body[1:])
        return from_dict(json.loads(text))
    except (zlib.error, ValueError, KeyError, TypeError, IndexError) as why:
        raise UnreadablePayload(f"recorded decision cannot be read ({why!r}): the payload is damaged") from why


def to_dict(decision: Decision) -> dict[str, Any]:
    """Plain JSON values; a demand and an effect are lists in the order of their fields."""
    d = decision
    return {
        "v": VERSION,
        "workload": [d.workload.namespace, d.workload.name],
        "at": micros(d.at),
        "expires": micros(d.expires),
        "mode": d.mode.value,
        "actuation": d.actuation.value,
        "state": d.state.value,
        "current": d.current,
        "ready": d.ready,
        "wanted": d.wanted,
        "granted": d.granted,
        "sizing": d.sizing.value,
        "margin": _plain(d.margin),
        "lead_s": _plain(d.lead_s),
        "risk": _plain(d.risk),
        "demands": [_demand(v) for v in d.demands],
        "effects": [[e.guard, e.reason.value, e.before, e.after, e.holds, _plain(e.limit)] for e in d.effects],
        "inputs": {name: _plain(value) for name, value in d.inputs.items()},
        **({"notes": [[n.condition.value, n.words] for n in d.notes]} if d.notes else {}),
        **({} if d.lead is None else {"lead": lead_dict(d.lead)}),
        **({"data_delay_s": _plain(d.data_delay_s)} if d.data_delay_s else {}),
        **({"tick_s": _plain(d.tick_s)} if d.tick_s else {}),
        **({"rules": [list(pair) for pair in d.rules]} if d.rules else {}),
    }


def from_dict(plain: dict[str, Any]) -> Decision:
    p = plain
    if p["v"] != VERSION:
        raise ValueError(f"payload version {p['v']!r} under the head of version {VERSION}")
    return Decision(
        workload=WorkloadRef(*p["workload"]),
        at=moment(p["at"]),
        expires=moment(p["expires"]),
        mode=Mode(p["mode"]),
        actuation=Actuation(p["actuation"]),
        state=State(p["state"]),
        current=p["current"],
        ready=p["ready"],
        wanted=p["wanted"],
        granted=p["granted"],
        sizing=Reason(p["sizing"]),
        margin=_number(p["margin"]),
        lead_s=_number(p["lead_s"]),
        risk=_number(p["risk"]),
        demands=tuple(_demand_of(v) for v in p["demands"]),
        effects=tuple(_effect_of(e) for e in p["effects"]),
        inputs={name: _number(value) for name, value in p["inputs"].items()},
        notes=tuple(Note(Condition(code), words) for code, words in p.get("notes", [])),
        lead=lead_of(p["lead"]) if "lead" in p else None,
        data_delay_s=_number(p.get("data_delay_s", 0.0)),
        tick_s=_number(p.get("tick_s", 0.0)),
        rules=tuple((field, rule) for field, rule in p.get("rules", [])),
    )


def lead_dict(lead: Lead) -> list[Any]:
    return [
        _plain(lead.ready_s),
        _plain(lead.warmup_s),
        _plain(lead.actuation_s),
        _plain(lead.provisioning_s),
        lead.basis.value,
        lead.batches,
    ]


def lead_of(plain: list[Any]) -> Lead:
    ready_s, warmup_s, actuation_s, provisioning_s, basis, batches = plain
    return Lead(ready_s, warmup_s, actuation_s, provisioning_s=provisioning_s, basis=LeadBasis(basis), batches=batches)


def _demand(v: DemandView) -> list[Any]:
    return [
        v.name,
        v.source,
        v.query,
        _plain(v.capacity_per_replica),
        int(v.verdict),
        _plain(v.observed),
        _plain(v.age_s),
        v.model,
        None if v.quantiles is None else [_plain(q) for q in v.quantiles],
        v.note,
        *([] if v.standing is None else [_standing(v.standing)]),
    ]


def _standing(s: Standing) -> list[Any]:
    """Names, not numbers: a rung between two others may come."""
    return [
        s.rung.name,
        s.why.name,
        None if s.next_at is None else micros(s.next_at),
        _plain(s.loss_ratio),
        _plain(s.decision_ratio),
    ]


def _standing_of(plain: list[Any]) -> Standing:
    rung, why, next_at, ratio, *later = plain
    cost = _number(later[0]) if later else None
    return Standing(Rung[rung], Why[why], None if next_at is None else moment(next_at), _number(ratio), cost)


def _demand_of(plain: list[Any]) -> DemandView:
    name, source, query, capacity, verdict, observed, age_s, model, quantiles, *later = plain
    return DemandView(
        name=name,
        source=source,
        query=query,
        capacity_per_replica=_number(capacity),
        verdict=DataVerdict(verdict),
        observed=_number(observed),
        age_s=_number(age_s),
        model=model,
        quantiles=None if quantiles is None else tuple(_number(q) for q in quantiles),
        note=later[0] if later else None,
        standing=_standing_of(later[1]) if len(later) > 1 else None,
    )


def _effect_of(plain: list[Any]) -> GuardEffect:
    guard, reason, before, after, holds, limit = plain
    return GuardEffect(guard, Reason(reason), before, after, holds, _number(limit))


def _plain(value: float | None) -> float | str | None:
    if value is None or math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, str) else value
