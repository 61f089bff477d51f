"""YAML text to documents of placed nodes, from ruamel's event stream.

Composing here, rather than in the library, keeps three promises: every limit holds before memory is spent on
what it limits, each scalar's style is known, and one broken document does not hide the next. Tags are refused,
so nothing is ever constructed but mappings, lists and plain values.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from autoscaler.domain.errors import Problem
from autoscaler.spec.nodes import Document, Entry, Listing, Node, Place, Scalar, Table
from autoscaler.spec.readings import Plain, ambiguity, read_12
from autoscaler.spec.words import path_words, shown

MAX_DEPTH = 32
MAX_ALIASES = 1_000
MAX_NODES = 200_000
MAX_PROBLEMS = 100
_MAX_BROKEN = 20

_NEXT_DOCUMENT = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_ODD_BREAK = re.compile("[\x85\u2028\u2029]")


def compose(text: str, file: str) -> Iterator[Document]:
    """Every document that holds something; after a syntax error, on from the next `---` line."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if odd := _ODD_BREAK.search(text):
        place = _place_of(text, odd.start())
        message = f"an invisible line separator (U+{ord(odd.group()):04X}) stands here"
        yield Document(file, None, (Problem(file, *place, "", message, remedy="remove it"),))
        return
    budget = _Budget()
    start = 0
    for _ in range(_MAX_BROKEN):
        composer = _Composer(file, budget, first_line=text.count("\n", 0, start))
        broken = yield from composer.run(text[start:])
        if broken is None:
            return
        following = _NEXT_DOCUMENT.search(text, max(start + 3, start + broken))
        if following is None:
            return
        start = following.start()
    place = _place_of(text, start)
    message = f"more than {_MAX_BROKEN} documents are broken; the rest of the file was not read"
    yield Document(file, None, (Problem(file, *place, "", message),))


def _place_of(text: str, index: int) -> Place:
    return Place(text.count("\n", 0, index) + 1, index - (text.rfind("\n", 0, index) + 1) + 1)


@dataclass(slots=True)
class _Budget:
    """What one file may still spend, over all of its documents."""

    nodes: int = MAX_NODES
    aliases: int = MAX_ALIASES


class _LimitError(Exception):
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


@dataclass(slots=True, eq=False)
class _Open:
    """A collection whose end has not come yet; for a mapping, also the key that waits for its value."""

    node: Listing | Table
    anchor: str | None
    key: str | None = None
    key_place: Place | None = None
    keep: bool = True
    merges: list[tuple[Place, Node]] = field(default_factory=list)


