"""What policies cost: matching and merging at a reload, the guard chain at a tick, reading many files.

    python -m tests.bench.bench_policies

Aims: 10,000 workloads under 50 policies at most 1 s a tick for rules and guards on one core, 200 policy files read in
at most 2 s.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from autoscaler.domain.anomaly import CAUSES, AnomaliesAt, Detector
from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.forecast import ForesightAt
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.guards.chain import CHAIN
from autoscaler.pipeline.decide import decide
from autoscaler.pipeline.state import LoopState
from autoscaler.spec import load_valid
from autoscaler.spec.fleet import LoadedFleet
from autoscaler.spec.policy_match import Matcher
from autoscaler.spec.policy_merge import merged
from autoscaler.spec.reader import parse_text_valid

WORKLOADS, POLICIES, FILES, TICKS = 10_000, 50, 200, 20
NOW_S = 1_772_000_000.0

AUTOSCALER = """apiVersion: foresail.dev/v1alpha1
kind: PredictiveAutoscaler
metadata: {{name: w{k}, namespace: ns{n}, labels: {{tier: t{t}, team: a{a}}}}}
spec:
  target: {{apiVersion: apps/v1, kind: Deployment, name: w{k}}}
  demands: [{{name: d, source: rec, query: q{k}, capacity: {{perReplica: "10"}}}}]
  replicas: {{max: 60}}
"""
POLICY = """apiVersion: foresail.dev/v1alpha1
kind: GuardPolicy
metadata: {{name: p{k}}}
spec:
  selector: {{{selector}}}
  defaults: {{headroom: "{head}%", surviveLossOf: {{replicas: 1}}, fallback: {{after: 10m, min: 4}}}}
  limits:
    replicas: {{min: 2, max: {most}}}
    behavior:
      scaleDown: {{stabilizationWindowSeconds: 600, policies: [{{type: Pods, value: 9, periodSeconds: 60}}]}}
    schedule:
      - name: day
        min: 4
        when: {{weekly: {{days: [Mon, Tue, Wed, Thu, Fri], from: "08:00", to: "20:00", timeZone: Europe/Berlin}}}}
    freezes:
      - name: freeze
        reason: change freeze
        when: {{once: {{from: "2026-12-20T00:00:00Z", until: "2027-01-04T00:00:00Z"}}}}
"""


CONDITIONS = """apiVersion: foresail.dev/v1alpha1
kind: GuardPolicy
metadata: {name: asked}
spec:
  selector: {matchExpressions: [{key: tier, operator: Exists}]}
  limits:
    conditions:
      - name: unforeseen
        expression: 'observed["d"] > 1.5 * p95["d"] && replicas >= 3'
        then: Hold
        message: more than was foreseen
      - name: night
        expression: 'now.getHours("Europe/Berlin") < 6 && labels["tier"] == "t3"'
        then: Floor
        replicas: 6
        message: nobody is there to help
"""
ABNORMAL = """apiVersion: foresail.dev/v1alpha1
kind: GuardPolicy
metadata: {name: abnormal}
spec:
  selector: {matchExpressions: [{key: tier, operator: Exists}]}
  defaults:
    fallback: {after: 10m, min: 4, decay: {percent: 10, every: 5m}}
    anomaly: {dataFault: {growth: ObservedNeed}}
  limits:
    anomaly: {suspectedAttack: {cap: {over: "50%", replicas: 40}}}
    events:
      - name: rush
        uplift: 1.5
        when: {once: {from: "2026-02-01T00:00:00Z", until: "2026-04-01T00:00:00Z"}}
"""
SHARED = """apiVersion: foresail.dev/v1alpha1
kind: GuardPolicy
metadata: {name: shared}
spec:
  selector: {matchExpressions: [{key: tier, operator: Exists}]}
  limits:
    brake: {shrink: "10%", grow: "10%"}
    budget: {replicas: 120000}
    forecastTrust: {maxMargin: 4, maxQuantileRatio: 5, maxOverObserved: 4}
