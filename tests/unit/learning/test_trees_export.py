"""What scikit-learn has learned and what numpy answers are the same."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from autoscaler.learning.trees import TreePlan, exported, fit_quantile


def _table(rows: int = 3000, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    table = rng.normal(0, 2, (rows, 6)).astype(np.float32)
    table[:, 1] = np.round(table[:, 1])  # ties on thresholds
    table[rng.random(table.shape) < 0.2] = np.nan
    target = np.nan_to_num(table[:, 0]) + np.where(np.isnan(table[:, 2]), 3.0, 0.0) + rng.gamma(1, 1, rows)
    return table, target


@pytest.mark.parametrize("loss", [{"loss": "quantile", "quantile": 0.95}, {"loss": "squared_error"}])
def test_an_export_answers_as_the_original_also_far_out_and_where_everything_is_missing(loss) -> None:
    table, target = _table()
    model = HistGradientBoostingRegressor(**loss, max_iter=25, max_leaf_nodes=15, random_state=0).fit(table, target)
    trees = exported(model, table[:100])
    asked, _ = _table(4000, seed=9)
    asked[0] = np.nan
    asked[1], asked[2] = 1e30, -1e30
    np.testing.assert_allclose(
        trees.predict(np.ascontiguousarray(asked.T)), model.predict(asked), rtol=1e-12, atol=1e-12
    )


def test_columns_that_tell_nothing_are_left_out_and_the_others_keep_their_place() -> None:
    table, target = _table()
    padded = np.insert(np.insert(table, 0, np.nan, axis=1), 3, 7.0, axis=1)
    trees = fit_quantile(padded, target, 0.9, TreePlan(rounds=10, share=1.0))
    plain = fit_quantile(table, target, 0.9, TreePlan(rounds=10, share=1.0))
    assert set(np.unique(trees.feature[trees.left > 0])) <= {1, 2, 4, 5, 6, 7}
    np.testing.assert_array_equal(
        trees.predict(np.ascontiguousarray(padded.T)), plain.predict(np.ascontiguousarray(table.T))
    )


def test_about_the_asked_share_lies_below_the_quantile() -> None:
    table, target = _table(6000)
    trees = fit_quantile(table, target, 0.9, TreePlan(rounds=60))
    asked, came = _table(6000, seed=5)
    assert 0.87 < (came <= trees.predict(np.ascontiguousarray(asked.T))).mean() < 0.93
