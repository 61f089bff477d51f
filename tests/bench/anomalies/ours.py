"""Our engine over a case as it would have run live, its results kept in a scratch folder while its code is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.detection.contract import Block, Watched
from autoscaler.detection.engine import DetectionEngine
from autoscaler.domain.series import Bools, Floats
from tests.bench.anomalies.cases import Case

ROOT: Final = Path(__file__).resolve().parents[3]
OURS: Final = (
    "calibration", "covariation", "engine", "expectation", "fitting", "grouping", "memory", "paging", "scoring",
    "shape", "subsequence", "tails",
)  # fmt: skip
ASKED: Final = (0.1, 0.25, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Ours:
    """All [group, step]. surprise, severity: of the two tracks. rate: false pages a week, as promised."""

    surprise: Floats
    severity: Floats
    rate: Floats
    alarm: Bools | None = None


def relived(case: Case, scratch: Path, budget: float = 0.25) -> Ours:
    """The engine's verdicts, each day fitted on the two weeks before it."""

    def run() -> dict[str, NDArray[Any]]:
        watched = Watched(case.keys, case.group, np.full(len(case.groups), budget))
        groups = DetectionEngine(watched, case.step_s).relive(Block(case.step_s, case.first_step, case.values)).groups
        return {"surprise": groups.surprise, "severity": groups.severity, "rate": groups.rate_per_week}

    files = [ROOT / "autoscaler" / "detection" / f"{name}.py" for name in OURS]
    return Ours(**kept(scratch, f"ours-{case.name}-{case.step_s}-{budget}", files, case, run))


def kept(
    scratch: Path, name: str, files: list[Path], case: Case, run: Callable[[], dict[str, NDArray[Any]]]
) -> dict[str, NDArray[Any]]:
    """What `run` gives, or gave last with the same code in `files` and the same data."""
    digest = hashlib.sha256(case.values.tobytes())
    for file in files:
        digest.update(file.read_bytes())
    path = scratch / f"{name.replace('/', '-').replace(' ', '-')}-{digest.hexdigest()[:12]}.npz"
    if not path.exists():
        scratch.mkdir(parents=True, exist_ok=True)
        found = run()
        np.savez(path, allow_pickle=False, **found)
        return found
    with np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}
