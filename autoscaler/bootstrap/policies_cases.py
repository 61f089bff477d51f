"""`policy test`: each case through the live guards, offline, in milliseconds.

A case is one workload at one moment, with what is observed and forecast given instead of asked for. Everything after
that is what a service does: the same plan, the same guards, in the same order.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from autoscaler.bootstrap.policies_recorded import recorded_failures
from autoscaler.domain.anomaly import AnomaliesAt
from autoscaler.domain.decision import Decision
from autoscaler.domain.errors import InvalidSpec, Problem, Refused
from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.forecast import LEVELS, ForesightAt
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.series import DataVerdict
from autoscaler.domain.workload import Workload
from autoscaler.guards.chain import CHAIN
from autoscaler.pipeline.decide import decide
from autoscaler.pipeline.state import LoopState
from autoscaler.spec.complaints import complaints, problem_at
from autoscaler.spec.nodes import Document, plain
from autoscaler.spec.policy_cases import CaseSpec, DemandGivenSpec, GivenSpec, GuardPolicyTest
from autoscaler.spec.reader import TEST_ENDINGS, documents_of, load
from autoscaler.spec.scalars import duration_s, instant_of
from autoscaler.spec.words import did_you_mean

STEP_S = 60


@dataclass(frozen=True, slots=True)
class CaseResult:
    """failures: what came out otherwise, a sentence each; empty = it holds."""

    suite: str
    name: str
    place: str
    seconds: float
    failures: tuple[str, ...]


def run_cases(paths: Sequence[Path]) -> Iterator[CaseResult]:
    """All cases of the test files among the paths; raises InvalidSpec for a file that is none, Refused for none."""
    files = list(_test_files(paths))
    if not files:
        raise Refused(f"no {' or '.join('*' + e for e in TEST_ENDINGS)} in {', '.join(map(str, paths))}")
    for file in files:
        for document in documents_of(file):
            yield from _suite(document)


def _test_files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.name.lower().endswith(TEST_ENDINGS))
        else:
            yield path


def _suite(document: Document) -> Iterator[CaseResult]:
    if document.problems or document.root is None:
        raise InvalidSpec(document.problems)
    try:
        test = GuardPolicyTest.model_validate(plain(document.root))
    except ValidationError as error:
        raise InvalidSpec(tuple(complaints(document, GuardPolicyTest, error))) from None
    home = Path(document.file).parent
    loads = {str(w.ref): w for w in load([home / f for f in test.spec.files]).compile(test.spec.site)}
    for index, case in enumerate(test.spec.cases):
        began = time.perf_counter()
        at = ("spec", "cases", index)
        load_ = _named(document, at, case.workload, loads)
        problems = tuple(_misnamed(document, index, case, load_))
        if problems:
            raise InvalidSpec(problems)
        failures = tuple(_failures(case, decided(load_, case)))
        yield _result(document, at, test.metadata.name, case.name, began=began, failures=failures)
    for index, recording in enumerate(test.spec.recordings):
        began = time.perf_counter()
        at = ("spec", "recordings", index)
        load_ = _named(document, at, recording.workload, loads)
        try:
            failures = tuple(recorded_failures(load_, recording, home))
        except Refused as wrong:
            raise InvalidSpec((problem_at(document, at, str(wrong)),)) from wrong
        yield _result(document, at, test.metadata.name, recording.name, began=began, failures=failures)


def _named(document: Document, at: tuple[str | int, ...], name: str, loads: Mapping[str, Workload]) -> Workload:
    fitting = [w for known, w in loads.items() if name in {known, known.rpartition("/")[2]}]
    if len(fitting) != 1:
        message = "names several workloads" if fitting else "names no workload of these files"
        remedy = did_you_mean(name, loads, "workloads")
        raise InvalidSpec((problem_at(document, (*at, "workload"), message, value=name, remedy=remedy),))
    return fitting[0]


def _result(
    document: Document, at: tuple[str | int, ...], suite: str, name: str,
    *, began: float, failures: tuple[str, ...],
) -> CaseResult:  # fmt: skip
    _, place = document.find(at)
    return CaseResult(suite, name, f"{document.file}:{place.line}", time.perf_counter() - began, failures)


def _misnamed(document: Document, index: int, case: CaseSpec, load: Workload) -> Iterator[Problem]:
    """Demands that the workload does not have, a bare value where it is not clear of which demand it is, and an anomaly
    that no detector would tell.
    """
    at = ("spec", "cases", index, "given")
    names = [d.name for d in load.demands]
    for name in case.given.demands:
        if name not in names:
            remedy = did_you_mean(name, names, "demands")
            yield problem_at(document, (*at, "demands", name), "no such demand", value=name, remedy=remedy)
    if case.given.anomaly is not None and not load.watching.on:
        message = f"an anomaly binds nothing of {load.ref}, which has `anomalies: {{enabled: false}}`"
        yield problem_at(document, (*at, "anomaly"), message, remedy="remove one of them")
    bare = case.given.model_fields_set & DemandGivenSpec.model_fields.keys()
    if bare and (len(names) > 1 or case.given.demands):
        yield problem_at(document, at, "of which demand is this?", remedy=f"write demands: {{{names[0]}: ...}}")


def decided(load: Workload, case: CaseSpec) -> Decision:
    """The decision of the case's moment, after as many minutes of the same as it asks for."""
    fleet = Fleet((load,))
    end_s = instant_of(case.at).timestamp()
    fresh = LoopState.fresh(fleet, STEP_S)
    state = fresh.learned(replace(fresh.margin, log_margin=np.zeros(1)))  # what is given is taken as it is
    given = case.given
    is_floor = load.actuation.is_floor
    written = given.replicas if not is_floor else load.min_replicas if given.floor is None else given.floor
    running = given.replicas
    for back in range(int(duration_s(case.for_) // STEP_S), -1, -1):
        now_s = end_s - back * STEP_S
        status = _status(written, running, given, is_floor=is_floor, end_s=end_s)
        seen, abnormal = _seen(fleet, given, now_s), _abnormal(case, now_s, end_s)
        decisions, state = decide(fleet, seen, status, state, CHAIN, now_s=now_s, anomalies=abnormal)
        written = int(decisions.granted[0])
        running = max(given.replicas, written) if is_floor else written
    return decisions[0]


def _status(written: int, running: int, given: GivenSpec, *, is_floor: bool, end_s: float) -> ReplicaStatus:
    counts = np.array([running], dtype=np.int64)
    ceiling = NO_LIMIT if given.hpa_max is None or not is_floor else given.hpa_max
    return ReplicaStatus(
        known=np.ones(1, dtype=np.bool_),
        desired=counts,
        ready=counts,
        floor=np.array([written], dtype=np.int64),
        ceiling=np.array([ceiling], dtype=np.int64),
        overridden_s=np.array([-np.inf if given.by_hand is None else end_s - duration_s(given.by_hand)]),
    )


def _abnormal(case: CaseSpec, now_s: float, end_s: float) -> AnomaliesAt | None:
    """What a detector says at now_s; None without one."""
    told = case.given.anomaly
    if told is None:
        return None
    since_s = end_s - duration_s(case.for_ if told.for_ is None else told.for_)
    found = ((0, told.cause, told.severity, since_s),) if now_s >= since_s else ()
    return AnomaliesAt.of(1, *found)


def _seen(fleet: Fleet, given: GivenSpec, now_s: float) -> ForesightAt:
    demands: Mapping[str, DemandGivenSpec] = given.demands or {fleet.demands[0].name: given}
    each = [demands.get(d.name, DemandGivenSpec()) for d in fleet.demands]
    observed = np.array([np.nan if d.observed is None else d.observed for d in each], dtype=np.float64)
    ages = [np.inf if d.observed is None else 0.0 for d in each]
    ages = [a if d.data_age is None else duration_s(d.data_age) for a, d in zip(ages, each, strict=True)]
    quantiles = np.array([_quantiles(d) for d in each], dtype=np.float64)
    present = np.isfinite(quantiles[:, -1])
    verdicts = [DataVerdict.OK if d.observed is not None else DataVerdict.MISSING for d in each]
    return ForesightAt(
        step=int(now_s // STEP_S),
        step_s=STEP_S,
        data_delay_steps=np.zeros(1, dtype=np.int64),
        age_s=np.array(ages, dtype=np.float64),
        observed=observed,
        settled=np.full(len(each), np.nan),  # nothing is learned from what is only supposed
        verdict=np.array(verdicts, dtype=np.uint8),
        lead_steps=fleet.lead_steps(STEP_S),
        quantiles=quantiles,
        present=present,
        model=np.where(present, 0, -1),
        models=("given",),
        untaught=np.ones(len(each), dtype=np.bool_),  # the forecast that is given is one of good data
    )


def _quantiles(given: DemandGivenSpec) -> tuple[float, ...]:
    if given.quantiles is not None:
        return (given.quantiles.p50, given.quantiles.p90, given.quantiles.p95)
    return (np.nan if given.peak is None else given.peak,) * len(LEVELS)


def _failures(case: CaseSpec, decision: Decision) -> Iterator[str]:
    want, got = case.expect, decision.granted
    why = "; ".join(decision.words)
    if want.replicas is not None and got != want.replicas:
        yield f"{got} replicas, not {want.replicas}: {why}"
    if want.at_least is not None and got < want.at_least:
        yield f"{got} replicas, fewer than {want.at_least}: {why}"
    if want.at_most is not None and got > want.at_most:
        yield f"{got} replicas, more than {want.at_most}: {why}"
    holds = any(e.holds for e in decision.effects)
    if want.holds is not None and holds != want.holds:
        yield f"{'holds' if holds else 'does not hold'}: {why}"
    for reason in want.reasons:
        if reason not in decision.reasons:
            yield f"{reason} is not among the reasons {', '.join(decision.reasons)}"
    for reason in want.not_reasons:
        if reason in decision.reasons:
            yield f"{reason} is among the reasons: {why}"
    rules = dict(decision.rules)
    for field, policy in want.rules.items():
        said = rules.get(field, "no policy")
        if not said.startswith(f"GuardPolicy {policy}@"):
            hint = "" if field in rules else f"; {did_you_mean(field, rules, 'fields that rules set')}"
            yield f"{field} is set by {said}, not by GuardPolicy {policy}{hint}"
