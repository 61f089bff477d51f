"""Gradient-boosted regression trees as plain arrays; all trees and samples go down one level at a time, in numpy.

Where trees come from is no matter here; `learning.trees` writes them from scikit-learn's and proves them equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.series import Floats

Table = NDArray[np.float32]
STATES: Final = 1 << 17
"""Pairs of tree and sample that go down together: about what stays in a processor's cache."""
_ARRAYS: Final = ("roots", "feature", "missing_left", "threshold", "left", "value")


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """A sum of trees over a baseline. Raises ValueError on arrays that are not such trees.

    roots: [tree], node of each root, rising from 0; the nodes of a tree lie in one piece, each before its children.
    feature: [node], which feature is compared. threshold: [node], float32; at most that goes left, above goes right.
    left: [node], the left child, the right one follows it; 0 marks a leaf. missing_left: [node], NaN goes left.
    value: [node], what a leaf adds. depth: levels below the deepest root.
    """

    baseline: float
    roots: NDArray[np.int32]
    feature: NDArray[np.int16]
    missing_left: NDArray[np.bool_]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    value: Floats
    depth: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        nodes = len(self.left)
        own = np.arange(nodes)
        inner = self.left > 0
        if any(len(getattr(self, name)) != nodes for name in _ARRAYS[1:]) or nodes == 0:
            raise ValueError("trees: the arrays of nodes differ in length, or are empty")
        if self.roots.size == 0 or self.roots[0] != 0 or (np.diff(self.roots) <= 0).any() or self.roots[-1] >= nodes:
            raise ValueError("trees: the roots do not rise from the first node on")
        ends = np.append(self.roots[1:], nodes)[np.searchsorted(self.roots, own, side="right") - 1]
        if (self.left[inner] <= own[inner]).any() or (self.left[inner] + 1 >= ends[inner]).any():
            raise ValueError("trees: a child that is not after its parent and in its tree")
        if (self.left < 0).any() or (self.feature < 0).any() or np.isnan(self.threshold[inner]).any():
            raise ValueError("trees: negative numbers of nodes or features, or a threshold that is not a number")
        if not (np.isfinite(self.value[~inner]).all() and np.isfinite(self.baseline)):
            raise ValueError("trees: a leaf that is not a finite number")
        level = np.zeros(nodes, dtype=np.int64)
        for node in np.flatnonzero(inner).tolist():
            level[self.left[node] : self.left[node] + 2] = level[node] + 1
        object.__setattr__(self, "depth", int(level.max()))

    @property
    def features(self) -> int:
        """How many features are asked for at least."""
        return int(self.feature.max()) + 1

    def predict(self, table: Table) -> Floats:
        """[sample] from a table [feature, sample] of float32, NaN = missing. The same sample has the same answer,
        whatever else is in the table.
        """
        features, samples = table.shape
        if features < self.features:
            raise ValueError(f"the trees look at {self.features} features, and the table has {features}")
        inner = self.left > 0
        # Missing is one end or the other of all numbers, by where the node sends it: two copies of the table.
        node_row = np.where(inner, self.feature + features * self.missing_left, 0).astype(np.int32)
        threshold = np.where(inner, self.threshold, np.float32(np.inf))
        left = np.where(inner, self.left, np.arange(len(self.left))).astype(np.int32)
        each = max(1, STATES // len(self.roots))
        found = np.empty(samples)
        for low, high in pairwise([*range(0, samples, each), samples]):
            part = table[:, low:high]
            missing = np.isnan(part)
            both = np.concatenate([np.where(missing, np.float32(np.inf), part), np.where(missing, -np.inf, part)])
            flat = np.ascontiguousarray(both, dtype=np.float32).ravel()
            width = high - low
            column = np.arange(width, dtype=np.int32)[None, :]
            node = np.repeat(self.roots[:, None], width, axis=1)
            for _ in range(self.depth):
                seen = flat.take(node_row.take(node) * np.int32(width) + column)
                node = left.take(node) + (seen > threshold.take(node))
            total = np.full(width, self.baseline)
            for tree in self.value.take(node):
                total += tree
            found[low:high] = total
        return found

    def arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """As named arrays of an artefact."""
        return {f"{prefix}.baseline": np.array([self.baseline])} | {
            f"{prefix}.{name}": getattr(self, name) for name in _ARRAYS
        }

    @staticmethod
    def of(arrays: Mapping[str, NDArray[Any]], prefix: str) -> Trees:
        """From the arrays of an artefact. Raises ValueError where they are missing or no trees."""
        try:
            found = {name: arrays[f"{prefix}.{name}"] for name in ("baseline", *_ARRAYS)}
        except KeyError as missing:
            raise ValueError(f"trees: no array {missing}") from None
        wanted = {"roots": "<i4", "feature": "<i2", "missing_left": "|b1", "threshold": "<f4", "left": "<i4"}
        for name, array in found.items():
            if array.ndim != 1 or array.dtype.str != wanted.get(name, "<f8"):
                raise ValueError(f"trees: {prefix}.{name} is {array.dtype.str} of {array.ndim} dimensions")
        baseline = found.pop("baseline")
        if len(baseline) != 1:
            raise ValueError(f"trees: {prefix}.baseline is not one number")
        return Trees(float(baseline[0]), **found)


def laid_out(baseline: float, trees: Iterable[NestedTree]) -> Trees:
    """Trees of explicit children as Trees: breadth first, siblings side by side, thresholds as float32.

    A threshold is rounded down, which changes no comparison with a float32.
    """
    roots: list[int] = []
    parts: list[dict[str, NDArray[Any]]] = []
    at = 0
    for tree in trees:
        order, left = [0], []
        for node in order:  # grows while it is walked
            leaf = bool(tree.is_leaf[node])
            left.append(0 if leaf else at + len(order))
            if not leaf:
                order += [int(tree.left[node]), int(tree.right[node])]
        leaves = tree.is_leaf[order]
        parts.append({
            "feature": np.where(leaves, 0, tree.feature[order]).astype(np.int16),
            "missing_left": np.where(leaves, False, tree.missing_left[order]),
            "threshold": np.where(leaves, np.float32(0), _rounded_down(tree.threshold[order])),
            "left": np.array(left, dtype=np.int32),
            "value": np.where(leaves, tree.value[order], 0.0),
        })  # fmt: skip
        roots.append(at)
        at += len(order)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Trees(baseline, np.array(roots, dtype=np.int32), **joined)


@dataclass(frozen=True, slots=True, eq=False)
class NestedTree:
    """One tree as its maker has it: [node] each, node 0 is the root, left and right are nodes."""

    feature: NDArray[Any]
    threshold: NDArray[Any]
    missing_left: NDArray[np.bool_]
    left: NDArray[Any]
    right: NDArray[Any]
    is_leaf: NDArray[np.bool_]
    value: NDArray[Any]


def _rounded_down(threshold: NDArray[Any]) -> NDArray[np.float32]:
    """float32, the largest that is not above; all but missing goes left where it is infinite."""
    with np.errstate(over="ignore"):
        near = threshold.astype(np.float32)
    down = np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)
    return np.minimum(down, np.finfo(np.float32).max).astype(np.float32)
