"""A real browser for the tests, and the folder where what it saw is kept."""

import os
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

from hack.parts import browser
from hack.parts.cache import cache_root

ROOT = Path(__file__).parents[2]
Browser = runpy.run_path(str(Path(__file__).with_name("devtools.py")))["Browser"]


@pytest.fixture(scope="session")
def kept() -> Path:
    """Screenshots and prints, to be looked at; not under version control."""
    folder = ROOT / "out" / "report"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A headless Chromium. A missing one fails under CI=true and skips, with the way out, elsewhere."""
    found = browser.find(cache_root(os.environ), os.environ)
    if found is None:
        why = "no Chromium is here; run `python hack/parts ensure chromium`, or `make parts` for all"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"{why}: with CI=true nothing real is left out", pytrace=False)
        pytest.skip(f"REAL PART MISSING: {why}")
    with Browser(found[0], tmp_path_factory.mktemp("browser") / "profile") as running:
        yield running
