"""What is made of the API's dicts: selectors, pods, who sets what back, and the rights that the docs grant."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from autoscaler.actuation.ceiling import floor_ceiling
from autoscaler.adapters.kubernetes.claims import ANNOTATION, Claim, Owner, claim_of, handed_back, owners_of
from autoscaler.adapters.kubernetes.permissions import ACT_ON_HPA, ACT_ON_KEDA, KEDA_OBSERVE, OBSERVE, scale_rule
from autoscaler.adapters.kubernetes.pods import facts
from autoscaler.adapters.kubernetes.reverts import Reverts
from autoscaler.adapters.kubernetes.selectors import matches, parsed

DOCS = Path(__file__).parents[4] / "docs" / "kubernetes.md"


@pytest.mark.parametrize(
    ("selector", "labels", "match"),
    [
        (None, {"a": "b"}, False),
        ({}, {}, True),
        ({"matchLabels": {"a": "b"}}, {"a": "b", "c": "d"}, True),
        ({"matchLabels": {"a": "b"}}, {"a": "c"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "c"]}]}, {"a": "c"}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}, {"a": "b"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"a": ""}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {"a": ""}, False),
        ({"matchExpressions": [{"key": "a", "operator": "Newer"}]}, {"a": ""}, False),
    ],
)
def test_selectors_as_the_api_has_them(selector: Any, labels: dict[str, str], match: bool) -> None:
    assert matches(selector, labels) is match


@pytest.mark.parametrize(
    ("text", "labels", "match"),
    [
        ("app=web", {"app": "web"}, True),
        ("app==web,tier in (a, b)", {"app": "web", "tier": "b"}, True),
        ("app=web,tier in (a,b)", {"app": "web", "tier": "c"}, False),
        ("tier notin (a,b),!old", {"tier": "c"}, True),
        ("tier!=a,app", {"app": "x", "tier": "a"}, False),
        ("!old", {"old": "1"}, False),
        ("example.com/app=web", {"example.com/app": "web"}, True),
    ],
)
def test_selectors_in_the_words_of_a_scale(text: str, labels: dict[str, str], match: bool) -> None:
    assert matches(parsed(text), labels) is match


def test_a_selector_that_cannot_be_read_matches_nothing() -> None:
    assert parsed("a=b,c>(3") is None
    assert not matches(parsed("a=b,c>(3"), {"a": "b"})


def pod(uid: str, created: str, *, placed: str | None = None, ready: str | None = None, restarts: int = 0) -> Any:
    conditions = [
        {"type": kind, "status": "True" if at else "False", "lastTransitionTime": at or created, "message": "no room"}
        for kind, at in (("PodScheduled", placed), ("Ready", ready))
    ]
    status = {"conditions": conditions, "containerStatuses": [{"restartCount": restarts}]}
    return {"metadata": {"uid": uid, "creationTimestamp": created}, "status": status}


def test_starts_leave_out_restarts_and_what_is_too_long_ago() -> None:
    day = "2026-06-10T"
    pods = [
        pod("good", f"{day}10:00:00Z", placed=f"{day}10:00:30Z", ready=f"{day}10:01:00Z"),
        pod("crashed", f"{day}10:00:00Z", placed=f"{day}10:00:00Z", ready=f"{day}10:09:00Z", restarts=3),
        pod("waits", f"{day}10:02:00Z"),
        pod("old", "2026-06-08T10:00:00Z", placed="2026-06-08T10:00:00Z", ready="2026-06-10T09:00:00Z"),
    ]
    now_s = 1781085900.0  # 2026-06-10T10:05:00Z
    told = facts(pods, now_s)
    assert (told.ready, told.waiting, told.waiting_s, told.why) == (3, 1, 180.0, "no room")
    (start,) = told.starts
    assert (start.uid, start.placed_s - start.created_s, start.ready_s - start.created_s) == ("good", 30.0, 60.0)


def test_pods_that_leave_are_not_counted() -> None:
    leaving = pod("a", "2026-06-10T10:00:00Z", placed="2026-06-10T10:00:00Z", ready="2026-06-10T10:00:00Z")
    leaving["metadata"]["deletionTimestamp"] = "2026-06-10T10:04:00Z"
    assert facts([leaving], 1781085900.0).ready == 0


def test_K02_three_different_reverts_within_ten_minutes_stop_for_an_hour() -> None:
    reverts = Reverts()
    for at_s in (0.0, 100.0, 200.0):
        reverts.note("u", "the same change", "argocd", at_s)
    assert reverts.stopped("u", 200.0) is None, "one change that stays is one"
    reverts.note("u", "another", "argocd", 300.0)
    assert reverts.stopped("u", 300.0) is None
    reverts.note("u", "a third", "argocd", 500.0)
    assert reverts.stopped("u", 500.0) == "argocd"
    assert reverts.stopped("u", 4099.0) == "argocd"
    assert reverts.stopped("u", 4100.0) is None
    for at_s in (5000.0, 5700.0, 6400.0):
        reverts.note("v", f"at {at_s}", "helm", at_s)
    assert reverts.stopped("v", 6400.0) is None, "not within ten minutes"
    reverts.forget_all_but(set())
    assert reverts.stopped("u", 500.0) is None


@given(most=st.integers(1, 10_000), own=st.integers(0, 10_000))
def test_a_person_can_always_lower_the_maximum_unless_their_own_floor_is_in_the_way(most: int, own: int) -> None:
    ceiling = int(floor_ceiling(most, own))
    assert ceiling >= own
    assert ceiling <= max(own, most - 1)
    assert ceiling >= most * 0.9 - 1


def test_a_claim_survives_its_text_and_an_edited_one_is_none() -> None:
    claim = Claim("foresail", "shop/web", 9, None, (Owner("kubectl", "Apply", "autoscaling/v2"),), 12.5)
    thing = {"metadata": {"annotations": {ANNOTATION: claim.text()}}}
    assert claim_of(thing) == claim
    for text in ("", "[]", "{}", '{"by":"x"}', claim.text().replace("9", '"nine"')):
        assert claim_of({"metadata": {"annotations": {ANNOTATION: text}}}) is None


def test_handing_back_restores_the_owner_and_touches_nobody_else() -> None:
    owner = Owner("kubectl", "Apply", "autoscaling/v2")
    theirs = {
        "manager": "kubectl", "operation": "Apply", "apiVersion": "autoscaling/v2", "time": "t",
        "fieldsV1": {"f:spec": {"f:maxReplicas": {}}},
    }  # fmt: skip
    status = {**theirs, "manager": "kube-controller-manager", "operation": "Update", "subresource": "status"}
    ours = {**theirs, "manager": "foresail", "fieldsV1": {"f:spec": {"f:minReplicas": {}}}}
    thing = {"metadata": {"managedFields": [theirs, status, ours]}}
    back = handed_back(thing, "minReplicas", (owner, Owner("gone", "Update", "autoscaling/v2")))
    assert [e["manager"] for e in back] == ["kubectl", "kube-controller-manager", "gone"]
    assert back[0]["fieldsV1"] == {"f:spec": {"f:maxReplicas": {}, "f:minReplicas": {}}}
    assert back[1] == status
    assert theirs["fieldsV1"] == {"f:spec": {"f:maxReplicas": {}}}, "the object that was read stays as it was"
    assert owners_of({"metadata": {"managedFields": back}}, "minReplicas")[0] == owner


def test_the_docs_grant_what_the_code_asks_for() -> None:
    text = DOCS.read_text()
    block = text.split("```yaml")[1].split("```")[0]
    role = YAML(typ="safe").load(block)
    granted = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    scales = [scale_rule("apps", plural, act=True) for plural in ("deployments", "statefulsets", "replicasets")]
    needed = {
        (r.group, r.resource, v) for r in (*OBSERVE, KEDA_OBSERVE, ACT_ON_HPA, ACT_ON_KEDA, *scales) for v in r.verbs
    }
    assert granted == needed
