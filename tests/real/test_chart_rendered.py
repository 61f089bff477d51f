"""What the real helm renders of the chart, over a matrix of values, against the schemas of the API. Rows S05, S11."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from autoscaler.adapters.kubernetes.permissions import ROLES, Rule, lease_rules, secret_rules
from autoscaler.adapters.pyod_recipe import read_recipe, recipe_names
from autoscaler.spec.notify_reading import read_notifications
from hack.chart.manifests import manifests
from tests.real.helming import CHART, Helm, Thing, is_hook, of_kind, the
from tests.real.parts import require_part

VERSIONS = ("1.35.0", "1.37.0")
"""The oldest and the newest that the validator has schemas of; it has none of 1.33 and 1.34."""
FOREIGN = {"CustomResourceDefinition", "ServiceMonitor", "PodMonitor", "PrometheusRule", "MetricsSource"}
"""Not among those schemas: definitions and sources are for the real API server, of the others no schema is here."""
WITHOUT = {"crds": {"install": False}}
"""They are long to read."""
SECRET = {"name": "prom", "mountPath": "/etc/foresail/prom", "items": [{"key": "token", "path": "token"}]}
MATRIX: dict[str, dict[str, Any]] = {
    "defaults": {},
    "observe only": {"permissions": {"act": False, "keda": False}},
    "namespaced": {
        "namespaces": ["shop", "pay"],
        "permissions": {"targets": [{"apiGroup": "argoproj.io", "resource": "rollouts"}]},
    },
    "standby": {
        "replicas": 3,
        "store": {"persistent": False},
        "priorityClassName": "high",
        "tolerations": [{"operator": "Exists"}],
    },
    "by digest": {"image": {"registry": "r.example.com", "digest": "sha256:" + "a" * 64}, "imagePullSecrets": ["pull"]},
    "watched": {
        "serviceMonitor": {
            "enabled": True,
            "labels": {"release": "p"},
            "relabelings": [{"action": "labeldrop", "regex": "pod"}],
        },
        "dashboards": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "alerts": {"alertmanagers": ["http://alertmanager:9093"]},
        "operator": {"api": False},
        "metricsSources": [{"name": "prod", "spec": {"prometheus": {"url": "http://p:9090"}}}],
    },
    "by pod": {"podMonitor": {"enabled": True}, "service": {"enabled": False}},
    "policies": {
        "policies": {"files": {"limits.yaml": "kind: GuardPolicy\n"}},
        "extraArgs": ["--site=a"],
        "secretMounts": [SECRET],
    },
    "detectors": {"detectors": {"recipe": "kind: DetectorRecipe\n"}, "podAnnotations": {"a": "b"}},
    "own detectors": {"detectors": {"existingConfigMap": "mine", "key": "team.yml"}},
    "told": {"alerts": {"notify": {"file": "kind: Notifications\n"}}, "operator": {"anomalies": False}},
    "own policies": {"policies": {"existingConfigMap": "mine"}, "store": {"existingClaim": "disk"}},
    "extras": {
        "commonLabels": {"team": "sre"},
        "commonAnnotations": {"note": "x: y"},
        "podLabels": {"mesh": "off"},
        "podAnnotations": {"a": "b"},
        "extraEnv": [{"name": "A", "value": "1"}],
        "extraVolumes": [{"name": "v", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "v", "mountPath": "/v"}],
        "extraEnvFrom": [{"secretRef": {"name": "s"}}],
        "affinity": {"nodeAffinity": {}},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "extraObjects": [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "{{ .Release.Name }}-more"},
                "data": {"a": "b"},
            },
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: text}\n",
        ],
    },
    "closed": {
        "networkPolicy": {
            "ingressFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
            "egress": {
                "dns": False,
                "apiServer": {"cidrs": ["10.0.0.1/32"]},
                "metricsTo": [{"ipBlock": {"cidr": "10.1.0.0/16"}}],
                "extra": [{"ports": [{"port": 9093}]}],
            },
        },
    },
    "no port for alerts": {
        "alerts": {"alertmanagers": ["http://alertmanager:9090"]},
        "networkPolicy": {"egress": {"alertPorts": []}},
    },
    "bare": {
        "networkPolicy": {"enabled": False},
        "releaseOnUninstall": {"enabled": False},
        "crds": {"install": False},
        "serviceAccount": {"create": False, "name": "theirs"},
        "permissions": {"create": False},
        "scrapeAnnotations": False,
        "service": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
        "store": {"persistent": False},
    },
    "openshift": {"podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}},
}


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    require_part("helm")
    return Helm(tmp_path_factory.mktemp("helm"))


def test_it_lints_without_a_word(helm: Helm) -> None:
    said = helm.does("lint", "--strict", CHART)
    assert "[WARNING]" not in said
    assert "[ERROR]" not in said


@pytest.mark.parametrize("given", ["", "https://git.example.com/blob/v1/docs/"])
def test_all_links_lead_to_where_one_publishes_the_pages(helm: Helm, given: str) -> None:
    on = {"dashboards": {"enabled": True}, "prometheusRule": {"enabled": True}}
    found = helm.render(WITHOUT | on | {"docsUrl": given})
    told = json.dumps([thing for thing in found if thing["kind"] in {"ConfigMap", "PrometheusRule"}])
    base = given.rstrip("/") or "https://foresail.dev/docs"
    links = re.findall(r"https?://[-a-z.]+/[^\s\"\\\\]*\.md", told)
    assert len(links) > 15
    assert all(link.startswith(f"{base}/") for link in links), links
    (deployment,) = [thing for thing in found if thing["kind"] == "Deployment"]
    said = [a for a in deployment["spec"]["template"]["spec"]["containers"][0]["args"] if "docs-url" in a]
    assert said == ([f"--docs-url={given}"] if given else [])


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_S11_each_choice_renders_what_the_api_takes_strictly_and_runs_restricted(
    helm: Helm, values: dict[str, Any]
) -> None:
    found = helm.render(WITHOUT | values, "--api-versions", "foresail.dev/v1alpha1")
    known = [thing for thing in found if thing["kind"] not in FOREIGN]
    for version in VERSIONS:
        for thing in known:
            assert kubernetes_validate.validate(thing, version, strict=True)
    places = [(t["kind"], t["metadata"].get("namespace"), t["metadata"]["name"]) for t in found]
    assert len(set(places)) == len(places), "each object once"
    for pod in (t["spec"]["template"]["spec"] for t in found if t["kind"] in {"Deployment", "Job"}):
        restricted(pod)
    account = the(found, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"]
    bound = [t for t in of_kind(found, "RoleBinding") + of_kind(found, "ClusterRoleBinding") if not is_hook(t)]
    assert {subject["name"] for t in bound for subject in t["subjects"]} <= {account}


def restricted(pod: dict[str, Any]) -> None:
    """What the restricted Pod Security Standard asks, and a root that cannot be written."""
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        assert not any("hostPort" in port for port in container.get("ports", []))
    assert all({"emptyDir", "persistentVolumeClaim", "configMap", "secret"} & set(v) for v in pod["volumes"])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"replica": 2}, "replica"),
        ({"operator": {"tick": "soon"}}, "/operator/tick"),
        ({"image": {"digest": "latest"}}, "/image/digest"),
        ({"networkPolicy": {"egress": {"metricsPorts": [70000]}}}, "/networkPolicy/egress/metricsPorts/0"),
        ({"replicas": 2}, "store.persistent=false"),
        ({"policies": {"files": {"a.yaml": "x"}, "existingConfigMap": "b"}}, "not both"),
        ({"alerts": {"notify": {"file": "x", "existingConfigMap": "b"}}}, "alerts.notify: write the file"),
        ({"alerts": {"notify": {"key": "../on-call.yaml"}}}, "/alerts/notify/key"),
        ({"detectors": {"recipe": "x", "existingConfigMap": "b"}}, "detectors: write the recipe"),
        ({"detectors": {"recipe": "x"}, "operator": {"anomalies": False}}, "no anomalies are looked for"),
        ({"detectors": {"key": "../recipe.yaml"}}, "/detectors/key"),
        ({"detectors": {"recipe": {"kind": "DetectorRecipe"}}}, "/detectors/recipe"),
        ({"operator": {"anomalies": "maybe"}}, "/operator/anomalies"),
        ({"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}, "scraped twice"),
        ({"serviceMonitor": {"enabled": True}, "service": {"enabled": False}}, "service.enabled=true"),
        ({"podSecurityContext": {"runAsNonRoot": False}}, "podSecurityContext.runAsNonRoot"),
    ],
)
def test_a_bad_value_is_refused_at_its_place(helm: Helm, values: dict[str, Any], words: str) -> None:
    said = helm.refuses(values)
    assert words in said or words.strip("/").replace("/", ".") in said, said


def rules_of(found: Iterable[Thing], kind: str, ending: str) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = the(list(found), kind, ending)["rules"]
    return rules


def granted(*roles: str) -> list[dict[str, Any]]:
    return [rule.as_rule() for role in roles for rule in ROLES[role]]


def test_S05_the_roles_are_the_products_own_list_and_observing_and_acting_are_apart(helm: Helm) -> None:
    found = [t for t in helm.render(WITHOUT | {"permissions": {"secrets": ["b", "a"]}}) if not is_hook(t)]
    assert rules_of(found, "ClusterRole", "-observe") == granted("observe", "observe-keda", "events")
    assert rules_of(found, "ClusterRole", "-act") == granted("act", "act-keda")
    assert rules_of(found, "ClusterRole", "-cluster") == granted("cluster")
    assert rules_of(found, "Role", "-lease") == [rule.as_rule() for rule in lease_rules("foresail")]
    assert rules_of(found, "Role", "-secrets") == [rule.as_rule() for rule in secret_rules(["a", "b"])]
    mine = {t["metadata"]["name"].rpartition("-")[2] for t in of_kind(found, "ClusterRoleBinding")}
    assert mine == {"observe", "act", "cluster"}, "the roles of people are bound by their admins"

    quiet = helm.render(WITHOUT | {"permissions": {"act": False, "keda": False}})
    assert not of_kind(quiet, "ClusterRole", "-act")
    assert rules_of(quiet, "ClusterRole", "-observe") == granted("observe", "events")


def test_S05_in_named_namespaces_there_are_roles_and_the_cluster_role_is_for_kinds_without_one(helm: Helm) -> None:
    values = {
        "namespaces": ["shop", "pay"],
        "permissions": {"targets": [{"apiGroup": "argoproj.io", "resource": "rollouts"}]},
    }
    found = helm.render(values)
    ours = [
        t["metadata"]["name"]
        for t in of_kind(found, "ClusterRole")
        if "-view edit guards sources".find(t["metadata"]["name"].rpartition("-")[2]) < 0
    ]
    assert ours == ["foresail-foresail-cluster"]
    assert {r["resources"][0].partition("/")[0] for r in rules_of(found, "ClusterRole", "-cluster")} == {
        "guardpolicies", "metricssources",
    }  # fmt: skip
    for ending, roles in {"-observe": ("observe", "observe-keda"), "-act": ("act", "act-keda")}.items():
        those = of_kind(found, "Role", ending)
        assert sorted(t["metadata"]["namespace"] for t in those) == ["pay", "shop"]
        for one in those:
            more = [Rule("argoproj.io", "rollouts", ("get", "list")), Rule("argoproj.io", "rollouts/scale", ("get",))]
            if ending == "-act":
                more = [Rule("argoproj.io", "rollouts/scale", ("patch",))]
            events = granted("events") if ending == "-observe" else []
            assert one["rules"] == [*granted(*roles), *(rule.as_rule() for rule in more), *events]
    assert the(found, "Role", "-events")["metadata"]["namespace"] == "default"
    args = the(found, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"]
    assert {"--namespace=shop", "--namespace=pay"} <= set(args)
    release = the(found, "Job")["spec"]["template"]["spec"]["containers"][0]["args"]
    assert {"--namespace=shop", "--namespace=pay"} <= set(release)


def test_two_releases_of_one_name_in_two_namespaces_do_not_share_a_cluster_role(helm: Helm) -> None:
    one, other = (helm.render(WITHOUT, namespace=name) for name in ("blue", "green"))
    names = [{t["metadata"]["name"] for t in f if t["kind"].startswith("Cluster")} for f in (one, other)]
    assert not names[0] & names[1]


def test_a_rule_file_and_a_dashboard_come_through_as_they_are(helm: Helm) -> None:
    """`{{ $labels }}` in them is Prometheus' and Grafana's, not helm's."""
    rules = CHART / "files" / "rules" / "foresail.rules.yaml"
    boards = sorted((CHART / "files" / "dashboards").glob("*.json"))
    values: dict[str, Any] = {"dashboards": {"enabled": True}, "prometheusRule": {"enabled": rules.exists()}, **WITHOUT}
    found = helm.render(values)
    if rules.exists():
        assert the(found, "PrometheusRule")["spec"] == YAML(typ="safe").load(rules)
    shown = {name: text for t in of_kind(found, "ConfigMap") for name, text in t["data"].items()}
    for board in boards:
        assert json.loads(shown[board.name]) == json.loads(board.read_text())
    assert len(shown) == len(boards)


