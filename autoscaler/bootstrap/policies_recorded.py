"""`policy test` on recorded demand: the simulated service under the policies, looked at by the clock of the record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from autoscaler.adapters.traces import read_trace
from autoscaler.bootstrap.anomaly_given import GivenVerdict
from autoscaler.bootstrap.simulate import Outcome, check_trace, rows, simulate
from autoscaler.bootstrap.worlds import World
from autoscaler.domain.errors import Refused
from autoscaler.domain.workload import Workload
from autoscaler.spec.policy_cases import MomentsSpec, RecordingSpec
from autoscaler.spec.scalars import instant_of


def recorded_failures(load: Workload, recording: RecordingSpec, home: Path) -> Iterator[str]:
    """What came out otherwise, each expectation with its first such moment. home: where the trace's path starts."""
    if len(load.demands) != 1:
        raise Refused(f"{recording.name}: {load.ref} has {len(load.demands)} demands; a trace shows one")
    trace = read_trace(home / recording.trace)
    check_trace(trace)
    if recording.anomalies and not load.watching.on:
        off = "which has `anomalies: {enabled: false}`; remove one of them"
        raise Refused(f"{recording.name}: anomalies bind nothing of {load.ref}, {off}")
    given = [
        GivenVerdict(
            one.cause, one.severity, instant_of(one.from_).timestamp(), instant_of(one.until).timestamp(),
            one.evidence or "",
        )
        for one in recording.anomalies
    ]  # fmt: skip
    outcome = simulate(trace, load, World(), given=given)
    reasons = rows(outcome)["reasons"]
    for index, moments in enumerate(recording.expect):
        for words in _failures(outcome, moments, reasons, recording.trace, given):
            yield f"expect[{index}]: {words}"


def _failures(
    outcome: Outcome, moments: MomentsSpec, reasons: np.ndarray, name: str, given: Sequence[GivenVerdict]
) -> Iterator[str]:
    log = outcome.log
    start, end = (moments.at, moments.at) if moments.at is not None else (moments.from_, moments.until)
    if start is None or end is None:
        raise ValueError("a moment or a span")
    first = int(instant_of(start).timestamp() // log.step_s) - log.first_step
    last = first if moments.at is not None else int(-(-instant_of(end).timestamp() // log.step_s)) - log.first_step - 1
    if first < 0 or last >= log.steps or last < first:
        began, ended = (_time(log.first_step + k, log.step_s) for k in (0, log.steps))
        raise Refused(
            f"{name} goes from {began} to {ended}: there is nothing to look at from {start} on, or not to {end}"
        )
    steps = np.arange(first, last + 1)
    granted = log.granted[steps]
    held = log.held[steps]
    told = [set(str(reasons[k]).split(",")) for k in steps.tolist()]
    checks: list[tuple[str, np.ndarray]] = []
    if moments.replicas is not None:
        checks.append((f"not {moments.replicas}", granted != moments.replicas))
    if moments.at_least is not None:
        checks.append((f"fewer than {moments.at_least}", granted < moments.at_least))
    if moments.at_most is not None:
        checks.append((f"more than {moments.at_most}", granted > moments.at_most))
    if moments.holds is not None:
        checks.append(("holds" if not moments.holds else "does not hold", held != moments.holds))
    checks += [(f"without {r}", np.array([r.value not in t for t in told])) for r in moments.reasons]
    checks += [(f"with {r}", np.array([r.value in t for t in told])) for r in moments.not_reasons]
    for words, wrong in checks:
        if wrong.any():
            k = int(np.argmax(wrong))
            when = _time(log.first_step + first + k, log.step_s)
            more = f", and in {int(wrong.sum()) - 1} more steps" if wrong.sum() > 1 else ""
            at_s = (log.first_step + first + k) * log.step_s
            abnormal = " and ".join(one.words for one in given if one.first_s <= at_s < one.end_s)
            while_ = f" under {abnormal}" if abnormal else ""
            yield f"{when}{while_}: {int(granted[k])} replicas, {words} ({', '.join(sorted(told[k]))}){more}"


def _time(step: int, step_s: int) -> str:
    return datetime.fromtimestamp(step * step_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
