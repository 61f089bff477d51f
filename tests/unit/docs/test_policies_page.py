"""Every example of docs/policies.md is run; the reference is what the models say."""

import re
import shlex
from pathlib import Path

import pytest
import ruamel.yaml

from autoscaler.cli.app import main
from autoscaler.cli.policy_lint import reference_page
from autoscaler.guards.chain import CHAIN
from autoscaler.reporting.enforcement import context_table
from autoscaler.spec.policy_conditions import ConditionSpec

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "policies.md").read_text()
BLOCKS = re.findall(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for _, file, text in BLOCKS:
        if file:
            (tmp_path / file).write_text(text)
    (tmp_path / "new-shop.yaml").write_text((tmp_path / "shop.yaml").read_text().replace("max: 50", "max: 55"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def consoles() -> list[tuple[str, str]]:
    found = []
    for language, _, text in BLOCKS:
        if language == "console":
            command, _, output = text.removeprefix("$ foresail ").partition("\n")
            found.append((command, output))
    return found


@pytest.mark.parametrize(("command", "output"), consoles(), ids=[c for c, _ in consoles()])
def test_each_command_of_the_tutorial_works_and_prints_what_the_page_shows(
    command: str, output: str, written: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["foresail", *shlex.split(command)])
    code: object = 0
    try:
        main()
    except SystemExit as leaving:
        code = leaving.code or 0
    said = capsys.readouterr()
    assert code == (1 if command.startswith("policy diff") else 0), said.err
    assert said.out
    if output:
        assert said.out == output


def test_there_is_a_workload_a_policy_and_a_test_in_the_tutorial() -> None:
    assert {file for _, file, _ in BLOCKS if file} == {"web.yaml", "shop.yaml", "shop_test.yaml"}
    assert len(consoles()) == 4


def test_the_other_yaml_of_the_page_is_yaml_too() -> None:
    for language, file, text in BLOCKS:
        if language == "yaml" and not file:
            assert ruamel.yaml.YAML(typ="safe").load(text)


def test_the_reference_is_generated_from_the_models() -> None:
    told = (ROOT / "docs" / "policies-reference.md").read_text()
    assert told == reference_page(), "foresail policy schema --reference > docs/policies-reference.md"


def test_the_context_of_conditions_is_what_the_code_gives() -> None:
    assert "\n".join(context_table()) in PAGE


def test_the_conditions_of_the_page_are_accepted() -> None:
    conditions = next(text for language, _, text in BLOCKS if language == "yaml" and text.startswith("conditions:"))
    told = ruamel.yaml.YAML(typ="safe").load(conditions)["conditions"]
    assert [ConditionSpec.model_validate(one).then for one in told] == ["Hold", "Cap", "Floor", "Allow"]


def test_the_counts_of_guards_that_pages_tell_are_right() -> None:
    numbers = {
        20: "twenty",
        21: "twenty-one",
        22: "twenty-two",
        23: "twenty-three",
        24: "twenty-four",
        25: "twenty-five",
        26: "twenty-six",
        27: "twenty-seven",
        28: "twenty-eight",
        29: "twenty-nine",
        30: "thirty",
    }
    assert f"{numbers[len(CHAIN)]} guards" in (ROOT / "CHANGELOG.md").read_text().replace("\n ", "")


def test_every_guard_stands_in_the_table_of_the_architecture_in_its_order() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert re.findall(r"^\| \d+ \| ([-a-z]+) \|", page, re.MULTILINE) == [g.name for g in CHAIN]
