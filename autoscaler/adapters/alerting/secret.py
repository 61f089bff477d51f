"""A secret that stands in a file or in the environment: read at each use, shown nowhere."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOST: Final = 1 << 16


class SecretMissingError(Exception):
    """The message names the file or the variable, never what it holds."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Exactly one of the two."""

    file: Path | None = None
    env: str | None = None

    def __post_init__(self) -> None:
        if (self.file is None) == (self.env is None):
            raise ValueError("a secret stands in a file or in the environment")

    @property
    def place(self) -> str:
        return f"the file {self.file}" if self.file is not None else f"the environment variable {self.env}"

    def read(self) -> str:
        """One word of printable ASCII without the line's end. Raises SecretMissingError."""
        if self.env is not None:
            text = os.environ.get(self.env)
            if text is None:
                raise SecretMissingError(f"{self.place} is not set")
        else:
            text = self._of_file()
        word = text.strip()
        if not word:
            raise SecretMissingError(f"{self.place} is empty")
        if not (word.isascii() and word.isprintable()):
            raise SecretMissingError(f"{self.place} holds more than one line of printable ASCII")
        return word

    def _of_file(self) -> str:
        assert self.file is not None  # noqa: S101 - one of the two is given
        try:
            with self.file.open("rb") as stream:
                data = stream.read(MOST + 1)
        except OSError as error:
            raise SecretMissingError(f"{self.place} cannot be read: {error.strerror}") from None
        if len(data) > MOST:
            raise SecretMissingError(f"{self.place} is larger than {MOST >> 10} KiB")
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise SecretMissingError(f"{self.place} is not text") from None
