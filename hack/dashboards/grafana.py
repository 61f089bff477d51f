"""What Grafana needs of a dashboard, as far as ours use it: panels in rows of a 24-column grid, variables, links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from autoscaler.domain.alert import DOCS

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA = 39
"""Of Grafana 10 and later, which bring older ones up to date themselves."""
WIDTH = 24
NAMESPACE = 'namespace=~"$namespace"'
WORKLOAD = 'namespace=~"$namespace", name=~"$workload"'

RATE = "$__rate_interval"
ALARM = ((None, "green"), (1, "orange"))
BAD = ((None, "green"), (1, "red"))
GOOD = ((None, "red"), (1, "green"))


@dataclass(frozen=True, slots=True)
class Panel:
    """queries: (PromQL, legend). kind: timeseries, stat or state-timeline. unit: of Grafana's own names.

    low, high: fixed ends of the axis. fill: lines that add up are stacked.
    """

    title: str
    words: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 12
    height: int = 8
    low: float | None = None
    high: float | None = None
    stacked: bool = False
    steps: Sequence[tuple[float | None, str]] = ((None, "green"),)
    dashed: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Dashboard:
    """variables: which of namespace and workload it offers. page: of docs, for the link at the top."""

    uid: str
    title: str
    words: str
    page: str
    rows: Sequence[tuple[str, Sequence[Panel]]]
    variables: Sequence[str] = ("namespace", "workload")
    one: bool = False
    links: Sequence[tuple[str, str]] = field(default_factory=tuple)

    def render(self) -> dict[str, Any]:
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.words,
            "tags": ["foresail"],
            "schemaVersion": SCHEMA,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,
            "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"},
            "timezone": "browser",
            "links": [*_links(self.page)],
            "templating": {"list": [_datasource(), *(_variable(name, one=self.one) for name in self.variables)]},
            "annotations": {"list": []},
            "panels": _laid_out(self.rows),
        }


def _links(page: str) -> list[dict[str, Any]]:
    others = {
        "type": "dashboards", "title": "Foresail", "tags": ["foresail"], "asDropdown": True, "includeVars": True,
        "keepTime": True,
    }  # fmt: skip
    docs = {"type": "link", "title": "What the numbers mean", "url": f"{DOCS}/{page}", "targetBlank": True}
    return [others, docs]


def _datasource() -> dict[str, Any]:
    return {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus", "hide": 0}


def _variable(name: str, *, one: bool) -> dict[str, Any]:
    label, within = ("namespace", "") if name == "namespace" else ("name", f"{{{NAMESPACE}}}")
    query = f"label_values(foresail_data_ok{within}, {label})"
    several = {} if one else {"multi": True, "includeAll": True, "allValue": ".*"}
    current = {} if one else {"current": {"text": "All", "value": "$__all"}}
    return {
        "type": "query", "name": name, "label": name.capitalize(), "datasource": SOURCE, "definition": query,
        "query": {"query": query, "refId": name}, "refresh": 2, "sort": 1, "hide": 0, **several, **current,
    }  # fmt: skip


def _laid_out(rows: Sequence[tuple[str, Sequence[Panel]]]) -> list[dict[str, Any]]:
    """Rows of panels under their headings, from left to right, each below the last."""
    made: list[dict[str, Any]] = []
    top = 0
    for title, panels in rows:
        place = {"h": 1, "w": WIDTH, "x": 0, "y": top}
        made.append(
            {"id": len(made) + 1, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}
        )
        top += 1
        left, tallest = 0, 0
        for panel in panels:
            if left + panel.width > WIDTH:
                left, top, tallest = 0, top + tallest, 0
            place = {"h": panel.height, "w": panel.width, "x": left, "y": top}
            made.append(_panel(panel, len(made) + 1, place))
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest
    return made


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    custom: dict[str, Any] = {}
    options: dict[str, Any] = {}
    if panel.kind == "timeseries":
        custom = {"fillOpacity": 20 if panel.stacked else 0, "lineWidth": 1, "showPoints": "never", "spanNulls": False}
        custom["stacking"] = {"mode": "normal" if panel.stacked else "none", "group": "A"}
        options = {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    elif panel.kind == "stat":
        options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"}
    else:
        custom = {"fillOpacity": 70, "lineWidth": 0}
        options = {"showValue": "never", "mergeValues": True}
    defaults: dict[str, Any] = {"unit": panel.unit, "custom": custom, "thresholds": _steps(panel)}
    defaults |= {key: value for key, value in (("min", panel.low), ("max", panel.high)) if value is not None}
    dashed = [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [6, 6]}}],
        }
        for name in panel.dashed
    ]
    targets = [
        {"refId": chr(ord("A") + k), "datasource": SOURCE, "expr": query, "legendFormat": legend, "range": True}
        for k, (query, legend) in enumerate(panel.queries)
    ]
    return {
        "id": number, "type": panel.kind, "title": panel.title, "description": panel.words, "datasource": SOURCE,
        "gridPos": place, "targets": targets, "options": options,
        "fieldConfig": {"defaults": defaults, "overrides": dashed},
    }  # fmt: skip


def _steps(panel: Panel) -> dict[str, Any]:
    return {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in panel.steps]}
