"""Files of artefacts, taken in without trust and written so that no reader ever sees half of one."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path

from autoscaler.domain.artefact import BadArtefact, Fault
from autoscaler.domain.errors import Refused

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Not through a link, and without waiting for a writer where a pipe was put in a file's place."""


def read_bytes(path: Path, most_bytes: int, exactly: int | None = None) -> bytes:
    """A plain file's bytes. Its size is looked at before anything is read.

    Raises BadArtefact: MISSING, UNSAFE (a link, a pipe, a folder), TOO_LARGE over most_bytes, DAMAGED when the size is
    not `exactly`.
    """
    try:
        handle = os.open(path, _READ)
    except FileNotFoundError:
        raise BadArtefact(Fault.MISSING, f"{path}: there is no such file") from None
    except OSError as why:
        if path.is_symlink():
            raise BadArtefact(Fault.UNSAFE, f"{path}: a symbolic link, and only plain files are taken") from None
        raise BadArtefact(Fault.MISSING, f"{path}: cannot be read ({why.strerror})") from None
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):  # before it becomes a file of Python, which a folder does not: the handle stays
        os.close(handle)
        raise BadArtefact(Fault.UNSAFE, f"{path}: not a plain file")
    with os.fdopen(handle, "rb") as file:
        if found.st_size > most_bytes:
            raise BadArtefact(Fault.TOO_LARGE, f"{path}: {found.st_size} bytes, and at most {most_bytes} are taken")
        if exactly is not None and found.st_size != exactly:
            raise BadArtefact(Fault.DAMAGED, f"{path}: {found.st_size} bytes, and its manifest says {exactly}")
        body = file.read(found.st_size + 1)
    if len(body) != found.st_size:
        raise BadArtefact(Fault.DAMAGED, f"{path}: changed while it was read")
    return body


def must_be_folder(path: Path) -> None:
    """Raises BadArtefact where path is not a folder itself (a link to one is not)."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        raise BadArtefact(Fault.MISSING, f"{path}: there is no such folder") from None
    if stat.S_ISLNK(mode):
        raise BadArtefact(Fault.UNSAFE, f"{path}: a symbolic link, and only plain folders are taken")
    if not stat.S_ISDIR(mode):
        raise BadArtefact(Fault.UNSAFE, f"{path}: not a folder")


def write_file(path: Path, body: bytes, mode: int = 0o644) -> None:
    """All of it or nothing, also over a power cut: a new file beside it is synced and takes its place."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        _write_synced(beside, body, mode)
        beside.replace(path)
        _sync_folder(path.parent)
    except OSError as why:
        raise Refused(f"{path}: cannot be written ({why.strerror}); mend its permissions or free some room") from why
    finally:
        beside.unlink(missing_ok=True)


def write_folder(path: Path, files: dict[str, bytes]) -> None:
    """A new folder with these files, there as a whole or not at all. FileExistsError when path is taken."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.mkdir()
        for name, body in files.items():
            _write_synced(beside / name, body, 0o644)
        _sync_folder(beside)
        beside.rename(path)  # fails where a full folder is: no generation is ever written over
        _sync_folder(path.parent)
    except OSError as why:
        if why.errno in {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}:
            raise FileExistsError(f"{path} is there already") from why
        raise Refused(f"{path}: cannot be written ({why.strerror}); mend its permissions or free some room") from why
    finally:
        remove_folder(beside)


def remove_folder(path: Path) -> None:
    """A folder of ours with plain files in it; what is not there any more is no error. Of a link, only the link."""
    try:
        if path.is_symlink():
            path.unlink()
            return
        for each in path.iterdir():
            each.unlink()
        path.rmdir()
    except OSError:
        return  # another process removed it, or put something there that is not ours: it stays


def _write_synced(path: Path, body: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(handle)


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
