"""From what is seen at each tick to alerts: one per problem while it lasts, many of one cause in one summary."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from autoscaler.domain.alert import Alert, labels_of
from autoscaler.domain.alert_causes import HABITS, Cause
from autoscaler.domain.alert_sightings import Sighting
from autoscaler.domain.alert_story import Story
from autoscaler.domain.alert_text import MOST_DESCRIPTION, MOST_LABEL, MOST_SUMMARY, plain

SINGLY: Final = 10
"""Alerts of one cause that are open one by one, or were opened within SPAN_S; what is beyond is told in one summary."""
SPAN_S: Final = 600.0
RESOLVED_S: Final = 900.0
"""So long ends are told again, as Prometheus does: a receiver that was away for as long has heard of them."""
NAMED: Final = 5
SCOPE: Final = "fleet"
MOST_SUBJECTS: Final = 20_000

Subject = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class _Watched:
    """One cause at one subject. alert: its own; pooled: it is part of the summary of its cause."""

    seen: Sighting
    first_s: float
    last_s: float
    alert: Alert | None = None
    pooled: bool = False

    @property
    def told(self) -> bool:
        return self.pooled or self.alert is not None


@dataclass(slots=True)
class AlertBook:
    """Belongs to the thread that ticks. common: labels of every alert, such as the installation."""

    common: Mapping[str, str] = field(default_factory=dict)
    _watched: dict[Subject, _Watched] = field(default_factory=dict)
    _pools: dict[Cause, Alert] = field(default_factory=dict)
    _resolved: deque[Alert] = field(default_factory=deque)
    _opened: dict[Cause, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    _restored_s: float = float("-inf")
    _subjects: dict[tuple[Cause, tuple[tuple[str, str], ...]], Subject] = field(default_factory=dict)

    def restore(self, alerts: Iterable[Alert], now_s: float) -> None:
        """What stood before a restart. It is over when it is not seen for as long as its cause takes, from now on."""
        causes = {cause.alert: cause for cause in Cause}
        for alert in alerts:
            cause = causes.get(alert.name)
            own = tuple((name, value) for name, value in alert.labels if self.common.get(name) != value)
            if cause is None:
                continue  # of a version that knows more, or of a test
            if not alert.firing:
                self._resolved.append(alert)
            elif alert.label("scope") == SCOPE:
                self._pools[cause] = alert
            else:
                seen = Sighting(cause, _in_order(own), alert.description)
                self._watched[seen.subject] = _Watched(seen, alert.starts_s, now_s, alert)
        self._restored_s = now_s

    def look(self, seen: Iterable[Sighting], now_s: float, known: Iterable[Cause] = tuple(Cause)) -> list[Alert]:
        """Alerts that begin or end with this look. known: causes that were looked for; the others stay as they are."""
        for one in seen:
            subject = self._subject(one)
            watched = self._watched.get(subject)
            if watched is None:
                first_s = now_s if one.first_s is None else min(one.first_s, now_s)
                self._watched[subject] = _Watched(one, first_s, now_s)
            else:
                watched.seen, watched.last_s = one, now_s
        ended = self._ends(frozenset(known), now_s)
        begun = self._begins(now_s)
        self._resolved.extend(ended)
        while self._resolved and (self._resolved[0].resolved_s or 0.0) < now_s - RESOLVED_S:
            self._resolved.popleft()
        return [*ended, *begun]

    def _subject(self, one: Sighting) -> Subject:
        """Worked out once while it is watched: a thousand are seen at each tick of a bad day."""
        known = self._subjects.get((one.cause, one.labels))
        if known is None:
            if len(self._subjects) > MOST_SUBJECTS:
                self._subjects.clear()
            known = self._subjects[one.cause, one.labels] = (one.cause.value, _in_order(one.labels))
        return known

    @property
    def open(self) -> list[Alert]:
        return [*self._pools.values(), *(w.alert for w in self._watched.values() if w.alert is not None)]

    @property
    def standing(self) -> tuple[Alert, ...]:
        """What ended lately, then what is open: all that a receiver may have missed."""
        begun_again = {alert.key for alert in self.open}
        return (*(a for a in self._resolved if a.key not in begun_again), *self.open)

    def _ends(self, known: frozenset[Cause], now_s: float) -> list[Alert]:
        ended = []
        for subject, watched in list(self._watched.items()):
            cause = watched.seen.cause
            gone_s = now_s - watched.last_s
            if cause in known and gone_s > 0 and gone_s >= HABITS[cause].over_s:
                del self._watched[subject]
                if watched.alert is not None:
                    ended.append(watched.alert.resolved(now_s))
        pooled = {w.seen.cause for w in self._watched.values() if w.alert is None}  # part of it, or about to be
        for cause in list(self._pools):
            habit = HABITS[cause]
            settling = now_s - self._restored_s < habit.after_s + habit.over_s  # its members are seen anew first
            if cause in known and cause not in pooled and not settling:
                ended.append(self._pools.pop(cause).resolved(now_s))
        return ended

    def _begins(self, now_s: float) -> list[Alert]:
        due: dict[Cause, list[_Watched]] = defaultdict(list)
        pooled: dict[Cause, list[_Watched]] = defaultdict(list)
        single: dict[Cause, int] = defaultdict(int)
        for watched in self._watched.values():
            cause = watched.seen.cause
            if watched.pooled:
                pooled[cause].append(watched)
            elif watched.alert is not None:
                single[cause] += 1
            elif watched.last_s == now_s and now_s - watched.first_s >= HABITS[cause].after_s:
                due[cause].append(watched)
        begun = []
        for cause, several in due.items():
            opened = self._opened[cause]
            while opened and opened[0] <= now_s - SPAN_S:
                opened.popleft()
            if cause in self._pools or len(several) > SINGLY - max(single[cause], len(opened)):
                for watched in several:
                    watched.pooled = True
                pooled[cause] += several
            else:
                for watched in several:
                    watched.alert = self._one(watched, now_s)
                    begun.append(watched.alert)
                    opened.append(now_s)
        for cause, members in pooled.items():
            begun += self._summary(cause, members, now_s)
        return begun

    def _one(self, watched: _Watched, now_s: float) -> Alert:
        seen, cause = watched.seen, watched.seen.cause
        named = {name: plain(value, MOST_LABEL) or "?" for name, value in seen.labels}
        who = "/".join(named.values())
        habit = HABITS[cause]
        return Alert(
            cause.alert, habit.severity, labels_of(named | dict(self.common)),
            plain(f"{who}: {seen.words}" if who else seen.words, MOST_SUMMARY), plain(seen.words, MOST_DESCRIPTION),
            now_s, incident=_incident(named, cause),
            destination=named.get("destination", "") if cause is Cause.NOTIFIER_FAILING else "",
            story=Story(seen.figures) if seen.figures else None,
        )  # fmt: skip

    def _summary(self, cause: Cause, members: list[_Watched], now_s: float) -> list[Alert]:
        """The one alert of a cause that has many subjects: begun once, then kept up to date."""
        habit = HABITS[cause]
        names = sorted("/".join(value for _, value in w.seen.labels) for w in members)
        some = ", ".join(plain(name, 80) for name in names[:NAMED]) + (", …" if len(names) > NAMED else "")
        summary = plain(f"{len(names)} {habit.many}", MOST_SUMMARY)
        words = plain(f"{len(names)} {habit.many}: {some}. The first says: {members[0].seen.words}", MOST_DESCRIPTION)
        story = Story((("affected", f"{len(names)}"),))
        before = self._pools.get(cause)
        if before is not None:
            self._pools[cause] = replace(before, summary=summary, description=words, story=story)
            return []
        labels = labels_of({"scope": SCOPE} | dict(self.common))
        alert = Alert(
            cause.alert, habit.severity, labels, summary, words, now_s, incident=f"cause:{cause.value}", story=story
        )
        self._pools[cause] = alert
        return [alert]


def _in_order(labels: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """As an alert holds them, so that what is read back is found again."""
    return tuple(sorted((name, plain(value, MOST_LABEL) or "?") for name, value in labels))


def _incident(named: Mapping[str, str], cause: Cause) -> str:
    if "workload" in named:
        return f"workload:{named.get('namespace', '')}/{named['workload']}"
    for kind in ("source", "policy", "destination"):
        if kind in named:
            return f"{kind}:{named[kind]}"
    return f"cause:{cause.value}"
