"""Rows of `kubectl foresail get`: what a status tells, unknown as such, and lines that can be compared."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from autoscaler.domain.sparkline import sparkline
from autoscaler.reporting.cluster_overview import (
    COLUMNS,
    NARROW,
    ClusterRow,
    cluster_cells,
    cluster_columns,
    cluster_dict,
)
from autoscaler.reporting.recent import MOST_CELLS, Stretch, recent_of

NOW = datetime(2026, 3, 10, tzinfo=UTC)


def row(recent: Any = None, conditions: Any = (), **status: Any) -> ClusterRow:
    meta = {"namespace": "shop", "name": "web", "creationTimestamp": "2026-03-01T00:00:00Z", "generation": 3}
    told = {"conditions": [dict(zip(("type", "status", "reason"), c, strict=True)) for c in conditions], **status}
    return ClusterRow({"metadata": meta, "spec": {"mode": "Act"}, "status": told}, recent)


def cells(one: ClusterRow, width: int = 200) -> dict[str, str]:
    return dict(zip(cluster_columns(width), cluster_cells(one, NOW, width), strict=True))


def test_a_row_tells_what_the_status_tells():
    recent = {"demand": [50.0, 100.0], "forecast": [100.0, 200.0], "granted": [None, 4.0]}
    one = row(
        recent, [("Ready", "True", "Deciding")], state="Active", forecast={"peak": "812"},
        replicas={"current": 18, "wanted": 19, "floor": 17},
    )  # fmt: skip
    assert cells(one) == {
        "WORKLOAD": "shop/web", "STATE": "Active", "MODE": "Act", "CURRENT": "18", "WANTED": "19", "FLOOR": "17",
        "PEAK P95": "812", "READY": "yes", "AGE": "9d",
        "DEMAND, LAST 6 H": "▂▄", "FORECAST": "▄█", "FLOOR, 6 H": "·█",
    }  # fmt: skip
    assert cluster_columns(80) == NARROW
    assert cells(one, 80)["NOW"] == "18"
    assert cluster_dict(one)["recent"] is recent


def test_what_is_not_known_is_said_and_never_zero():
    one = cells(row())
    assert (one["CURRENT"], one["WANTED"], one["FLOOR"], one["PEAK P95"]) == ("?", "?", "-", "-")
    assert (one["READY"], one["STATE"], one["DEMAND, LAST 6 H"]) == ("?", "-", "-")
    assert set(one) == set(COLUMNS)


@pytest.mark.parametrize(
    ("conditions", "ready", "state"),
    [
        (
            [("Ready", "False", "MetricsUnavailable"), ("Held", "True", "BadData")],
            "MetricsUnavailable", "Holding: BadData",
        ),
        ([("Ready", "True", "Paused"), ("Paused", "True", "Paused")], "yes", "Holding: Paused"),
        (
            [("Ready", "False", "InvalidSpec"), ("Stalled", "True", "InvalidSpec"), ("Held", "True", "BadData")],
            "InvalidSpec", "Holding: InvalidSpec",
        ),
        ([("Ready", "Unknown", "Deciding")], "Deciding", "Holding"),
    ],
)  # fmt: skip
def test_what_needs_a_look_comes_first(conditions: Any, ready: str, state: str):
    one = cells(row(conditions=conditions, state="Holding"))
    assert (one["READY"], one["STATE"]) == (ready, state)


def test_cells_show_the_largest_value_in_them_and_gaps_as_unknown():
    nan = float("nan")
    stretches = [Stretch(0, 60, 5.0, nan, 2), Stretch(60, 120, 9.0, 12.0, 3), Stretch(240, 240, 1.0, 2.0, 1)]
    recent = recent_of(stretches, end_s=240.0, span_s=240.0, cells=4, name="requests", exact=(None, 7.0, None, None))
    assert recent.demand == (9.0, 7.0, None, 1.0), "the exact one where it is known"
    assert recent.forecast == (12.0, 12.0, None, 2.0)
    assert recent.granted == (3.0, 3.0, None, 1.0)
    assert recent.as_dict()["cellSeconds"] == 60.0
    with pytest.raises(ValueError, match="cells"):
        recent_of([], 0.0, 1.0, cells=MOST_CELLS + 1)


def test_lines_with_one_top_can_be_compared():
    assert sparkline([50.0], 4, top=100.0) == "▄"
    assert sparkline([50.0], 4) == "█"
