"""One writer a record: two services that decide for the same fleet would contradict each other unseen."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from autoscaler.domain.errors import Refused


class OnlyWriter:
    """Holds an advisory lock on the record's file until closed; it is gone with the process, however that ends.

    SQLite locks byte ranges (fcntl), this is a lock of the whole file (flock): they do not see each other. Close it
    after SQLite, as closing any descriptor of a file drops the process's byte locks on it.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise Refused(
                f"{path}: another foresail writes this record; stop it, or name another file with --store"
            ) from error

    def close(self) -> None:
        os.close(self._file)
