"""Our own metrics: named as documented, unknown is absent, what is gone disappears, labels stay bounded."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.adapters.telemetry import Telemetry
from autoscaler.domain.anomaly import AnomaliesAt, Detector
from autoscaler.domain.decision import Decisions
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.reasons import Reason
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.workload import Lead, LeadBasis, WorkloadRef
from autoscaler.guards.chain import CHAIN
from autoscaler.pipeline.counted import counted
from autoscaler.pipeline.decide import decide
from autoscaler.pipeline.state import LoopState

NOW_S = 60_000.0
USAGE = Path(__file__).parents[3] / "docs" / "usage.md"


@pytest.fixture
def decided(make_seen) -> Callable[..., Decisions]:
    """One tick of the real chain. observed, peak: per row; NaN = unknown."""

    def made(fleet: Fleet, observed: Any = 50.0, peak: Any = 80.0, known: bool = True, count: int = 5) -> Decisions:
        lanes = np.full(len(fleet), count)
        status = ReplicaStatus(np.full(len(fleet), known), lanes, lanes, lanes, np.full(len(fleet), 1000))
        seen = make_seen(fleet, 1000, observed, peak)
        decisions, state = decide(fleet, seen, status, LoopState.fresh(fleet, 60), CHAIN, now_s=NOW_S)
        served = np.tile(lanes.astype(float), (len(state.realised.ready), 1))  # as at the ticks before
        realised = replace(state.realised, step=seen.step - 1, ready=served)
        twofold = replace(state.twofold, judged=np.full(len(fleet), 10), missed=np.full(len(fleet), 1))
        return counted(decisions, replace(state, realised=realised, twofold=twofold))[0]

    return made


def samples(telemetry: Telemetry, name: str) -> dict[tuple[str, ...], float]:
    """Values by the values of their labels, those in the order of the labels' names."""
    families = text_string_to_metric_families(generate_latest(telemetry.registry).decode())
    return {
        tuple(s.labels[k] for k in sorted(s.labels)): s.value for f in families for s in f.samples if s.name == name
    }


def test_D17_whether_the_detector_judges_is_told_and_without_one_nothing(make_fleet, decided):
    telemetry = Telemetry()
    for anomalies, told in (
        (AnomaliesAt.of(1), {("anomaly",): 1.0}),
        (AnomaliesAt.none(1, Detector.CRASHED), {("anomaly",): 0.0}),
        (None, {}),
    ):
        telemetry.observe(replace(decided(make_fleet()), anomalies=anomalies))
        assert samples(telemetry, "foresail_anomaly_detector_up") == told


def test_every_documented_metric_is_there_and_every_metric_is_documented(make_fleet, decided):
    telemetry = Telemetry()
    telemetry.observe(decided(make_fleet(), observed=np.nan))
    telemetry.observe(decided(make_fleet()))
    families = {f.name for f in text_string_to_metric_families(generate_latest(telemetry.registry).decode())}
    there = {n.removesuffix("_total") for n in families if not n.endswith("_created")}
    rows = [r.split("|")[1] for r in USAGE.read_text().splitlines() if r.startswith("| `foresail_")]
    documented = {n.removesuffix("_total") for r in rows for n in re.findall(r"foresail_[a-z_]+", r)}
    documented |= {f"foresail{short}replicas" for r in rows for short in re.findall(r"`(_[a-z]+_)`", r)}
    assert there == documented


def test_risk_is_told_as_asked_planned_and_real(make_fleet, make_workload, decided):
    telemetry = Telemetry()
    fleet = make_fleet(make_workload("a"))
    telemetry.observe(decided(fleet, observed=90.0, count=5))
    assert samples(telemetry, "foresail_risk_asked_ratio") == {("a", "shop"): fleet.workloads[0].risk}
    realised = samples(telemetry, "foresail_risk_realised_ratio")
    assert realised == {("a", "shop", "plan"): pytest.approx(0.1), ("a", "shop", "system"): 1.0}
    assert samples(telemetry, "foresail_demand_weighted_shortage_ratio") == {("a", "shop"): 1.0}
    assert samples(telemetry, "foresail_unserved_demand_ratio") == {("a", "shop"): pytest.approx(40 / 90)}
    telemetry.observe(decided(make_fleet(make_workload("b"))))
    assert ("a", "shop") not in samples(telemetry, "foresail_risk_asked_ratio")


