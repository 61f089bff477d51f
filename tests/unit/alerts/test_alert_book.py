"""One problem is one alert while it lasts, many of one cause are one summary, over restarts too. A01, A02, A03, A09."""

from typing import Any

from autoscaler.bootstrap.alert_book import RESOLVED_S, SINGLY, SPAN_S, AlertBook
from autoscaler.domain.alert import Severity
from autoscaler.domain.alert_causes import HABITS, Cause
from autoscaler.domain.alert_sightings import Sighting

T0 = 1_800_000_000.0
COMMON = {"sender": "foresail", "installation": "blue"}
CONFLICT = HABITS[Cause.CONFLICT]


def at_workload(name: Any = "web", cause: Any = Cause.CONFLICT, words: Any = "argo has set it to 3") -> Any:
    return Sighting(cause, (("namespace", "shop"), ("workload", name)), words)


def run(book: Any, seen: Any, start_s: Any, seconds: Any, every_s: Any = 15.0) -> Any:
    """Look again and again; all changes."""
    changes, at_s = [], start_s
    while at_s <= start_s + seconds:
        changes += book.look(seen, at_s)
        at_s += every_s
    return changes


def test_A02_the_same_problem_at_each_look_is_one_alert_that_ends_once():
    book = AlertBook(COMMON)
    changes = run(book, [at_workload()], T0, 3600)
    assert [(c.name, c.firing) for c in changes] == [("ForesailConflict", True)]
    begun = changes[0]
    assert begun.starts_s == T0 + CONFLICT.after_s, "told when it was sure, not when it was first seen"
    assert dict(begun.labels) == COMMON | {"namespace": "shop", "workload": "web"}
    assert begun.summary == "shop/web: argo has set it to 3"
    assert begun.incident == "workload:shop/web"
    ended = run(book, [], T0 + 3615, 1200)
    assert [(c.key, c.firing) for c in ended] == [(begun.key, False)]
    assert ended[0].resolved_s == T0 + 3600 + CONFLICT.over_s
    assert book.open == []


def test_what_is_over_before_it_was_sure_is_never_told():
    book = AlertBook()
    assert run(book, [at_workload()], T0, CONFLICT.after_s - 30) == []
    assert run(book, [], T0 + CONFLICT.after_s, 3600) == []


def test_a_gap_shorter_than_its_cause_needs_to_be_over_is_none():
    book = AlertBook()
    begun = run(book, [at_workload()], T0, 600)
    assert run(book, [], T0 + 615, CONFLICT.over_s - 60) == []
    assert run(book, [at_workload()], T0 + 615 + CONFLICT.over_s - 45, 600) == []
    assert [a.key for a in book.open] == [begun[0].key]


def test_A01_a_thousand_at_once_are_one_summary_with_count_and_names():
    book = AlertBook(COMMON)
    storm = [at_workload(f"w{k:04d}") for k in range(1000)]
    changes = run(book, storm, T0, 900)
    assert len(changes) == 1
    one = changes[0]
    assert dict(one.labels) == COMMON | {"scope": "fleet"}
    assert one.summary == "1000 workloads are decided about by somebody else too"
    assert "shop/w0000, shop/w0001" in one.description
    assert run(book, storm[:600], T0 + 915, 900) == [], "fewer of them are no news"
    assert book.open[0].summary.startswith("600 ")
    ended = run(book, [], T0 + 1830, 1200)
    assert [(c.key, c.firing) for c in ended] == [(one.key, False)]


def test_A01_a_trickle_beyond_the_rate_goes_into_the_summary_too():
    """One more workload each half minute: ten are told singly, what comes within ten minutes joins the summary."""
    book = AlertBook()
    seen, changes = [], []
    for k in range(120):
        seen.append(at_workload(f"w{k:04d}"))
        changes += book.look(seen, T0 + 30.0 * k)
    singles = [c for c in changes if c.label("scope") is None]
    assert len(singles) == SINGLY
    assert len([c for c in changes if c.label("scope") == "fleet"]) == 1
    assert SPAN_S > 0


def test_A01_one_that_comes_and_goes_among_many_does_not_ring_each_time():
    book = AlertBook()
    rings, at_s = 0, T0
    for _ in range(40):
        for seen in ([at_workload()], []):
            begun = [c for c in run(book, seen, at_s, CONFLICT.over_s + CONFLICT.after_s) if c.firing]
            rings += len(begun)
            at_s += CONFLICT.over_s + CONFLICT.after_s + 15
    assert rings == 40, "each was over for as long as the cause takes"
    flapping = sum(
        len([c for c in book.look([at_workload("y")] if k % 2 else [], at_s + 15.0 * k) if c.firing])
        for k in range(400)
    )
    assert flapping == 1, "gaps of seconds are one problem"


