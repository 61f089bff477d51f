"""The command as a user calls it, in this process: its exit code, what it prints, what it says on stderr."""

import logging
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from autoscaler.cli.app import main
from tests.unit.cli.recorded import lines, write

globals().update(
    {
        name: value
        for name, value in runpy.run_path(str(Path(__file__).parents[1] / "bootstrap" / "conftest.py")).items()
        if name in {"estate", "source", "workload"}
    }
)


class Said(NamedTuple):
    code: object
    out: str
    err: str


@pytest.fixture
def foresail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Said]:
    """Calls `foresail ARGS` in tmp_path, with logging as fresh as in a process of its own."""

    def call(*args: object) -> Said:
        monkeypatch.setattr("sys.argv", ["foresail", *map(str, args)])
        monkeypatch.setattr(logging.getLogger(), "handlers", [])
        capsys.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as leaving:
            code = leaving.code or 0
        return Said(code, *capsys.readouterr())

    monkeypatch.chdir(tmp_path)
    return call


@pytest.fixture
def web(tmp_path: Path) -> Path:
    write(tmp_path / "web.csv", lines())
    return tmp_path / "web.csv"
