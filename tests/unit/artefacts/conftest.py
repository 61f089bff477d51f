from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from autoscaler.adapters.artefacts import ModelFolder
from autoscaler.adapters.artefacts.keys import KeySigner, TrustedKeys, generate, public_path
from autoscaler.domain.artefact import Arrays, Manifest

NOW = datetime(2026, 6, 10, 9, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def arrays() -> Arrays:
    rng = np.random.default_rng(3)
    return {
        "thresholds": rng.normal(size=(20, 7)),
        "children": rng.integers(0, 100, (20, 2), dtype=np.int32),
        "bias": np.array(1.5),
        "none": np.empty((0, 3), dtype=np.float32),
        "names": np.array(["čas".encode(), b"shop/web"]),
        "flags": np.array([True, False]),
    }


@pytest.fixture
def told() -> Callable[..., Manifest]:
    def made(**changes: object) -> Manifest:
        fields: dict[str, object] = {
            "kind": "trees", "name": "global", "created": NOW, "versions": {"features": "1"},
            "window": (datetime(2026, 5, 1, tzinfo=UTC), NOW), "data_hash": "sha256:abc", "metrics": {"wql": 0.4},
            "limits": {"max_rows": 1000}, "features": ("lag", "hour"),
        }  # fmt: skip
        return Manifest(**(fields | changes))  # type: ignore[arg-type]

    return made


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "keys" / "release"
    path.parent.mkdir()
    generate(path)
    return path


@pytest.fixture
def signer(key: Path) -> KeySigner:
    return KeySigner.from_file(key)


@pytest.fixture
def trusted(key: Path) -> TrustedKeys:
    return TrustedKeys.from_files([public_path(key)])


@pytest.fixture
def models(tmp_path: Path) -> ModelFolder:
    return ModelFolder(tmp_path / "models")
