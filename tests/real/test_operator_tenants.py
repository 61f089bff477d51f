"""Tenants, sources and secrets under a real API server and the operator's own rights. Rows S01-S03, S10, S13, M19."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autoscaler.adapters.kubernetes.objects import GROUP
from autoscaler.adapters.kubernetes.permissions import secret_rules
from autoscaler.spec.crd import RESOURCES, crd
from tests.real.commands import Settings
from tests.real.controlplane import ControlPlane
from tests.real.listener import Asked, Listener, Reply
from tests.real.operating import HEAD, NAMES, USERS, Operators, autoscaler, granted, install, operators
from tests.real.servers import wait_until
from tests.real.test_operator import level
from tests.real.test_prometheus_access import OPEN_BARLEY, OPEN_SESAME
from tests.real.web import fetch

pytestmark = pytest.mark.slow

CANARY, SECOND, TENANT = "canary-t0ken-4711", "canary-t0ken-4712", "canary-tenant-4713"
EVIL = '<script>alert("x")</script>'
SECRETS = "/api/v1/namespaces/default/secrets"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    one = ControlPlane(tmp_path_factory.mktemp("tenants"), Settings(hpa_sync="250ms"))
    one.start()
    install(one.rest(), [crd(kind) for kind in RESOURCES])
    granted(one)
    one.grant(USERS[0], [rule.as_rule() for rule in secret_rules(["prod-metrics"])], "default")
    for name in ("shop-eu", "checkout"):
        one.rest().create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield one
    one.stop()


@pytest.fixture
def some(plane: ControlPlane, tmp_path: Path) -> Iterator[Operators]:
    with operators(plane, tmp_path) as running:
        yield running
        for which in list(running.running):
            running.end(which)


def secret(some: Operators, name: str, **data: str) -> None:
    encoded = {k.replace("_", "."): base64.b64encode(v.encode()).decode() for k, v in data.items()}
    made = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded}
    some.admin.apply(f"{SECRETS}/{name}", made, "platform", force=True)


def source(some: Operators, name: str, allowed: list[str], **prometheus: Any) -> None:
    spec = {"allowedNamespaces": allowed, "prometheus": prometheus}
    made = {**HEAD, "kind": "MetricsSource", "metadata": {"name": name}, "spec": spec}
    some.admin.apply(f"{GROUP}/metricssources/{name}", made, "platform", force=True)


def asking(name: str, query: str, source_name: str = "prod") -> dict[str, Any]:
    demand = {"name": "load", "source": source_name, "query": query, "capacity": {"perReplica": "10"}}
    return autoscaler(name, demands=[demand])


def told(some: Operators) -> str:
    """All that the operator lets out: log, metrics, health, statuses, events."""
    pages = [
        fetch(f"http://127.0.0.1:{some.ports[0]}/{p}", timeout_s=5.0).body.decode() for p in ("metrics", "healthz")
    ]
    kinds = [some.admin.get(f"{GROUP}/{plural}")["items"] for plural in ("predictiveautoscalers", "metricssources")]
    statuses = [thing.get("status") for items in kinds for thing in items]
    events = [e["note"] for e in some.admin.get("/apis/events.k8s.io/v1/events")["items"]]
    return "\n".join([some.log(), *pages, json.dumps(statuses, ensure_ascii=False), *map(str, events)])


def recorded(some: Operators, *names: str) -> str:
    """What the record shows of these workloads, in every form in which it is shown."""
    store = str(some.folder / NAMES[0] / "foresail.db")
    said = []
    for command in (["history", "--rules"], ["explain", "-o", "json"]):
        for name in names:
            words = [sys.executable, "-m", "autoscaler", command[0], name, "--store", store, *command[1:]]
            done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, done.stderr
            said.append(done.stdout)
    return "\n".join(said)


def test_S01_S10_S13_tokens_go_to_their_source_alone_and_into_nothing_that_is_shown(some: Operators) -> None:
    """A source of the admin's that redirects, then one that echoes what it was sent into its refusal."""
    with Listener() as elsewhere, Listener() as backend:
        backend.answer = lambda asked: (307, {"Location": f"{elsewhere.url}{asked.path}"}, b"")
        secret(some, "prod-metrics", token=CANARY)
        credentials = {"name": "prod-metrics", "key": "token"}
        head = {"X-Scope-OrgID": TENANT}
        source(some, "prod", ["shop-*"], url=backend.url, bearerTokenSecret=credentials, headers=head)
        source(some, "other", ["checkout"], url=elsewhere.url, bearerTokenSecret={"name": "not-ours", "key": "token"})
        secret(some, "not-ours", token=SECOND)
        some.apply("shop-eu", asking("web", f"sum(load{{path='{EVIL}'}})"))
        some.apply("checkout", asking("thief", "sum(stolen)"))
        some.apply("checkout", asking("own", "sum(own)", "other"))
        some.start()

        wait_until(lambda: some.condition("checkout", "Stalled", "thief"), "the thief is told", 60)
        stalled = some.condition("checkout", "Stalled", "thief")
        assert stalled["reason"] == "InvalidSpec"
        assert "is not for namespace checkout" in stalled["message"]
        assert "name one that is (other)" in stalled["message"]
        assert some.condition("checkout", "Ready", "thief")["status"] == "False"

        def metrics(namespace: str, name: str) -> dict[str, Any]:
            return some.condition(namespace, "MetricsAvailable", name)

        wait_until(lambda: metrics("shop-eu", "web").get("status") == "False", "the redirect is told", 60)
        assert f"redirects to {elsewhere.url.rpartition(':')[0]}" in metrics("shop-eu", "web")["message"]
        assert backend.asked
        assert all(a.headers["authorization"] == f"Bearer {CANARY}" for a in backend.asked)
        assert all(a.headers["x-scope-orgid"] == TENANT for a in backend.asked)
        wait_until(lambda: metrics("checkout", "own").get("status") == "False", "what may not be read is told", 60)
        assert not elsewhere.asked, "neither by a redirect, nor without the credentials that belong there"
        assert not [a for a in backend.asked if "stolen" in a.all], "nothing is asked for who may not"
        refused = some.log()
        assert "not allowed to read Secret not-ours in default" in refused + json.dumps(some.status("checkout", "own"))

        def echo(asked: Asked) -> Reply:
            said = {"status": "error", "errorType": "x", "error": f"{EVIL} no {asked.headers['authorization']}"}
            return 401, {"Content-Type": "application/json"}, json.dumps(said).encode()

        backend.answer = echo
        before = len(backend.asked)
        wait_until(lambda: len(backend.asked) > before + 2, "it goes on asking", 30)
        secret(some, "prod-metrics", token=SECOND)  # a refused token is read anew at once
        sent = f"Bearer {SECOND}"
        wait_until(lambda: backend.asked[-1].headers["authorization"] == sent, "the new token is used", 30)
        shown = told(some)
        for canary in (CANARY, SECOND, TENANT):
            assert canary not in shown
        page = fetch(f"http://127.0.0.1:{some.ports[0]}/healthz", timeout_s=5.0)
        headers = {name.lower(): value for name, value in page.headers.items()}
        assert headers["content-type"] == "application/json", "S13: nothing that a browser runs"
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        some.end()
        record = recorded(some, "shop-eu/web")
        assert "REFUSED" in record
        for canary in (CANARY, SECOND, TENANT):
            assert canary not in record
        raw = b"".join(p.read_bytes() for p in (some.folder / NAMES[0]).glob("*") if p.is_file())
        assert CANARY.encode() not in raw
    reads = [e.get("objectRef", {}) for e in some.plane.audit() if e["user"].get("username") == USERS[0]]
    secrets = [ref for ref in reads if ref.get("resource") == "secrets"]
    assert {ref["namespace"] for ref in secrets} == {"default"}
    assert all(ref.get("name") for ref in secrets), "S05: no list, no watch of Secrets"


