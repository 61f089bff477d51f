"""Rows of the catalogue through the operator: its objects, its rights, its copy of the cluster, and what users see.

One plane with a scheduler, one Prometheus that scrapes a twin of the exporter, one operator that is ticked by hand.
Rows D04, D06-D10, K10, K18, M08, M16, M29.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from autoscaler.adapters.kubernetes import cluster as product
from autoscaler.adapters.kubernetes.objects import GROUP
from autoscaler.domain.notes import Condition
from autoscaler.domain.series import DataVerdict
from autoscaler.spec.crd import RESOURCES, crd
from tests.real.commands import Settings
from tests.real.controlplane import ControlPlane
from tests.real.exporter import Exporter
from tests.real.faultproxy import FaultProxy, rewrite
from tests.real.kwok_stages import stages
from tests.real.manifests import deployment, hpa
from tests.real.operated import DEPLOYMENTS, Operated, operated
from tests.real.operating import HEAD, granted, install
from tests.real.prometheus import Prometheus
from tests.real.prometheus import Settings as PrometheusSettings
from tests.real.rest import Refusal
from tests.real.servers import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
HPAS = "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    settings = Settings(scheduler=True, nodes=(), kwok_config=stages(300, failing="failing"), hpa_sync="250ms")
    one = ControlPlane(tmp_path_factory.mktemp("rows"), settings)
    one.start()
    one.add_node("large", cpu="900", pods="900")
    install(one.rest(), [crd(kind) for kind in RESOURCES])
    granted(one)
    yield one
    one.stop()


@pytest.fixture(scope="module")
def exporter() -> Iterator[Exporter]:
    with Exporter() as one:
        yield one


@pytest.fixture(scope="module")
def prometheus_server(exporter: Exporter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    one = Prometheus(tmp_path_factory.mktemp("prometheus"), PrometheusSettings(scrape=[exporter.target]))
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def some(plane: ControlPlane, prometheus_server: Prometheus, tmp_path_factory: Any) -> Iterator[Operated]:
    spec = {"prometheus": {"url": prometheus_server.url}}
    made = {**HEAD, "kind": "MetricsSource", "metadata": {"name": "prod"}, "spec": spec}
    plane.rest().create(f"{GROUP}/metricssources", made)
    with operated(plane, tmp_path_factory.mktemp("operator")) as one:
        yield one


@pytest.fixture
def loads(exporter: Exporter) -> Any:
    def set_load(namespace: str, value: float, name: str = "web") -> None:
        exporter.set("load", value, of=f"{namespace}/{name}")

    return set_load


def test_D04_who_scales_by_hand_is_respected_for_the_policys_time_and_the_end_is_announced(
    some: Operated, loads: Any
) -> None:
    shop = some.namespace("d04")
    loads(shop, 60.0)
    some.policy("calm", shop, defaults={"humanOverride": {"holdFor": "15s"}})
    some.workload(shop)
    some.until(lambda: some.replicas(shop) in {6, 7}, "it is as large as its demand")
    some.plane.rest().patch(f"{DEPLOYMENTS.format(shop)}/web/scale", {"spec": {"replicas": 12}})
    some.until(lambda: some.condition(shop, "Paused").get("reason") == "Overridden", "it is seen and said")
    assert some.replicas(shop) == 12
    assert "changed by hand: left at 12" in some.condition(shop, "Paused")["message"]
    some.until(lambda: some.replicas(shop) < 12, "the time is over")
    some.until(lambda: some.condition(shop, "Paused").get("status") == "False", "and that is said")
    assert {"Paused", "Resumed"} <= some.events(shop)


def test_D06_D07_a_budget_and_a_brake_hold_for_all_of_a_namespace(some: Operated, loads: Any) -> None:
    """Twelve that want more at once share what there is, the dear ones first; then a metric drops for all of them."""
    shop = some.namespace("d06")
    names = [f"w{k:02}" for k in range(12)]
    for name in names:
        loads(shop, 5.0, name)
        made = deployment(name, 1, None)
        made["spec"]["paused"] = True
        some.admin.create(DEPLOYMENTS.format(shop), made)
        some.autoscaler(shop, name, replicas={"min": 1, "max": 100})
    budget = {"budget": {"replicas": 60, "mayCauseShortage": True}}
    some.policy("room", shop, limits=budget, acknowledge=["MayCauseShortage"])
    gold = {"namespaces": [shop], "names": names[:2]}
    some.policy("gold", shop, selector=gold, defaults={"priority": 500})

    def sizes() -> dict[str, int]:
        found = some.admin.get(DEPLOYMENTS.format(shop))["items"]
        return {d["metadata"]["name"]: int(d["spec"]["replicas"]) for d in found}

    some.until(
        lambda: len(some.running.files.fleet) >= 12 and all(some.status(shop, n) for n in names), "all are known"
    )
    in_force = some.running.files
    some.until(lambda: {"room", "gold"} <= set(in_force.policies.by_name), "the policies are in force")

    def believed() -> bool:
        decided = some.running.tick()
        here = [k for k, load in enumerate(in_force.fleet.workloads) if load.ref.namespace == shop]
        return decided is not None and bool((decided.proposals.verdict[here] == DataVerdict.OK).all())

    some.until(believed, "demands are known: what a source says that has just come back is not cut", 90)
    for name in names:
        loads(shop, 150.0, name)
    some.until(lambda: sum(sizes().values()) > 40, "they grow")
    some.until(lambda: sum(sizes().values()) >= 58, "what there is is given")
    now = sizes()
    assert sum(now.values()) <= 60
    assert min(now[n] for n in names[:2]) >= 15, "the dear ones have all they need"
    rest = [now[n] for n in names[2:]]
    assert max(rest) - min(rest) <= 2, "equals share"
    assert "budget" in some.words(shop, names[5]).lower()

    some.policy("room", shop, limits={"brake": {"shrink": "0%"}})

    def braking() -> bool:
        limits = some.running.files.policies.by_name["room"].model.spec.limits
        return limits is not None and limits.brake is not None

    some.until(braking, "it is read")
    before = sizes()
    for name in names:
        loads(shop, 1.0, name)
    some.until(lambda: some.condition(shop, "Held", names[0]).get("status") == "True", "the brake is said", 60)
    assert all(size >= before[name] for name, size in sizes().items()), "not one shrinks"


def test_D08_D09_pods_that_find_no_room_stop_the_rise_and_are_no_demand(
    some: Operated, loads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full nodes in one namespace, a quota in the other; the words of the scheduler and of the quota are passed on."""
    monkeypatch.setattr(product, "PATIENCE_S", 3.0)
    full, small = some.namespace("d08"), some.namespace("d09")
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"pods": "3"}},
    }
    some.admin.create(f"/api/v1/namespaces/{small}/resourcequotas", quota)
    nowhere = deployment("web", 2, None, cpu="400")  # two of these fill the node
    some.admin.create(DEPLOYMENTS.format(full), nowhere)
    some.autoscaler(full)
    some.workload(small)
    for namespace in (full, small):
        loads(namespace, 60.0)
    for namespace in (full, small):
        some.until(lambda n=namespace: some.replicas(n) >= 6, "they grow")  # type: ignore[misc]

    def said(namespace: str) -> str:
        return some.words(namespace)

    some.until(lambda: "exceeded quota: small" in said(small), "the quota's own words", 60)
    some.until(lambda: "have had no node" in said(full), "the scheduler's words", 60)
    at = {n: some.replicas(n) for n in (full, small)}
    for namespace in (full, small):
        loads(namespace, 300.0)
    for _ in range(12):
        some.tick()
        assert {n: some.replicas(n) for n in (full, small)} == at, "no more of what finds no room"
    some.admin.delete(f"{DEPLOYMENTS.format(full)}/web")