"""


def autoscaler(k: int) -> str:
    """One of 100 namespaces, 10 tiers and 7 teams."""
    return AUTOSCALER.format(k=k, n=k % 100, t=k % 10, a=k % 7)


def policy(k: int) -> str:
    """By namespace, by label, and a few for everybody."""
    kinds = (
        f"namespaces: [ns{k}, ns{k + 50}]",
        f"matchLabels: {{tier: t{k % 10}}}",
        f"matchLabels: {{team: a{k % 7}}}",
    )
    return POLICY.format(k=k, selector=kinds[k % 3], head=5 + k % 20, most=40 + k % 20)


def loaded() -> LoadedFleet:
    """In pieces, as one file may hold a mebibyte."""
    texts = ["---\n".join(autoscaler(k) for k in range(at, at + 500)) for at in range(0, WORKLOADS, 500)]
    parts = [parse_text_valid(text, "fleet.yaml", ["rec"]).fleet for text in texts]
    policies = parse_text_valid("---\n".join(policy(k) for k in range(POLICIES)), "policies.yaml")
    assert not policies.problems, policies.problems[0]
    return LoadedFleet(
        tuple(a for part in parts for a in part.autoscalers),
        policies=policies.fleet.policies,
        places=tuple(p for part in parts for p in part.places),
    )


def under(fleet: LoadedFleet, *more: str) -> Fleet:
    """The same workloads under further policies too."""
    found = parse_text_valid("---\n".join(more), "more.yaml")
    assert not found.problems, found.problems[0]
    return Fleet(replace(fleet, policies=(*fleet.policies, *found.fleet.policies)).compile())


def ticks(fleet: Fleet, abnormal: float = 0.0) -> float:
    """Seconds of one tick's decide, rules and guards included. abnormal: share of workloads with an anomaly."""
    lanes = len(fleet)
    rng = np.random.default_rng(7)
    replicas = rng.integers(2, 30, lanes)
    status = ReplicaStatus(np.ones(lanes, dtype=np.bool_), replicas, replicas, replicas, np.full(lanes, NO_LIMIT))
    demand = rng.uniform(10, 300, lanes)
    state, took = LoopState.fresh(fleet, 60), []
    for k in range(TICKS):
        now_s = NOW_S + 60 * k
        seen = ForesightAt(
            int(now_s // 60), 60, np.zeros(lanes, dtype=np.int64), np.zeros(lanes), demand, demand,
            np.zeros(lanes, dtype=np.uint8), fleet.lead_steps(60), np.stack([demand] * 3, axis=1),
            np.ones(lanes, dtype=np.bool_), np.zeros(lanes, dtype=np.int64), ("given",),
        )  # fmt: skip
        verdicts = None
        if abnormal:
            severity = np.where(rng.random((len(CAUSES), lanes)) < abnormal / len(CAUSES), 0.9, 0.0)
            verdicts = AnomaliesAt(Detector.ON, severity, np.where(severity > 0, NOW_S, np.nan))
        began = time.perf_counter()
        _, state = decide(fleet, seen, status, state, CHAIN, now_s=now_s, anomalies=verdicts)
        took.append(time.perf_counter() - began)
    return float(np.median(took))


def main() -> None:
    """Measure and print."""
    fleet = loaded()
    began = time.perf_counter()
    matcher = Matcher(fleet.policies)
    loads = tuple(merged(a, matcher.of(a), p) for a, p in zip(fleet.autoscalers, fleet.places, strict=True))
    took = time.perf_counter() - began
    matches = sum(len(matcher.of(a)) for a in fleet.autoscalers)
    print(f"matching and merging {len(loads):,} workloads, {matches:,} matches of {POLICIES} policies: {took:.2f} s")
    began = time.perf_counter()
    guarded = Fleet(loads)
    print(f"compiling to arrays: {time.perf_counter() - began:.2f} s")
    plain = Fleet(LoadedFleet(fleet.autoscalers).compile())
    print(f"a tick's decide with policies {ticks(guarded) * 1000:.1f} ms, without {ticks(plain) * 1000:.1f} ms")
    print(f"with brakes both ways, a budget and trust too {ticks(under(fleet, SHARED)) * 1000:.1f} ms")
    extra = under(fleet, SHARED, ABNORMAL)
    told = [f"{share:.0%}: {ticks(extra, share) * 1000:.1f} ms" for share in (0.0, 0.01, 1.0)]
    print(f"with an uplift, decaying fallbacks and anomaly caps beside, by the share of abnormal workloads {told}")
    print(f"with two CEL conditions a workload beside {ticks(under(fleet, CONDITIONS, SHARED)) * 1000:.0f} ms")
    with tempfile.TemporaryDirectory() as folder:
        for k in range(FILES):
            Path(folder, f"p{k}.yaml").write_text(policy(k))
        began = time.perf_counter()
        found = load_valid([Path(folder)])
        print(f"reading {len(found.fleet.policies)} policy files: {time.perf_counter() - began:.2f} s")


if __name__ == "__main__":
    main()
