"""The global model: quantiles of the coming peak for any workload, learned over many others.

It needs no history of the workload itself, and so speaks from the first sample on. As a PeakForecaster it gives one of
its quantiles, which others calibrate; `quantiles` gives all of them as they are, for a workload too new for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.artefact import Artefact, BadArtefact, Expected, Fault
from autoscaler.domain.series import Floats, Ints, Panel
from autoscaler.forecasting.features import VERSION, history_steps, peak_features
from autoscaler.forecasting.trees import Trees

KIND: Final = "peak-trees"
NAME: Final = "global-peak"
EXPECTED: Final = Expected(kind=KIND, name=NAME, versions={"features": VERSION})
LIMITS: Final = ("least_step_s", "most_step_s", "most_lead_s")


@dataclass(frozen=True, slots=True, eq=False)
class GlobalPeaks:
    """levels: rising, each in (0, 1), with one sum of trees each. point: the level that `peaks` gives.

    Outside the steps and leads that it was trained on it says nothing.
    """

    levels: tuple[float, ...]
    trees: tuple[Trees, ...]
    least_step_s: int
    most_step_s: int
    most_lead_s: int
    point: float = 0.95

    def __post_init__(self) -> None:
        if len(self.levels) != len(self.trees) or list(self.levels) != sorted(set(self.levels)):
            raise ValueError(
                f"one sum of trees for each rising level is needed, not {len(self.trees)} for {self.levels}"
            )
        if not all(0 < level < 1 for level in self.levels) or self.point not in self.levels:
            raise ValueError(f"levels {self.levels} lie between 0 and 1, and {self.point} is one of them")

    @property
    def name(self) -> str:
        return NAME

    def history_steps(self, step_s: int) -> int:
        return history_steps(step_s)

    def peaks(self, panel: Panel, origins: Ints, lead: int) -> Floats:
        """[row, origin], the quantile `point`; NaN without a sample of the last few steps."""
        return self._of(panel, origins, lead, (self.levels.index(self.point),))[:, :, 0]

    def quantiles(self, panel: Panel, origins: Ints, lead: int) -> Floats:
        """[row, origin, level], demand units, rising along level, as learned; NaN as in `peaks`."""
        return self._of(panel, origins, lead, tuple(range(len(self.levels))))

    def _of(self, panel: Panel, origins: Ints, lead: int, which: tuple[int, ...]) -> Floats:
        shape = (panel.rows, len(origins), len(which))
        fits = self.least_step_s <= panel.step_s <= self.most_step_s and lead * panel.step_s <= self.most_lead_s
        if not (fits and panel.rows and len(origins)):
            return np.full(shape, np.nan)
        features = peak_features(panel, origins, lead)
        table = features.table.reshape(len(features.names), -1)
        known = np.flatnonzero(~np.isnan(features.reference.ravel()))
        table = np.ascontiguousarray(table[:, known])
        found = np.full((shape[0] * shape[1], len(which)), np.nan)
        for at, k in enumerate(which):
            found[known, at] = self.trees[k].predict(table)
        relative = np.maximum.accumulate(found.reshape(shape), axis=2)
        return np.stack([features.demand(relative[:, :, at]) for at in range(len(which))], axis=2)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As arrays of an artefact."""
        found: dict[str, NDArray[Any]] = {"levels": np.array(self.levels)}
        for level, trees in zip(self.levels, self.trees, strict=True):
            found |= trees.arrays(_prefix(level))
        return found

    def limits(self) -> dict[str, float]:
        """As limits of an artefact."""
        return {name: float(getattr(self, name)) for name in LIMITS}

    @staticmethod
    def of(artefact: Artefact) -> GlobalPeaks:
        """From an artefact that was read as EXPECTED. Raises BadArtefact where its arrays are no such model."""
        manifest = artefact.manifest
        try:
            levels = _levels(artefact.arrays)
            trees = tuple(Trees.of(artefact.arrays, _prefix(level)) for level in levels)
            limits = {name: int(manifest.limits[name]) for name in LIMITS}
            found = GlobalPeaks(levels, trees, point=levels[-1], **limits)
        except (ValueError, KeyError) as why:
            raise BadArtefact(Fault.DAMAGED, f"{manifest.label}: not a global model of the peak ({why})") from None
        if any(each.features > len(manifest.features) for each in trees):
            raise BadArtefact(Fault.DAMAGED, f"{manifest.label}: its trees look at more features than it names")
        return found


def _prefix(level: float) -> str:
    return f"q{round(level * 1000):03d}"


def _levels(arrays: Mapping[str, NDArray[Any]]) -> tuple[float, ...]:
    return tuple(float(level) for level in arrays["levels"].ravel())
