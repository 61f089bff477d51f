"""Good files: what they compile to, and that writing a model out and reading it again changes nothing."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import BaseModel

from autoscaler.domain.workload import (
    Actuation,
    Mode,
    PauseDirection,
    PolicyType,
    ScalingRule,
    SelectPolicy,
    StepPolicy,
)
from autoscaler.spec import KINDS, json_schema, load, parse_text
from autoscaler.spec import notify as _notify  # noqa: F401 - its kinds are among those that are looked at
from autoscaler.spec.behavior import BehaviorSpec, Part
from autoscaler.spec.compile import HPA_SCALE_UP

EXAMPLES = Path(__file__).parents[3] / "policies" / "examples"


def parts(model: type[BaseModel] = Part) -> list[type[BaseModel]]:
    found = [inner for sub in model.__subclasses__() for inner in [sub, *parts(sub)]]
    return [m for m in found if m.__module__.startswith("autoscaler.spec")]


def test_the_web_shop_compiles_with_defaults_filled_in() -> None:
    (web,) = load([EXAMPLES / "web-shop.yaml"]).compile()
    assert str(web.ref) == "shop/web"
    assert (web.mode, web.actuation) == (Mode.ADVISE, Actuation.HPA_FLOOR)
    assert (web.min_replicas, web.max_replicas, web.risk, web.headroom) == (2, 60, 0.005, 1.0)
    assert web.lead.total_s == 165
    assert web.demands[0].capacity_per_replica == 45
    assert web.scale_up == ScalingRule()
    assert web.scale_down == ScalingRule(300, (StepPolicy(PolicyType.PERCENT, 10, 60),))
    assert web.max_data_age_s == 180
    assert web.pause is None


def test_the_checkout_compiles_what_it_says() -> None:
    (checkout,) = load([EXAMPLES / "checkout-scale.yaml"]).compile()
    assert checkout.actuation is Actuation.SCALE
    assert [d.capacity_per_replica for d in checkout.demands] == [1.5, 2.5]
    assert checkout.risk == pytest.approx(0.005)
    assert checkout.headroom == 1.2
    assert checkout.scale_up == ScalingRule(0, HPA_SCALE_UP, SelectPolicy.MAX)
    assert checkout.scale_down.select is SelectPolicy.MIN
    assert checkout.pause is not None
    assert checkout.pause.direction is PauseDirection.DOWN
    assert checkout.pause.until == datetime(2026, 3, 1, 6, tzinfo=UTC)


def test_a_folder_is_one_fleet_and_recordings_start_at_their_file() -> None:
    fleet = load([EXAMPLES])
    assert [a.metadata.name for a in fleet.autoscalers] == ["checkout", "api", "web"]
    assert [s.name for s in fleet.servers] == ["prod"]
    assert {r.name: (r.path, r.step_s) for r in fleet.recordings} == {
        "checkout-recording": (EXAMPLES / "demand/checkout.parquet", None),
        "shop-recording": (EXAMPLES / "demand/web-shop.csv", 60),
    }


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda p: p.name)
def test_a_written_model_reads_back_as_itself(example: Path) -> None:
    fleet = load([example])
    models = [*fleet.sources, *fleet.autoscalers]
    texts = [json.dumps(m.model_dump(mode="json", by_alias=True)) for m in models]
    again = parse_text("\n---\n".join(texts), str(example))
    assert again.compile() == fleet.compile()
    assert again.compiled_sources == fleet.compiled_sources
    assert [*again.sources, *again.autoscalers] == models


CASE = {
    "name": "c",
    "workload": "w",
    "at": "2026-03-02T09:00:00+01:00",
    "given": {"replicas": 4},
    "expect": {"holds": True},
}
BESIDE: dict[tuple[str, str], dict[str, object] | None] = {
    ("PredictiveAutoscalerSpec", "actuation"): {"acknowledge": ["NoReactiveBackup"]},
    ("BasicAuthSpec", "username"): {"passwordFile": "/etc/p"},
    ("TlsSpec", "cert_file"): {"keyFile": "/etc/k"},
    ("TlsSpec", "key_file"): {"certFile": "/etc/c"},
    ("TlsSpec", "cert_secret"): {"keySecret": {"name": "prod", "key": "tls.key"}},
    ("TlsSpec", "key_secret"): {"certSecret": {"name": "prod", "key": "tls.crt"}},
    ("MetricsSourceSpec", "allowed_namespaces"): {"file": {"path": "web.csv"}},
    ("ScheduleSpec", "name"): {"min": 2},
    ("EventSpec", "name"): {"uplift": 1.5},
    ("UpLimits", "may_cause_shortage"): {"selectPolicy": "Disabled"},
    ("EventSpec", "when"): {"uplift": 1.5},
    ("ScheduleSpec", "when"): {"min": 2},
    ("ExpressionSpec", "key"): {"values": ["shop"]},
    ("ExpressionSpec", "operator"): {"values": ["shop"]},
    ("PolicyTestSpec", "files"): {"cases": [CASE]},
    ("PolicyTestSpec", "site"): {"cases": [CASE]},
    ("MomentsSpec", "at"): {"replicas": 3},
    ("MomentsSpec", "from_"): {"until": "2026-03-02T18:00:00+01:00", "replicas": 3},
    ("MomentsSpec", "until"): {"from": "2026-03-02T09:00:00+01:00", "replicas": 3},
    **{
        ("MomentsSpec", name): {"at": "2026-03-02T09:00:00+01:00"}
        for name in ("replicas", "at_least", "at_most", "holds", "reasons", "not_reasons")
    },
    ("MomentsSpec", "rules"): None,
    ("ConditionSpec", "replicas"): {"then": "Cap"},
    ("ConditionSpec", "may_cause_shortage"): {"then": "Cap", "replicas": 20},
    **{("BudgetSpec", name): {"replicaPrice": "0.05"} for name in ("per_hour", "per_month")},
    ("BudgetSpec", "replica_price"): {"perHour": "12.50"},
    ("BudgetSpec", "may_cause_shortage"): {"replicas": 400},
    ("BrakeSpec", "may_cause_shortage"): {"grow": "40%"},
    **{("PolicyPauseSpec", name): {"until": "2026-03-01T06:00:00Z"} for name in ("owner", "reason", "at")},
    ("GrowthCapSpec", "may_cause_shortage"): {"over": "50%"},
    ("PolicyPauseSpec", "direction"): {"until": "2026-03-01T06:00:00Z"},
    ("GuardPolicySpec", "selector"): {"defaults": {"headroom": "20%"}},
    ("SlackSpec", "channel"): {"token": {"env": "SLACK_TOKEN"}},
    ("SlackSpec", "token"): {"channel": "C0123456789"},
    ("SlackSpec", "url"): {"webhook": {"env": "SLACK_WEBHOOK"}},
    ("WebhookSpec", "secret"): {"url": "https://hooks.example.com/foresail"},
    ("EmailSpec", "username"): {"password": {"env": "SMTP_PASSWORD"}},
    ("EmailSpec", "password"): {"username": "foresail"},
    **{
        ("DestinationSpec", name): {"pagerDuty": {"routingKey": {"env": "PAGERDUTY_KEY"}}}
        for name in ("name", "group_by", "limit", "remind_after", "fallback", "templates")
    },
    ("GuardPolicySpec", "acknowledge"): {"defaults": {"headroom": "20%"}},
}
"""What a field needs beside it to be valid; None: it is never valid here, and says why."""


@pytest.mark.parametrize("model", parts(), ids=lambda m: m.__name__)
def test_every_field_has_a_description_and_examples_that_validate(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        assert field.description, name
        assert field.examples, name
        required = {n: f.examples[0] for n, f in model.model_fields.items() if f.is_required() and f.examples}
        for example in field.examples:
            given = {**required, name: example}
            values = {model.model_fields[n].alias: value for n, value in given.items()}
            beside = BESIDE.get((model.__name__, name), {})
            if beside is not None:
                model.model_validate(values | beside)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_schema_names_fields_as_users_write_them_and_refuses_others(kind: str) -> None:
    schema = json_schema(kind)
    assert set(schema["properties"]) == {"apiVersion", "kind", "metadata", "spec"}
    assert all(part["additionalProperties"] is False for part in schema["$defs"].values() if "properties" in part)


def test_documented_defaults_of_behavior_are_the_real_ones() -> None:
    behavior = BehaviorSpec()
    assert behavior.scale_up.policies is None
    assert behavior.scale_up.stabilization_window_seconds == 0
    assert behavior.scale_down.stabilization_window_seconds == 300
    assert [(p.type, p.value, p.period_seconds) for p in behavior.scale_down.policies] == [(PolicyType.PERCENT, 10, 60)]
