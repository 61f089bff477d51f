"""The metrics of an HPA and the triggers of a ScaledObject as demands, or as the reason why they are none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic_core import PydanticCustomError

from autoscaler.bootstrap.checkup.queries import QUEUE_LIKE
from autoscaler.spec.cron import cron_of
from autoscaler.spec.scalars import quantity_of, slip
from autoscaler.spec.when import zone_of

CPU_TARGET = 80
WHOLE_NAME = 45
"""Characters of a name that its pods bear whatever follows: generated names are cut at 58."""
QUEUE_TRIGGERS = frozenset({
    "activemq", "apache-kafka", "artemis-queue", "aws-sqs-queue", "azure-queue", "azure-servicebus", "beanstalkd",
    "gcp-pubsub", "ibmmq", "kafka", "nats-jetstream", "pulsar", "rabbitmq", "redis", "redis-streams",
    "solace-event-queue",
})  # fmt: skip
_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_WORD = re.compile(r"[a-zA-Z_:][\w:]*")


@dataclass(frozen=True, slots=True)
class Choices:
    """source: the MetricsSource of the demands. cpu_request: of one pod, a quantity, for targets in percent of it."""

    source: str = "prod"
    cpu_request: str | None = None


@dataclass(slots=True)
class MetricsSeen:
    """target, kind: of the workload. demands, schedule: what was understood; notes: what was not, what to look at."""

    namespace: str
    target: str
    choices: Choices
    kind: str = "Deployment"
    demands: list[dict[str, Any]] = field(default_factory=list)
    schedule: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def _pods(self) -> str:
        """Matchers of its pods by name, and not of those of web-api where the workload is web."""
        if self.kind == "Deployment" and len(self.target) <= WHOLE_NAME:
            pods = f"{self.target}-[a-z0-9]+-[a-z0-9]{{5}}"
        elif self.kind == "StatefulSet":
            pods = f"{self.target}-[0-9]+"
        else:
            pods = f"{self.target[:WHOLE_NAME]}.*"
        return f'namespace="{self.namespace}",pod=~"{pods}"'

    def take_metric(self, metric: Mapping[str, Any], index: int) -> None:
        """One of an HPA's spec.metrics (autoscaling/v2)."""
        kind = str(metric.get("type"))
        body = metric.get(kind[:1].lower() + kind[1:]) or {}
        goal, where = body.get("target") or {}, f"metrics[{index}] ({kind})"
        if kind in {"Resource", "ContainerResource"}:
            self._resource(body, goal, where)
            return
        identity = body.get("metric") or {}
        name = str(identity.get("name") or "")
        if goal.get("averageValue") is None:
            self.notes.append(
                f"{where} {name}: a target of type Value is no capacity of one replica; write one by hand"
            )
        elif QUEUE_LIKE.search(name):
            self._queue(where, name)
        else:
            labels = dict((identity.get("selector") or {}).get("matchLabels") or {})
            own = [self._pods] if kind == "Pods" else []
            matchers = ",".join([*own, *(f'{key}="{value}"' for key, value in sorted(labels.items()))])
            query = f"sum({name}{{{matchers}}})" if matchers else f"sum({name})"
            self.notes.append(f"{where} {name}: the name is the metrics adapter's; check the query against your source")
            self._demand(name, query, str(goal["averageValue"]))

    def take_trigger(self, trigger: Mapping[str, Any], index: int) -> None:
        """One of a ScaledObject's spec.triggers."""
        kind, meta = str(trigger.get("type")), trigger.get("metadata") or {}
        where = f"triggers[{index}] ({kind})"
        if kind == "cron":
            self._cron(meta, index, where)
        elif kind in {"cpu", "memory"}:
            average = (trigger.get("metricType") or meta.get("type")) == "AverageValue"
            goal = {"averageValue" if average else "averageUtilization": meta.get("value")}
            self._resource({"name": kind, "container": meta.get("containerName")}, goal, where)
        elif kind in QUEUE_TRIGGERS and meta.get("mode") != "MessageRate":
            self._queue(where, str(meta.get("queueName") or meta.get("topic") or kind))
        elif kind != "prometheus":
            self.notes.append(f"{where}: only a Prometheus query can be taken over; write one by hand")
        else:
            self._prometheus(trigger, meta, where)

    def _prometheus(self, trigger: Mapping[str, Any], meta: Mapping[str, Any], where: str) -> None:
        query = str(meta.get("query") or "")
        if trigger.get("metricType") == "Value":
            self.notes.append(f"{where}: a threshold of type Value is no capacity of one replica; write one by hand")
        elif any(QUEUE_LIKE.search(word) for word in _WORD.findall(query)):
            self._queue(where, query)
        else:
            self.notes.append(f"{where}: {meta.get('serverAddress')} must be the MetricsSource {self.choices.source}")
            self._demand(str(trigger.get("name") or "requests"), query, str(meta.get("threshold")))

    def _resource(self, body: Mapping[str, Any], goal: Mapping[str, Any], where: str) -> None:
        if body.get("name") != "cpu":
            self.notes.append(
                f"{where} {body.get('name')}: memory does not fall with more replicas, so it is no demand"
            )
            return
        if goal.get("averageValue") is not None:
            capacity = str(goal["averageValue"])
        elif self.choices.cpu_request is None:
            self.notes.append(f"{where} cpu: a target in percent needs the request of one pod: --cpu-request 500m")
            return
        else:
            share = float(goal.get("averageUtilization") or CPU_TARGET) / 100
            capacity = f"{max(1, round(quantity_of(self.choices.cpu_request) * share * 1000))}m"
        container = f'container="{body["container"]}"' if body.get("container") else 'container!=""'
        pods = f"{self._pods},{container}"
        self.notes.append(f"{where} cpu: its use stands for demand; requests per second would be a better one")
        self._demand("cpu", f"sum(rate(container_cpu_usage_seconds_total{{{pods}}}[2m]))", capacity)

    def _cron(self, meta: Mapping[str, Any], index: int, where: str) -> None:
        """A window of the week; of a cron that means anything else, or nothing, a note."""
        try:
            window = _window(meta)
        except ValueError as error:
            remedy = (getattr(error, "context", None) or {}).get("remedy")
            text = error.message() if isinstance(error, PydanticCustomError) else str(error)
            self.notes.append(f"{where}: {text}; {remedy or 'write its window by hand'}")
            return
        least = int(meta.get("desiredReplicas") or 1)
        self.schedule.append({"name": f"cron-{index}", "min": least, "when": {"weekly": window}})

    def _queue(self, where: str, name: str) -> None:
        self.notes.append(
            f"{where} {name}: a queue's length is no demand, as scaling itself drains it; "
            "use the rate of arrivals, e.g. sum(rate(..._received_total[1m]))"
        )

    def _demand(self, name: str, query: str, capacity: str) -> None:
        short = re.sub(r"[^a-z0-9]+", "-", name.lower())[:50].strip("-") or "demand"
        source = self.choices.source
        self.demands.append({"name": short, "source": source, "query": query, "capacity": {"perReplica": capacity}})


