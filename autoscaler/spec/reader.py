"""Files and folders of YAML to a fleet: size, encoding and folder rules, then composing and judging."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from autoscaler.domain.errors import InvalidSpec, Problem
from autoscaler.spec.composer import compose
from autoscaler.spec.fleet import LoadedFleet, PartialLoad, judge
from autoscaler.spec.nodes import Document

MAX_BYTES = 1 << 20
_SUFFIXES = frozenset({".yaml", ".yml"})
TEST_ENDINGS = ("_test.yaml", "_test.yml")
"""Files of `policy test`: in a folder they stand beside what they test, and are no part of a fleet."""


def load(paths: Sequence[Path], known_sources: Sequence[str] = ()) -> LoadedFleet:
    """All objects in files and folders; raises InvalidSpec with every problem of every document."""
    return _strict(load_valid(paths, known_sources))


def load_valid(paths: Sequence[Path], known_sources: Sequence[str] = ()) -> PartialLoad:
    """The objects that hold, beside the problems of the others: one bad object never stops the rest."""
    return judge(documents_in(paths), known_sources)


def parse_text(text: str, filename: str, known_sources: Sequence[str] = ()) -> LoadedFleet:
    """Like `load`, from text; `filename` stands in messages, and relative recordings start at its folder."""
    return _strict(parse_text_valid(text, filename, known_sources))


def parse_text_valid(text: str, filename: str, known_sources: Sequence[str] = ()) -> PartialLoad:
    """Like `load_valid`, from text."""
    return judge(_composed(text, filename), known_sources)


def documents_of(file: Path) -> Iterator[Document]:
    """The documents of one file, with the limits on size and encoding that hold for all."""
    yield from _read(file)


def _strict(result: PartialLoad) -> LoadedFleet:
    if result.problems:
        raise InvalidSpec(result.problems)
    return result.fleet


def documents_in(paths: Sequence[Path]) -> Iterator[Document]:
    """All documents of files and folders, broken ones too; a file that is named twice is read once."""
    seen: set[Path] = set()
    for path in paths:
        for file in _files(Path(path)):
            if isinstance(file, Document):
                yield file
            elif (real := file.resolve()) not in seen:
                seen.add(real)
                yield from _read(file)


def _files(path: Path) -> Iterable[Path | Document]:
    """A file itself; of a folder its own YAML files by name, without hidden ones and tests."""
    try:
        if not path.is_dir():
            path.resolve()
            return [path]
        home = path.resolve()
        names = sorted(p for p in path.iterdir() if _is_fleet_file(p))
        found = [_inside(p, home) for p in names if not p.is_dir()]
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a loop of symlinks
        return [_unread(str(path), f"cannot be read: {_reason(error)}")]
    if not found:
        return [_unread(str(path), "the folder holds no .yaml or .yml file", "name a file, or another folder")]
    return found


def _is_fleet_file(path: Path) -> bool:
    name = path.name.lower()
    return path.suffix.lower() in _SUFFIXES and not name.startswith(".") and not name.endswith(TEST_ENDINGS)


def _inside(path: Path, home: Path) -> Path | Document:
    if path.resolve().is_relative_to(home):
        return path
    return _unread(str(path), "is a link that leads out of its folder", "copy the file, or name it by itself")


def _read(path: Path) -> Iterator[Document]:
    name = str(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            yield _unread(name, "is not a regular file")
            return
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        yield _unread(name, "no such file or folder", "check the path")
        return
    except (OSError, ValueError) as error:
        yield _unread(name, f"cannot be read: {_reason(error)}")
        return
    if len(data) > MAX_BYTES:
        yield _too_large(name)
        return
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        yield _not_utf8(name, data, error.start)
        return
    yield from _composed(text, name)


def _composed(text: str, name: str) -> Iterator[Document]:
    if len(text) > MAX_BYTES or len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        yield _too_large(name)
        return
    empty = True
    for document in compose(text, name):
        empty = False
        yield document
    if empty:
        message = "the file is empty: it holds no document"
        yield Document(name, None, (Problem(name, 1, 1, "", message, remedy="write one, or delete the file"),))


def _too_large(name: str) -> Document:
    return _unread(name, f"is larger than {MAX_BYTES >> 20} MiB", "split it into several files")


def _not_utf8(name: str, data: bytes, at: int) -> Document:
    line_start = data.rfind(b"\n", 0, at) + 1
    line, column = data.count(b"\n", 0, at) + 1, len(data[line_start:at].decode(errors="replace")) + 1
    utf16 = data[:2] in {b"\xff\xfe", b"\xfe\xff"}
    message = "is UTF-16, not UTF-8" if utf16 else "is not UTF-8"
    problem = Problem(name, line, column, "", message, f"byte 0x{data[at]:02X}", "save the file as UTF-8")
    return Document(name, None, (problem,))


def _unread(name: str, message: str, remedy: str | None = None) -> Document:
    """A Problem of the whole file, which has no line."""
    return Document(name, None, (Problem(name, 0, 0, "", message, remedy=remedy),))


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
