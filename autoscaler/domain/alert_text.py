"""Text of others on its way into alerts: one safe form for every destination, whatever renders it in the end.

Names, queries, reasons of pauses and words of servers come from people and machines that we do not know. Chat rooms and
mail read markup in them, and one of a megabyte would cost the whole message.
"""

from __future__ import annotations

import re
from typing import Final

MOST_LABEL: Final = 200
MOST_SUMMARY: Final = 300
MOST_DESCRIPTION: Final = 1800
_SWAPPED: Final = str.maketrans({"<": "‹", ">": "›", "`": "'", "{": "(", "}": ")"})
_CALLS: Final = re.compile(r"@(?=(channel|here|everyone|all|group)\b)", re.IGNORECASE)
_AS_IT_IS: Final = re.compile(r"[A-Za-z0-9._/:;,%()+=-]+(?: [A-Za-z0-9._/:;,%()+=-]+)*")
"""Most text, told by one look."""
_SPACES: Final = re.compile(r"\s+")
_LOOK: Final = 4
"""Times what is kept is looked at, at most: a megabyte of spaces costs no more than a line."""


def plain(text: str, most: int) -> str:
    """One line of at most `most` printable characters that calls nobody and marks nothing up.

    What looks like a tag, a template or a code span is shown with look-alikes; @channel and its kin lose their @. The
    end of what is too long is cut and told by an ellipsis.
    """
    if len(text) <= most and _AS_IT_IS.fullmatch(text):
        return text
    looked = text[: most * _LOOK]
    flat = _SPACES.sub(" ", "".join(c if c.isprintable() else " " for c in looked)).strip()
    safe = _CALLS.sub("(at)", flat.translate(_SWAPPED))
    if len(looked) == len(text) and len(safe) <= most:
        return safe
    cut = safe[: most - 1]
    while _CALLS.search(cut):  # a cut may make a call of what was none, as @allies
        cut = _CALLS.sub("(at)", cut)[: most - 1]
    return f"{cut.rstrip()}…"


def is_plain(text: str, most: int) -> bool:
    """Whether `plain` would leave it as it is."""
    return plain(text, most) == text
