"""`foresail advise --kubeconfig` on a real API server: its HPAs count, and what is wrong with the way in is said."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autoscaler.cli.app import main
from tests.real.controlplane import ControlPlane
from tests.real.estate import Hpa, Load, estate, sized, wave
from tests.real.manifests import hpa
from tests.real.prometheus import Prometheus, Settings
from tests.real.servers import free_port
from tests.real.test_advise import Ran, advise, at

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
NAMESPACE, ELSEWHERE = "advised", "advised-elsewhere"
DAYS = 5
CORE, HPAS = "/api/v1/namespaces", "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers"
LISTS = [{"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": ["list"]}]
SLOW_DOWN = {"scaleDown": {"stabilizationWindowSeconds": 900}}


def cpu(percent: int) -> list[dict[str, Any]]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


@dataclass(frozen=True, slots=True)
class Way:
    """The options of every call, and ways into the cluster."""

    plane: ControlPlane
    prometheus: tuple[object, ...]
    folder: Path

    def advise(self, *args: object) -> Ran:
        return advise(self.folder, *self.prometheus, *args)

    def kubeconfig(self, account: str, namespaces: tuple[str, ...] | None = ()) -> Path:
        """Of a service account that may list HPAs in these namespaces; None = in all."""
        for namespace in (None,) if namespaces is None else namespaces:
            self.plane.grant(f"system:serviceaccount:{NAMESPACE}:{account}", LISTS, namespace)
        file = self.folder / account
        file.write_text(self.plane.service_account_token(NAMESPACE, account))
        return self.plane.kubeconfig_for(file)


@pytest.fixture(scope="module")
def way(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    """Metrics of two workloads and their HPAs, and a cluster that has another HPA of one of them."""
    cores, end_s = wave(DAYS, 2.0, seed=2), int(time.time()) // 300 * 300
    shown = Hpa(2, 20, value=60)
    loads = [Load(NAMESPACE, name, cores, sized(cores, 0.6, 2, 20), hpa=shown) for name in ("api", "web")]
    folder = tmp_path_factory.mktemp("advised")
    server = Prometheus(folder / "prometheus", Settings())
    server.load(estate(loads, end_s))
    server.start()
    admin = control_plane.rest()
    for name in (NAMESPACE, ELSEWHERE):
        admin.create(CORE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    same, other = hpa("api", 2, 20, cpu(60)), hpa("web", 3, 15, cpu(40))
    same["metadata"]["name"] = "api-hpa"
    other["spec"]["behavior"] = SLOW_DOWN
    for one in (same, other):
        admin.create(HPAS.format(NAMESPACE), one)
    options = "--prometheus", server.url, "--at", at(end_s), "--days", DAYS, "--step", "300s", "--lead", "10m"
    yield Way(control_plane, options, folder)
    for name in (NAMESPACE, ELSEWHERE):
        admin.delete(f"{CORE}/{name}")
    server.stop()


def judged(ran: Ran) -> dict[str, dict[str, Any]]:
    return {one["workload"].partition("/")[2]: one for one in ran.found["judged"]}


def test_the_hpa_in_the_cluster_counts_and_agrees_where_the_metrics_show_the_same(way):
    ran = way.advise("--kubeconfig", way.kubeconfig("reader", None), "-o", "json")
    mine, by_metrics = judged(ran), judged(way.advise("-o", "json"))
    assert by_metrics["web"]["hpa"] == by_metrics["api"]["hpa"] == "cpu 60 %, 2–20"
    assert mine["api"] == by_metrics["api"]
    web = mine["web"]
    assert web["hpa"] == "cpu 40 %, 3–15"
    # a target of 40 % instead of 60 % runs half as many replicas again
    assert web["averageReplicas"]["now"] > 1.25 * by_metrics["web"]["averageReplicas"]["now"]
    words = "the default behavior is simulated, and its HPA's is: scaleDown waits 900 s"
    assert words in [doubt["why"] for doubt in web["doubts"]]
    told = f"kube-state-metrics shows another HPA of {NAMESPACE}/web than the cluster has: the cluster's is used"
    assert told in ran.found["notes"]
    assert not [note for note in ran.found["notes"] if f"{NAMESPACE}/api" in note]


def test_an_account_reads_where_it_may_and_is_told_the_way_out_elsewhere(way):
    kubeconfig = way.kubeconfig("narrow", (ELSEWHERE,))
    refused = way.advise("--kubeconfig", kubeconfig)
    assert (refused.code, refused.out) == (2, "")
    assert "grant list on horizontalpodautoscalers, name --namespace, or leave --kubeconfig out" in refused.err
    assert f'User "system:serviceaccount:{NAMESPACE}:narrow" cannot list resource' in refused.err
    assert "Traceback" not in refused.err
    let_in = way.advise("--kubeconfig", kubeconfig, "--namespace", ELSEWHERE)
    assert let_in.code == 1, let_in.err  # nothing is there to judge
    assert "no Deployment or StatefulSet" in let_in.out
    account = f"system:serviceaccount:{NAMESPACE}:narrow"
    assert {e["verb"] for e in way.plane.audit(lambda e: e["user"].get("username") == account)} == {"list"}


def test_another_clusters_kubeconfig_is_noticed_by_its_hpas(way):
    admin, where = way.plane.rest(), HPAS.format(NAMESPACE)
    gone = admin.get(f"{where}/api-hpa")
    admin.delete(f"{where}/api-hpa")
    try:
        ran = way.advise(
            "--kubeconfig", way.kubeconfig("stranger", (NAMESPACE,)), "--namespace", NAMESPACE, "-o", "json"
        )
    finally:
        admin.create(where, {**gone, "metadata": {"name": "api-hpa"}})
    assert judged(ran)["api"]["hpa"] is None
    assert any(f"an HPA of {NAMESPACE}/api and the cluster has none" in note for note in ran.found["notes"])


def test_a_kubeconfig_that_opens_nothing_says_why_before_anything_is_asked(way, tmp_path, monkeypatch, capsys):
    file = tmp_path / "outlived"
    file.write_text("not a token")
    outlived = way.plane.kubeconfig_for(file)
    nobody = json.loads(outlived.read_text())
    nobody["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{free_port()}"
    (tmp_path / "nobody").write_text(json.dumps(nobody))
    (tmp_path / "broken").write_text("clusters: [")
    for args, code, words in (
        ((tmp_path / "none",), 2, f"kubeconfig {tmp_path / 'none'} cannot be used"),
        ((tmp_path / "broken",), 2, f"kubeconfig {tmp_path / 'broken'} cannot be used"),
        ((outlived,), 2, "does not accept the credentials of the kubeconfig: log in again"),
        ((outlived, "--context", "production"), 2, "production"),
        ((tmp_path / "nobody",), 3, "check the server that the kubeconfig names, or leave --kubeconfig out"),
    ):
        url = f"http://127.0.0.1:{free_port()}"  # it is not even asked
        typed = ("foresail", "advise", "--prometheus", url, "--kubeconfig", *args)
        monkeypatch.setattr("sys.argv", [*map(str, typed)])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        assert (left.value.code, said.out) == (code, ""), said.err
        assert words in said.err
