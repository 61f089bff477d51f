"""The detectors of a recipe at work, in a process of their own with limits (learning.process): what runs there.

It learns a sample of each row, lives through the last days once so that their scores can be calibrated, and then says
of each step what it thinks of it, within a share of the step. What does not fit is left out and counted. Bytes of
arrays travel, never objects; what is kept for a restart is the sample, from which pyod's objects are made again.
"""

from __future__ import annotations

import hashlib
import resource
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic
from typing import Final

import numpy as np

from autoscaler.adapters.artefacts.disk import remove_folder
from autoscaler.adapters.artefacts.reading import read_artefact
from autoscaler.adapters.artefacts.writing import write_artefact
from autoscaler.adapters.pyod_detectors import REMEMBERED, Patience, PyodDetector
from autoscaler.adapters.pyod_recipe import read_recipe
from autoscaler.detection import fitting, shape, voices
from autoscaler.detection.contract import Arrays, Block
from autoscaler.domain.artefact import Expected, Manifest
from autoscaler.domain.errors import Refused
from autoscaler.domain.series import Floats
from autoscaler.learning.detector_scores import relived

KIND: Final = "detection-recipe"
LAYOUT: Final = "1"
ASK: Final = struct.Struct("<qqd")
"""A block that is asked about: first step, steps, when it was sent (monotonic clock). Its values follow, float64."""
ANSWER: Final = struct.Struct("<qqq")
"""What is said of it: first step, steps, rows left out. Scores [row, detector, step] follow, float64."""
READY, LIFE, SCORES = b"R", b"L", b"S"
MEMORY_SHARE: Final = 0.7
"""Of the memory that the process may hold, new objects are made up to this share."""
LEARNED: Final = ("centre", "width", "sample")
SCORED_FILE: Final = "scores.npy"
"""[row, detector, step] of a history, as they count: detection.voices.late."""
LEFT_FILE: Final = "left_out.npy"


@dataclass(frozen=True, slots=True)
class Task:
    """keys: of the rows of `source`, a file of values [row, step] from first_step on.

    life_steps, life_s: of its end, what is lived through, and seconds for it at most; 0 = nothing. step_s: also the
    longest that a block may wait. share: of a step, the time to say something of it. state: folder of samples.
    names: of the detectors, as they were when who asks began.
    """

    recipe: Path
    keys: tuple[str, ...]
    step_s: int
    first_step: int
    source: Path
    life_steps: int
    life_s: float
    share: float
    memory_bytes: int
    names: tuple[str, ...]
    state: Path | None = None

    @property
    def names_digest(self) -> str:
        """Of what samples depend on: rows, steps, recipe."""
        parts = (self.recipe.read_bytes(), str(self.step_s).encode(), *(key.encode() for key in self.keys))
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def score_history(folder: Path, task: Task) -> None:
    """Runs in its own process: scores of a whole history, each day by what was learned before it; into `folder`."""
    history = _history(task)
    scores, left_out = lived(_detectors(task), history, history.first_step, task.life_s)
    np.save(folder / SCORED_FILE, voices.late(scores))
    np.save(folder / LEFT_FILE, np.array([left_out]))


def speak(folder: Path, task: Task, line: Connection) -> None:
    """Runs in its own process until the line closes. folder: of the job; nothing is left in it."""
    del folder
    detectors, history = _detectors(task), _history(task)
    states = _learned(task, detectors, history)
    if task.life_steps:
        since = history.end_step - task.life_steps
        scores, _ = lived(detectors, history, since, task.life_s)
        found = voices.rings(task.keys, task.names, voices.late(scores), history.first_step, task.step_s)
        line.send_bytes(LIFE + found[voices.RING].astype("<f4").tobytes())
    line.send_bytes(READY)
    _Speaking(task, detectors, states, history.end_step).go_on(line)


def _detectors(task: Task) -> tuple[PyodDetector, ...]:
    """Refused where the file names others by now: what is remembered of each row is of those that it named."""
    found = read_recipe(task.recipe)
    names = tuple(one.name for one in found)
    if names != task.names:
        told, now = ", ".join(task.names), ", ".join(names)
        raise Refused(f"{task.recipe} names {now} now, and named {told} at the start: restart to take the new ones")
    return found


def _history(task: Task) -> Block:
    return Block(task.step_s, task.first_step, np.load(task.source, allow_pickle=False))


