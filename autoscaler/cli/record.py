"""`foresail explain`, `history` and `export`: reading the record of a service, running or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from autoscaler.cli.inputs import moment, output_kind
from autoscaler.domain.errors import Refused

if TYPE_CHECKING:
    from autoscaler.domain.workload import WorkloadRef
    from autoscaler.ports.records import DecisionReader

MOST_RUNS = 1_000_000
"""Of one workload; a run a minute is half a million a year."""


def explain_workload(workload: str, store: Path, at: str | None, output: str) -> None:
    """Print the decision in force at that time, with each guard's effect and what it would be without it."""
    from autoscaler.adapters.store import DecisionStore
    from autoscaler.guards.chain import CHAIN
    from autoscaler.pipeline.counterfactual import counterfactuals
    from autoscaler.reporting.words import explain, explain_dict

    output_kind(output)
    when = moment("--at", at)
    record = DecisionStore.open_read_only(store)
    try:
        ref = chosen(record, workload, store)
        run = record.run_at(ref, when)
    finally:
        record.close()
    if run is None:
        raise Refused(
            f"nothing is recorded for {ref} at or before {at}; `foresail history {ref} --store {store}` lists what is"
        )
    without = counterfactuals(run.decision, CHAIN)
    if output == "json":
        print(json.dumps(explain_dict(run, when, without), indent=2))  # noqa: T201
    else:
        print(explain(run, when, without))  # noqa: T201


def show_history(
    workload: str, store: Path, since: str | None, until: str | None, limit: int, output: str, *, rules: bool
) -> None:
    """Print runs of unchanged decisions, oldest first. rules: with those that changed each number, below it."""
    from autoscaler.adapters.store import DecisionStore
    from autoscaler.reporting.words import HISTORY_COLUMNS, history_dicts, history_table, ruling

    output_kind(output)
    record = DecisionStore.open_read_only(store)
    try:
        ref = chosen(record, workload, store)
        runs = record.history(ref, moment("--since", since), moment("--until", until), limit)
    finally:
        record.close()
    if output == "json":
        print(json.dumps(history_dicts(runs), indent=2))  # noqa: T201
        return
    from rich.table import Table

    from autoscaler.cli.screen import screen

    table = Table(box=None, pad_edge=False)
    for name in HISTORY_COLUMNS:
        table.add_column(name)
    for run, row in zip(runs, history_table(runs), strict=True):
        table.add_row(*row)
        for rule in ruling(run.decision) if rules else ():
            table.add_row(*[""] * (len(row) - 2), f"by {rule}", "")
    screen().print(table)


def export_lines(workloads: tuple[str, ...], store: Path, since: str | None, until: str | None) -> None:
    """A JSON object a line, run by run, each workload's oldest first.

    A run that was still open at the last export comes again, longer: workload and `from` are its identity.
    """
    from autoscaler.adapters.store import DecisionStore
    from autoscaler.reporting.words import export_dict

    first, last = moment("--since", since), moment("--until", until)
    record = DecisionStore.open_read_only(store)
    try:
        for ref in [chosen(record, name, store) for name in workloads] or record.workloads():
            for run in record.history(ref, first, last, MOST_RUNS):
                print(json.dumps(export_dict(run), separators=(",", ":")))  # noqa: T201
    finally:
        record.close()


def chosen(record: DecisionReader, text: str, store: Path) -> WorkloadRef:
    """NAMESPACE/NAME, or NAME where only one namespace has it; else an error that lists what is there."""
    from difflib import get_close_matches

    known = {str(ref): ref for ref in record.workloads()}
    if text in known:
        return known[text]
    by_name = [ref for ref in known.values() if ref.name == text]
    if len(by_name) == 1:
        return by_name[0]
    if by_name:
        raise Refused(f"{store} has {text!r} in several namespaces; write {' or '.join(sorted(map(str, by_name)))}")
    spellings = {ref.name: str(ref) for ref in known.values()} | {name: name for name in known}
    near = get_close_matches(text, spellings, n=1)
    hint = f"; did you mean {spellings[near[0]]}?" if near else "."
    names = ", ".join(sorted(known)[:10]) or "none"
    more = f" and {len(known) - 10} more" if len(known) > 10 else ""
    raise Refused(f"{store} has no workload {text!r}{hint} It has: {names}{more}")
