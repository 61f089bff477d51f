"""What `foresail doctor` has found, in words and as JSON. Pure: findings in, text, dicts and an exit code out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any


class Level(StrEnum):
    """NOTE: good to know, and no finding: nothing is wrong, and nothing was found to be well either."""

    OK = "ok"
    NOTE = "note"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. subject: "source prod", or "shop/web requests (source prod)".

    check: a stable name of what was looked at. words: one sentence. remedy: what to do about it.
    away: a backend could not be reached.
    """

    level: Level
    subject: str
    check: str
    words: str
    remedy: str | None = None
    away: bool = False


def exit_code(findings: Iterable[Finding]) -> int:
    """0 all is well, 1 something is to be looked at, 3 a backend cannot be reached."""
    found = list(findings)
    if any(f.away for f in found):
        return 3
    return 1 if any(f.level in {Level.WARN, Level.FAIL} for f in found) else 0


def lines(findings: Sequence[Finding]) -> list[str]:
    """A block per subject, in the order of looking, and a line that counts."""
    told: list[str] = []
    for subject, group in groupby(findings, key=lambda f: f.subject):
        told += ["", subject] if told else [subject]
        for each in group:
            told.append(f"  {each.level.value:<4}  {each.words}")
            if each.remedy:
                told += [f"        {line}" for line in each.remedy.splitlines()]
    counts = {level: sum(f.level is level for f in findings) for level in Level}
    told += ["", f"{counts[Level.FAIL]} to mend, {counts[Level.WARN]} to look at, {counts[Level.OK]} fine"]
    return told


def doctor_dict(findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "exitCode": exit_code(findings),
        "findings": [
            {
                "level": f.level.value,
                "subject": f.subject,
                "check": f.check,
                "words": f.words,
                "remedy": f.remedy,
                "unreachable": f.away,
            }
            for f in findings
        ],
    }
