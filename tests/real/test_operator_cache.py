"""The copy of our own kinds against a real API server that misbehaves. Rows K06-K09, K20, K22."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autoscaler.adapters.kubernetes.connection import Access, Connection
from autoscaler.adapters.kubernetes.objects import GROUP, ObjectCache
from autoscaler.bootstrap.fleet_objects import FleetObjects
from tests.real.commands import RESTRICTED, Settings
from tests.real.controlplane import TOKEN_KNOWN_S, ControlPlane
from tests.real.faultproxy import BLACK_HOLE, PASS, RESET, latency, status
from tests.real.operating import autoscaler, install
from tests.real.parts import require_part
from tests.real.servers import wait_until
from tests.real.web import fetch

pytestmark = pytest.mark.slow
PAS = f"{GROUP}/namespaces/default/predictiveautoscalers"
READ = [{"apiGroups": ["foresail.dev"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    one = ControlPlane(tmp_path_factory.mktemp("watched"), Settings(api_flags=("--watch-cache=true",)))
    one.start()
    install(one.rest())
    yield one
    one.stop()


@pytest.fixture(autouse=True)
def clean(plane: ControlPlane) -> Iterator[None]:
    yield
    plane.rest().call("DELETE", PAS)
    plane.rest().answer("DELETE", f"{GROUP}/metricssources/prod")


@pytest.fixture
def watching() -> Iterator[Callable[..., ObjectCache]]:
    started: list[ObjectCache] = []

    def start(kubeconfig: Path, quiet_s: float = 90.0) -> ObjectCache:
        cache = ObjectCache.of(Connection(Access(kubeconfig), 5.0), quiet_s=quiet_s)
        cache.start()
        started.append(cache)
        return cache

    yield start
    for one in started:
        one.stop()
        assert not any(kind.alive for kind in one.kinds), "a stopped cache ends its threads"


def create(plane: ControlPlane, *names: str) -> None:
    for name in names:
        plane.rest().create(PAS, autoscaler(name))


def names(cache: ObjectCache) -> set[str]:
    return {t["metadata"]["name"] for t in cache.autoscaler_things()}


def forbidden(cache: ObjectCache) -> dict[str, str]:
    return {path: said for path, said in cache.faults().items() if 'guardpolicies"' in said or "cannot" in said}


def compact(plane: ControlPlane) -> None:
    """Forget all versions but the newest: who asks for an older one is told 410."""

    port = plane._commands.etcd_port

    url = f"http://127.0.0.1:{port}/v3"
    told = fetch(f"{url}/kv/range", method="POST", body=b'{"key": "YQ=="}').json()
    body = json.dumps({"revision": told["header"]["revision"], "physical": True}).encode()
    assert fetch(f"{url}/kv/compaction", method="POST", body=body).status == 200


def is_watch(_: str, path: str) -> bool:
    return "watch=1" in path


def test_K07_a_watch_that_went_silent_is_noticed_and_goes_on_where_it_was(plane, watching, fault_proxy):
    proxy = fault_proxy(plane.url, plane.tls())
    create(plane, "a")
    cache = watching(plane.kubeconfig(server=proxy.url), quiet_s=2.0)
    wait_until(lambda: cache.synced and names(cache) == {"a"}, "all was read")
    proxy.set(BLACK_HOLE, only=is_watch)
    create(plane, "b")
    wait_until(lambda: cache.doubt("default") is not None, "what we know is doubted", 20)
    proxy.set(PASS)  # by then a new list may have brought what the watch did not
    wait_until(lambda: names(cache) == {"a", "b"}, "the missed one is there", 40)
    wait_until(lambda: cache.doubt("default") is None, "and nothing is doubted any more", 40)


def test_K08_after_a_compaction_everything_is_listed_anew_and_no_delete_is_missed(plane, watching, fault_proxy):
    proxy = fault_proxy(plane.url, plane.tls())
    create(plane, "a", "b")
    cache = watching(plane.kubeconfig(server=proxy.url), quiet_s=3.0)
    wait_until(lambda: names(cache) == {"a", "b"}, "all was read")
    (kind,) = cache.autoscalers.values()
    proxy.set(RESET)
    wait_until(lambda: kind.fault is not None, "the watch is gone", 20)
    plane.rest().delete(f"{PAS}/a")
    for turn in range(3):  # so that versions move on
        create(plane, f"c{turn}")
    compact(plane)
    plane.api.kill()  # its watch cache remembers what etcd has forgotten
    plane.start_api()
    proxy.set(PASS)
    wait_until(lambda: names(cache) == {"b", "c0", "c1", "c2"}, "listed anew", 60)
    asked = len([p for _, p in proxy.requests if "predictiveautoscalers" in p])
    time.sleep(3)
    more = len([p for _, p in proxy.requests if "predictiveautoscalers" in p]) - asked
    assert more <= 2, "no hot loop"


def test_K06_an_outage_of_the_api_server_loses_nothing_and_ends_by_itself(plane, watching):
    create(plane, "a")
    cache = watching(plane.kubeconfig())
    wait_until(lambda: names(cache) == {"a"}, "all was read")
    plane.api.kill()
    wait_until(lambda: len(cache.faults()) == 3, "all three watches know", 20)
    time.sleep(3)
    assert names(cache) == {"a"}
    plane.start_api()
    create(plane, "b")
    wait_until(lambda: names(cache) == {"a", "b"}, "it goes on", 60)
    wait_until(lambda: not cache.faults(), "nothing is wrong any more", 60)


def test_K09_nothing_is_in_force_before_the_last_page_of_the_last_kind(plane, watching, fault_proxy):
    admin = plane.rest()
    spec = {"prometheus": {"url": "http://localhost:9"}}
    made = {"apiVersion": "foresail.dev/v1alpha1", "kind": "MetricsSource", "metadata": {"name": "prod"}, "spec": spec}
    admin.create(f"{GROUP}/metricssources", made)
    create(plane, *(f"w{k}" for k in range(700)))
    proxy = fault_proxy(plane.url, plane.tls())
    proxy.set(latency(2.0), only=lambda _, path: "predictiveautoscalers" in path)
    cache = watching(plane.kubeconfig(server=proxy.url))
    files = FleetObjects((), cache=cache)
    seen = set()
    deadline = time.monotonic() + 40
    while not files.refresh():
        seen.add(len(files.fleet))
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert seen == {0}
    assert len(files.fleet) == 700, "two pages, at once"
    proxy.set(PASS)


def test_K20_a_right_that_is_taken_away_is_named_and_only_its_kind_is_affected(plane, watching):
    admin = plane.rest()
    for resource in ("predictiveautoscalers", "guardpolicies", "metricssources"):
        plane.grant(RESTRICTED, [{**READ[0], "resources": [resource]}])
    create(plane, "a")
    cache = watching(plane.kubeconfig(RESTRICTED), quiet_s=2.0)
    wait_until(lambda: names(cache) == {"a"} and cache.synced, "all was read", 20)
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    for role in admin.get(path)["items"]:
        if role["metadata"]["name"].startswith(RESTRICTED) and role["rules"][0]["resources"] == ["guardpolicies"]:
            admin.delete(f"{path}/{role['metadata']['name']}")
    said = wait_until(lambda: forbidden(cache), "it is told", 60)  # a short silence is a fault too, and passes
    assert said.keys() == {f"{GROUP}/guardpolicies"}
    assert "is forbidden: User" in said[f"{GROUP}/guardpolicies"]
    wait_until(lambda: cache.doubt("default") is not None, "policies may have changed: nothing is written", 20)
    create(plane, "b")
    wait_until(lambda: names(cache) == {"a", "b"}, "the others go on")
    plane.grant(RESTRICTED, [{**READ[0], "resources": ["guardpolicies"]}])
    wait_until(lambda: not forbidden(cache) and cache.doubt("default") is None, "given back, it goes on", 60)


@pytest.mark.timeout(180)
def test_K22_a_token_that_is_replaced_while_we_watch_needs_no_restart(plane, watching, tmp_path):
    create(plane, "a")
    token = tmp_path / "token"
    token.write_text(plane.service_account_token("default", "first"))
    for name in ("first", "second"):
        plane.grant(f"system:serviceaccount:default:{name}", READ)
    cache = watching(plane.kubeconfig_for(token), quiet_s=3.0)
    wait_until(lambda: names(cache) == {"a"}, "all was read", 20)
    token.write_text(plane.service_account_token("default", "second"))
    plane.invalidate_tokens("default", "first")
    time.sleep(TOKEN_KNOWN_S + 2)
    create(plane, "b")
    wait_until(lambda: names(cache) == {"a", "b"}, "it goes on with the new one", 60)


def test_K05_a_server_that_is_busy_is_asked_again_when_it_said(plane, watching, fault_proxy):
    proxy = fault_proxy(plane.url, plane.tls())
    proxy.set(status(429, retry_after_s=3))
    cache = watching(plane.kubeconfig(server=proxy.url))
    wait_until(lambda: len(proxy.requests) >= 3, "each kind has asked", 10)
    began = time.monotonic()
    time.sleep(2.0)
    assert len(proxy.requests) == 3, "nobody asks before the time"
    proxy.set(PASS)
    wait_until(lambda: cache.synced, "then all is read", 20)
    assert time.monotonic() - began > 2.5


def test_kubectl_knows_our_kinds_as_we_do(plane):
    """The names that everything here goes by."""
    kubectl = [str(require_part("kubectl")), "--kubeconfig", str(plane.kubeconfig())]
    told = subprocess.run(
        [*kubectl, "api-resources", "--api-group=foresail.dev", "-o", "name"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert set(told.stdout.split()) == {
        "predictiveautoscalers.foresail.dev", "guardpolicies.foresail.dev", "metricssources.foresail.dev",
    }  # fmt: skip
