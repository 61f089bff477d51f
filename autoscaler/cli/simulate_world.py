"""What `foresail simulate` is told about the cluster: times to Ready, nodes, delays, the HPA and failing starts."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from autoscaler.bootstrap.worlds import World
from autoscaler.cli.inputs import seconds
from autoscaler.domain.errors import Refused
from autoscaler.domain.workload import Actuation
from autoscaler.simulator.nodes import NodeSettings
from autoscaler.simulator.starts import ReadySpread

USUAL_TARGET = 70
USUAL_NODE_S = 120.0
MOST_ON_A_NODE = 10_000
_QUANTILE = re.compile(r"\s*(p[0-9]+)\s*=\s*(\S+)\s*", re.ASCII)
_SPREAD = 'write "p50=90s,p95=240s", or one time such as 180s'


@dataclass(frozen=True, slots=True)
class WorldOptions:
    """As typed; None = not given."""

    lead: str | None
    data_delay: str
    actuation_delay: str
    hpa_target: int | None
    start_failure: str
    seed: int
    node_replicas: int | None
    spare_nodes: int | None
    node_ready: str | None


def lead_of(text: str) -> tuple[float, ReadySpread | None]:
    """Seconds that are planned with, and how replicas spread around them: "180s", or "p50=90s,p95=240s"."""
    if "=" not in text and "," not in text:
        return seconds("--lead", text), None
    found: dict[str, float] = {}
    for part in text.split(","):
        match = _QUANTILE.fullmatch(part)
        if match is None or match[1] not in {"p50", "p95"} or match[1] in found:
            raise Refused(f"--lead {text!r}: {part.strip()!r} is neither p50=… nor p95=…, each once; {_SPREAD}")
        found[match[1]] = seconds(f"--lead {match[1]}", match[2])
    for name in ("p50", "p95"):
        if name not in found:
            raise Refused(f"--lead {text!r}: {name} is missing; {_SPREAD}")
    if found["p50"] <= 0:
        raise Refused(f"--lead {text!r}: a median of zero has no spread around it; {_SPREAD}")
    if found["p95"] < found["p50"]:
        raise Refused(
            f"--lead {text!r}: p95 is below p50, but 95 % of the replicas cannot be Ready sooner than half of them; "
            "swap the two"
        )
    return found["p95"], ReadySpread(found["p50"], found["p95"])


def world_of(options: WorldOptions, actuation: Actuation, notes: list[str]) -> World:
    """Everything but the warm-up, which depends on the record; what is assumed is noted."""
    target = options.hpa_target
    if target is not None and not actuation.is_floor:
        raise Refused("--hpa-target needs --actuation HpaFloor: under Scale there is no HPA")
    if target is not None and not 1 <= target <= 100:
        raise Refused(f"--hpa-target {target} must be a percentage from 1 to 100")
    if actuation.is_floor and target is None:
        notes.append(f"HPA at its usual target of {USUAL_TARGET} % (type --hpa-target)")
    data_s = seconds("--data-delay", options.data_delay)
    acts_s = seconds("--actuation-delay", options.actuation_delay)
    for seconds_, what in ((data_s, "data delay"), (acts_s, "actuation delay")):
        if not seconds_:
            notes.append(f"no {what}")
    spread = None if options.lead is None else lead_of(options.lead)[1]
    if spread is not None:
        notes.append(
            f"each replica draws its time to Ready: log-normal with p50 {spread.p50_s:g} s and p95 {spread.p95_s:g} s; "
            "the p95 is planned with"
        )
    return World(
        data_delay_s=data_s,
        actuation_delay_s=acts_s,
        hpa_target=target or USUAL_TARGET,
        start_failure=_failing(options.start_failure),
        seed=options.seed,
        spread=spread,
        nodes=_nodes(options, notes),
    )


def _nodes(options: WorldOptions, notes: list[str]) -> NodeSettings | None:
    holds, spares = options.node_replicas, options.spare_nodes
    if holds is None:
        for value, name in ((spares, "--spare-nodes"), (options.node_ready, "--node-ready")):
            if value is not None:
                raise Refused(f"{name} needs --node-replicas: how many replicas one node holds")
        notes.append("replicas always find room on a node (type --node-replicas)")
        return None
    if not 1 <= holds <= MOST_ON_A_NODE:
        raise Refused(f"--node-replicas {holds} must be 1 to {MOST_ON_A_NODE:,}: the replicas that one node holds")
    if spares is not None and not 0 <= spares <= MOST_ON_A_NODE:
        raise Refused(f"--spare-nodes {spares} must be 0 to {MOST_ON_A_NODE:,}: empty nodes kept ready")
    ready_s = USUAL_NODE_S if options.node_ready is None else seconds("--node-ready", options.node_ready)
    if options.node_ready is None:
        notes.append(f"a new node is there after {USUAL_NODE_S:g} s (type --node-ready)")
    nodes = NodeSettings(holds, spares or 0, ready_s)
    if nodes.spares:
        notes.append("with spare nodes a start is planned to find room: the wait for a node is not in the planned lead")
    else:
        notes.append(f"without --spare-nodes a start is planned to wait for a node: {ready_s:g} s of the planned lead")
    return nodes


def _failing(text: str) -> float:
    """0.05 for "5%" and for "0.05"."""
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise Refused(f"--start-failure {text!r} is not a share of replicas; write a percentage such as 1%")
    return share
