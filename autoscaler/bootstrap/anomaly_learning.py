"""What detection learns, beside the ticks: kept history lived through once, and a refit each day, in a process of its
own.

A tick asks for work and takes what is done; it waits for nothing. A job that hangs, eats memory or dies costs itself
alone.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
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
from autoscaler.intake.taken_back import Taken
from autoscaler.learning.process import run_limited
from autoscaler.pipeline.detecting import Watch

log = logging.getLogger("foresail")
KIND: Final = "detection-learned"
LEFT_OUT: Final = "left-out.json"
MOST_TOLD_BYTES: Final = 16_384
TIME_SHARE: Final = 0.85
"""Of a job's time: by then groups for which the rest does not suffice are left out."""
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
    """One job at a time. scratch: folder of ours. own_process: False = in the caller's thread.

    trouble: what has not learned last time, and why.
    """

    scratch: Path
    own_process: bool = True
    seconds: float = 3600.0
    memory_bytes: int = 3 * 1024**3
    trouble: str | None = None
    _life_trouble: str | None = None
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
            rows, steps = order.values.shape
            left_out, times = LeftOut(), Times(order.step_s, order.first_step, steps)
            arrays = joined(_groups(order, times, of_array(order.values), left_out))
            self._done = Done(arrays, order.first_step + steps, order.lives)
            self._tell(_trouble(left_out.rows, left_out.words, rows), lives=order.lives)
            return
        held = [order]  # taken out by the thread, so that values live no longer than until they are in a file
        self._thread = threading.Thread(target=self._run, args=(held,), name="foresail-detection", daemon=True)
        self._thread.start()

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

    def _run(self, held: list[Order]) -> None:
        began_s, lives = monotonic(), held[0].lives
        try:
            shutil.rmtree(self.scratch, ignore_errors=True)
            self.scratch.mkdir(parents=True)
            source, place = self.scratch / "values.npy", self.scratch / "job"
            rows, steps = held[0].values.shape
            np.save(source, held[0].values)
            order = replace(held.pop(), values=np.empty((0, 0)))
            arguments = (replace(order, watch=replace(order.watch, signals=())), source, self.seconds)
            ended = run_limited(
                job, place, arguments, seconds=self.seconds, memory_bytes=self.memory_bytes, stop=self._stop
            )
            if not ended.done:
                self._tell(ended.words, lives=order.lives)
                log.warning("detection_not_learned %s: what was learned before stays", ended.words)
                return
            arrays = joined(_read_groups(place))
            left = json.loads(read_bytes(place / LEFT_OUT, MOST_TOLD_BYTES))
            in_part = _trouble(int(left["rows"]), left["words"], rows)
            self._tell(in_part, lives=order.lives)
            if in_part is not None:
                log.warning("detection_learned_in_part %s: what was learned of them before stays", in_part)
            what = "lived through kept history" if order.lives else "refitted"
            log.info("detection_learned %s: %d rows, %d steps in %.1f s", what, rows, steps, monotonic() - began_s)
            self._done = Done(arrays, order.first_step + steps, order.lives)
        except Exception as why:
            self._tell(f"{type(why).__name__}: {why}", lives=lives)
            log.exception("detection_not_learned")
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)


def _trouble(left_out: int, words: Sequence[str], rows: int) -> str | None:
    return f"{left_out} of {rows} rows have not learned: {'; '.join(words)}" if left_out else None
