"""The advice as objects to apply: a MetricsSource, and a PredictiveAutoscaler per judged workload, in Advise mode."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from typing import Any

from ruamel.yaml import YAML

from autoscaler.bootstrap.advise.advice import Advised
from autoscaler.domain.workload import Actuation
from autoscaler.spec.compile import PrometheusSource
from autoscaler.spec.kinds import API_VERSION

SOURCE = "prometheus"
ROUNDING = 1e-6
"""Thousandths that a float may be below what it was meant to be."""


def manifest(source: PrometheusSource, judged: Iterable[Advised], risk: str) -> str:
    """YAML that `foresail once` and `foresail run` read. risk: as typed."""
    printer = _printer()
    text = io.StringIO()
    text.write("# Written by `foresail advise`. mode: Advise decides and records; nothing is written to the cluster.\n")
    printer.dump(_source(source), text)
    for one in judged:
        text.write("---\n")
        for line in _comments(one):
            text.write(f"# {line}\n")
        printer.dump(_autoscaler(one, risk), text)
    return text.getvalue()


def autoscaler_text(one: Advised, risk: str) -> str:
    """The PredictiveAutoscaler alone."""
    text = io.StringIO()
    _printer().dump(_autoscaler(one, risk), text)
    return text.getvalue()


def _printer() -> YAML:
    printer = YAML(typ="rt", pure=True)
    printer.default_flow_style = False
    printer.width = 10_000
    return printer


def _source(source: PrometheusSource) -> dict[str, Any]:
    server: dict[str, Any] = {"url": source.url}
    if source.headers:
        server["headers"] = dict(source.headers)
    if source.params:
        server["params"] = dict(source.params)
    if source.bearer_token_file is not None:
        server["bearerTokenFile"] = str(source.bearer_token_file)
    if source.basic_user is not None:
        server["basicAuth"] = {"username": source.basic_user, "passwordFile": str(source.basic_password_file)}
    if source.ca_file is not None:
        server["tls"] = {"caFile": str(source.ca_file)}
    spec = {"prometheus": server}
    return {"apiVersion": API_VERSION, "kind": "MetricsSource", "metadata": {"name": SOURCE}, "spec": spec}


def _comments(one: Advised) -> list[str]:
    lines = [f"confidence {one.confidence.value}" + "".join(f"; {d.words}" for d in one.case.doubts)]
    lines.append(f"capacity: {one.case.capacity.words}; put your own number here if you have measured it")
    if one.simulated.target is not None:
        lines.append(f"the saving needs your HPA's target raised to {one.simulated.target} %; we never write it")
    return [" ".join(line.split()) for line in lines]


def _autoscaler(one: Advised, risk: str) -> dict[str, Any]:
    load = one.case.workload
    demand = load.demands[0]
    spec: dict[str, Any] = {
        "target": {"apiVersion": load.target.api_version, "kind": load.target.kind, "name": load.target.name},
        "mode": "Advise",
        "actuation": load.actuation.value,
    }
    if load.actuation is Actuation.SCALE:
        spec["acknowledge"] = ["NoReactiveBackup"]
    spec |= {
        "demands": [
            {
                "name": demand.name,
                "source": SOURCE,
                "query": demand.query,
                "capacity": {"perReplica": quantity_words(demand.known_capacity)},
            }
        ],
        "objective": {"risk": risk},
        "replicas": {"min": load.min_replicas, "max": load.max_replicas},
        "lead": {"ready": f"{math.ceil(load.lead.ready_s)}s"},
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "PredictiveAutoscaler",
        "metadata": {"name": load.ref.name, "namespace": load.ref.namespace},
        "spec": spec,
    }


def quantity_words(value: float) -> str:
    """A Kubernetes quantity of three digits or more, never more than the value."""
    if value >= 1000:
        return str(math.floor(value))
    return f"{max(1, math.floor(value * 1000 + ROUNDING))}m" if value < 100 else f"{math.floor(value * 10) / 10:g}"
