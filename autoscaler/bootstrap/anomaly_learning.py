"""What detection learns, beside the ticks: kept history lived through once, and a refit each day, in a process of its
own.

A tick asks for work and takes what is done; it waits for nothing. A job that hangs, eats memory or dies costs itself
alone.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.adapters.artefacts.disk import remove_folder
from autoscaler.adapters.artefacts.reading import read_artefact
from autoscaler.adapters.artefacts.writing import write_artefact
from autoscaler.detection import memory
from autoscaler.detection.contract import Block
from autoscaler.detection.engine import DAY_S, DetectionEngine
from autoscaler.domain.artefact import Expected, Manifest
from autoscaler.learning.detection import fit_rows
from autoscaler.learning.process import run_limited
from autoscaler.pipeline.detecting import Explainer, Span, Watch

log = logging.getLogger("foresail")
KIND: Final = "detection-learned"
REFIT_THREADS: Final = 2
ENGINE, EXPLAINER, MASK = "engine.", "explainer.", "mask."
Learned = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """lives: through the history from nothing, else a refit. watch: of the rows of `values` [row, step]."""

    watch: Watch
    step_s: int
    first_step: int
    values: NDArray[np.float64]
    lives: bool


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """arrays: of engine and explainer, under their prefixes, as they stand at end_step, and what of the history is not
    to be learned from; of a refit, of the engine alone.
    """

    arrays: Learned
    end_step: int
    lives: bool

    def part(self, prefix: str) -> dict[str, NDArray[Any]]:
        return part_of(self.arrays, prefix)


def part_of(arrays: Learned, prefix: str) -> dict[str, NDArray[Any]]:
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}


def job(folder: Path, order: Order, source: Path) -> None:
    """Runs in its own process; writes an artefact into `folder`. source: file of the order's values."""
    arrays = made_of(replace(order, values=np.load(source, allow_pickle=False)))
    created = datetime.fromtimestamp(order.first_step * order.step_s, UTC)
    told = Manifest(kind=KIND, name="learned", created=created, generation=1)
    write_artefact(folder / "artefact", told, arrays, level=1)


def made_of(order: Order) -> dict[str, NDArray[Any]]:
    if order.lives:
        return lived(order.watch, order.step_s, order.first_step, order.values)
    return refitted(order.watch, order.step_s, order.values)


def lived(watch: Watch, step_s: int, first_step: int, values: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """Engine and explainer at the end of a history that was lived through."""
    engine, explainer = DetectionEngine(watch.watched, step_s), Explainer(watch, step_s)
    found = engine.relive(Block(step_s, first_step, values))
    explained, _ = explainer.take(found)
    engines = {ENGINE + name: array for name, array in engine.arrays().items()}
    explainers = {EXPLAINER + name: array for name, array in explainer.arrays().items()}
    return engines | explainers | _masks(watch, explained.masked())


def _masks(watch: Watch, spans: Sequence[Span]) -> dict[str, NDArray[Any]]:
    """Spans by the keys of their rows, as the fleet may change before they are taken over; empty without spans."""
    if not spans:
        return {}
    keys = {int(row): key.encode() for row, key in zip(watch.demand_row, watch.watched.keys, strict=True)}
    return {
        f"{MASK}key": np.array([keys[span.row] for span in spans], dtype=bytes),
        f"{MASK}span": np.array([(span.first, span.end, span.code) for span in spans], dtype=np.int64),
    }


def masks_of(watch: Watch, done: Done) -> list[Span]:
    """What of the history that was lived through is not to be learned from, of rows that are still there."""
    saved = done.part(MASK)
    if not saved:
        return []
    rows = {key.encode(): int(row) for row, key in zip(watch.demand_row, watch.watched.keys, strict=True) if row >= 0}
    named = zip(saved["key"].tolist(), saved["span"].tolist(), strict=True)
    return [Span(rows[key], *map(int, numbers)) for key, numbers in named if key in rows]


def refitted(watch: Watch, step_s: int, values: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    fitted = memory.keyed(watch.watched.keys, fit_rows(values, DAY_S // step_s, None, REFIT_THREADS))
    return {ENGINE + name: array for name, array in fitted.items()}


@dataclass(slots=True)
class Learner:
    """One job at a time. scratch: folder of ours. own_process: False = in the caller's thread."""

    scratch: Path
    own_process: bool = True
    seconds: float = 3600.0
    memory_bytes: int = 3 * 1024**3
    trouble: str | None = None
    _thread: threading.Thread | None = None
    _done: Done | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def busy(self) -> bool:
        return (self._thread is not None and self._thread.is_alive()) or self._done is not None

    def start(self, order: Order) -> None:
        """Begin, if nothing is under way."""
        if self.busy or self._stop.is_set():
            return
        if not self.own_process:
            self._done = Done(made_of(order), order.first_step + order.values.shape[1], order.lives)
            return
        self._thread = threading.Thread(target=self._run, args=(order,), name="foresail-detection", daemon=True)
        self._thread.start()

    def taken(self) -> Done | None:
        """What is done, once."""
        done, self._done = self._done, None
        return done

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10.0)

    def _run(self, order: Order) -> None:
        began_s = monotonic()
        try:
            shutil.rmtree(self.scratch, ignore_errors=True)
            self.scratch.mkdir(parents=True)
            source = self.scratch / "values.npy"
            np.save(source, order.values)
            place = self.scratch / "job"
            arguments = (replace(order, values=np.empty((0, 0))), source)
            ended = run_limited(
                job, place, arguments, seconds=self.seconds, memory_bytes=self.memory_bytes, stop=self._stop
            )
            if not ended.done:
                self.trouble = ended.words
                log.warning("detection_not_learned %s: what was learned before stays", ended.words)
                return
            found = read_artefact(place / "artefact", Expected(KIND, "learned"), datetime.now(UTC))
            self._done = Done(found.arrays, order.first_step + order.values.shape[1], order.lives)
            self.trouble = None
            what = "lived through kept history" if order.lives else "refitted"
            rows, steps = order.values.shape
            log.info("detection_learned %s: %d rows, %d steps in %.1f s", what, rows, steps, monotonic() - began_s)
        except Exception as why:
            self.trouble = f"{type(why).__name__}: {why}"
            log.exception("detection_not_learned")
        finally:
            remove_folder(self.scratch)