def test_A09_after_a_restart_what_lasts_goes_on_and_what_is_gone_ends():
    before = AlertBook(COMMON)
    seen = [at_workload("web"), at_workload("api")]
    begun = run(before, seen, T0, 600)
    assert len(begun) == 2
    after = AlertBook(COMMON)
    after.restore(before.standing, T0 + 700)
    changes = run(after, [at_workload("web", words="other words")], T0 + 700, 3600)
    assert [(c.label("workload"), c.firing) for c in changes] == [("api", False)]
    assert changes[0].key == next(b.key for b in begun if b.label("workload") == "api")
    assert [a.key for a in after.open] == [b.key for b in begun if b.label("workload") == "web"]
    assert after.open[0].starts_s == begun[0].starts_s


def test_A09_a_summary_survives_a_restart_and_ends_when_its_cause_has():
    before = AlertBook()
    storm = [at_workload(f"w{k}") for k in range(50)]
    (one,) = run(before, storm, T0, 600)
    after = AlertBook()
    after.restore([one], T0 + 700)
    assert run(after, storm, T0 + 700, 1200) == [], "its members join it again"
    (ended,) = run(after, [], T0 + 1915, 1800)
    assert (ended.key, ended.firing) == (one.key, False)
    gone = AlertBook()
    gone.restore([one], T0 + 700)
    (over,) = run(gone, [], T0 + 700, 1800)
    assert over.key == one.key
    assert over.resolved_s is not None
    assert over.resolved_s >= T0 + 700 + CONFLICT.over_s


def test_A03_ends_stand_for_a_quarter_of_an_hour_and_a_new_begin_takes_their_place():
    book = AlertBook()
    run(book, [at_workload()], T0, 600)
    (ended,) = run(book, [], T0 + 615, CONFLICT.over_s)
    assert ended.resolved_s is not None
    book.look([], ended.resolved_s + 300)
    assert [a.firing for a in book.standing] == [False], "five minutes at least"
    book.look([], ended.resolved_s + RESOLVED_S - 1)
    assert len(book.standing) == 1
    book.look([], ended.resolved_s + RESOLVED_S + 1)
    assert not list(book.standing)
    run(book, [at_workload()], T0 + 10_000, 600)
    run(book, [], T0 + 10_615, CONFLICT.over_s)
    run(book, [at_workload()], T0 + 11_300, 600)
    assert [a.firing for a in book.standing] == [True], "an end that is told after its new begin would hide it"


def test_a_cause_that_was_not_looked_for_stays_as_it_was():
    book = AlertBook()
    run(book, [at_workload()], T0, 600)
    changes = [c for k in range(200) for c in book.look([], T0 + 615 + 15.0 * k, known=(Cause.TICKS_FAILING,))]
    assert changes == []
    assert len(book.open) == 1


def test_what_is_remembered_elsewhere_counts_from_then():
    book = AlertBook()
    pause = Sighting(Cause.PAUSE_OPEN, (("policy", "GuardPolicy stop"),), "paused", T0 - 2 * 86_400)
    (one,) = book.look([pause], T0)
    assert (one.name, one.severity, one.starts_s) == ("ForesailPauseOpen", Severity.INFO, T0)


def test_few_causes_page():
    paging = {cause for cause, habit in HABITS.items() if habit.severity is Severity.CRITICAL}
    assert paging == {Cause.HOLDING_AT_RISK, Cause.FALLBACK_ACTIVE, Cause.LIMIT_BELOW_NEED, Cause.TICKS_FAILING}
    assert set(HABITS) == set(Cause)


def test_what_a_destination_lost_is_told_there_too_its_failing_is_not() -> None:
    book, labels = AlertBook(), (("destination", "x"),)
    lost, failing = Sighting(Cause.NOTIFICATIONS_DROPPED, labels, "7"), Sighting(Cause.NOTIFIER_FAILING, labels, "401")
    begun = run(book, [lost, failing], T0, 600)
    assert {a.name: a.destination for a in begun} == {
        "ForesailNotificationsDropped": "",
        "ForesailNotifierFailing": "x",
    }
