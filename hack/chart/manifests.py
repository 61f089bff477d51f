"""The plain manifests: what helm renders from the chart with its defaults, for those who apply files."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hack.parts.locate import path_of

NAMESPACE = "foresail"
HEAD = """\
# Written by `make chart`: charts/foresail rendered with its defaults. Change the chart, not this file.
#   kubectl apply --server-side -f charts/foresail/files/crds -f charts/manifests/foresail.yaml
# The image is `foresail`, without a registry: set yours. Before you delete this, hand the floors back:
#   foresail release --all
---
apiVersion: v1
kind: Namespace
metadata:
  name: foresail
  labels: {pod-security.kubernetes.io/enforce: restricted}
"""


def manifests(chart: Path) -> str:
    """RuntimeError with helm's words when it cannot be rendered, or without helm."""
    helm = path_of("helm")
    if helm is None:
        raise RuntimeError("helm is not here; run: python3 hack/parts ensure helm")
    command: list[str | Path] = [
        helm,
        "template",
        "foresail",
        chart,
        "--namespace",
        NAMESPACE,
        "--no-hooks",
        "--set",
        "crds.install=false",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(f"helm template: {done.stderr}")
    return HEAD + done.stdout.replace("app.kubernetes.io/managed-by: Helm", "app.kubernetes.io/managed-by: manifests")
