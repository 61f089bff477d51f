"""A container of a rendered pod without a container runtime: the installed tree in namespaces of its own.

What a kubelet would see to is seen to here: the root is read-only, volumes are where the pod mounts them, the service
account is mounted, the user is the pod's number, without capabilities and without a way to new ones. The network is
the machine's own. Needs root and util-linux.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
UV = ROOT / ".tools" / "bin" / "uv"
ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"

# R is a view of the machine in which everything is read-only; what the pod mounts lies over it.
SCRIPT = """
set -eu
mount --make-rprivate /
mount --rbind / "$R"
mount --make-rprivate "$R"
mount -o remount,bind,ro "$R"
hide() { mount -t tmpfs -o mode=0755 tmpfs "$R$1"; }
show() { mkdir -p "$R$1"; mount --bind "$1" "$R$1"; mount -o remount,bind,ro "$R$1"; }
hide /run; hide /root; hide /var/lib; hide /home
mount -t tmpfs -o mode=0755 tmpfs "$R/tmp"
show "$BASE"; show "$TREE"
mkdir -p "$R/var/lib/foresail" "$R$ACCOUNT"
mount --bind "$STATE" "$R/var/lib/foresail"
cp -r "$TOKENS/." "$R$ACCOUNT/"; chmod -R a+r "$R$ACCOUNT"
mount -t proc proc "$R/proc"
chmod 1777 "$R/tmp"
for each in /run /root /var/lib /home; do mount -o remount,bind,ro "$R$each"; done
exec chroot "$R" setpriv --reuid "$USER_ID" --regid "$GROUP_ID" --clear-groups --no-new-privs --bounding-set=-all \\
  --inh-caps=-all env -i PATH="$TREE/bin:/usr/bin:/bin" "$@"
"""


def installed_tree(place: Path) -> Path:
    """A virtual environment made as the image's is: from the lock file, without the tools of development."""
    if not UV.exists():
        pytest.skip(f"SKIPPED: nothing can be installed without {UV.relative_to(ROOT)}; run make setup")
    words = [
        "sync",
        "--quiet",
        "--locked",
        "--no-dev",
        "--extra",
        "server",
        "--no-editable",
        "--python",
        sys.executable,
    ]
    env = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(place), "UV_PYTHON_DOWNLOADS": "never"}
    env.pop("VIRTUAL_ENV", None)
    done = subprocess.run([UV, *words], cwd=ROOT, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return place


@dataclass(frozen=True, slots=True)
class Container:
    """tree: installed. folder: for its state, its view of the machine, its account's files."""

    tree: Path
    folder: Path

    def __post_init__(self) -> None:
        if os.geteuid() != 0 or any(shutil.which(name) is None for name in ("unshare", "setpriv", "chroot")):
            pytest.skip("SKIPPED: a read-only root and another user need root, unshare and setpriv")
        for name in ("view", "state", "tokens"):
            (self.folder / name).mkdir(exist_ok=True)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def account(self, token: str, ca: Path, namespace: str) -> None:
        """As the kubelet projects it."""
        for name, text in {"token": token, "ca.crt": ca.read_text(), "namespace": namespace}.items():
            (self.folder / "tokens" / name).write_text(text)

    def start(
        self, pod: Mapping[str, Any], words: Sequence[str], env: Mapping[str, str], log: Path
    ) -> subprocess.Popen[bytes]:
        """words: what runs in it. pod: its spec, whose user and group are taken."""
        user, group = (int(pod["securityContext"][key]) for key in ("runAsUser", "runAsGroup"))
        os.chown(self.state, user, group)
        base = Path(sys.base_prefix)
        settings = {
            "R": str(self.folder / "view"), "BASE": str(base), "TREE": str(self.tree), "STATE": str(self.state),
            "TOKENS": str(self.folder / "tokens"), "ACCOUNT": ACCOUNT, "USER_ID": str(user), "GROUP_ID": str(group),
        }  # fmt: skip
        given = [f"{name}={value}" for name, value in env.items()]
        command = ["unshare", "--mount", "--pid", "--fork", "sh", "-c", SCRIPT, "sh", *given, *words]
        with log.open("ab") as out:
            return subprocess.Popen(command, env={**os.environ, **settings}, stdout=out, stderr=out, cwd="/")

    @staticmethod
    def end(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> int:
        """As a kubelet: a signal to the first process of the container. Its exit code; all others end with it.

        Who changes the user outlives the one that started it: to end `unshare` is not enough.
        """
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(child), number)
        return process.wait(30)

    def run(self, pod: Mapping[str, Any], *words: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
        log = self.folder / "said"
        log.write_bytes(b"")
        code = self.start(pod, words, env or {}, log).wait(60)
        return code, log.read_text()