class _Composer:
    """Turns events into nodes for one run of documents."""

    def __init__(self, file: str, budget: _Budget, first_line: int) -> None:
        self._file = file
        self._budget = budget
        self._first_line = first_line
        self._begin()

    def _begin(self) -> None:
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._problems: list[Problem] = []
        self._root: Node | None = None

    def run(self, text: str) -> Generator[Document, None, int | None]:
        """Yields documents; returns the index near which syntax broke, or None at a clean end."""
        try:
            for event in YAML(typ="safe", pure=True).parse(text):
                if isinstance(event, DocumentStartEvent):
                    self._begin()
                    self._check_version(event)
                elif isinstance(event, DocumentEndEvent):
                    if self._problems or not (isinstance(self._root, Scalar) and self._root.value is None):
                        yield Document(self._file, self._root, tuple(self._problems))
                    self._begin()
                else:
                    self._take(event)
        except _LimitError as limit:
            yield Document(self._file, None, (*self._problems, limit.problem))
        except ReaderError as bad:
            place = _place_of(text, bad.position)
            problem = self._problem(Place(place.line + self._first_line, place.column), _character(bad))
            yield Document(self._file, None, (*self._problems, problem))
        except MarkedYAMLError as bad:
            mark = bad.problem_mark or bad.context_mark
            problem = self._syntax(bad, mark)
            yield Document(self._file, None, (*self._problems, problem))
            return int(mark.index) if mark is not None else len(text)
        except (YAMLError, ValueError, OverflowError) as bad:  # the scanner's own slips, as on "\UFFFFFFFF"
            message = "not readable as YAML: an escape or number in this document is out of range"
            problem = Problem(self._file, self._first_line + 1, 1, "", message, shown(str(bad)))
            yield Document(self._file, None, (*self._problems, problem))
        return None

    def _take(self, event: Any) -> None:
        place = self._place(event.start_mark)
        if isinstance(event, ScalarEvent):
            self._refuse_tag(event, place)
            node = Scalar(place, self._scalar_value(event, place))
            self._close(node, event.anchor)
        elif isinstance(event, AliasEvent):
            self._close(self._aliased(str(event.anchor), place), None)
        elif isinstance(event, (MappingStartEvent, SequenceStartEvent)):
            self._refuse_tag(event, place)
            if len(self._stack) >= MAX_DEPTH:
                raise _LimitError(self._problem(place, f"nested deeper than {MAX_DEPTH} levels"))
            block = not event.flow_style
            opened = Table(place, block) if isinstance(event, MappingStartEvent) else Listing(place, block)
            self._stack.append(_Open(opened, event.anchor))
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            top = self._stack.pop()
            self._merge(top)
            self._close(top.node, top.anchor)

    def _close(self, node: Node, anchor: str | None) -> None:
        """A node is complete: count it, remember its anchor, and hang it into its parent."""
        self._budget.nodes -= 1
        if self._budget.nodes < 0:
            raise _LimitError(self._problem(node.place, f"more than {MAX_NODES} values, aliases expanded"))
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._stack:
            self._root = node
            return
        top = self._stack[-1]
        top.node.size += node.size
        top.node.height = max(top.node.height, node.height + 1)
        if isinstance(top.node, Listing):
            top.node.items.append(node)
        elif top.key_place is None:
            self._set_key(top, node)
        else:
            self._set_value(top, top.node, node)

    def _set_key(self, top: _Open, node: Node) -> None:
        top.key_place, top.keep = node.place, True
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, str):
            top.key = value
            return
        got = "a collection" if not isinstance(node, Scalar) else shown(value)
        top.key, top.keep = str(value), False
        self._add(node.place, "a key must be text", got, "quote it")

    def _set_value(self, top: _Open, table: Table, node: Node) -> None:
        key, place = top.key or "", top.key_place or node.place
        top.key, top.key_place = None, None
        if not top.keep:
            return
        if key == "<<":
            top.merges.append((place, node))
        elif key in table.entries:
            first = table.entries[key].key
            self._add(
                place, f"key {shown(key)} stands twice", None, f"the first is at line {first.line}; keep one", key
            )
        else:
            table.entries[key] = Entry(place, node)

    def _merge(self, top: _Open) -> None:
        """`<<` adds what the mapping does not say itself; of several, the first wins."""
        for place, value in top.merges:
            for source in value.items if isinstance(value, Listing) else [value]:
                if not isinstance(source, Table) or not isinstance(top.node, Table):
                    self._add(place, "<< takes a mapping or a list of mappings", None, "write <<: *anchor", "<<")
                    continue
                for name, entry in source.entries.items():
                    top.node.entries.setdefault(name, entry)

    def _aliased(self, anchor: str, place: Place) -> Node:
        self._budget.aliases -= 1
        if self._budget.aliases < 0:
            raise _LimitError(self._problem(place, f"more than {MAX_ALIASES} aliases in one file"))
        if any(opened.anchor == anchor for opened in self._stack):
            self._add(place, f"alias *{anchor} stands inside the very value it names")
            return Scalar(place, None)
        node = self._anchors.get(anchor)
        if node is None:
            self._add(place, f"alias *{anchor} names no anchor before it", None, f"write &{anchor} at the first use")
            return Scalar(place, None)
        if len(self._stack) + node.height > MAX_DEPTH:
            raise _LimitError(self._problem(place, f"nested deeper than {MAX_DEPTH} levels, aliases expanded"))
        self._budget.nodes -= node.size
        return node

    def _scalar_value(self, event: ScalarEvent, place: Place) -> Plain:
        text = str(event.value)
        if event.style:  # quoted or a block: text, whatever it looks like
            return text
        value = read_12(text)
        clash = ambiguity(text)
        if clash is None:
            return value
        top = self._stack[-1] if self._stack else None
        is_key = top is not None and isinstance(top.node, Table) and top.key_place is None
        self._add(place, clash[0], None, clash[1], *([text] if is_key else []))
        return text if is_key else value

    def _check_version(self, event: DocumentStartEvent) -> None:
        version = getattr(event, "version", None)
        numbers = tuple(version) if isinstance(version, (tuple, list)) else version
        if numbers is not None and numbers != (1, 2):
            place = self._place(event.start_mark)
            self._add(place, "files are read as YAML 1.2 only", shown(str(version)), "remove the %YAML line")

    def _refuse_tag(self, event: Any, place: Place) -> None:
        if event.tag is not None:
            self._add(place, "tags are not accepted", shown(str(event.tag)), "remove the tag; quote what is text")

    def _path(self, *more: str) -> str:
        parts: list[str | int] = []
        for opened in self._stack:
            if isinstance(opened.node, Listing):
                parts.append(len(opened.node.items))
            elif opened.key is not None:
                parts.append(opened.key)
        return path_words([*parts, *more])

    def _add(self, place: Place, message: str, value: str | None = None, remedy: str | None = None, *more: str) -> None:
        self._problems.append(self._problem(place, message, value, remedy, *more))
        if len(self._problems) >= MAX_PROBLEMS:
            raise _LimitError(self._problem(place, f"more than {MAX_PROBLEMS} problems: the rest was not read"))

    def _problem(
        self, place: Place, message: str, value: str | None = None, remedy: str | None = None, *more: str
    ) -> Problem:
        return Problem(self._file, place.line, place.column, self._path(*more), message, value, remedy)

    def _place(self, mark: Any) -> Place:
        return Place(mark.line + 1 + self._first_line, mark.column + 1)

    def _syntax(self, bad: MarkedYAMLError, mark: Any) -> Problem:
        place = self._place(mark) if mark is not None else Place(self._first_line + 1, 1)
        said = " ".join(str(part).strip() for part in (bad.context, bad.problem) if part)
        if "'\\t'" in said:
            return self._problem(place, "a tab stands where only spaces may", None, "indent with spaces")
        remedy = None
        if "mapping values are not allowed" in said:
            remedy = 'check the indentation, and quote text that holds ": "'
        return self._problem(place, f"YAML syntax: {said}", None, remedy)


def _character(bad: ReaderError) -> str:
    code = bad.character if isinstance(bad.character, int) else ord(str(bad.character)[:1] or "\0")
    return f"character U+{code:04X} is not allowed in YAML"
