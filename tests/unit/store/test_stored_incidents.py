"""Incidents on disk: what is put is read back whole, by its name, with what was said of it; what is old goes."""

import math
from pathlib import Path

import pytest

from autoscaler.adapters.store.incident_text import packed, unpacked
from autoscaler.adapters.store.incidents import KEEP_S, StoredIncidents
from autoscaler.adapters.store.migrate import bring_to_head
from autoscaler.adapters.store.place import Place
from autoscaler.domain.anomaly import Cause
from autoscaler.domain.errors import Refused
from autoscaler.domain.incident import Evidence, Feedback, Incident, Label, Rule, Trail
from autoscaler.domain.signals import SignalKind
from autoscaler.domain.verdict import DataFault

HOSTILE = "<script>“‘x’” \u202e${jndi}"


def incident(key: str = "20260101-0000-abcdef", opened_s: float = 1000.0, resolved_s: float | None = None) -> Incident:
    evidence = Evidence("shop/web", HOSTILE, SignalKind.ERRORS, 20.0, 0.5, -0.1, math.nan, 4.0, DataFault.STUCK)
    trail = Trail("shop/web", "requests", 60, 10, (1.0, math.nan), (1.5, 2.0), (1.0, 1.0), (2.0, 3.0))
    return Incident(
        key, opened_s, opened_s + 60, Cause.LATENCY_ERRORS, Rule.FAILING, 0.75, ("shop/web",), 1, (evidence,),
        resolved_s=resolved_s, trails=(trail,),
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> StoredIncidents:
    bring_to_head(Place.of(tmp_path / "r.db"))
    return StoredIncidents(tmp_path / "r.db")


def test_what_is_written_is_read_back(store) -> None:
    store.put([incident()])
    found = store.one("20260101")
    assert repr(found.incident) == repr(incident())
    assert found.incident.evidence[0].words == incident().evidence[0].words
    assert repr(unpacked(packed(incident()))) == repr(incident())


def test_the_newest_of_each_counts_and_the_newest_come_first(store) -> None:
    store.put([incident("a"), incident("b", 2000.0)])
    store.put([incident("a", resolved_s=1500.0)])
    assert [(e.incident.id, e.incident.open) for e in store.listed()] == [("b", True), ("a", False)]
    assert [e.incident.id for e in store.listed(since_s=1600.0)] == ["b"]


def test_a_label_stays_when_the_incident_is_written_again(store) -> None:
    store.put([incident("a")])
    store.say(Feedback("a", Label.FALSE, HOSTILE, 1.0))
    store.say(Feedback("a", Label.REAL, "after all", 2.0))
    store.put([incident("a", resolved_s=1500.0)])
    assert store.one("a").feedback == Feedback("a", Label.REAL, "after all", 2.0)


def test_those_of_which_something_was_said_are_listed_alone_newest_first(store) -> None:
    store.put([incident("a"), incident("b", 2000.0), incident("c", 3000.0)])
    for name in ("a", "c"):
        store.say(Feedback(name, Label.FALSE, "", 1.0))
    assert [(one.id, words.incident) for one, words in store.labelled()] == [("c", "c"), ("a", "a")]


def test_a_name_that_fits_several_or_none_is_refused_with_the_way_out(store) -> None:
    store.put([incident("ab1"), incident("ab2"), incident("ab")])
    assert store.one("ab").incident.id == "ab"
    for key in ("a", "zz", "%"):
        with pytest.raises(Refused, match="anomalies list"):
            store.one(key)


def test_what_ended_long_ago_goes_and_what_is_open_stays(store) -> None:
    store.put([incident("old", 0.0, resolved_s=10.0), incident("open", 0.0)])
    store.say(Feedback("old", Label.REAL, "", 1.0))
    for k in range(50):
        store.put([incident("now", KEEP_S + 1000.0 + k)])
    assert {e.incident.id for e in store.listed()} == {"open", "now"}
    assert all(e.feedback is None for e in store.listed())


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"v": 1}', packed(incident()).replace("LatencyErrors", "Nothing")])
def test_what_is_no_incident_is_told_as_such(text: str) -> None:
    with pytest.raises(ValueError, match="no incident that can be read"):
        unpacked(text)
