"""docs/reasons.md has a section for each reason that can be shown, and conditions link to it."""

from __future__ import annotations

import ast
import inspect
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from autoscaler.reporting import status_conditions, status_shared
from autoscaler.reporting.status import MOST_MESSAGE, dated
from autoscaler.reporting.status_conditions import DOCS, EXPLAINED, PAGE, REASONS, Answer, with_place
from autoscaler.spec.crd_status import ConditionType

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / DOCS / PAGE).read_text()
SECTIONS = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))


def test_each_reason_has_a_section_and_each_section_is_a_reason():
    assert set(SECTIONS) == EXPLAINED


def test_each_section_says_what_it_means_why_it_happens_and_what_to_do():
    for reason in sorted(EXPLAINED):
        said = re.findall(r"\*\*(Meaning|Why|What to do):\*\* (\S.*)", SECTIONS[reason])
        assert [name for name, _ in said] == ["Meaning", "Why", "What to do"], reason


def test_sections_stand_in_the_order_of_the_alphabet_and_their_anchors_are_unique():
    names = [name.lower() for name in re.findall(r"^## (\S+)$", TEXT, re.MULTILINE)]
    assert names == sorted(set(names))


def test_links_between_sections_lead_somewhere():
    for anchor in re.findall(r"\]\(#([^)]*)\)", TEXT):
        assert anchor in {name.lower() for name in SECTIONS}


def test_reasons_are_told_of_every_kind_of_condition():
    assert set(REASONS) == {kind.value for kind in ConditionType}


@pytest.mark.parametrize("module", [status_conditions, status_shared])
def test_whatever_reason_is_written_in_the_code_is_one_of_its_kind(module: object):
    """Literal ones, wherever an Answer is made."""
    found = 0
    for call in ast.walk(ast.parse(inspect.getsource(module))):  # type: ignore[arg-type]
        if not isinstance(call, ast.Call) or not ast.unparse(call.func).startswith("Answer"):
            continue
        kind, reason = call.args[0], call.args[2]
        for literal in (n for n in ast.walk(reason) if isinstance(n, ast.Constant) and isinstance(n.value, str)):
            kinds = [kind.value] if isinstance(kind, ast.Constant) else list(REASONS)
            assert any(literal.value in REASONS[str(k)] for k in kinds), ast.unparse(call)
            found += 1
    assert found >= 4


def test_the_message_of_every_condition_ends_with_the_place_of_its_reason_whatever_its_length():
    made = dated(iter([Answer("Held", "True", "BadData", "x" * 40_000)]), {}, 1, datetime(2026, 3, 1, tzinfo=UTC))
    assert made[0]["message"].endswith("xxx (docs/reasons.md#baddata)")
    assert len(made[0]["message"]) == MOST_MESSAGE
    assert with_place("paused", "Paused", 100) == "paused (docs/reasons.md#paused)"
