"""What an event goes on with from block to block: its cause, when it was last evident, and how long rows stand
outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.anomaly import Cause
from autoscaler.domain.series import Bools, Codes, Floats, Ints
from autoscaler.domain.verdict import Verdicts

LASTING = 3
"""Steps in a row that a row must stand outside, if not strongly: no single sample makes an attack."""
CALM_S = 900
"""After the last alarm an event goes on so long."""
NEVER = -(1 << 40)
_BIT = {cause: np.uint8(cause.bit) for cause in Cause}


@dataclass(slots=True)
class CauseMemory:
    """What goes on from block to block, all [group].

    bits, rule: of the event that is on. alarmed, evident: steps of the last alarm, and of the last row outside its
    range. far: steps in a row for which demand has stood as far off as an attack's.
    """

    bits: Codes
    rule: Codes
    alarmed: Ints
    evident: Ints
    calm: Ints
    far: Ints
    high: Ints
    low: Ints

    @staticmethod
    def fresh(groups: int, rows: int) -> CauseMemory:
        def nothing(count: int) -> Ints:
            return np.zeros(count, dtype=np.int64)

        never = np.full(groups, NEVER, dtype=np.int64)
        return CauseMemory(
            bits=nothing(groups).astype(np.uint8), rule=nothing(groups).astype(np.uint8), alarmed=never.copy(),
            evident=never.copy(), calm=never.copy(), far=nothing(groups), high=nothing(rows), low=nothing(rows),
        )  # fmt: skip

    def arrays(self) -> dict[str, NDArray[Any]]:
        """By group."""
        return {name: getattr(self, name) for name in ("bits", "rule", "alarmed", "evident", "calm", "far")}

    def row_arrays(self) -> dict[str, NDArray[Any]]:
        """By row."""
        return {"run_high": self.high, "run_low": self.low}

    def restore(self, saved: Mapping[str, NDArray[Any]], here: Ints, there: Ints) -> None:
        _restore(self.arrays(), saved, here, there)

    def restore_rows(self, saved: Mapping[str, NDArray[Any]], here: Ints, there: Ints) -> None:
        _restore(self.row_arrays(), saved, here, there)

    def lasting(self, found: Verdicts, accepted: Floats) -> Bools:
        """[group, step], where an alarm is on or was within CALM_S. accepted: [group], false pages a week; 0 = never.

        The engine's own page lasts until hours are quiet, so that one event is one page; a gate must not.
        """
        steps = found.first_step + np.arange(found.steps)
        alarm = (found.groups.rate_per_week <= accepted[:, None]) & (accepted > 0)[:, None]
        last = np.maximum.accumulate(np.where(alarm, steps, self.alarmed[:, None]), axis=1)
        if found.steps:
            self.alarmed = last[:, -1].copy()
        return np.asarray(steps - last < max(1, CALM_S // found.step_s))

    def lasting_far(self, far: Bools) -> Bools:
        """[group, step], where it has lasted LASTING steps."""
        run, self.far = _runs(far, self.far)
        return np.asarray(far & (run >= LASTING))

    def surely(self, high: Bools, low: Bools, strong: Bools) -> tuple[Bools, Bools]:
        """Rows outside their range, [row, step], where that lasts LASTING steps or is strong: no noise reclassifies."""
        up, self.high = _runs(high, self.high)
        down, self.low = _runs(low, self.low)
        return high & (strong | (up >= LASTING)), low & (strong | (down >= LASTING))


def _restore(mine: Mapping[str, NDArray[Any]], saved: Mapping[str, NDArray[Any]], here: Ints, there: Ints) -> None:
    """What an older version has not kept, which counts a few steps alone, starts anew."""
    for name, array in mine.items():
        if name in saved or name not in ("far", "run_high", "run_low"):
            array[here] = saved[name][there]


def _runs(flags: Bools, before: Ints) -> tuple[Ints, Ints]:
    """[any, step], for how many steps each flag has been set; and [any], at the end."""
    steps = np.arange(flags.shape[1])
    off = np.maximum.accumulate(np.where(flags, -1, steps), axis=1)
    run = np.where(off >= 0, steps - off, before[:, None] + steps + 1)
    return run, np.minimum(run[:, -1], LASTING) if flags.shape[1] else before


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """[group, step]: an event is on; a row stands outside its range; the data is in doubt."""

    first_step: int
    step_s: int
    paging: Bools
    evident: Bools
    doubted: Bools


def carried(at: Told, named: Codes, rules: Codes, memory: CauseMemory) -> tuple[Codes, Codes, Bools]:
    """An event keeps the last cause that evidence gave it, until there was none for CALM_S: scores outlast what made
    them.

    A suspected attack stays suspected as long. An event without any evidence has what the rules say of its scores.
    The third, [group, step]: only scores still echo an event whose evidence is gone.
    """
    width = at.paging.shape[1]
    places, steps = np.arange(1, width + 1), at.first_step + np.arange(width)
    shown = at.evident & ~at.doubted
    said = shown & (named != 0)
    calm = max(1, CALM_S // at.step_s)
    seen = np.maximum.accumulate(np.where(shown, steps, memory.evident[:, None]), axis=1)
    alive = at.paging & (steps - seen < calm)
    calm_at = np.maximum.accumulate(np.where(at.paging, memory.calm[:, None], steps), axis=1)
    echo = at.paging & ~alive & (seen > calm_at)
    begun = np.maximum.accumulate(np.where(alive, 0, places), axis=1)  # the last step at which nothing was carried
    told = np.maximum.accumulate(np.where(said, places, 0), axis=1)
    attack = _BIT[Cause.SUSPECTED_ATTACK]
    suspected = np.maximum.accumulate(np.where(said & ((named & attack) != 0), places, 0), axis=1)
    wide_bits = np.concatenate((memory.bits[:, None], named), axis=1)
    wide_rule = np.concatenate((memory.rule[:, None], rules), axis=1)
    before = begun == 0
    there = alive & ((told > begun) | before)
    from_ = np.where(told > begun, told, 0)
    out = np.where(there, np.take_along_axis(wide_bits, from_, axis=1), 0).astype(np.uint8)
    why = np.where(there, np.take_along_axis(wide_rule, from_, axis=1), 0).astype(np.uint8)
    keeps = alive & ((suspected > begun) | before & ((memory.bits & attack) != 0)[:, None])
    since = np.where(suspected > begun, suspected, 0)
    why = np.where(keeps & ((out & attack) == 0), np.take_along_axis(wide_rule, since, axis=1), why).astype(np.uint8)
    out = np.where(keeps, attack | (out & _BIT[Cause.LATENCY_ERRORS]), out).astype(np.uint8)
    if width:
        memory.bits, memory.rule = out[:, -1].copy(), why[:, -1].copy()
        memory.evident, memory.calm = seen[:, -1].copy(), calm_at[:, -1].copy()
    bare = at.paging & ~alive & ~echo & (named == _BIT[Cause.DEMAND])
    bits, reason = np.where(bare, named, out), np.where(bare, rules, why)
    return bits.astype(np.uint8), reason.astype(np.uint8), echo
