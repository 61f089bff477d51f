"""The status of a custom resource: what it answers, when it is worth a write, and what becomes an event."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from autoscaler.domain.decision import Decision, DemandView, GuardEffect, State
from autoscaler.domain.errors import Problem
from autoscaler.domain.notes import UNWRITTEN, Condition, Note
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import DataVerdict
from autoscaler.domain.workload import Actuation, Mode, WorkloadRef
from autoscaler.reporting.happenings import REASONS, happenings
from autoscaler.reporting.status import Standing, Status, held_back, is_news, moved, status_of

NOW = datetime(2026, 3, 1, 18, 30, tzinfo=UTC)
SLIP = Problem("predictiveautoscalers/shop/web", 2, 0, "spec.replicas", "min 5 is above max 2", None, "raise max")


def demand(**changes: Any) -> DemandView:
    given = DemandView("requests", "prod", "q", 45.0, DataVerdict.OK, 500.0, 5.0, "theta", (600.0, 700.0, 812.4))
    return replace(given, **changes)


def effect(reason: Reason, before: int = 18, after: int = 18, *, holds: bool = False) -> GuardEffect:
    return GuardEffect(reason.value.lower(), reason, before, after, holds)


def decision(**changes: Any) -> Decision:
    given: dict[str, Any] = {
        "workload": WorkloadRef("shop", "web"), "at": NOW, "expires": NOW + timedelta(minutes=1), "mode": Mode.ACT,
        "actuation": Actuation.HPA_FLOOR, "state": State.ACTIVE, "current": 12, "ready": 12, "wanted": 18,
        "granted": 18, "sizing": Reason.FORECAST_PEAK, "margin": 1.0, "lead_s": 195.0, "risk": 0.005,
        "demands": (demand(),), "effects": (), "inputs": {"target_known": True, "min_replicas": 2, "max_replicas": 60},
    }  # fmt: skip
    return Decision(**(given | changes))


def shown(made: Decision | None = None, before: Status | None = None, now: datetime = NOW, **more: Any) -> Status:
    given: dict[str, Any] = {"replicas": (12, 12, 12), "risk": 0.0031}
    standing = Standing(3, ("Deployment", "web"), made, **(given | more))
    return status_of(standing, before or {}, now)


def answer(status: Status, kind: str) -> tuple[str, str]:
    found = {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}
    return found.get(kind, ("", ""))


def test_a_status_has_the_shape_of_the_custom_resource_and_what_people_ask_for():
    status = shown(decision(notes=(Note(Condition.WRITTEN, "HPA web minReplicas: 12 → 18"),)))
    assert status["replicas"] == {"current": 12, "ready": 12, "wanted": 18, "floor": 12, "min": 2, "max": 60}
    assert status["forecast"] == {
        "peak": "812", "peakTime": "2026-03-01T18:33:15Z", "demand": "requests", "horizon": "195s", "model": "theta",
    }  # fmt: skip
    assert status["risk"] == {"realised": "0.31%", "asked": "0.5%", "ratio": "0.31%/0.5%"}
    assert status["lastDecision"]["action"] == "12 to 18 at 18:30Z"
    assert answer(status, "Ready") == ("True", "Deciding")
    assert answer(status, "Acting") == ("True", "HpaFloor")
    assert {c["observedGeneration"] for c in status["conditions"]} == {3}
    assert next(c["type"] for c in status["conditions"]) == "Ready"
    assert answer(status, "Stalled") == answer(status, "Reconciling") == ("", ""), "abnormal ones only while abnormal"
    model = pytest.importorskip("autoscaler.spec.crd_status", reason="the shape of the custom resource is not here")
    model.PredictiveAutoscalerStatus.model_validate(status)


def test_before_the_first_decision_everything_is_unknown_and_it_is_said_to_be_under_way():
    status = shown()
    assert answer(status, "Ready") == ("Unknown", "Deciding")
    assert answer(status, "Reconciling") == ("True", "Deciding")
    assert {c["status"] for c in status["conditions"]} == {"Unknown", "True"}


def test_K03_one_whose_target_an_older_one_has_is_stalled_as_a_conflict_and_told_as_one():
    words = "the target is that of PredictiveAutoscaler shop/web, which is older"
    outranked = replace(SLIP, path="spec.target", message=words, reason="Conflict")
    status = shown(wrong=(outranked,))
    for kind, says in (("Ready", "False"), ("Stalled", "True"), ("Conflict", "True")):
        assert answer(status, kind) == (says, "Conflict")
        assert words in next(c["message"] for c in status["conditions"] if c["type"] == kind)
    assert answer(status, "Acting") == ("Unknown", "Conflict")
    assert [(h.reason, h.warning) for h in happenings({}, status)] == [("OwnershipConflict", True)]
    free = shown(decision(), before=status)
    assert answer(free, "Conflict") == ("False", "Alone")
    assert [h.reason for h in happenings(status, free)] == ["ConflictEnded"]
    both = shown(wrong=(SLIP, outranked))
    assert (answer(both, "Stalled"), answer(both, "Conflict")) == (("True", "InvalidSpec"), ("True", "Conflict"))


def test_K16_a_broken_spec_is_stalled_with_the_words_of_a_file_and_says_what_is_in_force():
    status = shown(decision(), wrong=(SLIP,))
    (stalled,) = [c for c in status["conditions"] if c["type"] == "Stalled"]
    assert stalled["reason"] == "InvalidSpec"
    said = "spec.replicas: min 5 is above max 2; raise max. The last valid form stays in force."
    assert stalled["message"] == f"{said} (docs/reasons.md#invalidspec)"
    assert answer(status, "Ready") == ("False", "InvalidSpec")
    never = shown(None, wrong=(SLIP,))
    assert answer(never, "Stalled") == ("True", "InvalidSpec")
    assert answer(never, "Reconciling") == ("", "")
    assert "stays in force" not in str(never)


@pytest.mark.parametrize(
    ("made", "kind", "expected"),
    [
        (decision(mode=Mode.ADVISE, state=State.ADVISORY), "Acting", ("False", "Advise")),
        (decision(effects=(effect(Reason.BAD_DATA, holds=True),), state=State.HOLDING), "Held", ("True", "BadData")),
        (decision(demands=(demand(verdict=DataVerdict.MISSING),)), "MetricsAvailable", ("False", "Missing")),
        (decision(demands=(demand(verdict=DataVerdict.PARTIAL),)), "MetricsAvailable", ("True", "Partial")),
        (decision(demands=(demand(quantiles=None),)), "ForecastReady", ("False", "NoForecast")),
        (decision(effects=(effect(Reason.FALLBACK, 12, 14),)), "Fallback", ("True", "Fallback")),
        (
            decision(state=State.YIELDED, notes=(Note(Condition.RIVAL, "HPA other"),)),
            "Conflict", ("True", "RivalAutoscaler"),
        ),
        (decision(state=State.YIELDED, notes=(Note(Condition.RIVAL, "HPA"),)), "Ready", ("False", "RivalAutoscaler")),
        (decision(state=State.PAUSED, effects=(effect(Reason.PAUSED, 18, 12),)), "Paused", ("True", "Paused")),
        (decision(notes=(Note(Condition.CAPPED_BY_HPA, "capped"),)), "Acting", ("True", "CappedByHpa")),
        (decision(notes=(Note(Condition.FORBIDDEN, "not allowed"),)), "Acting", ("False", "Forbidden")),
        (
            decision(
                inputs={"target_known": False, "min_replicas": 2, "max_replicas": 60},
                notes=(Note(Condition.TARGET_NOT_SCALABLE, "no scale subresource"),),
            ),
            "Ready", ("False", "TargetNotScalable"),
        ),
    ],
)  # fmt: skip
def test_K18_K20_each_situation_has_its_answer(made: Decision, kind: str, expected: tuple[str, str]):
    assert answer(shown(made), kind) == expected


def test_a_target_that_cannot_be_read_shows_no_numbers():
    status = shown(decision(inputs={"target_known": False, "min_replicas": 0, "max_replicas": 0}), replicas=None)
    assert "replicas" not in status


def test_K15_what_does_not_visibly_change_is_no_write():
    before = shown(decision())
    later = NOW + timedelta(minutes=5)
    creeping = decision(at=later, demands=(demand(quantiles=(610.0, 720.0, 850.0)),), margin=1.1)
    for made in (shown(creeping, before, later, risk=0.0032), shown(decision(at=later), before, later)):
        assert not is_news(before, made)
        assert not moved(before, made, later)


@pytest.mark.parametrize(
    ("made", "after_s", "news"),
    [
        (decision(demands=(demand(quantiles=(700.0, 800.0, 930.0)),)), 0, False),
        (decision(wanted=19), 0, False),
        (decision(mode=Mode.ADVISE), 0, True),
        (decision(notes=(Note(Condition.WRITTEN, "w"),)), 0, True),
        (decision(effects=(effect(Reason.CHANGE_FREEZE, holds=True),)), 0, True),
        (decision(at=NOW + timedelta(minutes=40)), 2400, False),
    ],
)
def test_what_would_mislead_is_a_write_an_answer_at_once_a_number_in_its_time(made: Decision, after_s: int, news: bool):
    before, now = shown(decision()), NOW + timedelta(seconds=after_s)
    after = shown(made, before, now)
    assert is_news(before, after) is news
    assert news or moved(before, after, now)


def test_an_answer_that_stays_keeps_its_time_and_a_new_one_gets_its_own():
    before, later = shown(decision()), NOW + timedelta(hours=1)
    after = shown(decision(effects=(effect(Reason.BAD_DATA, holds=True),)), before, later)
    times = {c["type"]: c["lastTransitionTime"] for c in after["conditions"]}
    assert times["Ready"] == "2026-03-01T18:30:00Z"
    assert times["Held"] == "2026-03-01T19:30:00Z"
    again = shown(decision(effects=(effect(Reason.BAD_DATA, holds=True),)), after, later + timedelta(hours=1))
    assert again["holds"][0]["since"] == "2026-03-01T19:30:00Z"


def test_what_has_not_lasted_is_not_shown_nor_the_state_that_comes_of_it():
    before = shown(decision())
    gap = shown(decision(state=State.HOLDING, effects=(effect(Reason.BAD_DATA, holds=True),)), before)
    kept = held_back(before, gap, frozenset({"Held"}))
    assert not is_news(before, kept)
    assert kept["state"] == "Active"


def test_events_come_of_turns_and_writes_once_with_the_numbers():
    calm = shown(decision())
    assert list(happenings({}, calm)) == [], "a new object is no news"
    wrote = shown(decision(notes=(Note(Condition.WRITTEN, "w"),)), calm)
    (heard,) = happenings(calm, wrote)
    assert (heard.reason, heard.words, heard.warning) == ("FloorRaised", "floor 12 to 18: ForecastPeak", False)
    assert list(happenings(wrote, shown(decision(), wrote))) == []
    dark = shown(decision(demands=(demand(verdict=DataVerdict.UNREACHABLE),)), calm)
    (heard,) = happenings(calm, dark)
    assert (heard.reason, heard.warning) == ("MetricsUnavailable", True)
    assert [h.reason for h in happenings(dark, calm)] == ["MetricsRestored"]
    broken = shown(None, wrong=(SLIP,))
    assert [h.reason for h in happenings({}, broken)] == ["InvalidSpec"]
    assert "SpecAccepted" in [h.reason for h in happenings(broken, calm)]
    alone = decision(actuation=Actuation.SCALE, current=18, granted=12, notes=(Note(Condition.WRITTEN, "w"),))
    (heard,) = happenings(shown(decision(actuation=Actuation.SCALE)), shown(alone))
    assert (heard.reason, heard.words) == ("ScaledDown", "replicas 18 to 12: ForecastPeak")
    assert {"FloorRaised", "ScaledDown", "InvalidSpec"} <= REASONS


@pytest.mark.parametrize("condition", sorted(UNWRITTEN))
def test_what_cannot_be_written_is_an_event_in_the_servers_words_and_so_is_its_end(condition):
    calm = shown(decision())
    stuck = shown(decision(notes=(Note(condition, "denied by the webhook"),)), calm)
    (heard,) = [h for h in happenings(calm, stuck) if h.reason == "NotWriting"]
    assert heard.warning
    assert heard.words.startswith("denied by the webhook")
    assert [h.reason for h in happenings({}, stuck)] == ["NotWriting"], "told of a new object too"
    assert list(happenings(stuck, shown(decision(notes=(Note(condition, "denied"),)), stuck))) == []
    assert [h.reason for h in happenings(stuck, shown(decision(), stuck))] == ["WritesAgain"]
    advised = shown(decision(mode=Mode.ADVISE, notes=(Note(condition, "denied"),)), calm)
    assert "NotWriting" not in [h.reason for h in happenings(calm, advised)]


@pytest.mark.parametrize("verdict", [DataVerdict.BAD_QUERY, DataVerdict.WRONG_TYPE])
def test_a_query_that_its_source_cannot_evaluate_is_an_invalid_spec_at_its_field(verdict):
    """In words that stay the same while those of the source change: they are the answer of this condition."""
    first = shown(decision(demands=(demand(), demand(name="jobs", verdict=verdict, observed=None, note="at 1:9"))))
    assert answer(first, "Stalled") == ("True", "InvalidSpec")
    words = next(c["message"] for c in first["conditions"] if c["type"] == "Stalled")
    assert words.startswith(f"spec.demands[1].query: {verdict.words} (what prod says")
    assert not is_news(
        first, shown(decision(demands=(demand(), demand(name="jobs", verdict=verdict, observed=None, note="at 2:1"))))
    )
    mended = shown(decision())
    assert answer(mended, "Stalled") == ("", "")
    assert {h.reason for h in happenings(first, mended)} == {"SpecAccepted", "MetricsRestored"}


def test_what_may_mend_itself_is_no_invalid_spec():
    for verdict in set(DataVerdict) - {DataVerdict.BAD_QUERY, DataVerdict.WRONG_TYPE}:
        assert answer(shown(decision(demands=(demand(verdict=verdict),))), "Stalled") == ("", "")


def test_a_condition_that_is_not_shown_yet_is_held_back_by_being_left_out():
    before, bad = shown(decision()), decision(demands=(demand(verdict=DataVerdict.BAD_QUERY),))
    made = shown(bad, before)
    assert answer(held_back(before, made, frozenset({"Stalled", "MetricsAvailable"})), "Stalled") == ("", "")
    assert answer(held_back(made, made, frozenset({"Stalled"})), "Stalled") == ("True", "InvalidSpec")
