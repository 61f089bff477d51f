"""The alert rules of the chart, checked and unit-tested by the real promtool."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.real.parts import require_part

ROOT = Path(__file__).parents[2]
RULES = ROOT / "charts" / "foresail" / "files" / "rules" / "foresail.rules.yaml"
CASES = Path(__file__).with_name("foresail.rules.test.yaml")
ALWAYS = {"ForesailWatchdog"}


def promtool(*words: str | Path) -> str:
    command = [str(require_part("promtool")), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_takes_the_rules() -> None:
    assert "15 rules found" in promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)


@pytest.mark.slow
def test_each_alert_fires_when_it_should_and_only_then(tmp_path: Path) -> None:
    for file in (RULES, CASES):
        shutil.copy(file, tmp_path)
    assert "SUCCESS" in promtool("test", "rules", tmp_path / CASES.name)


def test_each_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    groups: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"]}
    told = [case for test in yaml.safe_load(CASES.read_text())["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in told if case["exp_alerts"]} == alerts
    assert {case["alertname"] for case in told if not case["exp_alerts"]} == alerts - ALWAYS
