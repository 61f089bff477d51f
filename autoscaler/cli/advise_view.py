"""What `foresail advise` prints: the judged workloads, where to start, and why the others could not be judged."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import Progress, TimeRemainingColumn
from rich.table import Table

from autoscaler.bootstrap.advise.advice import Advice, Advised
from autoscaler.bootstrap.advise.candidates import Unjudged
from autoscaler.cli.screen import screen
from autoscaler.domain.series import time_of
from autoscaler.domain.sparkline import sparkline
from autoscaler.reporting.report.answer import floor_effect
from autoscaler.simulator.claims import Interval

SPARK = 28
SHOWN = 40
BEYOND = "* load above 1.1 times what a replica was seen to carry; it need not have hurt"


@contextmanager
def watched() -> Iterator[Callable[[str, float], None] | None]:
    """A progress bar per part on stderr where somebody watches, so that stdout stays what was asked for."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (*Progress.get_default_columns()[:-1], TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def update(part: str, share: float) -> None:
            if part not in tasks:
                tasks[part] = bar.add_task(part, total=1.0)
            bar.update(tasks[part], completed=share)

        yield update


def told(advice: Advice, written: tuple[Path, ...], took_s: float) -> dict[str, Any]:
    """All there is to say, as plain values."""
    window, step_s = advice.window, advice.window.step_s
    return {
        "from": f"{time_of(window.first, step_s):%Y-%m-%dT%H:%M:%SZ}",
        "until": f"{time_of(window.end, step_s):%Y-%m-%dT%H:%M:%SZ}",
        "scoredFrom": f"{time_of(advice.scored_step, step_s):%Y-%m-%dT%H:%M:%SZ}",
        "stepSeconds": step_s,
        "leadSeconds": advice.question.lead_s,
        "leadP50Seconds": None if advice.question.spread is None else advice.question.spread.p50_s,
        "risk": advice.question.risk,
        "notes": list(advice.notes),
        "startWith": [one.name for one in advice.first],
        "judged": [_one(one) for one in advice.judged],
        "unjudged": [_left(one) for one in advice.unjudged],
        "ignored": [_left(one) for one in advice.ignored],
        "files": [str(path) for path in written],
        "tookSeconds": round(took_s, 1),
    }  # fmt: skip


def _left(one: Unjudged) -> dict[str, str]:
    return {"workload": one.name, "kind": one.kind, "reason": one.reason, "remedy": one.remedy}


def _one(one: Advised) -> dict[str, Any]:
    case, result = one.case, one.simulated
    return {
        "workload": one.name,
        "kind": case.candidate.kind,
        "demand": {"basis": case.candidate.basis.value, "metric": case.candidate.metric, "query": case.candidate.query},
        "capacity": {
            "perReplica": case.capacity.per_replica,
            "from": case.capacity.words,
            "promised": case.capacity.promised,
        },
        "confidence": one.confidence.value,
        "doubts": [{"most": d.most.value, "why": d.words} for d in case.doubts],
        "replicasNow": case.candidate.replicas,
        "averageOnRecord": one.recorded_average,
        "hpa": None if case.candidate.hpa is None else case.candidate.hpa.words,
        "hpaTargetAdvised": result.target,
        "keepsRisk": one.keeps_risk,
        "averageReplicas": {"now": one.average_now, "foresail": one.average_then},
        "saving": _interval(one.claim.saving),
        "shortMinutesAvoided": _interval(one.claim.avoided_minutes),
        "rows": [
            {
                "title": claim.title,
                "replicaHours": _interval(claim.replica_hours),
                "shortMinutes": _interval(claim.short_minutes),
                "saving": _interval(claim.saving),
            }
            for claim in result.claims.rows
        ],
        "caveats": list(result.claims.caveats),
    }


def _interval(told: Interval | None) -> dict[str, float | None] | None:
    return None if told is None else asdict(told)


def show(found: dict[str, Any], advice: Advice, output: str) -> None:
    if output == "json":
        print(json.dumps(found, indent=2, ensure_ascii=False))  # noqa: T201 - the answer itself, not a table
        return
    console = screen()
    for note in advice.notes:
        console.print(note, style="dim", markup=False, soft_wrap=True)
    if advice.judged:
        _head(found, advice, console)
        console.print(_table(advice))
        if not all(one.case.capacity.promised for one in advice.judged):
            console.print(BEYOND, style="dim", markup=False, highlight=False, soft_wrap=True)
        _first(advice, console)
    _rest(advice, console)
    if found["files"]:
        manifest, *pages = found["files"]
        said = f"\nto apply: {manifest} (all in mode: Advise; try `foresail once {manifest}`)"
        if pages:
            said += f"\na page for each to start with: {', '.join(pages)}"
        console.print(said, markup=False, highlight=False, soft_wrap=True)


