"""What decisions say of a past that did not come."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from autoscaler.adapters.demand_store import DemandStore
from autoscaler.bootstrap.past import Past
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.notes import Condition
from autoscaler.domain.series import DataVerdict
from autoscaler.intake.backfill_progress import BackfillLimits, BackfillProgress
from autoscaler.intake.history import History
from autoscaler.intake.taken_back import Taken
from autoscaler.ports.history import KeptDemand

STEP_S, NOW = 60, 1_000_000


def past_of(path: Path, **facts: Any) -> Past:
    made = Past(History(STEP_S, 1000), None, path / "demand.db", BackfillLimits())  # type: ignore[arg-type]
    made._fill = SimpleNamespace(progress=BackfillProgress(**facts))  # type: ignore[assignment]
    return made


def test_M01_a_demand_whose_past_does_not_come_says_so(make_fleet: Callable[..., Fleet], tmp_path: Path) -> None:
    fleet = make_fleet(lanes=3)
    key, why = fleet.row_keys()[1], DataVerdict.REFUSED.words
    notes = past_of(tmp_path, unanswered=((key, why), ("shop/gone/requests=prom:q", why))).notes(fleet)
    (lane,) = notes
    (note,) = notes[lane]
    assert lane == fleet.row_lane[1]
    assert note.condition is Condition.HISTORY_MISSING
    assert why in note.words
    assert "every 10 min" in note.words
    assert past_of(tmp_path).notes(fleet) == {}


def test_M25_what_was_taken_back_is_not_lived_through_again(make_fleet: Callable[..., Fleet], tmp_path: Path) -> None:
    """The store may have been given values of a fault before it was found out."""
    fleet = make_fleet(lanes=2)
    values = np.tile(np.arange(100.0), (2, 1))
    past = past_of(tmp_path)
    past._store = DemandStore.open(past.path)
    past._store.save([KeptDemand(fleet.row_keys(), STEP_S, NOW - 100, values, np.zeros(values.shape, dtype=np.uint8))])
    past.history.take_back(Taken(fleet.row_keys()[1], NOW - 500, NOW - 90, int(DataVerdict.UNIT_CHANGE)))
    past.history.take_back(Taken(fleet.row_keys()[1], NOW - 20, NOW - 10, int(DataVerdict.PARTIAL)))
    kept = past.kept(fleet, NOW, 100)
    assert kept is not None
    assert np.isnan(kept.values).sum(axis=1).tolist() == [0, 10]
    lost = np.isnan(kept.learnable(NOW - 100, NOW))
    assert np.flatnonzero(lost[1]).tolist() == [*range(10), *range(80, 90)]
    assert not lost[0].any()
    past._store.close()
