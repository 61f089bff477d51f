"""`foresail import`: what comes out is valid and says the same; what has no equivalent is a note, never a guess."""

import json
import re

import pytest

from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.bootstrap.policies_import_live import live_object
from autoscaler.domain.errors import Refused
from autoscaler.spec import parse_text

HPA = """apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop, uid: 123, resourceVersion: "9"}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 2
  maxReplicas: 30
  metrics: METRICS
  behavior: BEHAVIOR
status: {currentReplicas: 3}
"""
CPU = "[{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}]"
PODS = (
    "[{type: Pods, pods: {metric: {name: http_requests_per_second}, target: {type: AverageValue, averageValue: '45'}}}]"
)
KEDA = """apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: worker, namespace: media}
spec:
  scaleTargetRef: {name: worker}
  REST
  triggers: TRIGGERS
"""
PROMETHEUS = (
    "{type: prometheus, metadata: {serverAddress: 'http://p:9090', query: 'sum(rate(jobs_total[2m]))', threshold: '4'}}"
)


def hpa(metrics: str = PODS, behavior: str = "{}") -> str:
    return HPA.replace("METRICS", metrics).replace("BEHAVIOR", behavior)


def keda(*triggers: str, rest: str = "maxReplicaCount: 20") -> str:
    return KEDA.replace("TRIGGERS", f"[{', '.join(triggers)}]").replace("REST", rest)


@pytest.fixture
def taken(foresail, tmp_path):
    def take(kind: str, text: str, *args: str):
        (tmp_path / "it.yaml").write_text(text)
        return foresail("import", kind, "it.yaml", *args)

    return take


def read(out: str):
    return parse_text(out, "out.yaml", known_sources=["prod", "eu"])


def test_an_hpa_with_a_pods_metric_becomes_an_advising_autoscaler_with_a_note_on_the_query(taken):
    said = taken("hpa", hpa(behavior="{scaleDown: {stabilizationWindowSeconds: 120, "
                            "policies: [{type: Pods, value: 2, periodSeconds: 60}], tolerance: 0.05}}"))  # fmt: skip
    assert said.code == 0
    (load,) = read(said.out).compile()
    assert (str(load.ref), load.min_replicas, load.max_replicas, load.mode) == ("shop/web", 2, 30, "Advise")
    (demand,) = load.demands
    assert demand.query == 'sum(http_requests_per_second{namespace="shop",pod=~"web-[a-z0-9]+-[a-z0-9]{5}"})'
    assert demand.capacity_per_replica == 45
    assert load.scale_down.stabilization_s == 120
    assert [p.value for p in load.scale_down.policies] == [2]
    assert "check the query against your source" in said.err
    assert "scaleDown.tolerance counts replicas here" in said.err
    assert load.scale_down.tolerance == 0.05


def test_without_a_scale_down_the_difference_in_defaults_is_said(taken):
    assert "an HPA may then drop everything in 15 s" in taken("hpa", hpa()).err


def test_a_cpu_target_in_percent_needs_the_request_and_becomes_total_usage(taken):
    refused = taken("hpa", hpa(CPU))
    assert refused.code == 2
    assert "--cpu-request 500m" in refused.err
    said = taken("hpa", hpa(CPU), "--cpu-request", "500m", "--source", "eu")
    (load,) = read(said.out).compile()
    assert load.demands[0].capacity_per_replica == pytest.approx(0.35)
    assert load.demands[0].source == "eu"
    (pods,) = re.findall('pod=~"(.*?)"', load.demands[0].query)
    assert re.fullmatch(pods, "web-7d9f8c6b5f-x2x9z")
    assert not re.fullmatch(pods, "web-api-7d9f8c6b5f-x2x9z")
    assert taken("hpa", hpa(CPU), "--cpu-request", "much").code == 2


NO_DEMAND = [
    ("memory", "[{type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 1Gi}}}]",
     "memory does not fall with more replicas"),
    ("queue", PODS.replace("http_requests_per_second", "rabbitmq_queue_depth"), "a queue's length is no demand"),
    ("value", "[{type: Object, object: {metric: {name: rps}, describedObject: {}, target: {type: Value, value: '9'}}}]",
     "a target of type Value is no capacity"),
    ("none", "[]", "it has no metrics"),
]  # fmt: skip


