"""What a source has on record of each candidate: demand step by step, and every five minutes what tells its limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from autoscaler.adapters.prometheus.reader import PAST_STEPS, PrometheusReader
from autoscaler.bootstrap.advise.candidates import Candidate
from autoscaler.domain.errors import Refused, SourceDown
from autoscaler.domain.series import DataVerdict, Floats, SeriesBatch
from autoscaler.domain.workload import Demand

BLOCK_S: Final = 300
STEPS_S: Final = (15, 30, 60, 300)
"""Whole parts of a block; what a coarse one changes is measured in docs/advise.md."""
AT_ONCE: Final = 16
"""Queries per load: as often is told how far we are, and a source that is gone is noticed."""
DOWN: Final = frozenset({DataVerdict.UNREACHABLE, DataVerdict.THROTTLED})
LATE_BLOCKS: Final = PAST_STEPS + 1
"""The newest blocks are left out: nobody decides on them, and the reader need not ask how fresh they are."""

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Window:
    """Absolute steps [first, end) of step_s seconds; both on whole blocks of five minutes."""

    first: int
    end: int
    step_s: int

    @property
    def per_block(self) -> int:
        return BLOCK_S // self.step_s

    @staticmethod
    def of(now_s: float, days: float, step_s: int) -> Window:
        if step_s not in STEPS_S:
            raise Refused(f"--step {step_s}s is not one of {', '.join(f'{s}s' for s in STEPS_S)}")
        end = int(now_s // BLOCK_S) * (BLOCK_S // step_s)
        return Window(end - int(days * 86400 // BLOCK_S) * (BLOCK_S // step_s), end, step_s)


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """demand: [step], NaN = unknown. verdict: the worst that speaks against a step, note: its words.

    [block], NaN = unknown: ready and wanted replicas; cpu_cores of all pods; throttled, share of their CPU periods.
    """

    demand: Floats
    verdict: DataVerdict
    note: str
    ready: Floats
    wanted: Floats
    cpu_cores: Floats
    throttled: Floats


def read(
    reader: PrometheusReader, some: Sequence[Candidate], window: Window, progress: Progress | None = None
) -> tuple[Record, ...]:
    """Raises SourceDown where the source does not answer at all."""
    blocks = Window(window.first // window.per_block, window.end // window.per_block, BLOCK_S)
    asked = [_block_queries(one) for one in some]
    distinct = sorted({q for of_one in asked for q in of_one if q})
    # a demand step by step costs about as much as all that is asked about it every five minutes
    total = len(some) * window.per_block + len(distinct)
    said = progress or (lambda _share: None)
    demands = _load(reader, [c.query for c in some], window, lambda n: said(n * window.per_block / total))
    before = len(some) * window.per_block
    coarse = _load(reader, distinct, blocks, lambda n: said((before + n) / total), late=LATE_BLOCKS)
    unknown = np.full(blocks.end - blocks.first, np.nan)
    found = []
    for one, queries in zip(some, asked, strict=True):
        values, verdicts, note = demands[one.query]
        ready, wanted, cpu, throttled = (coarse[q][0] if q else unknown for q in queries)
        found.append(Record(values, DataVerdict(int(verdicts.max(initial=0))), note, ready, wanted, cpu, throttled))
    return tuple(found)


def _block_queries(one: Candidate) -> tuple[str, str, str, str]:
    if one.pods is None:
        return "", "", "", ""
    ready, wanted = one.pods.replicas("ready"), one.pods.replicas("wanted")
    return ready, wanted, one.pods.cpu_cores(BLOCK_S), one.pods.throttled_share(BLOCK_S)


Row = tuple[Floats, np.ndarray, str]


def _load(
    reader: PrometheusReader, queries: Sequence[str], window: Window, said: Callable[[int], None], late: int = 0
) -> dict[str, Row]:
    """late: newest steps that are not asked for, and unknown."""
    rows: dict[str, Row] = {}
    end = max(window.first, window.end - late)
    wide = window.end - window.first
    for low in range(0, len(queries), AT_ONCE):
        part = queries[low : low + AT_ONCE]
        batch = reader.load([Demand("demand", "prometheus", q, 1.0) for q in part], window.first, end, window.step_s)
        _check(batch)
        for k, query in enumerate(part):
            values = np.full(wide, np.nan)
            values[: batch.values.shape[1]] = batch.values[k]
            rows[query] = values, batch.verdicts[k], batch.notes.get(k, "")
        said(low + len(part))
    return rows


def _check(batch: SeriesBatch) -> None:
    """One query that is not answered is its own loss; a source that answers none of them is down."""
    if not batch.values.size:
        raise Refused("the range holds no whole step; ask for more --days")
    worst = batch.verdicts.max(axis=1)
    if all(DataVerdict(int(v)) in DOWN for v in worst):
        verdict = DataVerdict(int(worst[0]))
        note = next(iter(batch.notes.values()), "")
        raise SourceDown(f"{verdict.words}{f' ({note})' if note else ''}; look at the source, then ask again")
