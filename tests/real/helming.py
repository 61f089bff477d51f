"""The real helm, and what it renders of our chart."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.real.parts import require_part
from tests.real.rest import Rest

CHART = Path(__file__).parents[2] / "charts" / "foresail"
Thing = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Helm:
    """home: of helm's own caches, so that nobody else's settings count. kubeconfig: None = for rendering only."""

    home: Path
    kubeconfig: Path | None = None

    def run(self, *words: str | Path, within_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        places = {f"HELM_{what}_HOME": str(self.home / what.lower()) for what in ("CACHE", "CONFIG", "DATA")}
        env = {**os.environ, **places, "KUBECONFIG": str(self.kubeconfig or self.home / "none")}
        env |= {"HOME": str(self.home)}  # where it keeps what it has discovered of a server
        command: Sequence[str | Path] = [require_part("helm"), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=within_s, check=False, env=env)

    def does(self, *words: str | Path, within_s: float = 60.0) -> str:
        done = self.run(*words, within_s=within_s)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def render(self, values: Mapping[str, Any] | None = None, *words: str, namespace: str = "foresail") -> list[Thing]:
        return things(self.does("template", "foresail", CHART, "-n", namespace, *self.given(values), *words))

    def refuses(self, values: Mapping[str, Any]) -> str:
        done = self.run("template", "foresail", CHART, *self.given(values))
        assert done.returncode != 0, "it was taken"
        return done.stderr

    def given(self, values: Mapping[str, Any] | None) -> list[str]:
        """As a file, as users do."""
        path = self.home / f"values-{len(list(self.home.glob('values-*')))}.json"
        path.write_text(json.dumps(values or {}))
        return ["--values", str(path)]


def things(text: str) -> list[Thing]:
    return [dict(each) for each in YAML(typ="safe", pure=False).load_all(text) if each]


def of_kind(found: Sequence[Thing], kind: str, ending: str = "") -> list[Thing]:
    return [t for t in found if t["kind"] == kind and t["metadata"]["name"].endswith(ending)]


def the(found: Sequence[Thing], kind: str, ending: str = "") -> Thing:
    [one] = of_kind(found, kind, ending)
    return one


def is_hook(thing: Thing) -> bool:
    return "helm.sh/hook" in (thing["metadata"].get("annotations") or {})


COLLECTIONS = {
    "ServiceAccount": "/api/v1/{in_}serviceaccounts", "Secret": "/api/v1/{in_}secrets",
    "ConfigMap": "/api/v1/{in_}configmaps", "Service": "/api/v1/{in_}services",
    **{kind: f"/apis/rbac.authorization.k8s.io/v1/{{in_}}{kind.lower()}s"
       for kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")},
}  # fmt: skip
ACCESS = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


def create(admin: Rest, thing: Thing) -> None:
    namespace = thing["metadata"].get("namespace")
    inside = f"namespaces/{namespace}/" if namespace else ""
    admin.create(COLLECTIONS[thing["kind"]].format(in_=inside), thing)


def grant(admin: Rest, found: Sequence[Thing], *, hooks: bool = False) -> None:
    """The accounts and rights among what was rendered, and nothing else of it."""
    for thing in found:
        if thing["kind"] in ACCESS and is_hook(thing) == hooks:
            create(admin, thing)
