"""The daily refit by several threads."""

import numpy as np

from autoscaler.detection import fitting, memory
from autoscaler.detection.contract import Block, Watched
from autoscaler.detection.engine import DetectionEngine
from autoscaler.learning.detection import fit_rows

STEP_S = 1800
DAY = 48
KEYS = ("shop/web", "shop/cart", "shop/new")


def _values(days: int = 8) -> np.ndarray:
    rng = np.random.default_rng(1)
    t = np.arange(days * DAY)
    values = (10 + 5 * np.sin(2 * np.pi * t / DAY)) * rng.lognormal(0, 0.1, (3, len(t)))
    values[2, : -DAY // 2] = np.nan
    return values


def test_threads_learn_what_one_learns_and_the_engine_takes_it_by_key(monkeypatch) -> None:
    values = _values()
    monkeypatch.setattr("autoscaler.learning.detection.SPAN", 2)
    found = fit_rows(values, DAY, None, workers=2)
    for name, array in fitting.fit(values, DAY).items():
        np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-6, err_msg=name)
    engine = DetectionEngine(Watched.alone(("shop/cart", "shop/other")), STEP_S)
    engine.observe(Block(STEP_S, 0, values[1:3]))
    engine.adopt(memory.keyed(KEYS, found))
    verdicts = engine.observe(Block(STEP_S, values.shape[1], np.stack([values[1, :4], values[0, :4]])))
    assert np.isfinite(verdicts.rows.expected[0]).all()
    assert np.isnan(verdicts.rows.expected[1]).all()


def test_a_refit_starts_from_the_last_one_and_a_row_with_too_little_learns_nothing() -> None:
    values = _values()
    first = fit_rows(values, DAY, None)
    found = fit_rows(values, DAY, first)
    assert np.isfinite(found["centre"][:2]).all()
    assert np.isnan(found["centre"][2])
