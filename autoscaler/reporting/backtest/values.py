"""What a backtest tells, ready to be shown; None = not to be told, and the row says why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from autoscaler.domain.series import Bools, Floats


@dataclass(frozen=True, slots=True)
class Sizing:
    """What sizing by margin × Q.95 of this model cost. over_bound: replica-hours over the clairvoyant's."""

    over_bound: float | None
    short_share: float | None
    replica_hours: float


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model on one series and window, or over many. relative: its loss over the baseline's. coverages: by level.

    why: the reason where there are no figures. beats_baseline, beats_us: of how many series, where there are several.
    """

    model: str
    ours: bool
    baseline: bool
    loss: float | None = None
    relative: float | None = None
    mase: float | None = None
    peak_coverage: tuple[float, ...] = ()
    step_coverage: tuple[float, ...] = ()
    size: float | None = None
    sizing: Sizing | None = None
    why: str | None = None
    against_us: float | None = None
    beats_baseline: tuple[int, int] | None = None
    beats_us: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A stretch of time: demand by step and, at each origin, the quantiles of the coming peak and what came.

    first_step: absolute, of `demand`. at: [origin], steps after it. median, high: [origin], ours at .5 and at
    `high_level`. other: the baseline's at `high_level`. unknown: [step].
    """

    step_s: int
    first_step: int
    demand: Floats
    unknown: Bools
    at: Floats
    median: Floats
    high: Floats
    other: Floats
    peak: Floats
    high_level: float


@dataclass(frozen=True, slots=True)
class Part:
    """One series and one window. rows: ours first, then by loss. origins: that were scored."""

    series: str
    start: datetime
    end: datetime
    scored_from: datetime
    step_s: int
    every_s: int
    horizon_s: int
    origins: int
    levels: tuple[float, ...]
    rows: tuple[ModelRow, ...]
    stretch: Stretch | None


@dataclass(frozen=True, slots=True)
class PooledPart:
    """All series of one window."""

    horizon_s: int
    series: int
    levels: tuple[float, ...]
    rows: tuple[ModelRow, ...]


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """pooled: empty for a single series. notes: what was assumed, left out or not there, in words."""

    title: str
    baseline: str
    parts: tuple[Part, ...]
    pooled: tuple[PooledPart, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    took_s: float