def test_the_pages_own_values_mount_a_file_of_notifications_that_is_read_without_a_problem(
    helm: Helm, tmp_path: Path
) -> None:
    page = (CHART.parents[1] / "docs" / "notify.md").read_text()
    values = YAML(typ="safe").load(page.partition("## In the chart")[2].partition("```yaml\n")[2].partition("```")[0])
    found = helm.render(WITHOUT | values)
    (name, text) = the(found, "ConfigMap", "-notify")["data"].popitem()
    file = tmp_path / name
    file.write_text(text)
    read = read_notifications(file, 0.0)
    assert [each.name for each in read.notifications.spec.destinations] == ["pager", "chat"]
    assert not read.warnings
    assert [f"--notify=/etc/foresail/notify/{name}"] == [a for a in args_of(found) if a.startswith("--notify")]
    pod = the(found, "Deployment")["spec"]["template"]["spec"]
    assert {"name": "notify", "mountPath": "/etc/foresail/notify", "readOnly": True} in pod["containers"][0][
        "volumeMounts"
    ]
    assert {"name": "notify", "configMap": {"name": "foresail-notify"}} in pod["volumes"]
    own = helm.render(WITHOUT | {"alerts": {"notify": {"existingConfigMap": "mine", "key": "team.yml"}}})
    assert "--notify=/etc/foresail/notify/team.yml" in args_of(own)
    assert {"name": "notify", "configMap": {"name": "mine"}} in the(own, "Deployment")["spec"]["template"]["spec"][
        "volumes"
    ]
    assert not of_kind(own, "ConfigMap")


