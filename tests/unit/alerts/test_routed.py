"""Each change once, to whom it belongs, over restarts: rows A01, A02, A03, A05, A08, A09."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.adapters.alerting.channel import Told
from autoscaler.adapters.alerting.message import Act
from autoscaler.adapters.alerting.routes import Habits, Routed
from autoscaler.adapters.alerting.routes_health import Health
from autoscaler.domain.alert import Severity
from autoscaler.domain.alert_route import HELD, GroupBy, Limit, Match, Route, Routing, Silence
from autoscaler.domain.calendar import Hours
from autoscaler.domain.errors import Retryable
from autoscaler.ports.alerts import Delivery, Outcome
from tests.unit.alerts.told import T0, Kept, alert, ended

TAKEN = Delivery(Outcome.DELIVERED)
ALL = Routing(("there",))


class Heard:
    """A channel in memory. answer: what it says to all messages now."""

    def __init__(self, name: str = "there", **habits: Any) -> None:
        self.name, self.updates, self.resends_end = name, False, False
        vars(self).update(habits)
        self.answer = TAKEN
        self.secret = "one"  # noqa: S105 - a digest in a test
        self.said: list[tuple[str, str, int]] = []
        self.messages: list[Any] = []
        self.asked = 0

    def tell(self, message: Any, thread: Any) -> Any:
        self.asked += 1
        if self.answer.outcome is not Outcome.DELIVERED:
            return Told(self.answer)
        self.messages.append(message)
        self.said.append((message.act.value, message.alert.label("workload") or message.alert.name, thread.lasting))
        return Told(self.answer, {"ts": thread.receipt.get("ts", f"{len(self.said)}")})

    def secrets_now(self) -> str:
        return self.secret

    def close(self) -> None:
        """Nothing to close."""


def routed(channel: Any, kept: Any = None, routing: Any = ALL, health: Any = None, **habits: Any) -> Any:
    held: list[tuple[str, str]] = []
    one = Routed(
        channel, Habits(lambda: routing, **habits), kept or Kept(), health or Health(),
        lambda name, why: held.append((name, why)), clock=Ticking(),
    )  # fmt: skip
    return one, held


class Ticking:
    """A monotonic clock on which each look comes after a rest, so that receipts are read anew."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 10.0
        return self.now


def workloads(count: int, **more: Any) -> Any:
    return [alert(workload=f"w{i}", **more) for i in range(count)]


def send(one: Any, alerts: Any, now_s: float = T0) -> Any:
    return [one.send([each], now_s) for each in alerts]


def test_a02_an_alert_is_told_once_however_often_it_is_sent():
    channel = Heard()
    one, _ = routed(channel)
    first, *rest = send(one, [alert()] * 20)
    assert not first.idle
    assert all(d.idle and d.outcome is Outcome.DELIVERED for d in rest)
    assert channel.said == [("firing", "web", 1)]


def test_a09_after_a_kill_an_open_alert_is_not_told_again_and_its_end_is():
    kept, before, after = Kept(), Heard(), Heard()
    send(routed(before, kept)[0], [alert()])
    one, _ = routed(after, kept)
    send(one, [alert(), alert()], T0 + 60)
    assert after.said == []
    send(one, [ended(alert(), T0 + 90)], T0 + 90)
    assert after.said == [("resolved", "web", 0)]
    assert after.messages[0].now_s == T0 + 90


def test_a03_an_end_waits_for_a_receiver_that_was_away_and_is_sent_again_for_five_minutes():
    channel = Heard(resends_end=True)
    one, _ = routed(channel)
    send(one, [alert()])
    over = ended(alert(), T0 + 60)
    channel.answer = Delivery(Outcome.LATER, "connection refused")
    assert one.send([over], T0 + 60).outcome is Outcome.LATER
    channel.answer = TAKEN
    for at_s in range(100, 900, 30):
        send(one, [over], T0 + at_s)
    ends = [m.now_s - T0 for m in channel.messages if m.act is Act.END]
    assert ends[0] == 100
    assert 4 <= len(ends) <= 6
    assert ends[-1] <= 100 + 300


def test_a03_a_channel_of_people_reads_an_end_once():
    channel = Heard()
    one, _ = routed(channel)
    send(one, [alert(), *[ended(alert(), T0 + 60)] * 10], T0 + 300)
    assert [act for act, _, _ in channel.said] == ["firing", "resolved"]


