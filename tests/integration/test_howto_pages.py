"""Every example of the how-to pages is played: files are written, commands typed, and what they print is compared."""

import logging
import re
import shutil
from pathlib import Path

import pytest

from autoscaler.cli.app import main
from autoscaler.reporting.lint import RULES
from tests.unit.docs.pages import agrees, played

ROOT = Path(__file__).parents[2]
HOWTO = ROOT / "docs" / "howto"
PAGES = sorted(HOWTO.glob("*.md"))


@pytest.fixture
def foresail(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def call(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["foresail", *args])
        monkeypatch.setattr(logging.getLogger(), "handlers", [])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        return code, *capsys.readouterr()

    return call


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, foresail) -> None:
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    monkeypatch.chdir(tmp_path)
    assert "\n".join(played(page, tmp_path, foresail)) == ""


def test_a_page_that_is_wrong_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, foresail) -> None:
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "```yaml file=p.yaml\nkind: Nothing\n```\n```console\n$ foresail policy lint p.yaml\nnothing is wrong\n```\n"
        "```yaml\na: 1\n```\n```console\n$ foresail policy lint p.yaml  # exit 1\nnothing is wrong\n$ rm p.yaml\n```\n"
    )
    wrong = played(page, tmp_path, foresail)
    assert [w.split(":")[1] for w in wrong] == ["4", "8", "11", "11"]
    assert "exit 1, not 0" in wrong[0]
    assert "nobody tries" in wrong[1]
    assert "exit 127" in wrong[3]


def test_dots_stand_for_lines_and_for_parts_of_a_line() -> None:
    assert agrees(("a", "...", "z ... z"), ["a", "b", "c", "z y z"])
    assert not agrees(("a", "...", "z"), ["a", "b"])
    assert not agrees(("a",), ["a", "b"])


def test_every_page_is_linked_from_the_page_of_policies() -> None:
    told = (ROOT / "docs" / "policies.md").read_text()
    assert [p.name for p in PAGES if f"(howto/{p.name})" not in told] == []


def test_every_rule_of_lint_is_explained() -> None:
    page = (HOWTO / "read-what-lint-says.md").read_text()
    assert dict(re.findall(r"^\| `([-a-z]+)` \| ([^|]+?) \|", page, re.MULTILINE)) == RULES