def test_the_numbers_are_those_of_the_decision(make_fleet, make_workload, decided):
    telemetry = Telemetry()
    fleet = make_fleet(make_workload("a"), make_workload("b", max_replicas=7))
    decisions = decided(fleet, observed=[50.0, 90.0], peak=[80.0, 95.0])
    telemetry.observe(decisions)
    for name, column in (("current", [5, 5]), ("granted", decisions.granted), ("wanted", decisions.wanted)):
        got = samples(telemetry, f"foresail_{name}_replicas")
        assert got == {("a", "shop"): column[0], ("b", "shop"): column[1]}
    assert samples(telemetry, "foresail_observed_need_replicas") == {("a", "shop"): 5, ("b", "shop"): 9}
    assert samples(telemetry, "foresail_forecast_peak")[("d0", "0.95", "b", "shop")] == 95.0
    assert samples(telemetry, "foresail_guard_actions_total")[("b", "shop", "OutsideLimits")] == 1


def test_the_lead_is_told_by_parts_that_add_up_and_goes_with_its_workload(make_fleet, make_workload, decided):
    telemetry = Telemetry()
    lead = Lead(61.0, 30.0, 15.0, provisioning_s=90.0, basis=LeadBasis.MEASURED, batches=9)
    fleet = make_fleet(make_workload("a", lead=lead), make_workload("b"))
    decisions = decided(fleet)
    telemetry.observe(replace(decisions, seen=replace(decisions.seen, data_delay_steps=np.array([2, 0]))))
    told = samples(telemetry, "foresail_lead_seconds")
    parts = {part: value for (name, _, part), value in told.items() if name == "a"}
    assert parts == {
        "data_delay": 120.0, "tick": 60.0, "actuation": 15.0, "provisioning": 90.0, "ready": 61.0, "warmup": 30.0,
    }  # fmt: skip
    assert sum(parts.values()) == lead.total_s + 180.0
    telemetry.observe(decided(make_fleet(make_workload("b"))))
    assert {name for name, *_ in samples(telemetry, "foresail_lead_seconds")} == {"b"}


def test_unknown_demand_is_absent_and_comes_back(make_fleet, decided):
    telemetry, fleet = Telemetry(), make_fleet()
    need, peak = "foresail_observed_need_replicas", "foresail_forecast_peak"
    telemetry.observe(decided(fleet))
    assert len(samples(telemetry, need)) == 1
    assert len(samples(telemetry, peak)) == 3
    telemetry.observe(decided(fleet, observed=np.nan, peak=np.nan))
    assert samples(telemetry, need) == {}
    assert samples(telemetry, peak) == {}
    assert samples(telemetry, "foresail_data_ok") == {("w0", "shop"): 0}
    assert samples(telemetry, "foresail_held") == {("w0", "shop"): 1}
    telemetry.observe(decided(fleet))
    assert len(samples(telemetry, need)) == 1
    assert samples(telemetry, "foresail_data_ok") == {("w0", "shop"): 1}


def test_replicas_of_a_target_that_cannot_be_read_are_absent(make_fleet, decided):
    telemetry, fleet = Telemetry(), make_fleet()
    telemetry.observe(decided(fleet))
    telemetry.observe(decided(fleet, known=False))
    for name in ("current", "wanted", "granted", "ready"):
        assert samples(telemetry, f"foresail_{name}_replicas") == {}
    assert samples(telemetry, "foresail_guard_actions_total")[("w0", "shop", "TargetUnknown")] == 1
    telemetry.observe(decided(fleet))
    assert samples(telemetry, "foresail_current_replicas") == {("w0", "shop"): 5}


def test_a_removed_workload_disappears_everywhere_and_no_other(make_fleet, make_workload, decided):
    telemetry = Telemetry()
    web, api = make_workload("web", max_replicas=6), make_workload("api")
    twin = make_workload("web", ref=WorkloadRef("ops", "web"))
    telemetry.observe(decided(make_fleet(twin, api, web)))
    telemetry.observe(decided(make_fleet(twin, api)))
    text = generate_latest(telemetry.registry).decode()
    assert 'name="web",namespace="shop"' not in text
    assert 'name="web",namespace="ops"' in text
    assert 'name="api",namespace="shop"' in text


