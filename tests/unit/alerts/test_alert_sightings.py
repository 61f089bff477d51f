"""What a tick's decisions show to on-call: what is at risk and what is merely held, once per cause. Row F06."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autoscaler.bootstrap.alert_book import AlertBook
from autoscaler.domain.alert_causes import Cause
from autoscaler.domain.alert_sightings import Demotions, at_risk, below_need, risk_above_asked, sightings
from autoscaler.domain.ladder import STANDING, Rung, Why
from autoscaler.domain.notes import UNWRITTEN, Condition, Note
from autoscaler.domain.realised import Realised
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import DataVerdict
from autoscaler.domain.trace import GuardTrace, Trace
from autoscaler.domain.workload import Mode


def held(make: Any, guard: Any = "data-verdict", **more: Any) -> Any:
    return make.decisions(make.fleet(), acts={guard: (6, 6, True, None)}, **more)


def causes(decisions: Any) -> Any:
    return [one.cause for one in sightings(decisions)]


@pytest.mark.parametrize(
    ("inputs", "risky"),
    [
        ({"need_known": False, "predicted": False}, True),
        ({"need_known": True, "observed_need": 4, "predicted": False}, False),
        ({"need_known": True, "observed_need": 5, "predicted": False}, True),
        ({"need_known": True, "observed_need": 4, "predicted": True, "predicted_need": 9}, True),
        ({"need_known": True, "observed_need": 4, "predicted": True, "predicted_need": 5}, False),
        ({"need_known": False, "frozen": True}, False),
        ({"need_known": False, "yielded": True}, False),
        ({"target_known": False}, True),
    ],
)
def test_a_hold_is_at_risk_while_nobody_can_say_that_the_replicas_are_enough(make, inputs, risky):
    decisions = held(make, granted=5, current=4, verdict=DataVerdict.UNREACHABLE, inputs=inputs)
    assert at_risk(decisions).tolist() == [risky]
    assert (Cause.HOLDING_AT_RISK in causes(decisions)) is risky


def test_a_hold_that_a_person_asked_for_is_no_fault(make):
    unknown = {"need_known": False, "predicted": False}
    assert not at_risk(held(make, "pause", inputs=unknown)).any()
    assert at_risk(held(make, "data-verdict", inputs=unknown)).all()
    assert at_risk(held(make, "pause", inputs=unknown, failed=("pause",))).all(), "a guard that raises is one"


def test_free_and_well_shows_nothing(make):
    assert causes(make.decisions(make.fleet("a", "b"))) == []


def test_a_max_below_what_is_needed_now_pages_and_names_both(make):
    decisions = make.decisions(make.fleet(), inputs={"observed_need": 70, "max_replicas": 60}, granted=60)
    (one,) = sightings(decisions)
    assert one.cause is Cause.LIMIT_BELOW_NEED
    assert one.words == "70 replicas are needed now, max is 60: raise it, or demand goes unserved"
    assert one.labels == (("namespace", "shop"), ("workload", "web"))
    unknown = make.decisions(make.fleet(), inputs={"observed_need": 70, "max_replicas": 60, "need_known": False})
    assert not below_need(unknown).any()


@pytest.mark.parametrize(("need", "pages"), [(5, False), (6, True)])
def test_a_budget_pages_only_where_it_cuts_below_need(make, need, pages):
    decisions = make.decisions(make.fleet(), granted=5, inputs={"observed_need": need})
    steps = [*decisions.trace, cut("budget", Reason.BUDGET_REACHED, 9, 5)]
    assert below_need(replace(decisions, trace=Trace.told(steps))).tolist() == [pages]


def cut(guard: Any, reason: Any, before: Any, after: Any) -> Any:
    no = np.zeros(1, dtype=np.bool_)
    return GuardTrace(guard, reason, np.array([before]), np.array([after]), no, no)


def test_a_fallback_that_acts_is_told(make):
    decisions = make.decisions(make.fleet(), inputs={"data_age_s": 1800.0}, granted=12)
    steps = [*decisions.trace, cut("fallback", Reason.FALLBACK, 4, 12)]
    (one,) = sightings(replace(decisions, trace=Trace.told(steps)))
    assert (one.cause, one.words) == (
        Cause.FALLBACK_ACTIVE, "demand has not been seen for 30 min: the fallback keeps 12 replicas"
    )  # fmt: skip


@pytest.mark.parametrize("condition", [Condition.CONFLICT, Condition.RIVAL])
def test_somebody_elses_decisions_are_told_in_the_words_of_the_note(make, condition):
    decisions = make.decisions(make.fleet("a", "b")).noted({1: (Note(condition, "argo has set it"),)})
    (one,) = sightings(decisions)
    assert (one.cause, dict(one.labels)["workload"], one.words) == (Cause.CONFLICT, "b", "argo has set it")


@pytest.mark.parametrize("condition", sorted(UNWRITTEN))
def test_what_cannot_be_written_is_told_in_the_words_of_the_note(make, condition):
    """Where we are to write; what advises, is paused or is left to others writes nothing anyway."""
    note = {0: (Note(Condition.WRITTEN, "w"), Note(condition, "denied by the webhook"))}
    (one,) = sightings(make.decisions(make.fleet(mode=Mode.ACT)).noted(note))
    assert (one.cause, one.cause.alert) == (Cause.NOT_WRITING, "ForesailNotWriting")
    assert one.labels == (("namespace", "shop"), ("workload", "web"))
    assert one.words == f"nothing is written: {condition.value}: denied by the webhook"
    assert causes(make.decisions(make.fleet(mode=Mode.ADVISE)).noted(note)) == []
    for still in ("frozen", "yielded"):
        assert causes(make.decisions(make.fleet(mode=Mode.ACT), inputs={still: True}).noted(note)) == []


@pytest.mark.parametrize("condition", [Condition.WRITTEN, Condition.WRITE_CONFLICT, Condition.CLUSTER_UNREACHABLE])
def test_a_write_that_is_merely_late_is_no_news(make, condition):
    assert causes(make.decisions(make.fleet(mode=Mode.ACT)).noted({0: (Note(condition, "later"),)})) == []


def test_a_source_is_down_when_it_answers_nobody(make):
    lanes = make.fleet("a", "b")
    (one,) = [
        s for s in sightings(make.decisions(lanes, verdict=DataVerdict.UNREACHABLE)) if s.cause is Cause.SOURCE_DOWN
    ]
    assert one.labels == (("source", "prod"),)
    assert one.words == "none of its 2 demands has a value: the metrics source did not answer"
    some = make.decisions(lanes, verdict=np.array([DataVerdict.UNREACHABLE, DataVerdict.OK]))
    assert Cause.SOURCE_DOWN not in causes(some)
    assert Cause.SOURCE_DOWN not in causes(make.decisions(lanes, verdict=DataVerdict.MISSING)), "its series are gone"


@pytest.mark.parametrize(
    ("steps", "short", "above"), [(100, 100, False), (10_000, 51, False), (10_000, 71, False), (10_000, 72, True)]
)
def test_risk_is_above_what_was_asked_only_beyond_chance(make, steps, short, above):
    """0.5 % of 10,000 steps are 50, three deviations more are 71.2. A hundred steps prove nothing."""
    real = replace(Realised.fresh(1), steps=np.array([float(steps)]), short=np.array([float(short)]))
    decisions = replace(make.decisions(make.fleet(mode=Mode.ACT)), realised=real)
    assert risk_above_asked(decisions).tolist() == [above]
    advised = replace(make.decisions(make.fleet(mode=Mode.ADVISE)), realised=real)
    assert not risk_above_asked(advised).any(), "of what only advises its own plan is asked"
    assert not risk_above_asked(make.decisions(make.fleet())).any()


def standing(make: Any, *whys: Any) -> Any:
    decisions = make.decisions(make.fleet(*[f"w{k}" for k in range(len(whys))]))
    places = np.zeros(len(whys), dtype=STANDING)
    places["rung"], places["why"] = Rung.WEEK, [int(why) for why in whys]
    return replace(decisions, seen=replace(decisions.seen, standing=places))


def test_F06_a_demoted_forecast_is_told_once_and_over_when_it_serves_again(make):
    book, demotions, changes = AlertBook(), Demotions(), []
    story = [Why.SHORT_HISTORY] * 5 + [Why.QUALIFIED] * 20 + [Why.BASELINE] * 200 + [Why.UNCOMPARED] * 5
    story += [Why.BASELINE_CHEAPER] * 20 + [Why.QUALIFIED] * 50
    for k, why in enumerate(story):
        decisions = standing(make, why, Why.BASELINE)
        demotions = demotions.after(decisions)
        found = sightings(decisions, demotions.rows(decisions.fleet))
        changes += book.look(found, 1_800_000_000.0 + 60 * k)
    assert [(c.name, c.label("workload"), c.firing) for c in changes] == [
        ("ForesailForecastDemoted", "w0", True), ("ForesailForecastDemoted", "w0", False)
    ]  # fmt: skip
    assert changes[0].starts_s == 1_800_000_000.0 + 60 * 25
    assert changes[1].resolved_s == 1_800_000_000.0 + 60 * 251, "two minutes after it was seen last"
    assert changes[0].label("demand") == "requests"


def test_F06_what_never_qualified_is_not_demoted_and_what_is_gone_is_forgotten(make):
    demotions = Demotions()
    for why in (Why.BASELINE, Why.NONE_QUALIFIED, Why.BASELINE):
        demotions = demotions.after(standing(make, why))
    assert not demotions.demoted.any()
    assert not demotions.qualified.any()
    demotions = demotions.after(standing(make, Why.QUALIFIED)).after(standing(make, Why.BASELINE))
    assert demotions.rows(make.fleet("w0")) == [0]
    other = standing(make, Why.QUALIFIED)
    other = replace(other, fleet=make.fleet("other"))
    assert not demotions.after(other).demoted.any()
    again = standing(make, Why.BASELINE)
    assert not demotions.after(other).after(again).demoted.any()