def _window(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Days, hours and zone. Raises ValueError for what KEDA refuses too, and for what is no such window.

    KEDA is on while the next end comes before the next start, so the ends have to fall on the days of the starts, or
    for nights on those after them: else it stays on for days.
    """
    start, end = (_one_moment(str(meta.get(key) or "").strip(), key) for key in ("start", "end"))
    zone = zone_of(str(meta.get("timezone") or "UTC"))
    if start.minute == end.minute:
        raise ValueError("start and end are the same moment, which KEDA refuses")
    night = int(end.minute < start.minute)
    if frozenset((day + night) % 7 for day in start.days) != end.days:
        text = "its ends are on other days than its starts, so KEDA stays on in between"
        raise slip(text, "write its window by hand")
    days = [_DAYS[day] for day in sorted(start.days, key=lambda d: (d - 1) % 7)]
    clock = [f"{moment.minute // 60:02}:{moment.minute % 60:02}" for moment in (start, end)]
    return {"days": days, "from": clock[0], "to": clock[1], "timeZone": zone}


class _Moment(NamedTuple):
    minute: int
    days: frozenset[int]


def _one_moment(text: str, key: str) -> _Moment:
    try:
        cron = cron_of(text)
    except PydanticCustomError as error:
        raise slip(f"{key} {text!r}: {error.message()}", (error.context or {}).get("remedy")) from None
    if cron.daily_at is None:
        raise slip(f"{key} {text!r} is not one time of some days of the week", "write its window by hand")
    return _Moment(cron.daily_at, cron.weekdays)
