"""A YAML document as plain nodes that remember where they stand. Lines and columns count from 1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from autoscaler.domain.errors import Problem
from autoscaler.spec.readings import Plain


class Place(NamedTuple):
    line: int
    column: int


@dataclass(slots=True, eq=False)
class Scalar:
    place: Place
    value: Plain
    size: int = 1
    height: int = 0


@dataclass(slots=True, eq=False)
class Listing:
    place: Place
    block: bool
    items: list[Node] = field(default_factory=list)
    size: int = 1
    height: int = 1


@dataclass(slots=True, eq=False)
class Table:
    place: Place
    block: bool
    entries: dict[str, Entry] = field(default_factory=dict)
    size: int = 1
    height: int = 1


Node = Scalar | Listing | Table


class Entry(NamedTuple):
    key: Place
    node: Node

    @property
    def place(self) -> Place:
        """Where an editor should jump: a block collection is found at its key, all else where it begins."""
        block = not isinstance(self.node, Scalar) and self.node.block
        return self.key if block else self.node.place


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One YAML document: its root, or None where syntax broke it, and what is wrong with its YAML.

    since: when the object of a server was created, in its words, which sort by time; None = a file, which tells no age.
    """

    file: str
    root: Node | None
    problems: tuple[Problem, ...] = ()
    since: str | None = None

    def find(self, path: Sequence[str | int]) -> tuple[Node | None, Place]:
        """The node at `path` and its place; where the path ends early, no node and its last place."""
        if self.root is None:
            return None, Place(1, 1)
        node, place = self.root, self.root.place
        for part in path:
            if isinstance(node, Table) and isinstance(part, str) and part in node.entries:
                entry = node.entries[part]
                node, place = entry.node, entry.place
            elif isinstance(node, Listing) and isinstance(part, int) and 0 <= part < len(node.items):
                node = node.items[part]
                place = node.place
            else:
                return None, place
        return node, place

    def key_place(self, path: Sequence[str | int]) -> Place:
        """Where the key that `path` ends with is written."""
        parent, place = self.find(path[:-1])
        last = path[-1] if path else None
        if isinstance(parent, Table) and isinstance(last, str) and last in parent.entries:
            return parent.entries[last].key
        return place

    def text(self, *path: str | int) -> str | None:
        """The text at `path`, or None for anything else."""
        node, _ = self.find(path)
        value = node.value if isinstance(node, Scalar) else None
        return value if isinstance(value, str) and value.strip() else None

    def items(self, *path: str | int) -> Iterator[int]:
        """Indices of the list at `path`."""
        node, _ = self.find(path)
        yield from range(len(node.items)) if isinstance(node, Listing) else ()


def plain(node: Node) -> object:
    """Dicts, lists and scalars only; the composer has bounded depth and size."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Listing):
        return [plain(item) for item in node.items]
    return {name: plain(entry.node) for name, entry in node.entries.items()}
