"""Foresail as its chart installs it, and `foresail operator` in the place of the pod, on the scene's clock.

kwok runs no image. What helm has put into the cluster is read back from the API server: the process gets the arguments
and the environment of the Deployment's container, a token of its ServiceAccount, and its volumes as folders.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hack.real_world.constants import Constants
from hack.real_world.demand import SceneClock
from tests.real.commands import bare_environment
from tests.real.controlplane import ControlPlane
from tests.real.helming import CHART, Helm
from tests.real.servers import Server, free_port, wait_until
from tests.real.web import fetch

COMMAND = [sys.executable, "-m", "autoscaler"]
ROOT = Path(__file__).parents[2]
RELEASE = HOME = "foresail"
LEASE_S = 3
"""The shortest that there is; at 15x they are 45 s of the day, three times the default."""
TOKEN_S = 4 * 3600
WITHIN_S = 60.0


@dataclass(slots=True)
class Installed:
    """store: the folder that stands for the volume of the record."""

    plane: ControlPlane
    folder: Path
    clock: SceneClock
    constants: Constants
    store: Path
    notes: str = ""
    """What the chart says after the install."""
    _server: Server | None = None
    _port: int = 0
    _pod: Pod = field(init=False)

    def install(self, policies: dict[str, Any]) -> None:
        """`helm install` of the chart as it is. policies: files of GuardPolicies, name to document."""
        home = self.folder / "helm"
        home.mkdir()
        helm = Helm(home, self.plane.kubeconfig())
        constants = self.constants
        values = {
            "operator": {"tick": f"{constants.tick_s}s", "step": "60s", "leaseDuration": f"{LEASE_S}s"},
            "policies": {"files": {name: json.dumps(document) for name, document in policies.items()}},
            "extraArgs": [f"--replay-from={_iso(self.clock.start_s)}", f"--speed={constants.speed}"],
        }
        where = ("-n", HOME, "--create-namespace")
        self.notes = helm.does("install", RELEASE, CHART, *where, *helm.given(values), within_s=WITHIN_S)
        self._pod = Pod(self.plane, self.folder / "pod", self.store)

    def start(self) -> float:
        """Seconds that its clock is ahead of the scene's. The scene's time runs from the first start on."""
        if not self.clock.runs:
            self.clock.start()
        self._port = free_port()
        joins = f"--replay-since={_iso(self.clock.began_s)}"  # nobody knew at the install when time would begin
        command = [*COMMAND, *self._pod.arguments(self._port), joins]
        self._server = Server("foresail operator", command, self.log_file, self._pod.environment())
        self._server.start(lambda: "now" in self._health(), within_s=WITHIN_S)
        its_s = datetime.fromisoformat(self._health()["now"]).timestamp()
        return its_s - self.clock.now_s()

    def kill(self) -> None:
        """SIGKILL."""
        if self._server is not None:
            self._server.kill()

    def end(self) -> None:
        if self._server is not None:
            self._server.stop()

    @property
    def log_file(self) -> Path:
        return self.folder / "foresail.log"

    @property
    def record(self) -> Path:
        return self.store / "foresail.db"

    def call(self, *words: str) -> str:
        """Another command of the product on the same record."""
        done = subprocess.run(
            [*COMMAND, *words, "--store", str(self.record)],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    def _health(self) -> dict[str, Any]:
        """Empty before it answers; without `now` before it has read all objects."""
        answer = fetch(f"http://127.0.0.1:{self._port}/healthz", timeout_s=1.0)
        told: dict[str, Any] = json.loads(answer.body) if answer.status in {200, 503} else {}
        return told


@dataclass(slots=True)
class Pod:
    """What the pod of the installed Deployment would be given, here."""

    plane: ControlPlane
    folder: Path
    store: Path
    spec: dict[str, Any] = field(init=False)
    places: dict[str, Path] = field(init=False)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        admin = self.plane.rest()
        found = admin.get(f"/apis/apps/v1/namespaces/{HOME}/deployments/{RELEASE}")["spec"]
        self.spec = found["template"]["spec"]
        selector = ",".join(f"{k}={v}" for k, v in found["selector"]["matchLabels"].items())
        [pod] = wait_until(lambda: self.plane.pods(HOME, selector), "the operator's pod is there")
        self.name = pod["metadata"]["name"]
        mounts = self._container["volumeMounts"]
        self.places = {mount["mountPath"]: self._volume(mount["name"]) for mount in mounts}

    @property
    def _container(self) -> dict[str, Any]:
        [container] = self.spec["containers"]
        made: dict[str, Any] = container
        return made

    def _volume(self, name: str) -> Path:
        """A ConfigMap as its files; what keeps the record is ours; else an empty folder."""
        [volume] = [v for v in self.spec["volumes"] if v["name"] == name]
        here = self.store if "persistentVolumeClaim" in volume else self.folder / name
        here.mkdir(parents=True, exist_ok=True)
        if "configMap" in volume:
            path = f"/api/v1/namespaces/{HOME}/configmaps/{volume['configMap']['name']}"
            for key, text in self.plane.rest().get(path)["data"].items():
                (here / key).write_text(text)
        return here

    def arguments(self, port: int) -> list[str]:
        """The container's, but for where things are: the cluster from outside, loopback, folders for mounts."""
        token = self.folder / "token"
        token.write_text(self.plane.service_account_token(HOME, self.spec["serviceAccountName"], TOKEN_S))
        changed = {
            "--in-cluster": f"--kubeconfig={self.plane.kubeconfig_for(token)}",
            "--listen": f"--listen=127.0.0.1:{port}",
        }
        return [changed.get(word.partition("=")[0]) or self._here(word) for word in self._container["args"]]

    def _here(self, word: str) -> str:
        option, _, value = word.partition("=")
        for place, folder in self.places.items():
            if value == place or value.startswith(f"{place}/"):
                return f"{option}={folder}{value.removeprefix(place)}"
        return word

    def environment(self) -> dict[str, str]:
        fields = {"metadata.namespace": HOME, "metadata.name": self.name}
        env = self._container["env"]
        own = {e["name"]: e.get("value") or fields[e["valueFrom"]["fieldRef"]["fieldPath"]] for e in env}
        return {**bare_environment(), **own}


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat()
