"""Incidents on disk, beside the record of decisions, and what people said of them.

A service writes incidents, a person's command writes a label; each row belongs to one of them, so neither overwrites
the other. Kept are KEEP_S, and of what is over the newest MOST_KEPT.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update

from autoscaler.adapters.store.incident_text import packed, unpacked
from autoscaler.adapters.store.migrate import must_be_at_head
from autoscaler.adapters.store.place import Place
from autoscaler.adapters.store.schema import feedback as said
from autoscaler.adapters.store.schema import incident as incidents
from autoscaler.domain.errors import Refused
from autoscaler.domain.incident import Feedback, Incident, Label

log = logging.getLogger("foresail")
KEEP_S: Final = 90 * 86_400.0
MOST_KEPT: Final = 5000
PRUNE_EVERY: Final = 50
_MICROS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Listed:
    """An incident with what was said of it."""

    incident: Incident
    feedback: Feedback | None = None


class StoredIncidents:
    """One record's incidents, at its newest revision. Raises Retryable while the disk does not work."""

    def __init__(self, where: str | Path) -> None:
        self._place = Place.of(where)
        self._engine = self._place.writing()
        self._lock = threading.Lock()
        self._puts = 0

    @classmethod
    def of_a_service(cls, where: str | Path) -> StoredIncidents:
        """For other processes: Refused where there is no record, or one of another revision."""
        must_be_at_head(Place.of(where))
        return cls(where)

    def put(self, changed: Sequence[Incident]) -> None:
        """The newest of each."""
        with self._transaction() as connection:
            for one in changed:
                values = {
                    "opened_at": _micros(one.opened_s),
                    "resolved_at": None if one.resolved_s is None else _micros(one.resolved_s),
                    "body": packed(one),
                }
                if not connection.execute(update(incidents).where(incidents.c.id == one.id).values(**values)).rowcount:
                    connection.execute(insert(incidents).values(id=one.id, **values))
            if changed and self._puts % PRUNE_EVERY == 0:
                _prune(connection, max(one.updated_s for one in changed))
        self._puts += 1

    def listed(self, since_s: float = 0.0, most: int = 1000) -> list[Listed]:
        """Those that were open at since_s or later, newest first; what cannot be read is left out and logged."""
        lasting = incidents.c.resolved_at.is_(None) | (incidents.c.resolved_at >= _micros(since_s))
        query = select(incidents.c.id, incidents.c.body).where(lasting)
        with self._transaction() as connection:
            rows = connection.execute(query.order_by(incidents.c.opened_at.desc()).limit(most)).all()
            words = _feedback(connection)
        return [Listed(one, words.get(key)) for key, one in _readable(rows)]

    def labelled(self) -> list[tuple[Incident, Feedback]]:
        """Those of which somebody said something, newest first; what cannot be read is left out and logged."""
        query = select(incidents.c.id, incidents.c.body).where(incidents.c.id.in_(select(said.c.incident)))
        with self._transaction() as connection:
            rows = connection.execute(query.order_by(incidents.c.opened_at.desc())).all()
            words = _feedback(connection)
        return [(one, words[key]) for key, one in _readable(rows) if key in words]

    def one(self, key: str) -> Listed:
        """By its id, or the beginning of one that fits no other. Refused where there is none."""
        query = select(incidents.c.id, incidents.c.body).where(incidents.c.id.startswith(key, autoescape=True)).limit(3)
        with self._transaction() as connection:
            rows = connection.execute(query).all()
            words = _feedback(connection)
        exact = [row for row in rows if row[0] == key] or rows
        if len(exact) != 1:
            what = "there is no such incident" if not exact else f"{exact[0][0]} and others begin so"
            raise Refused(f"incident {key!r}: {what}; `foresail anomalies list` names them")
        return Listed(unpacked(exact[0][1]), words.get(exact[0][0]))

    def say(self, feedback: Feedback) -> None:
        """What a person says of an incident, in place of what was said before."""
        values = {"label": feedback.label.value, "note": feedback.note, "said_at": _micros(feedback.at_s)}
        with self._transaction() as connection:
            this = said.c.incident == feedback.incident
            if not connection.execute(update(said).where(this).values(**values)).rowcount:
                connection.execute(insert(said).values(incident=feedback.incident, **values))

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._lock, self._place.translated(), self._engine.begin() as connection:
            yield connection


def _readable(rows: Iterable[Any]) -> Iterator[tuple[str, Incident]]:
    for key, body in rows:
        try:
            yield key, unpacked(body)
        except ValueError as why:
            log.warning("incident_unreadable id=%s: %s", key, why)


def _feedback(connection: Connection) -> Mapping[str, Feedback]:
    rows = connection.execute(select(said.c.incident, said.c.label, said.c.note, said.c.said_at)).all()
    return {key: Feedback(key, Label(label), note, at / _MICROS) for key, label, note, at in rows}


def _prune(connection: Connection, now_s: float) -> None:
    connection.execute(delete(incidents).where(incidents.c.resolved_at < _micros(now_s - KEEP_S)))
    excess = int(connection.execute(select(func.count()).select_from(incidents)).scalar_one()) - MOST_KEPT
    if excess > 0:
        ended = select(incidents.c.id).where(incidents.c.resolved_at.is_not(None))
        oldest = ended.order_by(incidents.c.opened_at).limit(excess)
        connection.execute(delete(incidents).where(incidents.c.id.in_(oldest.scalar_subquery())))
    connection.execute(delete(said).where(said.c.incident.not_in(select(incidents.c.id))))


def _micros(at_s: float) -> int:
    return round(at_s * _MICROS)
