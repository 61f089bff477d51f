"""A headless Chromium for the tests of what we show in a browser: found, or Debian's, unpacked into the cache.

As any user and without a change to the system: apt's lists are fetched into a folder of our own, the package and those
libraries of it that this machine lacks are downloaded and unpacked side by side, and a script of ours starts the
browser with them. Debian keeps only its newest Chromium, so the version that came first stays until `prune`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from hack.parts.cache import publish, sole_builder, this_platform
from hack.parts.catalogue import Version, dotted
from hack.parts.debian import TOOLS
from hack.parts.locate import ask_version
from hack.parts.making import CannotMake, UnderWay

NAME = "chromium"
PACKAGE = "chromium-headless-shell"
AT_LEAST: Version = (120, 0, 0)
EXPECTED_S = 40
ON_PATH = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")
SCRIPT = """#!/bin/sh
here=$(dirname "$(readlink -f "$0")")/..
libs=
for each in "$here"/usr/lib/*-linux-gnu*/pulseaudio "$here"/usr/lib/*-linux-gnu*; do libs="$libs$each:"; done
LD_LIBRARY_PATH="$libs$LD_LIBRARY_PATH" exec "$here/usr/lib/chromium/chromium-headless-shell" "$@"
"""


def homes(root: Path) -> list[Path]:
    """Unpacked browsers, the newest first."""
    found = root.glob(f"{NAME}-debian-*-{this_platform()}")
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def find(root: Path, env: Mapping[str, str]) -> tuple[Path, str] | None:
    """(program, where it comes from): our cache, then PATH in a fitting version."""
    for home in homes(root):
        program = home / "bin" / NAME
        if program.exists():
            return program, "Debian's package, in the cache"
    for name in ON_PATH:
        path = shutil.which(name, path=env.get("PATH", ""))
        version = ask_version(Path(path), ("--version",)) if path else None
        if path and version and version >= AT_LEAST:
            return Path(path), f"PATH, v{dotted(version)}"
    return None


def ensure(root: Path, env: Mapping[str, str]) -> Path:
    """The program, made available if it is not there."""
    found = find(root, env)
    if found is not None:
        return found[0]
    missing = [tool for tool in TOOLS if shutil.which(tool, path=env.get("PATH", "")) is None]
    if missing:
        raise CannotMake(
            f"{NAME}: {', '.join(missing)} not found: this is no Debian; install Chromium or Chrome >= "
            f"{AT_LEAST[0]} so that one of {', '.join(ON_PATH)} is on PATH"
        )
    with sole_builder(NAME, root) as work:
        if found := find(root, env):  # another run made it while we waited
            return found[0]
        return _unpack(root, work, env)


def _unpack(root: Path, work: Path, env: Mapping[str, str]) -> Path:
    job = UnderWay(f"{NAME}: unpacking Debian's {PACKAGE}", EXPECTED_S, root / f"{NAME}.log", env)
    for folder in ("lists/partial", "cache/archives/partial", "deb", "made/bin"):
        (work / folder).mkdir(parents=True)
    apt = ["apt-get", "-o", "APT::Sandbox::User=", "-o", f"Dir::State::Lists={work / 'lists'}",
           "-o", f"Dir::Cache={work / 'cache'}", "-o", "Debug::NoLocking=true"]  # fmt: skip
    if job.run([*apt, "update"], work) != 0:
        _fail(job, "apt's lists did not come")
    asked = subprocess.run(
        [*apt, "-s", "install", "--no-install-recommends", PACKAGE],
        env={**env, "LC_ALL": "C"}, capture_output=True, text=True, timeout=120, check=False,
    ).stdout  # fmt: skip
    lacking = re.findall(r"^Inst (\S+) (?:\[\S+\] )?\((\S+)", asked, re.MULTILINE)
    # installed, and yet not found above: then too old, or without a name on PATH
    packages = [f"{name}={version}" for name, version in lacking] or [PACKAGE]
    if job.run([*apt, "download", *packages], work / "deb") != 0:
        _fail(job, "Debian's packages did not come")
    for archive in sorted((work / "deb").glob("*.deb")):
        if job.run(["dpkg", "-x", archive, work / "made"], work) != 0:
            _fail(job, f"{archive.name} cannot be unpacked")
    program = work / "made" / "bin" / NAME
    program.write_text(SCRIPT)
    program.chmod(0o755)
    version = ask_version(program, ("--version",))
    if version is None or version < AT_LEAST:
        _fail(job, f"it {'does not run' if version is None else f'is v{dotted(version)}, too old'} on this system")
    home = root / f"{NAME}-debian-{dotted(version)}-{this_platform()}"
    publish(work / "made", home)
    job.done(f"{NAME}: Debian's {dotted(version)} unpacked in {job.elapsed_s:.0f} s")
    return home / "bin" / NAME


def _fail(job: UnderWay, why: str) -> NoReturn:
    job.end(f"{NAME}: {why}")
    raise CannotMake(
        f"{NAME}: {why}; the last words were:\n{job.last_words()}\n"
        f"Or install Chromium or Chrome >= {AT_LEAST[0]} so that it is on PATH."
    )