def _head(found: dict[str, Any], advice: Advice, console: Console) -> None:
    question = advice.question
    lead = f"a new replica serves {question.lead_s:g} s after it is asked for"
    if question.spread is not None:
        lead = (
            f"half of the new replicas serve within {question.spread.p50_s:g} s, 19 of 20 within {question.lead_s:g} s "
            "(which is planned with)"
        )
    days = (advice.window.end - advice.window.first) * advice.window.step_s / 86400
    console.print(
        f"{len(advice.judged)} of {len(advice.judged) + len(advice.unjudged)} workloads judged on {days:.1f} days, "
        f"figures from {found['scoredFrom']} on; {lead}; short of capacity at most "
        f"{question.risk * 100:.3g} % of the time",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip


def _table(advice: Advice) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("workload", overflow="fold")
    days = min(7, round((advice.window.end - advice.window.first) * advice.window.step_s / 86400))
    table.add_column(f"demand, {days} d", no_wrap=True)
    table.add_column("replicas now\n(average)", justify="right", no_wrap=True)
    table.add_column("HPA", overflow="fold")
    table.add_column("Foresail would", overflow="fold")
    table.add_column("saving", justify="right", no_wrap=True)
    table.add_column("HPA alone,\nin hindsight", justify="right", no_wrap=True)
    table.add_column("short min\nnow → then", justify="right", no_wrap=True)
    table.add_column("confidence", overflow="fold")
    for one in advice.judged:
        table.add_row(*_row(one))
    return table


def _row(one: Advised) -> tuple[str, ...]:
    case, result = one.case, one.simulated
    average = one.recorded_average
    now = "?" if case.candidate.replicas is None else str(case.candidate.replicas)
    return (
        one.name,
        sparkline([float(v) for v in one.week()], SPARK),
        f"{now} ({'?' if average is None else f'{average:.1f}'})",
        "none" if case.candidate.hpa is None else case.candidate.hpa.words,
        would(one),
        _signed(one.saving),
        "" if one.case.as_set is None else "none" if one.retuned_saving is None else _signed(one.retuned_saving),
        f"{result.now.scores.short_minutes:,.0f} → {result.best.scores.short_minutes:,.0f}"
        + ("" if case.capacity.promised else " *"),
        f"{one.confidence.value}: {reasons(one)}",
    )


def _signed(share: float) -> str:
    return f"{share * 100:+.1f} %"


def would(one: Advised) -> str:
    """What is advised, in a few words."""
    average = f"{one.average_then:.1f} on average"
    if one.case.as_set is None:
        return f"scale it, {average}" + ("" if one.keeps_risk else "; the risk is not kept")
    if one.simulated.target is not None:
        return f"floor under the HPA at {one.simulated.target} %, {average}"
    if not one.keeps_risk:
        why = "the risk is not kept"
    elif not one.case.hotter:
        why = "no replica was seen hot enough to raise the target"
    else:
        why = "a hotter target would not keep the risk"
    did = floor_effect(one.simulated.now.scores.short_minutes, one.simulated.beside.scores.short_minutes)
    return f"floor under the HPA as set, {average}: here it {did}; {why}"


def reasons(one: Advised) -> str:
    worst = [d.words for d in one.case.doubts if d.most is one.confidence]
    return "; ".join(dict.fromkeys(worst)) if worst else f"{one.case.candidate.metric}, capacity from its CPU request"


def _first(advice: Advice, console: Console) -> None:
    if not advice.first:
        words = (
            "no workload keeps the risk and gains 1 % or more, once short minutes more are set against what is saved"
        )
        console.print(f"Nothing to start with: {words}.", markup=False, soft_wrap=True)
        return
    console.print("Start with", style="bold")
    for rank, one in enumerate(advice.first, start=1):
        console.print(f"  {rank}. {start_words(one)}", markup=False, highlight=False, soft_wrap=True)


def start_words(one: Advised) -> str:
    gains = []
    saving = one.claim.saving
    if one.saving > 0 and saving is not None:
        between = "" if saving.low is None or saving.high is None else f" ({saving.low:.0%} … {saving.high:.0%})"
        alone = one.retuned_saving
        beside = "" if alone is None else f"; your HPA alone, retuned in hindsight, {alone:.0%}"
        gains.append(f"{one.saving:.0%} fewer replica-hours{between}{beside}")
    if one.avoided_minutes > 0:
        gains.append(f"{one.avoided_minutes:,.0f} short minutes avoided")
    elif one.avoided_minutes < 0:
        gains.append(f"{-one.avoided_minutes:,.0f} short minutes more, within the accepted risk")
    return f"{one.name}: {', '.join(gains)}; confidence {one.confidence.value}"


def _rest(advice: Advice, console: Console) -> None:
    if advice.unjudged:
        console.print("\nNot judged", style="bold")
        for one in advice.unjudged[:SHOWN]:
            remedy = f"; {one.remedy}" if one.remedy else ""
            console.print(f"  {one.name}: {one.reason}{remedy}", markup=False, highlight=False, soft_wrap=True)
        if len(advice.unjudged) > SHOWN:
            console.print(f"  and {len(advice.unjudged) - SHOWN} more: -o json lists all", markup=False)
    if advice.ignored:
        console.print("\nLeft out", style="bold")
        for reason, count in Counter(one.reason for one in advice.ignored).items():
            names = [one.name for one in advice.ignored if one.reason == reason]
            more = f" and {count - 3} more" if count > 3 else ""
            console.print(f"  {', '.join(names[:3])}{more}: {reason}", markup=False, highlight=False, soft_wrap=True)
