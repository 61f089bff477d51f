"""What the text of a demand's query tells before any server is asked: PromQL or not, total demand or not."""

from __future__ import annotations

from collections.abc import Iterator

from autoscaler.adapters.prometheus.promql import reading
from autoscaler.bootstrap.checkup.asking import Notes
from autoscaler.bootstrap.checkup.queries import look_at_text
from autoscaler.reporting.lint import Level, LintFinding
from autoscaler.spec.fleet import LoadedFleet

LEARNED = ("resource", "replicas", "template")
"""Queries that a capacity is learned from: any number will do, so that only their grammar is checked."""


def query_findings(fleet: LoadedFleet) -> Iterator[LintFinding]:
    """Findings about every query to a server; the name of a recorded series is no query."""
    servers = {source.name for source in fleet.servers}
    for autoscaler, places in zip(fleet.autoscalers, fleet.places, strict=True):
        for index, demand in enumerate(autoscaler.spec.demands):
            if demand.source not in servers:
                continue
            field = f"demands[{index}].query"
            line = places.lines.get(field, 0)
            for rule, message, remedy in _told(demand.query):
                yield LintFinding(Level.WARNING, rule, places.file, line, 1, f"spec.{field}", message, remedy)
            learned = demand.capacity.learned
            for name in LEARNED if learned is not None else ():
                query = getattr(learned, name)
                for rule, message, remedy in _parsed(query) if query is not None else ():
                    path = f"spec.demands[{index}].capacity.learned.{name}"
                    yield LintFinding(Level.WARNING, rule, places.file, line, 1, path, message, remedy)


def _told(query: str) -> Iterator[tuple[str, str, str | None]]:
    yield from _parsed(query)
    notes = Notes(query)
    look_at_text(notes, query)
    for told in notes.found:
        yield told.check, told.words, told.remedy


def _parsed(query: str) -> Iterator[tuple[str, str, str | None]]:
    found = reading(query)
    if not found.understood:
        yield (
            "promql",
            "is not PromQL that we can parse",
            "check its brackets; a dialect's own functions are not checked",
        )
        return
    if not found.number:
        yield "promql", "answers a range or a string, never a number", "wrap a range in rate(...), and sum it"