def test_a_late_word_of_a_begin_does_not_open_what_has_ended():
    channel = Heard()
    one, _ = routed(channel)
    send(one, [alert(), ended(alert(), T0 + 9), alert()], T0 + 20)
    assert [act for act, _, _ in channel.said] == ["firing", "resolved"]


def test_an_end_of_what_was_never_told_wakes_nobody():
    channel = Heard()
    assert routed(channel)[0].send([ended(alert(), T0 + 1)], T0 + 2).idle
    assert channel.asked == 0


def test_a01_a_thousand_at_once_are_ten_messages_and_one_summary_that_ends_with_the_last():
    channel = Heard()
    one, held = routed(channel, group_by=GroupBy.ALERT)
    storm = workloads(1000)
    for _ in range(3):
        send(one, storm)
    assert len(channel.said) == 11
    assert channel.messages[10].alert.name == HELD
    assert channel.messages[10].severity is Severity.CRITICAL
    assert held.count(("there", "limit")) == 990
    send(one, [ended(a, T0 + 700) for a in storm[:-1]], T0 + 700)
    assert sum(1 for m in channel.messages if m.act is Act.END) == 10
    send(one, [ended(storm[-1], T0 + 701)], T0 + 701)
    assert (channel.messages[-1].act, channel.messages[-1].alert.name) == (Act.END, HELD)


def test_a01_the_summary_names_how_many_when_it_may_be_told_anew():
    channel = Heard(updates=True)
    one, _ = routed(channel, limit=Limit(1, 600.0))
    storm = workloads(20)
    send(one, storm)
    send(one, storm, T0 + 700)
    assert channel.messages[-1].act is Act.UPDATE
    assert "19 more critical alerts than 1 in 10 min" in channel.messages[-1].alert.summary
    assert "shop/w1: 12 needed" in channel.messages[-1].alert.description


def test_a01_a_critical_storm_does_not_hide_behind_a_summary_of_warnings():
    channel = Heard()
    one, _ = routed(channel, limit=Limit(1, 600.0))
    send(one, workloads(5, severity=Severity.WARNING) + workloads(5, severity=Severity.CRITICAL))
    assert [(m.alert.name, m.severity.word) for m in channel.messages[1:]] == [(HELD, "warning"), (HELD, "critical")]


def test_alerts_of_one_incident_share_a_thread_and_a_later_incident_has_its_own():
    channel = Heard()
    one, _ = routed(channel, group_by=GroupBy.INCIDENT)
    other = alert("ForesailFallbackActive")
    send(one, [alert(), other], T0)
    assert [lasting for _, _, lasting in channel.said] == [1, 2]
    send(one, [ended(alert(), T0 + 60), ended(other, T0 + 60)], T0 + 60)
    assert [lasting for _, _, lasting in channel.said[2:]] == [1, 0]
    send(one, [replace(alert(), starts_s=T0 + 900)], T0 + 900)
    again = one.receipts.of("there")
    send(one, [ended(replace(alert(), starts_s=T0 + 900), T0 + 960)], T0 + 960)
    send(one, [replace(alert(), starts_s=T0 + 9000)], T0 + 9000)
    assert '"ts":"1"' in next(iter(again.values()))  # within the hour the thread goes on
    assert '"ts":"7"' in next(iter(one.receipts.of("there").values()))


def test_a08_a_silence_holds_it_back_and_lets_go_at_its_end():
    silence = Silence(Match(labels=(("workload", "web"),)), T0 + 600, "mia", "database upgrade")
    channel = Heard()
    one, held = routed(channel, routing=Routing(("there",), silences=(silence,)))
    send(one, [alert(), alert(), alert(workload="api")], T0)
    assert channel.said == [("firing", "api", 1)]
    assert held == [("there", "silence")]
    send(one, [alert()], T0 + 599)
    assert len(channel.said) == 1
    send(one, [alert()], T0 + 600)
    assert channel.said[1] == ("firing", "web", 1)


def test_a08_what_ended_in_a_silence_was_never_told_and_what_was_told_before_it_is_told_its_end():
    silence = Silence(Match(names=("Foresail*",)), T0 + 600, "mia", "upgrade", T0 + 10)
    channel = Heard()
    one, _ = routed(channel, routing=Routing(("there",), silences=(silence,)))
    send(one, [alert()], T0)
    send(one, [alert(workload="api"), ended(alert(workload="api"), T0 + 20), ended(alert(), T0 + 20)], T0 + 30)
    assert channel.said == [("firing", "web", 1), ("resolved", "web", 0)]


