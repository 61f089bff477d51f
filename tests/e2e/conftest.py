"""The long proof runs only where it is named: `make e2e`."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return None if any("e2e" in argument for argument in config.args) else True
