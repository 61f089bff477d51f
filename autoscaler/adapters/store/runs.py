"""Run-length logic over arrays: which lanes go on with the run of the tick before, and what it then spans."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.decision import Decisions
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.notes import Condition
from autoscaler.domain.series import Bools, Floats, Ints

MAX_GAP_TICKS = 3.0
"""A run does not span a hole longer than this many ticks: nobody knows what was decided in it."""

NO_RUN = -1

_CONDITIONS = {condition: k for k, condition in enumerate(Condition)}


@dataclass(frozen=True, slots=True, eq=False)
class OpenRuns:
    """The runs of one tick's lanes, as they stand after it.

    what: [lane, column], why: [row, column]; equal rows mean the same decision for the same reasons.
    run_id, ticks, wanted_low, wanted_high: [lane]; run_id NO_RUN where the tick begins a run.
    ranges: [row, 4], low and high observed, low and high sizing quantile; NaN = never known.
    """

    fleet: Fleet
    legend: tuple[tuple[str, ...], tuple[str, ...]]
    now_s: float
    what: Ints
    why: Ints
    run_id: Ints
    ticks: Ints
    wanted_low: Ints
    wanted_high: Ints
    ranges: Floats


def runs_after(before: OpenRuns | None, decisions: Decisions, tick_s: float) -> OpenRuns:
    """Continue the runs of `before` where nothing changed; all other lanes begin a run with this tick."""
    fresh = _fresh(decisions)
    if before is None or not 0 < decisions.now_s - before.now_s <= MAX_GAP_TICKS * tick_s:
        return fresh
    if not len(before.fleet) or not len(decisions):
        return fresh
    if before.legend != fresh.legend or before.what.shape[1] != fresh.what.shape[1]:
        return fresh
    lanes, rows = _places_before(before.fleet, decisions.fleet)
    goes_on = _same(before, fresh, lanes, rows)
    row_goes_on = goes_on[decisions.fleet.row_lane]
    old_ranges = np.where(row_goes_on[:, None], before.ranges[rows], np.nan)
    ranges = np.empty_like(fresh.ranges)
    ranges[:, 0::2] = np.fmin(fresh.ranges[:, 0::2], old_ranges[:, 0::2])
    ranges[:, 1::2] = np.fmax(fresh.ranges[:, 1::2], old_ranges[:, 1::2])
    return OpenRuns(
        fleet=decisions.fleet,
        legend=fresh.legend,
        now_s=decisions.now_s,
        what=fresh.what,
        why=fresh.why,
        run_id=np.where(goes_on, before.run_id[lanes], NO_RUN),
        ticks=np.where(goes_on, before.ticks[lanes] + 1, 1),
        wanted_low=np.where(goes_on, np.minimum(before.wanted_low[lanes], fresh.wanted_low), fresh.wanted_low),
        wanted_high=np.where(goes_on, np.maximum(before.wanted_high[lanes], fresh.wanted_high), fresh.wanted_high),
        ranges=ranges,
    )


def _fresh(d: Decisions) -> OpenRuns:
    """Every lane begins a run."""
    lanes = len(d)
    held = np.zeros(lanes, dtype=np.int64)
    failed = np.zeros(lanes, dtype=np.int64)
    for g, step in enumerate(d.trace):
        held |= step.holds.astype(np.int64) << g
        failed |= step.failed.astype(np.int64) << g
    told = np.zeros(lanes, dtype=np.int64)
    for lane, notes in d.notes.items():
        told[lane] = sum({1 << _CONDITIONS[note.condition] for note in notes})
    # beyond the fingerprint: what changes a lane's state or wording while its number stays
    extra = np.stack([held, failed, told, d.proposals.predicted.astype(np.int64)], axis=1)
    observed = np.where(np.isfinite(d.seen.observed), d.seen.observed, np.nan)
    sizing = np.where(d.seen.present, d.seen.quantiles[:, -1], np.nan)
    place = np.zeros((len(observed), 2), dtype=np.int64)
    if d.seen.standing is not None:
        place = np.stack([d.seen.standing[part].astype(np.int64) for part in ("rung", "why")], axis=1)
    return OpenRuns(
        fleet=d.fleet,
        legend=(tuple(step.guard for step in d.trace), tuple(d.seen.models)),
        now_s=d.now_s,
        what=np.concatenate([d.fingerprint(), extra], axis=1),
        why=np.column_stack([np.where(d.seen.present, d.seen.model, -1), d.seen.verdict.astype(np.int64), place]),
        run_id=np.full(lanes, NO_RUN, dtype=np.int64),
        ticks=np.ones(lanes, dtype=np.int64),
        wanted_low=d.wanted.copy(),
        wanted_high=d.wanted.copy(),
        ranges=np.stack([observed, observed, sizing, sizing], axis=1),
    )


def _places_before(old: Fleet, new: Fleet) -> tuple[Ints, Ints]:
    """For each lane and row of `new` its index in `old`; -1 for lanes that were not there or read differently.

    Lanes are matched by name, as fleets change; a workload whose spec changed is another one.
    """
    if old is new:
        return np.arange(len(new)), np.arange(len(new.row_lane))
    place = {load.ref: lane for lane, load in enumerate(old.workloads)}
    lanes = np.array([place.get(load.ref, -1) for load in new.workloads], dtype=np.int64)
    for lane, was in enumerate(lanes.tolist()):
        if was >= 0 and old.workloads[was] != new.workloads[lane]:
            lanes[lane] = -1
    within = np.arange(len(new.row_lane)) - new.row_start[new.row_lane]
    known = lanes[new.row_lane] >= 0
    rows = np.where(known, old.row_start[lanes[new.row_lane]] + within, -1)
    return lanes, rows


def _same(before: OpenRuns, fresh: OpenRuns, lanes: Ints, rows: Ints) -> Bools:
    rows_same = (before.why[rows] == fresh.why).all(axis=1)
    lanes_same = (before.what[lanes] == fresh.what).all(axis=1)
    return (lanes >= 0) & lanes_same & fresh.fleet.all_over_rows(rows_same)
