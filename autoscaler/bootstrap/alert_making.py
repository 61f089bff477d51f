"""Makes the desk of alerts of a service, and its destinations, from settings."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autoscaler.adapters.alert_metrics import AlertMetrics
from autoscaler.adapters.alerting.courier import Courier
from autoscaler.adapters.store.outbox import StoredOutbox
from autoscaler.adapters.telemetry import Telemetry
from autoscaler.bootstrap.alert_book import AlertBook
from autoscaler.bootstrap.alert_destinations import alertmanagers
from autoscaler.bootstrap.alerts import AlertDesk
from autoscaler.bootstrap.notify_making import routed
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.domain.alert_text import MOST_LABEL, plain
from autoscaler.domain.errors import Refused
from autoscaler.ports.alerts import Notifier
from autoscaler.ports.clock import Clock
from autoscaler.spec.notify_reading import read_notifications


@dataclass(frozen=True, slots=True)
class Telling:
    """leads: whether this process tells; of several operators only the leader."""

    telemetry: Telemetry
    clock: Clock
    leads: Callable[[], bool] = lambda: True


def desk_of(settings: ServiceSettings, telling: Telling) -> AlertDesk:
    """A desk that has not begun. Without destinations alerts are recorded and counted all the same."""
    metrics = telling.telemetry.kin(AlertMetrics)
    notifiers: Sequence[Notifier] = [
        *alertmanagers(settings.alerts),
        *routed(settings.alerts.notify, settings.store, metrics.held, settings.alerts.docs),
    ]  # fmt: skip
    outbox = StoredOutbox(settings.store)
    courier = Courier(outbox, notifiers, metrics, lambda: telling.clock.now().timestamp())
    return AlertDesk(
        AlertBook(common_labels(settings)), courier, metrics, outbox, telling.leads, real=settings.cluster is not None
    )


def common_labels(settings: ServiceSettings) -> dict[str, str]:
    """On every alert: which Foresail it is of. Never a pod or host: the next process goes on with the same ones."""
    named = {"sender": "foresail", "site": settings.site or ""}
    if settings.cluster is not None:
        named["installation"] = settings.cluster.installation
    return {name: plain(value, MOST_LABEL) for name, value in named.items() if value}


def must_be_usable(settings: ServiceSettings) -> None:
    """Refused where a destination cannot be used as it is named, or where a replay would wake people for the past."""
    named = "--alertmanager" if settings.alerts.alertmanagers else "--notify" if settings.alerts.notify else None
    if named and settings.replay_from is not None:
        raise Refused(f"{named} with --replay-from: alerts of the past would wake people; leave one of them out")
    for one in alertmanagers(settings.alerts):
        one.close()
    if settings.alerts.notify is not None:
        read_notifications(settings.alerts.notify, time.time())
