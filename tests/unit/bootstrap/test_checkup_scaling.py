"""What `foresail doctor` says of a workload in its cluster: who scales it, what fights its floor, what it can save."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from autoscaler.adapters.kubernetes.claims import ANNOTATION, Claim, Owner
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.bootstrap.checkup.saving import quantity
from autoscaler.domain.workload import Actuation
from autoscaler.reporting.doctor import Level, exit_code, lines
from tests.unit.bootstrap.apiserver import (
    CPU,
    DEPLOYMENTS,
    HPAS,
    KEDA,
    SCALED,
    VPAS,
    WEB,
    Api,
    condition,
    deployment,
    examined,
    hpa,
    kinds,
    said,
    thing,
    workload,
)  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "actuation", "check", "words"),
    [
        ({DEPLOYMENTS: []}, Actuation.HPA_FLOOR, "target", "there is no Deployment web in shop"),
        ({"/apis/apps/v1": kinds(Other="others")}, Actuation.HPA_FLOOR, "target", "does not know apps/v1 Deployment"),
        ({HPAS: []}, Actuation.HPA_FLOOR, "autoscaler", "no HPA scales Deployment web"),
        ({HPAS: [hpa(), hpa("other")]}, Actuation.HPA_FLOOR, "rivals", "HPA web and HPA other all scale"),
        ({}, Actuation.SCALE, "rivals", "HPA web scales Deployment web too"),
        ({}, Actuation.KEDA_FLOOR, "autoscaler", "no ScaledObject scales Deployment web"),
        ({DEPLOYMENTS: [deployment(0)]}, Actuation.HPA_FLOOR, "target", "scaled to zero"),
        ({HPAS: [hpa(maxReplicas=20)]}, Actuation.HPA_FLOOR, "limits", "replicas.max 40 cannot be reached: HPA web"),
        ({HPAS: [hpa(maxReplicas=2)]}, Actuation.HPA_FLOOR, "limits", "leaves no room for a floor"),
        ({HPAS: [hpa(minReplicas=50)]}, Actuation.HPA_FLOOR, "limits", "our limit cannot be kept"),
        (
            {HPAS: [hpa(behavior={"scaleDown": {"selectPolicy": "Disabled"}})]},
            Actuation.HPA_FLOOR, "behavior", "replicas that a floor has raised stay for ever",
        ),
        (
            {HPAS: [hpa(behavior={"scaleUp": {"selectPolicy": "Disabled"}})]},
            Actuation.HPA_FLOOR, "behavior", "nothing reacts to load above our forecast's floor",
        ),
        (
            {HPAS: [hpa(behavior={"scaleDown": {"stabilizationWindowSeconds": 3600}})]},
            Actuation.HPA_FLOOR, "behavior", "keeps what its own metrics wanted for 60 min",
        ),
        (
            {HPAS: [condition("ScalingActive", "False", "FailedGetResourceMetric")]},
            Actuation.HPA_FLOOR, "metrics", "no metric that works (FailedGetResourceMetric: because)",
        ),
        (
            {HPAS: [condition("AbleToScale", "False", "FailedGetScale")]},
            Actuation.HPA_FLOOR, "metrics", "cannot scale (FailedGetScale: because)",
        ),
        (
            {HPAS: [condition("ScalingActive", "False", "ScalingDisabled")]},
            Actuation.HPA_FLOOR, "metrics", "stands down while its target has no replicas",
        ),
        (
            {HPAS: [condition("ScalingLimited", "True", "TooManyReplicas")]},
            Actuation.HPA_FLOOR, "limits", "wants more replicas now than its maxReplicas 60",
        ),
    ],
)  # fmt: skip
def test_what_stands_in_a_floors_way_is_told(answers, actuation, check, words):
    found = examined(Api(KEDA | {SCALED: []} | answers), workload(actuation=actuation))
    assert said(found, check).level in {Level.WARN, Level.FAIL}
    assert words in said(found, check).words
    assert exit_code(found) == 1


def test_a_floor_that_another_installation_holds_is_a_rival():
    claim = Claim("blue", "shop/web", 9, 2, (), time.time())
    held = hpa(managers={"foresail": "minReplicas"}, minReplicas=9, meta={"annotations": {ANNOTATION: claim.text()}})
    assert "installation 'blue' holds the floor of HPA web" in said(examined(Api({HPAS: [held]})), "rivals").words


ARGO_RULE = "Argo CD: spec.ignoreDifferences: [{group: autoscaling, kind: HorizontalPodAutoscaler, jsonPointers: "


def test_a_gitops_manager_that_owns_the_floor_is_told_with_the_exact_rule():
    told = said(examined(Api({HPAS: [hpa(managers={"argocd-controller": "minReplicas"})]})), "gitops")
    assert told.level is Level.WARN
    assert told.words.startswith("Argo CD (argocd-controller) sets spec.minReplicas of HorizontalPodAutoscaler web")
    assert (told.remedy or "").startswith(f"{ARGO_RULE}[/spec/minReplicas]")


def test_gitops_that_sets_replicas_of_the_target_fights_the_hpa():
    told = said(examined(Api({DEPLOYMENTS: [deployment(managers={"kustomize-controller": "replicas"})]})), "gitops")
    assert told.words.startswith("Flux (kustomize-controller) sets spec.replicas of Deployment web")
    assert "group: apps, kind: Deployment, jsonPointers: [/spec/replicas]" in (told.remedy or "")


def test_gitops_is_told_by_its_labels_and_by_what_was_applied():
    label = {"labels": {"argocd.argoproj.io/instance": "shop"}}
    unseen = said(examined(Api({HPAS: [hpa(meta=label)]})), "gitops")
    assert (unseen.level, "cannot be seen from here" in unseen.words) == (Level.NOTE, True)
    applied = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"spec": {"minReplicas": 2}})}
    set_ = said(examined(Api({HPAS: [hpa(meta=label | {"annotations": applied})]})), "gitops")
    assert (set_.level, "its manifest sets spec.minReplicas" in set_.words) == (Level.WARN, True)


def test_gitops_that_has_left_our_floor_alone_for_an_hour_is_fine():
    claim = Claim("foresail", "shop/web", 9, 2, (Owner("argocd-controller", "Apply", "v1"),), time.time() - 7200)
    meta = {"labels": {"argocd.argoproj.io/instance": "shop"}, "annotations": {ANNOTATION: claim.text()}}
    told = said(examined(Api({HPAS: [hpa(managers={"foresail": "minReplicas"}, minReplicas=9, meta=meta)]})), "gitops")
    assert (told.level, told.words.endswith("has left our 9 in spec.minReplicas alone for 2 h")) == (Level.OK, True)


@pytest.mark.parametrize(
    ("mode", "policies", "level", "words"),
    [
        ("Auto", None, Level.WARN, "changes the requests of cpu, and HPA web scales on their share"),
        ("InPlaceOrRecreate", [{"containerName": "*", "controlledResources": ["memory"]}], Level.NOTE, "the memory of"),
        ("Recreate", [{"containerName": "main", "mode": "Off"}], None, ""),
        ("Off", None, None, ""),
        ("Initial", None, None, ""),
    ],
)
def test_a_vpa_that_moves_what_the_hpa_measures_is_told(mode, policies, level, words):
    spec = {"targetRef": WEB, "updatePolicy": {"updateMode": mode}, "resourcePolicy": {"containerPolicies": policies}}
    known = {"/apis/autoscaling.k8s.io/v1": kinds(VerticalPodAutoscaler="verticalpodautoscalers")}
    found = examined(Api(known | {VPAS: [thing("web", spec)]}))
    if level is None:
        assert not [f for f in found if f.check == "vpa"]
    else:
        assert (said(found, "vpa").level, words in said(found, "vpa").words) == (level, True)


def test_vpas_that_we_may_not_list_are_a_note_with_the_rule():
    known = {"/apis/autoscaling.k8s.io/v1": kinds(VerticalPodAutoscaler="verticalpodautoscalers")}
    told = said(examined(Api(known | {VPAS: ApiFault(403, "forbidden")})), "vpa")
    assert told.level is Level.NOTE
    assert '{apiGroups: ["autoscaling.k8s.io"], resources: ["verticalpodautoscalers"], verbs: [list]}' in (
        told.remedy or ""
    )


def external(value: str | None, name: str = "s0-prometheus") -> dict[str, Any]:
    target = {"type": "AverageValue", "averageValue": value} if value else {"type": "Value", "value": "9"}
    return {"type": "External", "external": {"metric": {"name": name}, "target": target}}


@pytest.mark.parametrize(
    ("metric", "level", "words"),
    [
        (CPU, Level.NOTE, "keeps 40 % of the requested cpu free all the time (target 60 %)"),
        (
            external("30"),
            Level.NOTE,
            "if both count the same (that cannot be told from here), 33 % of capacity is kept",
        ),
        (external("90"), Level.NOTE, "no capacity is kept free"),
        (external(None), Level.NOTE, "cannot be told: s0-prometheus of HPA web is compared as a whole"),
    ],
)
def test_whether_a_saving_is_possible_is_said_as_far_as_it_can_be_told(metric, level, words):
    told = said(examined(Api({HPAS: [hpa(metrics=[metric])]})), "saving")
    assert (told.level, words in told.words) == (level, True), told.words


def test_an_hpa_that_may_use_the_whole_request_keeps_nothing_free():
    full = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 100}}
    told = said(examined(Api({HPAS: [hpa(metrics=[{"type": "Resource", "resource": full}])]})), "saving")
    assert told.level is Level.OK


@pytest.fixture
def keda() -> Callable[..., Api]:
    def made(value: str = "30", owned: bool = True, **meta: Any) -> Api:
        trigger = {"type": "prometheus", "metadata": {"query": "sum(rate(hits[1m]) )", "threshold": value}}
        spec = {"scaleTargetRef": {"name": "web"}, "minReplicaCount": 2, "maxReplicaCount": 60, "triggers": [trigger]}
        owner = {"ownerReferences": [{"kind": "ScaledObject", "name": "web", "uid": "uid-web"}]}
        theirs = [hpa("keda-hpa-web", meta=owner, metrics=[external(value)])] if owned else []
        return Api(KEDA | {SCALED: [thing("web", spec, **meta)], HPAS: theirs})

    return made


def test_a_keda_trigger_with_our_very_query_is_compared_with_capacity(keda):
    load = workload(actuation=Actuation.KEDA_FLOOR)
    found = examined(keda(), load)
    assert exit_code(found) == 0
    assert "ScaledObject web is the only one that scales Deployment web" in "\n".join(lines(found))
    assert "of requests: 33 % of capacity is kept free all the time" in said(found, "saving").words
    assert said(examined(keda("50"), load), "saving").level is Level.OK
    paused = examined(keda(annotations={"autoscaling.keda.sh/paused": "true"}), load)
    assert "is paused" in said(paused, "keda").words
    assert "has no HPA" in said(examined(keda(owned=False), load), "keda").words
    assert "use actuation: KedaFloor" in said(examined(keda()), "rivals").words


@pytest.mark.parametrize(
    ("told", "value"),
    [("10", 10), ("250m", 0.25), ("1k", 1000), ("1.5Gi", 1.5 * 2**30), ("1e3", 1000), ("x", None), (None, None)],
)
def test_quantities(told, value):
    assert quantity(told) == value
