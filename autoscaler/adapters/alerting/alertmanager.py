"""Alertmanager's API v2: labels are identity, what fires is sent again and again, ends are told with endsAt.

Sources: prometheus/alertmanager `api/v2/openapi.yaml` and `docs/alerts_api.md`; the times are those of
prometheus/prometheus
`rules/manager.go` (an alert that is not sent again ends after four intervals; ends are sent for a quarter of an hour).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from autoscaler.adapters.alerting.endpoint import Endpoint, EndpointSettings
from autoscaler.domain.alert import DOCS, Alert, runbook_of
from autoscaler.ports.alerts import Delivery

PATH: Final = "/api/v2/alerts"
MOST_AT_ONCE: Final = 256
INTERVALS: Final = 4
LEAST_REPEAT_S: Final = 1.0
TOLERATED_S: Final = 5.0
"""A Date has whole seconds and is a network away."""


class Alertmanager:
    """Implements ports.Notifier for one Alertmanager; of a cluster each member is one, as Prometheus has it."""

    most_at_once = MOST_AT_ONCE

    def __init__(self, settings: EndpointSettings, repeat_s: float = 60.0, docs: str = DOCS) -> None:
        if not repeat_s >= LEAST_REPEAT_S:
            raise ValueError(f"alerts are sent again every {LEAST_REPEAT_S:g} s at most, not every {repeat_s!r} s")
        self.endpoint = Endpoint(settings)
        self.name = f"alertmanager:{settings.name}"
        self.repeat_s: float | None = repeat_s
        self._lasts_s = INTERVALS * repeat_s
        self._skew_s = 0.0
        self._docs = docs

    def send(self, alerts: Sequence[Alert], now_s: float) -> Delivery:
        newest = {alert.key: alert for alert in alerts}
        told = [as_json(alert, now_s + self._lasts_s, self._skew_s, self._docs) for alert in newest.values()]
        answer = self.endpoint.call("POST", PATH, json.dumps(told, ensure_ascii=False).encode())
        if answer.date_s is not None:
            skew_s = answer.date_s - now_s
            self._skew_s = skew_s if abs(skew_s) > TOLERATED_S else 0.0
        return answer.delivery

    def receivers(self, name: str) -> list[str] | None:
        """Who is told of alerts of this name, as the Alertmanager routes them now; None = it does not say."""
        answer = self.endpoint.call("GET", PATH, params={"filter": f'alertname="{name}"'})
        try:
            found = {r["name"] for alert in json.loads(answer.body) for r in alert["receivers"]}
        except (ValueError, KeyError, TypeError):
            return None
        return sorted(found) or None

    def close(self) -> None:
        self.endpoint.close()


def as_json(alert: Alert, until_s: float, skew_s: float = 0.0, docs: str = DOCS) -> dict[str, Any]:
    """One alert as the API takes it. until_s: when it ends unless it is sent again, seconds since the epoch.

    skew_s: the Alertmanager's clock less ours. It compares ends with its own time: by a clock that is behind ours an
    end lies in the future, by one that is ahead what fires has ended already.
    """
    if alert.resolved_s is None:
        ends_s = until_s + max(0.0, skew_s)
    else:
        ends_s = max(alert.starts_s, alert.resolved_s + min(0.0, skew_s))
    return {
        "labels": {"alertname": alert.name, "severity": alert.severity.word} | dict(alert.labels),
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": runbook_of(alert.name, docs),
        },
        "startsAt": _rfc3339(alert.starts_s),
        "endsAt": _rfc3339(ends_s),
    }


def _rfc3339(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
