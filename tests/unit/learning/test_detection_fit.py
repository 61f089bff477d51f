"""The daily refit as a job of a process of its own."""

from pathlib import Path

import numpy as np
import pytest

from autoscaler.detection.contract import Block, Watched
from autoscaler.detection.engine import DetectionEngine
from autoscaler.learning.detection import ARRAYS, fit_rows, handed, learn, taken
from autoscaler.learning.process import run_limited

STEP_S = 1800
DAY = 48
KEYS = ("shop/web", "shop/cart", "shop/new")


def _values(days: int = 8) -> np.ndarray:
    rng = np.random.default_rng(1)
    t = np.arange(days * DAY)
    values = (10 + 5 * np.sin(2 * np.pi * t / DAY)) * rng.lognormal(0, 0.1, (3, len(t)))
    values[2, : -DAY // 2] = np.nan
    return values


def test_what_a_process_fitted_is_what_the_engine_fits_itself(tmp_path: Path) -> None:
    values = _values()
    source = tmp_path / "history.npz"
    handed(source, KEYS, values)
    ended = run_limited(learn, tmp_path / "job", (source, STEP_S, 2), seconds=60, memory_bytes=2 * 1024**3)
    assert ended.done, ended.words
    found = taken(tmp_path / "job" / ARRAYS)
    own = fit_rows(values, DAY, None)
    for name, array in own.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-6, err_msg=name)
    engine = DetectionEngine(Watched.alone(("shop/cart", "shop/other")), STEP_S)
    engine.observe(Block(STEP_S, 0, values[1:3]))
    engine.adopt(found)
    verdicts = engine.observe(Block(STEP_S, values.shape[1], np.stack([values[1, :4], values[0, :4]])))
    assert np.isfinite(verdicts.rows.expected[0]).all()
    assert np.isnan(verdicts.rows.expected[1]).all()


def test_a_refit_starts_from_the_last_one_and_a_row_with_too_little_learns_nothing(tmp_path: Path) -> None:
    values = _values()
    engine = DetectionEngine(Watched.alone(KEYS), STEP_S)
    engine.relive(Block(STEP_S, 0, values))
    handed(tmp_path / "history.npz", KEYS[::-1], values[::-1], engine.arrays())
    (tmp_path / "job").mkdir()
    learn(tmp_path / "job", tmp_path / "history.npz", STEP_S)
    found = taken(tmp_path / "job" / ARRAYS)
    assert np.isfinite(found["centre"][1:]).all()
    assert np.isnan(found["centre"][0])


def test_what_is_no_history_or_no_fit_is_refused_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "wrong.npz", values=np.zeros((2, 3)))
    with pytest.raises(ValueError, match="no array key"):
        learn(tmp_path, tmp_path / "wrong.npz", STEP_S)
    with pytest.raises(ValueError, match="fit again"):
        taken(tmp_path / "wrong.npz")
