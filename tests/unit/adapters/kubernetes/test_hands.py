"""D04: whose change of a field was one by hand."""

from typing import Any

import pytest

from autoscaler.adapters.kubernetes.hands import Hand, hand_on

AT, AT_S = "2026-03-02T10:00:00Z", 1772445600.0


def entry(manager: str, operation: str = "Update", at: str | None = AT, **more: Any) -> dict[str, Any]:
    fields = more.pop("fields", {"f:spec": {"f:replicas": {}}})
    return {"manager": manager, "operation": operation, "time": at, "fieldsV1": fields, **more}


def thing(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"managedFields": list(entries)}}


@pytest.mark.parametrize("manager", ["kubectl", "kubectl-edit", "kubectl-patch", "k9s", "Mozilla", "mia"])
def test_D04_clients_of_people_are_hands(manager: str) -> None:
    assert hand_on(thing(entry(manager)), "replicas") == Hand(manager, AT_S, scaled=False)
    assert hand_on(thing(entry(manager, subresource="scale")), "replicas") == Hand(manager, AT_S, scaled=True)


@pytest.mark.parametrize(
    "manager",
    ["argocd-controller", "helm", "kustomize-controller", "kubectl-client-side-apply", "kube-controller-manager",
     "keda-operator", "vpa-autoscaler", "Terraform", "foresail"],
)  # fmt: skip
def test_D04_tools_are_none_and_neither_are_we(manager: str) -> None:
    assert hand_on(thing(entry(manager)), "replicas") is None
    assert hand_on(thing(entry("kubectl", at="2026-03-02T09:00:00Z"), entry(manager)), "replicas") is None


def test_an_apply_is_a_manifest_and_no_hand() -> None:
    assert hand_on(thing(entry("kubectl", "Apply")), "replicas") is None


def test_the_newest_counts_and_other_fields_do_not() -> None:
    older = entry("kubectl", at="2026-03-02T08:00:00Z", subresource="scale")
    other = entry("mia", at="2026-03-02T11:00:00Z", fields={"f:spec": {"f:paused": {}}})
    assert hand_on(thing(older, entry("k9s"), other), "replicas") == Hand("k9s", AT_S, scaled=False)
    assert hand_on(thing(other), "replicas") is None
    assert hand_on({"metadata": {}}, "replicas") is None


@pytest.mark.parametrize("at", [None, "", "yesterday"])
def test_a_time_that_is_not_told_is_never(at: str | None) -> None:
    found = hand_on(thing(entry("kubectl", at=at)), "replicas")
    assert found is not None
    assert found.at_s == float("-inf")
