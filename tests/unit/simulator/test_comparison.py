"""Us beside the rivals: the same steps are scored and paid, and what each may know is the same."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from autoscaler.simulator.comparison import (
    Comparison,
    Entry,
    Ladder,
    Setting,
    Tuning,
    asking,
    entries_and_ladders,
    hidden,
    hidden_requests,
    scored_demand,
)
from autoscaler.simulator.figures import Asked, Served, score
from autoscaler.simulator.rivals import LadderScores

STEP_S, DAY = 300, 288
ASKED = Asked(lead_steps=2, risk=0.01)


def served(days: int = 4, warm_days: int = 1) -> Served:
    rng = np.random.default_rng(5)
    t = np.arange(days * DAY)
    demand = 200 * (1 + 0.6 * np.sin(2 * np.pi * t / DAY)) * rng.lognormal(0, 0.05, len(t))
    demand[500:510] = np.nan
    ours = np.full(len(t), 40, dtype=np.int64)
    return Served(STEP_S, 1000 * DAY, (1000 + warm_days) * DAY, 10.0, demand, ours, ours)


@cache
def found() -> list[Any]:
    return everyone(served(), Setting(starting=2))


def everyone(ours: Served, setting: Setting, **options):
    return list(entries_and_ladders(ours, ASKED, ours.demand, setting, most=500, knobs=(0.5, 0.7, 0.9), **options))


def test_every_rival_comes_with_its_ladder_and_is_scored_on_our_steps():
    names = [ladder.name for ladder, _ in found()]
    assert {"hpa-300s", "keda-cron", "phpa-linear", "crane-dsp", "aws-hourly-max", "max15", "static"} <= set(names)
    for ladder, entries in found():
        assert entries[0].tuning is Tuning.DEFAULT
        for entry in entries:
            assert entry.name == ladder.name
            assert (entry.scores.steps, entry.scores.unobserved_steps) == (3 * DAY - 10, 10)
            assert entry.scores.bound_hours == pytest.approx(ladder.scores.bound_hours)
        # the default's own figures are the ladder's, counted a second way
        assert entries[0].scores.replica_hours == pytest.approx(ladder.scores.paid[ladder.default])
        assert entries[0].scores.short_share == pytest.approx(ladder.scores.short[ladder.default])


def test_in_hindsight_the_cheapest_rung_within_the_risk_is_shown_and_none_where_none_is():
    for ladder, entries in found():
        kept = ladder.scores.paid[ladder.scores.short <= ASKED.risk]
        tuned = [e for e in entries if e.tuning is Tuning.HINDSIGHT]
        assert len(tuned) == (1 if len(kept) else 0)
        if tuned:
            assert tuned[0].scores.replica_hours == pytest.approx(kept.min())


def test_the_newest_steps_are_hidden_from_rivals_too():
    seen = np.arange(5.0)
    np.testing.assert_array_equal(hidden(seen, 2), [np.nan, np.nan, 0, 1, 2])
    np.testing.assert_array_equal(hidden(seen, 0), seen)
    assert np.isnan(hidden(seen, 9)).all()


def test_requests_take_effect_after_the_actuation_delay():
    asked = np.array([[1, 2, 3, 4]])
    np.testing.assert_array_equal(hidden_requests(asked, 2), [[1, 1, 1, 2]])
    np.testing.assert_array_equal(hidden_requests(asked, 9), [[1, 1, 1, 1]])


def test_delays_make_a_rival_dearer_or_shorter_never_better_on_both_sides():
    ours = served()
    prompt = {ladder.name: ladder for ladder, _ in found()}
    for ladder, _ in everyone(ours, Setting(delay=2, acting=1, starting=2)):
        before = prompt[ladder.name]
        if ladder.name.startswith(("hpa", "max")):
            assert (ladder.scores.short >= before.scores.short).all()


def test_a_replica_serves_after_the_lead_and_is_gone_at_once():
    one = asking(np.array([2, 2, 5, 5, 5, 3], dtype=np.int64), served(1, 0), 2)
    np.testing.assert_array_equal(one.ready, [2, 2, 2, 2, 5, 3])
    np.testing.assert_array_equal(one.running, [2, 2, 5, 5, 5, 3])


def test_where_starts_vary_the_chosen_rungs_are_replayed():
    asked_of = []

    def replay(requested):
        asked_of.append(requested)
        return np.zeros_like(requested)

    for _, entries in everyone(served(), Setting(starting=2), replay=replay):
        assert all(e.scores.short_share == 1.0 for e in entries)
    assert asked_of


def test_a_rival_that_cannot_run_at_this_step_is_named_with_the_reason():
    ours = served()
    odd = Served(420, ours.first_step, ours.scored_step, 10.0, ours.demand, ours.ready, ours.running)
    unfit: dict[str, str] = {}
    able = list(entries_and_ladders(odd, ASKED, odd.demand, Setting(starting=1), most=99, knobs=(0.7,), unfit=unfit))
    assert "hpa-300s" in [ladder.name for ladder, _ in able]
    assert unfit
    assert all("420 s" in why for why in unfit.values())


def test_censored_and_unobserved_steps_are_no_evidence():
    ours = served(2, 1)
    marks = np.zeros(len(ours.demand), dtype=np.bool_)
    marks[300:320] = True
    demand = scored_demand(
        Served(STEP_S, ours.first_step, ours.scored_step, 10.0, ours.demand, ours.ready, ours.running, censored=marks)
    )
    assert np.isnan(demand[300:320]).all()
    assert not np.isnan(demand[:DAY]).any(), "the warm-up is what tuning learns from"


def test_cost_at_a_share_is_read_from_the_curve():
    ladder = Ladder(
        "max15",
        (0.5, 0.7, 0.9),
        1,
        LadderScores(np.array([0.0, 0.01, 0.03]), np.array([200.0, 150.0, 110.0]), 100.0, 999),
    )
    assert ladder.over_bound_at(0.02) == pytest.approx(1.3)
    assert ladder.over_bound_at(0.0) == pytest.approx(2.0)
    assert [point[0] for point in ladder.curve()] == [0.9, 0.7, 0.5]
    never = Ladder("hpa", (0.9,), 0, LadderScores(np.array([0.03]), np.array([110.0]), 100.0, 999))
    assert never.over_bound_at(0.005) is None


def test_the_best_rival_is_the_cheapest_that_kept_the_risk():
    base = served(2, 0)

    def entry(name: str, replicas: int) -> Entry:
        one = asking(np.full(len(base.demand), replicas, dtype=np.int64), base, 0)
        return Entry(name, Tuning.DEFAULT, 0.7, one, score(one, ASKED))

    rivals = (entry("tight", 10), entry("right", 45), entry("wasteful", 90))
    both = Comparison(ASKED, entry("foresail", 50), None, rivals, ())
    best = both.best(Tuning.DEFAULT)
    assert best is not None
    assert best.name == "right"
    assert both.best(Tuning.CAUSAL) is None
    assert both.entry("tight", Tuning.DEFAULT) is rivals[0]


def test_delays_are_never_negative():
    with pytest.raises(ValueError, match="zero or more"):
        Setting(delay=-1)
