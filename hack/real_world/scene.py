"""Demand to compare under: a recorded match day, or the synthetic shop."""

from __future__ import annotations

from dataclasses import dataclass, replace
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


SALE_FACTOR, SALE_RISE_S, SALE_LENGTH_S = 2.2, 240, 25 * 60
CROWD_FACTOR, CROWD_RISE_S, CROWD_FADE_S = 2.0, 180, 6 * 60
SALE_HOUR, CROWD_AFTER_S = 12, 38 * 60


def sale_day(warm: int = 8, minutes: int = 60) -> Scene:
    """SYNTHETIC: the shop with a sale that opens at noon every day, and on one day a flash crowd 38 minutes later.

    The ramp of the sale is steep and has happened before; the crowd has not.
    """
    made = shop("2026-06-12T11:56", minutes, warm)
    at_s = (made.first_step + np.arange(len(made.demand)) + 0.5) * STEP_S
    since = at_s % 86400 - SALE_HOUR * 3600
    sale = np.clip(np.minimum(since / SALE_RISE_S, (SALE_LENGTH_S - since) / SALE_RISE_S), 0, 1)
    alone = at_s - (made.score_step * STEP_S // 86400 * 86400 + SALE_HOUR * 3600 + CROWD_AFTER_S)
    crowd = np.clip(alone / CROWD_RISE_S, 0, 1) * np.exp(-np.clip(alone - CROWD_RISE_S, 0, None) / CROWD_FADE_S)
    demand = made.demand * (1 + (SALE_FACTOR - 1) * sale) * (1 + (CROWD_FACTOR - 1) * crowd)
    return replace(made, name=f"{LABEL}: daily sale at noon, flash crowd at 12:38", demand=demand)
