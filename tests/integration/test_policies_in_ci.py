"""The hooks and the workflow of the CI page run here: in a repository with policies, a branch and an edit."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import ruamel.yaml
from pre_commit.clientlib import load_config, load_manifest

from tests.unit.docs.pages import GIT, blocks

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "howto" / "test-policies-in-ci.md").read_text()
FILES = {b.file: b.text for b in blocks(PAGE) if b.file}
CONFIG, WORKFLOW = ".pre-commit-config.yaml", ".github/workflows/policies.yaml"


def git(folder: Path, *args: str) -> None:
    subprocess.run([*GIT, *args], cwd=folder, check=True, capture_output=True)


def bash(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """As a runner does it: `bash -e -o pipefail` where the step asks for bash, with the branch that it merges into."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    known = {
        "PATH": path,
        "HOME": str(folder),
        "GITHUB_BASE_REF": "main",
        "GITHUB_STEP_SUMMARY": str(folder / "said.md"),
    }
    call = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command]
    return subprocess.run(call, cwd=folder, env=known, capture_output=True, text=True, check=False)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A policy with its test and workload on origin/main; the reader's branch has them too."""
    shutil.copytree(ROOT / "policies" / "examples" / "business-hours", tmp_path / "policies")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "policies")
    git(tmp_path, "commit", "-q", "-m", "policies")
    git(tmp_path, "update-ref", "refs/remotes/origin/main", "HEAD")
    return tmp_path


def broken(repository: Path) -> None:
    policy = repository / "policies" / "policy.yaml"
    policy.write_text(policy.read_text().replace("max: 3", "max: 30"))


def hooks() -> list[tuple[str, str]]:
    """(id, command) as pre-commit puts them together for the page's own configuration."""
    manifest = {hook["id"]: hook for hook in load_manifest(str(ROOT / ".pre-commit-hooks.yaml"))}
    listed = ruamel.yaml.YAML(typ="safe").load(FILES[CONFIG])["repos"][0]["hooks"]
    return [
        (h["id"], f"{manifest[h['id']]['entry']} {shlex.join(h.get('args', manifest[h['id']]['args']))}")
        for h in listed
    ]


def test_the_configuration_of_the_page_is_one_and_names_all_hooks(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(FILES[CONFIG])
    assert len(load_config(str(tmp_path / "c.yaml"))["repos"][0]["hooks"]) == 3
    assert {name for name, _ in hooks()} == {h["id"] for h in load_manifest(str(ROOT / ".pre-commit-hooks.yaml"))}


@pytest.mark.parametrize(("hook", "command"), hooks(), ids=[h for h, _ in hooks()])
def test_each_hook_passes_what_is_well_and_stops_what_is_not(hook: str, command: str, repository: Path) -> None:
    well = bash(repository, command)
    assert well.returncode == 0, well.stdout + well.stderr
    broken(repository)
    if hook == "foresail-policy-lint":  # a promise that is broken is well written
        policy = repository / "policies" / "policy.yaml"
        policy.write_text(policy.read_text().replace("kind: GuardPolicy\n", "kind: GuardPolice\n"))
    assert bash(repository, command).returncode == 1, command


def steps() -> list[tuple[str, str]]:
    told = ruamel.yaml.YAML(typ="safe").load(FILES[WORKFLOW])
    return [(s["name"], s["run"]) for s in told["jobs"]["policies"]["steps"] if "run" in s and "name" in s]


def test_the_workflow_has_lint_test_and_diff_and_may_write_findings_only() -> None:
    told = ruamel.yaml.YAML(typ="safe").load(FILES[WORKFLOW])
    job = told["jobs"]["policies"]
    assert [name for name, _ in steps()] == ["lint", "test", "diff"]
    assert job["permissions"] == {"contents": "read", "security-events": "write"}
    (install,) = [s["run"] for s in job["steps"] if "run" in s and "name" not in s]
    assert re.fullmatch(
        r'pip install "foresail\[server\] @ git\+https://git\.example\.com/foresail\.git@v[0-9.]+"', install
    )
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert install.endswith(f'@v{version}"'), "there is no package on an index: the page installs this version's tag"


def test_the_workflow_passes_a_branch_without_change_and_stops_a_risky_one(repository: Path) -> None:
    assert [bash(repository, run).returncode for _, run in steps()] == [0, 0, 0]
    assert (repository / "lint.sarif").read_text().startswith("{")
    broken(repository)
    codes = {name: bash(repository, run).returncode for name, run in steps()}
    assert codes == {"lint": 0, "test": 1, "diff": 1}
    assert "<failure" in (repository / "policies.xml").read_text()
    assert "look twice: 10 times" in (repository / "said.md").read_text()
