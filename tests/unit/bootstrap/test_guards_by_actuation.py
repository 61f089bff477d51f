"""What guards can enforce, rule by actuation: each cell against decisions and an HPA by its own algorithm."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import pytest

from autoscaler.bootstrap.lanes import side_by_side
from autoscaler.bootstrap.worlds import World
from autoscaler.domain.anomaly import AnomaliesAt, Cause
from autoscaler.domain.anomaly_rules import AnomalyRule, GrowthCap
from autoscaler.domain.calendar import Once
from autoscaler.domain.conditions import About, PolicyCondition, Then
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.forecast import ForesightAt
from autoscaler.domain.policy import (
    NEVER,
    Brake,
    Budget,
    Fallback,
    Freeze,
    Growth,
    Guarded,
    Origin,
    PolicyPause,
    ReplicaWindow,
    Trust,
)
from autoscaler.domain.replicas import ReplicaStatus
from autoscaler.domain.series import DataVerdict
from autoscaler.domain.workload import (
    Actuation,
    Demand,
    Lead,
    LearnedFrom,
    Pause,
    PauseDirection,
    PolicyType,
    ScalingRule,
    SelectPolicy,
    StepPolicy,
    Target,
    Workload,
    WorkloadRef,
)
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.serving import PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.pipeline.decide import decide
from autoscaler.pipeline.state import LoopState
from autoscaler.reporting.enforcement import TABLE
from autoscaler.spec.cel import program_of

HERE = Origin("GuardPolicy p", "limits", "p.yaml:1", "00000000")
FIRST, STEPS, OPENS, CLOSES = 29_000_000, 600, 420, 540
"""There is a forecast before the windows open."""
OPEN = Once((FIRST + OPENS) * 60.0, (FIRST + CLOSES) * 60.0)
UNTIL = datetime.fromtimestamp((FIRST + CLOSES) * 60, UTC)


class Side(NamedTuple):
    """granted: what we wrote, replicas or floor. running: what was there. Both [step]."""

    granted: np.ndarray
    running: np.ndarray


def run(demand: np.ndarray, guarded: Guarded, actuation: Actuation, copies: int = 1, least: int = 2) -> list[Side]:
    """Lanes of one world, each with ten of demand a replica and an HPA at 70 % under a floor."""
    loads = [
        Workload(
            WorkloadRef("shop", f"w{k}"), Target("apps/v1", "Deployment", f"w{k}"), (Demand("d", "p", f"q{k}", 10.0),),
            least, 60, Lead(60.0), actuation=actuation, guarded=guarded,
        )
        for k in range(copies)
    ]  # fmt: skip
    lanes = side_by_side(
        60, FIRST, np.tile(demand, (copies, 1)), loads, World(hpa_target=70), server=PeakServer(serving_models())
    )
    return [Side(lane.granted, lane.served.running) for lane in lanes]


def flat(level: float) -> np.ndarray:
    return np.full(STEPS, level)


def step_at(at: int, before: float, after: float) -> np.ndarray:
    return np.where(np.arange(STEPS) < at, before, after).astype(np.float64)


def window(**limits: int) -> Guarded:
    return Guarded(windows=(ReplicaWindow("w", OPEN, HERE, limits.get("least"), limits.get("most")),))


def raised(actuation: Actuation) -> None:
    side = run(flat(30.0), window(least=25), actuation)[0]
    assert (side.granted[OPENS:CLOSES] == 25).all()
    assert (side.running[OPENS + 5 : CLOSES] >= 25).all()
    dark = np.where(np.arange(STEPS) < OPENS, 30.0, np.nan)
    lost = run(dark, Guarded(fallback=Fallback(600.0, 20, HERE)), actuation)[0]
    assert (lost.granted[OPENS + 15 :] == 20).all()


def capped(actuation: Actuation) -> None:
    side = run(flat(100.0), window(most=4), actuation)[0]
    inside = slice(OPENS + 20, CLOSES)
    assert (side.granted[inside] <= 4).all()
    if actuation is Actuation.SCALE:
        assert (side.running[inside] == 4).all()
    else:
        assert (side.running[inside] == 15).all()  # the HPA's own: 100 ÷ 10 ÷ 0.7


FALLING, RISING = step_at(OPENS + 10, 200.0, 20.0), step_at(OPENS + 10, 50.0, 300.0)
INSIDE = slice(OPENS + 2, CLOSES)


def frozen(actuation: Actuation) -> None:
    side = run(FALLING, Guarded(freezes=(Freeze("f", OPEN, HERE, Growth.ANY),)), actuation)[0]
    before = side.running[OPENS + 5]
    assert (side.running[OPENS + 5 : CLOSES] >= before).all()
    assert side.running[-1] < before


def paused_down(actuation: Actuation) -> None:
    down = PolicyPause(Pause(PauseDirection.DOWN, "mia", "test", UNTIL), HERE)
    side = run(FALLING, Guarded(pauses=(down,)), actuation)[0]
    assert (np.diff(side.granted[OPENS:CLOSES]) >= 0).all()
    assert side.granted[-1] < side.granted[CLOSES - 1]
    if actuation is Actuation.SCALE:
        assert (np.diff(side.running[OPENS:CLOSES]) >= 0).all()
    else:
        assert side.running[CLOSES - 1] == side.granted[CLOSES - 1]  # the HPA comes down to the floor, and stays


def still(actuation: Actuation) -> None:
    side = run(RISING, Guarded(freezes=(Freeze("f", OPEN, HERE, Growth.NONE),)), actuation)[0]
    if actuation is Actuation.SCALE:
        assert (side.running[INSIDE] == side.running[OPENS - 1]).all()
    else:
        assert side.running[CLOSES - 1] == 43  # the HPA, on its own metrics: 300 ÷ 10 ÷ 0.7


def paused_up(actuation: Actuation) -> None:
    up = PolicyPause(Pause(PauseDirection.UP, "mia", "test", UNTIL), HERE)
    side = run(RISING, Guarded(pauses=(up,)), actuation)[0]
    assert (side.granted[INSIDE] <= side.granted[OPENS - 1]).all()
    assert side.granted[-1] > side.granted[CLOSES - 1]
    if actuation.is_floor:
        assert side.running[CLOSES - 1] == 43


def within_budget(actuation: Actuation) -> None:
    rules = Guarded(budgets=(Budget(30, HERE),))
    rng = np.random.default_rng(3)
    noisy = 100.0 * rng.lognormal(0, 0.2, STEPS)
    sides = run(noisy, rules, actuation, copies=3)
    free = run(noisy, Guarded(), actuation, copies=3)
    need = np.ceil(noisy / 10.0)
    total = np.sum([side.granted for side in sides], axis=0)[300:]
    most = np.maximum(30, 3 * np.maximum.reduce([np.roll(need, k) for k in range(30)])[300:])
    assert (total <= most).all()
    assert total.sum() < np.sum([side.granted for side in free], axis=0)[300:].sum() or actuation.is_floor
    if actuation.is_floor:
        assert (np.sum([side.running for side in sides], axis=0)[300:] > 30).any()  # the HPAs run what they will


def braked(actuation: Actuation) -> None:
    """Eight that all want to shrink; two may, and the others keep what they have, under a floor what runs."""
    loads = tuple(
        Workload(
            WorkloadRef("shop", f"w{k}"), Target("apps/v1", "Deployment", f"w{k}"), (Demand("d", "p", f"q{k}", 10.0),),
            2, 60, Lead(60.0), actuation=actuation, guarded=Guarded(brakes=(Brake(0.25, HERE),)),
            scale_down=ScalingRule(),
        )
        for k in range(8)
    )  # fmt: skip
    fleet = Fleet(loads)
    written, running = np.full(8, 10), np.full(8, 14 if actuation.is_floor else 10)
    status = ReplicaStatus(np.ones(8, dtype=np.bool_), running, running, written, np.full(8, 50))
    state = LoopState.fresh(fleet, 60)
    for now_s, demand in ((FIRST * 60.0, 100.0), (FIRST * 60.0 + 60, 30.0)):
        seen = ForesightAt(
            int(now_s // 60), 60, np.zeros(8, dtype=np.int64), np.zeros(8), np.full(8, demand), np.full(8, np.nan),
            np.zeros(8, dtype=np.uint8), fleet.lead_steps(60), np.full((8, 3), np.nan), np.zeros(8, dtype=np.bool_),
            np.full(8, -1), ("none",),
        )  # fmt: skip
        decisions, state = decide(fleet, seen, status, state, CHAIN, now_s=now_s)
    assert sorted(decisions.granted.tolist()) == [3, 3] + [14 if actuation.is_floor else 10] * 6


def stepped_up(actuation: Actuation) -> None:
    cap = ScalingRule(0, (StepPolicy(PolicyType.PODS, 1, 60),), SelectPolicy.MIN)
    base = np.tile(np.repeat([20.0, 200.0], [30, 30]), STEPS // 60)
    side = run(base, Guarded(up_cap=cap), actuation)[0]
    rises = np.diff(side.granted)
    need = np.ceil(base / 10.0)[1:]
    beyond = (rises > 1) & (side.granted[1:] > need)
    assert not beyond.any()
    if actuation.is_floor:
        assert np.diff(side.running).max() > 1  # the HPA has its own behavior


def stepped_down(actuation: Actuation) -> None:
    cap = ScalingRule(0, (StepPolicy(PolicyType.PODS, 1, 120),), SelectPolicy.MIN)
    side = run(step_at(OPENS, 300.0, 20.0), Guarded(down_cap=cap), actuation)[0]
    drops = -np.diff(side.granted)[OPENS:]
    assert drops.max() == 1
    assert (drops[:-1] + drops[1:]).max() == 1
    if actuation.is_floor:
        assert (side.running >= side.granted).all()


def once(
    actuation: Actuation,
    demand: float,
    guarded: Guarded | None = None,
    verdict: DataVerdict = DataVerdict.OK,
    observed: float | None = None,
    scale_up: ScalingRule | None = None,
    scale_down: ScalingRule | None = None,
    abnormal: Cause | None = None,
    capacity: float | None = 10.0,
    **told: np.ndarray,
) -> int:
    """One lane that has ten, of which a floor is eight; what is granted for so much demand, ten of it a replica."""
    load = Workload(
        WorkloadRef("shop", "w"), Target("apps/v1", "Deployment", "w"),
        (Demand("d", "p", "q", capacity, LearnedFrom("cpu", 1.0, "ready")),), 2, 60,
        Lead(60.0), actuation=actuation, guarded=guarded, scale_up=scale_up or ScalingRule(),
        scale_down=scale_down or ScalingRule(),
    )  # fmt: skip
    now = demand if observed is None else observed
    fleet, now_s = Fleet((load,)), FIRST * 60.0
    written = np.array([8 if actuation.is_floor else 10])
    status: dict[str, Any] = {"desired": np.array([10]), "ceiling": np.array([50])} | told
    one = ReplicaStatus(known=np.ones(1, dtype=np.bool_), ready=status["desired"], floor=written, **status)
    known = verdict in {DataVerdict.OK, DataVerdict.PARTIAL}
    seen = ForesightAt(
        FIRST, 60, np.zeros(1, dtype=np.int64), np.zeros(1), np.full(1, now if known else np.nan),
        np.full(1, np.nan), np.array([verdict], dtype=np.uint8), fleet.lead_steps(60), np.full((1, 3), demand),
        np.ones(1, dtype=np.bool_), np.zeros(1, dtype=np.int64), ("given",),
    )  # fmt: skip
    state = LoopState.fresh(fleet, 60)
    state = state.learned(replace(state.margin, log_margin=np.zeros(1)))
    _, state = decide(fleet, seen, one, state, CHAIN, now_s=now_s - 600)  # what it has is older than any window
    found = None if abnormal is None else AnomaliesAt.of(1, (0, abnormal, 1.0, now_s))
    return int(decide(fleet, seen, one, state, CHAIN, now_s=now_s, anomalies=found)[0].granted[0])


def slowed(actuation: Actuation) -> None:
    """Eight that all want to grow; two may."""
    loads = tuple(
        Workload(
            WorkloadRef("shop", f"w{k}"), Target("apps/v1", "Deployment", f"w{k}"), (Demand("d", "p", f"q{k}", 10.0),),
            2, 60, Lead(60.0), actuation=actuation, guarded=Guarded(brakes=(Brake(0.25, HERE, grow=True),)),
        )
        for k in range(8)
    )  # fmt: skip
    fleet, ten = Fleet(loads), np.full(8, 10)
    status = ReplicaStatus(np.ones(8, dtype=np.bool_), ten, ten, ten, np.full(8, 50))
    for observed in (100.0, 120.0):
        seen = ForesightAt(
            FIRST, 60, np.zeros(8, dtype=np.int64), np.zeros(8), np.full(8, observed), np.full(8, np.nan),
            np.zeros(8, dtype=np.uint8), fleet.lead_steps(60), np.full((8, 3), 300.0), np.ones(8, dtype=np.bool_),
            np.zeros(8, dtype=np.int64), ("given",),
        )  # fmt: skip
        decisions, _ = decide(fleet, seen, status, LoopState.fresh(fleet, 60), CHAIN, now_s=FIRST * 60.0)
        granted = np.sort(decisions.granted)
        assert (granted[:6] == (12 if observed > 100 else 10)).all()
        assert (granted[6:] >= 30).all()


def believed(actuation: Actuation) -> None:
    for trust in (Trust(margin=0.5), Trust(over=1.0)):
        assert once(actuation, 300.0, Guarded(trust=trust), observed=70.0) == 7
    assert once(actuation, 300.0, Guarded(trust=Trust(over=2.0)), observed=70.0) == 14
    assert once(actuation, 300.0, Guarded(trust=Trust(ratio=1.0)), observed=70.0) == 30


def by_hand(actuation: Actuation) -> None:
    for ago_s, stands in ((1000.0, True), (1800.0, False)):
        changed = np.array([FIRST * 60.0 - ago_s])
        for demand in (30.0, 300.0):
            got = once(actuation, demand, overridden_s=changed)
            assert got == (kept(actuation) if stands else once(actuation, demand))


def levelled(actuation: Actuation) -> None:
    for demand in (30.0, 300.0):
        stop = PolicyPause(Pause(PauseDirection.BOTH, "mia", "test", NEVER), HERE, level=12)
        assert once(actuation, demand, Guarded(pauses=(stop,))) == 12


def conditioned(text: str, then: Then, replicas: int = 0) -> Guarded:
    rule = PolicyCondition("c", program_of(text), then, "said", HERE, replicas)
    return Guarded(conditions=(rule,), about=About("shop", "w"))


def condition_holds(actuation: Actuation) -> None:
    for text, then in (("true", Then.HOLD), ("false", Then.ALLOW), ('observed["other"] > 1.0', Then.FLOOR)):
        assert once(actuation, 30.0, conditioned(text, then, 1)) == 10
    assert once(actuation, 300.0, conditioned("true", Then.HOLD), observed=10.0) == 30
    assert once(actuation, 300.0, conditioned('observed["other"] > 1.0', Then.HOLD), observed=110.0) == 11
    for text, then in (("false", Then.HOLD), ("true", Then.ALLOW)):
        assert once(actuation, 30.0, conditioned(text, then)) == once(actuation, 30.0)


def condition_floors(actuation: Actuation) -> None:
    assert once(actuation, 30.0, conditioned('observed["d"] < 50.0', Then.FLOOR, 20)) == 20


def condition_caps(actuation: Actuation) -> None:
    cap = conditioned('p95["d"] > 200.0', Then.CAP, 15)
    assert once(actuation, 300.0, cap, observed=10.0) == 15
    assert once(actuation, 300.0, cap, observed=180.0) == 18


def abnormal_holds(actuation: Actuation) -> None:
    for cause in (Cause.DATA_FAULT, Cause.SENSOR_LOSS, Cause.CAPACITY, Cause.LATENCY_ERRORS):
        assert once(actuation, 30.0, abnormal=cause) == 10  # under a floor what runs
    assert once(actuation, 300.0, abnormal=Cause.CAPACITY) == 30


def abnormal_growth(actuation: Actuation) -> None:
    assert once(actuation, 300.0, abnormal=Cause.SENSOR_LOSS) == 10
    assert once(actuation, 300.0, observed=120.0, abnormal=Cause.SUSPECTED_ATTACK) == 12
    cap = Guarded(anomaly=((Cause.SUSPECTED_ATTACK, AnomalyRule(caps=(GrowthCap(most=15),))),))
    assert once(actuation, 300.0, cap, observed=120.0, abnormal=Cause.SUSPECTED_ATTACK) == 15
    assert once(actuation, 30.0, cap, abnormal=Cause.SUSPECTED_ATTACK) == once(actuation, 30.0)


def tolerated(actuation: Actuation) -> None:
    rule = ScalingRule(tolerance=0.25)
    now = kept(actuation)
    up, down = 10.0 * (now + 2), 10.0 * (now - 2)
    for demand in (up, down):
        assert once(actuation, demand, observed=10.0, scale_up=rule, scale_down=rule) == now
    assert once(actuation, up, observed=up, scale_up=rule) == now + 2
    assert once(actuation, 10.0 * (now + 3), observed=10.0, scale_up=rule) == now + 3


def kept(actuation: Actuation) -> int:
    return 8 if actuation.is_floor else 10


def held(actuation: Actuation) -> None:
    assert once(actuation, 30.0) < kept(actuation)
    for why in ({"verdict": DataVerdict.MISSING}, {"guarded": Guarded(unknown=HERE)}):
        assert once(actuation, 30.0, **why) == 10  # under a floor what runs


def bounded(actuation: Actuation) -> None:
    assert once(actuation, 30.0, verdict=DataVerdict.PARTIAL) == 10
    assert once(actuation, 200.0, verdict=DataVerdict.PARTIAL) == 20


def not_learned(actuation: Actuation) -> None:
    for demand in (30.0, 300.0):
        assert once(actuation, demand, capacity=None) == kept(actuation)


def clashed(actuation: Actuation) -> None:
    for demand in (30.0, 300.0):
        assert once(actuation, demand, Guarded(clash=(HERE, HERE))) == kept(actuation)


def left_alone(actuation: Actuation) -> None:
    yielded = np.ones(1, dtype=np.bool_)
    for demand in (30.0, 300.0):
        assert once(actuation, demand, yielded=yielded) == kept(actuation)
    assert once(actuation, 300.0, desired=np.zeros(1, dtype=np.int64)) == (8 if actuation.is_floor else 0)


def disrupted(actuation: Actuation) -> None:
    least = np.array([7])
    assert once(actuation, 30.0, least=least) == 7
    assert once(actuation, 300.0, least=least) == 30


def crowded(actuation: Actuation) -> None:
    stuck = np.ones(1, dtype=np.bool_)
    assert once(actuation, 300.0, stuck=stuck) == 10
    assert once(actuation, 30.0, stuck=stuck) == once(actuation, 30.0)


def spaced(actuation: Actuation) -> None:
    just = np.array([FIRST * 60.0 - 10])
    assert once(actuation, 300.0, raised_s=just) == (8 if actuation.is_floor else 30)
    assert once(actuation, 300.0, raised_s=just - 60) == 30


ROWS: dict[str, Callable[[Actuation], None]] = {
    "min, window min, event floor, fallback": raised,
    "max, window max": capped,
    "freeze": frozen,
    "freeze with growth `None`": still,
    "pause downward": paused_down,
    "pause upward": paused_up,
    "budget": within_budget,
    "brake": braked,
    "growth brake": slowed,
    "forecast trust": believed,
    "changed by hand": by_hand,
    "pause at a number": levelled,
    "condition: hold, allow, not answered": condition_holds,
    "condition: floor": condition_floors,
    "condition: cap": condition_caps,
    "anomaly: no shrink": abnormal_holds,
    "anomaly: growth limited or capped": abnormal_growth,
    "tolerance": tolerated,
    "step limits upward": stepped_up,
    "step limits downward, stabilisation": stepped_down,
    "hold on bad or old data, or on a policy that cannot be read": held,
    "capacity not learned yet": not_learned,
    "data that is a lower bound": bounded,
    "limits that clash": clashed,
    "scaled to zero, somebody else decides, target not read": left_alone,
    "disruption budget": disrupted,
    "no room for new pods": crowded,
    "spacing of rises": spaced,
}


@pytest.mark.parametrize("actuation", [Actuation.SCALE, Actuation.HPA_FLOOR])
@pytest.mark.parametrize("row", ROWS)
def test_each_cell_of_the_table_is_what_happens(row: str, actuation: Actuation) -> None:
    ROWS[row](actuation)


def test_the_rows_are_those_of_the_page_and_speak_of_every_guard() -> None:
    assert [row.rule for row in TABLE] == list(ROWS)
    assert {guard for row in TABLE for guard in row.guards} == {guard.name for guard in CHAIN}
