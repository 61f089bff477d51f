"""Who we are to a source: a bearer token or a password out of a file, read again when it is refused."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from pathlib import Path

from requests import PreparedRequest
from requests.auth import AuthBase

from autoscaler.adapters.prometheus.faults import fault
from autoscaler.adapters.prometheus.settings import PrometheusSettings
from autoscaler.domain.series import DataVerdict


class Credentials(AuthBase):
    """Sets the Authorization header; without a file it sets none."""

    def __init__(self, settings: PrometheusSettings) -> None:
        self._user = settings.basic_user
        self._file = settings.bearer_token_file or settings.basic_password_file
        self._headers = tuple(settings.headers.values())
        self._secret: str | None = None
        self._lock = threading.Lock()

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        if self._file is not None:
            r.headers["Authorization"] = self._header(self._file)
        return r

    def renewed(self, refused: str | bytes | None) -> bool:
        """Read the file again; whether it says something else than what was `refused`."""
        if self._file is None:
            return False
        with self._lock:
            self._secret = _read(self._file)
        return self._header(self._file) != refused

    def secrets(self) -> Iterator[str]:
        """Everything that must not be shown."""
        yield from self._headers
        if self._secret:
            yield self._secret
            yield self._encoded(self._secret)

    def _header(self, file: Path) -> str:
        with self._lock:
            if self._secret is None:
                self._secret = _read(file)
            secret = self._secret
        return f"Bearer {secret}" if self._user is None else f"Basic {self._encoded(secret)}"

    def _encoded(self, secret: str) -> str:
        return base64.b64encode(f"{self._user}:{secret}".encode()).decode()


def _read(file: Path) -> str:
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise fault(DataVerdict.REFUSED, f"the credentials in {file} cannot be read: {why}") from error
    if not secret:
        raise fault(DataVerdict.REFUSED, f"the credentials file {file} is empty")
    if any(not c.isprintable() for c in secret):
        raise fault(DataVerdict.REFUSED, f"the credentials file {file} holds more than one line")
    return secret
