"""Own models come before packaged ones; what serves is never given up for something worse."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from autoscaler.adapters.artefacts import ModelFolder
from autoscaler.adapters.artefacts.in_force import InForce
from autoscaler.bootstrap.models import Models, models_folder, own_models, own_signer, packaged_models, parsed
from autoscaler.bootstrap.models_serving import ServedModel
from autoscaler.domain.artefact import Artefact, Expected, Fault, Manifest
from autoscaler.domain.errors import Refused

NOW = datetime(2026, 6, 10, 9, tzinfo=UTC)
TREES = Expected(kind="trees", name="global")
TOLD = Manifest(kind="trees", name="global", created=NOW)


@pytest.fixture
def packaged(tmp_path: Path) -> ModelFolder:
    """Seven generations, the last in force."""
    folder = ModelFolder(tmp_path / "package")
    for k in range(7):
        folder.publish(TOLD, {"x": np.array(100.0 + k)})
    folder.promote("global", 7, by="release", at=NOW)
    return folder


@pytest.fixture
def own(tmp_path: Path) -> ModelFolder:
    return own_models(tmp_path / "own")


def publish(own: ModelFolder, value: float) -> int:
    made = own.publish(TOLD, {"x": np.array(value)}, signer=own_signer(own.root))
    own.promote("global", made.generation, by="rule", at=NOW)
    return made.generation


def value(artefact: Artefact | None) -> float | None:
    return None if artefact is None else float(artefact.arrays["x"])


def serving(own: ModelFolder, packaged: ModelFolder) -> ServedModel:
    return ServedModel(InForce(own, TREES), InForce(packaged, TREES))


@pytest.mark.parametrize("sound", [True, False])
def test_of_one_name_only_what_serves_is_shown_to_be_in_force(
    own: ModelFolder, packaged: ModelFolder, sound: bool
) -> None:
    models = Models(own, packaged)
    assert [v.label for v in models.views(NOW) if v.in_force] == ["global@7"]
    made = publish(own, 1.0)
    if not sound:
        next(own.place("global", made).glob("*.npz")).write_bytes(b"torn")
    shown = [(v.label, v.packaged) for v in models.views(NOW) if v.in_force]
    served = serving(own, packaged)
    served.refreshed(NOW)
    assert value(served.artefact) == (1.0 if sound else 106.0)
    assert shown == [("global@1", False)] + ([] if sound else [("global@7", True)])
    assert models.view("global", NOW).packaged is False


def test_none_at_all_is_told(own: ModelFolder, tmp_path: Path) -> None:
    served = serving(own, ModelFolder(tmp_path / "none"))
    assert not served.refreshed(NOW)
    assert served.artefact is None
    assert served.trouble is not None
    assert served.trouble.fault == Fault.MISSING


def test_a_service_goes_from_packaged_to_own_and_never_back(
    own: ModelFolder, packaged: ModelFolder, caplog: pytest.LogCaptureFixture
) -> None:
    served = serving(own, packaged)
    assert served.refreshed(NOW)
    assert (value(served.artefact), served.trouble) == (106, None)
    assert not served.refreshed(NOW)
    publish(own, 1.0)
    assert served.refreshed(NOW), "a first own one replaces a packaged seventh"
    assert (value(served.artefact), served.trouble) == (1, None)
    shutil.rmtree(own.root)
    for _ in range(3):
        assert not served.refreshed(NOW)
    assert value(served.artefact) == 1
    assert served.trouble is not None
    assert caplog.text.count("model_not_taken Missing") == 1
    assert "serving: global@1" in caplog.text


def test_f11_a_folder_in_place_of_the_record_of_promotions_leaves_the_packaged_one_and_no_open_file(
    own: ModelFolder, packaged: ModelFolder
) -> None:
    publish(own, 1.0)
    record = own.place("global") / "promotions.json"
    record.unlink()
    record.mkdir()
    served = serving(own, packaged)
    assert served.refreshed(NOW)
    opened = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        assert not served.refreshed(NOW)
    assert value(served.artefact) == 106
    assert served.trouble is not None
    assert served.trouble.fault == Fault.UNSAFE
    assert len(list(Path("/proc/self/fd").iterdir())) == opened


def test_an_own_one_that_was_never_good_leaves_the_packaged_one(own: ModelFolder, packaged: ModelFolder) -> None:
    publish(own, 1.0)
    (own.place("global", 1) / "manifest.json").write_text("{}")
    served = serving(own, packaged)
    assert served.refreshed(NOW)
    assert value(served.artefact) == 106
    assert served.trouble is not None
    assert served.trouble.fault == Fault.SCHEMA


def test_where_things_are(tmp_path: Path) -> None:
    assert models_folder(tmp_path / "foresail.db") == tmp_path / "foresail-models"
    root = packaged_models().root
    assert (root / "README.md").is_file(), "the folder of the repository, or the one in the package"
    assert parsed("global") == ("global", None)
    assert parsed("global@12") == ("global", 12)
    for bad in ("global@", "global@0", "global@-1", "global@1@2"):
        with pytest.raises(Refused, match="NAME@GENERATION"):
            parsed(bad)


def test_every_packaged_model_is_sound_and_has_a_card() -> None:
    """Whatever is in models/ of this repository."""
    folder = packaged_models()
    for name in folder.names():
        artefact, faults = folder.in_force(Expected(name=name), NOW)
        assert faults == ()
        card = folder.card(name, artefact.manifest.generation)
        assert card, f"{name} has no CARD.md"
        assert f"generation {artefact.manifest.generation}" in card.splitlines()[0]
        assert artefact.manifest.data_hash
        assert artefact.manifest.metrics
        assert artefact.manifest.limits
