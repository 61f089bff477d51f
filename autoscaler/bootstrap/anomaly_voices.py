"""Detectors of a recipe beside a service: asked about each step, heard when they have answered, never waited for.

They work in a process with limits of time and memory (anomaly_voices_job), a new one each day, which takes over when it
has learned. One that hangs, eats memory or dies costs its own voice: the engine's verdicts go on without it (and the
health says so), and an hour later it is tried again.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.adapters.pyod_recipe import recipe_names
from autoscaler.bootstrap.anomaly_voices_job import (
    ANSWER,
    ASK,
    LEFT_FILE,
    LIFE,
    READY,
    SCORED_FILE,
    SCORES,
    Task,
    score_history,
    speak,
)
from autoscaler.detection import calibration, memory, voices
from autoscaler.detection.contract import Arrays, Block
from autoscaler.domain.errors import Refused
from autoscaler.domain.series import Floats
from autoscaler.learning.process import End, run_limited

log = logging.getLogger("foresail")
LIFE_S: Final = 7 * 86_400
"""History that is lived through so that scores can be calibrated."""
LIFE_LIMIT_S: Final = 1800.0
START_S: Final = 1800.0
"""Besides, to load pyod and take samples."""
JOB_S: Final = 2 * 86_400.0
MEMORY_BYTES: Final = 2 * 1024**3
SHARE: Final = 0.5
"""Of a step, the time to say something of it."""
RETRY_S: Final = 3600.0
LEAST_PAUSE_S: Final = 600.0
HANG_STEPS: Final = 5
"""A process that has not answered for so many steps (and LEAST_PAUSE_S) is killed."""
KEPT_STEPS: Final = 1500
HISTORY_LIMIT_S: Final = 900.0


@dataclass(slots=True)
class Voices:
    """recipe: its file. folder: where samples are kept, and beside it a job's scratch; None = of a life only.

    Belongs to the thread that ticks; two threads of each process do the rest.
    """

    recipe: Path
    step_s: int
    folder: Path
    share: float = SHARE
    life_limit_s: float = LIFE_LIMIT_S
    memory_bytes: int = MEMORY_BYTES
    names: tuple[str, ...] = field(init=False)
    trouble: str | None = None
    left_out: int = 0
    unheard_steps: int = 0
    _now: _Speaker | None = None
    _coming: _Speaker | None = None
    _day: int = -1
    _begun_s: float = -1e9
    _jobs: int = 0

    def __post_init__(self) -> None:
        self.names = recipe_names(self.recipe)

    def due(self, keys: tuple[str, ...], day: int) -> bool:
        """Whether a process should begin: another day, other rows, or one that ended an hour ago."""
        past_s = monotonic() - self._begun_s
        if self._coming is not None or past_s < LEAST_PAUSE_S:
            return False
        if self._now is None:
            return past_s >= RETRY_S
        return day != self._day or self._now.task.keys != keys

    def start(self, keys: tuple[str, ...], history: Block, *, lives: bool) -> None:
        """Begin to learn, in a process of its own. lives: how high scores usually go is not known yet."""
        self._begun_s, self._day = monotonic(), history.end_step * self.step_s // 86_400
        self._jobs += 1
        scratch = self.folder.with_name(f"{self.folder.name}-job{self._jobs % 2}")
        life = LIFE_S // self.step_s if lives else 0
        task = Task(
            self.recipe.absolute(), keys, self.step_s, history.first_step, scratch / "values.npy",
            min(life, history.values.shape[1]), self.life_limit_s, self.share, self.memory_bytes, self.names,
            self.folder,
        )  # fmt: skip
        self._coming = _Speaker(task, len(self.names), scratch, history.values)

    def tell(self, keys: tuple[str, ...], block: Block) -> None:
        """Ask about steps that have come; the answers are heard from the next step on."""
        for one in (self._now, self._coming):
            if one is not None:
                one.ask(block if one.task.keys == keys else _of(one.task.keys, keys, block))

    def heard(self, keys: tuple[str, ...], first: int, end: int) -> Floats:
        """[row, detector, step], what counts at steps [first, end): NaN where nothing has come in time."""
        self._turn()
        out = np.full((len(keys), len(self.names), end - first), np.nan)
        if self._now is not None:
            self.left_out = self._now.left_out
            self.unheard_steps += self._now.fill(out, keys, first)
        return out

    def taken(self) -> Arrays | None:
        """How high scores usually go, once, for DetectionEngine.hear."""
        self._turn()
        one = self._now
        if one is None or one.life is None:
            return None
        ring, one.life = one.life, None
        return memory.keyed(one.task.keys, {voices.RING: ring}) | voices.named(self.names)

    def health(self) -> dict[str, Any]:
        state = "speaks" if self._now is not None else "learns" if self._coming is not None else "silent"
        return {
            "detectors": list(self.names), "state": state, "rowsLeftOut": self.left_out,
            "stepsUnheard": self.unheard_steps, "trouble": self.trouble,
        }  # fmt: skip

    def close(self) -> None:
        for one in (self._now, self._coming):
            if one is not None:
                one.stop()
        for one in (self._now, self._coming):
            if one is not None:
                one.join()
        self._now = self._coming = None

    def _turn(self) -> None:
        """What has learned takes over; what has ended is let go, and told."""
        coming, now = self._coming, self._now
        if coming is not None and coming.ready:
            if now is not None:
                now.stop()
            self._now, self._coming, self.trouble = coming, None, None
            log.info("recipe_speaks detectors=%s rows=%d", ",".join(self.names), len(coming.task.keys))
        elif coming is not None and coming.ended is not None:
            self._coming, self.trouble = None, coming.ended
            log.warning("recipe_failed %s: the engine goes on without it; tried again later", coming.ended)
        if self._now is not None and self._now.ended is not None:
            self.trouble, self._now = self._now.ended, None
            log.warning("recipe_failed %s: the engine goes on without it; tried again later", self.trouble)


class _Speaker:
    """One process and its two threads: one waits for its end, one talks with it."""

    def __init__(self, task: Task, detectors: int, scratch: Path, values: Floats) -> None:
        self.task, self.ready, self.left_out = task, False, 0
        self.life: NDArray[np.float32] | None = None
        self.ended: str | None = None
        self._detectors, self._scratch = detectors, scratch
        self._asked: deque[tuple[float, Block]] = deque(maxlen=KEPT_STEPS)
        self._said: OrderedDict[int, Floats] = OrderedDict()
        self._lock, self._stop, self._wake = threading.Lock(), threading.Event(), threading.Event()
        self._place: tuple[tuple[str, ...], NDArray[np.int64]] | None = None
        self._hung: str | None = None
        self._told_left, self._waited = 0, False
        self._thread = threading.Thread(target=self._run, args=(values,), name="foresail-recipe", daemon=True)
        self._thread.start()

    def ask(self, block: Block) -> None:
        self._asked.append((monotonic(), block))
        self._wake.set()

    def fill(self, out: Floats, keys: tuple[str, ...], first: int) -> int:
        """Into out [row, detector, step] of rows `keys`, from step `first` on; how many steps nothing is known of."""
        if self._place is None or self._place[0] is not keys:
            mine = {key: k for k, key in enumerate(self.task.keys)}
            self._place = (keys, np.array([mine.get(key, -1) for key in keys], dtype=np.int64))
        place = self._place[1]
        known, unheard = place >= 0, 0
        with self._lock:
            for column in range(out.shape[2]):
                said = self._said.get(first + column - voices.LATE)
                if said is None:
                    unheard += 1
                else:
                    out[known, :, column] = said[place[known]]
        return unheard

    def stop(self) -> None:
        self._stop.set()
        self._wake.set()

    def join(self) -> None:
        self._thread.join(10.0)

    def _run(self, values: Floats) -> None:
        ours, theirs = Pipe()
        talking = threading.Thread(target=self._talk, args=(ours,), name="foresail-recipe-line", daemon=True)
        try:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch.mkdir(parents=True)
            np.save(self.task.source, values)
            talking.start()
            ended = run_limited(
                speak, self._scratch / "job", (self.task, theirs), seconds=JOB_S,
                memory_bytes=self.task.memory_bytes, stop=self._stop,
            )  # fmt: skip
            self.ended = self._hung or ended.words
        except Exception as why:
            log.exception("recipe_not_begun")
            self.ended = f"{type(why).__name__}: {why}"
        finally:
            self.ended = self.ended or "it ended"
            self.stop()
            for end in (ours, theirs):
                end.close()
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _talk(self, ours: Connection) -> None:
        """Blocks out, answers in; one block is under way at a time."""
        try:
            self._await(ours, READY, self.task.life_s + START_S)
            ready_s = monotonic()
            while not self._stop.is_set():
                if not self._asked:
                    self._wake.wait(1.0)
                    self._wake.clear()
                    continue
                sent_s, block = self._asked.popleft()
                self._waited = sent_s < ready_s  # while it learned: too late to be heard, and no sign of too many rows
                head = ASK.pack(block.first_step, block.values.shape[1], sent_s)
                ours.send_bytes(head + block.values.astype("<f8").tobytes())
                self._await(ours, SCORES, max(LEAST_PAUSE_S, HANG_STEPS * self.task.step_s))
        except (EOFError, OSError):
            pass  # the process is gone: whoever waits for it tells
        except Exception:
            log.exception("recipe_line_broken")
            self._stop.set()

    def _await(self, ours: Connection, kind: bytes, most_s: float) -> None:
        end_s = monotonic() + most_s
        while not self._stop.is_set():
            if ours.poll(0.2):
                heard = ours.recv_bytes()
                self._hear(heard)
                if heard[:1] == kind:
                    return
            elif monotonic() > end_s:
                self._hung = f"it has not answered for {most_s:.0f} s and was killed"
                self._stop.set()

    def _hear(self, heard: bytes) -> None:
        kind, rows = heard[:1], len(self.task.keys)
        if kind == READY:
            self.ready = True
        elif kind == LIFE:
            found = np.frombuffer(heard, dtype="<f4", offset=1).astype(np.float32)
            self.life = found.reshape(rows, self._detectors, calibration.SLOTS)
        elif kind == SCORES:
            first, steps, left_out = ANSWER.unpack_from(heard, 1)
            scores = np.frombuffer(heard, dtype="<f8", offset=1 + ANSWER.size).reshape(rows, self._detectors, steps)
            with self._lock:
                for column in range(steps):
                    self._said[first + column] = scores[:, :, column]
                while len(self._said) > KEPT_STEPS:
                    self._said.popitem(last=False)
            if not self._waited:
                self._tell_left(left_out)

    def _tell_left(self, left_out: int) -> None:
        """Loud once, where it begins, ends, or doubles."""
        self.left_out = left_out
        if left_out and (not self._told_left or left_out >= 2 * self._told_left):
            words = f"{left_out} of {len(self.task.keys)} rows do not fit into {self.task.share:.0%} of a step"
            log.warning(
                "recipe_rows_left_out %s: the engine judges them without it; fewer detectors fit more rows", words
            )
            self._told_left = left_out
        elif not left_out and self._told_left:
            log.info("recipe_rows_all_heard")
            self._told_left = 0


def _of(theirs: tuple[str, ...], keys: tuple[str, ...], block: Block) -> Block:
    """Rows as a process has them; those that are gone are not observed."""
    place = {key: k for k, key in enumerate(keys)}
    values = np.full((len(theirs), block.values.shape[1]), np.nan)
    for row, key in enumerate(theirs):
        if key in place:
            values[row] = block.values[place[key]]
    return Block(block.step_s, block.first_step, values)


def of_history(
    recipe: Path, keys: tuple[str, ...], history: Block, scratch: Path, seconds: float = HISTORY_LIMIT_S
) -> Floats:
    """[row, detector, step], what a recipe says of a whole history, in a process of its own; NaN where time ran out.

    scratch: folder that is made and removed. Raises Refused where the recipe is wrong; one that fails otherwise is
    told in the log, and says nothing.
    """
    names = recipe_names(recipe)
    nothing = np.full((len(keys), len(names), history.values.shape[1]), np.nan)
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        task = Task(
            recipe.absolute(), keys, history.step_s, history.first_step, scratch / "values.npy",
            history.values.shape[1], seconds, SHARE, MEMORY_BYTES, names,
        )  # fmt: skip
        np.save(task.source, history.values)
        place = scratch / "job"
        ended = run_limited(
            score_history, place, (task,), seconds=seconds + 600.0, memory_bytes=MEMORY_BYTES
        )  # fmt: skip
        if ended.end is End.RAISED:
            raise Refused(f"{recipe}: {ended.words}")
        if not ended.done:
            log.warning("recipe_failed %s: the engine judges history without it", ended.words)
            return nothing
        left_out = int(np.load(place / LEFT_FILE, allow_pickle=False)[0])
        if left_out:
            log.warning("recipe_rows_left_out %d of %d in history: %.0f s were up", left_out, len(keys), seconds)
        return np.asarray(np.load(place / SCORED_FILE, allow_pickle=False))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
