"""What breaks while we act: an API server that throttles or is away, credentials that rotate, rights that are taken.
Rows K05, K06, K20, K22."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from autoscaler.adapters.kubernetes.cluster import KubernetesCluster
from autoscaler.adapters.kubernetes.connection import Access, Connection
from autoscaler.adapters.kubernetes.permissions import needed
from autoscaler.domain.decision import State
from autoscaler.domain.notes import Condition
from autoscaler.domain.reasons import Reason
from tests.real.acting import Acting
from tests.real.commands import FORESAIL
from tests.real.faultproxy import status
from tests.real.manifests import deployment, hpa

pytestmark = pytest.mark.slow


@pytest.fixture
def acting(control_plane: Any, namespace: str) -> Callable[..., Acting]:
    def make(**settings: Any) -> Acting:
        one = Acting(control_plane, namespace, **settings)
        one.create(deployment("web", 2))
        one.create(hpa("web", 2, 20), "autoscaling/v2", "horizontalpodautoscalers")
        return one

    return make


def test_K05_retry_after_is_obeyed_and_what_waited_is_decided_anew(acting, control_plane, fault_proxy):
    proxy = fault_proxy(control_plane.url, control_plane.tls())
    one = acting(url=proxy.url)
    proxy.set(status(429, retry_after_s=4), only=lambda method, _: method == "PATCH", times=1)
    began = time.monotonic()
    note = one.write(9)
    assert note.condition is Condition.WRITE_THROTTLED
    assert one.write(9).condition is Condition.WRITE_THROTTLED, "no write at all while the server wants none"
    assert one.floor == 2
    while one.write(11).condition is Condition.WRITE_THROTTLED:
        time.sleep(0.1)
        assert time.monotonic() - began < 60
    assert time.monotonic() - began >= 4.0
    assert one.floor == 11, "the newest decision, not the one that waited"
    assert len(one.writes) == 1


def test_K06_an_api_server_that_is_away_stops_nothing_and_no_burst_follows(own_control_plane):
    plane = own_control_plane()
    plane.rest().create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    one = Acting(plane, "shop")
    one.create(deployment("web", 2))
    one.create(hpa("web", 2, 20), "autoscaling/v2", "horizontalpodautoscalers")
    assert one.tick(100.0).granted > 2
    before = len(one.writes)
    plane.api.kill()
    for demand in (200.0, 300.0, 150.0):
        decision = one.tick(demand)
        assert decision.state is State.HOLDING
        assert Reason.TARGET_UNKNOWN in decision.reasons
        assert "could not be read" in decision.notes[0].words
    plane.start_api()
    decision = one.tick(100.0)
    assert decision.state is not State.HOLDING
    assert one.floor == decision.granted < 20, "what was wanted meanwhile is not written late"
    assert len(one.writes) <= before + 1


def test_K20_a_right_that_is_taken_away_degrades_that_scope_and_is_named(acting, control_plane):
    one = acting(grant=False)
    one.allow(r for r in _rules(one) if r.resource != "horizontalpodautoscalers")
    decision = one.tick(200.0)
    assert decision.state is State.HOLDING
    (note,) = decision.notes
    assert note.condition is Condition.FORBIDDEN
    assert f"not allowed to read horizontalpodautoscalers in {one.namespace}" in note.words
    one.allow(r for r in _rules(one) if r.resource == "horizontalpodautoscalers" and "list" in r.verbs)
    note = one.write(9)
    assert note.condition is Condition.FORBIDDEN
    assert 'cannot patch resource "horizontalpodautoscalers"' in note.words


def test_a_budget_that_may_not_be_read_forbids_a_shrink(acting):
    one = acting(grant=False)
    one.allow(r for r in _rules(one) if r.resource != "poddisruptionbudgets")
    assert int(one.look().least[0]) == 2


def test_K22_a_rotated_token_file_needs_no_restart(acting, control_plane, namespace, tmp_path):
    one = acting()
    account = f"system:serviceaccount:{namespace}:mover"
    file = tmp_path / "token"
    file.write_text(control_plane.service_account_token(namespace, "mover"))
    control_plane.grant(account, [r.as_rule() for r in _rules(one)], namespace)
    kubeconfig = control_plane.kubeconfig_for(file)
    connection = Connection(Access(kubeconfig))
    cluster = KubernetesCluster(connection, "foresail", one.clock)
    assert bool(cluster.observe(one.fleet).known[0])
    file.write_text("not-a-token-any-more")
    connection.close()
    seen = cluster.observe(one.fleet)
    assert not bool(seen.known[0])
    assert "401" in seen.notes[0][0].words
    file.write_text(control_plane.service_account_token(namespace, "mover"))
    time.sleep(1.1)  # credentials are read again at most once a second
    assert bool(cluster.observe(one.fleet).known[0])


def test_K22_a_new_authority_of_the_api_server_is_read_from_its_file(own_control_plane):
    plane = own_control_plane()
    one = Acting(plane, "default")
    one.create(deployment("web", 2))
    one.create(hpa("web", 2, 20), "autoscaling/v2", "horizontalpodautoscalers")
    assert bool(one.look().known[0])
    plane.api.kill()
    for file in plane.ca.parent.glob("apiserver.*"):
        file.unlink()
    plane.start_api()
    time.sleep(1.1)
    one.look()
    assert bool(one.look().known[0])


def _rules(one: Acting) -> list[Any]:
    return list(needed(one.workload(), "deployments", keda=False))


def test_the_products_user_reads_and_patches_and_nothing_else(acting):
    one = acting()
    assert {v for rule in _rules(one) for v in rule.verbs} == {"get", "list", "patch"}
    mine = one.plane.rest(FORESAIL)
    assert mine.answer("GET", f"/api/v1/namespaces/{one.namespace}/secrets").status == 403
    assert mine.answer("DELETE", f"/apis/apps/v1/namespaces/{one.namespace}/deployments/web").status == 403
