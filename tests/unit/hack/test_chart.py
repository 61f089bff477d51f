"""What is written from the chart's model is current, and says what the model says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from autoscaler.adapters.kubernetes.permissions import ROLES, lease_rules
from hack.chart.__main__ import CHART, generated
from hack.chart.values import Values
from hack.chart.writing import fields, values_page

FILES = generated()
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_generated_file_is_current(path: Path):
    assert path.read_text() == FILES[path], "run: make chart"


def values() -> Any:
    return YAML(typ="safe").load(CHART / "values.yaml")


def test_the_defaults_of_values_yaml_are_those_of_the_model_and_pass_its_schema():
    assert values() == Values().model_dump(mode="json", by_alias=True)
    jsonschema.validate(values(), SCHEMA)


def test_every_value_has_a_comment_and_a_row():
    def flat(part: BaseModel, path: str = "") -> list[str]:
        found = []
        for name, meaning, default in fields(part, path):
            assert len(meaning) > 4, name
            found += [name, *(flat(default, f"{name}.") if isinstance(default, BaseModel) else [])]
        return found

    names = flat(Values())
    assert len(names) > 100
    assert all(f"`{name}`" in values_page() for name in names)


@pytest.mark.parametrize(
    ("wrong", "at"),
    [
        ({"replica": 1}, ""),
        ({"replicas": "two"}, "replicas"),
        ({"image": {"digest": "sha256:abc"}}, "image.digest"),
        ({"image": {"pulPolicy": "Always"}}, "image"),
        ({"operator": {"tick": "15 seconds"}}, "operator.tick"),
        ({"namespaces": ["Shop"]}, "namespaces.0"),
        ({"secretMounts": [{"name": "prom", "mountPath": "etc"}]}, "secretMounts.0.mountPath"),
        ({"policies": {"files": {"limits": "x"}}}, "policies.files"),
        ({"permissions": {"targets": [{"apiGroup": "argoproj.io"}]}}, "permissions.targets.0"),
        ({"permissions": {"targets": [{"apiGroup": "", "resource": "secrets"}]}}, "permissions.targets.0.apiGroup"),
        ({"permissions": {"targets": [{"apiGroup": "*", "resource": "secrets"}]}}, "permissions.targets.0.apiGroup"),
        ({"namespaces": ["shop", "shop"]}, "namespaces"),
        ({"alerts": {"alertmanagers": ["http://mia:word@am:9093"]}}, "alerts.alertmanagers.0"),
        ({"store": {"accessModes": ["ReadOnlyMany"]}}, "store.accessModes.0"),
    ],
)
def test_the_schema_refuses_a_slip_at_its_place(wrong: dict[str, Any], at: str):
    found = [".".join(map(str, e.absolute_path)) for e in jsonschema.Draft202012Validator(SCHEMA).iter_errors(wrong)]
    assert found == [at]


def test_what_a_parent_chart_shares_is_let_through():
    jsonschema.validate({"global": {"imageRegistry": "r.example.com", "theirs": {"any": 1}}}, SCHEMA)


def test_S05_no_role_reads_secrets_makes_pods_grants_rights_or_has_a_star():
    writes_allowed = {
        ("autoscaling", "horizontalpodautoscalers"), ("keda.sh", "scaledobjects"), ("apps", "deployments/scale"),
        ("apps", "statefulsets/scale"), ("apps", "replicasets/scale"), ("events.k8s.io", "events"),
        ("foresail.dev", "predictiveautoscalers/status"), ("foresail.dev", "guardpolicies/status"),
        ("foresail.dev", "metricssources/status"), ("coordination.k8s.io", "leases"),
    }  # fmt: skip
    rules = [rule for role in (*ROLES.values(), lease_rules("foresail")) for rule in role]
    assert len(rules) > 20
    for rule in rules:
        assert rule.group != "rbac.authorization.k8s.io"
        assert rule.resource.partition("/")[0] not in {"secrets", "*", "serviceaccounts", "configmaps"}
        assert "*" not in (rule.group, *rule.verbs)
        if not set(rule.verbs) <= {"get", "list", "watch"}:
            assert (rule.group, rule.resource) in writes_allowed
    for role in ("observe", "observe-keda", "events", "cluster"):
        writes = {r.resource for r in ROLES[role] if not set(r.verbs) <= {"get", "list", "watch"}}
        assert all(name.endswith("/status") or name == "events" for name in writes), "observing moves nothing"
