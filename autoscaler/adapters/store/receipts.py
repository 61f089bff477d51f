"""What each destination of alerts was told, beside the outbox: threads and open alerts outlive the process."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from autoscaler.adapters.store.place import Place
from autoscaler.adapters.store.schema import receipt as receipts

KEEP_S: Final = 35 * 86_400.0
_MICROS: Final = 1_000_000


class StoredReceipts:
    """Implements ports.Receipts over a record at its newest revision. Raises Retryable while the disk does not work."""

    def __init__(self, where: str | Path) -> None:
        self._place = Place.of(where)
        self._engine = self._place.writing()
        self._one_at_a_time = threading.Lock()

    def of(self, destination: str) -> Mapping[str, str]:
        query = select(receipts.c.thread, receipts.c.body).where(receipts.c.destination == destination)
        with self._transaction() as connection:
            rows = connection.execute(query).all()
        return {row.thread: row.body for row in rows}

    def keep(self, destination: str, thread: str, body: str, now_s: float) -> None:
        kept_at = round(now_s * _MICROS)
        this = (receipts.c.destination == destination) & (receipts.c.thread == thread)
        old = receipts.c.kept_at < round((now_s - KEEP_S) * _MICROS)
        with self._transaction() as connection:
            connection.execute(delete(receipts).where(this | old))
            row = {"destination": destination, "thread": thread, "kept_at": kept_at, "body": body}
            connection.execute(insert(receipts), [row])

    def forget(self, destination: str, threads: Sequence[str]) -> None:
        these = (receipts.c.destination == destination) & receipts.c.thread.in_(list(threads))
        with self._transaction() as connection:
            connection.execute(delete(receipts).where(these))

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._one_at_a_time, self._place.translated(), self._engine.begin() as connection:
            yield connection
