"""`foresail doctor` on a real API server, as the product's own user: what it says, and that it changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autoscaler.bootstrap.checkup.cluster import look_at_kubernetes
from autoscaler.bootstrap.settings import ClusterSettings
from autoscaler.domain.workload import Actuation, Workload
from autoscaler.reporting.doctor import Finding, Level, exit_code
from tests.real.acting import HPAS, Acting
from tests.real.commands import FORESAIL
from tests.real.manifests import deployment, hpa_external
from tests.real.servers import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def acting(control_plane: Any, namespace: str) -> Callable[..., Acting]:
    """A Deployment of two Ready pods under an HPA [2, 60] whose metric works; the product's user has no right yet."""

    def make(**settings: Any) -> Acting:
        control_plane.serve_external_metrics(lambda _, metric: 20.0 if metric == "load" else None)
        one = Acting(control_plane, namespace, grant=False, **settings)
        one.create(deployment("web", replicas=2))
        wait_until(lambda: len(control_plane.ready_pods(namespace)) == 2, "Ready pods", 20)
        one.create(hpa_external("web", 2, 60, "load", 10), "autoscaling/v2", "horizontalpodautoscalers")
        wait_until(lambda: _is_active(one), "the HPA's first round", 20)
        return one

    return make


def _is_active(one: Acting) -> bool:
    conditions = one.hpa.get("status", {}).get("conditions") or []
    return any(c["type"] == "ScalingActive" and c["status"] == "True" for c in conditions)


def doctor(one: Acting, kubeconfig: Path | None = None, *loads: Workload) -> list[Finding]:
    settings = ClusterSettings(kubeconfig or one.plane.kubeconfig(FORESAIL))
    return look_at_kubernetes(settings)(loads or one.fleet.workloads)


def said(found: list[Finding], check: str) -> Finding:
    return max((f for f in found if f.check == check), key=lambda f: list(Level).index(f.level))


def rules_of(told: Finding) -> list[dict[str, Any]]:
    """As a person would paste them."""
    from ruamel.yaml import YAML

    text = "\n".join(re.findall(r"^- .*$", told.remedy or "", re.MULTILINE))
    found: list[dict[str, Any]] = YAML(typ="safe").load(text)
    return found


@pytest.mark.parametrize("actuation", [Actuation.HPA_FLOOR, Actuation.SCALE])
def test_with_exactly_the_rules_that_it_names_all_is_well_and_nothing_was_changed(acting, actuation):
    one = acting(actuation=actuation)
    if actuation is Actuation.SCALE:
        one.admin.delete(HPAS.format(one.namespace, "web"))
    before = len(one.plane.writes(FORESAIL))
    first = doctor(one)
    missing = said(first, "permissions")
    assert (missing.level, exit_code(first)) == (Level.FAIL, 1)
    one.plane.grant(FORESAIL, rules_of(missing), one.namespace)
    wait_until(lambda: said(doctor(one), "permissions").level is Level.OK, "the rights work")
    found = doctor(one)
    assert [f for f in found if f.level not in {Level.OK, Level.NOTE}] == []
    assert exit_code(found) == 0
    assert "Kubernetes v1." in said(found, "version").words
    assert "(keda.sh/v1alpha1) are not known here" in said(found, "keda").words
    sent = one.plane.writes(FORESAIL)[before:]
    assert {(w["verb"], w["objectRef"]["resource"]) for w in sent} == {("create", "selfsubjectaccessreviews")}


def test_what_stands_in_the_way_of_a_floor_is_told_of_real_objects(acting):
    one = acting()
    one.plane.grant(FORESAIL, rules_of(said(doctor(one), "permissions")), one.namespace)
    wait_until(lambda: said(doctor(one), "permissions").level is Level.OK, "the rights work")
    assert "if both count the same (that cannot be told from here), no capacity" in said(doctor(one), "saving").words

    path = HPAS.format(one.namespace, "web")
    mine = one.hpa["spec"] | {"minReplicas": 3, "behavior": {"scaleDown": {"selectPolicy": "Disabled"}}}
    applied = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"}}
    one.admin.apply(path, applied | {"spec": mine}, "argocd-controller", force=True)
    found = doctor(one)
    assert said(found, "gitops").words.startswith("Argo CD (argocd-controller) sets spec.minReplicas of")
    assert "kind: HorizontalPodAutoscaler, jsonPointers: [/spec/minReplicas]" in (said(found, "gitops").remedy or "")
    assert "never scales down" in said(found, "behavior").words

    second = hpa_external("web", 2, 60, "load", 10)
    second["metadata"]["name"] = "second"
    one.create(second, "autoscaling/v2", "horizontalpodautoscalers")
    rival = said(doctor(one), "rivals")
    assert (rival.level, "HPA second and HPA web all scale Deployment web" in rival.words) == (Level.FAIL, True)

    gone = said(doctor(one, None, one.workload(actuation=Actuation.KEDA_FLOOR)), "autoscaler")
    assert "no ScaledObject scales Deployment web" in gone.words or "does not know ScaledObjects" in gone.words


def test_a_wrong_token_a_wrong_authority_and_no_server_are_told_apart(acting, tmp_path):
    one = acting()
    good = one.plane.kubeconfig(FORESAIL).read_text()

    def changed(pattern: str, by: str) -> Path:
        path = tmp_path / "kubeconfig"
        path.write_text(re.sub(pattern, by, good))
        return path

    wrong = doctor(one, changed(r'"token": "[^"]*"', '"token": "unknown"'))
    assert (said(wrong, "auth").level, exit_code(wrong)) == (Level.FAIL, 1)
    other = tmp_path / "other.crt"
    other.write_text(Path(one.plane.folder / "front-proxy.crt").read_text())
    untrusted = doctor(one, changed(r'"certificate-authority": "[^"]*"', f'"certificate-authority": "{other}"'))
    assert (said(untrusted, "tls").level, exit_code(untrusted)) == (Level.FAIL, 1)
    away = doctor(one, changed(r"https://127.0.0.1:\d+", "https://127.0.0.1:9"))
    assert (said(away, "reachable").away, exit_code(away)) == (True, 3)
