"""Trees as arrays: the answer of a tree done by hand, and refusal of arrays that are no trees."""

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.forecasting.trees import NestedTree, Trees, laid_out


def _by_hand() -> Trees:
    """x0 <= 1 ? (x1 <= 5, missing left ? 10 : 20) : 30, and a lone leaf of 1; baseline 0.5."""
    first = NestedTree(
        feature=np.array([0, 1, 0, 0, 0]), threshold=np.array([1.0, 5.0, 0, 0, 0]),
        missing_left=np.array([False, True, False, False, False]),
        left=np.array([1, 3, 0, 0, 0]), right=np.array([2, 4, 0, 0, 0]),
        is_leaf=np.array([False, False, True, True, True]), value=np.array([0, 0, 30.0, 10.0, 20.0]),
    )  # fmt: skip
    none = np.array([False])
    lone = NestedTree(np.array([0]), np.array([0.0]), none, np.array([0]), np.array([0]), ~none, np.array([1.0]))
    return laid_out(0.5, [first, lone])


def test_a_tree_done_by_hand() -> None:
    nan, inf = np.nan, np.inf
    table = np.array([[0, 1, 1.01, nan, 0, -inf], [5, 6, 0, 0, nan, inf]], dtype=np.float32)
    np.testing.assert_array_equal(_by_hand().predict(table), [11.5, 21.5, 31.5, 31.5, 11.5, 21.5])


def test_samples_do_not_depend_on_each_other() -> None:
    trees, rng = _by_hand(), np.random.default_rng(0)
    table = rng.normal(1, 5, (2, 200_000)).astype(np.float32)
    found = trees.predict(table)
    np.testing.assert_array_equal(trees.predict(np.ascontiguousarray(table[:, 70_000:70_010])), found[70_000:70_010])
    assert trees.predict(table[:, :0]).shape == (0,)


def test_a_threshold_between_two_float32_is_rounded_down() -> None:
    low = np.float32(1.0)
    high = np.nextafter(low, np.float32(2))
    leaf = np.array([False, True, True])
    tree = NestedTree(
        np.zeros(3, int), np.array([(float(low) + float(high)) / 2 + 1e-9, 0, 0]), ~leaf & leaf,
        np.array([1, 0, 0]), np.array([2, 0, 0]), leaf, np.array([0, -1.0, 1.0]),
    )  # fmt: skip
    np.testing.assert_array_equal(laid_out(0.0, [tree]).predict(np.array([[low, high]])), [-1.0, 1.0])


def test_arrays_there_and_back() -> None:
    trees = _by_hand()
    back = Trees.of(trees.arrays("q950"), "q950")
    table = np.random.default_rng(0).normal(2, 3, (2, 50)).astype(np.float32)
    np.testing.assert_array_equal(back.predict(table), trees.predict(table))
    assert back.depth == 2
    with pytest.raises(ValueError, match="q900"):
        Trees.of(trees.arrays("q950"), "q900")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"left": np.array([1, 0, 1, 0, 0, 0], dtype=np.int32)}, "child"),
        ({"left": np.array([5, 0, 3, 0, 0, 0], dtype=np.int32)}, "child"),
        ({"left": np.array([1, 0, -3, 0, 0, 0], dtype=np.int32)}, "negative|child"),
        ({"left": np.array([1, 0, 3], dtype=np.int32)}, "length"),
        ({"roots": np.array([0, 9], dtype=np.int32)}, "roots"),
        ({"roots": np.array([5, 0], dtype=np.int32)}, "roots"),
        ({"value": np.array([0, 0, np.nan, 1, 2, 3.0])}, "finite"),
        ({"baseline": np.inf}, "finite"),
        ({"threshold": np.array([np.nan, 0, 5, 0, 0, 0], dtype=np.float32)}, "threshold"),
        ({"feature": np.array([-1, 0, 1, 0, 0, 0], dtype=np.int16)}, "negative"),
    ],
)
def test_arrays_that_are_no_trees_are_refused(changes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(_by_hand(), **changes)


def test_too_few_features_are_refused() -> None:
    with pytest.raises(ValueError, match="2 features"):
        _by_hand().predict(np.zeros((1, 3), dtype=np.float32))
