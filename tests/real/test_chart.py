"""The chart with the real helm on a real control plane: installed, upgraded, uninstalled. Rows S05, S11, K25.

There is no kubelet: kwok makes pods Ready, and what is in them is run here, as their command, arguments and service
account say, with `--in-cluster` and paths replaced by ours.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from autoscaler.spec.crd import RESOURCES, crd
from tests.real.commands import Settings
from tests.real.controlplane import ControlPlane
from tests.real.helming import CHART, Helm, grant, is_hook, things
from tests.real.kwok_stages import stages
from tests.real.manifests import deployment, hpa
from tests.real.operating import CRDS, DEPLOYMENTS, HPAS, autoscaler, bare_crd, install
from tests.real.parts import require_part
from tests.real.rest import Rest
from tests.real.servers import free_port, wait_until
from tests.real.test_operator import level
from tests.real.web import fetch

pytestmark = pytest.mark.slow
HOME = "foresail-system"
GOLDEN = Path(__file__).parent / "golden"
MORE_CONTROLLERS = "--controllers=job-controller,clusterrole-aggregation-controller"
QUICK = {
    "store": {"persistent": False},  # nothing here would bind a claim
    "operator": {"tick": "1s", "step": "10s", "leaseDuration": "3s"},
    "permissions": {"keda": False},
}
SOURCES = "/apis/foresail.dev/v1alpha1/metricssources"
OURS = "app.kubernetes.io/instance=foresail"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    require_part("helm")
    settings = Settings(
        scheduler=True, hpa_sync="250ms", controller_flags=(MORE_CONTROLLERS,), kwok_config=stages(ready_after_ms=100)
    )
    one = ControlPlane(tmp_path_factory.mktemp("charted"), settings)
    one.start()
    for name, labels in ((HOME, {"pod-security.kubernetes.io/enforce": "restricted"}), ("shop", {})):
        meta = {"name": name, "labels": labels}
        one.rest().create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    yield one
    one.stop()


@pytest.fixture(scope="module")
def helm(plane: ControlPlane) -> Helm:
    home = plane.folder / "helm"
    home.mkdir()
    return Helm(home, plane.kubeconfig())


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart as an older one could have been: a definition knows less, and there is an object that went since."""
    path = tmp_path_factory.mktemp("older") / "foresail"
    shutil.copytree(CHART, path)
    chart = path / "Chart.yaml"
    chart.write_text(chart.read_text().replace("\nversion: ", "\nversion: 0.0.1 # was "))
    (path / "templates" / "gone.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: gone\n  namespace: {{ .Release.Namespace }}\n"
    )
    crd = path / "files" / "crds" / "predictiveautoscalers.foresail.dev.yaml"
    definition = YAML(typ="safe").load(crd)
    del definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["timeZone"]
    with crd.open("w") as out:
        YAML().dump(definition, out)
    return path


def runs(plane: ControlPlane, pod: Mapping[str, Any], folder: Path, url: str = "") -> list[str]:
    """The command of a pod's only container, for here."""
    [container] = pod["spec"]["containers"]
    token = folder / f"{pod['metadata']['name']}.token"
    token.write_text(plane.service_account_token(HOME, pod["spec"]["serviceAccountName"], 3600))
    words = [sys.executable, "-m", "autoscaler"]
    for word in container["args"]:
        if word == "--in-cluster":
            words += ["--kubeconfig", str(plane.kubeconfig_for(token))]
        elif word.startswith("--listen="):
            words.append(f"--listen={url}")
        elif word.startswith("--policies="):
            words.append(f"--policies={mounted(plane, pod, folder, word.partition('=')[2])}")
        elif word.startswith("--store="):
            words.append(f"--store={folder / 'foresail.db'}")
        else:
            words.append(word)
    return words


def mounted(plane: ControlPlane, pod: Mapping[str, Any], folder: Path, path: str) -> Path:
    """The ConfigMap of the pod that stands at the path, as files."""
    [name] = [m["name"] for m in pod["spec"]["containers"][0]["volumeMounts"] if m["mountPath"] == path]
    [volume] = [v for v in pod["spec"]["volumes"] if v["name"] == name]
    files = plane.rest().get(f"/api/v1/namespaces/{HOME}/configmaps/{volume['configMap']['name']}")["data"]
    here = folder / name
    here.mkdir(exist_ok=True)
    for file, text in files.items():
        (here / file).write_text(text)
    return here


