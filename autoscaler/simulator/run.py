"""Runs: the live pipeline's two halves over recorded demand, against the cluster twin, step by step.

The same `foresee` and `decide` as the service; only ports and clock are twins. A block of origins is foreseen
at once, which a property test proves to be the same as single ticks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autoscaler.actuation.requests import requests
from autoscaler.domain.decision import Decisions
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.forecast import LEVELS, SIZING_LEVEL
from autoscaler.domain.series import Floats, Ints, Panel, anywhere
from autoscaler.domain.workload import Mode
from autoscaler.forecasting.serving import PeakServer
from autoscaler.guards.contract import Guard
from autoscaler.pipeline.decide import decide
from autoscaler.pipeline.foresee import foresee
from autoscaler.pipeline.state import LoopState
from autoscaler.planning.need import Needs
from autoscaler.ports.anomalies import AnomalyDetector
from autoscaler.simulator.cluster import MemoryCluster
from autoscaler.simulator.postponed import PostponedCluster
from autoscaler.simulator.runlog import UNKNOWN, RunLog

_COUNTS = ("current", "wanted", "granted", "ready", "running", "sizing", "reason_bits", "failed_bits", "nodes")

Watcher = Callable[[Decisions], None]


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Demand of a fleet's rows: what was offered, and what the metrics said about it."""

    offered: Panel
    seen: Panel

    @property
    def step_s(self) -> int:
        return self.seen.step_s


class Journal:
    """Columns of a run over lanes, filled step by step; `log` cuts out one lane."""

    def __init__(self, fleet: Fleet, recording: Recording, first_step: int, steps: int, guards: Sequence[str]) -> None:
        self._fleet, self._recording, self._first, self._guards = fleet, recording, first_step, tuple(guards)
        lanes = len(fleet)
        self._counts = {name: np.full((lanes, steps), UNKNOWN, dtype=np.int64) for name in _COUNTS}
        self._numbers = {name: np.full((lanes, steps), np.nan) for name in ("p50", "p95", "margin")}
        self._held = np.zeros((lanes, steps), dtype=np.bool_)

    def served(self, step: int, cluster: MemoryCluster) -> None:
        self._counts["ready"][:, step - self._first] = cluster.ready
        self._counts["running"][:, step - self._first] = cluster.desired
        if cluster.settings.nodes is not None:
            self._counts["nodes"][:, step - self._first] = cluster.nodes

    def decided(self, step: int, decisions: Decisions) -> None:
        at, seen = step - self._first, decisions.seen
        first_rows = self._fleet.row_start
        acted = decisions.trace.changed
        self._counts["current"][:, at] = decisions.proposals.current
        self._counts["wanted"][:, at] = decisions.wanted
        self._counts["granted"][:, at] = decisions.granted
        self._counts["sizing"][:, at] = decisions.sizing
        self._counts["reason_bits"][:, at] = decisions.reason_bits() if acted else 0
        self._counts["failed_bits"][:, at] = _failed_bits(decisions) if acted else 0
        self._numbers["margin"][:, at] = decisions.margin
        self._numbers["p50"][:, at] = seen.quantiles[first_rows, 0]
        self._numbers["p95"][:, at] = seen.quantiles[first_rows, LEVELS.index(SIZING_LEVEL)]
        self._held[:, at] = decisions.held

    def log(self, lane: int, name: str, end_step: int) -> RunLog:
        """One lane up to end_step; demand and quantiles are those of its first demand."""
        row, n = int(self._fleet.row_start[lane]), end_step - self._first
        rows = np.array([row])
        columns: dict[str, Any] = {k: v[lane, :n] for k, v in (self._counts | self._numbers).items()}
        return RunLog(
            name=name,
            step_s=self._recording.step_s,
            first_step=self._first,
            capacity=float(self._fleet.capacity[row]),
            guards=self._guards,
            demand=self._recording.offered.columns(self._first, end_step, rows)[0],
            seen=self._recording.seen.columns(self._first, end_step, rows)[0],
            held=self._held[lane, :n],
            **columns,
        )


