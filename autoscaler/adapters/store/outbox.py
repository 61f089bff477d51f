"""Alerts on disk, beside the record of decisions: what began and ended, and what each destination has not taken yet.

At least once, up to a bound: what was put is sent until it is taken, over restarts, unless MOST_WAITING newer ones of
its
destination or MOST_AGE_S have passed; what is lost then is counted. A kill between a taking and its mark sends once
more.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from autoscaler.adapters.store.alert_story import packed_story, unpacked_story
from autoscaler.adapters.store.place import Place
from autoscaler.adapters.store.schema import alert as alerts
from autoscaler.adapters.store.schema import notice as notices
from autoscaler.domain.alert import Alert, Severity
from autoscaler.domain.errors import Retryable
from autoscaler.ports.alerts import Notice

log = logging.getLogger("foresail")

MOST_WAITING: Final = 1000
"""Per destination. What is more costs the oldest of the lowest severity."""
MOST_AGE_S: Final = 86_400.0
KEEP_S: Final = 35 * 86_400.0
MOST_RECORDED: Final = 10_000
PRUNE_EVERY: Final = 100
_MICROS: Final = 1_000_000


class StoredOutbox:
    """Implements ports.Outbox over a record at its newest revision. Raises Retryable while the disk does not work."""

    def __init__(self, where: str | Path, most_waiting: int = MOST_WAITING) -> None:
        self._place = Place.of(where)
        self._engine = self._place.writing()
        self._most_waiting = most_waiting
        self._one_at_a_time = threading.Lock()
        self._connection: Connection | None = None
        self._dropped: Counter[str] = Counter()
        self._lengths: dict[str, int] = {}
        self._puts = 0
        self._closed = False

    def put(self, changed: Sequence[Alert], destinations: Sequence[str], now_s: float) -> None:
        with self._transaction() as connection:
            for one in changed:
                _record(connection, one)
            rows = [
                {"destination": name, "severity": int(one.severity), "queued_at": _micros(now_s), "body": packed(one)}
                for one in changed
                for name in destinations
                if name != one.destination
            ]
            if rows:
                connection.execute(insert(notices), rows)
            lost = {name: _bound(connection, name, self._most_waiting) for name in destinations}
            lengths = {name: _length(connection, name) for name in destinations}
            if self._puts % PRUNE_EVERY == 0:
                _prune(connection, now_s)
        self._puts += 1
        self._lengths |= lengths
        for name, count in lost.items():
            self._lost(name, count, f"more than {self._most_waiting} were waiting")

    def waiting(self, destination: str, most: int, now_s: float) -> Sequence[Notice]:
        old = (notices.c.destination == destination) & (notices.c.queued_at < _micros(now_s - MOST_AGE_S))
        with self._transaction() as connection:
            lost = connection.execute(delete(notices).where(old)).rowcount
            query = select(notices.c.id, notices.c.body).where(notices.c.destination == destination)
            rows = connection.execute(query.order_by(notices.c.id).limit(most)).all()
            self._lengths[destination] = _length(connection, destination)
        self._lost(destination, lost, f"it had waited for {MOST_AGE_S / 3600:g} hours")
        found, unreadable = [], []
        for number, body in rows:
            one = unpacked(body)
            if one is None:
                unreadable.append(number)
            else:
                found.append(Notice(number, one))
        if unreadable:
            self._remove(destination, unreadable)
            self._lost(destination, len(unreadable), "it cannot be read")
        return found

    def settle(self, destination: str, settled: Sequence[Notice], *, lost: bool = False) -> None:
        self._remove(destination, [one.number for one in settled])
        if lost:
            self._lost(destination, len(settled), "it was refused for good")

    def forget_waiting(self) -> None:
        with self._transaction() as connection:
            connection.execute(delete(notices))
        self._lengths = dict.fromkeys(self._lengths, 0)

    def standing(self, since_s: float) -> Sequence[Alert]:
        lasting = or_(alerts.c.resolved_at.is_(None), alerts.c.resolved_at >= _micros(since_s))
        with self._transaction() as connection:
            rows = connection.execute(select(alerts.c.body).where(lasting).order_by(alerts.c.id)).all()
        return [one for (body,) in rows if (one := unpacked(body)) is not None]

    def recorded(self, since_s: float = 0.0) -> Sequence[Alert]:
        """All alerts on record that began since then, oldest first."""
        query = select(alerts.c.body).where(alerts.c.starts_at >= _micros(since_s)).order_by(alerts.c.id)
        with self._transaction() as connection:
            rows = connection.execute(query).all()
        return [one for (body,) in rows if (one := unpacked(body)) is not None]

    @property
    def lengths(self) -> Mapping[str, int]:
        return dict(self._lengths)

    @property
    def dropped(self) -> Mapping[str, int]:
        return dict(self._dropped)

    def close(self) -> None:
        with self._one_at_a_time:
            self._closed = True
            self._release()

    def _remove(self, destination: str, numbers: Sequence[int]) -> None:
        with self._transaction() as connection:
            connection.execute(delete(notices).where(notices.c.id.in_(numbers)))
            self._lengths[destination] = _length(connection, destination)

    def _lost(self, destination: str, count: int, why: str) -> None:
        if count:
            self._dropped[destination] += count
            log.error("alerts_dropped destination=%s count=%d: %s", destination, count, why)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._one_at_a_time:
            if self._closed:  # a carrier that was slower than the end of its process
                raise Retryable(f"{self._place.label}: the outbox is closed")
            try:
                with self._place.translated():
                    if self._connection is None:
                        self._connection = self._engine.connect()
                    with self._connection.begin():
                        yield self._connection
            except Exception:
                self._release()
                raise

    def _release(self) -> None:
        held, self._connection = self._connection, None
        if held is not None:
            held.close()
        self._engine.dispose()


def packed(one: Alert) -> str:
    plain: dict[str, Any] = {
        "v": 1, "name": one.name, "severity": one.severity.name, "labels": [list(pair) for pair in one.labels],
        "summary": one.summary, "description": one.description, "starts": one.starts_s, "resolved": one.resolved_s,
        "incident": one.incident, "destination": one.destination,
    }  # fmt: skip
    if one.story is not None:
        plain["story"] = packed_story(one.story)
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False)


def unpacked(body: str) -> Alert | None:
    """None for what this version cannot read: a newer one wrote it, or it is damaged."""
    try:
        p = json.loads(body)
        return Alert(
            p["name"], Severity[p["severity"]], tuple((k, v) for k, v in p["labels"]), p["summary"], p["description"],
            p["starts"], p["resolved"], p["incident"], p["destination"], unpacked_story(p.get("story")),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError) as why:
        log.warning("alert_unreadable: %r", why)
        return None


def _record(connection: Connection, one: Alert) -> None:
    starts = _micros(one.starts_s)
    values = {"resolved_at": None if one.resolved_s is None else _micros(one.resolved_s), "body": packed(one)}
    this = (alerts.c.key == one.key) & (alerts.c.starts_at == starts)
    if not connection.execute(update(alerts).where(this).values(**values)).rowcount:
        connection.execute(insert(alerts).values(key=one.key, starts_at=starts, **values))


def _length(connection: Connection, destination: str) -> int:
    query = select(func.count()).select_from(notices).where(notices.c.destination == destination)
    return int(connection.execute(query).scalar_one())


def _bound(connection: Connection, destination: str, most: int) -> int:
    """Delete what is too much; how many."""
    excess = _length(connection, destination) - most
    if excess <= 0:
        return 0
    lowest = select(notices.c.id).where(notices.c.destination == destination)
    lowest = lowest.order_by(notices.c.severity, notices.c.id).limit(excess)
    return connection.execute(delete(notices).where(notices.c.id.in_(lowest.scalar_subquery()))).rowcount


def _prune(connection: Connection, now_s: float) -> None:
    """Alerts that ended long ago go, the oldest ended ones beyond MOST_RECORDED, and what waits for nobody any more."""
    connection.execute(delete(notices).where(notices.c.queued_at < _micros(now_s - 2 * MOST_AGE_S)))
    connection.execute(delete(alerts).where(alerts.c.resolved_at < _micros(now_s - KEEP_S)))
    excess = int(connection.execute(select(func.count()).select_from(alerts)).scalar_one()) - MOST_RECORDED
    if excess > 0:
        ended = select(alerts.c.id).where(alerts.c.resolved_at.is_not(None)).order_by(alerts.c.id).limit(excess)
        connection.execute(delete(alerts).where(alerts.c.id.in_(ended.scalar_subquery())))


def _micros(at_s: float) -> int:
    return round(at_s * _MICROS)
