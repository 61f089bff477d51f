"""Which generation of a model is in force, by whose word: one small JSON file, kept whole at every change."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from autoscaler.adapters.artefacts.disk import read_bytes, write_file
from autoscaler.domain.artefact import BadArtefact, Fault, moment_text

FILE, LOCK = "promotions.json", ".lock"
MOST_BYTES, MOST_KEPT = 1024**2, 500


class Move(StrEnum):
    PROMOTED = "Promoted"
    ROLLED_BACK = "RolledBack"


@dataclass(frozen=True, slots=True)
class Promotion:
    """One change of what is in force. sha256: of the arrays, so that the same generation is the same numbers."""

    move: Move
    generation: int
    at: datetime
    by: str
    sha256: str = ""
    before: int | None = None
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "move": self.move.value, "generation": self.generation, "sha256": self.sha256, "at": moment_text(self.at),
            "by": self.by, "before": self.before, "reason": self.reason,
        }  # fmt: skip


def promotions(folder: Path) -> tuple[Promotion, ...]:
    """Oldest first; none where nothing was promoted. Raises BadArtefact where the file cannot be read as ours."""
    place = folder / FILE
    try:
        body = read_bytes(place, MOST_BYTES)
    except BadArtefact as why:
        if why.fault == Fault.MISSING and not place.exists():
            return ()
        raise
    try:
        return tuple(_promotion(each) for each in json.loads(body)["promotions"])
    except (ValueError, TypeError, KeyError, RecursionError) as why:
        raise BadArtefact(
            Fault.DAMAGED, f"{place}: not a record of promotions ({why!r:.100}); move it away and promote again"
        ) from None


def add(folder: Path, known: tuple[Promotion, ...], newest: Promotion) -> None:
    """Inside `locked`: the newest joins what is known; very old ones are left out."""
    kept = (*known, newest)[-MOST_KEPT:]
    body = json.dumps({"promotions": [each.as_dict() for each in kept]}, indent=2) + "\n"
    write_file(folder / FILE, body.encode())


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One publisher or promoter of a model at a time; the lock ends with its process, however that ends."""
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _promotion(told: Mapping[str, Any]) -> Promotion:
    at = datetime.fromisoformat(told["at"])
    if at.tzinfo is None or not isinstance(told["generation"], int):
        raise ValueError(f"{told!r:.80}")
    return Promotion(
        Move(told["move"]), told["generation"], at, str(told["by"]), str(told["sha256"]), told["before"], told["reason"]
    )