def _failed_bits(decisions: Decisions) -> Ints:
    """[lane], bit g set where guard g raised."""
    bits = np.zeros(len(decisions), dtype=np.int64)
    for g, step in decisions.trace.changed:
        if anywhere(step.failed):
            bits |= step.failed.astype(np.int64) << g
    return bits


@dataclass(slots=True)
class Run:
    """One simulated service over one recording.

    Lanes with an HPA whose service is absent (`guards` empty and no decisions) are the plain rival.
    first_step: of the run; where it is the recording's own first step, the first decisions know nothing at all.
    actuation_delay_steps: until what was written takes effect; the lead of `cluster` starts then. keys, learn: see
    `foresee`. detector: says what is abnormal at each step, None = nobody does.
    """

    fleet: Fleet
    recording: Recording
    cluster: MemoryCluster
    first_step: int
    end_step: int
    server: PeakServer | None = None
    guards: Sequence[Guard] = ()
    data_delay_steps: int = 0
    actuation_delay_steps: int = 0
    block_steps: int = 1440
    watch: Watcher | None = None
    keys: Sequence[str] | None = None
    detector: AnomalyDetector | None = None
    learn: Panel | None = None

    def __post_init__(self) -> None:
        acting = tuple(replace(w, mode=Mode.ACT) for w in self.fleet.workloads)
        self.fleet = Fleet(acting)

    def blocks(self) -> Iterator[tuple[Journal, int]]:
        """Run on, block by block; each time the journal so far and the first step not yet run."""
        fleet, step_s = self.fleet, self.recording.step_s
        journal = Journal(
            fleet, self.recording, self.first_step, self.end_step - self.first_step, [g.name for g in self.guards]
        )
        state = LoopState.fresh(fleet, step_s)
        demand = self._demand_of_lanes()
        written = PostponedCluster(self.cluster, self.actuation_delay_steps)
        for low in range(self.first_step, self.end_step, self.block_steps):
            count = min(self.block_steps, self.end_step - low)
            foresight = needs = None
            if self.server is not None:
                foresight = foresee(
                    self.recording.seen, fleet, self.server, low,
                    origins=count, data_delay_steps=self.data_delay_steps, keys=self.keys, learn=self.learn,
                )  # fmt: skip
                needs = Needs.of(fleet, foresight)
            abnormal = None if self.detector is None else self.detector.judge(self.recording.seen, fleet, low, count)
            for origin in range(count):
                step = low + origin
                now_s = float(step * step_s)
                written.begin(step)
                if foresight is not None and needs is not None:
                    status = written.observe(fleet)
                    decisions, state = decide(
                        fleet, foresight.at(origin), status, state, self.guards, now_s=now_s, needs=needs.at(origin),
                        anomalies=None if abnormal is None else abnormal.at(origin),
                    )  # fmt: skip
                    written.apply(fleet, requests(decisions), now_s)
                    journal.decided(step, decisions)
                    if self.watch is not None:
                        self.watch(decisions)
                self.cluster.sync_hpas(now_s, demand[:, step - self.first_step])
                journal.served(step, self.cluster)
            yield journal, low + count

    def finish(self, names: Sequence[str] | None = None) -> tuple[RunLog, ...]:
        """Run to the end; one log per lane."""
        if self.end_step <= self.first_step:
            raise ValueError(f"nothing to run: steps {self.first_step} to {self.end_step}")
        *_, (journal, end) = self.blocks()
        labels = names or [str(w.ref) for w in self.fleet.workloads]
        return tuple(journal.log(lane, label, end) for lane, label in enumerate(labels))

    def _demand_of_lanes(self) -> Floats:
        """[lane, step], what an HPA sees at each step: the first demand's newest completed step, NaN in a gap."""
        rows = self.fleet.row_start
        delay = 1 + self.data_delay_steps
        return self.recording.seen.columns(self.first_step - delay, self.end_step - delay, rows)
