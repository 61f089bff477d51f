"""`foresail policy explain`."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from autoscaler.cli.inputs import moment, output_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoscaler.bootstrap.policies_explain import Change, Explanation

MOST_CHANGES = 30


def run_explain(workload: str, paths: tuple[Path, ...], site: str | None, at: str | None, output: str) -> None:
    """Print what is in force and what changes within a week; exit code 1 if a file among them is broken."""
    from autoscaler.bootstrap.policies_explain import explain

    output_kind(output)
    found = explain(workload, paths, moment("--at", at) or datetime.now(UTC), site)
    if output == "json":
        print(json.dumps(asdict(found), indent=2, default=lambda when: when.isoformat()))  # noqa: T201
    else:
        print("\n".join(_lines(found)))  # noqa: T201
    if found.problems:
        raise SystemExit(1)


def _change(change: Change) -> Iterator[str]:
    yield f"  {change.at:%Y-%m-%d %H:%M:%S} UTC  {change.what}: min {change.low}, max {change.high}"
    yield f"  {'':<23}    by {change.rule}"


def _lines(found: Explanation) -> Iterator[str]:
    yield f"{found.workload} at {found.at.isoformat()}"
    yield "policies, the most specific first"
    yield from (f"  {name}" for name in found.policies or ("none selects it",))
    yield "in force"
    width = max(len(limit.field) for limit in found.limits)
    for limit in found.limits:
        yield f"  {limit.field:<{width}}  {limit.value}"
        yield f"  {'':<{width}}    by {limit.rule or 'the built-in default'}"
    yield "within a week"
    for change in found.changes[:MOST_CHANGES]:
        yield from _change(change)
    if len(found.changes) > MOST_CHANGES:
        yield f"  and {len(found.changes) - MOST_CHANGES} more: -o json has them all"
    if not found.changes:
        yield "  nothing changes by itself"
    if found.later:
        yield "later"
        for change in found.later:
            yield from _change(change)
    if found.problems:
        yield "not in force, as it is not valid"
        yield from (f"  {problem}" for problem in found.problems)
