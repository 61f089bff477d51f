"""What `policy lint` has found: for people, as JSON and as SARIF. Pure: findings in, text and dicts out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from autoscaler.domain.errors import Problem
from autoscaler.domain.policy import Origin


class Level(StrEnum):
    """The levels of SARIF."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


RULES = {
    "invalid": "A file or object that cannot be read as what it must be.",
    "clash": "Policies leave no room between min and max.",
    "early-clash": "A min that is asked for by the lead time ahead, while a max of another window still holds.",
    "ambiguous": "Two policies that are equally specific give one field different defaults.",
    "selects-nothing": "A policy selects no workload.",
    "over": "A window or pause whose time has passed.",
    "long-freeze": "A freeze that lasts longer than a month.",
    "long-pause": "A pause that lasts longer than two weeks.",
    "unreachable": "A rule that never counts: nobody takes it, it is never true, or another always says as much.",
    "contradiction": "Two rules of which one keeps the other from doing what it says.",
    "always": "A condition that is true whenever it can be answered.",
    "not-there": "A condition that reads a demand or label which a selected workload does not have.",
    "idle": "A limit that limits nothing, or an acknowledgement of nothing.",
    "risky": "A setting that is allowed and rarely meant.",
    "above-max": "A floor that the max of a workload cuts.",
    "below-min": "A cap that min overrules.",
    "not-compared": "Windows that are too many to be compared with one another.",
    "budget": "A budget that minima alone use up.",
    "promql": "A query that is not PromQL.",
    "queue": "A query for a queue or in-flight count, which scaling itself drains.",
    "per-pod": "A query for the demand of one pod, which falls when pods are added.",
    "counter": "A counter whose height is taken instead of its rate.",
}
"""Codes are stable: people silence them."""


@dataclass(frozen=True, slots=True)
class LintFinding:
    """line and column count from 1; 0 = the whole file."""

    level: Level
    rule: str
    file: str
    line: int
    column: int
    path: str
    message: str
    remedy: str | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        field = f" {self.path}:" if self.path else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{place}: {self.level} [{self.rule}]{field} {self.message}{remedy}"


def of_problem(problem: Problem) -> LintFinding:
    """What the parser refuses."""
    got = f" (got {problem.value})" if problem.value is not None else ""
    return LintFinding(
        Level.ERROR, "invalid", problem.file, problem.line, problem.column, problem.path, problem.message + got,
        problem.remedy,
    )  # fmt: skip


def at_origin(level: Level, rule: str, origin: Origin, message: str, remedy: str | None = None) -> LintFinding:
    """At the place of a rule."""
    file, _, line = origin.place.rpartition(":")
    return LintFinding(level, rule, file, int(line or 0), 1, origin.rule, message, remedy)


def summary(findings: Sequence[LintFinding]) -> str:
    """One line that counts."""
    if not findings:
        return "nothing is wrong"
    counts = Counter(f.level for f in findings)
    return f"{counts[Level.ERROR]} errors, {counts[Level.WARNING]} warnings"


def as_dicts(findings: Sequence[LintFinding]) -> list[dict[str, Any]]:
    """JSON values; a place that is not known is null."""
    return [
        {
            "level": f.level.value,
            "rule": f.rule,
            "file": f.file,
            "line": f.line or None,
            "column": f.column or None,
            "path": f.path,
            "message": f.message,
            "remedy": f.remedy,
        }
        for f in findings
    ]


def as_sarif(findings: Sequence[LintFinding]) -> dict[str, Any]:
    """SARIF 2.1.0, as code hosts read it: https://docs.oasis-open.org/sarif/sarif/v2.1.0/."""
    rules = [{"id": name, "shortDescription": {"text": words}} for name, words in RULES.items()]
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "foresail", "rules": rules}},
                "columnKind": "unicodeCodePoints",
                "results": [_result(f) for f in findings],
            },
        ],
    }


def _result(finding: LintFinding) -> dict[str, Any]:
    where: dict[str, Any] = {"artifactLocation": {"uri": quote(finding.file.replace("\\", "/"))}}
    if finding.line:
        where["region"] = {"startLine": finding.line, "startColumn": max(finding.column, 1)}
    field = f"{finding.path}: " if finding.path else ""
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    return {
        "ruleId": finding.rule,
        "ruleIndex": list(RULES).index(finding.rule),
        "level": finding.level.value,
        "message": {"text": f"{field}{finding.message}{remedy}"},
        "locations": [{"physicalLocation": where}],
    }