def test_D10_K10_replicas_are_taken_away_only_where_the_server_itself_says_that_nothing_speaks_against_it(
    some: Operated, loads: Any
) -> None:
    """A budget that came after our copy was read last is asked for; without one it shrinks; no pod is deleted by us."""
    shop = some.namespace("d10")
    loads(shop, 60.0)
    some.workload(shop, replicas=6)
    budget = {
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
        "spec": {"minAvailable": 6, "selector": {"matchLabels": {"app": "web"}}},
    }  # fmt: skip
    path = f"/apis/policy/v1/namespaces/{shop}/poddisruptionbudgets"
    some.until(lambda: len(some.plane.ready_pods(shop)) >= 6 and some.status(shop), "it runs")
    kept = some.running.kept
    assert kept is not None
    watch = next(w for w in kept.watches if w.path.endswith("poddisruptionbudgets"))
    watch.stop()  # the copy stands still, and looks alive for a while
    some.admin.create(path, budget)

    def counted() -> bool:
        return bool((some.admin.get(f"{path}/web").get("status") or {}).get("expectedPods"))

    wait_until(counted, "the budget is counted", 20)
    assert not [b for b in watch.objects() if b["metadata"]["namespace"] == shop]
    size = some.replicas(shop)
    loads(shop, 10.0)
    said: list[str] = []

    def asked_for() -> bool:
        notes = some.tick()[f"{shop}/web"].notes
        said.extend(n.words for n in notes if n.condition is Condition.WRITE_CONFLICT)
        return bool(said)

    wait_until(asked_for, "the budget is asked for", 40)
    assert "a disruption budget asks for" in said[0]
    for _ in range(5):
        some.tick()
        assert some.replicas(shop) == size
    some.admin.delete(f"{path}/web")
    some.until(lambda: some.replicas(shop) < size, "nothing speaks against it any more")
    user = "system:serviceaccount:default:operator-0"
    assert not [w for w in some.plane.writes(user) if w["objectRef"]["resource"] == "pods"]
    watch._stop.clear()
    watch.start()


