"""The parts of YAML that docs/policies.md shows without a file: each is put where it belongs, and is linted or run."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import ruamel.yaml

from autoscaler.bootstrap.policies_cases import run_cases
from autoscaler.bootstrap.policies_lint import lint
from autoscaler.spec.policy_rules import DefaultsSpec, LimitsSpec
from tests.unit.docs.pages import Block, blocks

ROOT = Path(__file__).parents[3]
BLOCKS = blocks((ROOT / "docs" / "policies.md").read_text())
PARTS = [b for b in BLOCKS if b.kind == "yaml" and not b.file]
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
HEAD = (
    "apiVersion: foresail.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: part}\n"
    "spec:\n  selector: {names: [shop/web]}\n"
)


def keys(block: Block) -> set[str]:
    return set(ruamel.yaml.YAML(typ="safe").load(block.text))


def aliases(model: type) -> set[str]:
    return {f.alias or n for n, f in model.model_fields.items()}  # type: ignore[attr-defined]


def indented(text: str, by: int) -> str:
    return "".join(" " * by + line + "\n" for line in text.splitlines())


@pytest.fixture
def tutorial(tmp_path: Path) -> Path:
    for block in BLOCKS:
        if block.file:
            (tmp_path / block.file).write_text(block.text)
    return tmp_path


@pytest.mark.parametrize("block", PARTS, ids=[f"line-{b.line}" for b in PARTS])
def test_each_part_is_one_and_says_what_it_must(block: Block, tutorial: Path) -> None:
    if keys(block) == {"recordings"}:
        start = datetime(2026, 2, 20, tzinfo=UTC)
        rows = (
            f"{(start + timedelta(minutes=k)).isoformat()},{200 + 150 * math.sin(k / 229):.1f}\n"
            for k in range(11 * 1440)
        )
        (tutorial / "monday.csv").write_text("ts,value\n" + "".join(rows))
        test = tutorial / "shop_test.yaml"
        test.write_text(test.read_text() + indented(block.text, 2))
        results = list(run_cases([test]))
        assert [r.name for r in results][-1] in {"a Monday in March", "a Monday that was attacked"}
        assert {r.name: r.failures for r in results if r.failures} == {}
        return
    where = next(
        p for p, model in (("limits", LimitsSpec), ("defaults", DefaultsSpec)) if keys(block) <= aliases(model)
    )
    policy = tutorial / "part.yaml"
    said = "  acknowledge: [MayCauseShortage]\n" if "mayCauseShortage: true" in block.text else ""
    policy.write_text(f"{HEAD}  {where}:\n{indented(block.text, 4)}{said}")
    assert list(map(str, lint([policy, tutorial / "web.yaml"], NOW))) == []


def test_nothing_else_stands_on_the_page_than_yaml_and_commands() -> None:
    assert {b.kind for b in BLOCKS} == {"yaml", "console"}