def test_by_night_a_warning_waits_and_is_told_in_the_morning_if_it_lasts():
    day = Hours("Europe/Berlin", 8 * 60, 18 * 60, tuple(range(7)))  # T0 is 2027-01-15 09:00 in Berlin
    warnings = Match(frozenset({Severity.WARNING}))
    routes = (Route(warnings, ("there",), day), Route(warnings, ("log",)), Route(Match(), ("there",)))
    channel = Heard()
    one, _ = routed(channel, routing=Routing(("there", "log"), routes))
    night = T0 - 3 * 3600
    warning = alert(severity=Severity.WARNING, at_s=night)
    send(one, [warning, alert(workload="api", at_s=night)], night)
    assert channel.said == [("firing", "api", 1)]
    send(one, [warning], T0)
    assert channel.said[1] == ("firing", "web", 1)
    send(one, [ended(warning, T0 + 12 * 3600)], T0 + 12 * 3600)  # its end is told at night, for its begin was
    assert channel.said[2] == ("resolved", "web", 0)


def test_a_route_says_as_what_an_alert_counts():
    channel = Heard()
    routes = (
        Route(Match(labels=(("namespace", "dev*"),)), ("there",), severity=Severity.INFO),
        Route(Match(), ("there",)),
    )
    one, _ = routed(channel, routing=Routing(("there",), routes))
    send(one, [alert(namespace="dev-7"), alert()])
    assert [m.severity.word for m in channel.messages] == ["info", "critical"]


def test_a05_a_dead_destination_has_a_stand_in_after_five_minutes_which_hears_the_end_too():
    health = Health()
    routing = Routing(("pager", "mail"), (Route(Match(), ("pager",)),))
    pager, mail = Heard("pager"), Heard("mail")
    first, _ = routed(pager, routing=routing, health=health)
    second, _ = routed(mail, routing=routing, health=health, stands_in_for=("pager",))
    pager.answer = Delivery(Outcome.SHUT, "HTTP 403")
    for at_s in (0, 299):
        first.send([alert()], T0 + at_s)
        second.send([alert()], T0 + at_s)
    assert mail.said == []
    send(second, [alert()], T0 + 300)
    assert mail.said == [("firing", "web", 1)]
    pager.answer = TAKEN
    send(first, [alert()], T0 + 400)
    send(second, [alert(workload="api"), ended(alert(), T0 + 400)], T0 + 400)
    assert mail.said[1:] == [("resolved", "web", 0)]


def test_a05_a_key_that_is_refused_is_tried_more_seldom_and_after_a_day_not_until_it_changes():
    channel = Heard()
    one, _ = routed(channel)
    channel.answer = Delivery(Outcome.SHUT, "HTTP 401: no")
    pauses = [one.send([alert()], T0 + at_s).retry_after_s for at_s in (0, 300, 900, 1800)]
    assert pauses == [300, 600, 900, 900]
    asked = channel.asked
    given_up = [one.send([alert()], T0 + 86_400 + day * 86_400) for day in range(30)]
    assert channel.asked == asked
    assert {d.outcome for d in given_up} == {Outcome.SHUT}
    assert "given up after a day of refusals" in given_up[0].words
    channel.secret, channel.answer = "two", TAKEN
    assert one.send([alert()], T0 + 40 * 86_400) == TAKEN


def test_what_is_refused_for_good_is_said_once_and_holds_up_nothing():
    channel = Heard()
    one, _ = routed(channel)
    channel.answer = Delivery(Outcome.REFUSED, "HTTP 400")
    assert one.send([alert()], T0).outcome is Outcome.REFUSED
    channel.answer = TAKEN
    assert one.send([alert()], T0 + 60).idle
    assert one.send([ended(alert(), T0 + 90)], T0 + 90).idle
    assert not one.send([alert(workload="api")], T0 + 91).idle


def test_what_lasts_is_told_again_only_where_that_was_asked_for():
    quiet, loud = Heard(), Heard()
    send(routed(quiet)[0], [alert()] * 5, T0)
    one, _ = routed(loud, remind_s=3600.0)
    for at_s in range(0, 7201, 600):
        send(one, [alert()], T0 + at_s)
    assert [act for act, _, _ in loud.said] == ["firing", "still firing", "still firing"]


def test_nobody_hears_of_itself_and_a_watchdog_only_where_it_is_named():
    channel = Heard()
    itself = replace(alert("ForesailNotifierFailing"), destination="there")
    watchdog = alert("ForesailWatchdog", Severity.NONE)
    one, _ = routed(channel)
    send(one, [itself, watchdog])
    assert channel.said == []
    named = Routing(("there",), (Route(Match(names=("ForesailWatchdog",)), ("there",)), Route(Match(), ())))
    one, _ = routed(channel, routing=named)
    send(one, [watchdog])
    assert len(channel.said) == 1