def test_M19_S02_a_password_out_of_a_secret_is_rotated_without_a_restart(some: Operators, prometheus: Any) -> None:
    """And a source that is taken away from a namespace is not asked for it any more."""
    server = prometheus(
        level(110.0), web_config={"basic_auth_users": {"reader": OPEN_SESAME}}, auth=("reader", "open sesame")
    )
    secret(some, "prod-metrics", password="open sesame\n")  # noqa: S106
    basic = {"username": "reader", "passwordSecret": {"name": "prod-metrics", "key": "password"}}
    source(some, "prod", ["shop-eu"], url=server.url, basicAuth=basic)
    some.admin.answer("DELETE", some.path("shop-eu", "web"))
    some.workload("shop-eu", "api")
    some.start()
    wait_until(lambda: some.floor("shop-eu", "api") >= 11, "the forecast is a floor", 60)
    (server.data.parent / "web.json").write_text(json.dumps({"basic_auth_users": {"reader": OPEN_BARLEY}}))
    page = f"http://127.0.0.1:{some.ports[0]}/metrics"

    def refused() -> float:
        lines = fetch(page, timeout_s=5.0).body.decode().splitlines()
        said = [line for line in lines if line.startswith("foresail_source_query_failures_total{") and "prod" in line]
        return sum(float(line.rpartition(" ")[2]) for line in said)

    wait_until(lambda: refused() > 0, "the old password is refused", 40)
    secret(some, "prod-metrics", password="open barley")  # noqa: S106
    last = [-1.0]

    def calm() -> bool:
        before, last[0] = last[0], refused()
        return before == last[0]

    wait_until(calm, "the new password is used", 40, every_s=3.0)
    assert "spec.demands" not in json.dumps(some.status("shop-eu", "api"))
    held = some.floor("shop-eu", "api")
    source(some, "prod", ["checkout"], url=server.url, basicAuth=basic)
    wait_until(lambda: some.condition("shop-eu", "Stalled", "api"), "it is told", 30)
    time.sleep(3)
    assert some.floor("shop-eu", "api") == held, "a floor that is held stays"
    some.end()


@pytest.mark.parametrize(
    ("at", "given"),
    [
        (("target",), {"namespace": "kube-system"}),
        (("demands", 0), {"bearerTokenSecret": {"name": "prod-metrics", "key": "token"}}),
        (("demands", 0), {"bearerTokenFile": "/etc/passwd"}),
        (("demands", 0), {"url": "http://169.254.169.254"}),
        (("demands", 0), {"headers": {"X-Scope-OrgID": "other"}}),
    ],
)
def test_S01_S02_S03_S04_the_server_itself_knows_no_such_field(plane: ControlPlane, at: Any, given: Any) -> None:
    made = autoscaler("hostile")
    inside: Any = made["spec"]
    for step in at:
        inside = inside[step]
    inside.update(given)
    said = plane.rest().answer(
        "POST", f"{GROUP}/namespaces/checkout/predictiveautoscalers", made, fieldValidation="Strict"
    )
    assert said.status == 400
    assert f'unknown field "spec.{at[0]}' in json.loads(said.body)["message"]