def test_a_demand_that_a_workload_no_longer_has_disappears(make_fleet, make_workload, decided):
    telemetry = Telemetry()
    web = make_workload("web", (10.0, 20.0))
    telemetry.observe(decided(make_fleet(web)))
    assert {labels[0] for labels in samples(telemetry, "foresail_forecast_peak")} == {"d0", "d1"}
    telemetry.observe(decided(make_fleet(replace(web, demands=web.demands[:1]))))
    assert {labels[0] for labels in samples(telemetry, "foresail_forecast_peak")} == {"d0"}


def test_labels_are_bounded_by_the_fleet_and_not_by_time(make_fleet, decided):
    """Queries, pods and messages never become labels; a fleet that changes all day leaves nothing behind."""
    telemetry = Telemetry()
    telemetry.observe(decided(make_fleet(lanes=3)))
    size = len(generate_latest(telemetry.registry).splitlines())
    for day in range(20):
        today = (
            replace(w, ref=WorkloadRef("shop", f"d{day}-{i}")) for i, w in enumerate(make_fleet(lanes=3).workloads)
        )
        fleet = Fleet(tuple(today))
        telemetry.observe(decided(fleet, observed=[np.nan, 50.0, 5.0][day % 3]))
    telemetry.observe(decided(make_fleet(lanes=3), observed=np.nan))
    telemetry.observe(decided(make_fleet(lanes=3)))
    assert len(generate_latest(telemetry.registry).splitlines()) <= size + 3 * 2 * len(Reason)
    names = {
        k for f in text_string_to_metric_families(generate_latest(telemetry.registry).decode()) for s in f.samples
        for k in s.labels
    }  # fmt: skip
    assert names == {"namespace", "name", "reason", "demand", "level", "result", "le", "part", "of"}


def test_hostile_names_are_values_of_labels_and_add_no_series(make_fleet, decided):
    """Such as no API server would store: what is shown is still one series per workload, and parses."""
    hostile = ('x"} 1\nfoo{a="', "a\\", "</script><script>", "n" * 5000, "日本語\u202e", "{{ .Values.x }}")
    fleet = Fleet(tuple(
        replace(w, ref=WorkloadRef(name, name))
        for w, name in zip(make_fleet(lanes=len(hostile)).workloads, hostile, strict=True)
    ))  # fmt: skip
    plain, telemetry = Telemetry(), Telemetry()
    plain.observe(decided(make_fleet(lanes=len(hostile))))
    telemetry.observe(decided(fleet))
    assert {name for name, _ in samples(telemetry, "foresail_current_replicas")} == set(hostile)
    counts = [
        sum(len(f.samples) for f in text_string_to_metric_families(generate_latest(t.registry).decode()))
        for t in (plain, telemetry)
    ]
    assert counts[0] == counts[1]


def test_two_services_in_one_process_do_not_share_numbers(make_fleet, decided):
    one, other = Telemetry(), Telemetry()
    one.observe(decided(make_fleet()))
    assert samples(other, "foresail_current_replicas") == {}


def test_two_thousand_workloads_are_rendered_in_time(make_fleet, decided):
    telemetry, decisions = Telemetry(), decided(make_fleet(lanes=2000))
    telemetry.observe(decisions)
    start = time.perf_counter()
    telemetry.observe(decisions)
    assert time.perf_counter() - start < 15, "a tick"


def test_a_condition_lasts_while_it_is_told_and_writes_are_counted_by_outcome(decided, make_fleet):
    telemetry, rival, written = Telemetry(), Note(Condition.RIVAL, "two HPAs"), Note(Condition.WRITTEN, "2 → 9")
    decisions = decided(make_fleet(lanes=2))
    first, second = (w.ref for w in decisions.fleet.workloads)

    def value(name: str, ref: WorkloadRef, **labels: str) -> float | None:
        return telemetry.registry.get_sample_value(name, {"namespace": ref.namespace, "name": ref.name, **labels})

    for _ in range(2):
        telemetry.observe(replace(decisions, notes={0: (rival,), 1: (written,)}))
    assert value("foresail_condition", first, condition="RivalAutoscaler") == 1
    assert value("foresail_writes_total", second, outcome="Written") == 2
    assert value("foresail_condition", second, condition="Written") is None
    telemetry.observe(replace(decisions, notes={}))
    assert value("foresail_condition", first, condition="RivalAutoscaler") is None
    assert value("foresail_writes_total", second, outcome="Written") == 2
    telemetry.observe(decided(make_fleet(lanes=1)))
    assert value("foresail_writes_total", second, outcome="Written") is None
