"""The whole of `foresail advise`: discover, read, judge, simulate. Nothing is written anywhere."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from autoscaler.adapters.prometheus.client import PrometheusClient
from autoscaler.adapters.prometheus.discovery import Discoverer, Discovery, FoundHpa, Key
from autoscaler.adapters.prometheus.discovery_queries import Scope
from autoscaler.adapters.prometheus.faults import QueryFault
from autoscaler.adapters.prometheus.reader import PrometheusReader
from autoscaler.bootstrap.advise.advice import Advice, Advised, ordered
from autoscaler.bootstrap.advise.candidates import (
    Candidate,
    Confidence,
    Doubt,
    Unjudged,
    candidates,
    other_metrics,
)
from autoscaler.bootstrap.advise.cluster_hpas import disagreements
from autoscaler.bootstrap.advise.group import Group
from autoscaler.bootstrap.advise.judging import Case, Question, better_by_cpu, case_of
from autoscaler.bootstrap.advise.notes import no_hpa, nobody, short
from autoscaler.bootstrap.advise.queries_file import TypedQuery, typed_candidates
from autoscaler.bootstrap.advise.record import Record, Window, read
from autoscaler.bootstrap.advise.simulating import Simulated, simulate
from autoscaler.bootstrap.jobs import Failed, run_jobs
from autoscaler.bootstrap.servers import settings_of
from autoscaler.domain.errors import Refused, Retryable, SourceDown
from autoscaler.domain.series import DataVerdict
from autoscaler.spec.compile import PrometheusSource

QUERY_S: Final = 60.0
GREETING_S: Final = 10.0
LEAST_GROUP: Final = 8
"""Workloads below which another process costs more than it saves."""
LOOK_S: Final = 0.5
UNLIKE: Final = 0.25
"""Share by which the simulated HPA's replicas may differ from those on record."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Asking:
    """at: whether now_s was named, and is not the source's own now. hpas: as the cluster has them, None = as
    kube-state-metrics shows them. queries: typed demands, in place of what is discovered. workers: processes, None =
    one for each core.
    """

    source: PrometheusSource
    scope: Scope
    question: Question
    days: float
    now_s: float
    at: bool = False
    hpas: Mapping[Key, tuple[FoundHpa, ...]] | None = None
    queries: tuple[TypedQuery, ...] = ()
    workers: int | None = None


def advise(asking: Asking, progress: Progress | None = None) -> Advice:
    """Raises Retryable where the source cannot be asked, Refused where it will not answer as we ask."""
    told: Progress = progress or (lambda _part, _share: None)
    client = PrometheusClient(settings_of(asking.source))
    reader = PrometheusReader(client.settings, client)
    try:
        found, said = _as_in_the_cluster(asking, _discovered(asking, client, lambda s: told("looking around", s)))
        some, unjudged = (
            typed_candidates(asking.queries, found, asking.scope) if asking.queries else candidates(found, asking.scope)
        )
        window = Window.of(asking.now_s, asking.days, asking.question.step_s)
        some, records = _records(reader, some, window, lambda share: told("reading history", share))
    finally:
        reader.close()
    advice = _judged(asking, found, window, (some, records, unjudged), told)
    return replace(advice, notes=(*said, *advice.notes))


def _discovered(asking: Asking, client: PrometheusClient, said: Callable[[float], None]) -> Discovery:
    url = asking.source.url
    try:
        client.instant("vector(1)", None, GREETING_S)
        found = Discoverer(client, asking.scope, asking.now_s if asking.at else None).discover(said)
    except QueryFault as fault:
        raise _reachable(url, fault) from fault
    if found.renamed and not asking.queries:
        raise Refused(
            f"{url}: the series of kube-state-metrics have exported_namespace, so whose they are was overwritten; set "
            f"honorLabels: true in its scrape job, or name demands in a file: --queries"
        )
    if len(found.clusters) > 1:
        names = ", ".join(name or "(none)" for name in found.clusters[:5])
        raise Refused(f"{url} holds several clusters ({names}); choose one with --match cluster={found.clusters[-1]}")
    return found


def _as_in_the_cluster(asking: Asking, shown: Discovery) -> tuple[Discovery, tuple[str, ...]]:
    """With the cluster's own HPAs where it was asked, and what its metrics say otherwise."""
    hpas = asking.hpas
    if hpas is None:
        return shown, ()
    workloads = tuple(replace(w, hpas=hpas.get(w.key, ())) for w in shown.workloads)
    return replace(shown, workloads=workloads), tuple(disagreements(shown.workloads, hpas))


def _reachable(url: str, fault: QueryFault) -> Refused | Retryable:
    words = f"{url}: {fault.verdict.words}: {fault.note}"
    if isinstance(fault, Retryable):
        return SourceDown(f"{words}; check that the URL is right and reaches from here")
    if fault.verdict is DataVerdict.REFUSED:
        return Refused(f"{words}; pass --token-file, --user with --password-file, --ca-file, or a tenant's --header")
    return Refused(words)


def _records(
    reader: PrometheusReader, some: Sequence[Candidate], window: Window, said: Callable[[float], None]
) -> tuple[tuple[Candidate, ...], tuple[Record, ...]]:
    """Where requests say too little about what a workload needs, its CPU is read instead."""
    if not some:
        return (), ()
    records = list(read(reader, some, window, lambda share: said(0.9 * share)))
    again = {
        at: other
        for at, (one, record) in enumerate(zip(some, records, strict=True))
        if (other := better_by_cpu(one, record, window.step_s)) is not None
    }
    chosen = list(some)
    if again:
        for (at, other), record in zip(again.items(), read(reader, list(again.values()), window), strict=True):
            chosen[at], records[at] = other, record
    said(1.0)
    return tuple(chosen), tuple(records)


