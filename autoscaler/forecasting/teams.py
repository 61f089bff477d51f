"""Whom to forecast, and at which steps each row is calibrated anew."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from autoscaler.domain.season import Season
from autoscaler.domain.series import Floats, Ints

USUAL_RISK = 0.005


@dataclass(frozen=True, slots=True)
class CalibrationPlan:
    """window_s: how far back errors are learned. sample_s: spacing of the samples (peaks of neighbouring steps
    say nearly the same), but by minute of the hour, which takes every step. refit_s: how often offsets and weights of a
    row are renewed in its first day; settled_refits: a row with a day behind it waits for so many of those turns. The
    rows are spread over `slots` turns. least: samples before an expert serves; least_hours: likewise by minute of the
    hour. apart_below: in a window of fewer samples, as on grids of ten minutes and more, experts are weighed apart for
    each day when their mean is judged; with more the luck of a weighing is too small to be worth its price.
    """

    window_s: int = 7 * 86400
    sample_s: int = 300
    refit_s: int = 7200
    settled_refits: int = 3
    slots: int = 120
    least: int = 24
    least_hours: int = 24
    apart_below: int = 1024

    @property
    def period_s(self) -> int:
        """Between two refits of a settled row."""
        return self.refit_s * self.settled_refits

    def refit_steps(self, step_s: int) -> int:
        return max(1, self.refit_s // step_s)

    def period_steps(self, step_s: int) -> int:
        return self.refit_steps(step_s) * self.settled_refits


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Whom to forecast. keys: identity of each row. leads: [row], steps of the window after its first.
    delays: [row], newest steps before an origin that are not in yet; the window begins with the first of them.
    risks: [row], accepted shares of short time, by which plans are compared; None = USUAL_RISK for all.
    seasons: [row], what the rows' seasons follow, None = UTC alone; None = all do.
    """

    keys: Sequence[str]
    leads: Ints
    delays: Ints
    risks: Floats | None = None
    seasons: Sequence[Season | None] | None = None

    @staticmethod
    def punctual(keys: Sequence[str], leads: Ints) -> Rows:
        """Rows whose data is never late."""
        return Rows(keys, leads, np.zeros_like(leads))


@dataclass(frozen=True, slots=True, eq=False)
class Team:
    """Rows that share a lead and a delay, in the order of their phases.

    rows: [member], their places among all rows. phases: [member], steps by which their refits are put off.
    risks: [member], accepted shares of short time. seasons: [member], None = all follow UTC.
    """

    lead: int
    delay: int
    rows: Ints
    keys: tuple[str, ...]
    phases: Ints
    risks: Floats
    seasons: tuple[Season | None, ...] | None

    def seasons_of(self, members: Ints | slice) -> tuple[Season | None, ...] | None:
        """[member] of some of them."""
        if self.seasons is None:
            return None
        if isinstance(members, slice):
            return self.seasons[members]
        return tuple(self.seasons[m] for m in members.tolist())

    def parts(self, most: int) -> Iterator[slice]:
        """All members in pieces of nearly equal size, of at most `most`."""
        pieces = max(1, -(-len(self.keys) // most))
        edges = [len(self.keys) * piece // pieces for piece in range(pieces + 1)]
        for low, high in pairwise(edges):
            yield slice(low, high)

    def alike(self, part: slice) -> Iterator[slice]:
        """The part in pieces that share a phase."""
        cuts = np.flatnonzero(np.diff(self.phases[part])) + 1 + part.start
        for low, high in pairwise([part.start, *cuts.tolist(), part.stop]):
            yield slice(low, high)


def teams_of(step_s: int, rows: Rows, plan: CalibrationPlan) -> tuple[Team, ...]:
    period = plan.period_steps(step_s)
    slots = min(plan.slots, period)
    turns = np.array([zlib.crc32(k.encode()) % slots for k in rows.keys], dtype=np.int64)
    phases = turns * period // slots
    risks = np.full(len(rows.keys), USUAL_RISK) if rows.risks is None else rows.risks
    found = []
    for lead, delay in sorted(set(zip(rows.leads.tolist(), rows.delays.tolist(), strict=True))):
        members = np.flatnonzero((rows.leads == lead) & (rows.delays == delay))
        ordered = members[np.argsort(phases[members], kind="stable")]
        keys = tuple(rows.keys[r] for r in ordered.tolist())
        seasons = None if rows.seasons is None else tuple(rows.seasons[r] for r in ordered.tolist())
        found.append(Team(lead, delay, ordered, keys, phases[ordered], risks[ordered], seasons))
    return tuple(found)


def anchored(steps: Ints, period: int, phases: Ints | int) -> Ints:
    """The newest step at or before each of `steps` at which a period begins."""
    return (steps - phases) // period * period + phases


def stretches(anchors: Ints) -> Iterator[tuple[int, int]]:
    """(first index, end index) of each run of equal anchors."""
    cuts = np.flatnonzero(np.diff(anchors)) + 1
    yield from pairwise([0, *cuts.tolist(), len(anchors)])
