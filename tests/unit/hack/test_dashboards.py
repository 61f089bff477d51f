"""Dashboards of the chart: what Grafana takes, nothing over anything else, and only metrics that we have."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from prometheus_client import CollectorRegistry

from autoscaler.adapters.alert_metrics import AlertMetrics
from autoscaler.adapters.operator_metrics import OperatorMetrics
from autoscaler.adapters.telemetry import Telemetry
from autoscaler.web.app import with_process
from hack.dashboards.__main__ import FOLDER, generated
from tests.unit.hack.dashboards import queries

BOARDS = sorted(FOLDER.glob("*.json"))
each = pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.stem)
UNITS = {"short", "percentunit", "s", "ops", "bytes"}


def loaded(board: Path) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(board.read_text())
    return made


def metric_names() -> set[str]:
    """As they stand in /metrics: counters with their ending, a histogram with its parts."""
    registry = with_process(CollectorRegistry())
    Telemetry(registry)
    OperatorMetrics(registry)
    AlertMetrics(registry)
    names = set()
    for family in registry.collect():
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(family.type, ("",))
        names |= {f"{family.name}{ending}" for ending in endings}
    return names


def test_the_files_are_those_that_are_generated():
    assert {path: path.read_text() for path in BOARDS} == generated()
    assert [path.stem for path in BOARDS] == ["model-quality", "overview", "own-health", "workload"]


@each
def test_panels_have_numbers_words_units_and_a_place_of_their_own(board: Path):
    made = loaded(board)
    panels = made["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    titles = [panel["title"] for panel in panels if panel["type"] != "row"]
    assert len(set(titles)) == len(titles)
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
    for panel in (p for p in panels if p["type"] != "row"):
        assert panel["description"].endswith(".") or panel["description"].endswith(")."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
        assert panel["datasource"]["uid"] == "${datasource}"
        assert {t["datasource"]["uid"] for t in panel["targets"]} == {"${datasource}"}


@each
def test_a_dashboard_can_be_pointed_at_any_source_and_leads_to_the_docs(board: Path):
    made = loaded(board)
    names = [variable["name"] for variable in made["templating"]["list"]]
    assert names[0] == "datasource"
    used = set(re.findall(r"\$(namespace|workload)\b", json.dumps(made["panels"])))
    assert used == set(names[1:]), "no variable that is not offered, none offered in vain"
    pages = [link["url"].rpartition("/docs/")[2] for link in made["links"] if link["type"] == "link"]
    for page, _, anchor in (link.partition("#") for link in pages):
        text = (FOLDER.parents[3] / "docs" / page).read_text()
        heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        anchors = {re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in heads}
        assert not anchor or anchor in anchors
    assert made["uid"].startswith("foresail-")


@each
def test_every_query_can_be_parsed_and_asks_for_metrics_that_we_have(board: Path):
    known = metric_names()
    for title, query in queries(board, "shop", "web"):
        promql_parser.parse(query)
        asked = set(re.findall(r"\b(?:foresail|process)_\w+", query))
        assert asked, f"{title} asks for nothing of ours"
        assert asked <= known, f"{title}: {asked - known}"
