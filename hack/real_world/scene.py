"""Demand to compare under: a recorded match day, or the synthetic shop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from autoscaler.adapters.traces import read_trace
from autoscaler.domain.series import Floats
from autoscaler.simulator.shop import LABEL, shop_load
from hack.real_world.constants import STEP_S

DAY = 86400 // STEP_S
BEFORE = 14 * DAY
BUSIEST = 40
WORLD_CUP = Path(__file__).parents[2].parent / "shared" / "data" / "workloads" / "worldcup98_1min.parquet"


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """demand: [step] from first_step on, requests/s. Known at start_step: the fourteen days before it.

    Between start_step and score_step the worlds come into their stride; then they are scored, up to end_step.
    """

    name: str
    first_step: int
    start_step: int
    score_step: int
    end_step: int
    demand: Floats
    capacity: float

    def at(self, step: int) -> float:
        """Steps beyond the end have the demand of the last one."""
        return float(self.demand[min(step - self.first_step, len(self.demand) - 1)])

    @property
    def minutes(self) -> int:
        return (self.end_step - self.score_step) * STEP_S // 60


def step_of(moment: str) -> int:
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()) // STEP_S


def time_of(step: float) -> datetime:
    return datetime.fromtimestamp(step * STEP_S, UTC)


def match_day(start: str, minutes: int, warm: int = 15) -> Scene:
    """The 1998 World Cup from `start` on. The fourteen days before say what a replica serves: their 99.9th percentile
    needs BUSIEST of them.
    """
    trace = read_trace(WORLD_CUP)
    score = step_of(start)
    first = score - warm - BEFORE
    cut = trace.values[first - trace.first_step : score + minutes - trace.first_step] / 60
    capacity = float(np.quantile(cut[:BEFORE], 0.999) / BUSIEST)
    return Scene(f"1998 World Cup, {start}", first, score - warm, score, score + minutes, cut, capacity)


def shop(start: str, minutes: int, warm: int = 10, capacity: float = 45.0) -> Scene:
    score = step_of(start)
    first = score - warm - BEFORE
    demand = shop_load(first, BEFORE + warm + minutes).demand
    return Scene(f"{LABEL}, {start}", first, score - warm, score, score + minutes, demand, capacity)
