"""Detectors of a recipe beside a service: in a process of their own, heard when they have answered, missed when not."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from autoscaler.adapters.pyod_detectors import Patience, PyodDetector
from autoscaler.bootstrap import anomaly_voices
from autoscaler.bootstrap.anomaly_voices import Voices, of_history
from autoscaler.bootstrap.anomaly_voices_job import lived
from autoscaler.detection import voices as heard_voices
from autoscaler.detection.contract import Block
from autoscaler.domain.errors import Refused

pytestmark = pytest.mark.slow
STEP_S = 1800
DAY = 48
FIRST = 900_000
KEYS = ("shop/web", "shop/cart", "shop/quiet")
RECIPE = "kind: DetectorRecipe\ndetectors:\n- {name: pca, detector: PCA}\n- {name: knn, detector: KNN}\n"


def history(days: int = 10) -> np.ndarray:
    rng = np.random.default_rng(5)
    t = np.arange(days * DAY)
    wave = 200 + 150 * np.sin(2 * np.pi * t / DAY)
    return np.stack([wave * rng.lognormal(0, 0.1, t.size), wave * rng.lognormal(0, 0.2, t.size), np.full(t.size, 3.0)])


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    file = tmp_path / "recipe.yaml"
    file.write_text(RECIPE, encoding="utf-8")
    return file


@pytest.fixture
def begun(recipe: Path, tmp_path: Path) -> Iterator[Voices]:
    one = Voices(recipe, STEP_S, tmp_path / "kept")
    yield one
    one.close()


def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def speaking(one: Voices) -> bool:
    one.heard(KEYS, 0, 1)
    return one.health()["state"] == "speaks"


def asked(one: Voices, values: np.ndarray, first: int) -> np.ndarray:
    """What is heard of steps, each as it counts: a step later."""
    one.tell(KEYS, Block(STEP_S, first, values))
    end = first + values.shape[1]
    until(lambda: bool(np.isfinite(one.heard(KEYS, first + 1, end + 1)[0]).all()))
    return one.heard(KEYS, first + 1, end + 1)


def test_what_a_process_says_is_what_the_detectors_say_and_the_same_after_a_restart(
    recipe: Path, tmp_path: Path, begun: Voices
) -> None:
    values = history()
    split = 9 * DAY
    past = Block(STEP_S, FIRST, values[:, :split])
    assert begun.due(KEYS, past.end_step * STEP_S // 86_400)
    began = time.perf_counter()
    begun.start(KEYS, past, lives=True)
    begun.tell(KEYS, Block(STEP_S, past.end_step, values[:, split : split + 5]))
    assert np.isnan(begun.heard(KEYS, past.end_step, past.end_step + 6)).all()
    assert time.perf_counter() - began < 1.0, "nobody waits for it"
    until(lambda: speaking(begun))
    found = asked(begun, values[:, split + 5 : split + 9], past.end_step + 5)
    for k, kind in enumerate(("PCA", "KNN")):
        detector = PyodDetector(kind.lower(), kind)
        said, _ = detector.score(detector.fit(past), Block(STEP_S, past.end_step, values[:, split : split + 9]))
        np.testing.assert_allclose(found[:2, k], said[:2, 5:], rtol=1e-9)
    assert np.isnan(found[2]).all(), "what never moves has no score"
    rings = begun.taken()
    assert rings is not None
    assert begun.taken() is None
    assert np.isfinite(rings[heard_voices.RING][:2]).any()
    begun.close()

    later = Block(STEP_S, FIRST, values[:, : split + 9])
    again = Voices(recipe, STEP_S, tmp_path / "kept")
    again.start(KEYS, later, lives=False)
    until(lambda: speaking(again))
    more = asked(again, values[:, split + 9 : split + 11], later.end_step)
    again.close()
    detector = PyodDetector("pca", "PCA")
    said, _ = detector.score(detector.fit(past), Block(STEP_S, past.end_step, values[:, split : split + 11]))
    np.testing.assert_allclose(more[:2, 0], said[:2, 9:], rtol=1e-9)
    assert not [p for p in (tmp_path / "kept").rglob("*") if p.suffix in {".pkl", ".pickle", ".joblib"}]


def test_d17_a_process_that_dies_costs_its_voice_alone_and_is_tried_again(
    begun: Voices, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = Block(STEP_S, FIRST, history()[:, : 9 * DAY])
    begun.start(KEYS, past, lives=False)
    until(lambda: speaking(begun))
    child = _child_of_ours()
    os.kill(child, signal.SIGKILL)
    until(lambda: not speaking(begun))
    assert "SIGKILL" in str(begun.health()["trouble"])
    assert "recipe_failed" in caplog.text
    assert np.isnan(begun.heard(KEYS, past.end_step, past.end_step + 3)).all()
    begun.tell(KEYS, Block(STEP_S, past.end_step, past.values[:, :1]))
    assert not begun.due(KEYS, 0)
    monkeypatch.setattr(anomaly_voices, "RETRY_S", 0.0)
    monkeypatch.setattr(anomaly_voices, "LEAST_PAUSE_S", 0.0)
    assert begun.due(KEYS, 0)


def test_what_came_while_it_learned_is_no_sign_of_too_many_rows(
    begun: Voices, caplog: pytest.LogCaptureFixture
) -> None:
    past = Block(STEP_S, FIRST, history()[:, : 9 * DAY])
    begun.share = 0.0  # nothing fits
    begun.start(KEYS, past, lives=False)
    begun.tell(KEYS, Block(STEP_S, past.end_step, past.values[:, :1]))
    until(lambda: speaking(begun))
    until(lambda: begun.unheard_steps > 0 and unheard_of(begun, past.end_step + 1) == 0)
    assert "recipe_rows_left_out" not in caplog.text
    begun.tell(KEYS, Block(STEP_S, past.end_step + 1, past.values[:, :1]))
    until(lambda: "recipe_rows_left_out 3 of 3 rows" in caplog.text)


def unheard_of(one: Voices, step: int) -> int:
    before = one.unheard_steps
    one.heard(KEYS, step, step + 1)
    return one.unheard_steps - before


def test_d17_f05_one_that_hangs_is_killed(begun: Voices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anomaly_voices, "LEAST_PAUSE_S", 0.5)
    monkeypatch.setattr(anomaly_voices, "HANG_STEPS", 0)
    past = Block(STEP_S, FIRST, history()[:, : 9 * DAY])
    begun.start(KEYS, past, lives=False)
    until(lambda: speaking(begun))
    os.kill(_child_of_ours(), signal.SIGSTOP)
    begun.tell(KEYS, Block(STEP_S, past.end_step, past.values[:, :1]))
    until(lambda: not speaking(begun))
    assert "has not answered for" in str(begun.health()["trouble"])


def test_a_recipe_that_does_not_work_is_told_and_one_that_cannot_be_read_is_refused(
    recipe: Path, tmp_path: Path, begun: Voices
) -> None:
    wrong = "kind: DetectorRecipe\ndetectors:\n- {name: knn, detector: KNN, parameters: {n_neighbors: 100000}}\n"
    recipe.write_text(wrong, encoding="utf-8")
    begun.start(KEYS, Block(STEP_S, FIRST, history()[:, : 9 * DAY]), lives=False)
    until(lambda: begun.heard(KEYS, 0, 1) is not None and begun.health()["trouble"] is not None)
    assert "n_neighbors" in str(begun.health()["trouble"])
    recipe.write_text(wrong.replace("detector: KNN", "detector: KNNN"), encoding="utf-8")
    with pytest.raises(Refused, match=r":3:.*no such detector"):
        Voices(recipe, STEP_S, tmp_path / "other")


def test_what_does_not_fit_into_the_time_is_left_out_and_counted() -> None:
    values = history()
    detector = PyodDetector("pca", "PCA")
    state = detector.fit(Block(STEP_S, FIRST, values[:, : 9 * DAY]))
    block = Block(STEP_S, FIRST + 9 * DAY, values[:, 9 * DAY :])
    turns = iter([True, False, False])
    some, after, left_out = detector.score_some(state, block, Patience(lambda: next(turns)))
    whole, end = detector.score(state, block)
    assert left_out == 2
    np.testing.assert_array_equal(some[0], whole[0])
    assert np.isnan(some[1:]).all()
    np.testing.assert_array_equal(after["past"], end["past"])
    fresh = PyodDetector("pca", "PCA")
    assert fresh.score_some(state, block, Patience(room=lambda: False))[2] == 3
    assert detector.score_some(state, block, Patience(room=lambda: False))[2] == 0


def test_a_history_is_scored_as_it_would_have_been_live(recipe: Path, tmp_path: Path) -> None:
    values = history()
    found = of_history(recipe, KEYS, Block(STEP_S, FIRST, values), tmp_path / "scratch")
    assert found.shape == (3, 2, values.shape[1])
    shorter = of_history(recipe, KEYS, Block(STEP_S, FIRST, values[:, : 8 * DAY]), tmp_path / "scratch")
    np.testing.assert_allclose(found[:, :, : 8 * DAY], shorter, rtol=1e-9)
    assert np.isfinite(found[0, :, -1]).all()
    assert not (tmp_path / "scratch").exists()


def test_a_history_that_takes_too_long_is_scored_as_far_as_time_goes() -> None:
    block = Block(STEP_S, FIRST, history())
    scores, left_out = lived([PyodDetector("pca", "PCA")], block, FIRST, 1e-9)
    assert np.isnan(scores).all()
    assert left_out == 3


def _child_of_ours() -> int:
    """The process that works now, by its command and its parent."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = (place / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
            words = (place / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and any(b"spawn_main" in word for word in words):
            return int(place.name)
    raise AssertionError("no process of ours works")
