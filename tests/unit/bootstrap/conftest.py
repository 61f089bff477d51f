"""An estate on disk: recorded demand and fleet files, as a user would write them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # before anything freezes time: pandas reads clocks while it is imported
import pytest

END = datetime(2026, 6, 10, 9, tzinfo=UTC)
DAY_STEPS = 1440


@dataclass(frozen=True)
class Estate:
    """folder: of the fleet files. Demand is recorded each minute up to END, unless told otherwise."""

    folder: Path

    def record(
        self, file: str = "web.csv", *series: str, end: datetime = END, steps: int = 600, **levels: float
    ) -> Path:
        """A gentle wave per series, around 200 or the level that is given for it."""
        stamps = [end - timedelta(minutes=steps - k) for k in range(steps)]
        hours = np.array([t.hour + t.minute / 60 for t in stamps])
        frames = []
        for name in series or ("web",):
            values = levels.get(name, 200.0) * (1 + 0.3 * np.sin(2 * np.pi * hours / 24))
            frames.append(pd.DataFrame({"ts": [t.isoformat() for t in stamps], "series": name, "value": values}))
        path = self.folder / file
        pd.concat(frames).to_csv(path, index=False)
        return path

    def write(self, *documents: str, file: str = "fleet.yaml") -> Path:
        """As an editor does: the new text is there at once."""
        path = self.folder / file
        (draft := path.with_suffix(".draft")).write_text("---\n".join(documents))
        draft.replace(path)
        return path


def _source(name: str = "rec", path: str = "web.csv") -> str:
    return (
        f"apiVersion: foresail.dev/v1alpha1\nkind: MetricsSource\nmetadata: {{name: {name}}}\n"
        f"spec: {{file: {{path: {path}}}}}\n"
    )


def _workload(name: str = "web", *, source: str = "rec", query: str | None = None, **fields: Any) -> str:
    """fields: lines of the spec, as text, that replace the usual ones."""
    namespace = fields.pop("namespace", "shop")
    spec = {
        "mode": "Act",
        "actuation": "Scale",
        "acknowledge": "[NoReactiveBackup]",
        "target": f"{{apiVersion: apps/v1, kind: Deployment, name: {name}}}",
        "demands": f'[{{name: requests, source: {source}, query: {query or name}, capacity: {{perReplica: "10"}}}}]',
        "replicas": "{min: 2, max: 60}",
        "lead": "{ready: 2m}",
    } | fields
    lines = "".join(f"  {key}: {value}\n" for key, value in spec.items())
    return (
        "apiVersion: foresail.dev/v1alpha1\nkind: PredictiveAutoscaler\n"
        f"metadata: {{name: {name}, namespace: {namespace}}}\nspec:\n{lines}"
    )


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    (tmp_path / "fleet").mkdir()
    return Estate(tmp_path / "fleet")


@pytest.fixture(scope="session")
def source() -> Callable[..., str]:
    return _source


@pytest.fixture(scope="session")
def workload() -> Callable[..., str]:
    return _workload
