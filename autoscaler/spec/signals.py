"""What is watched beside the demands, and how loudly: `signals` and `anomalies` of a PredictiveAutoscaler."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from autoscaler.domain.signals import MOST_FALSE_PAGES, Signal, SignalKind, Watching
from autoscaler.spec import scalars
from autoscaler.spec.behavior import Part

MOST_SIGNALS = 16


class SignalSpec(Part):
    """A metric of the workload that is watched and explains what happens; nothing is sized by it."""

    name: scalars.Label = Field(
        description="Short name, unique among the demands and signals of this object.", examples=["latency"]
    )
    source: scalars.Subdomain = Field(description="Name of the MetricsSource to ask; never a URL.", examples=["prod"])
    query: scalars.Query = Field(
        description="PromQL that answers one number; for a file, the name of the series in it.",
        examples=["histogram_quantile(0.95, sum by (le) (rate(web_seconds_bucket[5m])))", "web_latency"],
    )
    kind: Literal["Latency", "Errors", "Saturation", "Other"] = Field(
        description="What it tells: Latency, Errors, Saturation (of CPU, a pool, a queue), Other.",
        examples=["Latency"],
    )


Signals = Annotated[tuple[SignalSpec, ...], Field(strict=False, max_length=MOST_SIGNALS)]


class AnomaliesSpec(Part):
    """How anomalies of this workload are looked for."""

    enabled: bool = Field(
        default=True,
        description="Whether anomalies are looked for; without, scaling works on as if nothing were abnormal.",
        examples=[False],
    )
    false_pages_per_week: float = Field(
        default=1.0,
        ge=0,
        le=MOST_FALSE_PAGES,
        allow_inf_nan=False,
        description="False pages a week that are accepted; 0 = never page, severity only. Default 1.",
        examples=[0.25],
    )


def to_signal(signal: SignalSpec) -> Signal:
    return Signal(signal.name, signal.source, signal.query, SignalKind(signal.kind))


def to_watching(anomalies: AnomaliesSpec | None) -> Watching:
    return Watching() if anomalies is None else Watching(anomalies.enabled, anomalies.false_pages_per_week)