class Kubelet:
    """Runs the operator's one pod while it is there, as a kubelet would: with SIGTERM when it is to go."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane, self.folder = plane, folder
        self.port = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        running: dict[str, subprocess.Popen[bytes]] = {}
        going: list[subprocess.Popen[bytes]] = []
        while not self._end.wait(0.2):
            found = self.plane.pods(HOME, "app.kubernetes.io/name=foresail")
            alive = {p["metadata"]["name"]: p for p in found if "deletionTimestamp" not in p["metadata"]}
            for name in set(running) - set(alive):
                going.append(running.pop(name))
                going[-1].send_signal(signal.SIGTERM)
            for name in set(alive) - set(running):
                running[name] = self._start(alive[name])
        for process in (*running.values(), *going):
            process.kill()
            process.wait()

    def _start(self, pod: Mapping[str, Any]) -> subprocess.Popen[bytes]:
        folder = self.folder / pod["metadata"]["name"]
        folder.mkdir()
        self.port = free_port()
        env = os.environ | {"POD_NAMESPACE": HOME, "POD_NAME": pod["metadata"]["name"]}
        with (self.folder / "log").open("ab") as log:
            command = runs(self.plane, pod, folder, f"127.0.0.1:{self.port}")
            return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=env)

    def leads(self) -> bool:
        try:
            return bool(self.port) and fetch(f"http://127.0.0.1:{self.port}/healthz").json()["leader"]
        except OSError:
            return False

    def close(self) -> None:
        self._end.set()
        self._thread.join(10)


@pytest.fixture
def kubelet(plane: ControlPlane, tmp_path: Path) -> Iterator[Kubelet]:
    one = Kubelet(plane, tmp_path)
    yield one
    one.close()


def floor(admin: Rest) -> int:
    return int(admin.get(f"{HPAS.format('shop')}/web")["spec"]["minReplicas"])


def replicas(admin: Rest) -> int:
    return int(admin.get(f"{DEPLOYMENTS.format('shop')}/web")["spec"]["replicas"])


def kubectl(plane: ControlPlane, *words: str, token: str | None = None) -> str:
    access = ["--kubeconfig", str(plane.kubeconfig())]
    if token is not None:
        access = ["--server", plane.url, "--certificate-authority", str(plane.ca), "--token", token]
    command = [str(require_part("kubectl")), *access, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=40, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def left_of_it(plane: ControlPlane) -> set[str]:
    kinds = (
        "deploy,rs,pods,jobs,svc,cm,secrets,sa,roles,rolebindings,clusterroles,clusterrolebindings,netpol,pdb,pvc,crd"
    )
    return set(kubectl(plane, "get", kinds, "-A", "-l", OURS, "-o", "name").split())


@pytest.mark.timeout(400)
def test_K25_S11_installed_upgraded_and_uninstalled_at_peak_floors_go_back_and_replicas_stay(
    plane: ControlPlane, helm: Helm, older: Path, kubelet: Kubelet, prometheus: Any, tmp_path: Path
) -> None:
    """In a namespace that enforces the restricted standard. A source of the values serves from the first install on."""
    admin = plane.rest()
    release = ("foresail", "-n", HOME, "--timeout", "60s")
    url = prometheus(level(110.0)).url
    prod, more = ({"name": name, "spec": {"prometheus": {"url": url}}} for name in ("prod", "more"))
    values = helm.given(QUICK | {"metricsSources": [prod]})
    said = helm.does("install", release[0], older, *release[1:], *values, "--wait")
    assert "from a file of the pod" in said
    assert "no MetricsSource" not in said
    assert "store.persistent is off" in said

    admin.create(DEPLOYMENTS.format("shop"), deployment("web", 2, node=None))
    admin.create(HPAS.format("shop"), hpa("web", 2, 30))
    path = "/apis/foresail.dev/v1alpha1/namespaces/shop/predictiveautoscalers"
    made = admin.create(path, autoscaler("web"))
    wait_until(lambda: floor(admin) >= 11, "the chart's operator raises the floor", 90)
    wait_until(lambda: replicas(admin) >= 11, "the HPA follows", 30)

    assert admin.get(SOURCES)["items"] == []
    values = helm.given(QUICK | {"metricsSources": [prod, more]})
    said = helm.does("upgrade", release[0], CHART, *release[1:], *values, "--wait")
    for name in ("prod", "more"):
        assert admin.get(f"{SOURCES}/{name}")["spec"]["prometheus"]["url"] == url, "their kind is served by now"
    assert "from a file of the pod" not in said
    assert "configmap/foresail-sources" not in left_of_it(plane)
    assert floor(admin) >= 11
    assert admin.get(f"{path}/web")["metadata"]["uid"] == made["metadata"]["uid"]
    assert "configmap/gone" not in left_of_it(plane)
    zone = {"spec": {"timeZone": "Europe/Berlin"}}
    assert admin.patch(f"{path}/web", zone)["spec"]["timeZone"] == "Europe/Berlin", "the definition came with it"
    wait_until(kubelet.leads, "the new pod leads", 90)
    assert floor(admin) >= 11
    events = admin.get("/apis/events.k8s.io/v1/namespaces/shop/events")["items"]
    assert "InvalidSpec" not in {e["reason"] for e in events}, (
        "a source that becomes an object is the same all the while"
    )
    assert "Stalled" not in kubectl(
        plane, "-n", "shop", "get", "pa", "web", "-o", "jsonpath={.status.conditions[*].type}"
    )

    with (tmp_path / "uninstall").open("w") as out:
        env = os.environ | {"KUBECONFIG": str(plane.kubeconfig()), "HOME": str(helm.home)}
        command = [str(require_part("helm")), "uninstall", *release, "--wait"]
        uninstall = subprocess.Popen(command, stdout=out, stderr=out, env=env)
        [pod] = wait_until(lambda: plane.pods(HOME, "app.kubernetes.io/name=foresail-release"), "the Job's pod", 20)
        job = subprocess.run(runs(plane, pod, tmp_path), capture_output=True, text=True, timeout=60, check=False)
        assert job.returncode == 0, job.stderr
        assert "HorizontalPodAutoscaler shop/web: minReplicas" in job.stdout
        time.sleep(4.0)  # longer than the operator's lease; it is still there
        assert floor(admin) == 2
        assert not kubelet.leads()
        peak = replicas(admin)
        assert peak >= 11
        ended = {"status": {"phase": "Succeeded", "conditions": []}}
        admin.patch(f"/api/v1/namespaces/{HOME}/pods/{pod['metadata']['name']}/status", ended)
        assert uninstall.wait(60) == 0, (tmp_path / "uninstall").read_text()
    assert floor(admin) == 2
    assert replicas(admin) == peak
    assert "foresail.dev/floor" not in (admin.get(f"{HPAS.format('shop')}/web")["metadata"].get("annotations") or {})

    kept = {f"customresourcedefinition.apiextensions.k8s.io/{plural}.foresail.dev" for plural in PLURALS}
    wait_until(lambda: left_of_it(plane) == kept, "nothing else stays", 20)
    assert admin.get(SOURCES)["items"] == [], "they went with the release"
    assert admin.get(f"{path}/web")["metadata"].get("finalizers") is None
    admin.delete(f"{path}/web")
    assert admin.answer("GET", f"{path}/web").status == 404
    secrets = admin.get(f"/api/v1/namespaces/{HOME}/secrets")["items"]
    assert secrets == [], "helm's own record of the release went too"


PLURALS = ("predictiveautoscalers", "guardpolicies", "metricssources")


@pytest.mark.timeout(120)
def test_K25_an_uninstall_whose_job_cannot_run_ends_says_so_and_leaves_the_release_as_it_was(
    plane: ControlPlane, helm: Helm
) -> None:
    """As with an image that cannot be pulled: the pod never becomes anything."""
    values = helm.given(QUICK | {"replicas": 0, "releaseOnUninstall": {"activeDeadlineSeconds": 5, "backoffLimit": 0}})
    said = helm.does("install", "foresail", CHART, "-n", HOME, *values, "--skip-schema-validation")  # no user waits 5 s
    assert "no MetricsSource and no Prometheus Operator was found" in said
    before = left_of_it(plane)
    done = helm.run("uninstall", "foresail", "-n", HOME, "--timeout", "45s", within_s=90)
    assert done.returncode != 0
    assert "deadline" in done.stderr.lower()
    wait_until(lambda: not plane.pods(HOME), "the Job and its pod are gone", 30)
    assert {name for name in left_of_it(plane) if "helm.sh" not in name} == before
    helm.does("uninstall", "foresail", "-n", HOME, "--no-hooks")


def _in_order(line: str) -> str:
    """Of several roles for one resource the verbs come in any order."""
    what, _, verbs = line.rstrip(" ]").rpartition("[")
    return f"{' '.join(what.split())} [{' '.join(sorted(verbs.split()))}]"


@pytest.mark.parametrize("act", [True, False], ids=["act", "observe"])
def test_S05_what_a_stolen_token_may_do_is_in_a_golden_file(plane: ControlPlane, helm: Helm, act: bool) -> None:
    """As `kubectl auth can-i --list` tells it of the real API server, in its own namespace and in another.

    Paths that are no resources (/healthz, /api) are everybody's, and left out.
    """
    name = "acting" if act else "observing"
    values = {"fullnameOverride": name, "permissions": {"act": act, "secrets": ["prod"]}, "crds": {"install": False}}
    grant(plane.rest(), [t for t in helm.render(values, namespace=HOME) if not is_hook(t)])
    token = plane.service_account_token(HOME, name)

    def told() -> str:
        parts = []
        for where in (HOME, "shop"):
            listed = kubectl(plane, "auth", "can-i", "--list", "-n", where, token=token).splitlines()[1:]
            parts += [f"# in {where}", *sorted(_in_order(line) for line in listed if not line.lstrip().startswith("["))]
        return "\n".join(parts) + "\n"

    golden = GOLDEN / f"can-i-{name}.txt"
    if os.environ.get("FORESAIL_GOLDEN"):
        golden.write_text(told())
    expected = golden.read_text()
    wait_until(lambda: told() == expected, "the rights are in force", 10)
    for verb, what in (("create", "pods"), ("get", "secrets"), ("create", "rolebindings"), ("update", "clusterroles")):
        words = ["auth", "can-i", verb, what, "-n", "shop"]
        with pytest.raises(AssertionError):
            kubectl(plane, *words, token=token)


def test_the_notes_warn_of_what_is_missing_off_or_in_the_way(plane: ControlPlane, helm: Helm) -> None:
    admin = plane.rest()
    admin.answer("DELETE", f"{SOURCES}/prod")  # of a test that failed, whose words would be others
    rival = bare_crd("PredictiveHorizontalPodAutoscaler", "predictivehorizontalpodautoscalers", namespaced=True)
    rival["metadata"]["name"] = "predictivehorizontalpodautoscalers.jamiethompson.me"
    rival["spec"]["group"] = "jamiethompson.me"
    admin.create(CRDS, rival)
    wait_until(lambda: admin.answer("GET", "/apis/jamiethompson.me/v1alpha1").status == 200, "the rival is served")

    def notes(**values: Any) -> str:
        words: tuple[str | Path, ...] = (
            "install",
            "foresail",
            CHART,
            "-n",
            HOME,
            "--dry-run=server",
            *helm.given(values),
        )
        return helm.does(*words).partition("\nNOTES:\n")[2]

    usual = notes()
    assert "WARNING: PredictiveHorizontalPodAutoscaler found here" in usual
    assert "foresail advise --prometheus URL" in usual
    assert "permissions.act is off" not in usual
    assert "decides for all namespaces" in usual
    assert "9090" in usual
    off = notes(permissions={"act": False}, releaseOnUninstall={"enabled": False}, crds={"install": False})
    assert "reason Forbidden" in off
    assert "`foresail release --all` before it" in off
    assert "foresail crds | kubectl apply --server-side -f -" in off
    assert "Lost with a pod are its history" in notes(replicas=2, store={"persistent": False}, namespaces=["shop"])


def _of_the_release(definition: dict[str, Any]) -> dict[str, Any]:
    """As helm leaves them behind, in whatever order these tests run."""
    meta = definition["metadata"]
    meta["labels"] = {"app.kubernetes.io/managed-by": "Helm"}
    meta["annotations"] = {"meta.helm.sh/release-name": "foresail", "meta.helm.sh/release-namespace": HOME}
    return definition


def test_S05_teams_write_their_autoscalers_by_the_roles_they_have_and_only_sres_write_guards(
    plane: ControlPlane, helm: Helm
) -> None:
    """`edit` of a namespace is enough for a PredictiveAutoscaler; guards and sources are granted by their own roles."""
    admin = plane.rest()
    install(admin, [_of_the_release(crd(kind)) for kind in RESOURCES], again=True)
    values = {"fullnameOverride": "people", "crds": {"install": False}}
    grant(admin, [t for t in helm.render(values, namespace=HOME) if not is_hook(t)])
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "team"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "ServiceAccount", "name": "team", "namespace": "shop"}],
    }  # fmt: skip
    admin.create("/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings", binding)
    team = plane.rest_by(plane.service_account_token("shop", "team"))
    path = "/apis/foresail.dev/v1alpha1/namespaces/{}/predictiveautoscalers"
    wait_until(lambda: team.answer("GET", path.format("shop")).status == 200, "the roles are aggregated", 20)
    assert team.create(path.format("shop"), autoscaler("theirs"))["spec"]["mode"] == "Act"
    assert team.answer("POST", path.format(HOME), autoscaler("theirs")).status == 403
    for plural in ("guardpolicies", "metricssources"):
        assert team.answer("POST", f"/apis/foresail.dev/v1alpha1/{plural}", {}).status == 403
    team.delete(f"{path.format('shop')}/theirs")


def test_S11_the_plain_manifests_are_taken_whole_and_their_pod_is_let_in(plane: ControlPlane) -> None:
    """Into a namespace that enforces the restricted standard. Its volume is never bound here, so it never runs."""
    admin, manifests = plane.rest(), CHART.parent / "manifests" / "foresail.yaml"
    said = kubectl(plane, "apply", "--server-side", "-f", str(manifests))
    assert said.count("serverside-applied") == len(things(manifests.read_text()))
    path = DEPLOYMENTS.format("foresail")
    wait_until(lambda: admin.get(f"{path}/foresail").get("status", {}).get("replicas") == 1, "the pod is admitted", 20)
    kubectl(plane, "delete", "-f", str(manifests), "--wait=false")
