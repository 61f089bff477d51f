"""What detection learns, beside the ticks: kept history lived through once, and a refit each day, in a process of its
own.

A tick asks for work and takes what is done; it waits for nothing. A job that hangs, eats memory or dies costs itself
alone.
"""

from __future__ import annotations

import json
import logging
import queue
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.adapters.artefacts.disk import read_bytes
from autoscaler.adapters.artefacts.reading import read_artefact
from autoscaler.adapters.artefacts.writing import write_artefact
from autoscaler.bootstrap.anomaly_lives import (
    MASK,
    Arrays,
    LeftOut,
    Read,
    StoredValues,
    Times,
    joined,
    lived,
    of_array,
    refitted,
)
from autoscaler.domain.artefact import Expected, Manifest
from autoscaler.domain.series import Floats
from autoscaler.intake.taken_back import Taken
from autoscaler.learning.process import run_limited
from autoscaler.pipeline.detecting import Watch

log = logging.getLogger("foresail")
KIND: Final = "detection-learned"
LEFT_OUT: Final = "left-out.json"
MOST_TOLD_BYTES: Final = 16_384
TIME_SHARE: Final = 0.85
"""Of a job's time: by then groups for which the rest does not suffice are left out."""
POLL_S: Final = 0.2
Learned = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """lives: through the history from nothing, else a refit. watch: of the rows; first_step, steps: of their values."""

    watch: Watch
    step_s: int
    first_step: int
    steps: int
    lives: bool


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """arrays: of engine and explainer, under their prefixes, as they stand at end_step, and what of the history is not
    to be learned from; of a refit, of the engine alone. failed: why nothing was learned at all.
    """

    arrays: Learned
    end_step: int
    lives: bool
    failed: str | None = None

    def part(self, prefix: str) -> dict[str, NDArray[Any]]:
        return part_of(self.arrays, prefix)


def part_of(arrays: Learned, prefix: str) -> dict[str, NDArray[Any]]:
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}


def job(folder: Path, order: Order, source: Path, seconds: float) -> None:
    """Runs in its own process; writes artefacts into `folder`, one of each group of rows, and what was left out.

    source: file of the order's values. seconds: that it may take.
    """
    from threadpoolctl import threadpool_limits

    left_out = LeftOut()
    read = StoredValues(source)
    times = Times(order.step_s, order.first_step, read.steps, monotonic() + TIME_SHARE * seconds)
    created = datetime.fromtimestamp(order.first_step * order.step_s, UTC)
    with threadpool_limits(limits=1):  # many small products: threads that wait for each other cost more than they do
        for k, arrays in enumerate(_groups(order, times, read, left_out)):
            told = Manifest(kind=KIND, name="learned", created=created, generation=k + 1)
            write_artefact(folder / str(k), told, arrays, level=1)
    told_text = json.dumps({"rows": left_out.rows, "words": [words[:500] for words in left_out.words]})
    (folder / LEFT_OUT).write_text(told_text, encoding="utf-8")


def _groups(order: Order, times: Times, read: Read, left_out: LeftOut) -> Iterator[Arrays]:
    return (lived if order.lives else refitted)(order.watch, times, read, left_out)


def _read_groups(folder: Path) -> Iterator[Learned]:
    """What a job has written, group by group."""
    for k in count():
        if not (folder / str(k)).exists():
            return
        yield read_artefact(folder / str(k), Expected(KIND, "learned"), datetime.now(UTC)).arrays


def masks_of(done: Done) -> list[Taken]:
    """What of the history that was lived through is not to be learned from."""
    saved = done.part(MASK)
    named = zip(saved["key"].tolist(), saved["span"].tolist(), strict=True) if saved else ()
    return [Taken(bytes(key).decode(errors="replace"), *map(int, numbers)) for key, numbers in named]


