"""From the rows of a workload to the workload: the mean of its three largest, so that neither one broken metric pages
alone, as with "any", nor sixteen quiet ones hide three loud ones, as with a mean over all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.series import Bools, Floats, Ints
from autoscaler.domain.verdict import MOST_SURPRISE, TOP


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """members: [group, most rows], -1 = none. first: [group], a row that keeps what is remembered of the group."""

    members: Ints
    first: Ints
    several: Bools

    @staticmethod
    def of(group: Ints, groups: int) -> Grouping:
        """Raises ValueError for a group without rows."""
        count = np.bincount(group, minlength=groups)
        if groups and not count.all():
            raise ValueError(f"group {int(np.flatnonzero(count == 0)[0])} has no rows")
        members = np.full((groups, int(count.max(initial=1))), -1, dtype=np.int64)
        order = np.argsort(group, kind="stable")
        place = np.arange(len(group)) - np.repeat(np.cumsum(count) - count, count)
        members[group[order], place] = order
        return Grouping(members, members[:, 0], count > 1)

    def combined(self, surprise: Floats) -> tuple[Floats, Ints]:
        """([group, step], top [group, step, TOP]) of rows' surprise [row, step]; NaN where nothing is known."""
        if self.members.shape[1] == 1:
            found = surprise[self.first]
            top = np.full((*found.shape, TOP), -1, dtype=np.int64)
            top[:, :, 0] = np.where(np.isnan(found), -1, self.first[:, None])
            return found, top
        capped = np.where(
            self.several[:, None, None], np.minimum(self._taken(surprise), MOST_SURPRISE), self._taken(surprise)
        )
        order = np.argsort(-np.where(np.isnan(capped), -1.0, capped), axis=1, kind="stable")[:, :TOP]
        ranked = np.take_along_axis(capped, order, axis=1)
        size = np.minimum(np.count_nonzero(self.members >= 0, axis=1), TOP)
        none = np.isnan(ranked).all(axis=1)
        found = np.nansum(ranked, axis=1) / size[:, None]
        rows = np.where(
            np.isnan(ranked), -1, np.take_along_axis(self.members[:, :, None] + 0 * order[:, :1], order, axis=1)
        )
        top = np.full((*found.shape, TOP), -1, dtype=np.int64)
        top[:, :, : rows.shape[1]] = rows.transpose(0, 2, 1)
        found[none] = np.nan
        return found, top

    def mean_of_top(self, values: Floats) -> Floats:
        """[group, step], mean of the TOP largest of rows' values [row, step], which are known."""
        if self.members.shape[1] == 1:
            return values[self.first]
        taken = np.where(self.members[:, :, None] >= 0, self._taken(values), -1.0)
        kept = -np.sort(-taken, axis=1)[:, :TOP]
        size = np.minimum(np.count_nonzero(self.members >= 0, axis=1), TOP)
        return np.where(kept >= 0, kept, 0.0).sum(axis=1) / size[:, None]

    def _taken(self, values: Floats) -> Floats:
        """[group, most rows, step]; NaN where there is no row."""
        found = values[np.maximum(self.members, 0)]
        found[self.members < 0] = np.nan
        return found