@pytest.mark.parametrize(("metrics", "words"), [n[1:] for n in NO_DEMAND], ids=[n[0] for n in NO_DEMAND])
def test_F10_what_is_no_demand_is_refused_with_the_reason(taken, metrics, words):
    said = taken("hpa", hpa(metrics))
    assert (said.code, said.out) == (2, "")
    assert words in said.err


def test_a_metric_that_is_left_out_beside_one_that_is_taken_is_a_note(taken):
    said = taken("hpa", hpa(f"{PODS[:-1]}, {CPU[1:]}"))
    assert said.code == 0
    assert len(read(said.out).compile()[0].demands) == 1
    assert "the HPA itself keeps all of its metrics" in said.err


def test_a_scaled_object_with_cron_and_fallback_becomes_an_autoscaler_and_a_policy(taken):
    hours = "start: 30 7 * * 1-5, end: 0 19 * * 1-5, desiredReplicas: '6'"
    cron = f"{{type: cron, metadata: {{timezone: Europe/Berlin, {hours}}}}}"
    fallback = "fallback: {failureThreshold: 4, replicas: 8}"
    rest = f"minReplicaCount: 0\n  pollingInterval: 15\n  cooldownPeriod: 300\n  {fallback}"
    said = taken("scaledobject", keda(PROMETHEUS, cron, rest=rest))
    assert said.code == 0
    fleet = read(said.out)
    (load,) = fleet.compile()
    assert (load.actuation, load.min_replicas, load.max_replicas) == ("KedaFloor", 1, 100)
    assert load.demands[0].query == "sum(rate(jobs_total[2m]))"
    assert load.demands[0].capacity_per_replica == 4
    assert load.guarded is not None
    (window,) = load.guarded.windows
    assert (window.least, window.window.start_min, window.window.end_min, window.window.days) == (
        6, 450, 1140, (0, 1, 2, 3, 4))  # fmt: skip
    assert load.guarded.fallback is not None
    assert (load.guarded.fallback.after_s, load.guarded.fallback.least) == (60, 8)
    for words in ("no longer scales to zero", "cooldownPeriod stays KEDA's", "http://p:9090 must be the MetricsSource"):
        assert words in said.err


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        ("{type: kafka, metadata: {topic: orders, lagThreshold: '50'}}", "a queue's length is no demand"),
        ("{type: rabbitmq, metadata: {mode: QueueLength, queueName: q, value: '20'}}", "use the rate of arrivals"),
        ("{type: prometheus, metadata: {query: sum(orders_queue_depth), threshold: '5'}}", "a queue's length"),
        ("{type: aws-cloudwatch, metadata: {}}", "only a Prometheus query can be taken over"),
    ],
)
def test_F10_queue_lengths_of_keda_are_refused_with_the_reason(taken, trigger, words):
    said = taken("scaledobject", keda(trigger))
    assert said.code == 2
    assert words in said.err
    beside = taken("scaledobject", keda(PROMETHEUS, trigger))
    assert beside.code == 0
    assert words in beside.err


CRONS = [
    ("0 8 1 * *", "0 19 * * *", "UTC", "is not one time of some days of the week; write its window by hand"),
    ("*/5 8 * * *", "0 19 * * *", "UTC", "is not one time of some days of the week"),
    ("0 8,12 * * *", "0 19 * * *", "UTC", "is not one time of some days of the week"),
    ("0 8 * 1 *", "0 19 * * *", "UTC", "is not one time of some days of the week"),
    ("@daily", "0 19 * * *", "UTC", "has no @-names here, a cron expression has five; minute hour day month weekday"),
    ("0 8 * * 5-1", "0 19 * * *", "UTC", "day of the week '5-1' runs backward"),
    ("0 25 * * *", "0 19 * * *", "UTC", "start '0 25 * * *': hour 25 is above 23; write 0 to 23"),
    ("0 8 * * *", "61 19 * * *", "UTC", "end '61 19 * * *': minute 61 is above 59"),
    ("0 8 * * 7", "0 19 * * *", "UTC", "day of the week 7 is above 6"),
    ("0 8 * * 1-5", "0 19 * * 1-6", "UTC", "its ends are on other days than its starts, so KEDA stays on in between"),
    ("0 22 * * 1-5", "0 6 * * 1-5", "UTC", "its ends are on other days than its starts"),
    ("0 8 * * *", "0 8 * * *", "UTC", "start and end are the same moment"),
    ("0 8 * * *", "0 19 * * *", "Europe/Berln", 'is not an IANA time zone; did you mean "Europe/Berlin"?'),
]


