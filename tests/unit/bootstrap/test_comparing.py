"""A judged record: lanes side by side decide as each alone does, and every number can be had a second way."""

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.adapters.traces import Trace
from autoscaler.bootstrap.comparing import judge
from autoscaler.bootstrap.lanes import replay, side_by_side
from autoscaler.bootstrap.simulate import simulate, typed_workload
from autoscaler.bootstrap.worlds import World
from autoscaler.domain.workload import Actuation, WorkloadRef
from autoscaler.simulator.comparison import Tuning
from autoscaler.simulator.rivals import ready
from autoscaler.simulator.starts import ReadySpread

pytestmark = pytest.mark.slow
STEP_S, DAY = 600, 144


def recorded(days: int = 6) -> Trace:
    rng = np.random.default_rng(2)
    t = np.arange(days * DAY)
    values = 300 * (1 + 0.5 * np.sin(2 * np.pi * t / DAY)) * rng.lognormal(0, 0.08, len(t))
    values[rng.random(len(t)) < 0.02] *= 2
    values[200:204] = np.nan
    return Trace("web", STEP_S, 40_000 * DAY, values)


WORLD = World(warmup_s=2 * 86400)
KNOBS = (0.5, 0.6, 0.7, 0.8, 0.9)


def workload(actuation: Actuation = Actuation.SCALE):
    return typed_workload(10.0, lead_s=1200.0, risk=0.01, actuation=actuation, most=500)


@pytest.mark.parametrize("actuation", [Actuation.SCALE, Actuation.HPA_FLOOR])
def test_a_lane_among_others_is_what_it_is_alone(actuation):
    trace, load = recorded(), workload(actuation)
    alone = simulate(trace, load, WORLD)
    other = replace(load, ref=WorkloadRef("simulate", "other"), risk=0.05)
    lanes = side_by_side(STEP_S, trace.first_step, np.tile(trace.values, (2, 1)), [load, other], WORLD)
    np.testing.assert_array_equal(lanes[0].served.ready, alone.served.ready)
    assert lanes[0].scores == alone.scores


def test_steady_starts_replayed_are_the_arithmetic_of_the_ladders():
    rng = np.random.default_rng(0)
    asked = rng.integers(1, 20, size=(3, 200))
    served = replay(STEP_S, 0, asked, workload(), World())
    np.testing.assert_array_equal(served[:, 20:], ready(asked, 2)[:, 20:])


@pytest.fixture(scope="module")
def judged():
    return judge(recorded(), workload(Actuation.HPA_FLOOR), replace(WORLD, hpa_target=60), knobs=KNOBS)


def test_the_rows_are_as_set_retuned_and_ours(judged):
    titles = [row.title for row in judged.claims.rows]
    assert titles[0] == "your HPA as set (60 %)"
    assert titles[-1] == "Foresail (HpaFloor beside your HPA at 60 %)"
    assert judged.claims.rows[-1].entry.scores == judged.outcome.scores


def test_the_hpa_as_set_is_the_rival_at_the_same_target(judged):
    """Closed loop in the cluster twin, and the ladder's exact fast loop: two implementations."""
    (ladder,) = (one for one in judged.comparison.ladders if one.name == "hpa-300s")
    rung = ladder.knobs.index(0.6)
    assert judged.as_set.scores.replica_hours == pytest.approx(ladder.scores.paid[rung], rel=0.01)
    assert judged.as_set.scores.short_share == pytest.approx(ladder.scores.short[rung], abs=0.004)


def test_retuned_in_hindsight_is_no_shorter_than_ours(judged):
    if judged.retuned is not None:
        assert judged.retuned.scores.short_share <= judged.outcome.scores.short_share + 0.004


def test_our_own_curve_spends_more_risk_for_fewer_replicas(judged):
    curve = judged.comparison.curve
    assert curve is not None
    assert 0.01 in curve.knobs
    assert curve.scores.paid[-1] < curve.scores.paid[0]


def test_among_the_tried_targets_the_one_as_set_is_the_claim_itself(judged):
    as_claimed = dict(judged.hotter)[60]
    assert as_claimed.scores == judged.outcome.scores
    curve = judged.comparison.curve
    assert curve.scores.paid[curve.knobs.index(0.01)] == judged.outcome.scores.replica_hours


def test_the_target_that_realises_the_saving_keeps_the_risk_beside_our_floor(judged):
    targets = dict(judged.hotter)
    assert list(targets) == [60, 75, 80, 85, 90, 95]
    if judged.saving_target is not None:
        assert targets[judged.saving_target].scores.short_share <= 0.01
        hotter = [t for t in targets if t > judged.saving_target]
        assert all(targets[t].scores.short_share > 0.01 for t in hotter)


@pytest.fixture(scope="module")
def under_scale():
    """(what was judged, what was told of the progress)."""
    told: dict[str, float] = {}
    return judge(recorded(4), workload(), WORLD, told.__setitem__, knobs=KNOBS), told


def test_under_scale_there_is_no_hpa_to_run_hotter(under_scale):
    one, _ = under_scale
    assert one.hotter == ()
    assert one.saving_target is None


def test_progress_names_the_part_and_ends_at_all_of_it(under_scale):
    _, told = under_scale
    assert set(told) == {"simulating", "rivals", "our curve"}
    assert all(share == 1.0 for share in told.values())


def test_in_a_world_of_varying_starts_rivals_wait_like_us(under_scale):
    steady, _ = under_scale
    varying = judge(recorded(4), workload(), replace(WORLD, spread=ReadySpread(600.0, 1200.0), seed=4), knobs=KNOBS)
    name = "max15"
    before, after = (j.comparison.entry(name, Tuning.DEFAULT) for j in (steady, varying))
    assert before is not None
    assert after is not None
    assert before.scores.replica_hours == after.scores.replica_hours, "the same requests"
    assert (before.served.ready != after.served.ready).any()
