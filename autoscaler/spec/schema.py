"""JSON Schema of the kinds, for editors and, later, the cluster's custom resource definitions."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from autoscaler.spec.kinds import KINDS
from autoscaler.spec.policy_cases import GuardPolicyTest

SCHEMAS: dict[str, type[BaseModel]] = {**KINDS, "GuardPolicyTest": GuardPolicyTest}


def json_schema(kind: str) -> dict[str, Any]:
    """The schema of one kind, by the names that users write; KeyError for a kind there is not."""
    schema = SCHEMAS[kind].model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
