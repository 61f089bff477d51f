"""Decisions made by hand, as the tests of the store make them, and an outbox on disk."""

import runpy
from pathlib import Path
from typing import Any

import pytest

from autoscaler.adapters.store import DecisionStore
from autoscaler.adapters.store.outbox import StoredOutbox

MADE = runpy.run_path(str(Path(__file__).parents[1] / "store" / "conftest.py"))
make, opened = MADE["make"], MADE["opened"]


@pytest.fixture
def outbox_at(tmp_path: Any) -> Any:
    """Opens the outbox of one record, as a process after another does."""
    kept = []

    def open_outbox(**limits: Any) -> Any:
        DecisionStore.open(tmp_path / "foresail.db", tick_s=15.0).close()
        kept.append(StoredOutbox(tmp_path / "foresail.db", **limits))
        return kept[-1]

    yield open_outbox
    for one in kept:
        one.close()
