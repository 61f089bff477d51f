"""A source that is away, told once: not as many sensors lost as there are queries.

It is away while it does not answer at all, and while every query of several groups is without a value. Gaps of those
steps, and of the few after them in which rates begin anew, are no news of any group; what was lost before, or stays
lost when the source is back, is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from autoscaler.detection.incidents import name_of
from autoscaler.domain.anomaly import Cause
from autoscaler.domain.incident import MOST_NAMED, Happening, Incident, News, Rule
from autoscaler.domain.series import Bools, Floats
from autoscaler.domain.verdict import DataFault, Verdicts

QUIET_S, QUIET_STEPS = 900, 3
"""As of a gap: nothing for a quarter of an hour and three steps."""
SEVERITY: Final = 0.7
GAP: Final = np.uint8(DataFault.GAP)


@dataclass(slots=True)
class Absence:
    """Of one source. name: of it, which its incidents are called by. groups: names of all that it serves."""

    name: str
    groups: tuple[str, ...]
    step_s: int
    incident: Incident | None = None
    _since: int | None = None
    _seen_to: int = 0
    _excused_to: int = -1
    _gone: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))

    @property
    def quiet(self) -> int:
        return max(QUIET_STEPS, -(-QUIET_S // self.step_s))

    @property
    def open(self) -> list[Incident]:
        return [] if self.incident is None else [self.incident]

    def unreachable(self, next_step: int, now_step: int) -> list[News]:
        """It does not answer: nothing is known of the steps from next_step on."""
        self._seen_to = max(self._seen_to, now_step)
        if self._since is None:
            self._since = next_step
        return self._opened(now_step - 1)

    def judged(self, found: Verdicts) -> tuple[Verdicts, list[News]]:
        """Verdicts of the steps that come next, without gaps that are the source's, and its own news."""
        values, news = found.rows.observed, list[News]()
        empty = np.zeros(found.steps, dtype=np.bool_)
        if len(self.groups) > 1:
            empty[:] = ~np.isfinite(values).any(axis=0)
        excused = np.zeros(found.steps, dtype=np.bool_)
        for column in range(found.steps):
            step = found.first_step + column
            if empty[column]:
                self._since = step if self._since is None else self._since
                news += self._opened(step)
            elif self._since is not None:
                self._since, self._excused_to = None, step + self.quiet
                news += self._resolved(step)
            excused[column] = empty[column] or step < self._excused_to
        return self._without(found, values, excused), news

    def _without(self, found: Verdicts, values: Floats, excused: Bools) -> Verdicts:
        gaps = (found.rows.faults & GAP) != 0
        if len(self._gone) != len(values):
            self._gone = np.zeros(len(values), dtype=np.bool_)
        faults = found.rows.faults.copy()
        for column in range(found.steps):
            if excused[column]:
                self._gone &= gaps[:, column]  # one that has come back is no longer lost
                faults[~self._gone, column] &= ~GAP
            else:
                self._gone = gaps[:, column].copy()
        return replace(found, rows=replace(found.rows, faults=faults)) if excused.any() else found

    def _opened(self, step: int) -> list[News]:
        """Now, if it has been away for long enough."""
        if self.incident is not None or self._since is None or step - self._since + 1 < self.quiet:
            return []
        at_s = float((self._since + self.quiet) * self.step_s)
        self.incident = Incident(
            id=name_of(self.name, at_s), opened_s=at_s, updated_s=at_s, cause=Cause.SENSOR_LOSS, rule=Rule.SOURCE_AWAY,
            severity=SEVERITY, workloads=self.groups[:MOST_NAMED], affected=len(self.groups), gates=False,
        )  # fmt: skip
        return [News(Happening.OPENED, self.incident)]

    def _resolved(self, step: int) -> list[News]:
        one, self.incident = self.incident, None
        if one is None:
            return []
        end_s = max(one.opened_s, float(max(step + 1, self._seen_to) * self.step_s))
        return [News(Happening.RESOLVED, replace(one, updated_s=end_s, resolved_s=end_s))]
