"""Real binaries for tests: found, never built here. `make parts` makes them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from hack.parts.locate import path_of


def require_part(name: str, *, debian: bool = False) -> Path:
    """Path of one real binary. A missing one fails under CI=true and skips, with the way out, elsewhere."""
    path = path_of(name, debian=debian)
    if path is None:
        if debian and shutil.which("apt-get") is None:
            pytest.skip(f"Debian's {name} is for Debian and its like only")
        command = f"python hack/parts ensure {name}{' --debian' if debian else ''}"
        _missing(f"the real {name} is not here; run `{command}`, or `make parts` for all")
    return path


def require_program(name: str) -> str:
    """Path of a program that the machine itself brings, such as openssl; missing as a real part is."""
    path = shutil.which(name)
    if path is None:
        _missing(f"{name} is not on PATH; install it from the system's packages")
    return path


def _missing(why: str) -> NoReturn:
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"{why}: with CI=true nothing real is left out", pytrace=False)
    pytest.skip(f"REAL PART MISSING: {why}")
