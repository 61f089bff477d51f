"""What a simulated run leaves behind for one lane: one row per step, and the figures read from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.series import Bools, Floats, Ints

UNKNOWN = -1
"""Stands in the integer columns where nothing was decided yet."""


@dataclass(frozen=True, slots=True, eq=False)
class RunLog:
    """One lane over consecutive steps; all arrays are [step].

    demand: what was offered during the step (NaN = nobody knows). seen: what the metrics said (NaN = gap).
    current, wanted, granted: decided at the start of the step (for a floor: floors). ready: replicas that
    served during the step. p50, p95: quantiles of the coming peak (NaN = no forecast). margin: on p95.
    reason_bits: bit g = guard g acted (`guards` names them). held: some guard held. running: ready replicas and
    those that are starting. sizing: index into SIZING_REASONS, where `wanted` came from. failed_bits: bit g =
    guard g raised. nodes: that are there, UNKNOWN where none are simulated.
    """

    name: str
    step_s: int
    first_step: int
    capacity: float
    guards: tuple[str, ...]
    demand: Floats
    seen: Floats
    current: Ints
    wanted: Ints
    granted: Ints
    ready: Ints
    p50: Floats
    p95: Floats
    margin: Floats
    reason_bits: Ints
    held: Bools
    running: Ints | None = None
    sizing: Ints | None = None
    failed_bits: Ints | None = None
    nodes: Ints | None = None

    @property
    def steps(self) -> int:
        return int(self.demand.shape[0])

    def after(self, step: int) -> RunLog:
        """The same run without its first `step` steps (a warm-up)."""
        arrays = {
            name: getattr(self, name)[step:] for name in self.__slots__ if isinstance(getattr(self, name), np.ndarray)
        }
        rest = {name: getattr(self, name) for name in self.__slots__ if name not in arrays}
        return RunLog(**(rest | arrays | {"first_step": self.first_step + step}))

    @property
    def short(self) -> Bools:
        """[step], demand above what the ready replicas serve; unknown demand is never counted as short."""
        return np.nan_to_num(self.demand, nan=-np.inf) > self.ready * self.capacity * (1 + 1e-9)

    def figures(self) -> Figures:
        """Both sides of the bargain, over the steps with known demand where demand matters."""
        known = ~np.isnan(self.demand)
        hours = self.step_s / 3600
        unserved = np.clip(np.nan_to_num(self.demand) - self.ready * self.capacity, 0, None)[self.short]
        total = float(np.nansum(self.demand))
        return Figures(
            replica_hours=float(self.ready[known].sum() * hours),
            short_minutes=float(self.short.sum() * self.step_s / 60),
            short_share=float(self.short.sum() / max(1, int(known.sum()))),
            unserved_share=float(unserved.sum() / total) if total else 0.0,
            longest_short_minutes=_longest(self.short) * self.step_s / 60,
            churn_per_hour=float(np.abs(np.diff(self.ready)).sum() / max(hours * self.steps, hours)),
            known_hours=float(known.sum() * hours),
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """replica_hours and shortage always stand together: one without the other says nothing."""

    replica_hours: float
    short_minutes: float
    short_share: float
    unserved_share: float
    longest_short_minutes: float
    churn_per_hour: float
    known_hours: float


def _longest(flags: Bools) -> int:
    """Length of the longest run of True."""
    edges = np.diff(np.concatenate(([0], flags.astype(np.int8), [0])))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return int((ends - starts).max(initial=0))
