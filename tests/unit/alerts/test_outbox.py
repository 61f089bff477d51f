"""What waits for a destination: in order, bounded, counted where it is lost, there after a restart. Rows A04, A09."""

from typing import Any

import pytest
from sqlalchemy import text

from autoscaler.adapters.store.outbox import MOST_AGE_S, packed
from autoscaler.domain.alert import Alert, Severity, labels_of
from autoscaler.domain.errors import Retryable

T0 = 1_800_000_000.0


def alert(name: Any = "web", severity: Any = Severity.WARNING, at_s: Any = T0, **more: Any) -> Any:
    return Alert("ForesailConflict", severity, labels_of({"workload": name}), "a", "b", at_s, **more)


def names(notices: Any) -> Any:
    return [n.alert.label("workload") for n in notices]


def test_each_destination_has_its_own_queue_in_the_order_of_what_happened(outbox_at):
    outbox = outbox_at()
    outbox.put([alert("a"), alert("b")], ["x", "y"], T0)
    outbox.put([alert("a").resolved(T0 + 60)], ["x", "y"], T0 + 60)
    assert names(outbox.waiting("x", 10, T0 + 60)) == ["a", "b", "a"]
    assert [n.alert.firing for n in outbox.waiting("x", 10, T0 + 60)] == [True, True, False]
    outbox.settle("x", outbox.waiting("x", 2, T0 + 60))
    assert names(outbox.waiting("x", 10, T0 + 60)) == ["a"]
    assert names(outbox.waiting("y", 10, T0 + 60)) == ["a", "b", "a"]
    assert outbox.lengths == {"x": 1, "y": 3}
    assert outbox.dropped == {}


def test_A09_another_process_finds_what_waits_and_what_stands(outbox_at):
    first = outbox_at()
    first.put([alert("a"), alert("b"), alert("c")], ["x"], T0)
    first.put([alert("b").resolved(T0 + 60), alert("c").resolved(T0 + 5000)], ["x"], T0 + 60)
    second = outbox_at()
    assert names(second.waiting("x", 10, T0 + 61)) == ["a", "b", "c", "b", "c"]
    assert [(a.label("workload"), a.firing) for a in second.standing(T0 + 4000)] == [("a", True), ("c", False)]
    assert [a.label("workload") for a in second.recorded()] == ["a", "b", "c"], "one row an alert"


def test_A04_the_oldest_of_the_lowest_severity_is_dropped_and_counted(outbox_at, caplog):
    outbox = outbox_at(most_waiting=4)
    for k, severity in enumerate([Severity.WARNING, Severity.CRITICAL, Severity.INFO, Severity.INFO]):
        outbox.put([alert(f"{severity.word}{k}", severity)], ["x"], T0 + k)
    outbox.put([alert("new", Severity.WARNING)], ["x"], T0 + 9)
    assert names(outbox.waiting("x", 10, T0 + 9)) == ["warning0", "critical1", "info3", "new"]
    outbox.put([alert(f"page{k}", Severity.CRITICAL) for k in range(3)], ["x"], T0 + 10)
    assert names(outbox.waiting("x", 10, T0 + 10)) == ["critical1", "page0", "page1", "page2"]
    assert outbox.dropped == {"x": 4}
    assert "alerts_dropped destination=x count=3" in caplog.text
    assert len(outbox.recorded()) == 8, "lost to a destination, not to the record"


def test_what_waited_for_a_day_is_no_news_and_counted(outbox_at):
    outbox = outbox_at()
    outbox.put([alert("old")], ["x"], T0)
    outbox.put([alert("new")], ["x"], T0 + MOST_AGE_S)
    assert names(outbox.waiting("x", 10, T0 + MOST_AGE_S + 1)) == ["new"]
    assert outbox.dropped == {"x": 1}


def test_a_destination_is_not_told_of_itself(outbox_at):
    outbox = outbox_at()
    outbox.put([alert("a", destination="x")], ["x", "y"], T0)
    assert names(outbox.waiting("x", 10, T0)) == []
    assert names(outbox.waiting("y", 10, T0)) == ["a"]


def test_refused_ones_are_counted_as_lost_and_all_can_be_put_anew(outbox_at):
    outbox = outbox_at()
    outbox.put([alert("a"), alert("b")], ["x"], T0)
    outbox.settle("x", outbox.waiting("x", 1, T0), lost=True)
    assert outbox.dropped == {"x": 1}
    outbox.forget_waiting()
    assert (list(outbox.waiting("x", 5, T0)), outbox.lengths) == ([], {"x": 0})


def test_a_row_of_a_newer_version_costs_itself_alone(outbox_at, tmp_path):
    outbox = outbox_at()
    outbox.put([alert("a"), alert("b")], ["x"], T0)
    with outbox._transaction() as connection:
        connection.execute(text("UPDATE notice SET body = '{\"v\": 9}' WHERE id = 1"))
    assert names(outbox.waiting("x", 5, T0)) == ["b"]
    assert outbox.dropped == {"x": 1}


def test_a_disk_that_does_not_work_is_retryable_and_mends(outbox_at, tmp_path):
    outbox = outbox_at()
    outbox.put([alert("a")], ["x"], T0)
    path = tmp_path / "foresail.db"
    away = path.rename(tmp_path / "away.db")
    outbox._release()
    tmp_path.joinpath("foresail.db").mkdir()
    with pytest.raises(Retryable):
        outbox.put([alert("b")], ["x"], T0)
    tmp_path.joinpath("foresail.db").rmdir()
    away.rename(path)
    outbox.put([alert("b")], ["x"], T0)
    assert names(outbox.waiting("x", 5, T0)) == ["a", "b"]


def test_a_body_says_all_of_an_alert():
    assert '"resolved":null' in packed(alert())
