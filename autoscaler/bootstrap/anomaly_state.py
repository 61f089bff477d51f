"""Keeps what detection remembers over restarts: arrays as an artefact, open incidents as JSON beside it; never
pickle.

As with the loop's state, a tick hands over copies and goes on, a thread writes, two generations are kept, and what
cannot be read is told and passed over.
"""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Final

import numpy as np

from autoscaler.adapters.artefacts.disk import remove_folder
from autoscaler.adapters.artefacts.reading import read_artefact
from autoscaler.adapters.artefacts.writing import write_artefact
from autoscaler.adapters.store.incident_text import packed, unpacked
from autoscaler.bootstrap.anomaly_gate import AnomalyGate
from autoscaler.bootstrap.anomaly_learning import Learned
from autoscaler.detection.incidents import Standing
from autoscaler.domain.artefact import Expected, Limits, Manifest, moment_text
from autoscaler.domain.errors import Refused
from autoscaler.domain.fleet import Fleet

log = logging.getLogger("foresail")
KIND, NAME = "detection-state", "gate"
LAYOUT: Final = "1"
KEPT: Final = 2
INCIDENTS: Final = "incidents"
STEP: Final = "next"
LIMITS: Final = Limits(file_bytes=512 * 1024**2, unpacked_bytes=1024**3)
"""Twenty thousand rows and more, at 25 kB each; other artefacts are smaller."""


@dataclass(slots=True)
class AnomalyStateKeeper:
    """One service's. interval_s: seconds of machine time between two writings."""

    folder: Path
    step_s: int
    interval_s: float = 300.0
    restored: str = "not asked for"
    trouble: str | None = None
    _due_s: float = field(default=0.0)
    _thread: threading.Thread | None = None

    def restore(self, gate: AnomalyGate, fleet: Fleet, now: datetime) -> None:
        """The newest that is whole and fits. Never raises for what it finds."""
        faults: list[str] = []
        for torn in self.folder.glob(".*.part"):
            remove_folder(torn)
        for generation in reversed(self._generations()):
            try:
                found = read_artefact(self.folder / str(generation), self._expected(), now, limits=LIMITS)
                arrays = dict(found.arrays)
                step = int(arrays.pop(STEP)[0])
                standing = standing_of(bytes(arrays.pop(INCIDENTS).tobytes()))
                gate.resume(fleet, arrays, step, standing)
            except (Refused, ValueError, KeyError) as why:
                faults.append(str(why))
                continue
            self.restored = "; ".join(
                [f"{self.folder}/{generation}: of {moment_text(found.manifest.created)}", *faults]
            )
            return
        self.restored = "; ".join(faults) or f"{self.folder}: nothing was kept there yet"

    def offer(self, gate: AnomalyGate, now: datetime) -> None:
        """After a tick; copies what there is when it is time, and writes it beside the ticks."""
        if monotonic() < self._due_s or (self._thread is not None and self._thread.is_alive()):
            return
        self._due_s = monotonic() + self.interval_s
        taken = self._copied(gate)
        if taken is not None:
            self._thread = threading.Thread(target=self._save, args=(taken, now), name="foresail-gate", daemon=True)
            self._thread.start()

    def save(self, gate: AnomalyGate, now: datetime) -> None:
        """Now, in the caller's thread; for the end of a service."""
        if self._thread is not None:
            self._thread.join(10.0)
        taken = self._copied(gate)
        if taken is not None:
            self._save(taken, now)

    def _copied(self, gate: AnomalyGate) -> Learned | None:
        arrays = dict(gate.arrays())
        if not arrays or gate.next_step is None:
            return None
        text = text_of(gate.standing()).encode()
        return arrays | {
            STEP: np.array([gate.next_step], dtype=np.int64), INCIDENTS: np.frombuffer(text, dtype=np.uint8).copy()
        }  # fmt: skip

    def _save(self, arrays: Learned, now: datetime) -> None:
        try:
            there = self._generations()
            told = Manifest(
                kind=KIND, name=NAME, created=now, generation=max(there, default=0) + 1,
                versions={"layout": LAYOUT, "step_s": str(self.step_s)},
            )  # fmt: skip
            write_artefact(self.folder / str(told.generation), told, arrays, level=1, limits=LIMITS)
            for old in there[: max(0, len(there) + 1 - KEPT)]:
                remove_folder(self.folder / str(old))
            self.trouble = None
        except Exception as why:  # noqa: BLE001 - whatever it is, it must stop neither ticks nor the end of the service
            if self.trouble is None:
                log.warning("detection_not_saved %s: %s; a restart now would learn anew", self.folder, why)
            self.trouble = str(why)

    def _expected(self) -> Expected:
        return Expected(KIND, NAME, versions={"layout": LAYOUT, "step_s": str(self.step_s)})

    def _generations(self) -> list[int]:
        try:
            return sorted(int(p.name) for p in self.folder.iterdir() if p.name.isdecimal())
        except OSError:
            return []


def text_of(standing: tuple[Standing, ...]) -> str:
    return json.dumps(
        [
            {
                "incident": packed(s.incident), "groups": s.groups, "lastOn": s.last_on, "toldAt": s.told_at,
                "toldSeverity": s.told_severity,
            }
            for s in standing
        ]
    )  # fmt: skip


def standing_of(text: bytes) -> tuple[Standing, ...]:
    """Raises ValueError for what this version did not write."""
    try:
        return tuple(
            Standing(unpacked(p["incident"]), list(p["groups"]), p["lastOn"], p["toldAt"], p["toldSeverity"])
            for p in json.loads(text)
        )
    except (KeyError, TypeError) as why:
        raise ValueError(f"open incidents cannot be read: {why!r}") from why
