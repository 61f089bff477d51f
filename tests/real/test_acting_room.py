"""Nodes that are full, on a control plane with a scheduler. Row D08; and how long pods take is learned (F14)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.adapters.kubernetes import cluster as product
from autoscaler.domain.notes import Condition
from autoscaler.domain.reasons import Reason
from autoscaler.domain.workload import Actuation
from tests.real.acting import Acting
from tests.real.kwok_stages import stages
from tests.real.manifests import deployment
from tests.real.servers import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def full(own_control_plane):
    plane = own_control_plane(scheduler=True, nodes=(), kwok_config=stages(2000))
    plane.add_node("small", cpu="4", pods="5")
    plane.rest().create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    account = "/api/v1/namespaces/shop/serviceaccounts/default"
    wait_until(lambda: plane.rest().answer("GET", account).status == 200, "the service account")
    one = Acting(plane, "shop", actuation=Actuation.SCALE)
    one.create(deployment("web", 3, node=None))
    wait_until(lambda: int(one.look().ready[0]) == 3, "three fit", 20)
    return one


def test_D08_pods_without_a_node_stop_the_rise_and_a_new_node_lets_it_go_on(full, monkeypatch):
    one = full
    monkeypatch.setattr(product, "PATIENCE_S", 3.0)
    starts = one.cluster.observe(one.fleet).starts
    assert starts == (), "told once"
    assert one.write(9).condition is Condition.WRITTEN
    wait_until(lambda: bool(one.look().stuck[0]), "pods wait for longer than the patience", 20)
    assert "4 pods have had no node for" in one.told(Condition.PODS_PENDING)
    assert int(one.look().ready[0]) == 5, "Pending is not ready, and not demand"
    decision = one.tick(300.0)
    assert Reason.NO_ROOM in decision.reasons
    assert (decision.granted, one.replicas) == (9, 9)
    one.plane.add_node("large", cpu="64", pods="100")
    found = []

    def all_ready() -> bool:
        seen = one.look()
        found.extend(seen.starts)
        return int(seen.ready[0]) == 9

    wait_until(all_ready, "all are Ready", 30, every_s=0.5)
    assert not bool(one.look().stuck[0])
    assert one.tick(300.0).granted > 9
    waited = [s for s in found if s.placed_s - s.created_s >= 2]
    assert len(waited) == 4, "provisioning is told apart from starting"
    assert all(1 <= s.ready_s - s.placed_s <= 6 for s in found), [replace(s) for s in found]
