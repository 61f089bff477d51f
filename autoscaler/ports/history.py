"""Keeping demand over restarts: what was asked of a source, what it answered, and what was never asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from autoscaler.domain.series import LAST_VALUED, Bools, Codes, DataVerdict, Floats

FINAL = 0x80
"""Bit of a mark: an unknown step that was asked for afterwards too; it stays unknown."""
UNASKED = 0x7F
"""Mark of a step that nobody asked the source for."""


@dataclass(frozen=True, slots=True, eq=False)
class KeptDemand:
    """Demand of several rows over the steps [first_step, first_step + width), as it is kept.

    keys: identity of each row, as Fleet.row_keys gives it. values: [row, step], NaN where there is none.
    marks: [row, step], a DataVerdict, with FINAL where an unknown step is not asked for again; or UNASKED.
    begins: row key → step before which the source has nothing, for rows where that was found out.
    """

    keys: tuple[str, ...]
    step_s: int
    first_step: int
    values: Floats
    marks: Codes
    begins: Mapping[str, int] = field(default_factory=dict)

    @property
    def end_step(self) -> int:
        return self.first_step + int(self.values.shape[1])

    @property
    def asked(self) -> Bools:
        return self.marks != UNASKED

    @property
    def final(self) -> Bools:
        return np.asarray(np.bitwise_and(self.marks, FINAL).astype(np.bool_))

    @property
    def verdicts(self) -> Codes:
        """[row, step] DataVerdict codes; what nobody asked for is UNREACHABLE, as in a History."""
        return np.where(self.asked, self.marks & ~np.uint8(FINAL), np.uint8(DataVerdict.UNREACHABLE)).astype(np.uint8)


def told(have: Codes, new: Codes) -> Bools:
    """Where a new verdict replaces one that is held: a value over what is no better, a fault where no value
    stands; silence replaces nothing.
    """
    better = (new <= LAST_VALUED) & (new <= have)
    return np.asarray(better | ((have > LAST_VALUED) & (new != DataVerdict.UNREACHABLE)))


def overlaid(values: Floats, marks: Codes, new_values: Floats, new_marks: Codes) -> tuple[Floats, Codes]:
    """What is kept once new marks came for the same steps: as `told`; FINAL, once set on an unknown step, stays."""
    have, new = marks & ~np.uint8(FINAL), new_marks & ~np.uint8(FINAL)
    takes = (new_marks != UNASKED) & (told(have, new) | (marks == UNASKED))
    merged = np.where(takes, new, have).astype(np.uint8)
    final = ((marks | np.where(new_marks == UNASKED, np.uint8(0), new_marks)) & FINAL).astype(np.uint8)
    merged |= np.where((merged > LAST_VALUED) & (merged != UNASKED), final, np.uint8(0))
    return np.where(takes, new_values, values), merged


class DemandKeeper(Protocol):
    """Demand over restarts. Called from one thread at a time; what it loses is asked of the source again."""

    def load(self, keys: Sequence[str], step_s: int, first_step: int, end_step: int) -> KeptDemand:
        """What is kept of the rows over [first_step, end_step); UNASKED where nothing is. In the order of `keys`."""
        ...

    def save(self, pieces: Sequence[KeptDemand]) -> None:
        """Overlay pieces on what is kept, all or nothing. Raises Retryable when the disk cannot take them now."""
        ...

    def close(self) -> None: ...
