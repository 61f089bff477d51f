"""One contract for everything that keeps and reads decisions: the store and its twin in memory."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscaler.adapters.store import DecisionStore
from autoscaler.domain.decision import Decisions, State
from autoscaler.domain.reasons import Reason
from autoscaler.domain.record import Range, RecordedRun
from autoscaler.domain.series import DataVerdict
from autoscaler.domain.workload import WorkloadRef
from autoscaler.simulator.records import MemoryRecords

WEB = WorkloadRef("shop", "web")


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class Kept:
    """A writer and its reader; `add` waits until readers see the tick."""

    def __init__(self, records: DecisionStore | MemoryRecords) -> None:
        self.records = records

    def add(self, *ticks: Decisions) -> None:
        for tick in ticks:
            self.records.append(tick)
        if isinstance(self.records, DecisionStore):
            assert self.records.flush(10)

    def runs(self, ref: WorkloadRef = WEB, **window: Any) -> list[RecordedRun]:
        return list(self.records.history(ref, **window))


@pytest.fixture(params=["store", "memory"])
def kept(request, make, opened):
    return Kept(opened() if request.param == "store" else MemoryRecords(tick_s=make.tick_s))


@pytest.fixture
def tick(make):
    lanes = make.fleet()

    def build(k, **arrays):
        return make.decisions(arrays.pop("lanes", lanes), make.start_s + k * make.tick_s, **arrays)

    return build


def test_empty_record_answers_with_nothing(kept):
    assert kept.records.workloads() == []
    assert kept.records.run_at(WEB) is None
    assert kept.runs() == []
    size = kept.records.size()
    assert (size.runs, size.ticks, size.workloads, size.bytes_per_workload_day) == (0, 0, 0, None)


def test_unchanged_ticks_are_one_run_with_the_range_of_its_inputs(kept, tick, make):
    first = tick(0, observed=180.0, wanted=6)
    kept.add(
        first,
        tick(1, observed=150.0, wanted=8, quantiles=(1.0, 2.0, 260.0)),
        tick(2, observed=200.0, wanted=5, quantiles=(1.0, 2.0, 230.0)),
    )
    (run,) = kept.runs()
    assert (run.first_at, run.last_at, run.ticks) == (at(make.start_s), at(make.start_s + 30), 3)
    assert run.decision == first[0]
    assert run.observed == (Range(150.0, 200.0),)
    assert run.sizing_quantile == (Range(230.0, 260.0),)
    assert run.wanted == Range(5, 8)
    assert kept.records.run_at(WEB) == run
    assert kept.records.size().ticks == 3


def test_unknown_is_not_zero_in_ranges(kept, tick):
    nothing = {
        "observed": np.nan,
        "age_s": np.inf,
        "present": False,
        "verdict": DataVerdict.MISSING,
        "sizing": Reason.UNKNOWN_DEMAND,
    }
    kept.add(tick(0, **nothing), tick(1, **nothing))
    (run,) = kept.runs()
    assert run.observed == (Range(None, None),)
    assert run.sizing_quantile == (Range(None, None),)
    assert run.decision.demands[0].observed is None
    assert run.decision.demands[0].age_s is None


def test_a_range_spans_only_what_was_known(kept, tick):
    kept.add(tick(0, observed=np.nan), tick(1, observed=0.0), tick(2, observed=7.0))
    assert kept.runs()[0].observed == (Range(0.0, 7.0),)


HOLD = {"data-verdict": (6, 6, True, None)}
CHANGES = {
    "granted": {"granted": 6},
    "current": {"current": 5},
    "sizing": {"sizing": Reason.OBSERVED_NEED},
    "verdict": {"verdict": DataVerdict.STALE},
    "model": {"model": 2},
    "forecast gone": {"present": False},
    "hold at the same number": {"acts": HOLD},
    "a guard raised": {"acts": HOLD, "failed": ["data-verdict"]},
    "models renamed": {"models": ("seasonal-naive", "theta-week", "ridge")},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_begins_a_run(kept, tick, change):
    kept.add(tick(0), tick(1, **change), tick(2, **change))
    before, after = kept.runs()
    assert (before.ticks, after.ticks) == (1, 2)
    assert after.decision == tick(1, **change)[0]


def test_same_bits_but_held_is_another_state(kept, tick):
    kept.add(tick(0, acts={"pause": (6, 5, False, None)}), tick(1, acts={"data-verdict": (6, 5, True, None)}))
    assert [r.decision.state for r in kept.runs()] == [State.PAUSED, State.HOLDING]


def test_one_demand_of_two_changing_begins_a_run(kept, tick, make):
    lanes = make.fleet("web", demands=2)
    kept.add(tick(0, lanes=lanes, model=[0, 1]), tick(1, lanes=lanes, model=[1, 1]), tick(2, lanes=lanes, model=[1, 1]))
    assert [r.ticks for r in kept.runs()] == [1, 2]


@pytest.mark.parametrize(("spacing_ticks", "runs"), [(1, 1), (3, 1), (3.1, 2), (0, 2), (-1, 2)])
def test_a_hole_in_time_is_not_claimed(kept, tick, spacing_ticks, runs):
    kept.add(tick(0), tick(spacing_ticks))
    assert len(kept.runs()) == runs


def test_fleet_may_change_between_ticks(kept, tick, make):
    ref_b = WorkloadRef("shop", "b")
    kept.add(
        tick(0, lanes=make.fleet("a", "b", demands=2), granted=[3, 4], observed=[1.0, 2.0, 3.0, 4.0]),
        tick(1, lanes=make.fleet("b", "c", "a", demands=2), granted=[4, 9, 3], observed=[5.0, 6.0, 7.0, 7.0, 8.0, 9.0]),
        tick(2, lanes=make.fleet("c", "a", demands=2), granted=[9, 3]),
        tick(3, lanes=make.fleet("b", "c", "a", demands=2), granted=[4, 9, 3]),
    )
    assert [r.ticks for r in kept.runs(WorkloadRef("shop", "a"))] == [4]
    assert [r.ticks for r in kept.runs(ref_b)] == [2, 1], "it was away for a tick: nobody knows what held then"
    assert kept.runs(ref_b)[0].observed == (Range(3.0, 5.0), Range(4.0, 6.0))
    assert [r.ticks for r in kept.runs(WorkloadRef("shop", "c"))] == [3]
    assert kept.records.workloads() == [WorkloadRef("shop", name) for name in "abc"]


def test_a_changed_spec_begins_a_run(kept, tick, make):
    kept.add(tick(0), tick(1, lanes=make.fleet("web", risk=0.01)), tick(2, lanes=make.fleet("web", risk=0.01)))
    assert [(r.ticks, r.decision.risk) for r in kept.runs()] == [(1, 0.005), (2, 0.01)]


def test_a_fleet_of_none_is_a_tick_too(kept, tick, make):
    nobody = make.fleet("web").__class__(())
    kept.add(tick(0), tick(1, lanes=nobody), tick(2))
    assert [r.ticks for r in kept.runs()] == [1, 1]


def test_windows_are_closed_and_the_newest_win(kept, tick, make):
    kept.add(*(tick(k, granted=3 + k // 2) for k in range(10)))
    start = at(make.start_s)
    step = timedelta(seconds=make.tick_s)
    assert [r.decision.granted for r in kept.runs()] == [3, 4, 5, 6, 7]
    assert [r.decision.granted for r in kept.runs(limit=2)] == [6, 7]
    assert [r.decision.granted for r in kept.runs(limit=0)] == []
    assert [r.decision.granted for r in kept.runs(since=start + 3 * step, until=start + 6 * step)] == [4, 5, 6]
    assert [r.decision.granted for r in kept.runs(until=start - step)] == []
    assert kept.records.run_at(WEB, start + 2.5 * step).decision.granted == 4
    assert kept.records.run_at(WEB, start + 100 * step).decision.granted == 7
    assert kept.records.run_at(WEB, start - step) is None
    assert kept.records.run_at(WorkloadRef("shop", "nobody"), start) is None


def test_naive_times_are_refused(kept):
    for ask in (kept.records.run_at, kept.records.history):
        with pytest.raises(ValueError, match="no time zone"):
            ask(WEB, datetime(2027, 1, 1))


lane_tick = st.fixed_dictionaries(
    {
        "step": st.sampled_from([1, 1, 1, 2, 4]),
        "names": st.permutations(["a", "b", "c"]).flatmap(lambda p: st.integers(1, 3).map(lambda n: tuple(p[:n]))),
        "granted": st.lists(st.integers(3, 4), min_size=3, max_size=3),
        "model": st.lists(st.integers(-1, 1), min_size=6, max_size=6),
        "observed": st.lists(st.one_of(st.none(), st.floats(0, 1e6)), min_size=6, max_size=6),
        "wanted": st.lists(st.integers(1, 90), min_size=3, max_size=3),
        "held": st.booleans(),
    }
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ticks=st.lists(lane_tick, min_size=2, max_size=8))
def test_array_store_and_plain_twin_tell_the_same_story(make, tmp_path_factory, ticks):
    twin = MemoryRecords(tick_s=make.tick_s)
    with DecisionStore.open(tmp_path_factory.mktemp("twin") / "foresail.db", tick_s=make.tick_s) as store:
        k = 0
        for plain in ticks:
            k += plain["step"]
            lanes = make.fleet(*plain["names"], demands=2)
            n = len(lanes)
            model = np.array(plain["model"][: 2 * n])
            tick = make.decisions(
                lanes,
                make.start_s + k * make.tick_s,
                granted=plain["granted"][:n],
                wanted=plain["wanted"][:n],
                model=np.maximum(model, 0),
                present=model >= 0,
                observed=[np.nan if v is None else v for v in plain["observed"][: 2 * n]],
                acts={"data-verdict": (5, 5, True, None)} if plain["held"] else None,
            )
            store.append(tick)
            twin.append(tick)
        assert store.flush(10)
        assert store.workloads() == twin.workloads()
        for ref in twin.workloads():
            assert list(store.history(ref)) == list(twin.history(ref))
        mine, theirs = store.size(), twin.size()
        assert (mine.runs, mine.ticks, mine.workloads) == (theirs.runs, theirs.ticks, theirs.workloads)
