"""A model is made beside the service and published when it is sound; otherwise what was in force stays (FAULTS F05)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from autoscaler.adapters.artefacts import write_artefact
from autoscaler.bootstrap.models import own_models, own_signer
from autoscaler.bootstrap.models_training import TrainingLimits, train_limited
from autoscaler.domain.artefact import Expected, Manifest
from autoscaler.learning.process import End

NOW = datetime(2026, 6, 10, 9, tzinfo=UTC)
TREES = Expected(kind="trees", name="global")
LIMITS = TrainingLimits(30.0, 256 * 1024**2)

pytestmark = pytest.mark.slow


def train(folder: Path, what: str) -> None:
    points = np.ones(50_000)
    if what == "raise":
        raise RuntimeError("no data")
    if what == "memory":
        points = np.ones((50_000, 50_000))
    name = "web" if what == "another" else "global"
    told = Manifest(kind="trees", name=name, created=NOW, metrics={"wql": float(points.mean())})
    if what != "nothing":
        write_artefact(folder / "artefact", told, {"leaves": points})
    if what == "damage":
        (folder / "artefact" / "arrays.npz").write_bytes(b"x")


def test_what_is_made_is_published_signed_and_not_yet_in_force(tmp_path: Path) -> None:
    models = own_models(tmp_path / "models")
    signer = own_signer(models.root)
    for generation in (1, 2):
        made = train_limited(models, TREES, train, ("well",), now=NOW, limits=LIMITS, signer=signer)
        assert made.manifest is not None
        assert (made.manifest.generation, made.ended.end) == (generation, End.DONE)
        assert models.load("global", generation, NOW, TREES).arrays["leaves"].sum() == 50_000
    assert models.promoted("global") is None
    models.promote("global", 2, by="rule", at=NOW)
    assert models.in_force(TREES, NOW)[0].manifest.generation == 2


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("raise", "RuntimeError: no data"), ("memory", "more memory"), ("nothing", "no such folder"),
        ("damage", "manifest says"), ("another", "its name is 'web'"),
    ],
)  # fmt: skip
def test_f05_the_last_good_model_stays(tmp_path: Path, what: str, words: str) -> None:
    models = own_models(tmp_path / "models")
    signer = own_signer(models.root)
    models.publish(Manifest(kind="trees", name="global", created=NOW), {"leaves": np.ones(3)}, signer=signer)
    models.promote("global", 1, by="rule", at=NOW)
    made = train_limited(models, TREES, train, (what,), now=NOW, limits=LIMITS, signer=signer)
    assert made.manifest is None
    assert words in made.words
    assert made.words.endswith("what was in force stays")
    assert models.generations("global") == (1,)
    assert models.in_force(TREES, NOW)[0].arrays["leaves"].tolist() == [1, 1, 1]
    assert not list(models.root.glob(".training*"))
