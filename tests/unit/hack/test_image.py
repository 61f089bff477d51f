"""What the image is made of: pinned, as wheels for both machines, and all of it listed. Row S12."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hack.sbom import UV, sbom

ROOT = Path(__file__).parents[3]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
LOCK: dict[tuple[str, str], dict[str, Any]] = {
    (p["name"], p["version"]): p for p in tomllib.loads((ROOT / "uv.lock").read_text())["package"]
}
EXTRA = "server"


def instructions(name: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.split(maxsplit=1)[1] for line in joined.splitlines() if line.startswith(f"{name} ")]


def test_S12_every_stage_stands_on_a_base_that_is_pinned_by_its_digest():
    [base] = instructions("ARG")
    assert re.fullmatch(r"PYTHON_IMAGE=[\w./]+:[\d.]+-slim-\w+@sha256:[0-9a-f]{64}", base)
    assert {stage.split()[0] for stage in instructions("FROM")} == {"${PYTHON_IMAGE}"}


def test_S12_nothing_is_installed_that_is_not_locked():
    [uv, *syncs] = instructions("RUN")[:-1]
    [version] = re.findall(r"^UV_VERSION := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert f"uv=={version}" in uv
    assert len(syncs) == 2
    for sync in syncs:
        assert {"--locked", "--no-dev"} <= set(sync.split())
        assert f"--extra {EXTRA}" in sync
    assert "curl" not in DOCKERFILE
    assert "apt-get" not in DOCKERFILE


def test_S11_it_runs_as_a_numbered_user_that_is_not_root():
    assert instructions("USER") == ["65532:65532"], "a kubelet can tell a number, not a name, from root"


def test_what_is_copied_is_let_into_the_context():
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [words.split()[:-1] for words in instructions("COPY") if not words.startswith("--from")]
    assert {name for names in copied for name in names} == let_in
    assert all((ROOT / name).exists() for name in let_in)


def runtime() -> Iterator[tuple[str, str]]:
    """Name and version of all that the project needs at run time, walked through the lock file by its edges.

    What is for some Pythons or systems only counts too.
    """
    by_name: dict[str, list[dict[str, Any]]] = {}
    for package in LOCK.values():
        by_name.setdefault(package["name"], []).append(package)
    [project] = by_name["foresail"]
    todo = [*project["dependencies"], *project["optional-dependencies"][EXTRA]]
    seen: set[tuple[str, str]] = set()
    while todo:
        edge = todo.pop()
        for package in by_name[edge["name"]]:
            key = (package["name"], package["version"])
            if edge.get("version", package["version"]) != package["version"] or key in seen:
                continue
            seen.add(key)
            todo += package.get("dependencies", [])
            for extra in edge.get("extra", ()):
                todo += package.get("optional-dependencies", {}).get(extra, [])
    yield from sorted(seen)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_S12_every_dependency_has_a_locked_wheel_for_the_images_python_on_amd64_and_on_arm64(machine: str):
    [python] = re.findall(r"python:(\d+)\.(\d+)", DOCKERFILE)[:1]
    tag = f"cp{''.join(python)}"
    newest = dict(runtime())  # of two versions the later is for newer Pythons
    assert len(newest) > 50
    for name, version in newest.items():
        wheels = [wheel["url"].rpartition("/")[2] for wheel in LOCK[name, version].get("wheels", [])]
        fits = [
            w for w in wheels
            if w.endswith("-none-any.whl")
            or (machine in w and "manylinux" in w and (f"-{tag}-" in w or "-abi3-" in w or "py3-none" in w))
        ]  # fmt: skip
        assert fits, f"{name} {version} would be built from source"


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    if not UV.exists():
        pytest.skip(f"SKIPPED: no SBOM without {UV.relative_to(ROOT)}; run make setup")
    return sbom()


def test_S12_the_bill_of_materials_lists_every_locked_runtime_dependency_with_the_hashes_of_its_files(bill: Any):
    listed = {(c["name"], c["version"]): c for c in bill["components"]}
    assert set(listed) == set(runtime())
    for (name, version), component in listed.items():
        assert component["purl"].startswith(f"pkg:pypi/{name}@{version}")
        told = {h["content"] for r in component["externalReferences"] for h in r["hashes"]}
        locked = {f["hash"].removeprefix("sha256:") for f in LOCK[name, version].get("wheels", [])}
        assert locked <= told
    assert not {"pytest", "ruff", "mypy"} & {name for name, _ in listed}


def test_make_image_says_loudly_that_it_did_nothing_where_no_docker_answers():
    docker = shutil.which("docker")
    if docker and subprocess.run([docker, "info"], capture_output=True, check=False, timeout=120).returncode == 0:
        pytest.skip("SKIPPED: a docker daemon answers here; make image would build")
    done = subprocess.run(["make", "image"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0
    assert "SKIPPED: no image was built" in done.stdout  # a make around it tells its folder first