def _judged(
    asking: Asking, found: Discovery, window: Window,
    read_out: tuple[Sequence[Candidate], Sequence[Record], Sequence[Unjudged]], told: Progress,
) -> Advice:  # fmt: skip
    some, records, unjudged = read_out
    others = {(w.key.kind, w.key.namespace, w.key.name): other_metrics(w.hpas) for w in found.workloads}
    window, records = _trimmed(window, records)
    cases: list[Case] = []
    left = list(unjudged)
    for one, record in zip(some, records, strict=True):
        more = others.get((one.kind, one.ref.namespace, one.name))
        if more is not None:
            words = f"its HPA scales on {more} too, which is not simulated"
            one = replace(one, doubts=(*one.doubts, Doubt(Confidence.MEDIUM, words)))  # noqa: PLW2901 - the same, with a doubt
        case = case_of(one, record, asking.question)
        if isinstance(case, Unjudged):
            left.append(case)
        else:
            cases.append(case)
    simulated = _simulated(asking, cases, window, lambda share: told("simulating", share))
    judged = []
    for case, outcome in zip(cases, simulated, strict=True):
        if isinstance(outcome, Unjudged):
            left.append(outcome)
        else:
            judged.append(_doubted(Advised(case, outcome, asking.question.spread)))
    scored = judged[0].simulated.now.served.scored_step if judged else window.end
    # who names demands has not asked what else there is
    ignored = () if asking.queries else tuple(Unjudged(str(k), why, kind=k.kind) for k, why in found.ignored)
    days = (window.end - window.first) * window.step_s / 86400
    notes = [] if days >= asking.days - 0.5 else [short(days, asking.days)]
    if not asking.queries:
        notes.extend(nobody(found, asking.scope) if not found.workloads else no_hpa(found, asking.hpas))
    return Advice(window, asking.question, ordered(judged), tuple(sorted(left)), ignored, tuple(notes), scored)


def _trimmed(window: Window, records: Sequence[Record]) -> tuple[Window, Sequence[Record]]:
    """Without the blocks before anybody's first value: a source keeps what it keeps."""
    firsts = [int(known[0]) for r in records if len(known := np.flatnonzero(~np.isnan(r.demand)))]
    blocks = min(firsts, default=0) // window.per_block
    if not blocks:
        return window, records
    steps = blocks * window.per_block
    cut = [
        replace(
            r, demand=r.demand[steps:], ready=r.ready[blocks:], wanted=r.wanted[blocks:],
            cpu_cores=r.cpu_cores[blocks:], throttled=r.throttled[blocks:],
        )
        for r in records
    ]  # fmt: skip
    return replace(window, first=window.first + steps), cut


def _simulated(
    asking: Asking, cases: Sequence[Case], window: Window, said: Callable[[float], None]
) -> list[Simulated | Unjudged]:
    """In the order of the cases; a group that fails costs its own workloads."""
    from joblib import cpu_count

    if not cases:
        return []
    workers = cpu_count() if asking.workers is None else asking.workers
    count = max(1, min(workers, len(cases) // LEAST_GROUP))
    edges = [len(cases) * k // count for k in range(count + 1)]
    groups = [Group(tuple(cases[low:high]), asking.question, window.first) for low, high in pairwise(edges)]
    found: list[Simulated | Unjudged] = []
    with _watched(count, said) as notes:
        items = {f"group {k}": (group, notes[k]) for k, group in enumerate(groups)}
        for group, answer in zip(groups, run_jobs(_simulate, items, workers=count), strict=True):
            if isinstance(answer, Failed):
                found += [
                    Unjudged(str(c.workload.ref), f"the simulation failed: {answer.why}", kind=c.candidate.kind)
                    for c in group.cases
                ]
            else:
                found += answer.value
    return found


def _simulate(item: tuple[Group, Path]) -> tuple[Simulated, ...]:
    group, note = item
    last = -1.0

    def noted(share: float) -> None:
        nonlocal last
        if share - last >= 0.01:
            last = share
            note.write_text(f"{share:.3f}", encoding="ascii")

    return simulate(group, noted)


@contextmanager
def _watched(count: int, said: Callable[[float], None]) -> Iterator[tuple[Path, ...]]:
    """A file per group, in which it notes how far it is: processes share nothing else."""
    with tempfile.TemporaryDirectory(prefix="foresail-advise-") as folder:
        notes = tuple(Path(folder) / str(k) for k in range(count))
        done = threading.Event()

        def watch() -> None:
            while not done.wait(LOOK_S):
                said(sum(map(_share, notes)) / count)

        thread = threading.Thread(target=watch, name="foresail-advise-progress", daemon=True)
        thread.start()
        try:
            yield notes
        finally:
            done.set()
            thread.join()
    said(1.0)


def _share(note: Path) -> float:
    try:
        return float(note.read_text(encoding="ascii") or 0)
    except (OSError, ValueError):  # not there yet, or just being written
        return 0.0


def _doubted(one: Advised) -> Advised:
    """An HPA that we simulate far from what really ran says that something is not as the metrics tell."""
    recorded = one.recorded_average
    if recorded is None or one.case.as_set is None or recorded <= 0:
        return one
    off = one.average_now / recorded - 1
    if abs(off) <= UNLIKE:
        return one
    words = f"its HPA as simulated runs {one.average_now:.1f} replicas on average, on record are {recorded:.1f}"
    case = replace(one.case, doubts=(*one.case.doubts, Doubt(Confidence.LOW, words)))
    return replace(one, case=case)
