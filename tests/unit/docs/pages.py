"""Pages of documentation as what they are: files to write, commands to type, and what these print.

In a fenced block `yaml file=NAME` is a file that the reader writes. A block `console` has commands after "$ ", each
with what it prints below: a line "..." stands for any lines, "..." inside a line for anything in it. "# exit 1" behind
a command is its exit code. Any other block is refused, so that no example stands there untried.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GIT = ("git", "-c", "user.name=mia", "-c", "user.email=mia@example.com", "-c", "init.defaultBranch=main")


@dataclass(frozen=True)
class Block:
    """line: of the page, from 1."""

    kind: str
    file: str
    text: str
    line: int


@dataclass(frozen=True)
class Typed:
    """code: exit code that the page says. into: file behind ">", or ""."""

    words: tuple[str, ...]
    into: str
    code: int
    printed: tuple[str, ...]


def blocks(page: str) -> list[Block]:
    found = []
    for match in BLOCK.finditer(page):
        kind, _, rest = match[1].partition(" ")
        file = rest.removeprefix("file=") if rest.startswith("file=") else ""
        found.append(Block(kind, file, match[2], page[: match.start()].count("\n") + 1))
    return found


def typed(block: Block) -> list[Typed]:
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
    return [_typed(line, tuple(printed)) for line, printed in found]


def _typed(line: str, printed: tuple[str, ...]) -> Typed:
    command, _, code = line.partition("  # exit ")
    words = shlex.split(command)
    into = ""
    if ">" in words:
        words, into = words[: words.index(">")], words[words.index(">") + 1]
    return Typed(tuple(words), into, int(code or 0), printed)


def agrees(expected: tuple[str, ...], said: list[str]) -> bool:
    """Whether the lines are those of the page, with its "..." standing for anything."""
    pattern = ""
    for line in expected:
        if line.strip() == "...":
            pattern += r"(?:[^\n]*\n)*?"
        else:
            pattern += re.escape(line).replace(re.escape("..."), r"[^\n]*") + r"\n"
    return re.fullmatch(pattern, "".join(f"{line.rstrip()}\n" for line in said)) is not None


def played(page: Path, folder: Path, foresail: Callable[..., tuple[int, str, str]]) -> list[str]:
    """What does not happen as the page says, with its place; the page is played from top to bottom in `folder`."""
    wrong = []
    for block in blocks(page.read_text()):
        place = f"{page.name}:{block.line}"
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        elif block.kind == "console":
            for one in typed(block):
                code, out, err = _type(one, folder, foresail)
                if one.into:
                    (folder / one.into).write_text(out)
                    out = ""
                said = [*out.splitlines(), *err.splitlines()]
                if code != one.code:
                    wrong.append(f"{place}: {shlex.join(one.words)}: exit {code}, not {one.code}:\n{out}{err}")
                elif not agrees(one.printed, said):
                    wrong.append(f"{place}: {shlex.join(one.words)} prints\n{out}{err}")
        else:
            wrong.append(
                f"{place}: a block of {block.kind or 'nothing'} without a file is an example that nobody tries"
            )
    return wrong


def _type(one: Typed, folder: Path, foresail: Callable[..., tuple[int, str, str]]) -> tuple[int, str, str]:
    program, *args = one.words
    if program == "foresail":
        return foresail(*args)
    if program == "git":
        done = subprocess.run([*GIT, *args], cwd=folder, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, ""
    return 127, "", f"{program}: pages type foresail and git alone\n"
