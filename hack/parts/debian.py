"""Take a component out of Debian's package, as any user: download, unpack into the cache, install nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from hack.parts.cache import debian_homes, publish, sole_builder, this_platform
from hack.parts.catalogue import Component
from hack.parts.locate import ask_version
from hack.parts.making import CannotMake, UnderWay

EXPECTED_S = 15
TOOLS = ("apt-get", "apt-cache", "dpkg")


def unpack(component: Component, root: Path, env: Mapping[str, str]) -> Path:
    package = component.debian
    if package is None:
        raise CannotMake(f"{component.name}: no Debian package is known for it; leave out --debian")
    missing = [tool for tool in TOOLS if shutil.which(tool, path=env.get("PATH", "")) is None]
    if missing:
        raise CannotMake(f"{component.name}: {', '.join(missing)} not found: this is no Debian; leave out --debian")
    with sole_builder(f"{component.name}-debian", root) as work:
        for home in debian_homes(component, root):
            return home
        version = _candidate(package.name, env)
        label = f"{component.name}: unpacking Debian's {package.name} {version}"
        job = UnderWay(label, EXPECTED_S, root / f"{component.name}-debian.log", env)
        fetched, made = work / "deb", work / "made"
        fetched.mkdir()
        made.mkdir()
        # no change to apt's own user, who may not write here
        code = job.run(["apt-get", "-o", "APT::Sandbox::User=", "download", f"{package.name}={version}"], fetched)
        archives = list(fetched.glob("*.deb"))
        if code == 0 and archives:
            code = job.run(["dpkg", "-x", archives[0], made], work)
        if code != 0 or not archives:
            job.end(f"{component.name}: Debian's package did not come")
            raise CannotMake(
                f"{component.name}: the last words were:\n{job.last_words()}\n"
                "If the version is gone from the mirror, run `apt-get update` (as root) and try again."
            )
        for name, inside in package.binaries.items():
            if ask_version(made / inside, ("--version",)) is None:
                raise CannotMake(f"{component.name}: Debian's {name} does not run on this system")
        home = root / f"{component.name}-debian-{re.sub(r'[^0-9A-Za-z.]', '_', version)}-{this_platform()}"
        publish(made, home)
        job.done(f"{component.name}: Debian's {version} unpacked in {job.elapsed_s:.0f} s")
    return home


def _candidate(package: str, env: Mapping[str, str]) -> str:
    plain = {**env, "LC_ALL": "C"}
    said = subprocess.run(
        ["apt-cache", "policy", package], env=plain, capture_output=True, text=True, timeout=60, check=False
    ).stdout
    found = re.search(r"Candidate: (\S+)", said)
    if found is None or found[1] == "(none)":
        raise CannotMake(f"{package}: apt knows no such package yet; run `apt-get update` (as root) and try again")
    return found[1]