def test_the_pages_own_values_mount_a_recipe_that_is_read_and_a_change_of_it_is_a_restart(
    helm: Helm, tmp_path: Path
) -> None:
    page = (CHART.parents[1] / "docs" / "anomaly-detection.md").read_text()
    values = YAML(typ="safe").load(page.partition("### In the chart")[2].partition("```yaml\n")[2].partition("```")[0])
    found = helm.render(WITHOUT | values)
    (name, text) = the(found, "ConfigMap", "-detectors")["data"].popitem()
    file = tmp_path / name
    file.write_text(text)
    assert recipe_names(file) == tuple(one.name for one in read_recipe(file)) == ("ecod", "pca")
    assert [f"--detectors=/etc/foresail/detectors/{name}"] == [a for a in args_of(found) if "--detectors" in a]
    template = the(found, "Deployment")["spec"]["template"]
    pod = template["spec"]
    mount = {"name": "detectors", "mountPath": "/etc/foresail/detectors", "readOnly": True}
    assert mount in pod["containers"][0]["volumeMounts"]
    assert {"name": "detectors", "configMap": {"name": "foresail-detectors"}} in pod["volumes"]
    other = helm.render(WITHOUT | {"detectors": {"recipe": text + "# another\n"}})
    marks = [
        t["metadata"]["annotations"]["foresail.dev/detectors"]
        for t in (template, the(other, "Deployment")["spec"]["template"])
    ]
    assert marks[0] != marks[1]
    own = helm.render(WITHOUT | {"detectors": {"existingConfigMap": "mine", "key": "team.yml"}})
    assert "--detectors=/etc/foresail/detectors/team.yml" in args_of(own)
    volumes = the(own, "Deployment")["spec"]["template"]["spec"]["volumes"]
    assert {"name": "detectors", "configMap": {"name": "mine"}} in volumes
    assert not of_kind(own, "ConfigMap")
    assert not [a for a in args_of(helm.render(WITHOUT)) if "--detectors" in a]


