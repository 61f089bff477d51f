"""History beside the ticks: the demand that we keep ourselves, and the back-fill that completes it from the servers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autoscaler.adapters.demand_store import DemandStore
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.series import DataVerdict, Panel, SeriesBatch
from autoscaler.intake.backfill import Backfill
from autoscaler.intake.backfill_progress import BackfillLimits, BackfillProgress
from autoscaler.intake.history import History
from autoscaler.intake.suspicion import Suspicions
from autoscaler.intake.taken_back import mask
from autoscaler.ports.history import FINAL
from autoscaler.ports.metrics import MetricsReader

log = logging.getLogger("foresail")
RECENT_STEPS = 120
"""Most that one tick asks a server for; what is older comes beside it."""
PRIMED_POINTS = 30_000_000
"""Most values of the demand store that a start lives through again."""


@dataclass(slots=True)
class Past:
    """Runs while some source is a server. Files cost nothing: without a server a tick reads them whole.

    reader: for the back-fill's own thread. path: file of the demand store.
    """

    history: History
    reader: MetricsReader
    path: Path
    limits: BackfillLimits
    suspicions: Suspicions | None = None
    _fill: Backfill | None = None
    _store: DemandStore | None = None

    def follow(self, fleet: Fleet, now_step: int, *, servers: bool) -> None:
        """Begin with the first server, end with the last one. Before the tick of now_step."""
        if servers and self._fill is None:
            self._store = DemandStore.open(self.path)
            if self._store.set_aside is not None:
                log.warning("demand_store_set_aside %s: %s", self.path, self._store.set_aside)
            self.history.recent_steps = RECENT_STEPS
            self._fill = Backfill(self.history, self.reader, self._store, self.limits)
            restored = self._fill.restore(fleet, now_step)
            self._prime(fleet, now_step)
            log.info("demand_store %s: history of %d of %d demands", self.path, restored, len(fleet.demands))
            self._fill.start()
        elif not servers and self._fill is not None:
            self.stop()
            self.history.recent_steps = self.history.handover = None

    def _prime(self, fleet: Fleet, now_step: int) -> None:
        """What was found suspicious before a restart stays so: the last days are lived through again."""
        if self.suspicions is None or self._store is None:
            return
        step_s = self.history.step_s
        steps = self.suspicions.rules.judged_s // step_s
        rows = max(1, min(len(fleet.demands), PRIMED_POINTS // steps))
        kept = self._store.load(fleet.row_keys()[:rows], step_s, now_step - steps, now_step)
        verdicts = np.where(kept.asked, kept.marks & (FINAL - 1), DataVerdict.MISSING).astype(np.uint8)
        batch = SeriesBatch(step_s, kept.first_step, kept.values, verdicts)
        known = np.flatnonzero(kept.asked.any(axis=0))
        if len(known):
            self.suspicions.prime(fleet.demands[:rows], batch.upto(batch.first_step + int(known[-1]) + 1))

    def kept(self, fleet: Fleet, now_step: int, steps: int) -> Panel | None:
        """What is kept of all rows over at most `steps` steps, up to the newest one before now_step of which something
        is; None where nothing is kept, as without a server. Without what was taken back.
        """
        if self._store is None:
            return None
        kept = self._store.load(fleet.row_keys(), self.history.step_s, now_step - steps, now_step)
        known = np.flatnonzero(kept.asked.any(axis=0))
        if not len(known):
            return None
        end = int(known[-1]) + 1
        values, verdicts = kept.values[:, :end].copy(), kept.verdicts[:, :end]
        rows = {key: row for row, key in enumerate(kept.keys)}
        for taken in self.history.taken_back.within(kept.first_step, kept.first_step + end, rows):
            cut = slice(max(0, taken.first - kept.first_step), min(end, taken.end - kept.first_step))
            mask(values, verdicts, rows[taken.key], cut, taken.code)
        return Panel(self.history.step_s, kept.first_step, values, verdicts)

    def notes(self, fleet: Fleet) -> Mapping[int, tuple[Note, ...]]:
        """By lane, demands whose past did not come although it was asked for. Words that stay while nothing is new."""
        progress = self.progress
        if progress is None or not progress.unanswered:
            return {}
        rows = {key: row for row, key in enumerate(fleet.row_keys())}
        found: dict[int, tuple[Note, ...]] = {}
        for key, why in progress.unanswered:
            if (row := rows.get(key)) is not None:
                demand, lane = fleet.demands[row], int(fleet.row_lane[row])
                words = (
                    f"history of {demand.name} from source {demand.source} did not come ({why}); it is asked for again "
                    f"every {self.limits.retry_most_s / 60:.0f} min: until then forecasts rest on what there is"
                )
                found[lane] = (*found.get(lane, ()), Note(Condition.HISTORY_MISSING, words))
        return found

    @property
    def progress(self) -> BackfillProgress | None:
        return None if self._fill is None else self._fill.progress

    def stop(self) -> None:
        """Write what is not written yet."""
        if self._fill is not None:
            self._fill.stop()
        if self._store is not None:
            self._store.close()
        self._fill = self._store = None
