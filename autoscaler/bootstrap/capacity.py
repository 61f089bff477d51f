"""What one replica serves, from recorded series: brought to five minutes of one replica, then learned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from autoscaler.domain.errors import Refused
from autoscaler.domain.series import Floats, time_of
from autoscaler.planning.capacity import Seen, curves, learned
from autoscaler.reporting.capacity import CapacityAnswer

BLOCK_S: Final = 300
LEAST_KNOWN: Final = 0.5
"""Share of a block's steps that have to be known; fewer, and it is unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One recorded series. values: [step] from absolute step first_step on, NaN = unknown. name: for complaints."""

    name: str
    step_s: int
    first_step: int
    values: Floats

    @property
    def first_block(self) -> int:
        return self.first_step * self.step_s // BLOCK_S

    @property
    def end_block(self) -> int:
        return math.ceil((self.first_step + len(self.values)) * self.step_s / BLOCK_S)


@dataclass(frozen=True, slots=True)
class CapacityQuestion:
    """limit: of the resource, per replica. summed: the resource is that of all replicas together, as a sum of CPU; else
    of one, as a mean or a latency. new_image: since when pods of another template run; None = all the time.
    """

    limit: float
    summed: bool = False
    new_image: datetime | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.limit) and self.limit > 0):
            raise Refused(
                f"the limit {self.limit:g} must be a positive number: the resource at which a replica is full"
            )


def capacity_of(
    question: CapacityQuestion, load: Row, resource: Row, replicas: Row | None = None, breach: Row | None = None
) -> CapacityAnswer:
    """replicas: Ready ones, by which load (and a summed resource) are divided; None = both are of one replica already.
    breach: above zero where the SLO was not kept.

    Raises Refused where the series cannot be laid side by side; a record that shows no capacity is an answer.
    """
    if question.summed and replicas is None:
        raise Refused("a resource that is summed over all replicas needs the replicas to divide it by")
    given = [row for row in (load, resource, replicas, breach) if row is not None]
    for row in given:
        if BLOCK_S % row.step_s:
            raise Refused(f"{row.name}: a step of {row.step_s} s; it has to be a whole part of five minutes")
    first, end = max(r.first_block for r in given), min(r.end_block for r in given)
    if end <= first:
        spans = ", ".join(f"{r.name} {_day(r.first_block)} to {_day(r.end_block)}" for r in given)
        raise Refused(f"the series share no time: {spans}")
    of_load, of_resource = _means(load, first, end), _means(resource, first, end)
    if replicas is not None:
        ready = _most(replicas, first, end)
        of_load = of_load / ready
        of_resource = of_resource / ready if question.summed else of_resource
    for row, values in ((load, of_load), (resource, of_resource)):
        if (values < 0).any():
            raise Refused(f"{row.name}: a negative value; a load and a resource are not negative")
    marks = np.zeros(end - first, dtype=np.bool_)
    if breach is not None:
        marks = np.nan_to_num(_blocks(breach, first, end)).max(axis=1) > 0
    new_from = 0
    if question.new_image is not None:
        new_from = min(max(0, math.ceil(question.new_image.timestamp() / BLOCK_S) - first), end - first)
    seen = Seen(
        of_load[None, :], of_resource[None, :], np.array([question.limit]), marks[None, :],
        np.array([new_from], dtype=np.int64),
    )  # fmt: skip
    return CapacityAnswer(learned(seen)[0], curves(seen), seen, time_of(first, BLOCK_S), time_of(end, BLOCK_S))


def _blocks(row: Row, first: int, end: int) -> Floats:
    """[block, step], NaN where nothing is on record."""
    per = BLOCK_S // row.step_s
    wide = np.full((end - first) * per, np.nan)
    begin = row.first_step - first * per
    low, high = max(begin, 0), min(begin + len(row.values), len(wide))
    wide[low:high] = row.values[low - begin : high - begin]
    return wide.reshape(-1, per)


def _means(row: Row, first: int, end: int) -> Floats:
    blocks = _blocks(row, first, end)
    known = np.isfinite(blocks)
    count = known.sum(axis=1)
    enough = count >= LEAST_KNOWN * blocks.shape[1]
    return np.where(enough, np.where(known, blocks, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)


def _most(row: Row, first: int, end: int) -> Floats:
    """[block], the most replicas in it or at the end of the one before: a start or a stop never looks like a feat."""
    blocks = _blocks(row, first, end)
    most = np.fmax.reduce(blocks, axis=1)
    most = np.fmax(most, np.concatenate(([np.nan], blocks[:-1, -1])))
    return np.where(most > 0, most, np.nan)


def _day(block: int) -> str:
    return f"{time_of(block, BLOCK_S):%Y-%m-%d %H:%M}"