@dataclass(slots=True)
class Learner:
    """One job at a time: begun, handed its values part by part, taken when it is done. scratch: folder of ours.

    own_process: False = in the caller's thread. trouble: what has not learned last time, and why.
    """

    scratch: Path
    own_process: bool = True
    seconds: float = 3600.0
    memory_bytes: int = 3 * 1024**3
    trouble: str | None = None
    _life_trouble: str | None = None
    _thread: threading.Thread | None = None
    _done: Done | None = None
    _order: Order | None = None
    _lacks: int = 0
    _parts: queue.Queue[Floats] = field(default_factory=lambda: queue.Queue(1))
    _given: list[Floats] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _abandoned: threading.Event = field(default_factory=threading.Event)

    @property
    def busy(self) -> bool:
        there = self._thread is not None and self._thread.is_alive()
        return there or self._done is not None or (not self.own_process and self._lacks > 0)

    @property
    def filling(self) -> bool:
        """Whether a job is under way that lacks values."""
        return self._lacks > 0 and self._done is None and (not self.own_process or self.busy)

    @property
    def wants(self) -> bool:
        """Whether it can take a part now: the one before is in a file, or about to be."""
        return self.filling and self._parts.empty()

    def begin(self, order: Order) -> bool:
        """Whether a job was begun: nothing is under way. It waits for its values."""
        if self.busy or self._stop.is_set():
            return False
        self._order, self._lacks, self._given = order, order.watch.rows, []
        if self.own_process:
            self._parts, self._abandoned = queue.Queue(1), threading.Event()
            held = (order, self._parts, self._abandoned)
            self._thread = threading.Thread(target=self._run, args=held, name="foresail-detection", daemon=True)
            self._thread.start()
        return True

    def add(self, part: Floats) -> None:
        """The next rows of its values [row, step], in their order; where it `wants` them, it waits for nothing."""
        self._lacks -= len(part)
        if self.own_process:
            self._parts.put(part)
            return
        self._given.append(part)
        order = self._order
        if self._lacks <= 0 and order is not None:
            left_out, times = LeftOut(), Times(order.step_s, order.first_step, order.steps)
            arrays = joined(_groups(order, times, of_array(np.concatenate(self._given)), left_out))
            self._given = []
            self._done = Done(arrays, order.first_step + order.steps, order.lives)
            self._tell(_trouble(left_out.rows, left_out.words, order.watch.rows), lives=order.lives)

    def abandon(self) -> None:
        """Drop a job that lacks values."""
        if self.filling:
            self._abandoned.set()
            self._lacks, self._given = 0, []

    def taken(self) -> Done | None:
        """What is done, once."""
        done, self._done = self._done, None
        return done

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10.0)

    def _tell(self, words: str | None, *, lives: bool) -> None:
        """What history could not teach stays told until it has, however many refits succeed."""
        if lives:
            self._life_trouble = words
        self.trouble = words or self._life_trouble

    def _run(self, order: Order, parts: queue.Queue[Floats], abandoned: threading.Event) -> None:
        began_s, end, rows = monotonic(), order.first_step + order.steps, order.watch.rows
        try:
            shutil.rmtree(self.scratch, ignore_errors=True)
            self.scratch.mkdir(parents=True)
            source, place = self.scratch / "values.npy", self.scratch / "job"
            if not _filled(source, order, parts, lambda: self._stop.is_set() or abandoned.is_set()):
                return
            arguments = (replace(order, watch=replace(order.watch, signals=())), source, self.seconds)
            ended = run_limited(
                job, place, arguments, seconds=self.seconds, memory_bytes=self.memory_bytes, stop=self._stop
            )
            if not ended.done:
                self._tell(ended.words, lives=order.lives)
                log.warning("detection_not_learned %s: what was learned before stays", ended.words)
                self._done = Done({}, end, order.lives, ended.words)
                return
            arrays = joined(_read_groups(place))
            left = json.loads(read_bytes(place / LEFT_OUT, MOST_TOLD_BYTES))
            in_part = _trouble(int(left["rows"]), left["words"], rows)
            self._tell(in_part, lives=order.lives)
            if in_part is not None:
                log.warning("detection_learned_in_part %s: what was learned of them before stays", in_part)
            what = "lived through kept history" if order.lives else "refitted"
            log.info(
                "detection_learned %s: %d rows, %d steps in %.1f s", what, rows, order.steps, monotonic() - began_s
            )
            self._done = Done(arrays, end, order.lives)
        except Exception as why:
            words = f"{type(why).__name__}: {why}"
            self._tell(words, lives=order.lives)
            log.exception("detection_not_learned")
            self._done = Done({}, end, order.lives, words)
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)


def _filled(source: Path, order: Order, parts: queue.Queue[Floats], given_up: Callable[[], bool]) -> bool:
    """A file of all values as they come, as StoredValues reads it; False where nobody wants it any more."""
    header = {"descr": "<f8", "fortran_order": False, "shape": (order.watch.rows, order.steps)}
    lacks = order.watch.rows
    with source.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        while lacks > 0:
            if given_up():
                return False
            try:
                part = parts.get(timeout=POLL_S)
            except queue.Empty:
                continue
            np.ascontiguousarray(part, dtype="<f8").tofile(file)
            lacks -= len(part)
    return True


def _trouble(left_out: int, words: Sequence[str], rows: int) -> str | None:
    return f"{left_out} of {rows} rows have not learned: {'; '.join(words)}" if left_out else None