def test_K18_what_is_deleted_and_made_anew_is_another_object(some: Operated, loads: Any) -> None:
    """Nothing that was remembered of the first speaks for the second: neither the person's word nor our own count."""
    shop = some.namespace("k18")
    loads(shop, 60.0)
    some.policy("patient", shop, defaults={"humanOverride": {"holdFor": "1h"}})
    some.workload(shop)
    some.until(lambda: some.replicas(shop) in {6, 7}, "it is as large as its demand")
    some.plane.rest().patch(f"{DEPLOYMENTS.format(shop)}/web/scale", {"spec": {"replicas": 12}})
    some.until(lambda: some.condition(shop, "Paused").get("reason") == "Overridden", "a person's word")
    first = some.admin.get(f"{DEPLOYMENTS.format(shop)}/web")["metadata"]["uid"]
    some.admin.delete(f"{DEPLOYMENTS.format(shop)}/web")
    some.until(lambda: some.condition(shop, "Ready").get("reason") == "TargetNotFound", "it is gone, and said so")
    some.admin.create(DEPLOYMENTS.format(shop), deployment("web", 1, None))
    some.until(lambda: some.replicas(shop) in {6, 7}, "the new one is decided about on its own")
    second = some.admin.get(f"{DEPLOYMENTS.format(shop)}/web")["metadata"]["uid"]
    assert first != second
    some.until(lambda: some.condition(shop, "Paused").get("status") == "False", "nobody spoke of this one")


def test_M16_two_whose_selectors_take_each_others_pods_are_both_refused(some: Operated, loads: Any) -> None:
    shop = some.namespace("m16")
    for name in ("wide", "web"):
        loads(shop, 90.0, name)
    wide = deployment("wide", 2, None)
    wide["spec"]["selector"]["matchLabels"] = wide["spec"]["template"]["metadata"]["labels"] = {"tier": "x"}
    web = deployment("web", 2, None)
    web["spec"]["template"]["metadata"]["labels"] = {"app": "web", "tier": "x"}
    for made in (wide, web):
        some.admin.create(DEPLOYMENTS.format(shop), made)
    for name in ("wide", "web"):
        some.autoscaler(shop, name)
    for name, other in (("wide", "web"), ("web", "wide")):
        some.until(lambda n=name: some.condition(shop, "Conflict", n).get("status") == "True", "refused", 60)  # type: ignore[misc]
        assert f"PredictiveAutoscaler {shop}/{other}" in some.condition(shop, "Conflict", name)["message"]
    assert {some.replicas(shop, n) for n in ("wide", "web")} == {2}


