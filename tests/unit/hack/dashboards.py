"""What a dashboard asks, with its variables filled in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

WINDOWS = ("$__rate_interval", "$__interval", "$__range")


def queries(board: Path, namespace: str, workload: str, window: str = "30s") -> Iterator[tuple[str, str]]:
    """Title of the panel and PromQL."""
    for panel in json.loads(board.read_text())["panels"]:
        for target in panel.get("targets", []):
            query = target["expr"].replace("$namespace", namespace).replace("$workload", workload)
            for name in WINDOWS:
                query = query.replace(name, window)
            yield panel["title"], query
