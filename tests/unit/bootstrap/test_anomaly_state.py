"""What detection remembers over restarts, on disk."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.bootstrap import anomaly_state
from autoscaler.bootstrap.anomaly_state import AnomalyStateKeeper
from autoscaler.domain.artefact import Limits

NOW = datetime(2026, 1, 5, tzinfo=UTC)


class Gate:
    """Remembers arrays, as the gate does."""

    next_step = 17

    def __init__(self, **arrays: Any) -> None:
        self.kept: dict[str, Any] = arrays
        self.got: tuple[dict[str, Any], int, tuple[Any, ...]] | None = None

    def arrays(self) -> dict[str, Any]:
        return self.kept

    def standing(self) -> tuple[Any, ...]:
        return ()

    def resume(self, fleet: Any, arrays: dict[str, Any], step: int, standing: tuple[Any, ...]) -> None:
        self.got = (arrays, step, standing)


def _kept(folder: Path, *gates: Gate) -> AnomalyStateKeeper:
    keeper = AnomalyStateKeeper(folder, 60)
    for gate in gates:
        keeper.save(gate, NOW)  # type: ignore[arg-type]
    return keeper


def test_more_rows_than_other_artefacts_hold_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits of all others at a thousandth, and so the rows."""
    monkeypatch.setattr(anomaly_state, "LIMITS", Limits(file_bytes=512 * 1024, unpacked_bytes=1024**2))
    values = np.random.default_rng(1).normal(size=60_000)  # 480 kB that do not pack
    assert values.nbytes > Limits().file_bytes / 1000
    gate, back = Gate(values=values), Gate()
    assert _kept(tmp_path, gate).trouble is None
    AnomalyStateKeeper(tmp_path, 60).restore(back, None, NOW)  # type: ignore[arg-type]
    assert back.got is not None
    np.testing.assert_array_equal(back.got[0]["values"], values)
    assert back.got[1:] == (17, ())


def test_what_does_not_fit_is_told_and_what_was_kept_before_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anomaly_state, "LIMITS", Limits(file_bytes=20_000))
    keeper = _kept(tmp_path, Gate(values=np.arange(3.0)), Gate(values=np.random.default_rng(1).normal(size=60_000)))
    assert "readers take" in str(keeper.trouble)
    back = Gate()
    AnomalyStateKeeper(tmp_path, 60).restore(back, None, NOW)  # type: ignore[arg-type]
    assert back.got is not None
    assert back.got[0]["values"].tolist() == [0.0, 1.0, 2.0]
