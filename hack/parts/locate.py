"""Which binary to use: KUBEBUILDER_ASSETS, then our own pinned build, then PATH. Builds nothing."""

from __future__ import annotations

import mmap
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hack.parts.cache import cache_root, debian_homes, home_of
from hack.parts.catalogue import Accepted, Binary, Component, UnknownPart, Version, dotted, resolve

ASK_S = 20.0


@dataclass(frozen=True, slots=True)
class Found:
    binary: Binary
    path: Path
    source: str


@dataclass(frozen=True, slots=True)
class Unfit:
    """A binary that is there but cannot be used, and why."""

    binary: Binary
    path: Path
    why: str


def ask_version(path: Path, arguments: tuple[str, ...]) -> Version | None:
    """The first x.y.z it prints, or None where it does not run or says nothing like it."""
    try:
        done = subprocess.run(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=ASK_S,
            check=False,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = re.search(r"(?<![\d.])v?(\d+)\.(\d+)\.(\d+)", done.stdout)
    return tuple(int(part) for part in said.groups()) if said else None


def noted_version(path: Path, module: str) -> Version | None:
    """What Go's linker noted of a module, or None; read from the file, as the program itself cannot be asked."""
    line = re.compile(rb"\n(?:mod|dep)\t" + re.escape(module.encode()) + rb"\tv(\d+)\.(\d+)\.(\d+)\b")
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            said = line.search(content)
            return tuple(int(part) for part in said.groups()) if said else None
    except (OSError, ValueError):  # not there, or empty
        return None


def version_of(binary: Binary, path: Path) -> Version | None:
    return noted_version(path, binary.module) if binary.module else ask_version(path, binary.ask)


def locate(
    component: Component, binary: Binary, env: Mapping[str, str] | None = None
) -> tuple[Found | None, list[Unfit]]:
    """The binary to use if there is one, and those passed over on the way."""
    env = os.environ if env is None else env
    passed: list[Unfit] = []
    assets = env.get("KUBEBUILDER_ASSETS")
    if assets and (found := _fitting(component, binary, Path(assets) / binary.name, "KUBEBUILDER_ASSETS", passed)):
        return found, passed
    ours = home_of(component, cache_root(env)) / "bin" / binary.name
    if ours.exists():
        return Found(binary, ours, "cache"), passed
    on_path = shutil.which(binary.name, path=env.get("PATH", ""))
    if on_path and (found := _fitting(component, binary, Path(on_path), "PATH", passed)):
        return found, passed
    return None, passed


def _fitting(component: Component, binary: Binary, path: Path, source: str, passed: list[Unfit]) -> Found | None:
    if not path.exists():
        return None
    version = version_of(binary, path)
    if version is not None and component.accepted.at_least <= version < component.accepted.below:
        return Found(binary, path, f"{source}, v{dotted(version)}")
    said = "does not say its version" if version is None else f"is v{dotted(version)}"
    passed.append(Unfit(binary, path, f"{said}, wanted {_range(component.accepted)}"))
    return None


def _range(accepted: Accepted) -> str:
    return f">= {dotted(accepted.at_least)} and < {dotted(accepted.below)}"


def locate_debian(component: Component, binary: Binary, env: Mapping[str, str] | None = None) -> Found | None:
    """The same binary out of Debian's package, where that was unpacked into the cache."""
    if component.debian is None or binary.name not in component.debian.binaries:
        return None
    for home in debian_homes(component, cache_root(os.environ if env is None else env)):
        path = home / component.debian.binaries[binary.name]
        if path.exists():
            return Found(binary, path, "Debian's package, in the cache")
    return None


def path_of(name: str, *, debian: bool = False) -> Path | None:
    """Path of one binary by name, or None where it would have to be made first."""
    component, binaries = resolve(name)
    binary = next((b for b in binaries if b.name == name), None)
    if binary is None:
        raise UnknownPart(f"{name} brings several binaries, name one: {', '.join(b.name for b in binaries)}")
    found = locate_debian(component, binary) if debian else locate(component, binary)[0]
    return found.path if found else None


def kept_files(name: str) -> list[Path]:
    """Source files kept beside a component's binaries; none where it has not been built here."""
    component, _ = resolve(name)
    return sorted((home_of(component, cache_root(os.environ)) / "kept").glob("*"))
