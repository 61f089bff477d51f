"""What an SRE reads: whole texts for the usual case, single lines for the odd ones."""

import json
import math

import pytest

from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import DataVerdict
from autoscaler.domain.workload import Actuation, Mode
from autoscaler.reporting.words import (
    HISTORY_COLUMNS,
    decision_dict,
    duration,
    explain,
    explain_dict,
    history_dicts,
    history_table,
    number,
)
from autoscaler.simulator.records import MemoryRecords


@pytest.fixture
def recorded(make):
    """Runs made of ticks, each given by its arrays."""

    def record(*ticks, lanes=None, spacing=1):
        lanes = lanes or make.fleet()
        records = MemoryRecords(tick_s=make.tick_s)
        for k, arrays in enumerate(ticks):
            records.append(make.decisions(lanes, make.start_s + spacing * k * make.tick_s, **arrays))
        return records.history(lanes.workloads[0].ref)

    return record


LIMITED = {"acts": {"step-up": (6, 5, False, 5.0)}}
NOTHING = {
    "observed": math.nan,
    "age_s": math.inf,
    "verdict": DataVerdict.MISSING,
    "present": False,
    "sizing": Reason.UNKNOWN_DEMAND,
    "wanted": 4,
    "granted": 4,
    "acts": {"data-verdict": (4, 4, True, None)},
    "inputs": {"need_known": False, "observed_need": 0, "predicted_need": 0, "data_age_s": math.inf},
}


def test_the_usual_case_in_full(recorded):
    (run,) = recorded(LIMITED, LIMITED | {"observed": 1234.5678}, LIMITED | {"observed": 151.25, "wanted": 7})
    wanted, limited = run.decision.words
    assert (
        explain(run, None, {"step-up": 6, "min-max": 5})
        == f"""\
shop/web: 4 → 5, Active
  mode Act: writes the floor of its HPA (minReplicas); written now 4, granted 5, ready 4
  the same since 2027-01-15 08:00:00 UTC: 3 ticks over 30 s, the last at 2027-01-15 08:00:30 UTC
  the numbers below are of the run's first tick; [a – b] is the range over the run
demand
  requests, from prod: sum(rate(http_requests_total{{app="web"}}[1m]))
    data: fresh and usable
    observed 180, 20 s old [151 – 1,235]
    forecast peak of the next 2 min: p50 170, p90 220, p95 240 (by theta-day)
    one replica serves 45
size
  observed demand needs 4
  forecast p95 × margin 1.1 needs 6 (lead 2 min, accepted risk 0.5 % of time)
  lead: until the last pod is Ready 1 min 30 s (as typed), warm-up 30 s; before it lateness of the data 15 s, tick 15 s
  wanted 6 [6 – 7]: {wanted}
guards, in order
  pause          no effect
  data-verdict   no effect
  stabilization  no effect
  step-up        {limited}
  min-max        no effect
  granted 5
  without step-up: 6
expires 30 s after its tick (the last one at 2027-01-15 08:01:00 UTC): a later write is dropped"""
    )


def test_unknown_demand_is_never_a_number(recorded):
    (run,) = recorded(NOTHING)
    text = explain(run, None, {})
    assert "4 → 4, Holding" in text
    assert "no sample: the series is gone or was not scraped (this is not zero)" in text
    assert "observed unknown\n" in text
    assert "no forecast of the next 2 min: no model qualifies" in text
    assert "what observed demand needs is unknown" in text
    assert "no forecast counts here" in text
    assert Reason.UNKNOWN_DEMAND.words(4, 4) in text
    assert f"data-verdict   stays 4: {Reason.BAD_DATA.words(4, 4)}" in text
    assert "decided at 2027-01-15 08:00:00 UTC, in one tick" in text
    assert "without" not in text
    plain = json.loads(json.dumps(explain_dict(run, None, {}), allow_nan=False))
    assert plain["decision"]["demands"][0]["observed"] is None
    assert plain["decision"]["demands"][0]["quantiles"] is None
    assert plain["decision"]["inputs"]["data_age_s"] is None
    assert plain["run"]["observedRange"] == {"requests": [None, None]}


def test_learning_decides_on_observed_demand(recorded):
    (run,) = recorded({"present": False, "sizing": Reason.NO_FORECAST, "inputs": {"predicted_need": 0}})
    text = explain(run, None, {})
    assert "Learning" in text
    assert "observed demand needs 4" in text
    assert Reason.NO_FORECAST.words(4, 6) in text


