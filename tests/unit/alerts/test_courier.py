"""Bringing alerts away: nothing waits for a dead destination, order holds, ends arrive. A03, A04, A05, A07, A09."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from autoscaler.adapters.alert_metrics import AlertMetrics
from autoscaler.adapters.alerting import carrier
from autoscaler.adapters.alerting.courier import Courier
from autoscaler.domain.alert import Alert, Severity, labels_of
from autoscaler.domain.errors import Retryable
from autoscaler.ports.alerts import Delivery, Outcome

T0 = 1_800_000_000.0
TAKEN = Delivery(Outcome.DELIVERED)
AWAY = Delivery(Outcome.LATER, "connection refused")


class Told:
    """A destination in memory: what it says next, and all that it was sent."""

    def __init__(self, name: Any = "x", repeat_s: Any = None, most: Any = 100) -> None:
        self.name, self.repeat_s, self.most_at_once = name, repeat_s, most
        self.answer: Delivery | Callable[..., Delivery] = TAKEN
        self.sent: list[list[str]] = []
        self.taken: list[str] = []
        self.closed = False

    def send(self, alerts: Any, now_s: Any) -> Any:
        words = [f"{a.label('workload')}{'+' if a.firing else '-'}" for a in alerts]
        self.sent.append(words)
        answer = self.answer if isinstance(self.answer, Delivery) else self.answer(alerts)
        if answer.outcome is Outcome.DELIVERED:
            self.taken += words
        return answer

    def close(self) -> Any:
        self.closed = True


def alert(name: Any = "web", severity: Any = Severity.WARNING) -> Any:
    return Alert("ForesailConflict", severity, labels_of({"workload": name}), "a", "b", T0)


def until(true: Any, what: Any, within_s: Any = 60.0) -> Any:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.01)
    raise AssertionError(f"not within {within_s} s: {what()}" if callable(what) else what)


@pytest.fixture
def bring(outbox_at: Any) -> Any:
    """Starts a courier with short pauses over an outbox on disk."""
    made = []

    def start(*destinations: Any, leads: Any = True, outbox: Any = None) -> Any:
        registry = CollectorRegistry()
        kept = outbox or outbox_at()
        one = Courier(kept, destinations, AlertMetrics(registry), lambda: T0, pause_s=0.02)
        one.leads = leads
        vars(one).update(registry=registry, outbox=kept)  # for the assertions
        one.start()
        made.append(one)
        return one

    yield start
    for one in made:
        one.close()


def value(courier: Any, name: Any, **labels: Any) -> Any:
    return courier.registry.get_sample_value(name, labels)


def test_what_is_handed_over_is_recorded_and_taken_in_order(bring):
    x = Told()
    courier = bring(x)
    courier.hand([alert("a"), alert("b")])
    courier.hand([alert("a").resolved(T0 + 1)])
    until(lambda: len(x.taken) == 3, lambda: x.sent)
    assert x.taken == ["a+", "b+", "a-"]
    assert until(lambda: courier.outbox.lengths["x"] == 0, "the queue is empty")
    courier.show()
    assert value(courier, "foresail_notifications_waiting", destination="x") == 0
    assert value(courier, "foresail_notifications_last_success_timestamp_seconds", destination="x") == T0
    assert value(courier, "foresail_notifications_total", destination="x", result="delivered") == len(x.sent)


def test_A03_an_end_that_could_not_be_told_is_told_when_the_receiver_is_back(bring):
    x = Told()
    courier = bring(x)
    courier.hand([alert("a")])
    until(lambda: x.taken == ["a+"], lambda: x.sent)
    x.answer = AWAY
    courier.hand([alert("a").resolved(T0 + 1)])
    until(lambda: len(x.sent) > 3, lambda: x.sent)
    assert x.taken == ["a+"]
    assert courier.failing() == {"x": (T0, "connection refused")}
    x.answer = TAKEN
    until(lambda: x.taken == ["a+", "a-"], lambda: x.sent)
    assert courier.failing() == {}


def test_A03_what_stands_is_sent_again_and_again_ends_too(bring):
    x = Told(repeat_s=0.03)
    courier = bring(x)
    courier.standing = (alert("old").resolved(T0), alert("a"))
    until(lambda: x.sent.count(["old-", "a+"]) > 3, lambda: x.sent)


def test_A09_nothing_is_told_out_of_memory_before_the_disk_has_it_or_its_end_would_be_lost_with_a_kill(
    bring, outbox_at
):
    x, slow, disk = Told(repeat_s=0.02), threading.Event(), outbox_at()
    put = disk.put

    def put_slowly(*told: Any) -> None:
        slow.wait(100)
        put(*told)

    disk.put = put_slowly
    courier = bring(x, outbox=disk)
    courier.hand([], standing=(alert("known"),))
    until(lambda: x.sent, "what was recorded before is told")
    courier.hand([alert("a")], standing=(alert("known"), alert("a")))
    x.sent.clear()
    until(lambda: len(x.sent) > 5, "looks pass")
    assert {word for words in x.sent for word in words} == {"known+"}
    slow.set()
    until(lambda: ["a+"] in x.sent and ["known+", "a+"] in x.sent, lambda: x.sent)


def test_A07_a_dead_destination_neither_holds_up_another_nor_who_hands_over(bring):
    stuck, going = threading.Event(), Told("going")
    dead = Told("dead")

    def hang(_alerts: Any) -> Any:
        stuck.wait(100)
        return AWAY

    dead.answer = hang
    courier = bring(dead, going)
    began = time.perf_counter()
    for k in range(200):
        courier.hand([alert(f"w{k}")])
    assert time.perf_counter() - began < 50, "who hands over does not wait for the dead one"
    until(lambda: len(going.taken) == 200, lambda: len(going.taken))
    assert dead.taken == []
    stuck.set()


def test_A04_retry_after_is_obeyed_and_pauses_double(monkeypatch, outbox_at):
    waits = []
    x = Told()
    round_ = carrier.Round(outbox_at(), tuple, lambda: T0, lambda: True, lambda *_: None)
    one = carrier.Carrier(x, round_, pause_s=1.0)
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    for answer in (AWAY, AWAY, Delivery(Outcome.LATER, "busy", 30.0), Delivery(Outcome.LATER, "busy", 1e9), AWAY):
        x.answer = answer
        one._send([alert()])
        waits.append(one._not_before_s - 100.0)
    assert waits == [1.0, 2.0, 30.0, carrier.MOST_RETRY_AFTER_S, 16.0]
    x.answer = Delivery(Outcome.SHUT, "HTTP 401")
    one._send([alert()])
    assert one._not_before_s - 100.0 == carrier.SHUT_PAUSE_S, "a wrong key is not hammered"
    for _ in range(20):
        x.answer = AWAY
        one._send([alert()])
    assert one._not_before_s - 100.0 == carrier.LONGEST_PAUSE_S
    x.answer = TAKEN
    one._send([alert()])
    x.answer = AWAY
    one._send([alert()])
    assert one._not_before_s - 100.0 == 1.0, "begins anew after it was taken"


def test_one_that_is_refused_for_good_costs_none_of_the_others(bring):
    x = Told()
    x.answer = lambda alerts: (
        Delivery(Outcome.REFUSED, "HTTP 400: bad") if any(a.label("workload") == "bad" for a in alerts) else TAKEN
    )
    courier = bring(x)
    courier.hand([alert("a"), alert("bad"), alert("b")])
    until(lambda: x.taken == ["a+", "b+"], lambda: x.sent)
    until(lambda: courier.lost() == {"x": 1}, courier.lost)
    courier.show()
    assert value(courier, "foresail_notifications_dropped_total", destination="x") == 1
    assert courier.failing() == {}, "it takes the others"


def test_who_does_not_lead_records_and_sends_nothing_until_it_does(bring):
    x = Told(repeat_s=0.03)
    courier = bring(x, leads=False)
    courier.standing = (alert("a"),)
    courier.hand([alert("a")])
    assert courier.flush(60)
    time.sleep(0.2)
    assert x.sent == []
    assert [a.label("workload") for a in courier.outbox.recorded()] == ["a"]
    courier.leads = True
    courier.hand(courier.standing, afresh=True)
    until(lambda: x.taken, lambda: x.sent)


def test_A03_what_stands_at_a_take_over_is_told_though_the_disk_still_takes_it_as_a_change(bring, outbox_at):
    x, slow, disk = Told(), threading.Event(), outbox_at()
    put, begun = disk.put, threading.Event()

    def put_slowly(*told: Any) -> None:
        begun.set()
        slow.wait(100)
        put(*told)

    disk.put = put_slowly
    courier, first, second = bring(x, leads=False, outbox=disk), alert("a"), alert("b")
    courier.hand([first])
    assert begun.wait(60)
    courier.hand([first, second], standing=(first, second), afresh=True)
    slow.set()
    until(lambda: "b+" in x.taken, lambda: x.sent)
    assert x.taken == ["a+", "b+"]


def test_A03_at_a_take_over_nothing_that_waited_is_told_where_the_disk_cannot_forget_it(bring, outbox_at):
    disk = outbox_at()
    disk.put([alert("over")], ["x"], T0)
    forget, full = disk.forget_waiting, threading.Event()
    full.set()

    def forget_if_it_can() -> None:
        if full.is_set():
            raise Retryable("database or disk is full")
        forget()

    disk.forget_waiting = forget_if_it_can
    x = Told(repeat_s=0.02)
    courier, lasts = bring(x, leads=False, outbox=disk), alert("lasts")
    courier.hand([lasts], standing=(lasts,), afresh=True)
    until(lambda: len(x.taken) > 3, lambda: x.sent)
    full.clear()
    until(lambda: courier.flush(0.1), "recorded once the disk works", 10)
    until(lambda: courier.outbox.lengths["x"] == 0, "told of the queue too")
    assert set(x.taken) == {"lasts+"}


def test_A09_what_waited_is_sent_after_a_restart(bring, outbox_at):
    x = Told()
    x.answer = AWAY
    first = bring(x)
    first.hand([alert("a"), alert("a").resolved(T0 + 1)])
    until(lambda: x.sent, "tried")
    first.close()
    y = Told()
    bring(y)
    until(lambda: y.taken == ["a+", "a-"], lambda: y.sent)
    assert x.taken == []


def test_a_disk_that_is_full_costs_the_queue_not_what_is_sent_from_memory(bring, tmp_path):
    x = Told(repeat_s=0.05)
    courier = bring(x)
    courier.hand([alert("first")])
    until(lambda: x.taken, "taken")
    with courier.outbox._one_at_a_time:  # as a disk goes: between two calls
        courier.outbox._release()
        (tmp_path / "foresail.db").rename(tmp_path / "away.db")
        (tmp_path / "foresail.db").mkdir()
    courier.hand([alert("a")], standing=(alert("a"),))
    until(lambda: "a+" in x.taken, lambda: x.sent)
    (tmp_path / "foresail.db").rmdir()
    (tmp_path / "away.db").rename(tmp_path / "foresail.db")
    until(lambda: courier.flush(0.1), "recorded once the disk works", 10)


def test_a_notifier_that_raises_does_not_end_its_thread(bring, caplog, monkeypatch):
    monkeypatch.setattr(carrier, "LONGEST_PAUSE_S", 0.05)
    x = Told()
    answers = iter([True])

    def once(_alerts: Any) -> Any:
        if next(answers, False):
            raise RuntimeError("a fault of ours")
        return TAKEN

    x.answer = once
    courier = bring(x)
    courier.hand([alert("a")])
    until(lambda: x.taken == ["a+"], lambda: x.sent)
    assert "alert_carrier_failed" in caplog.text


def test_A05_a_destination_hears_of_its_own_failing_neither_by_its_queue_nor_by_what_is_repeated(bring: Any) -> None:
    x, y = Told("x", repeat_s=0.03), Told("y", repeat_s=0.03)
    courier = bring(x, y)
    about_x = replace(alert("about-x"), destination="x")
    courier.standing = (about_x, alert("a"))
    courier.hand([about_x, alert("a")])
    until(lambda: y.taken.count("about-x+") > 2 and x.taken.count("a+") > 2, lambda: (x.sent, y.sent))
    assert "about-x+" not in x.taken
