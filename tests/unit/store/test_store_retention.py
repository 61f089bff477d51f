import sqlite3

import numpy as np
import pytest

from autoscaler.adapters.store import StoreLimits
from autoscaler.adapters.store.retention import BATCH_RUNS, Retention
from autoscaler.domain.decision import Decisions
from autoscaler.domain.workload import WorkloadRef

DAY_S = 86_400.0


def test_what_is_too_old_goes_and_its_workload_with_it(opened, make, tmp_path):
    store = opened(limits=StoreLimits(keep_days=2.0, prune_every_s=0.0))
    for day, name in ((0, "gone"), (1, "web"), (2, "web"), (3, "web")):
        store.append(make.decisions(make.fleet(name), make.start_s + day * DAY_S))
    assert store.flush()
    store.close()
    assert [str(ref) for ref in store.workloads()] == ["shop/web"]
    assert len(store.history(WorkloadRef("shop", "web"))) == 3
    connection = sqlite3.connect(tmp_path / "foresail.db")
    assert connection.execute("SELECT count(*) FROM payload").fetchone() == (3,), "payloads go with their runs"
    connection.close()


def test_a_workload_that_was_forgotten_may_come_back(opened, make):
    store = opened(limits=StoreLimits(keep_days=1.0, prune_every_s=0.0))
    for day, name in ((0, "a"), (3, "b"), (6, "a")):
        store.append(make.decisions(make.fleet(name), make.start_s + day * DAY_S))
        assert store.flush()
    store.close()
    assert store.dropped == 0
    assert [str(ref) for ref in store.workloads()] == ["shop/a"]


def test_size_is_bounded_oldest_first_and_the_file_shrinks(opened, make, tmp_path):
    path = tmp_path / "foresail.db"
    lanes = make.fleet(*(f"w{k}" for k in range(200)))
    rng = np.random.default_rng(3)

    def tick(k: int) -> Decisions:
        return make.decisions(
            lanes, make.start_s + 15 * k, granted=3 + k % 2, observed=rng.random(200), margin=rng.random(200)
        )

    store = opened(limits=StoreLimits(queue_ticks=50))
    for k in range(8):
        store.append(tick(k))
    assert store.flush()
    store.close()
    before = path.stat().st_size
    limit = before // 2
    store = opened(limits=StoreLimits(max_bytes=limit, prune_every_s=0.0))
    store.append(tick(9))
    assert store.flush()
    store.close()
    assert path.stat().st_size <= limit
    runs = store.history(lanes.workloads[0].ref)
    assert runs[-1].decision.at.timestamp() == make.start_s + 15 * 9
    assert runs[0].decision.at.timestamp() > make.start_s
    assert store.size().workloads == 200
    assert store.size().runs >= 200


def test_open_runs_are_never_pruned(opened, make):
    store = opened(limits=StoreLimits(max_bytes=1, prune_every_s=0.0))
    lanes = make.fleet(*(f"w{k}" for k in range(BATCH_RUNS + 1)))
    for k in range(3):
        store.append(make.decisions(lanes, make.start_s + 15 * k, granted=3 + k // 2))
        assert store.flush()
    store.close()
    assert store.size().runs == BATCH_RUNS + 1
    assert store.size().ticks == BATCH_RUNS + 1


def test_bytes_per_workload_day(opened, make):
    store = opened()
    lanes = make.fleet("a", "b")
    for hours in (0, 12):
        store.append(make.decisions(lanes, make.start_s + hours * 3600))
    assert store.flush()
    size = store.size()
    assert (size.runs, size.ticks, size.workloads) == (4, 4, 2)
    assert size.bytes_per_workload_day == pytest.approx(4096 * 23, abs=4096 * 4), "two workloads, half a day each"
    assert size.bytes >= size.bytes_per_workload_day


@pytest.mark.parametrize("limits", [(0.0, 1), (-1.0, 1), (1.0, 0), (float("nan"), 1)])
def test_keeping_nothing_is_refused(limits):
    with pytest.raises(ValueError, match="must be kept"):
        Retention(*limits)
