"""Wording shared by every complaint: the nearest valid name, and a user's value made safe to print."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from itertools import islice

_SHOWN = 60
_CONSIDERED = 500


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The valid name a typo most likely meant; case does not count."""
    by_folded = {n.casefold(): n for n in islice(names, _CONSIDERED)}
    found = difflib.get_close_matches(name[:253].casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(name: str, names: Iterable[str], what: str) -> str:
    """The remedy for a name that is not among `names`: the nearest one, then all of them."""
    valid = sorted(set(names))
    if not valid:
        return f"there is no {what} yet"
    listed = ", ".join(map(printable, valid[:30])) + (f" and {len(valid) - 30} more" if len(valid) > 30 else "")
    guess = nearest(name, valid)
    return (f"did you mean {shown(guess)}? " if guess else "") + f"{what}: {listed}"


def printable(text: str) -> str:
    """Text cut to one line that no terminal or log misreads."""
    cut = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in cut)


def shown(value: object) -> str:
    """A value as one short printable line: text in quotes, collections by their kind only."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if value is None:
        return "blank"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{printable(value)}"'
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def path_words(parts: Iterable[str | int]) -> str:
    """`spec.demands[0].name`; a key that is no plain word stands in brackets and quotes."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.isidentifier():
            path += f".{part}" if path else part
        else:
            path += f"[{shown(part)}]"
    return path
