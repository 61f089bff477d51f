"""The custom resource definitions: made from the models alone, committed as they are made, and complete."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args

import pytest
from pydantic import AfterValidator, BaseModel, Field

from autoscaler.spec.behavior import Part, ScaleDownSpec, ScaleUpSpec
from autoscaler.spec.crd import RESOURCES, as_yaml, crd, file_name
from autoscaler.spec.crd_rules_policy import BETWEEN
from autoscaler.spec.crd_schema import FILLED_BY_POLICIES, schema_of
from autoscaler.spec.crd_status import STATUSES, ConditionType
from autoscaler.spec.kinds import KINDS, PredictiveAutoscalerSpec, ReplicasSpec
from autoscaler.spec.policy_rules import BehaviorDefaults, DefaultsSpec
from autoscaler.spec.saying import Saying

ROOT = Path(__file__).parents[3]
CRDS = ROOT / "charts" / "foresail" / "files" / "crds"
EVERY_KIND = pytest.mark.parametrize("kind", sorted(KINDS))


def root_of(kind: str) -> dict[str, Any]:
    schema: dict[str, Any] = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes(schema[key], f"{path}[]")


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models(field.annotation)
    for inner in get_args(annotation):
        yield from models(inner)


SPECS = sorted(
    {m for kind in KINDS.values() for m in models(kind.model_fields["spec"].annotation)}, key=lambda m: m.__name__
)


@EVERY_KIND
def test_the_committed_definition_is_the_one_that_the_models_make(kind):
    committed = (CRDS / file_name(kind)).read_text()
    assert committed == as_yaml(kind), "foresail crds --out charts/foresail/files/crds"


def test_nothing_else_is_committed_beside_them():
    assert {f.name for f in CRDS.iterdir()} == {file_name(kind) for kind in KINDS}
    assert set(KINDS) == set(RESOURCES) == set(STATUSES)


@EVERY_KIND
def test_every_field_says_what_it_is_and_shows_an_example(kind):
    told = [(path, node) for path, node in nodes(root_of(kind)) if path.startswith((".spec.", ".status."))]
    assert len(told) > 20
    for path, node in told:
        if not path.endswith("[]"):
            words, _, example = node["description"].partition(" Example: ")
            assert words[-1] in ".)", path
            assert example, path


@EVERY_KIND
def test_every_schema_is_structural(kind):
    """No reference, a type everywhere but at a number or a text, and none inside what only restricts values."""
    for path, node in nodes(root_of(kind)):
        assert "$ref" not in node, path
        assert ("type" in node) != ("x-kubernetes-preserve-unknown-fields" in node), path
        assert "properties" not in node or "additionalProperties" not in node, path
        for key in ("anyOf", "allOf", "not"):
            assert '"type"' not in json.dumps(node.get(key, {})), path


@EVERY_KIND
def test_whatever_rules_read_is_bounded_so_that_their_cost_is(kind):
    for path, node in nodes(root_of(kind)["properties"]["spec"]):
        if node.get("type") == "array":
            assert node["maxItems"] <= 1000, path
        elif "additionalProperties" in node:
            assert node["maxProperties"] <= 64, path
        elif node.get("type") == "string" and "x-kubernetes-validations" in node:
            assert node["maxLength"] <= 8192, path
    for path, node in nodes(root_of(kind)):
        for rule in node.get("x-kubernetes-validations", []):
            assert rule["message"], path
            assert "\n" not in rule["message"], path
            names = rule.get("fieldPath", "").split(".")[1:]
            at = node
            for name in names:
                at = at["properties"][name]


@pytest.mark.parametrize("model", SPECS, ids=lambda m: m.__name__)
def test_each_validator_of_a_model_has_its_rule_for_the_server(model):
    decorators = model.__pydantic_decorators__
    said = {*decorators.model_validators, *decorators.field_validators} - {"_drop_blanks"}
    covered = {name for base in model.__mro__ for name in getattr(BETWEEN.get(base), "covers", ())}
    assert said <= covered, f"crd_rules says nothing of {model.__name__}.{', '.join(sorted(said - covered))}"


def test_rules_stand_only_for_validators_that_there_are():
    for model, between in BETWEEN.items():
        decorators = model.__pydantic_decorators__
        assert set(between.covers) <= {*decorators.model_validators, *decorators.field_validators}, model


@pytest.mark.parametrize("model", SPECS, ids=lambda m: m.__name__)
def test_the_servers_defaults_are_the_models(model):
    properties = schema_of(model)["properties"]
    for name, field in model.model_fields.items():
        node = properties[field.alias or name]
        default = None if field.is_required() else field.get_default(call_default_factory=True, validated_data={})
        if default is None or name in FILLED_BY_POLICIES.get(model, ()) or issubclass(model, Saying):
            assert "default" not in node, name
        elif isinstance(default, BaseModel):
            assert node["default"] == {}
            assert type(default).model_validate({}) == default, name
        else:
            assert json.dumps(node["default"]) == json.dumps(default), name


def test_what_policies_fill_has_no_default_of_the_servers():
    """It would be the workload's own word, and the defaults of a policy could not speak."""
    renamed = {"risk": "objective", "replicas": None, "behavior": "behavior"}
    filled = {renamed.get(name, name) for name in DefaultsSpec.model_fields}
    own = set(PredictiveAutoscalerSpec.model_fields)
    assert FILLED_BY_POLICIES[PredictiveAutoscalerSpec] == filled & own
    assert FILLED_BY_POLICIES[ReplicasSpec] == {"min"}
    direction = get_args(BehaviorDefaults.model_fields["scale_up"].annotation)[0]
    for spec in (ScaleUpSpec, ScaleDownSpec):
        assert set(direction.model_fields) & set(spec.model_fields) <= FILLED_BY_POLICIES[spec]


