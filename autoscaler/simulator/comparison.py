"""Us beside every rival on the same recording: each rival's ladder, and its rungs that a reader would choose.

All stand in the same world: requests take effect after the actuation delay, new replicas serve after the lead, the
newest samples are hidden for the data delay, and only observed steps are scored and paid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np

from autoscaler.domain.series import Floats, Ints
from autoscaler.simulator.figures import Asked, Scores, Served, score
from autoscaler.simulator.rivals.catalogue import all_requested, rivals
from autoscaler.simulator.rivals.contract import TARGETS, World
from autoscaler.simulator.rivals.score import LadderScores, ready
from autoscaler.simulator.rivals.score import score as score_ladder
from autoscaler.simulator.rivals.tuned import frontier, in_hindsight, paid_at, rungs_by_day

LEVELS: Final = (0.001, 0.005, 0.01, 0.02)
"""Shares of short steps at which costs are compared."""

Progress = Callable[[float], None]
Replay = Callable[[Ints], Ints]
"""Requests [lane, step] when they take effect → replicas that served [lane, step], in a world of varying starts."""


class Tuning(StrEnum):
    """Who chose the knob. AS_SET: the user; DEFAULT: the method's authors; HINDSIGHT: the cheapest rung that kept the
    risk over the scored part, which nobody can know before; CAUSAL: re-tuned each midnight on the last 14 days.
    """

    AS_SET = "as set"
    DEFAULT = "default"
    HINDSIGHT = "hindsight"
    CAUSAL = "causal"


@dataclass(frozen=True, slots=True)
class Setting:
    """The world's delays, in whole steps. delay: the newest samples that are not in. acting: from a request until it
    takes effect. starting: from then until a replica is ready.
    """

    delay: int = 0
    acting: int = 0
    starting: int = 0

    def __post_init__(self) -> None:
        if min(self.delay, self.acting, self.starting) < 0:
            raise ValueError(f"delays are zero or more steps: {self}")

    @property
    def lead(self) -> int:
        return self.acting + self.starting


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """One method over its own knob. scores: of every rung, in the order of `knobs`."""

    name: str
    knobs: tuple[float, ...]
    default: int
    scores: LadderScores

    def curve(self) -> tuple[tuple[float, float, float], ...]:
        """(knob, share of short steps, replica-hours over the clairvoyant's) of the rungs that nothing beats."""
        over = self.scores.over_bound
        return tuple((self.knobs[r], float(self.scores.short[r]), float(over[r])) for r in frontier(self.scores))

    def over_bound_at(self, share: float) -> float | None:
        """Cost over the clairvoyant's at this share of short steps; None where the curve does not reach it."""
        paid = paid_at(self.scores, share)
        return None if paid is None or not self.scores.bound_hours else paid / self.scores.bound_hours


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One line of the table. knob: None where it changes from day to day or there is none."""

    name: str
    tuning: Tuning
    knob: float | None
    served: Served
    scores: Scores


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """ours: with the risk that was asked for; `curve` is our ladder over that risk. entries: rivals, in the order of
    the catalogue, each by default, in hindsight (where a rung kept the risk) and causally.
    """

    asked: Asked
    ours: Entry
    curve: Ladder | None
    entries: tuple[Entry, ...]
    ladders: tuple[Ladder, ...]

    def entry(self, name: str, tuning: Tuning) -> Entry | None:
        return next((e for e in self.entries if (e.name, e.tuning) == (name, tuning)), None)

    def best(self, tuning: Tuning) -> Entry | None:
        """The cheapest rival that kept the asked risk."""
        kept = [
            e
            for e in self.entries
            if e.tuning is tuning and e.scores.short_share is not None and e.scores.short_share <= self.asked.risk
        ]
        return min(kept, key=lambda e: e.scores.replica_hours, default=None)


def entries_and_ladders(
    ours: Served, asked: Asked, seen: Floats, setting: Setting, *,
    most: int, knobs: tuple[float, ...] = TARGETS, unfit: dict[str, str] | None = None,
    replay: Replay | None = None, progress: Progress | None = None,
) -> Iterator[tuple[Ladder, tuple[Entry, ...]]]:  # fmt: skip
    """Every rival, one by one. seen: [step], what the metrics said (NaN = unknown); `ours` tells what is scored.

    most: replicas that nobody may exceed. unfit: takes the rivals that cannot run at this step, and why. replay: where
    starts vary, what the chosen rungs were served; ladders and tuning always count with the planned lead.
    """
    world = world_of(ours, asked, setting, most)
    known, truth = hidden(seen, setting.delay), scored_demand(ours)
    warm = ours.scored_step - ours.first_step
    total = len(rivals(knobs))
    for done, (rival, wanted) in enumerate(all_requested(known, world, knobs, unfit)):
        requested = hidden_requests(wanted, setting.acting)
        ladder = Ladder(rival.name, rival.knobs, rival.default, score_ladder(requested, truth, world, warm))
        yield ladder, tuple(_chosen(ladder, requested, ours, asked, world=world, replay=replay))
        if progress is not None:
            progress((done + 1) / total)


def _chosen(
    ladder: Ladder, requested: Ints, ours: Served, asked: Asked, *, world: World, replay: Replay | None
) -> Iterator[Entry]:  # fmt: skip
    chosen: list[tuple[Tuning, float | None, Ints]] = []
    chosen.append((Tuning.DEFAULT, ladder.knobs[ladder.default], requested[ladder.default]))
    best = in_hindsight(ladder.scores, asked.risk)
    if best is not None:
        chosen.append((Tuning.HINDSIGHT, ladder.knobs[best], requested[best]))
    if len(ladder.knobs) > 1:
        rungs = rungs_by_day(requested, scored_demand(ours), world, asked.risk, default=ladder.default)
        chosen.append((Tuning.CAUSAL, None, requested[rungs, np.arange(requested.shape[1])]))
    rows = np.stack([row for *_, row in chosen])
    served = ready(rows, world.lead_steps) if replay is None else replay(rows)
    for (tuning, knob, row), serving in zip(chosen, served, strict=True):
        one = replace(ours, ready=serving, running=row, nodes=None)
        yield Entry(ladder.name, tuning, knob, one, score(one, asked))


def world_of(ours: Served, asked: Asked, setting: Setting, most: int) -> World:
    return World(ours.step_s, ours.first_step, ours.capacity, setting.lead, asked.least, most)


def asking(requested: Ints, ours: Served, lead_steps: int) -> Served:
    """What was served to one who asked for `requested` [step] where we asked for other counts."""
    return replace(ours, ready=ready(requested, lead_steps), running=requested, nodes=None)


def scored_demand(served: Served) -> Floats:
    """[step], demand where it counts as evidence, else NaN (the warm-up stays: tuning learns from it)."""
    counts = served.scored
    counts[: served.scored_step - served.first_step] = True
    return np.where(counts, served.demand, np.nan)


def hidden(seen: Floats, delay: int) -> Floats:
    """[step], what has come in: the newest `delay` steps are not there yet."""
    return np.concatenate((np.full(min(delay, len(seen)), np.nan), seen[: max(0, len(seen) - delay)]))


def hidden_requests(requested: Ints, acting: int) -> Ints:
    """[knob, step], requests when they take effect, `acting` steps later; until then the first one stands."""
    if not acting or not requested.shape[1]:
        return requested
    before = np.repeat(requested[:, :1], min(acting, requested.shape[1]), axis=1)
    return np.concatenate((before, requested[:, : requested.shape[1] - before.shape[1]]), axis=1)