@pytest.mark.parametrize(("start", "end", "zone", "words"), CRONS)
def test_P03_a_cron_that_is_wrong_or_no_hours_of_the_week_is_a_note(taken, start, end, zone, words):
    hours = f"timezone: {zone}, start: '{start}', end: '{end}', desiredReplicas: '6'"
    said = taken("scaledobject", keda(PROMETHEUS, f"{{type: cron, metadata: {{{hours}}}}}"))
    assert said.code == 0
    (note,) = [line for line in said.err.splitlines() if "triggers[1] (cron)" in line]
    assert words in note
    assert read(said.out).policies == ()


def test_a_cron_over_midnight_is_a_window_of_its_starting_days(taken):
    hours = "timezone: UTC, start: 30 22 * * MON-FRI, end: 0 6 * * 2-6, desiredReplicas: '6'"
    said = taken("scaledobject", keda(PROMETHEUS, f"{{type: cron, metadata: {{{hours}}}}}"))
    (policy,) = read(said.out).policies
    (rule,) = policy.model.spec.limits.schedule
    weekly = rule.when.weekly
    assert (weekly.days, weekly.from_, weekly.to) == (("Mon", "Tue", "Wed", "Thu", "Fri"), "22:30", "06:00")


WRONG = [
    ("hpa", keda(PROMETHEUS), "this is a 'ScaledObject', not a HorizontalPodAutoscaler"),
    ("hpa", hpa().replace("autoscaling/v2", "autoscaling/v1"), "kubectl get hpa.v2.autoscaling"),
    ("hpa", "kind: List\nitems: []\n", "name one object"),
    ("hpa", "a: [", "is not YAML"),
    ("hpa", "- 1", "holds no object"),
    ("hpa", hpa().replace("maxReplicas: 30", "maxReplicas: many"), "is not as an API server writes it"),
    ("hpa", hpa().replace("name: web, namespace", "nome: web, namespace"), "has no metadata.name"),
    ("hpa", hpa("[1]"), "is not as an API server writes it"),
]


@pytest.mark.parametrize(("kind", "text", "words"), WRONG, ids=[w[2] for w in WRONG])
def test_another_input_is_one_clear_message(taken, kind, text, words):
    said = taken(kind, text)
    assert (said.code, said.out) == (2, "")
    assert words in said.err
    assert "Traceback" not in said.err


def test_standard_input_and_json_do_too(foresail, monkeypatch, taken):
    import io

    from ruamel.yaml import YAML

    text = json.dumps(YAML(typ="safe", pure=True).load(hpa()))
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    said = foresail("import", "hpa", "-")
    assert said.code == 0
    assert read(said.out).compile()[0].max_replicas == 30


class Asked:
    """An API server that has one HPA."""

    def __init__(self, status: int | None = None) -> None:
        self.status = status
        self.paths: list[str] = []

    def get(self, path: str, **_: str) -> object:
        self.paths.append(path)
        if self.status is not None:
            raise ApiFault(self.status, "said")
        return {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"maxReplicas": 30}}


def test_a_live_object_is_read_by_its_path_and_has_its_kind():
    asked = Asked()
    found = live_object(asked, "hpa", "shop/web")
    assert asked.paths == ["/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers/web"]
    assert (found["apiVersion"], found["kind"]) == ("autoscaling/v2", "HorizontalPodAutoscaler")


@pytest.mark.parametrize(
    ("status", "name", "words"),
    [
        (404, "shop/web", "has no HorizontalPodAutoscaler shop/web"),
        (403, "shop/web", "grant get on horizontalpodautoscalers"),
        (401, "shop/web", "may not be read"),
        (None, "web", "write NAMESPACE/NAME"),
    ],
)
def test_a_live_object_that_cannot_be_had_says_why(status, name, words):
    with pytest.raises(Refused, match=words):
        live_object(Asked(status), "hpa", name)


def test_a_server_that_does_not_answer_stays_a_fault_of_the_backend():
    with pytest.raises(ApiFault):
        live_object(Asked(500), "scaledobject", "shop/web")


def test_a_kubeconfig_that_is_not_there_is_a_slip(foresail):
    said = foresail("import", "hpa", "shop/web", "--kubeconfig", "nope")
    assert said.code == 2
    assert "there is no such file" in said.err
