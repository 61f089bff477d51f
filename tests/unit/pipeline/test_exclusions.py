"""What owners exclude is neither learned nor judged, is counted, and is told on every decision for a week."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from autoscaler.adapters.telemetry import Telemetry
from autoscaler.domain.calendar import Hours, Once
from autoscaler.domain.decision import Decisions
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.notes import Condition
from autoscaler.domain.policy import Guarded, Origin, ReplicaWindow
from autoscaler.domain.season import Exclusion, Season
from autoscaler.domain.series import Floats, Panel
from autoscaler.domain.workload import Workload
from autoscaler.forecasting.naive import LastValue
from autoscaler.forecasting.serving import CalibrationPlan, PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.intake.history import History
from autoscaler.pipeline.exclusions import exclusion_notes
from autoscaler.pipeline.foresee import foresee
from autoscaler.pipeline.tick import Pipeline
from autoscaler.simulator.cluster import MemoryCluster
from autoscaler.simulator.metrics import MemoryMetrics

ZERO = 29_000_000
TEST = Exclusion(Once((ZERO + 100) * 60.0, (ZERO + 130) * 60.0), "load test")
PLAN = CalibrationPlan(window_s=4 * 3600, sample_s=300, refit_s=3600, least=8)


class Records(list[Decisions]):
    """Keeps all that is decided."""


def ticked(load: Workload, values: Floats, ticks: range) -> list[Decisions]:
    """A live pipeline over one workload, a tick each minute."""
    fleet, sink = Fleet((load,)), Records()
    metrics = MemoryMetrics(60, ZERO - 400, {fleet.demands[0].query: values})
    cluster = MemoryCluster(fleet, 60, fleet.is_floor.copy(), np.array([12]))
    server = PeakServer((LastValue(),), PLAN)
    pipeline = Pipeline(metrics, cluster, sink, History(60, 400), server, CHAIN)
    for k in ticks:
        cluster.begin()
        pipeline.tick(fleet, datetime.fromtimestamp((ZERO + k) * 60, UTC))
    return list(sink)


@pytest.fixture
def incident() -> Floats:
    """Half an hour at ten times the load, from ZERO + 100 on."""
    values = np.full(700, 100.0) * np.random.default_rng(0).lognormal(0, 0.02, 700)
    values[500:530] *= 10
    return values


def test_shortage_within_it_moves_no_margin_and_is_in_no_account(
    make_workload: Callable[..., Workload], incident: Floats
) -> None:
    plain = ticked(make_workload(), incident, range(90, 150))
    left_out = ticked(make_workload(excluded=(TEST,)), incident, range(90, 150))
    assert plain[-1].margin[0] > 1.01 * plain[0].margin[0]
    assert left_out[-1].margin[0] <= left_out[0].margin[0]
    for decisions, any_short in ((plain, True), (left_out, False)):
        realised = decisions[-1].realised
        assert realised is not None
        assert bool(realised.short[0] > 0) is any_short
        assert bool(realised.plan_short[0] > 0) is any_short
    judged = [d[-1].realised.steps[0] for d in (plain, left_out) if d[-1].realised is not None]
    assert judged[0] - judged[1] == pytest.approx(30, abs=0.5)


def test_what_is_needed_now_is_still_observed(make_workload: Callable[..., Workload], incident: Floats) -> None:
    during = ticked(make_workload(excluded=(TEST,)), incident, range(90, 120))[-1]
    assert (during[0].demands[0].observed or 0) > 900
    assert during[0].inputs["observed_need"] > 90


def test_it_is_told_for_a_week_and_in_the_same_words_within_an_hour(make_workload: Callable[..., Workload]) -> None:
    fleet = Fleet((make_workload("a"), make_workload("b", excluded=(TEST,))))
    end_s = TEST.window.spans(0, 1e12)[0][1]
    told = {k: exclusion_notes(fleet, end_s + k) for k in (-7200.0, -600.0, 60.0, 6.9 * 86_400, 7.2 * 86_400)}
    assert told[-7200.0] == {} == told[7.2 * 86_400]
    (note,) = told[60.0][1]
    assert list(told[60.0]) == [1]
    assert note.condition is Condition.CALIBRATION_EXCLUDED
    at = datetime.fromtimestamp((ZERO + 100) * 60, UTC)
    assert note.words == (
        "0.5 h of the last week are left out of learning and of risk control: load test "
        f"({at:%Y-%m-%d %H:%M} to {datetime.fromtimestamp(end_s, UTC):%Y-%m-%d %H:%M} UTC)"
    )
    assert told[-600.0] == told[60.0] == told[6.9 * 86_400]


def test_decisions_and_metrics_carry_it(make_workload: Callable[..., Workload], incident: Floats) -> None:
    last = ticked(make_workload(excluded=(TEST,)), incident, range(90, 150))[-1]
    assert Condition.CALIBRATION_EXCLUDED in {n.condition for n in last[0].notes}
    telemetry = Telemetry()
    telemetry.observe(last)
    labels = {"namespace": "shop", "name": "web"}
    share = telemetry.registry.get_sample_value("foresail_calibration_excluded_ratio", labels)
    assert share == pytest.approx(30 / 10_080)
    telemetry.observe(ticked(make_workload(), incident, range(90, 92))[-1])
    assert telemetry.registry.get_sample_value("foresail_calibration_excluded_ratio", labels) is None


def test_blocks_leave_out_what_single_origins_do(make_workload: Callable[..., Workload], incident: Floats) -> None:
    fleet = Fleet((make_workload("a"), make_workload("b", excluded=(TEST,))))
    panel = Panel(60, ZERO - 400, np.stack([incident, incident]), np.zeros((2, 700), dtype=np.uint8))

    def seen(first: int, origins: int) -> Any:
        server = PeakServer((LastValue(),), PLAN)
        return foresee(panel, fleet, server, ZERO + first, origins=origins, data_delay_steps=np.array([0, 2]))

    block = seen(95, 50)
    for k in range(50):
        np.testing.assert_array_equal(block.settled[:, k], seen(95 + k, 1).settled[:, 0])
    out = np.isnan(block.settled[1])
    assert np.flatnonzero(out).tolist() == list(range(100 - 95 + 3, 130 - 95 + 3))
    assert not np.isnan(block.settled[0]).any()


def test_events_of_policies_and_exclusions_make_the_season(make_workload: Callable[..., Workload]) -> None:
    origin = Origin("p", "spec.limits.events[0]")
    sale, night = Once(0.0, 10.0), Once(20.0, 30.0)
    windows = (
        ReplicaWindow("sale", sale, origin, 40, None, bounded=True),
        ReplicaWindow("night", night, origin, 2),
        ReplicaWindow("market day", Hours("UTC", 480, 720, days=(4,)), origin, 20, None, bounded=True),
    )
    load = make_workload(time_zone="Europe/Berlin", excluded=(TEST,))
    load = replace(load, guarded=Guarded(windows=windows))
    assert load.season == Season("Europe/Berlin", (sale,), (TEST.window,))
    assert make_workload(time_zone="UTC").season is None