def test_M08_a_query_that_answers_no_number_is_refused_at_once_where_it_shows_and_said_when_it_is_asked(
    some: Operated, loads: Any
) -> None:
    shop = some.namespace("m08")
    loads(shop, 60.0)
    some.workload(shop)
    some.until(lambda: some.replicas(shop) in {6, 7}, "it works with a number")
    plain = {"name": "load", "source": "prod", "query": "load[5m]", "capacity": {"perReplica": "10"}}
    with pytest.raises(Refusal, match="ends in a range"):
        some.autoscaler(shop, demands=[plain])
    demand = {"name": "load", "source": "prod", "query": "(load[5m])", "capacity": {"perReplica": "10"}}
    some.autoscaler(shop, demands=[demand])

    def told() -> bool:
        (view,) = some.tick()[f"{shop}/web"].demands
        return view.verdict == DataVerdict.WRONG_TYPE and "instant" in str(view.note)

    wait_until(told, "it is told in the source's own words", 40)
    assert some.replicas(shop) in {6, 7}


def test_M29_pods_of_a_broken_version_that_say_nothing_are_no_reason_to_grow(
    some: Operated, loads: Any, exporter: Exporter
) -> None:
    """The exporter's twin stands in for the pods: who crashes is not scraped, and their part of the load is gone."""
    shop = some.namespace("m29")
    loads(shop, 60.0)
    some.workload(shop)
    some.until(lambda: some.replicas(shop) in {6, 7}, "it is as large as its demand")
    size = some.replicas(shop)
    wait_until(lambda: len(some.plane.ready_pods(shop)) == size, "all are Ready", 20)
    template = {"spec": {"template": {"metadata": {"labels": {"failing": "true"}}}}}
    strategy = {"spec": {"strategy": {"rollingUpdate": {"maxSurge": "50%", "maxUnavailable": "50%"}}}}
    path = f"{DEPLOYMENTS.format(shop)}/web"
    some.admin.patch(path, strategy, "strategic-merge-patch")
    some.admin.patch(path, template, "strategic-merge-patch")
    wait_until(lambda: len(some.plane.ready_pods(shop)) < size, "the new version crashes", 20)
    exporter.remove("load", of=f"{shop}/web")  # whoever crashes says nothing
    some.until(lambda: some.condition(shop, "MetricsAvailable").get("status") == "False", "nothing is known", 90)
    for _ in range(10):
        some.tick()
        assert some.replicas(shop) == size, "neither up for want of metrics, nor down in the dark"
    loads(shop, 30.0)  # the sound half is scraped: what it sees is no proof that less is needed, and none of more
    for _ in range(10):
        some.tick()
        assert some.replicas(shop) <= size


