"""Secrets of one namespace, by name: what a source's credentials are kept in. Nothing is listed, nothing is watched.

A Secret is read when it is first needed, once a minute, and when what it said is refused: so that a new one needs no
restart. One that is gone is not used any longer; while the API server cannot say, what was read last is.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from autoscaler.adapters.kubernetes.connection import Connection
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.domain.errors import Refused

log = logging.getLogger("foresail")

EVERY_S = 60.0
LEAST_AGAIN_S = 5.0
Key = tuple[str, str]
"""Name of the Secret, and key in its data."""


@dataclass(slots=True)
class _Known:
    text: str
    read_s: float


@dataclass(slots=True)
class SecretStore:
    """Thread-safe. wanted: what is still named; all else is forgotten."""

    connection: Connection
    namespace: str
    wanted: Callable[[], set[Key]]
    every_s: float = EVERY_S
    monotonic: Callable[[], float] = time.monotonic
    _known: dict[Key, _Known] = field(default_factory=dict)
    _files: dict[Key, tuple[int, Path]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="foresail-secrets", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2.0)
        with self._lock:
            for fd, path in self._files.values():
                os.close(fd)
                if not str(path).startswith("/proc/"):
                    path.unlink(missing_ok=True)
            self._files.clear()

    def text(self, key: Key) -> str:
        """As last read; read now if it never was. Refused when there is none."""
        with self._lock:
            known = self._known.get(key)
        return known.text if known is not None else self._read(key)

    def again(self, key: Key) -> str:
        """Read anew, unless that was a moment ago."""
        with self._lock:
            known = self._known.get(key)
        if known is not None and self.monotonic() - known.read_s < LEAST_AGAIN_S:
            return known.text
        return self._read(key)

    def path(self, key: Key) -> Path:
        """Where its bytes can be opened by libraries that want a file: in memory where the system can."""
        text = self._read(key)
        with self._lock:
            if key not in self._files:
                self._files[key] = _room()
            self._put(key, text)
            return self._files[key][1]

    def look(self) -> None:
        """Read again all that is known and still named."""
        wanted = self.wanted()
        with self._lock:
            for key in self._known.keys() - wanted:
                del self._known[key]
            known = list(self._known)
        for key in known:
            with suppress(Refused):  # said where it is used
                self._read(key)

    def _run(self) -> None:
        while not self._stop.wait(self.every_s):
            try:
                self.look()
            except Exception:
                log.exception("secrets_look_failed")

    def _read(self, key: Key) -> str:
        name, inside = key
        where = f"Secret {name} in {self.namespace}"
        try:
            data = self.connection.get(f"/api/v1/namespaces/{self.namespace}/secrets/{name}").get("data") or {}
            text = _decoded(data.get(inside), where, inside)
        except ApiFault as fault:
            with self._lock:
                known = self._known.get(key)
            if known is not None and not (fault.gone or fault.forbidden):
                return known.text
            self._forget(key)
            words = f"not allowed to read {where}" if fault.forbidden else f"{where} cannot be read"
            raise Refused(f"{words}: {fault.said if fault.forbidden else fault}") from fault
        except Refused:
            self._forget(key)
            raise
        with self._lock:
            self._known[key] = _Known(text, self.monotonic())
            if key in self._files:
                self._put(key, text)
        return text

    def _forget(self, key: Key) -> None:
        with self._lock:
            self._known.pop(key, None)
            if key in self._files:
                self._put(key, "")

    def _put(self, key: Key, text: str) -> None:
        fd = self._files[key][0]
        data = text.encode()
        os.pwrite(fd, data, 0)
        os.ftruncate(fd, len(data))


@dataclass(frozen=True, slots=True)
class SecretText:
    """One of its texts, as a client of the source asks for it: one line."""

    store: SecretStore
    key: Key

    def text(self) -> str:
        return self._line(self.store.text(self.key))

    def again(self) -> str:
        return self._line(self.store.again(self.key))

    def _line(self, text: str) -> str:
        line = text.strip()
        if not line or not line.isprintable():
            name, inside = self.key
            raise Refused(f"key {inside} of Secret {name} is {'empty' if not line else 'more than one line of text'}")
        return line


def _decoded(value: object, where: str, key: str) -> str:
    if not isinstance(value, str):
        raise Refused(f"{where} has no key {key}")
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Refused(f"key {key} of {where} is no text") from None


def _room() -> tuple[int, Path]:
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("foresail", os.MFD_CLOEXEC)
        return fd, Path(f"/proc/self/fd/{fd}")
    fd, name = tempfile.mkstemp(prefix="foresail-")
    return fd, Path(name)
