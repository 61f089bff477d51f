"""Who we are to a source: a bearer token or a password, read again when it is refused."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from requests import PreparedRequest
from requests.auth import AuthBase

from autoscaler.adapters.prometheus.faults import fault
from autoscaler.adapters.prometheus.settings import PrometheusSettings, Secret
from autoscaler.domain.errors import Refused
from autoscaler.domain.series import DataVerdict

MOST_SHOWN = 8


class Credentials(AuthBase):
    """Sets the Authorization header; without a secret it sets none."""

    def __init__(self, settings: PrometheusSettings) -> None:
        self._user = settings.basic_user
        file = settings.bearer_token_file or settings.basic_password_file
        self._kept: Secret | None = settings.secret if file is None else _InFile(file)
        self._headers = tuple(settings.headers.values())
        self._shown: set[str] = set()

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        if self._kept is not None:
            r.headers["Authorization"] = self._header(self._kept.text)
        return r

    def renewed(self, refused: str | bytes | None) -> bool:
        """Read it again; whether it says something else than what was `refused`."""
        return self._kept is not None and self._header(self._kept.again) != refused

    def secrets(self) -> Iterator[str]:
        """Everything that must not be shown."""
        yield from self._headers
        for secret in tuple(self._shown):
            yield secret
            yield self._encoded(secret)

    def _header(self, read: Callable[[], str]) -> str:
        try:
            secret = read()
        except Refused as why:
            raise fault(DataVerdict.REFUSED, str(why)) from why
        if secret not in self._shown:  # an older one may still be in an answer that is on its way
            self._shown = {*sorted(self._shown)[-MOST_SHOWN:], secret}
        return f"Bearer {secret}" if self._user is None else f"Basic {self._encoded(secret)}"

    def _encoded(self, secret: str) -> str:
        return base64.b64encode(f"{self._user}:{secret}".encode()).decode()


class _InFile:
    """Implements settings.Secret over a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._text: str | None = None
        self._lock = threading.Lock()

    def text(self) -> str:
        with self._lock:
            if self._text is None:
                self._text = _read(self._file)
            return self._text

    def again(self) -> str:
        with self._lock:
            self._text = _read(self._file)
            return self._text


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