def refusing(namespace: str, reason: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A policy of the cluster, and its binding: no floor of web above five. reason: which status it refuses with."""
    rule = {
        "apiGroups": ["autoscaling"], "apiVersions": ["*"], "operations": ["UPDATE"],
        "resources": ["horizontalpodautoscalers"],
    }  # fmt: skip
    told = {
        "expression": "object.metadata.name != 'web' || object.spec.minReplicas <= 5",
        "message": "finance says: five are enough", "reason": reason,
    }  # fmt: skip
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": "finance"}}
    where = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    return (
        {**head, "kind": "ValidatingAdmissionPolicy", "spec": {
            "matchConstraints": {"resourceRules": [rule]}, "failurePolicy": "Fail", "validations": [told],
        }},
        {**head, "kind": "ValidatingAdmissionPolicyBinding", "spec": {
            "policyName": "finance", "validationActions": ["Deny"], "matchResources": {"namespaceSelector": where},
        }},
    )  # fmt: skip


def test_K20_a_policy_that_refuses_our_writes_is_named_and_costs_its_own_workload_alone(
    some: Operated, loads: Any
) -> None:
    shop = some.namespace("k20")
    for name in ("web", "api"):
        some.admin.create(DEPLOYMENTS.format(shop), deployment(name, 2, None))
        some.admin.create(HPAS.format(shop), hpa(name, 2, 30))
        loads(shop, 90.0, name)
    path = f"{HPAS.format(shop)}/web"
    policies = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic{}"
    for kind, made in zip(("ies", "ybindings"), refusing(shop, "Forbidden"), strict=True):
        some.admin.create(policies.format(kind), made)

    def refused() -> bool:
        body = {"spec": {"minReplicas": 6}}
        return some.admin.answer("PATCH", path, body, "application/merge-patch+json", dryRun="All").status == 403

    wait_until(refused, "the policy is in force", 30)
    for name in ("web", "api"):
        some.autoscaler(shop, name, actuation="HpaFloor", acknowledge=[], replicas={"min": 9, "max": 40})

    def floor(name: str) -> int:
        return int(some.admin.get(f"{HPAS.format(shop)}/{name}")["spec"]["minReplicas"])

    def problem(name: str) -> float | None:
        labels = {"namespace": shop, "name": name, "cause": "NotWriting"}
        return some.running.telemetry.registry.get_sample_value("foresail_problem", labels)

    some.until(lambda: some.condition(shop, "Acting").get("reason") == "WriteFailed", "it is told")
    words = "ValidatingAdmissionPolicy 'finance' with binding 'finance' denied request: finance says: five are enough"
    assert words in some.condition(shop, "Acting")["message"]
    some.until(lambda: floor("api") >= 9, "the other one goes on")
    assert floor("web") == 2
    assert some.tick()[f"{shop}/web"].granted >= 9, "it is decided about all the same"
    assert (problem("web"), problem("api")) == (1.0, None)
    events = some.admin.get(f"/apis/events.k8s.io/v1/namespaces/{shop}/events")["items"]
    (told,) = [e for e in events if e["reason"] == "NotWriting"]
    assert told["regarding"]["name"] == "web"
    assert words in told["note"]

    for kind in ("ybindings", "ies"):
        some.admin.delete(f"{policies.format(kind)}/finance")
    some.until(lambda: floor("web") >= 9, "it writes again")
    some.until(lambda: "WritesAgain" in some.events(shop), "and says so")
    assert problem("web") is None


def test_K10_a_floor_is_not_handed_back_for_an_object_that_a_copy_lacks(
    some: Operated, loads: Any, plane: ControlPlane, tmp_path: Any
) -> None:
    """The next operator's first reading lacks the object, by a fault on the way; the API server itself has it."""
    shop = some.namespace("k10")
    loads(shop, 90.0)
    some.admin.create(DEPLOYMENTS.format(shop), deployment("web", 2, None))
    some.admin.create(HPAS.format(shop), hpa("web", 2, 30))
    some.autoscaler(shop, actuation="HpaFloor", acknowledge=[], replicas={"min": 9, "max": 40})

    def floor() -> int:
        return int(some.admin.get(f"{HPAS.format(shop)}/web")["spec"]["minReplicas"])

    some.until(lambda: floor() >= 9, "the floor is ours")
    held = floor()
    some.close()
    with FaultProxy(plane.url, plane.tls()) as proxy:
        here = f"{GROUP}/predictiveautoscalers"
        proxy.set(
            rewrite(lambda _: b'{"metadata":{"resourceVersion":"1"},"items":[]}'),
            lambda _, path: path.startswith(f"{here}?limit"),
        )
        with operated(plane, tmp_path / "second", proxy.url) as second:
            second.until(lambda: second.running.elector.leads, "it leads", 60)
            for _ in range(10):
                second.tick()
            assert floor() == held
            asked = [
                path
                for method, path in proxy.requests
                if path.endswith(f"/namespaces/{shop}/predictiveautoscalers/web")
            ]
            assert asked, "it asks the server itself"
