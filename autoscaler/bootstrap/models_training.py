"""From a training job to a published model: beside the service, within limits, and checked before it is taken.

The last good model stays in force whatever happens here: a model that is made is published, and promoting it is
another step.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autoscaler.adapters.artefacts import ModelFolder, read_artefact
from autoscaler.domain.artefact import BadArtefact, Expected, Manifest
from autoscaler.learning.process import Ended, Job, run_limited
from autoscaler.ports.artefacts import Signer

SCRATCH = ".training-{}"


@dataclass(frozen=True, slots=True)
class TrainingLimits:
    """seconds: of time for the whole job. memory_bytes: of data that its process may hold."""

    seconds: float = 3600.0
    memory_bytes: int = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Trained:
    """manifest: of the model as published; None when there is none, and then words says why."""

    manifest: Manifest | None
    words: str
    ended: Ended


def train_limited(
    models: ModelFolder,
    expected: Expected,
    job: Job,
    arguments: Sequence[Any] = (),
    *,
    now: datetime,
    limits: TrainingLimits,
    signer: Signer | None = None,
    stop: threading.Event | None = None,
) -> Trained:
    """Run job(folder, *arguments) in a process of its own; what it made is checked and becomes the next generation.

    job: calls write_artefact(folder / "artefact", manifest, arrays); its function has to be that of a module.
    expected: kind and name are needed; an artefact that is another one is refused.
    """
    if expected.name is None or expected.kind is None:
        raise ValueError("the kind and the name of the model are needed")
    scratch = models.root / SCRATCH.format(expected.name)
    shutil.rmtree(scratch, ignore_errors=True)  # of a service that was killed while it trained
    ended = run_limited(job, scratch, arguments, seconds=limits.seconds, memory_bytes=limits.memory_bytes, stop=stop)
    if not ended.done:
        return Trained(None, f"training {expected.name}: {ended.words}; what was in force stays", ended)
    try:
        artefact = read_artefact(scratch / "artefact", expected, now)
    except BadArtefact as why:
        return Trained(None, f"training {expected.name}: {why}; what was in force stays", ended)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    made = models.publish(artefact.manifest, artefact.arrays, signer=signer)
    return Trained(
        made, f"{made.label} in {ended.taken_s:.1f} s; `foresail models promote {made.label}` uses it", ended
    )
