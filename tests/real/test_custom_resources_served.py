"""How a cluster shows our kinds: columns, explanations, status; what a changed definition does to stored objects."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from autoscaler.spec.cluster_object import document_of
from autoscaler.spec.crd import GROUP, VERSION, crd
from autoscaler.spec.crd_status import STATUSES, ConditionType
from autoscaler.spec.fleet import judge
from autoscaler.spec.kinds import KINDS
from tests.real.parts import require_part
from tests.real.resources import BARE, SPECS, Resources, changed, path_of, thing, whole
from tests.real.rest import Refusal
from tests.real.servers import wait_until
from tests.real.web import fetch

PA, GP = "PredictiveAutoscaler", "GuardPolicy"
_count = itertools.count(1)
NOW = "2026-03-01T18:30:00Z"
STATUS: dict[str, Any] = {
    "observedGeneration": 1,
    "mode": "Act",
    "state": "Active",
    "target": {"kind": "Deployment", "name": "web", "ref": "Deployment/web"},
    "replicas": {"current": 12, "ready": 12, "wanted": 18, "floor": 18, "min": 2, "max": 60},
    "forecast": {"peak": "812", "peakTime": "2026-03-01T18:45:00Z", "accuracy": "6%", "horizon": "3m15s"},
    "risk": {"realised": "0.31%", "asked": "0.5%", "ratio": "0.31%/0.5%"},
    "lastDecision": {"time": NOW, "from": 12, "to": 18, "reason": "Forecast", "action": "12 to 18 at 18:30Z"},
    "conditions": [
        {
            "type": kind.value,
            "status": "True" if kind in {ConditionType.READY, ConditionType.ACTING} else "False",
            "reason": "Deciding",
            "message": "decides every 15 s",
            "lastTransitionTime": NOW,
            "observedGeneration": 1,
        }
        for kind in ConditionType
    ],
}


@pytest.fixture(scope="module")
def resources(control_plane) -> Resources:
    ours = Resources(control_plane.rest())
    for kind in KINDS:
        ours.install(ours.definition(kind))
    return ours


@pytest.fixture
def web(resources, namespace) -> str:
    """Path of a PredictiveAutoscaler with a status, in a namespace of its own."""
    one = thing(PA, BARE[PA])
    one["metadata"]["namespace"] = namespace
    resources.admin.create(resources.path(PA, namespace), one)
    path = f"{resources.path(PA, namespace)}/web"
    status = {"apiVersion": f"{GROUP}/{VERSION}", "kind": PA, "metadata": {"name": "web"}, "status": STATUS}
    resources.admin.apply(f"{path}/status", status, "foresail")
    return path


@pytest.fixture
def kubectl(control_plane) -> Any:
    def call(*args: str) -> str:
        command = [str(require_part("kubectl")), f"--kubeconfig={control_plane.kubeconfig()}", *args]
        env = {"HOME": str(control_plane.folder), "PATH": ""}
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


def table_of(resources: Resources, path: str) -> dict[str, Any]:
    headers = {
        "Authorization": f"Bearer {resources.admin.token}",
        "Accept": "application/json;as=Table;v=v1;g=meta.k8s.io",
    }
    answer = fetch(f"{resources.admin.url}{path}", headers=headers, timeout_s=5.0, tls=resources.admin.tls)
    assert answer.status == 200, answer.body
    told: dict[str, Any] = answer.json()
    return told


def test_columns_of_a_workload_as_the_server_fills_them(resources, web):
    told = table_of(resources, web)
    cells = dict(zip([c["name"] for c in told["columnDefinitions"]], told["rows"][0]["cells"], strict=True))
    age = cells.pop("Age")
    assert age.endswith("s")
    assert cells == {
        "Name": "web", "Target": "web", "Mode": "Advise", "Current": 12, "Wanted": 18, "Min": 2, "Max": 60,
        "Peak": "812", "Peak at": "2026-03-01T18:45:00Z", "State": "Active", "Ready": "True",
        "Kind": "Deployment", "Accuracy": "6%", "Risk": "0.31%/0.5%", "Last action": "12 to 18 at 18:30Z",
        "Reason": "Deciding",
    }  # fmt: skip
    wide = [c["name"] for c in told["columnDefinitions"] if c["priority"]]
    assert wide == ["Kind", "Accuracy", "Risk", "Last action", "Reason"]


def test_columns_of_policies_and_sources(resources):
    for kind, shown in ((GP, {"Min": 2, "Max": 40}), ("MetricsSource", {"URL": "http://prometheus:9090"})):
        spec = BARE[kind] if kind != GP else {**BARE[GP], "limits": {"replicas": {"min": 2, "max": 40}}}
        path = resources.path(kind)
        resources.admin.create(path, thing(kind, spec, "columns"))
        try:
            told = table_of(resources, f"{path}/columns")
            cells = dict(zip([c["name"] for c in told["columnDefinitions"]], told["rows"][0]["cells"], strict=True))
            assert {name: cells[name] for name in shown} == shown
        finally:
            resources.admin.delete(f"{path}/columns")


def test_kubectl_get_pa_by_its_short_name_category_and_mode(kubectl, resources, namespace, web):
    for what in ("pa", "foresail", "predictiveautoscaler"):
        line = kubectl("get", what, "-n", namespace).splitlines()
        assert line[0].split()[:4] == ["NAME", "TARGET", "MODE", "CURRENT"]
        assert "812" in line[1]
    assert "web" in kubectl("get", "pa", "-n", namespace, "--field-selector", "spec.mode=Advise", "-o", "name")
    assert kubectl("get", "pa", "-n", namespace, "--field-selector", "spec.mode=Act", "-o", "name") == ""
    assert "condition met" in kubectl("wait", "--for=condition=Ready", "pa/web", "-n", namespace, "--timeout=5s")


def leaves(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from leaves(inner, f"{path}.{name}")
    if "items" in schema:
        yield from leaves(schema["items"], f"{path}[]")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_explain_reads_describes_every_field(resources, kind):
    """`kubectl explain` prints what the server publishes: the words of the models, with an example each."""
    told = resources.admin.get(f"/openapi/v3/apis/{GROUP}/{VERSION}")["components"]["schemas"]
    (schema,) = (s for name, s in told.items() if name.endswith(f".{kind}"))
    root = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    ours = {path: node["description"] for path, node in leaves(root) if "description" in node}
    count = 0
    for path, node in leaves(schema):
        if path.startswith((".spec.", ".status.")) and not path.endswith("[]"):
            assert node["description"] == ours[path], path
            assert "Example: " in node["description"], path
            count += 1
    assert count > 15


def test_kubectl_explain_reads_like_documentation(kubectl, resources):
    told = " ".join(kubectl("explain", "pa.spec.replicas.min").split())
    assert "Fewest replicas. Default 1. Example: 2" in told
    told = " ".join(kubectl("explain", "guardpolicy.spec.limits.freezes.growth").split())
    assert "What may still grow: Any; ObservedNeed" in told
    assert "ENUM: Any ObservedNeed None" in told
    assert "-required-" in kubectl("explain", "pa.spec.demands")


def test_status_is_written_apart_from_the_spec_and_obeys_its_models(resources, web):
    kept = resources.admin.get(web)
    STATUSES[PA].model_validate(kept["status"])
    assert kept["metadata"]["generation"] == 1
    resources.admin.patch(web, {"status": {"state": "Paused"}, "spec": {"headroom": "10%"}})
    kept = resources.admin.get(web)
    assert (kept["status"]["state"], kept["metadata"]["generation"]) == ("Active", 2)
    resources.admin.patch(f"{web}/status", {"spec": {"headroom": "90%"}, "status": {"state": "Paused"}})
    kept = resources.admin.get(web)
    assert (kept["status"]["state"], kept["spec"]["headroom"]) == ("Paused", "10%")
    with pytest.raises(Refusal, match=r"status\.state"):
        resources.admin.patch(f"{web}/status", {"status": {"state": "Sleeping"}})
    twice = {"status": {"conditions": [STATUS["conditions"][0]] * 2}}
    with pytest.raises(Refusal, match="Duplicate"):
        resources.admin.patch(f"{web}/status", twice)


def test_a_target_stays_the_same_so_that_no_floor_is_left_behind(resources, web):
    with pytest.raises(Refusal, match=r"spec\.target.*delete this object, and create one"):
        resources.admin.patch(web, {"spec": {"target": {"name": "other"}}})
    resources.admin.patch(web, {"spec": {"target": {"apiVersion": "apps/v2"}, "headroom": "5%"}})


def older(definition: dict[str, Any], kind: str) -> dict[str, Any]:
    """The definition as it might have been before: without rules and bounds, and without headroom."""

    def bare(node: dict[str, Any]) -> dict[str, Any]:
        lax = {"x-kubernetes-validations", "minimum", "maximum", "enum", "maxLength", "minProperties", "required"}
        kept = {key: value for key, value in node.items() if key not in lax}
        for key in ("items", "additionalProperties"):
            if key in kept:
                kept[key] = bare(kept[key])
        if "properties" in kept:
            kept["properties"] = {name: bare(inner) for name, inner in kept["properties"].items()}
        if "x-kubernetes-list-map-keys" in kept:
            kept["items"]["required"] = kept["x-kubernetes-list-map-keys"]
        return kept

    made: dict[str, Any] = json.loads(json.dumps(definition))
    version = made["spec"]["versions"][0]
    version["schema"]["openAPIV3Schema"] = bare(version["schema"]["openAPIV3Schema"])
    version.pop("selectableFields", None)
    if kind == PA:
        del version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["headroom"]
    return made


@pytest.fixture
def aside(control_plane) -> Iterator[Resources]:
    """Our kinds under a group of its own, whose definitions a test may change."""
    ours = Resources(control_plane.rest(timeout_s=20.0), f"aside-{next(_count)}.foresail.dev")
    yield ours
    for kind in KINDS:
        name = ours.definition(kind)["metadata"]["name"]
        ours.admin.answer("DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")


@pytest.mark.slow
def test_k16_k17_a_tighter_definition_leaves_stored_objects_alone(aside):
    """K16, K17: what was wrong before stays readable and editable elsewhere; only that object is refused, by us."""
    aside.install(older(aside.definition(PA), PA))
    path = aside.path(PA)
    good, bad = thing(PA, BARE[PA], "good"), changed(thing(PA, SPECS[PA], "bad"), path_of("spec.replicas.min"), 61)
    bad["spec"].pop("headroom")
    bad["spec"]["target"]["name"] = "bad"
    for one in (good, bad):
        aside.admin.create(path, {**one, "apiVersion": f"{aside.group}/{VERSION}"})
    aside.install(aside.definition(PA))
    listed = aside.admin.get(path)["items"]
    assert [one["metadata"]["name"] for one in listed] == ["bad", "good"]
    judged = judge([document_of({**one, "apiVersion": f"{GROUP}/{VERSION}"}) for one in listed], ["prod"])
    assert [str(ref) for ref in judged.refused] == ["PredictiveAutoscaler default/bad"]
    assert [p.path for p in judged.problems] == ["spec.replicas"]
    assert [a.metadata.name for a in judged.fleet.autoscalers] == ["good"]
    aside.admin.patch(f"{path}/bad", {"metadata": {"labels": {"seen": "yes"}}, "spec": {"maxDataAge": "4m"}})
    aside.admin.patch(f"{path}/bad/status", {"status": {"observedGeneration": 1}})
    with pytest.raises(Refusal, match="min is above max"):
        aside.admin.patch(f"{path}/bad", {"spec": {"replicas": {"min": 62}}})
    aside.admin.patch(f"{path}/bad", {"spec": {"replicas": {"min": 3}}})


PAUSE = {"owner": "m", "reason": "r", "until": "2026-03-01T06:00:00Z"}
STORED: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any], str]] = [
    (PA, changed(whole(PA), path_of("spec.acknowledge"), [])["spec"],
     {"maxDataAge": "4m"}, {}, "NoReactiveBackup"),
    (GP, changed(whole(GP), path_of("spec.acknowledge"), [])["spec"],
     {"limits": {"headroom": "11%"}}, {"acknowledge": ["LargeChange"]}, "growth None leaves"),
    (GP, changed(whole(GP), path_of("spec.acknowledge"), [])["spec"],
     {"defaults": {"headroom": "11%"}}, {"limits": {"freezes": [{**SPECS[GP]["limits"]["freezes"][0], "reason": "x"}]}},
     "growth None leaves"),
    (GP, changed(whole(GP), path_of("spec.limits.conditions.0.name"), "sale")["spec"],
     {"limits": {"headroom": "11%"}}, {"limits": {"events": [{**SPECS[GP]["limits"]["events"][0], "floor": 4}]}},
     "among its conditions"),
    (GP, {"selector": {}, "pause": PAUSE},
     {"defaults": {"headroom": "11%"}}, {"pause": {"owner": "n"}}, "a pause over"),
    (GP, {"selector": {}, "limits": {"replicas": {"max": 9}}}, {"limits": {"replicas": {"min": 2}}},
     {"limits": {"replicas": {"max": 8}}}, "a max over"),
    ("MetricsSource", changed(whole("MetricsSource"), path_of("spec.prometheus.url"), "http://a")["spec"],
     {"prometheus": {"timeout": "6s"}}, {"prometheus": {"url": "http://b"}}, "no meaning for an http URL"),
    ("MetricsSource", changed(whole("MetricsSource"), path_of("spec.prometheus.bearerTokenFile"), "/t")["spec"],
     {"prometheus": {"timeout": "6s"}}, {"prometheus": {"bearerTokenFile": "/u"}}, "either a bearer token"),
]  # fmt: skip


@pytest.mark.slow
def test_k17_rules_over_a_whole_spec_bind_an_edit_of_what_they_read_and_no_other(aside):
    """K17: a server spares by itself only what is unchanged as a whole; these rules look at their own fields."""
    for kind in {row[0] for row in STORED}:
        aside.install(older(aside.definition(kind), kind))
    for count, (kind, spec, *_) in enumerate(STORED):
        one = {**thing(kind, spec, f"stored-{count}"), "apiVersion": f"{aside.group}/{VERSION}"}
        one["spec"].pop("headroom", None)
        aside.admin.create(aside.path(kind), one)
    for kind in {row[0] for row in STORED}:
        aside.install(aside.definition(kind))
    for count, (kind, spec, elsewhere, there, words) in enumerate(STORED):
        anew = thing(kind, spec, "anew")
        wait_until(partial(_is_refused, aside, anew), f"the tighter {kind} is served")
        assert any(words in message for _, message in aside.ask(anew).causes)
        path = f"{aside.path(kind)}/stored-{count}"
        if there:
            with pytest.raises(Refusal, match=words):
                aside.admin.patch(path, {"spec": there})
        aside.admin.patch(path, {"spec": elsewhere, "metadata": {"labels": {"seen": "yes"}}})


def _is_refused(aside: Resources, one: dict[str, Any]) -> bool:
    return not aside.ask(one).accepted


@pytest.mark.slow
def test_k17_a_downgrade_keeps_what_both_know_and_what_nobody_has_written_since(aside):
    """K17: N, N-1, N: an unknown field is hidden, not lost, until somebody writes the object."""
    aside.install(aside.definition(PA))
    path = aside.path(PA)
    spec = {**BARE[PA], "headroom": "20%"}
    for name in ("still", "edited"):
        aside.admin.create(path, {**thing(PA, spec, name), "apiVersion": f"{aside.group}/{VERSION}"})
    aside.install(older(aside.definition(PA), PA))
    wait_until(lambda: "headroom" not in aside.admin.get(f"{path}/still")["spec"], "the older definition is served")
    aside.admin.patch(f"{path}/edited", {"spec": {"replicas": {"max": 70}}})
    aside.install(aside.definition(PA))
    wait_until(lambda: aside.admin.get(f"{path}/still")["spec"].get("headroom") == "20%", "the newer one is again")
    edited = aside.admin.get(f"{path}/edited")["spec"]
    assert ("headroom" in edited, edited["replicas"]["max"]) == (False, 70)
    stored = aside.admin.get(
        f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/predictiveautoscalers.{aside.group}"
    )
    assert stored["status"]["storedVersions"] == [VERSION]


def test_appliers_share_a_list_by_the_names_in_it(resources, namespace):
    """A platform's and a team's demands in one object, each by its own server-side apply."""
    path = f"{resources.path(PA, namespace)}/shared"
    first = thing(PA, BARE[PA], "shared")
    first["metadata"]["namespace"] = namespace
    resources.admin.apply(path, first, "team")
    more = {"demands": [{"name": "jobs", "source": "prod", "query": "q", "capacity": {"perReplica": 3}}]}
    second = {"apiVersion": first["apiVersion"], "kind": PA, "metadata": first["metadata"], "spec": more}
    kept = resources.admin.apply(path, second, "platform")
    assert [d["name"] for d in kept["spec"]["demands"]] == ["requests", "jobs"]


def test_committed_definitions_hold_what_a_whole_object_needs(resources, tmp_path: Path, kubectl):
    """`kubectl apply --dry-run=server` of every kind, with strict fields as people run it."""
    for kind in SPECS:
        file = tmp_path / f"{kind}.json"
        file.write_text(json.dumps(whole(kind)))
        assert "(server dry run)" in kubectl("apply", "--dry-run=server", "-f", str(file))
