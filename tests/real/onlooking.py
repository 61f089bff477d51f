"""`kubectl foresail` as people type it, and an operator behind a Service that the API server can proxy to."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from autoscaler.cli.cluster_choice import PLUGIN
from autoscaler.cli.kubectl import main
from tests.real.controlplane import ControlPlane
from tests.real.parts import require_part
from tests.real.rest import Rest
from tests.real.servers import wait_until

HOME = "foresail"
"""Namespace of the operator's Service, as the chart is installed."""


@dataclass(frozen=True, slots=True)
class Typed:
    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a kubeconfig and a terminal."""

    plane: ControlPlane
    name: str

    def types(self, *words: str) -> Typed:
        """`kubectl foresail WORDS`, in this process: a start costs seconds on a busy machine."""
        out, err, code = io.StringIO(), io.StringIO(), 0
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr("sys.argv", [PLUGIN, *words, "--kubeconfig", str(self.plane.kubeconfig(self.name))])
            try:
                main()
            except SystemExit as leaving:
                code = int(leaving.code or 0)
        return Typed(code, out.getvalue(), err.getvalue())

    def types_in_a_shell(self, *words: str, within_s: float = 60.0) -> Typed:
        """The same by kubectl itself, which finds the plugin on PATH."""
        binaries = Path(sys.executable).parent
        env = {**os.environ, "KUBECONFIG": str(self.plane.kubeconfig(self.name))}
        env["PATH"] = f"{binaries}{os.pathsep}{env['PATH']}"
        command = [str(require_part("kubectl")), "foresail", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=within_s, check=False, env=env)
        return Typed(done.returncode, done.stdout, done.stderr)


def own_address() -> str:
    """An address of this machine that is not loopback: the API server proxies to no other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
            address = str(probe.getsockname()[0])
        except OSError:
            address = "127.0.0.1"
    if address.startswith("127."):
        pytest.skip("this machine has no address but loopback, to which no API server proxies")
    return address


def serve(admin: Rest, address: str, port: int) -> None:
    """The chart's Service; behind it the pod that the proxy asks for, with the address of the operator's process."""
    admin.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}})
    spec = {"ports": [{"name": "http", "port": 9464, "targetPort": port}]}
    core = f"/api/v1/namespaces/{HOME}"
    admin.create(f"{core}/services", {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": HOME}, "spec": spec,
    })  # fmt: skip
    account = f"{core}/serviceaccounts/default"
    wait_until(lambda: admin.answer("GET", account).status == 200, "the service account", 20)
    admin.create(f"{core}/pods", {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": HOME},
        "spec": {"containers": [{"name": "operator", "image": "foresail"}]},
    })  # fmt: skip
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
    admin.patch(f"{core}/pods/{HOME}/status", {"status": status})
    pod = {"kind": "Pod", "namespace": HOME, "name": HOME}
    admin.create(f"{core}/endpoints", {
        "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": HOME},
        "subsets": [{"addresses": [{"ip": address, "targetRef": pod}], "ports": [{"name": "http", "port": port}]}],
    })  # fmt: skip
