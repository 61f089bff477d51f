"""pyod's detectors behind the contract of detection: each row's window features, learned and scored by one library.

Source: pyod 3.6, Zhao et al. (JMLR 2019). pyod's objects are no arrays, so the state holds the sample that a row was
learned from, and the object is made from it again, by a fixed seed, wherever it is missing: after a restart too.
Some of pyod's scores rank a batch within itself, and so a step among later ones: those are asked step by step.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.detection import shape
from autoscaler.detection.contract import Arrays, Block
from autoscaler.domain.series import Bools, Floats

SAMPLE: Final = 400
"""Steps of a row that are kept to learn from, evenly taken: 16 kB."""
USED: Final = len(shape.FEATURES) - 1
"""The last feature is the difference of two others: principal components would divide by nothing."""
REMEMBERED: Final = 2048
"""Objects kept, of the rows scored last."""


@dataclass(frozen=True, slots=True)
class Kind:
    """module, name: of the class. seeded: takes random_state. among: ranks what it is asked among each other."""

    module: str
    name: str
    seeded: bool = False
    among: bool = False


KINDS: Final[Mapping[str, Kind]] = {
    "IForest": Kind("pyod.models.iforest", "IForest", seeded=True),
    "ECOD": Kind("pyod.models.ecod", "ECOD", among=True),
    "KNN": Kind("pyod.models.knn", "KNN"),
    "PCA": Kind("pyod.models.pca", "PCA", seeded=True),
}


@dataclass(frozen=True, slots=True)
class Patience:
    """going: whether there is time for another row. room: whether there is memory for another object."""

    going: Callable[[], bool] = lambda: True
    room: Callable[[], bool] = lambda: True


@dataclass(slots=True)
class PyodDetector:
    """Implements detection.contract.Detector. kind: of KINDS. parameters: of pyod's constructor."""

    name: str
    kind: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    _made: OrderedDict[bytes, _Fitted | None] = field(default_factory=OrderedDict, init=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.name}: no detector {self.kind!r}; there are {', '.join(KINDS)}")

    @property
    def objects(self) -> int:
        """Objects of pyod that are kept now."""
        return len(self._made)

    def tried(self) -> str:
        """What pyod says against these parameters, on noise as short as a row may be; empty = nothing."""
        noise = np.random.default_rng(0).standard_normal((shape.LEAST, USED)).astype(np.float32)
        try:
            fitted = self._learned(noise)
            if fitted is None:
                return "it tells nothing apart"
            fitted.scores(noise[:2].astype(np.float64))
        except Exception as why:  # noqa: BLE001 - a library's own checks raise whatever they like
            return " ".join(str(why).split())[:200] or type(why).__name__
        return ""

    def fit(self, history: Block) -> Arrays:
        """See detection.contract; a row with too little known, or of one value only, scores NaN."""
        values = history.values
        scale = shape.Scale.of(values)
        z = shape.carried(scale.taken(values))
        rows, steps = z.shape
        found = shape.features(z, steps)[:USED].transpose(1, 2, 0)
        sample = np.full((rows, SAMPLE, USED), np.nan, dtype=np.float32)
        for row in range(rows):
            whole = np.flatnonzero(~np.isnan(found[row]).any(axis=1))
            if len(whole) >= shape.LEAST:
                taken = whole[np.linspace(0, len(whole) - 1, min(SAMPLE, len(whole))).astype(np.int64)]
                sample[row, : len(taken)] = found[row, taken]
        past = np.full((rows, shape.REACH), np.nan)
        kept = values[:, max(0, steps - shape.REACH) :]
        past[:, shape.REACH - kept.shape[1] :] = kept
        return {"centre": scale.centre, "width": scale.width, "sample": sample, "past": past}

    def score(self, state: Arrays, block: Block) -> tuple[Floats, Arrays]:
        """See detection.contract: distances from the sample's median score, in those to its 0.99 quantile."""
        scores, after, _ = self.score_some(state, block, Patience())
        return scores, after

    def score_some(self, state: Arrays, block: Block, patience: Patience) -> tuple[Floats, Arrays, int]:
        """As score, but row after row only while there is time, and memory where a row's object has to be made first.

        Last: how many rows were left out for it; the state is that of all rows all the same.
        """
        if len(state["past"]) != len(block.values):
            raise ValueError(f"{self.name}: a block of {len(block.values)} rows for a state of {len(state['past'])}")
        joined = np.concatenate([state["past"], block.values], axis=1)
        new = block.values.shape[1]
        z = shape.carried(shape.Scale(state["centre"], state["width"]).taken(joined))
        found = shape.features(z, new)[:USED].transpose(1, 2, 0)
        known = np.asarray(~np.isnan(found).any(axis=2) & ~np.isnan(block.values))
        out, left_out = np.full(block.values.shape, np.nan), 0
        for row in np.flatnonzero(known.any(axis=1)).tolist():
            if not patience.going() or not (self._is_made(state["sample"][row]) or patience.room()):
                left_out += 1
                continue
            fitted = self._fitted(state["sample"][row])
            if fitted is not None:
                out[row, known[row]] = fitted.scores(np.asarray(found[row][known[row]], dtype=np.float64))
        return out, {**state, "past": joined[:, joined.shape[1] - shape.REACH :]}, left_out

    def _is_made(self, sample: NDArray[np.float32]) -> bool:
        return _digest(sample) in self._made

    def _fitted(self, sample: NDArray[np.float32]) -> _Fitted | None:
        digest = _digest(sample)
        if digest in self._made:
            self._made.move_to_end(digest)
            return self._made[digest]
        made = self._made[digest] = self._learned(sample)
        if len(self._made) > REMEMBERED:
            self._made.popitem(last=False)
        return made

    def _learned(self, sample: NDArray[np.float32]) -> _Fitted | None:
        whole = np.asarray(~np.isnan(sample).any(axis=1))
        table = sample[whole].astype(np.float64)
        if len(table) < shape.LEAST or not _lively(table):
            return None
        kind = KINDS[self.kind]
        model = getattr(import_module(kind.module), kind.name)(**_seeded(kind, self.parameters))
        with np.errstate(all="ignore"):
            model.fit(table)
        scores = np.asarray(model.decision_scores_, dtype=np.float64)
        if not np.isfinite(scores).all():
            return None
        middle, high = np.quantile(scores, [0.5, 0.99])
        if not high > middle:
            return None
        return _Fitted(model, float(middle), float(high - middle), kind.among)


@dataclass(frozen=True, slots=True)
class _Fitted:
    model: Any
    middle: float
    width: float
    among: bool

    def scores(self, table: Floats) -> Floats:
        """[step] of [step, feature]."""
        with np.errstate(all="ignore"):
            if self.among:
                raw = np.array([float(self.model.decision_function(one[None])[0]) for one in table])
            else:
                raw = np.asarray(self.model.decision_function(table), dtype=np.float64)
        found = np.maximum((raw - self.middle) / self.width, 0.0)
        found[~np.isfinite(found)] = np.nan
        return found


def _digest(sample: NDArray[np.float32]) -> bytes:
    return hashlib.sha256(sample.tobytes()).digest()


def _lively(table: Floats) -> bool:
    moving: Bools = table.max(axis=0) > table.min(axis=0)
    return bool(moving.all())


def _seeded(kind: Kind, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"random_state": 0, **parameters} if kind.seeded else parameters
