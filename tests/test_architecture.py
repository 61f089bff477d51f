"""The layers hold, modules stay small, and no drawer is called utils."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "autoscaler"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 400
DRAWERS = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}


def test_imports_obey_the_layers() -> None:
    command = "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports(no_cache=True))"
    report = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100
    )
    assert report.returncode == 0, report.stdout + report.stderr


def test_there_is_something_to_check() -> None:
    assert len(MODULES) > 40


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(ROOT)))
def test_a_module_is_small_and_its_name_says_what_it_holds(module: Path) -> None:
    lines = module.read_text(encoding="utf-8").count("\n")
    assert lines <= MOST_LINES, f"{lines} lines: split by rule"
    names = {part.removesuffix(".py") for part in module.relative_to(PACKAGE).parts}
    assert not names & DRAWERS
    assert not any(name.endswith(("_v2", "_utils", "_helpers")) for name in names)
