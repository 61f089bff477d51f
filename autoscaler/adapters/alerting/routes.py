"""From all alerts to what one destination is told of them: by route, silence and limit, each change once.

Whatever is sent here, in whatever order and however often, is held against what the destination was told before. So a
window that opens, a silence that ends or a start after a kill needs no rule of its own: what should have been told and
was not is told, and nothing else is. Implements ports.Notifier over a Channel.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from autoscaler.adapters.alerting.channel import NOTHING_TO_DO, Channel, Thread
from autoscaler.adapters.alerting.message import Act, Message, Words, told_of
from autoscaler.adapters.alerting.routes_health import Health, Shut
from autoscaler.adapters.alerting.routes_thread import MOST_HELD, REOPEN_S, Mark, ThreadState, fresh, packed, unpacked
from autoscaler.domain.alert import Alert, Severity, labels_of
from autoscaler.domain.alert_route import HELD, GroupBy, Limit, Routing, group_of, stable_id
from autoscaler.domain.alert_text import MOST_DESCRIPTION, MOST_SUMMARY, plain
from autoscaler.domain.errors import AutoscalerError
from autoscaler.ports.alerts import Delivery, Outcome, Receipts

log = logging.getLogger("foresail")
LOOK_S: Final = 30.0
UPDATE_S: Final = 600.0
RESEND_END_S: Final = 300.0
RESEND_EVERY_S: Final = 55.0
NAMED: Final = 10
FRESH_S: Final = 5.0
FORGET_S: Final = 86_400.0
LIMIT: Final = Limit(10, 600.0)
OUR_WORDS: Final = Words()


@dataclass(frozen=True, slots=True)
class Habits:
    """How one destination is told. routing: as it is now, for a silence may come at any time. stands_in_for: whom it
    hears for while they are dead. remind_s: None = never.
    """

    routing: Callable[[], Routing]
    group_by: GroupBy = GroupBy.ALERT
    limit: Limit = LIMIT
    remind_s: float | None = None
    stands_in_for: tuple[str, ...] = ()
    words: Words = OUR_WORDS


@dataclass(slots=True)
class Routed:
    """Belongs to the thread of its carrier. held_back: told once of each alert that is not told here, and why."""

    channel: Channel
    habits: Habits
    receipts: Receipts
    health: Health = field(default_factory=Health)
    held_back: Callable[[str, str], None] = lambda _destination, _why: None
    most_at_once: int = 1
    repeat_s: float | None = LOOK_S
    clock: Callable[[], float] = time.monotonic
    _shut: Shut = field(default_factory=Shut)
    _said: dict[str, str] = field(default_factory=dict)
    _known: dict[str, ThreadState] = field(default_factory=dict)
    _unkept: set[str] = field(default_factory=set)
    _read_at: float = float("-inf")

    @property
    def name(self) -> str:
        return self.channel.name

    def send(self, alerts: Sequence[Alert], now_s: float) -> Delivery:
        """One by one, in this order; the first that cannot be told now ends it, and what was told is remembered."""
        if (shut := self._shut.still(self.channel.secrets_now, now_s)) is not None:
            return shut
        threads = self._threads(now_s)
        last = NOTHING_TO_DO
        for alert in alerts:
            delivery = self._one(alert, threads, now_s)
            if delivery.outcome in {Outcome.LATER, Outcome.SHUT}:
                self.health.failed(self.name, now_s)
                return self._shut.after(delivery, self.channel.secrets_now, now_s)
            if not delivery.idle:
                self._shut.opened()
                if delivery.outcome is Outcome.DELIVERED:
                    self.health.well(self.name)
                last = delivery
        return last

    def close(self) -> None:
        self.channel.close()

    def _one(self, alert: Alert, threads: dict[str, ThreadState], now_s: float) -> Delivery:
        if alert.destination == self.name:
            return NOTHING_TO_DO
        group = group_of(alert, self.habits.group_by)
        thread = threads.get(group)
        mark = None if thread is None else thread.marks.get(alert.key)
        same = mark is not None and _same(mark, alert)
        if not alert.firing:
            if same and thread is not None and mark is not None and not mark.refused:
                return self._end(alert, group, thread, now_s)
            return self._no_longer_held(alert, threads, now_s)
        if same and thread is not None:
            return self._again(alert, group, thread, now_s)
        return self._begin(alert, group, threads, now_s)

    def _begin(self, alert: Alert, group: str, threads: dict[str, ThreadState], now_s: float) -> Delivery:
        taken = self.habits.routing().of(alert, now_s)
        dead = [name for name in self.habits.stands_in_for if self.health.dead(name, now_s)]
        if self.name not in taken.destinations and not set(dead) & set(taken.destinations):
            return self._not_told(alert, "route")
        silence = self.habits.routing().silence(alert, now_s)
        if silence is not None:
            return self._not_told(alert, "silence", f"until {silence.until_s:.0f} by {silence.who}: {silence.why}")
        thread = threads.get(group)
        if alert.name != HELD:
            summary = threads.get(_held_group(taken.severity))
            known = summary is not None and alert.key in summary.held
            if known or self.habits.limit.reached(fresh(threads.values(), now_s), now_s):
                return self._hold(alert, taken.severity, threads, now_s)
        if thread is None or (over_s := thread.over_since(now_s)) is None or over_s < REOPEN_S:
            thread = thread or ThreadState(now_s)
        else:
            thread = ThreadState(now_s)
        known_mark = thread.marks.get(alert.key)
        lasting = thread.lasting + (0 if known_mark is not None and known_mark.lasts else 1)
        delivery = self._tell(alert, Act.BEGIN, taken.severity, (group, thread, lasting), now_s)
        if delivery.outcome in {Outcome.DELIVERED, Outcome.REFUSED}:
            thread.begin(alert, taken.severity, now_s, refused=delivery.outcome is Outcome.REFUSED)
            threads[group] = thread
            self._keep(group, thread, now_s)
        return delivery

    def _again(self, alert: Alert, group: str, thread: ThreadState, now_s: float) -> Delivery:
        """It knows that this one fires: only what is new, or long ago, is told."""
        mark = thread.marks[alert.key]
        if mark.refused or not mark.lasts:
            return NOTHING_TO_DO
        since_s = now_s - mark.told_s
        reminds = self.habits.remind_s is not None and since_s >= self.habits.remind_s
        changed = self.channel.updates and mark.summary != alert.summary and since_s >= UPDATE_S
        if not (reminds or changed) or self.habits.routing().silence(alert, now_s) is not None:
            return NOTHING_TO_DO
        act = Act.REMIND if reminds else Act.UPDATE
        delivery = self._tell(alert, act, mark.severity, (group, thread, thread.lasting), now_s)
        if delivery.outcome in {Outcome.DELIVERED, Outcome.REFUSED}:
            mark.told_s, mark.summary = now_s, alert.summary
            self._keep(group, thread, now_s)
        return delivery

    def _end(self, alert: Alert, group: str, thread: ThreadState, now_s: float) -> Delivery:
        """Whoever heard of its begin hears of its end, whatever routes and silences say by now."""
        mark = thread.marks[alert.key]
        if mark.resolved_s is not None:
            fresh_end = now_s - mark.resolved_s <= RESEND_END_S and now_s - mark.told_s >= RESEND_EVERY_S
            if not (self.channel.resends_end and fresh_end):
                return NOTHING_TO_DO
        lasting = thread.lasting - (1 if mark.lasts else 0)
        delivery = self._tell(alert, Act.END, mark.severity, (group, thread, lasting), now_s)
        if delivery.outcome in {Outcome.DELIVERED, Outcome.REFUSED}:
            mark.told_s = now_s
            mark.resolved_s = now_s if mark.resolved_s is None else mark.resolved_s
            self._keep(group, thread, now_s)
        return delivery

    def _tell(
        self, alert: Alert, act: Act, severity: Severity, where: tuple[str, ThreadState, int], now_s: float
    ) -> Delivery:
        group, thread, lasting = where
        message = Message(alert, act, severity, told_of(alert, alert.story), self.name, now_s, self.habits.words)
        shown = Thread(stable_id(group), thread.began_s, lasting, thread.count, dict(thread.receipt))
        try:
            told = self.channel.tell(message, shown)
        except Exception as error:  # one message that cannot be made must not hold up all behind it
            log.exception("alert_not_made destination=%s alert=%s", self.name, alert.name)
            return Delivery(Outcome.REFUSED, f"it could not be made: {type(error).__name__}")
        if told.delivery.outcome is Outcome.DELIVERED:
            thread.count += 1
            if told.receipt is not None:
                thread.receipt = dict(told.receipt)
        return told.delivery

    def _hold(self, alert: Alert, severity: Severity, threads: dict[str, ThreadState], now_s: float) -> Delivery:
        """Beyond the limit: one summary stands for all of a severity, with a begin and an end of its own."""
        group = _held_group(severity)
        thread = threads.get(group)
        if thread is not None and not thread.held and thread.lasting == 0:
            thread = None  # an earlier storm is over
        thread = thread or ThreadState(now_s)
        if alert.key not in thread.held and len(thread.held) < MOST_HELD:
            thread.held[alert.key] = alert.summary
            self._not_told(alert, "limit")
            threads[group] = thread
            self._keep(group, thread, now_s)
        return self._summary(group, thread, severity, now_s)

    def _summary(self, group: str, thread: ThreadState, severity: Severity, now_s: float) -> Delivery:
        summary = self._held_alert(thread, severity)
        known = thread.marks.get(summary.key)
        if known is not None and known.lasts:
            return self._again(summary, group, thread, now_s)
        delivery = self._tell(summary, Act.BEGIN, severity, (group, thread, 1), now_s)
        if delivery.outcome in {Outcome.DELIVERED, Outcome.REFUSED}:
            thread.begin(summary, severity, now_s, refused=delivery.outcome is Outcome.REFUSED)
            self._keep(group, thread, now_s)
        return delivery

    def _no_longer_held(self, alert: Alert, threads: dict[str, ThreadState], now_s: float) -> Delivery:
        for severity in Severity:
            group = _held_group(severity)
            thread = threads.get(group)
            if thread is None or alert.key not in thread.held:
                continue
            if len(thread.held) > 1:
                del thread.held[alert.key]
                self._keep(group, thread, now_s)
                return NOTHING_TO_DO
            summary = self._held_alert(thread, severity).resolved(now_s)
            delivery = NOTHING_TO_DO
            if summary.key in thread.marks:
                delivery = self._end(summary, group, thread, now_s)
            if delivery.outcome in {Outcome.DELIVERED, Outcome.REFUSED}:
                thread.held.clear()
                self._keep(group, thread, now_s)
            return delivery
        return NOTHING_TO_DO

    def _held_alert(self, thread: ThreadState, severity: Severity) -> Alert:
        limit, count = self.habits.limit, len(thread.held)
        some = "; ".join(list(thread.held.values())[:NAMED]) + ("; …" if count > NAMED else "")
        words = (
            f"{count} more {severity.word} alerts than {limit.most} in {limit.per_s / 60:g} min, not told one by one"
        )
        return Alert(
            HELD, severity, labels_of({"sender": "foresail", "told": self.name}), plain(words, MOST_SUMMARY),
            plain(f"{words}: {some}", MOST_DESCRIPTION), thread.began_s, incident=_held_group(severity),
        )  # fmt: skip

    def _not_told(self, alert: Alert, why: str, words: str = "") -> Delivery:
        if self._said.get(alert.key) != why:
            if len(self._said) >= 10 * MOST_HELD:
                self._said.clear()
            self._said[alert.key] = why
            self.held_back(self.name, why)
            if why != "route":
                log.info("alert_not_told destination=%s alert=%s why=%s %s", self.name, alert.name, why, words)
        return NOTHING_TO_DO

    def _threads(self, now_s: float) -> dict[str, ThreadState]:
        """Read anew after a rest, as another process may have told meanwhile; what is long over is forgotten then.

        What the disk did not take is known from memory: else a full disk would tell the same at every look.
        """
        now = self.clock()
        rested, self._read_at = now - self._read_at > FRESH_S, now
        for group in list(self._unkept):
            self._keep(group, self._known[group], now_s)
        if rested and not self._unkept:
            kept: Mapping[str, str] = self.receipts.of(self.name)
            self._known = {group: thread for group, body in kept.items() if (thread := unpacked(body)) is not None}
            over = [g for g, thread in self._known.items() if (thread.over_since(now_s) or 0.0) > FORGET_S]
            if over:
                self.receipts.forget(self.name, over)
                for group in over:
                    del self._known[group]
        return self._known

    def _keep(self, group: str, thread: ThreadState, now_s: float) -> None:
        try:
            self.receipts.keep(self.name, group, packed(thread), now_s)
        except AutoscalerError as error:
            if group not in self._unkept:
                log.warning("alert_receipt_not_kept destination=%s: %s", self.name, error)
            self._unkept.add(group)
            self._known[group] = thread
        else:
            self._unkept.discard(group)


def _same(mark: Mark, alert: Alert) -> bool:
    """Whether it is the one that was told. One that lasts is taken up by a start that goes further back, as after a
    restart, and ended by every end that comes after its own start.
    """
    if mark.starts_s == alert.starts_s or not mark.lasts:
        return mark.starts_s == alert.starts_s
    if alert.resolved_s is None:
        return alert.starts_s < mark.starts_s
    return alert.resolved_s > mark.starts_s


def _held_group(severity: Severity) -> str:
    return f"held:{severity.word}"