def test_a_text_without_a_grammar_or_a_field_without_words_is_no_definition():
    class Odd(Part):
        name: Annotated[str, AfterValidator(lambda text: text)] = Field(description="A name.", examples=["web"])

    class Bare(Part):
        name: str = Field(description="A name.")

    with pytest.raises(TypeError, match=r"Odd\.name: crd_text has no grammar"):
        schema_of(Odd)
    with pytest.raises(TypeError, match=r"Bare\.name needs a description and an example"):
        schema_of(Bare)


def test_columns_answer_what_people_ask_of_a_workload():
    version = crd("PredictiveAutoscaler")["spec"]["versions"][0]
    columns = version["additionalPrinterColumns"]
    narrow = [c["name"] for c in columns if "priority" not in c]
    assert narrow == [
        "Target", "Mode", "Current", "Wanted", "Min", "Max", "Peak", "Peak at", "State", "Ready", "Age",
    ]  # fmt: skip
    assert [c["name"] for c in columns if c.get("priority")] == ["Kind", "Accuracy", "Risk", "Last action", "Reason"]
    assert version["subresources"] == {"status": {}}
    root = root_of("PredictiveAutoscaler")
    for column in columns:
        names = column["jsonPath"].split("[")[0].split(".")[1:]
        at = root
        for name in names[:2] if names[0] != "metadata" else []:
            at = at["properties"][name]


def test_the_conditions_are_those_that_are_promised():
    assert [c.value for c in ConditionType] == [
        "Ready", "MetricsAvailable", "ForecastReady", "Acting", "Held", "Fallback", "Conflict", "Paused",
        "Reconciling", "Stalled",
    ]  # fmt: skip
    node = root_of("PredictiveAutoscaler")["properties"]["status"]["properties"]["conditions"]
    assert node["x-kubernetes-list-map-keys"] == ["type"]
    assert {"observedGeneration", "lastTransitionTime"} <= set(node["items"]["properties"])
