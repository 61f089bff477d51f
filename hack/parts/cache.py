"""Where finished components lie, and how one gets there: locked, built beside, then renamed in one step.

A folder under its final name is whole. Everything else lives in `tmp/`, and what an interrupted run left there
goes when the next one holds the component's lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hack.parts.catalogue import Component, dotted

RECIPES = Path(__file__).parent
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def cache_root(env: Mapping[str, str]) -> Path:
    """FORESAIL_CACHE, else foresail/parts below XDG_CACHE_HOME or ~/.cache."""
    if env.get("FORESAIL_CACHE"):
        return Path(env["FORESAIL_CACHE"]).expanduser().resolve()
    base = Path(env["XDG_CACHE_HOME"]) if env.get("XDG_CACHE_HOME") else Path.home() / ".cache"
    return base / "foresail" / "parts"


def this_platform() -> str:
    machine = platform.machine().lower()
    return f"{sys.platform}-{MACHINES.get(machine, machine)}"


def recipe(component: Component) -> Path:
    return RECIPES / component.name


def home_of(component: Component, root: Path) -> Path:
    """The folder of the pinned version; its last part changes with everything the build depends on."""
    kept = (component.keep,) if component.keep else ()
    parts = (component.version, component.binaries, component.tags, sorted(component.stamps.items()), *kept)
    digest = hashlib.sha256(repr(parts).encode())
    for name in ("go.mod", "go.sum"):
        digest.update((recipe(component) / name).read_bytes())
    return root / f"{component.name}-v{dotted(component.version)}-{this_platform()}-{digest.hexdigest()[:8]}"


def debian_homes(component: Component, root: Path) -> list[Path]:
    """Folders of unpacked Debian packages, the newest first."""
    found = root.glob(f"{component.name}-debian-*-{this_platform()}")
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


@contextmanager
def sole_builder(name: str, root: Path) -> Iterator[Path]:
    """Hold `name`'s lock, waiting for another run if need be, and give an empty folder to build in."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / f"{name}.lock").open("a+") as lock:
        _acquire(lock.fileno(), name)
        attempts = root / "tmp" / name
        shutil.rmtree(attempts, ignore_errors=True)  # we hold the lock: whatever is here was left behind
        attempts.mkdir(parents=True)
        try:
            yield Path(tempfile.mkdtemp(dir=attempts))
        finally:
            shutil.rmtree(attempts, ignore_errors=True)


def _acquire(handle: int, name: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"{name}: another run is making it; waiting for that one", flush=True)
        started = time.monotonic()
        fcntl.flock(handle, fcntl.LOCK_EX)
        print(f"{name}: waited {time.monotonic() - started:.0f} s", flush=True)


def publish(made: Path, home: Path) -> None:
    """Give a finished folder its name. A rename is whole or not at all; files are on disk before it."""
    for path in made.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    made.chmod(0o755)  # mkdtemp's 0700 would shut other users of a shared cache out
    made.rename(home)


def prune(root: Path, keep: set[Path]) -> list[Path]:
    """Remove finished folders of versions that are no longer pinned."""
    old = [p for p in root.glob(f"*-{this_platform()}*") if p.is_dir() and p not in keep]
    for path in old:
        shutil.rmtree(path)
    return old
