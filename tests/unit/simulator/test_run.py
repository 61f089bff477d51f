"""Simulated runs end to end: same seed same run, faults of a recorded day, and the journal that they leave."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from autoscaler.domain.decision import Decisions
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.series import Panel
from autoscaler.domain.workload import Actuation, Lead, Mode, Pause, PauseDirection, PolicyType, ScalingRule, StepPolicy
from autoscaler.forecasting.naive import LastValue
from autoscaler.forecasting.serving import CalibrationPlan, PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.simulator.cluster import ClusterSettings, MemoryCluster
from autoscaler.simulator.run import Recording, Run
from autoscaler.simulator.runlog import RunLog

FIRST, WARM, STEPS = 1_000_000, 240, 240
MODELS = (LastValue(),)
PLAN = CalibrationPlan(window_s=4 * 3600, sample_s=300, refit_s=3600, least=8)


def _day(rows: int = 1, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(WARM + STEPS)
    return np.asarray(200 * (1 + 0.3 * np.sin(t / 60)) * rng.lognormal(0, 0.05, (rows, len(t))))


@pytest.fixture(scope="session")
def make_run(make_fleet: Callable[..., Fleet], make_panel: Callable[..., Panel]) -> Callable[..., Run]:
    def build(offered: Any, seen: Any = None, *, fleet: Fleet | None = None, models: Any = MODELS, seed: int = 0,
              failing: float = 0.0, hpa: bool = False, block_steps: int = 60,
              watch: Callable[[Decisions], None] | None = None, **changes: Any) -> Run:  # fmt: skip
        kind = Actuation.HPA_FLOOR if hpa else Actuation.SCALE
        here = fleet or make_fleet(lanes=len(offered), actuation=kind, **changes)
        settings = ClusterSettings(start_failure=failing, seed=seed)
        start = np.full(len(here), 25, dtype=np.int64)
        cluster = MemoryCluster(here, 60, np.full(len(here), hpa), start, settings)
        recording = Recording(
            make_panel(offered, first_step=FIRST), make_panel(offered if seen is None else seen, first_step=FIRST)
        )
        return Run(
            here, recording, cluster, FIRST + WARM, FIRST + WARM + STEPS, server=PeakServer(models, PLAN), guards=CHAIN,
            block_steps=block_steps, watch=watch,
        )  # fmt: skip

    return build


def _arrays(log: RunLog) -> dict[str, np.ndarray]:
    return {name: getattr(log, name) for name in log.__slots__ if isinstance(getattr(log, name), np.ndarray)}


@pytest.mark.parametrize("hpa", [False, True])
def test_same_seed_same_run_other_seed_other_run(make_run: Callable[..., Run], hpa: bool) -> None:
    logs = [
        make_run(_day(2), hpa=hpa, failing=0.5, seed=seed, block_steps=block).finish()
        for seed, block in ((4, 60), (4, 7), (5, 60))
    ]
    for one, again in zip(logs[0], logs[1], strict=True):
        for name, column in _arrays(one).items():
            np.testing.assert_array_equal(column, _arrays(again)[name], err_msg=name)
    assert any((a.ready != b.ready).any() for a, b in zip(logs[0], logs[2], strict=True))


def test_the_journal_is_complete_and_says_what_was_served(make_run: Callable[..., Run]) -> None:
    (log,) = make_run(_day()).finish(["web"])
    assert (log.name, log.first_step, log.steps) == ("web", FIRST + WARM, STEPS)
    np.testing.assert_array_equal(log.demand, _day()[0, WARM:])
    for name in ("current", "wanted", "granted", "ready"):
        assert (getattr(log, name) >= 0).all(), name
    assert np.isfinite(log.p95).all()
    assert log.figures().short_share < 0.05


def test_F02_a_fivefold_spike_is_met_by_observed_need_at_the_next_tick(make_run: Callable[..., Run]) -> None:
    demand = np.full((1, WARM + STEPS), 100.0)
    demand[0, WARM + 100 :] = 500.0
    slow = ScalingRule(600, (StepPolicy(PolicyType.PODS, 1, 60),))
    (log,) = make_run(demand, scale_up=slow, lead=Lead(120.0)).finish()
    assert log.granted[100] < 50
    assert log.granted[101] >= 50
    assert log.ready[103] * log.capacity >= 500


def test_D05_a_sine_around_a_threshold_changes_direction_rarely(make_run: Callable[..., Run]) -> None:
    t = np.arange(WARM + STEPS)
    for period in (2, 5, 7):
        wobble = 100 + 3 * np.sin(2 * np.pi * t / period)
        (log,) = make_run(wobble[np.newaxis], models=()).finish()
        moves = np.sign(np.diff(log.granted[60:]))
        moves = moves[moves != 0]
        assert (np.diff(moves) != 0).sum() == 0, f"period {period} min"
    for period in (20, 40):
        wobble = 100 + 3 * np.sin(2 * np.pi * t / period)
        (log,) = make_run(wobble[np.newaxis], models=()).finish()
        moves = np.sign(np.diff(log.granted))
        moves = moves[moves != 0]
        assert (np.diff(moves) != 0).sum() <= 2 * STEPS / period + 1


@pytest.mark.parametrize("hpa", [False, True])
def test_D03_what_a_person_scaled_to_zero_is_never_resurrected(make_run: Callable[..., Run], hpa: bool) -> None:
    ticks: list[Decisions] = []

    def watch(decisions: Decisions) -> None:
        ticks.append(decisions)
        if len(ticks) == 50:
            run.cluster.desired[0] = run.cluster.ready[0] = 0
            run.cluster.pending[0].drop(10**6)

    run = make_run(_day(2), hpa=hpa, watch=watch)
    shut, other = run.finish()
    assert (shut.ready[:49] > 0).all()
    np.testing.assert_array_equal(shut.ready[49:], 0)
    assert (other.ready > 0).all()
    assert ticks[60][0].state == "Paused"


@pytest.mark.parametrize("fault", [np.nan, np.inf, -np.inf, -5.0])
@pytest.mark.parametrize("hpa", [False, True])
def test_M03_M04_M05_unusable_data_holds_and_never_shrinks(
    make_run: Callable[..., Run], fault: float, hpa: bool
) -> None:
    offered = _day(2)
    seen = offered.copy()
    seen[0, WARM + 60 : WARM + 120] = fault
    dark, light = make_run(offered, seen, hpa=hpa).finish()
    during = slice(61, 121)
    assert dark.held[during].all()
    assert (np.diff(dark.granted[60:121]) >= 0).all()
    assert (dark.granted[during] >= dark.current[during]).all()
    if hpa:
        assert (dark.ready[during] >= dark.ready[60]).all()  # the floor keeps what runs
    assert not light.held.any()
    assert not dark.held[121:].any()


def test_an_unreadable_target_is_left_alone_and_leaves_no_trace_in_step_limits(make_run: Callable[..., Run]) -> None:
    """A failed read once was a count of zero: a minute later it was the start of a period, and no limit bound."""
    demand = np.full((1, WARM + STEPS), 300.0)
    demand[0, WARM + 50 :] = 20.0
    ticks: list[Decisions] = []

    def watch(decisions: Decisions) -> None:
        ticks.append(decisions)
        lost = 100 <= len(ticks) < 102
        run.cluster.known[0] = not lost
        if lost:
            kept.append(int(run.cluster.desired[0]))
            run.cluster.desired[0] = 0
        elif kept:
            run.cluster.desired[0] = kept[0]
            kept.clear()

    kept: list[int] = []
    down = ScalingRule(0, (StepPolicy(PolicyType.PODS, 1, 60),))
    run = make_run(demand, models=(), scale_down=down, watch=watch)
    before = run.cluster.writes
    run.finish()
    falls = [int(d.granted[0] - d.proposals.current[0]) for d in ticks if d.status.known[0]]
    assert min(falls) == -1
    unknown = [d for d in ticks if not d.status.known[0]]
    assert len(unknown) == 2
    assert all(d[0].effects[0].reason == "TargetUnknown" for d in unknown)
    assert run.cluster.writes > before


def test_a_pause_stops_the_run_until_it_ends(make_run: Callable[..., Run]) -> None:
    demand = np.full((1, WARM + STEPS), 200.0)
    demand[0, WARM + 20 : WARM + 60] = 400.0
    demand[0, WARM + 60 :] = 50.0
    until = datetime.fromtimestamp((FIRST + WARM + 120) * 60, UTC)
    logs = {
        direction: make_run(demand, models=(), pause=Pause(direction, "sre", "incident", until)).finish()[0]
        for direction in PauseDirection
    }
    assert (logs[PauseDirection.BOTH].granted[:120] == 25).all()
    assert (np.diff(logs[PauseDirection.DOWN].granted[:120]) >= 0).all()
    assert logs[PauseDirection.DOWN].granted[30] == 40
    assert (np.diff(logs[PauseDirection.UP].granted[:120]) <= 0).all()
    assert logs[PauseDirection.UP].granted[119] < 20
    for log in logs.values():
        assert log.granted[-1] == 5


def test_everybody_acts_in_a_run_whatever_the_mode(make_run: Callable[..., Run]) -> None:
    run = make_run(_day(), mode=Mode.ADVISE)
    run.finish()
    assert run.cluster.writes > 0


def test_nothing_to_run_is_refused(make_run: Callable[..., Run]) -> None:
    run = make_run(_day())
    run.end_step = run.first_step
    with pytest.raises(ValueError, match="nothing to run"):
        run.finish()
