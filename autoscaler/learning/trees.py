"""Quantile trees by scikit-learn's HistGradientBoostingRegressor, exported as `forecasting.trees`.

Source: Ke et al., LightGBM (NeurIPS 2017), as implemented in scikit-learn 1.9 (sklearn.ensemble, histogram-based).
scikit-learn keeps its trees in private fields, so that every export is asked beside the original, and refused where the
two differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.series import Floats
from autoscaler.forecasting.trees import NestedTree, Trees, laid_out

PROOF: Final = 2000
"""Samples on which an export must answer as the original."""


@dataclass(frozen=True, slots=True)
class TreePlan:
    """rounds: trees of one quantile. leaves: most of one tree. rate: what each tree adds of its answer. least: samples
    of a leaf. share: of the features that a split looks at. seed: of that choice. threads: more than one only where
    cores are free; beside other work they wait for each other.
    """

    rounds: int = 100
    leaves: int = 31
    rate: float = 0.08
    least: int = 100
    share: float = 0.5
    seed: int = 0
    threads: int = 1


class NotTheSame(RuntimeError):
    """The export answers otherwise than the original: this scikit-learn keeps its trees in another form."""


def fit_quantile(table: NDArray[np.float32], target: Floats, level: float, plan: TreePlan) -> Trees:
    """Trees of one quantile. table: [sample, feature], NaN = missing. target: [sample]."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    model = HistGradientBoostingRegressor(
        loss="quantile", quantile=level, max_iter=plan.rounds, learning_rate=plan.rate, max_leaf_nodes=plan.leaves,
        min_samples_leaf=plan.least, l2_regularization=1.0, max_features=plan.share, early_stopping=False,
        random_state=plan.seed,
    )  # fmt: skip
    telling = _telling(table)
    with threadpool_limits(limits=plan.threads):
        model.fit(table[:, telling], target)
        return exported(model, table[:PROOF], telling)


def exported(model: Any, proof: NDArray[np.float32], columns: NDArray[np.int64] | None = None) -> Trees:
    """The trees of a fitted HistGradientBoostingRegressor without categories.

    proof: [sample, feature]. columns: which of those features the model was fitted on, None = all.
    """
    asked = np.arange(proof.shape[1]) if columns is None else columns
    nested = []
    for (predictor,) in model._predictors:  # noqa: SLF001 - scikit-learn has no public access to its trees
        nodes = predictor.nodes
        if nodes["is_categorical"].any():
            raise NotTheSame("a split by categories cannot be exported")
        nested.append(
            NestedTree(
                asked[nodes["feature_idx"]], nodes["num_threshold"], nodes["missing_go_to_left"].astype(bool),
                nodes["left"], nodes["right"], nodes["is_leaf"].astype(bool), nodes["value"],
            )
        )  # fmt: skip
    trees = laid_out(float(np.ravel(model._baseline_prediction)[0]), nested)  # noqa: SLF001 - as above
    expected, found = model.predict(proof[:, asked]), trees.predict(np.ascontiguousarray(proof.T))
    if not np.allclose(found, expected, rtol=1e-12, atol=1e-12):
        worst = float(np.abs(found - expected).max())
        raise NotTheSame(f"the exported trees differ from scikit-learn's by up to {worst:g}")
    return trees


def _telling(table: NDArray[np.float32]) -> NDArray[np.int64]:
    """Columns with at least two different values: of others scikit-learn refuses those that are all missing."""
    low, high = np.fmin.reduce(table, axis=0), np.fmax.reduce(table, axis=0)
    return np.flatnonzero(high > low)
