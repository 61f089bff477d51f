"""Policies as another revision of the repository has them: `origin/main:policies`, as git itself names it."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from autoscaler.domain.errors import Refused

GIT_S = 60.0
MOST_BYTES = 100_000_000


@contextmanager
def at_revision(path: Path) -> Iterator[Path]:
    """`path` itself, or where it is REVISION:PATH and no such file, a copy of that for as long as it is needed.

    PATH counts from the current folder. Raises Refused with git's own words.
    """
    revision, colon, inside = str(path).partition(":")
    if not colon or not revision or path.exists():
        yield path
        return
    if revision.startswith("-"):
        raise Refused(f"{path}: {revision!r} is no revision; write it as git does: origin/main:policies")
    with TemporaryDirectory(prefix="foresail-") as folder:
        archive = _git(path, "archive", "--format=tar", revision, "--", inside or ".")
        with tarfile.open(fileobj=io.BytesIO(archive)) as told:
            told.extractall(folder, filter="data")
        found = Path(folder, inside or ".")
        if not found.exists():
            raise Refused(f"{path}: {revision} has no {inside}; git ls-tree {revision} lists what it has")
        yield found


def _git(path: Path, *args: str) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program; its arguments are no shell's
            ["git", *args], capture_output=True, timeout=GIT_S, check=False  # noqa: S607 - the user's own git
        )  # fmt: skip
    except FileNotFoundError:
        raise Refused(f"{path}: there is no such file, and no git to ask for a revision; check the path") from None
    except subprocess.TimeoutExpired:
        raise Refused(f"{path}: git did not answer within {GIT_S:g} s") from None
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())[:300]
        raise Refused(f"{path}: there is no such file, and as REVISION:PATH git says: {said}")
    if len(done.stdout) > MOST_BYTES:
        raise Refused(f"{path}: is over {MOST_BYTES // 1_000_000} MB; name the folder of the policies alone")
    return done.stdout
