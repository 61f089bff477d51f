"""Templates of messages: text with {fields}, and nothing else that a field or a template could run.

A full template language was left out: its sandbox has been escaped from more than once, a loop has no bound, and what
it would render cannot be proven valid for a channel. Here a line whose fields are all empty is left out, which is the
only condition that the messages need.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AfterValidator

from autoscaler.spec.scalars import slip
from autoscaler.spec.words import did_you_mean

FIELDS: Final = (
    "summary", "severity", "state", "alert", "where", "numbers", "picture", "why", "did", "next", "command", "runbook",
    "started", "lasted", "site", "installation", "incident", "destination",
)  # fmt: skip
MOST_TITLE: Final = 200
MOST_TEXT: Final = 4000
TITLE: Final = "{state} {severity}: {summary}"
TEXT: Final = """\
{numbers}
{picture}
Why: {why}
Done: {did}
Next: {next}
To stop Foresail there: {command}
Runbook: {runbook}
Began {started}
Lasted {lasted}"""
_PART = re.compile(r"\{\{|\}\}|\{([^{}\n]*)\}|[{}]")


def fill(template: str, fields: Mapping[str, str]) -> str:
    """The template with its fields; values are put in as they are and never looked at again."""
    lines = []
    for line in template.split("\n"):
        named = [m[1] for m in _PART.finditer(line) if m[1]]
        if not named or any(fields.get(name) for name in named):
            lines.append(_PART.sub(lambda m: fields.get(m[1], "") if m[1] else m[0][:1], line))
    return "\n".join(lines).strip("\n")


def check(text: str) -> str:
    """The template itself. Raises a slip that names the field or the brace that is wrong."""
    for part in _PART.finditer(text):
        if part[0] in {"{{", "}}"}:
            continue
        line = text.count("\n", 0, part.start()) + 1
        at = f"in its line {line}, " if "\n" in text else ""
        if part[1] is None:
            raise slip(f"{at}has a lone {part[0]}", "write {{ and }} for braces of the text itself")
        if part[1] not in FIELDS:
            words = did_you_mean(part[1], FIELDS, "fields")
            raise slip(f"{at}has the unknown field {{{part[1][:40]}}}", words)
    return text


def _title(text: str) -> str:
    if "\n" in text.strip("\n") or len(text) > MOST_TITLE:
        raise slip(f"must be one line of at most {MOST_TITLE} characters", f'for example "{TITLE}"')
    return check(_printable(text))


def _text(text: str) -> str:
    if len(text) > MOST_TEXT:
        raise slip(f"is longer than {MOST_TEXT} characters", "a page at night is read on a phone: leave some out")
    return check(_printable(text))


def _printable(text: str) -> str:
    if any(not (c.isprintable() or c == "\n") for c in text):
        raise slip("holds characters that cannot be printed", "remove them; tabs too")
    return text


Title = Annotated[str, AfterValidator(_title)]
Text = Annotated[str, AfterValidator(_text)]
