"""GuardPolicies and PredictiveAutoscalers as text, and what they compile to together."""

from collections.abc import Callable
from typing import Any

import pytest

from autoscaler.domain.workload import Workload
from autoscaler.spec import parse_text


def _policy(name: str = "p", selector: str = "{namespaces: [shop]}", **parts: str) -> str:
    lines = "".join(f"  {key}: {value}\n" for key, value in ({"selector": selector} | parts).items())
    return f"apiVersion: foresail.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {{name: {name}}}\nspec:\n{lines}"


def _autoscaler(name: str = "web", namespace: str = "shop", labels: str = "{}", **fields: str) -> str:
    spec = {
        "target": f"{{apiVersion: apps/v1, kind: Deployment, name: {name}}}",
        "demands": '[{name: requests, source: rec, query: q, capacity: {perReplica: "10"}}]',
        "replicas": "{max: 60}",
    } | fields
    lines = "".join(f"  {key}: {value}\n" for key, value in spec.items())
    meta = f"{{name: {name}, namespace: {namespace}, labels: {labels}}}"
    return f"apiVersion: foresail.dev/v1alpha1\nkind: PredictiveAutoscaler\nmetadata: {meta}\nspec:\n{lines}"


@pytest.fixture(scope="session")
def policy() -> Callable[..., str]:
    return _policy


@pytest.fixture(scope="session")
def autoscaler() -> Callable[..., str]:
    return _autoscaler


@pytest.fixture(scope="session")
def compiled() -> Callable[..., Workload]:
    """The one workload of the documents, under the policies among them."""

    def compile_one(*documents: str, site: str | None = None, **known: Any) -> Workload:
        fleet = parse_text("---\n".join(documents), "fleet.yaml", known_sources=["rec"])
        (load,) = fleet.compile(site)
        return load

    return compile_one
