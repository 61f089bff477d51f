"""Every alert has a page that a tired person can follow; rules, causes, metrics and pages name the same things."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from prometheus_client import generate_latest

from autoscaler.adapters.operator_metrics import OperatorMetrics
from autoscaler.bootstrap.anomaly_alerts import NAME as INCIDENT
from autoscaler.bootstrap.notify_trial import NAME as TEST
from autoscaler.bootstrap.service import service
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.cli.app import app
from autoscaler.domain.alert import runbook_of
from autoscaler.domain.alert_causes import HABITS, Cause
from autoscaler.domain.alert_route import HELD
from autoscaler.simulator.clock import VirtualClock

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "docs" / "runbooks"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "charts/foresail/files/rules/foresail.rules.yaml").read_text())["groups"]
    for rule in group["rules"]
]
NAMES = sorted({rule["alert"] for rule in RULES} | {cause.alert for cause in Cause} | {HELD, INCIDENT, TEST})
OUTSIDE = {"kubectl", "amtool", "curl", "promtool", "helm"}
OF_A_CLUSTER = {"get", "explain", "history", "pause", "resume", "doctor"}
"""They ask a cluster as kubectl's plugin, and else a record or files on the disk of whoever types."""
NO_CLUSTER = {"anomalies", "backtest", "outlook", "capacity", "notify", "policy"}
MADE = runpy.run_path(str(ROOT / "tests" / "unit" / "bootstrap" / "conftest.py"))
estate, source, workload = MADE["estate"], MADE["source"], MADE["workload"]


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text()


def commands(text: str) -> Iterator[str]:
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip() and not line.startswith("#"):
                yield line.partition("  #")[0].strip()


def ours(words: list[str]) -> list[str] | None:
    """What follows `foresail`, on this machine, of kubectl, or in the operator's pod; None = another's command."""
    if words[0] == "foresail":
        return words[1:]
    if words[:2] == ["kubectl", "foresail"]:
        return words[2:]
    if "exec" in words and "--" in words and words[words.index("--") + 1] == "foresail":
        return words[words.index("--") + 2 :]
    return None


@pytest.mark.parametrize("name", NAMES)
def test_each_alert_has_a_page_with_the_four_headings_and_something_to_type(name):
    text = page(name)
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Meaning", "Impact", "Diagnosis", "Mitigation"]
    assert list(commands(text)), "a page without a command helps nobody at night"
    assert f"| {name} |" in (ROOT / "docs" / "alerts.md").read_text()


def test_there_is_no_page_without_an_alert():
    assert sorted(p.stem for p in PAGES.glob("*.md")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_of_a_page_exist_with_their_options(name):
    for line in commands(page(name)):
        words = shlex.split(line.partition(" | ")[0])
        assert words[0] in OUTSIDE | {"foresail"}, line
        rest = ours(words)
        if rest is None:
            continue
        plugin = words[:2] == ["kubectl", "foresail"]
        assert plugin or rest[0] not in OF_A_CLUSTER or "--in-cluster" in rest, f"{line}: asks a record on disk"
        assert not plugin or rest[0] not in NO_CLUSTER, f"{line}: asks no cluster"
        command: Any = typer.main.get_command(app)
        while commands_of := getattr(command, "commands", None):
            assert rest[0] in commands_of, f"{line}: no such command"
            command, rest = commands_of[rest[0]], rest[1:]
        known = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
        used = {word.partition("=")[0] for word in rest if word.startswith("-")}
        assert used <= known | {"--help"}, f"{line}: {used - known}"


def test_rules_say_what_the_service_says():
    """Where both tell an alert, they agree on how soon somebody must look and on how long it must have lasted."""
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["annotations"]["runbook_url"] == runbook_of(rule["alert"])
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    by_name = {rule["alert"]: rule for rule in RULES}
    for cause in Cause:
        assert by_name[cause.alert]["labels"]["severity"] == HABITS[cause].severity.word
    lasts = {"m": 60, "h": 3600}
    for cause in Cause:
        if f'cause="{cause.value}"' in by_name[cause.alert]["expr"]:
            text = by_name[cause.alert].get("for", "0m")
            assert int(text[:-1]) * lasts[text[-1]] == HABITS[cause].after_s


def test_every_metric_and_label_of_the_rules_is_exported(estate, source, workload, tmp_path):
    """As a scrape of an operator shows them, after a tick."""
    estate.record(steps=60)
    estate.write(source(), workload("web"))
    running = service(
        ServiceSettings((estate.folder,), tmp_path / "r.db"), VirtualClock(datetime(2026, 6, 10, 9, tzinfo=UTC))
    )
    try:
        OperatorMetrics(running.telemetry.registry)
        running.tick()
        text = generate_latest(running.telemetry.registry).decode()
        labels = {
            name: set(vars(metric)["_labelnames"])
            for metric, names in running.telemetry.registry._collector_to_names.items()
            for name in names
        }
    finally:
        running.close()
    shown = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    for rule in RULES:
        for name, matchers in re.findall(r"\b(foresail_\w+)(\{[^}]*\})?", re.sub(r"#.*", "", rule["expr"])):
            assert name in shown, f"{rule['alert']} asks for {name}"
            asked = set(re.findall(r"(\w+)=", matchers))
            assert asked <= labels[name], f"{rule['alert']}: {name} has no label {asked - labels[name]}"
    for cause in re.findall(r'cause="(\w+)"', str(RULES)):
        assert cause in {c.value for c in Cause}
