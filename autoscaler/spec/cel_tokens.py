"""CEL as a row of tokens: enough to tell where literals stand and what a condition reads. No evaluation.

Lexis of the CEL specification (https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax). Text that the
checker has accepted is expected; text that cannot be read gives None, and then nothing is claimed about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<string>[rRbB]{0,2}(?:\"\"\"(?:[^\\]|\\.)*?\"\"\"|'''(?:[^\\]|\\.)*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))
    |(?P<number>0x[0-9a-fA-F]+u?|(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+|\d+u?)(?!\w))
    |(?P<word>[A-Za-z_]\w*)
    |(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()\[\]{}])""",
    re.VERBOSE | re.DOTALL,
)
_LOOPS = frozenset({"all", "exists", "exists_one", "existsOne", "filter", "map"})
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")


class Token(NamedTuple):
    """kind: string, number, word or sign. text: as written."""

    kind: str
    text: str


Tokens = tuple[Token, ...]


def tokens_of(text: str) -> Tokens | None:
    """All tokens; None for text that is not CEL."""
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return None
        if match.lastgroup != "space":
            found.append(Token(str(match.lastgroup), match[0]))
        at = match.end()
    return tuple(found)


def text_of(token: Token) -> str | None:
    """What a string literal says; None for another token, and for one with a prefix or an escape."""
    plain = token.kind == "string" and token.text[0] in "\"'" and "\\" not in token.text
    if not plain or token.text[:3] in {'"""', "'''"}:
        return None
    return token.text[1:-1]


def split(tokens: Sequence[Token], *signs: str) -> list[Tokens]:
    """The parts between signs outside of all brackets."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.text in _OPENING) - (token.text in _CLOSING) if token.kind == "sign" else 0
        if depth == 0 and token.kind in {"sign", "word"} and token.text in signs:
            parts.append([])
        else:
            parts[-1].append(token)
    return [tuple(p) for p in parts]


def inside(tokens: Tokens) -> Tokens:
    """Without the brackets that are around all of it."""
    while len(tokens) > 2 and tokens[0].text == "(" and _closes_at(tokens) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def _closes_at(tokens: Tokens) -> int:
    """Where the bracket that opens at 0 closes."""
    depth = 0
    for index, token in enumerate(tokens):
        if token.kind == "sign":
            depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth == 0:
            return index
    return -1


class Read(NamedTuple):
    """A value by its key in one of the maps. asked: whether the text also asks if the key is there."""

    map: str
    key: str
    asked: bool


def reads(tokens: Tokens, maps: Sequence[str]) -> Iterator[Read]:
    """observed["requests"] and observed.requests, each once, of the maps of these names."""
    found: dict[tuple[str, str], None] = {}
    asked: set[tuple[str, str]] = set()
    for index, token in enumerate(tokens):
        if token.kind != "word" or token.text not in maps or (index and tokens[index - 1].text == "."):
            continue
        after = tokens[index + 1 : index + 4]
        marks = [t.text for t in after]
        key = None
        if len(after) >= 3 and marks[0] == "[" and marks[2] == "]":
            key = text_of(after[1])
        elif len(after) >= 2 and marks[0] == "." and after[1].kind == "word" and marks[2:] != ["("]:
            key = after[1].text
            if index > 1 and [t.text for t in tokens[index - 2 : index]] == ["has", "("]:
                asked.add((token.text, key))
        if key is not None:
            found[token.text, key] = None
        said = text_of(tokens[index - 2]) if index > 1 and tokens[index - 1].text == "in" else None
        if said is not None:
            asked.add((token.text, said))
    yield from (Read(name, key, (name, key) in asked) for name, key in found)


def loops_of(tokens: Sequence[Token]) -> tuple[int, int]:
    """How deep loops stand inside one another (x.all(...) alone is 1), and how many of them are map."""
    open_ones: list[bool] = []
    depth = maps = 0
    for index, token in enumerate(tokens):
        if token.kind != "sign":
            continue
        if token.text in _OPENING:
            before = tokens[max(index - 2, 0) : index]
            loop = token.text == "(" and len(before) == 2 and before[0].text == "." and before[1].text in _LOOPS
            open_ones.append(loop)
            depth, maps = max(depth, sum(open_ones)), maps + (loop and before[1].text == "map")
        elif token.text in _CLOSING and open_ones:
            open_ones.pop()
    return depth, maps


def literal_calls(tokens: Tokens) -> Iterator[tuple[str, str, Token]]:
    """(receiver or "", name, literal) of every call with one string literal: x.getHours("UTC"), timestamp("...")."""
    for index in range(len(tokens) - 3):
        name, opening, literal, closing = tokens[index : index + 4]
        if (name.kind, opening.text, literal.kind, closing.text) == ("word", "(", "string", ")"):
            yield "." if index and tokens[index - 1].text == "." else "", name.text, literal