def test_paused_advising_and_scale(recorded, make):
    lanes = make.fleet(mode=Mode.ADVISE, actuation=Actuation.SCALE)
    (run,) = recorded({"acts": {"pause": (6, 4, False, None)}, "granted": 4}, lanes=lanes)
    text = explain(run, None, {"pause": 6})
    assert "4 → 4, Paused" in text
    assert "mode Advise: only advises, would write its replicas (scale)" in text
    assert f"pause          {Reason.PAUSED.words(6, 4)}" in text
    assert "without pause: 6" in text


def test_a_guard_that_raised_is_told(recorded):
    (run,) = recorded({"acts": {"stabilization": (6, 6, True, None)}, "failed": ["stabilization"]})
    assert f"stabilization  stays 6: {Reason.GUARD_FAILED.words(6, 6)}" in explain(run, None, {})


def test_each_demand_has_its_own_lines(recorded, make):
    lanes = make.fleet("web", demands=2)
    (run,) = recorded({"observed": [180.0, math.nan], "verdict": [0, DataVerdict.UNREACHABLE]}, lanes=lanes)
    text = explain(run, None, {})
    assert "requests, from prod" in text
    assert "requests1, from prod" in text
    assert "the metrics source did not answer" in text
    assert history_table([run])[0][-1] == "requests 180, requests1 unknown"


def test_a_moment_that_the_record_does_not_reach(recorded, make):
    (run,) = recorded({}, {})
    at = run.last_at
    assert f"asked about {at:%Y-%m-%d %H:%M:%S} UTC" in explain(run, at, {})
    assert "expired by then" not in explain(run, at, {})
    later = at.replace(hour=11)
    assert "nothing was recorded for 3 h before that: this decision had expired by then" in explain(run, later, {})
    assert "began only after that" in explain(run, at.replace(year=2026), {})
    assert explain_dict(run, later, {})["recordedThen"] is False
    assert explain_dict(run, at, {"pause": 9, "step-up": 5})["withoutGuard"] == {"pause": 9}


def test_history_has_a_row_a_run(recorded):
    runs = recorded({}, {"observed": 190.0}, LIMITED | {"granted": 6}, {"granted": 6}, spacing=2.9)
    rows = history_table(runs)
    assert rows == [
        ("2027-01-15 08:00:00", "08:00:43", "2", "4 → 5", "Active", "ForecastPeak", "180 – 190"),
        ("2027-01-15 08:01:27", "08:01:27", "1", "4 → 6", "Active", "ForecastPeak, StepUpLimited", "180"),
        ("2027-01-15 08:02:10", "08:02:10", "1", "4 → 6", "Active", "ForecastPeak", "180"),
    ]
    assert {len(row) for row in rows} == {len(HISTORY_COLUMNS)}
    plain = json.loads(json.dumps(history_dicts(runs), allow_nan=False))
    assert [(p["granted"], p["ticks"], p["reasons"]) for p in plain] == [
        (5, 2, ["ForecastPeak"]),
        (6, 1, ["ForecastPeak", "StepUpLimited"]),
        (6, 1, ["ForecastPeak"]),
    ]
    assert plain[0]["from"] == "2027-01-15T08:00:00+00:00"
    assert not history_table([])
    assert not history_dicts([])


def test_a_decision_as_json(make):
    plain = json.loads(json.dumps(decision_dict(make.decisions(make.fleet(), **LIMITED)[0]), allow_nan=False))
    assert (plain["workload"], plain["state"], plain["granted"]) == ("shop/web", "Active", 5)
    assert plain["demands"][0]["quantiles"] == {"p50": 170.0, "p90": 220.0, "p95": 240.0}
    assert [g["guard"] for g in plain["guards"] if g["acted"]] == ["step-up"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "unknown"),
        (math.nan, "unknown"),
        (math.inf, "no limit"),
        (0.0, "0"),
        (240.0, "240"),
        (41.53, "41.5"),
        (12345.678, "12,346"),
        (0.01234, "0.0123"),
        (1e9, "1,000,000,000"),
        (-3, "-3"),
    ],
)
def test_numbers_for_reading(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.25, "0.25 s"),
        (20, "20 s"),
        (150, "2 min 30 s"),
        (11100, "3 h 5 min"),
        (187_200, "2 d 4 h"),
        (-60, "-1 min"),
        (None, "unknown"),
        (math.inf, "unknown"),
        (59.7, "1 min"),
    ],
)
def test_durations_for_reading(seconds, text):
    assert duration(seconds) == text
