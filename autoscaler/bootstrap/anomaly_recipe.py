"""Detectors of a recipe for a service, or why they are not heard: scaling and the engine go on without them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from autoscaler.bootstrap.anomaly_voices import MEMORY_BYTES, Voices
from autoscaler.detection.contract import Arrays, Block
from autoscaler.domain.errors import Refused
from autoscaler.domain.series import Floats

log = logging.getLogger("foresail")
SERVICE_BYTES: Final = 512 * 1024**2
"""Of a container's memory, what is left to the service itself."""
LEAST_BYTES: Final = 768 * 1024**2
"""Of some eighty series with the four of models/detectors.yaml, measured; pyod itself takes half of it."""
LIMITS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True, slots=True)
class Unheard:
    """Implements anomaly_gate.Further, and says nothing of any row. trouble: why, and the way out."""

    trouble: str

    @property
    def names(self) -> tuple[str, ...]:
        return ()

    def due(self, keys: tuple[str, ...], day: int) -> bool:
        del keys, day
        return False

    def start(self, keys: tuple[str, ...], history: Block, *, lives: bool) -> None:
        del keys, history, lives

    def tell(self, keys: tuple[str, ...], block: Block) -> None:
        del keys, block

    def heard(self, keys: tuple[str, ...], first: int, end: int) -> Floats:
        return np.empty((len(keys), 0, end - first))

    def taken(self) -> Arrays | None:
        return None

    def health(self) -> dict[str, Any]:
        return {"detectors": [], "state": "refused", "rowsLeftOut": 0, "stepsUnheard": 0, "trouble": self.trouble}

    def close(self) -> None:
        """Nothing was begun."""


def further(recipe: Path, step_s: int, folder: Path) -> Voices | Unheard:
    """What a service hears. A recipe that is wrong, pyod that is missing, and a container without room for it are
    told, in the log and on /healthz: whoever scales by a mounted file is not stopped by a slip in it.
    """
    try:
        return Voices(recipe, step_s, folder, memory_bytes=_memory_bytes())
    except Refused as why:
        log.warning("recipe_refused %s: the engine goes on without it", why)
        return Unheard(str(why))


def _memory_bytes() -> int:
    """For the process of the recipe. Kubernetes kills all of a container of which one process is out of memory."""
    limit = container_bytes(LIMITS)
    if limit is None:
        return MEMORY_BYTES
    room = limit - SERVICE_BYTES
    if room < LEAST_BYTES:
        raise Refused(
            f"the container's {limit / 1024**2:.0f} MiB of memory leave no room for the detectors of a recipe: raise "
            f"its limit to {(SERVICE_BYTES + LEAST_BYTES) / 1024**2:.0f} MiB at least, "
            f"{(SERVICE_BYTES + MEMORY_BYTES) / 1024**2:.0f} MiB for many series"
        )
    return min(MEMORY_BYTES, room)


def container_bytes(files: tuple[Path, ...]) -> int | None:
    """What a container may hold, by the first of files that says it; None = no limit, or none that can be read."""
    for file in files:
        try:
            text = file.read_text().strip()
        except OSError:
            continue
        return int(text) if text.isdigit() and int(text) < 1 << 60 else None
    return None
