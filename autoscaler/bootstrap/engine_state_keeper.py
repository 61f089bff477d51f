"""Keeps the loop's state on disk beside the ticks, and brings it back at a start.

A tick hands over a frozen value and goes on; a thread of its own packs and writes it, at most once an interval. Two
generations are kept: whatever happens while one is written, the one before it is whole. State that cannot be read is
told and passed over, never a reason not to start.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic

from autoscaler.adapters.artefacts.disk import remove_folder
from autoscaler.adapters.artefacts.reading import read_artefact
from autoscaler.adapters.artefacts.writing import write_artefact
from autoscaler.bootstrap.engine_state import NotOurs, arrays_of, layout, resumed, state_of
from autoscaler.domain.artefact import Expected, Manifest, moment_text
from autoscaler.domain.errors import Refused
from autoscaler.domain.fleet import Fleet
from autoscaler.pipeline.state import LoopState

log = logging.getLogger("foresail")
KIND, NAME = "engine-state", "loop"
INTERVAL_S = 60.0
FRESH_S = 7 * 86_400.0
"""A margin moves by about six percent in a day's worth of risk; after a week of absence the load has moved on."""
AHEAD_S = 60.0
"""State from further in the future than this is another clock's."""
KEPT = 2
LEVEL = 1
"""Packing as fast as zlib can: it is written again a minute later."""
PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Restored:
    """state: None where nothing could be restored. words: which, or why not."""

    state: LoopState | None
    words: str


class EngineStateKeeper:
    """One service's; `offer` after each tick, `close` at the end.

    saved_at: moment of the newest state on disk that this process wrote. trouble: why the newest could not be written.
    """

    def __init__(
        self, folder: Path, step_s: int, *, interval_s: float = INTERVAL_S, clock: Callable[[], float] = monotonic
    ) -> None:
        self.folder, self.step_s, self.interval_s = folder, step_s, interval_s
        self.saved_at: datetime | None = None
        self.trouble: str | None = None
        self.restored = "not asked for"
        self._clock = clock
        self._wake = threading.Condition()
        self._offered: tuple[LoopState, datetime] | None = None
        self._due_s = clock() + interval_s
        self._stop = False
        self._thread: threading.Thread | None = None

    def restore(self, fleet: Fleet, now: datetime) -> Restored:
        """The newest state that is whole, of this layout and grid, and fresh at now. Never raises for what it finds."""
        found = self._restore(fleet, now)
        self.restored = found.words
        return found

    def offer(self, state: LoopState | None, now: datetime) -> None:
        """Take note of the newest state; it is written when it is time. Costs the tick a lock and a reference."""
        if state is None or not state.lanes:
            return
        with self._wake:
            self._offered = (state, now)
            if self._thread is None and not self._stop:
                self._thread = threading.Thread(target=self._run, name="foresail-state", daemon=True)
                self._thread.start()

    def save(self) -> None:
        """Write what was offered last, now, in the caller's thread."""
        with self._wake:
            offered, self._offered = self._offered, None
            self._due_s = self._clock() + self.interval_s
        if offered is None:
            return
        state, now = offered
        try:
            self._write(state, now)
        except Exception as why:  # noqa: BLE001 - whatever it is, it must stop neither ticks nor the end of the service
            if self.trouble is None:
                log.warning(
                    "engine_state_not_saved %s: %s; a restart now would begin with older margins", self.folder, why
                )
            self.trouble = str(why)
        else:
            if self.trouble is not None:
                log.info("engine_state_saved %s: it can be written again", self.folder)
            self.trouble, self.saved_at = None, now

    def close(self) -> None:
        """Write the newest state and end the thread. May be called twice."""
        with self._wake:
            self._stop = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(PATIENCE_S)
            self._thread = None
        self.save()

    @property
    def health(self) -> dict[str, str | None]:
        saved = None if self.saved_at is None else moment_text(self.saved_at)
        return {"restored": self.restored, "savedAt": saved, "trouble": self.trouble}

    def _run(self) -> None:
        while True:
            with self._wake:
                if self._stop:
                    return
                wait_s = self._due_s - self._clock()
                if wait_s > 0 or self._offered is None:
                    self._wake.wait(max(wait_s, 0.05))
                    continue
            self.save()

    def _restore(self, fleet: Fleet, now: datetime) -> Restored:
        for torn in self.folder.glob(".*.part"):  # a kill while it was written
            remove_folder(torn)
        generations = self._generations()
        if not generations:
            return Restored(None, f"{self.folder}: nothing was kept there yet")
        faults: list[str] = []
        for generation in reversed(generations):
            try:
                template = LoopState.fresh(fleet, self.step_s)
                expected = Expected(KIND, NAME, versions=self._versions(template))
                artefact = read_artefact(self.folder / str(generation), expected, now)
                _must_be_fresh(artefact.manifest, now)
                saved = state_of(artefact.arrays, template)
                state = resumed(saved, fleet, now.timestamp(), self.step_s)
            except (Refused, NotOurs) as why:
                faults.append(str(why))
                continue
            except Exception as why:  # noqa: BLE001 - nothing that was kept may stop a start
                faults.append(f"{self.folder}/{generation}: {type(why).__name__}: {why}")
                continue
            known = len(set(saved.lanes).intersection(state.lanes))
            at = moment_text(artefact.manifest.created)
            words = f"{self.folder}/{generation}: of {at}, {known} of {len(fleet)} workloads"
            return Restored(state, "; ".join([words, *faults]))
        return Restored(None, "; ".join(faults))

    def _write(self, state: LoopState, now: datetime) -> None:
        there = self._generations()
        told = Manifest(
            kind=KIND,
            name=NAME,
            created=now,
            generation=max(there, default=0) + 1,
            versions=self._versions(state),
            limits={"lanes": len(state.lanes), "entries": len(state.times_s)},
        )
        write_artefact(self.folder / str(told.generation), told, arrays_of(state), level=LEVEL)
        for old in there[: max(0, len(there) + 1 - KEPT)]:
            remove_folder(self.folder / str(old))

    def _versions(self, state: LoopState) -> dict[str, str]:
        return {"layout": layout(state), "step_s": str(self.step_s)}

    def _generations(self) -> list[int]:
        try:
            return sorted(int(p.name) for p in self.folder.iterdir() if p.name.isdecimal())
        except OSError:
            return []


def _must_be_fresh(told: Manifest, now: datetime) -> None:
    age_s = (now - told.created).total_seconds()
    if age_s > FRESH_S:
        raise NotOurs(f"{told.label} is of {moment_text(told.created)}, {age_s / 86400:.1f} days ago: too old")
    if age_s < -AHEAD_S:
        raise NotOurs(f"{told.label} is of {moment_text(told.created)}, which is still to come: another clock's")