def lived(
    detectors: Sequence[PyodDetector], history: Block, since: int, seconds: float
) -> tuple[Floats, int]:  # fmt: skip
    """Scores [row, detector, step] of steps from `since` on, row after row while there is time; rows left out."""
    rows, steps = history.values.shape
    out = np.full((rows, len(detectors), steps), np.nan)
    end_s, left_out = monotonic() + seconds, 0
    for row in range(rows):
        if monotonic() >= end_s:
            left_out += 1
            continue
        one = Block(history.step_s, history.first_step, history.values[row : row + 1])
        for k, detector in enumerate(detectors):
            out[row, k] = relived(detector, one, since)[0]
    out[:, :, : max(0, since - history.first_step)] = np.nan
    return out, left_out


def _learned(task: Task, detectors: Sequence[PyodDetector], history: Block) -> list[Arrays]:
    """What was learned today, of a process before this one too; with the past as it is now."""
    back = fitting.HISTORY_S // task.step_s
    recent = history.cut(max(history.first_step, history.end_step - back), history.end_step)
    day = str(history.end_step * task.step_s // 86_400)
    place = None if task.state is None else task.state / f"{day}-{task.names_digest}"
    states: list[Arrays] = [one.fit(recent) for one in detectors]
    if place is None:
        return states
    versions = {"layout": LAYOUT, "day": day}
    now = datetime.fromtimestamp(history.end_step * task.step_s, UTC)
    try:
        kept = read_artefact(place, Expected(KIND, "samples", versions=versions), now).arrays
        return [
            {**state, **{name: kept[f"{k}.{name}"] for name in LEARNED}} for k, state in enumerate(states)
        ]  # fmt: skip
    except (Refused, KeyError):
        remove_folder(place)
    arrays = {f"{k}.{name}": state[name] for k, state in enumerate(states) for name in LEARNED}
    told = Manifest(kind=KIND, name="samples", created=now, generation=1, versions=versions)
    write_artefact(place, told, arrays, level=1)
    for old in place.parent.iterdir():
        if old != place:
            remove_folder(old)
    return states


class _Speaking:
    def __init__(self, task: Task, detectors: Sequence[PyodDetector], states: list[Arrays], next_step: int) -> None:
        self._task, self._detectors, self._states, self._next = task, detectors, states, next_step

    def go_on(self, line: Connection) -> None:
        while True:
            try:
                asked = line.recv_bytes()
            except (EOFError, OSError):
                return
            line.send_bytes(self._answer(asked))

    def _answer(self, asked: bytes) -> bytes:
        first, steps, sent_s = ASK.unpack_from(asked)
        rows = len(self._task.keys)
        values = np.frombuffer(asked, dtype="<f8", offset=ASK.size).reshape(rows, steps)
        if first > self._next:
            missed = min(first - self._next, shape.REACH)
            self._take(Block(self._task.step_s, first - missed, np.full((rows, missed), np.nan)), sent_s, 0.0)
        budget_s = self._task.share * self._task.step_s
        scores, left_out = self._take(Block(self._task.step_s, first, values.copy()), sent_s, budget_s)
        self._next = first + steps
        return SCORES + ANSWER.pack(first, steps, left_out) + scores.astype("<f8").tobytes()

    def _take(self, block: Block, sent_s: float, budget_s: float) -> tuple[Floats, int]:
        """Scores and rows left out. What has waited for longer than a step is too late to be heard anyway."""
        end_s = monotonic() + (budget_s if monotonic() - sent_s <= self._task.step_s else 0.0)
        out = np.full((block.values.shape[0], len(self._detectors), block.values.shape[1]), np.nan)
        left_out = 0
        for k, detector in enumerate(self._detectors):
            share_s = (end_s - monotonic()) / (len(self._detectors) - k)
            patience = Patience(_until(monotonic() + share_s), self._has_room)
            out[:, k], self._states[k], left = detector.score_some(self._states[k], block, patience)
            left_out = max(left_out, left)
        return out, left_out

    def _has_room(self) -> bool:
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        made = max(one.objects for one in self._detectors)
        return used < MEMORY_SHARE * self._task.memory_bytes and made < REMEMBERED


def _until(end_s: float) -> Callable[[], bool]:
    return lambda: monotonic() < end_s
