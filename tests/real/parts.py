"""Real binaries for tests: found, never built here. `make parts` makes them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hack.parts.locate import path_of


def require_part(name: str, *, debian: bool = False) -> Path:
    """Path of one real binary. A missing one fails under CI=true and skips, with the way out, elsewhere."""
    path = path_of(name, debian=debian)
    if path is not None:
        return path
    if debian and shutil.which("apt-get") is None:
        pytest.skip(f"Debian's {name} is for Debian and its like only")
    why = f"the real {name} is not here; run `python hack/parts ensure {name}{' --debian' if debian else ''}`"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"{why}: with CI=true nothing real is left out", pytrace=False)
    pytest.skip(f"REAL PART MISSING: {why}, or `make parts` for all")
