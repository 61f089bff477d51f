"""The ladder in the record: nothing is lost, a new rung begins a run, and people are told it in words."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from autoscaler.adapters.store.codec import from_dict, pack, to_dict, unpack
from autoscaler.adapters.telemetry import Telemetry
from autoscaler.domain.ladder import STANDING, Rung, Standing, Why
from autoscaler.reporting.words import decision_dict, explain
from autoscaler.simulator.records import MemoryRecords

NEXT_S = 1_800_014_400.0
DAY = (Rung.DAY, Why.QUALIFIED, NEXT_S, 0.42, 0.61)


@pytest.fixture
def standing_on(make):
    def made(place=DAY, at_s=make.start_s, **arrays):
        one = make.decisions(make.fleet(), at_s, **arrays)
        return replace(one, seen=replace(one.seen, standing=np.array([place], dtype=STANDING)))

    return made


@pytest.mark.parametrize(
    "place",
    [
        DAY,
        (Rung.WEEK, Why.BASELINE, np.inf, 1.0, 1.0),
        (Rung.DAY, Why.BASELINE_CHEAPER, NEXT_S, 1.0, 1.0),
        (Rung.REACTIVE, Why.NONE_QUALIFIED, NEXT_S, np.inf, np.inf),
    ],
)
def test_it_comes_back_as_it_was(standing_on, place):
    view = standing_on(place)[0]
    back = unpack(pack(view))
    assert back == view
    (demand,) = back.demands
    assert demand.standing == Standing(
        place[0], place[1],
        datetime.fromtimestamp(place[2], UTC) if np.isfinite(place[2]) else None,
        place[3] if np.isfinite(place[3]) else None,
        place[4] if np.isfinite(place[4]) else None,
    )  # fmt: skip


def test_records_from_before_there_was_a_ladder_are_read(make):
    plain = to_dict(make.decisions(make.fleet())[0])
    assert len(plain["demands"][0]) == 10
    assert from_dict(plain).demands[0].standing is None


def test_records_from_before_plans_were_compared_are_read(standing_on):
    plain = to_dict(standing_on()[0])
    plain["demands"][0][10].pop()
    standing = from_dict(plain).demands[0].standing
    assert standing is not None
    assert (standing.loss_ratio, standing.decision_ratio) == (0.42, None)


@pytest.mark.parametrize("records", ["twin", "store"])
def test_F01_another_rung_begins_a_run(standing_on, make, opened, records):
    week = (Rung.WEEK, Why.QUALIFIED, np.inf, 0.4, 0.5)
    ticks = [standing_on(p, make.start_s + k * make.tick_s) for k, p in enumerate([DAY, DAY, week])]
    kept = MemoryRecords(tick_s=make.tick_s) if records == "twin" else opened()
    for tick in ticks:
        kept.append(tick)
    if not isinstance(kept, MemoryRecords):
        kept.flush()
    runs = kept.history(ticks[0].fleet.workloads[0].ref)
    assert sorted(run.ticks for run in runs) == [1, 2]


def test_F01_the_owner_reads_rung_reason_and_the_date_of_the_next(standing_on, make):
    kept = MemoryRecords(tick_s=make.tick_s)
    kept.append(standing_on())
    (run,) = kept.history(make.fleet().workloads[0].ref)
    assert (
        "forecast rung: day: its own demand and yesterday's; it errs less than the same window a day ago would, and no "
        "dearer plans are proven (quantile loss 0.42, decision loss 0.61 of its); the next rung at 2027-01-15 12:00:00 "
        "UTC at the earliest"
    ) in explain(run, None, {})
    told = decision_dict(run.decision)["demands"][0]["ladder"]
    assert {k: told[k] for k in ("rung", "reason", "lossRatio", "decisionRatio")} == {
        "rung": "Day",
        "reason": "Qualified",
        "lossRatio": 0.42,
        "decisionRatio": 0.61,
    }


def test_none_qualified_says_so_instead_of_a_forecast(standing_on, make):
    kept = MemoryRecords(tick_s=make.tick_s)
    kept.append(standing_on((Rung.REACTIVE, Why.NONE_QUALIFIED, NEXT_S, np.inf, np.inf), present=False))
    (run,) = kept.history(make.fleet().workloads[0].ref)
    assert "no model could be calibrated on its demand" in explain(run, None, {})
    assert decision_dict(run.decision)["demands"][0]["ladder"]["reason"] == "NoneQualified"


def test_as_metrics_unknown_is_absent_and_gone_is_gone(standing_on, make):
    telemetry = Telemetry()
    labels = {"namespace": "shop", "name": "web", "demand": "requests"}

    def told(name: str) -> float | None:
        return telemetry.registry.get_sample_value(f"foresail_forecast_{name}", labels)

    telemetry.observe(standing_on())
    assert (told("rung"), told("qualified"), told("loss_ratio"), told("decision_ratio")) == (3.0, 1.0, 0.42, 0.61)
    telemetry.observe(standing_on((Rung.DAY, Why.BASELINE, NEXT_S, 1.0, 1.0)))
    assert (told("rung"), told("qualified"), told("loss_ratio"), told("decision_ratio")) == (3.0, 0.0, 1.0, 1.0)
    telemetry.observe(standing_on((Rung.PRETRAINED, Why.SHORT_HISTORY, NEXT_S, np.inf, np.inf)))
    assert (told("rung"), told("qualified"), told("loss_ratio"), told("decision_ratio")) == (1.0, None, None, None)
    telemetry.observe(make.decisions(make.fleet("other")))
    assert told("rung") is None
