"""Recent demand read out of a service's store by another process: what is there, and never a change to it."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from autoscaler.adapters.demand_store import DemandStore
from autoscaler.bootstrap.kept_demand import recent_demand
from autoscaler.domain.series import DataVerdict
from autoscaler.ports.history import KeptDemand

KEY = "shop/web/requests=prod:sum(rate(x[1m]))"
STEP_S, FIRST = 60, 29_000_000
SPAN_S = 6 * 3600
END_S = float((FIRST + 360) * STEP_S)


def piece(values: np.ndarray) -> KeptDemand:
    rows = np.atleast_2d(values).astype(np.float64)
    marks = np.where(np.isnan(rows), np.uint8(DataVerdict.MISSING), np.uint8(DataVerdict.OK)).astype(np.uint8)
    return KeptDemand((KEY,), STEP_S, FIRST, rows, marks)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "foresail-demand.db"


@pytest.mark.parametrize("closed", [True, False])
def test_each_cell_has_the_largest_demand_of_its_steps(path, closed):
    """While the service runs, and after it has ended."""
    store = DemandStore.open(path)
    store.save([piece(np.arange(360))])
    if closed:
        store.close()
    assert recent_demand(path, KEY, END_S, SPAN_S, 6) == (59, 119, 179, 239, 299, 359)
    store.close()


def test_unknown_steps_are_none_and_not_zero(path):
    values = np.arange(360.0)
    values[60:120] = np.nan
    with DemandStore.open(path) as store:
        store.save([piece(values)])
    assert recent_demand(path, KEY, END_S, SPAN_S, 6) == (59, None, 179, 239, 299, 359)


def test_what_comes_after_the_asked_moment_is_left_out(path):
    with DemandStore.open(path) as store:
        store.save([piece(np.arange(360))])
    assert recent_demand(path, KEY, END_S - 3600, SPAN_S, 6) == (None, 59, 119, 179, 239, 299)


@pytest.mark.parametrize(
    "break_it",
    [
        lambda _: None,
        lambda p: p.write_text("no database"),
        lambda p: sqlite3.connect(p).close(),
        lambda p: p.mkdir(),
    ],
)
def test_a_store_that_is_not_there_or_broken_has_nothing_and_stays_as_it_is(path, break_it):
    break_it(path)
    before = path.read_bytes() if path.is_file() else path.exists()
    assert recent_demand(path, KEY, END_S, SPAN_S, 3) == (None, None, None)
    assert (path.read_bytes() if path.is_file() else path.exists()) == before
    assert not list(path.parent.glob("*aside*"))


def test_another_demand_is_not_taken_for_this_one(path):
    with DemandStore.open(path) as store:
        store.save([piece(np.arange(360))])
    assert recent_demand(path, KEY + " ", END_S, SPAN_S, 1) == (None,)
