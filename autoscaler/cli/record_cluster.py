"""`foresail explain` and `history` of a cluster's workload: what the operator's read-only API tells, by the proxy."""

from __future__ import annotations

import json
import unicodedata
from contextlib import closing
from typing import Any

from autoscaler.cli.cluster_choice import ClusterOptions
from autoscaler.cli.get_cluster import onlooker
from autoscaler.cli.inputs import moment, output_kind
from autoscaler.domain.errors import Refused


def explain_from_cluster(workload: str, options: ClusterOptions, at: str | None, output: str) -> None:
    output_kind(output)
    moment("--at", at)
    told = _asked(workload, options, "explain", {"at": at})
    if output == "json":
        print(json.dumps(told["explain"], indent=2))  # noqa: T201
    else:
        print(harmless(str(told["text"])))  # noqa: T201


def history_from_cluster(
    workload: str, options: ClusterOptions, span: tuple[str | None, str | None], limit: int, output: str, *, rules: bool
) -> None:
    """span: since and until, as typed."""
    output_kind(output)
    since, until = span
    moment("--since", since)
    moment("--until", until)
    told = _asked(workload, options, "history", {"since": since, "until": until, "limit": str(limit)})
    if output == "json":
        print(json.dumps(told["runs"], indent=2))  # noqa: T201
        return
    from rich.table import Table
    from rich.text import Text

    from autoscaler.cli.screen import screen

    table = Table(box=None, pad_edge=False)
    for name in told["columns"]:
        table.add_column(harmless(str(name)))
    for row, behind in zip(told["rows"], told["rules"], strict=True):
        table.add_row(*(Text(harmless(str(cell))) for cell in row))
        for rule in behind if rules else ():
            table.add_row(*[""] * (len(row) - 2), Text(harmless(f"by {rule}")), "")
    screen().print(table)


def _asked(workload: str, options: ClusterOptions, what: str, query: dict[str, str | None]) -> dict[str, Any]:
    """Refused where the operator knows nothing of it: another look brings no more."""
    from autoscaler.adapters.kubernetes.faults import ApiFault

    with closing(onlooker(options)) as view:
        ref = view.named(workload)
        given = {key: value for key, value in query.items() if value is not None}
        try:
            told: dict[str, Any] = view.api.get("workloads", ref.namespace, ref.name, what, **given)
        except ApiFault as fault:
            if fault.status in {400, 403, 404}:
                raise Refused(fault.said) from fault
            raise
    return told


def harmless(text: str) -> str:
    """Without characters that steer a terminal: names, notes and queries in it are written by others."""
    return "".join(c for c in text if c == "\n" or unicodedata.category(c)[0] != "C")
