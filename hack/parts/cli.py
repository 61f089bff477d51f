"""The commands: ensure, list, path, prune."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from hack.parts import browser
from hack.parts.cache import cache_root, debian_homes, home_of, prune, this_platform
from hack.parts.catalogue import COMPONENTS, GO_WHEEL, Binary, Component, UnknownPart, dotted, resolve
from hack.parts.debian import unpack
from hack.parts.gobuild import build
from hack.parts.locate import locate, locate_debian, path_of
from hack.parts.making import CannotMake

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _as_interrupt)
    try:
        return int(options.run(options))
    except UnknownPart as unknown:
        print(unknown, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; nothing half-built is left, the next run goes on from what Go has cached", file=sys.stderr)
        return INTERRUPTED


def _as_interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python hack/parts", description="Real components for tests and the demo.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    ensure = commands.add_parser("ensure", help="make each part available; instant where it is already")
    ensure.add_argument("names", nargs="+", metavar="NAME", help="a component or one of its binaries")
    ensure.add_argument("--debian", action="store_true", help="take Debian's package instead of building")
    ensure.set_defaults(run=_ensure)
    listing = commands.add_parser("list", help="every part, its version and where it is found")
    listing.set_defaults(run=_list)
    path = commands.add_parser("path", help="print the path of one binary; ends with 1 where it is not there")
    path.add_argument("name", metavar="NAME")
    path.add_argument("--debian", action="store_true", help="the one out of Debian's package")
    path.set_defaults(run=_path)
    old = commands.add_parser("prune", help="remove cached versions that are no longer pinned")
    old.set_defaults(run=_prune)
    return parser


def _ensure(options: argparse.Namespace) -> int:
    wanted: dict[str, tuple[Component, dict[str, Binary]]] = {}
    for name in options.names:
        if name == browser.NAME:
            continue
        component, binaries = resolve(name)
        wanted.setdefault(component.name, (component, {}))[1].update({b.name: b for b in binaries})
    failed = 0
    for component, asked in wanted.values():
        try:
            if options.debian:
                _ensure_debian(component)
            else:
                _ensure_component(component, list(asked.values()))
        except (CannotMake, OSError) as why:
            failed += 1
            print(f"FAILED {why}", file=sys.stderr, flush=True)
    if browser.NAME in options.names:
        try:
            _ensure_browser()
        except (CannotMake, OSError) as why:
            failed += 1
            print(f"FAILED {why}", file=sys.stderr, flush=True)
    return 1 if failed else 0


def _ensure_browser() -> None:
    program = browser.ensure(cache_root(os.environ), os.environ)
    found = browser.find(cache_root(os.environ), os.environ)
    print(f"{browser.NAME}: {found[1] if found else program}", flush=True)


def _ensure_component(component: Component, binaries: list[Binary]) -> None:
    there = []
    for binary in binaries:
        found, passed = locate(component, binary)
        if found is None:
            for unfit in passed:
                print(f"{unfit.binary.name}: not using {unfit.path}: it {unfit.why}", flush=True)
            build(component, cache_root(os.environ), os.environ)
            return
        there.append(found)
    print(f"{component.name}: {', '.join(f'{f.binary.name} ({f.source})' for f in there)}", flush=True)


def _ensure_debian(component: Component) -> None:
    home = unpack(component, cache_root(os.environ), os.environ)
    print(f"{component.name}: {home.name}", flush=True)


def _list(_options: argparse.Namespace) -> int:
    for component in COMPONENTS:
        print(f"{component.shown}  (about {component.expected_s} s to build, once)")
        for binary in component.binaries:
            found, passed = locate(component, binary)
            where = f"{found.path}  ({found.source})" if found else "not here yet"
            print(f"  {binary.name:<24} {where}")
            for unfit in passed:
                print(f"  {'':<24} not used: {unfit.path} {unfit.why}")
            if packaged := locate_debian(component, binary):
                print(f"  {'':<24} {packaged.path}  ({packaged.source})")
    print(f"{browser.NAME} >= {browser.AT_LEAST[0]}  (Debian's package, about {browser.EXPECTED_S} s, once)")
    shown = browser.find(cache_root(os.environ), os.environ)
    print(f"  {browser.NAME:<24} {f'{shown[0]}  ({shown[1]})' if shown else 'not here yet'}")
    return 0


def _path(options: argparse.Namespace) -> int:
    if options.name == browser.NAME:
        shown = browser.find(cache_root(os.environ), os.environ)
        path = shown[0] if shown else None
    else:
        path = path_of(options.name, debian=options.debian)
    if path is None:
        way = f"python hack/parts ensure {options.name}{' --debian' if options.debian else ''}"
        print(f"{options.name} is not here yet; run: {way}", file=sys.stderr)
        return 1
    print(path)
    return 0


def _prune(_options: argparse.Namespace) -> int:
    root = cache_root(os.environ)
    keep: set[Path] = {home_of(component, root) for component in COMPONENTS}
    keep.update(home for component in COMPONENTS for home in debian_homes(component, root)[:1])
    keep.update(browser.homes(root)[:1])
    name, version = GO_WHEEL
    keep.add(root / f"{name}-v{dotted(version)}-{this_platform()}")
    for gone in prune(root, keep):
        print(f"removed {gone.name}")
    return 0