def test_anomalies_are_looked_for_unless_a_value_says_otherwise(helm: Helm) -> None:
    for value, said in ((True, []), (False, ["--anomalies=off"])):
        args = args_of(helm.render(WITHOUT | {"operator": {"anomalies": value}}))
        assert [a for a in args if a.startswith("--anomalies")] == said


def args_of(found: list[Thing]) -> list[str]:
    args: list[str] = the(found, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"]
    return args


def test_definitions_are_kept_and_can_be_left_out(helm: Helm) -> None:
    found = of_kind(helm.render(), "CustomResourceDefinition")
    assert len(found) == len(list((CHART / "files" / "crds").glob("*.yaml")))
    assert all(t["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for t in found)
    assert not of_kind(helm.render({"crds": {"install": False}}), "CustomResourceDefinition")


def test_the_plain_manifests_are_current(helm: Helm) -> None:
    path = Path(CHART).parent / "manifests" / "foresail.yaml"
    assert path.read_text() == manifests(CHART), "run: make chart"


def test_an_old_kubernetes_is_refused_before_anything_is_made(helm: Helm) -> None:
    done = helm.run("template", "foresail", CHART, "--kube-version", "1.32.0")
    assert done.returncode != 0
    assert "incompatible with Kubernetes v1.32.0" in done.stderr


def test_K21_there_is_no_webhook_that_could_be_down_and_block_anybody(helm: Helm) -> None:
    for values in MATRIX.values():
        kinds = {thing["kind"] for thing in helm.render(WITHOUT | values)}
        assert not {kind for kind in kinds if "Webhook" in kind or kind == "APIService"}
