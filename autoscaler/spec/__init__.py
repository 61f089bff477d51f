"""The kinds that users write, their validation with places and remedies, and their compilation to the domain."""

from autoscaler.spec.compile import PrometheusSource, Recording, Source, to_workload
from autoscaler.spec.fleet import LoadedFleet, ObjectRef, PartialLoad
from autoscaler.spec.kinds import API_VERSION, KINDS, MetricsSource, PredictiveAutoscaler
from autoscaler.spec.reader import load, load_valid, parse_text, parse_text_valid
from autoscaler.spec.schema import json_schema

__all__ = [
    "API_VERSION",
    "KINDS",
    "LoadedFleet",
    "MetricsSource",
    "ObjectRef",
    "PartialLoad",
    "PredictiveAutoscaler",
    "PrometheusSource",
    "Recording",
    "Source",
    "json_schema",
    "load",
    "load_valid",
    "parse_text",
    "parse_text_valid",
    "to_workload",
]
