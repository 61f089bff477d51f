"""The layers hold, modules stay small, and no drawer is called utils."""

import subprocess
import sys
from pathlib import Path

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


def test_each_module_is_small() -> None:
    lines = {str(m.relative_to(ROOT)): m.read_text(encoding="utf-8").count("\n") for m in MODULES}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}, "split by rule"


def test_the_name_of_each_module_says_what_it_holds() -> None:
    drawers = []
    for module in MODULES:
        names = {part.removesuffix(".py") for part in module.relative_to(PACKAGE).parts}
        if names & DRAWERS or any(name.endswith(("_v2", "_utils", "_helpers")) for name in names):
            drawers.append(str(module.relative_to(ROOT)))
    assert drawers == []