def test_a_receipt_that_cannot_be_read_costs_one_message_twice_and_no_more(caplog: pytest.LogCaptureFixture):
    kept, channel = Kept(), Heard()
    one, _ = routed(channel, kept)
    send(one, [alert()])
    for group in kept.rows["there"]:
        kept.rows["there"][group] = "{damaged"
    send(one, [alert(), alert()])
    assert [act for act, _, _ in channel.said] == ["firing", "firing"]
    assert "alert_receipt_unreadable" in caplog.text


def test_threads_that_ended_a_day_ago_are_forgotten():
    kept, channel = Kept(), Heard()
    one, _ = routed(channel, kept)
    send(one, [alert(), ended(alert(), T0 + 1)], T0 + 1)
    assert kept.rows["there"]
    send(one, [alert(workload="api", at_s=T0 + 90_000)], T0 + 90_000)
    assert len(kept.rows["there"]) == 1


def test_a_disk_that_takes_nothing_does_not_make_a_page_of_every_look():
    class Full(Kept):
        full = True

        def keep(self, destination: str, thread: str, body: str, now_s: float) -> None:
            if self.full:
                raise Retryable("no space left on device")
            super().keep(destination, thread, body, now_s)

    kept, channel = Full(), Heard()
    one, _ = routed(channel, kept)
    send(one, [alert()] * 20 + [alert(workload="api")] * 5)
    assert [who for _, who, _ in channel.said] == ["web", "api"]
    kept.full = False
    send(one, [ended(alert(), T0 + 60)], T0 + 60)
    assert channel.said[-1] == ("resolved", "web", 0)
    assert len(kept.rows["there"]) == 2


def test_a_message_that_cannot_be_made_is_refused_and_the_next_one_is_told(caplog: pytest.LogCaptureFixture):
    channel = Heard()
    one, _ = routed(channel)
    real = channel.tell
    vars(channel)["tell"] = lambda *_: 1 / 0
    assert one.send([alert()], T0).outcome is Outcome.REFUSED
    assert "alert_not_made destination=there" in caplog.text
    vars(channel)["tell"] = real
    assert not one.send([alert(workload="api")], T0).idle


ACTS = st.lists(
    st.tuples(st.sampled_from(("begin", "end", "away", "shut", "back", "restart", "look")), st.integers(0, 3)),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(acts=ACTS, by=st.sampled_from(GroupBy))
def test_a03_a09_whatever_fails_between_in_the_end_it_knows_what_is_open_and_was_told_in_order(acts, by):
    """An outbox that sends in order and stops at what fails, looks at all that stands, and kills, in any order."""
    kept, channel = Kept(), Heard()
    one, _ = routed(channel, kept, group_by=by, limit=Limit(1000, 600.0))
    open_ones: dict[int, Any] = {}
    ended_ones: list[Any] = []
    queue: list[Any] = []
    now_s = T0

    def carry() -> bool:
        while queue:
            if one.send(queue[:1], now_s).outcome in {Outcome.LATER, Outcome.SHUT}:
                return False
            queue.pop(0)
        return True

    for act, number in [*acts, ("back", 0), ("look", 0)]:
        now_s += 30.0
        if act == "begin" and number not in open_ones:
            open_ones[number] = alert(workload=f"w{number}", at_s=now_s)
            queue.append(open_ones[number])
        elif act == "end" and number in open_ones:
            ended_ones.append(ended(open_ones.pop(number), now_s))
            queue.append(ended_ones[-1])
        elif act in {"away", "shut"}:
            channel.answer = Delivery(Outcome.LATER if act == "away" else Outcome.SHUT, "no")
        elif act == "back":
            channel.answer = TAKEN
        elif act == "restart":
            one, _ = routed(channel, kept, group_by=by, limit=Limit(1000, 600.0))
        if carry():
            standing = [a for a in ended_ones if a.resolved_s > now_s - 900]
            for each in [*standing, *open_ones.values()]:
                if one.send([each], now_s).outcome in {Outcome.LATER, Outcome.SHUT}:
                    break
    known: dict[str, bool] = {}
    for message in channel.messages:
        key = message.alert.key
        assert (message.act is Act.BEGIN) is not known.get(key, False), "begin and end take turns"
        known[key] = message.act is Act.BEGIN
    assert {key for key, lasts in known.items() if lasts} == {a.key for a in open_ones.values()}
