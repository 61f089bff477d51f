"""D17: a recipe that cannot be heard is told, and nothing waits for it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from autoscaler.bootstrap import anomaly_recipe
from autoscaler.bootstrap.anomaly_recipe import Unheard, container_bytes, further
from autoscaler.bootstrap.anomaly_voices import MEMORY_BYTES, Voices
from autoscaler.bootstrap.anomaly_voices_job import Task, score_history
from autoscaler.domain.errors import Refused
from tests.unit.bootstrap.test_anomalies_in_service import EVENT, STEP, causes, clock, metrics, outage, start, ticked

__all__ = ["clock", "start"]
MIB = 1024**2
GOOD = "kind: DetectorRecipe\ndetectors:\n- {name: pca, detector: PCA}\n"
SLIP = GOOD.replace("PCA", "PCCA")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    file = tmp_path / "recipe.yaml"
    file.write_text(GOOD, encoding="utf-8")
    return file


def limited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    file = tmp_path / "memory.max"
    file.write_text(text + "\n", encoding="utf-8")
    monkeypatch.setattr(anomaly_recipe, "LIMITS", (tmp_path / "none", file))


def without_pyod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoscaler.adapters.pyod_recipe.find_spec", {}.get)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SLIP, "recipe.yaml:3.*no such detector.*PCCA.*PCA"),
        (None, "recipe.yaml"),
        ("", "recipe.yaml"),
    ],
)
def test_D17_a_slip_in_a_recipe_is_told_and_stops_nothing(
    recipe: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str | None, words: str
) -> None:
    if text is None:
        recipe.unlink()
    else:
        recipe.write_text(text, encoding="utf-8")
    found = further(recipe, 60, tmp_path / "kept")
    assert isinstance(found, Unheard)
    assert "recipe_refused" in caplog.text
    assert re.search(words, str(found.health()["trouble"]), re.DOTALL)
    assert found.heard(("a", "b"), 5, 8).shape == (2, 0, 3)


def test_D17_without_pyod_a_service_starts_says_so_and_judges_as_without_a_recipe(
    start, clock, recipe: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    without_pyod(monkeypatch)
    running = start(metrics(outage), detectors=recipe)
    assert "pyod is not installed; install foresail[server]" in caplog.text
    found = ticked(running, clock, EVENT - 2 * STEP, 8)
    told = running.health()["anomalies"]["recipe"]
    assert told["state"] == "refused"
    assert "pyod is not installed" in told["trouble"]
    assert "LatencyErrors" in causes(found[-1])


@pytest.mark.parametrize(
    ("text", "most"), [("max", MEMORY_BYTES), (str(1536 * MIB), 1024 * MIB), (str(8192 * MIB), MEMORY_BYTES)]
)
def test_D17_its_process_leaves_the_service_what_it_needs_of_a_container(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, most: int
) -> None:
    limited(monkeypatch, tmp_path, text)
    found = further(recipe, 60, tmp_path / "kept")
    assert isinstance(found, Voices)
    assert found.memory_bytes == most


def test_D17_a_container_without_room_for_it_says_how_much_is_needed(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited(monkeypatch, tmp_path, str(1024 * MIB))
    found = further(recipe, 60, tmp_path / "kept")
    assert isinstance(found, Unheard)
    assert "1024 MiB of memory leave no room" in found.trouble
    assert "1280 MiB at least" in found.trouble


def test_a_limit_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    for text in ("max", "", "9223372036854771712"):  # the last is how the older tree says none
        (tmp_path / "limit").write_text(text, encoding="utf-8")
        assert container_bytes((tmp_path / "limit",)) is None
    assert container_bytes((tmp_path / "absent",)) is None


def test_a_file_that_names_others_by_now_is_refused_until_a_restart(recipe: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "values.npy", np.zeros((1, 10)))
    task = Task(recipe, ("a",), 300, 0, tmp_path / "values.npy", 0, 1.0, 0.5, MEMORY_BYTES, ("knn",))
    with pytest.raises(Refused, match="names pca now, and named knn at the start: restart"):
        score_history(tmp_path, task)
