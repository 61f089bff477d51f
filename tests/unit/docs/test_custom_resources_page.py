"""docs/custom-resources.md: its objects hold, and what it lists is what there is."""

import re
from pathlib import Path

from autoscaler.spec import parse_text
from autoscaler.spec.crd import RESOURCES
from autoscaler.spec.crd_schema import FILLED_BY_POLICIES
from autoscaler.spec.crd_status import ConditionType
from autoscaler.spec.kinds import KINDS, PredictiveAutoscalerSpec
from autoscaler.spec.reference import cluster_reference

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "custom-resources.md").read_text()
WORDS = " ".join(PAGE.split())


def test_the_smallest_objects_hold():
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    fleet = parse_text(text, "web.yaml")
    assert (len(fleet.autoscalers), len(fleet.sources)) == (1, 1)


def test_the_reference_is_generated_from_the_models():
    told = (DOCS / "custom-resources-reference.md").read_text()
    assert told == cluster_reference(), "foresail crds --reference > docs/custom-resources-reference.md"


def test_kinds_columns_and_conditions_are_those_that_there_are():
    for kind in KINDS:
        assert f"| `{kind}` |" in PAGE
    for column in RESOURCES["PredictiveAutoscaler"].columns:
        assert f"`{column.name}`" in PAGE, column.name
    for path in RESOURCES["PredictiveAutoscaler"].selectable:
        assert f"`{path[1:]}`" in PAGE
    for condition in ConditionType:
        assert f"`{condition.value}`" in PAGE


def test_the_defaults_that_the_server_leaves_to_policies_are_named():
    for name in FILLED_BY_POLICIES[PredictiveAutoscalerSpec]:
        assert f"`{PredictiveAutoscalerSpec.model_fields[name].alias}`" in WORDS.split("## Defaults")[1]
