"""Scale, tails, courses, variation and calibration by themselves."""

import numpy as np
import pytest

from autoscaler.detection import calibration, covariation, expectation, shape, subsequence, tails
from autoscaler.detection.grouping import Grouping
from autoscaler.domain.verdict import MOST_SURPRISE


def test_features_of_one_step_are_those_of_a_block_to_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    z = np.where(rng.random((4, 400)) < 0.1, np.nan, rng.standard_normal((4, 400)))
    block = shape.features(z, 50)
    for k in range(50):
        end = 400 - 49 + k
        one = shape.features(z[:, end - shape.LONG - shape.MIDDLE - 1 : end], 1)
        np.testing.assert_array_equal(one[:, :, 0], block[:, :, k])


def test_means_are_means_of_what_is_known_and_nan_below_half() -> None:
    values = np.arange(200, dtype=np.float64)[None]
    means = shape.Means.of(values)
    assert means.short[0, 150] == pytest.approx(values[0, 145:151].mean())
    assert means.middle[0, 150] == pytest.approx(values[0, 127:151].mean())
    assert means.long[0, 150] == pytest.approx(values[0, 55:151].mean())
    holed = values.copy()
    holed[0, 147:151] = np.nan
    assert np.isnan(shape.Means.of(holed).short[0, 150])


def test_holes_are_carried_for_a_while_only() -> None:
    values = np.full((1, 100), np.nan)
    values[0, 10] = 3.0
    found = shape.carried(values)[0]
    assert np.isnan(found[:10]).all()
    np.testing.assert_array_equal(found[10 : 11 + shape.CARRIED], 3.0)
    assert np.isnan(found[11 + shape.CARRIED :]).all()


def test_a_constant_has_a_width_and_too_few_values_have_none() -> None:
    scale = shape.Scale.of(np.stack([np.full(300, 7.0), np.where(np.arange(300) < 100, 1.0, np.nan)]))
    assert scale.width[0] > 0
    assert np.isnan(scale.centre[1])


def test_tail_surprise_is_the_share_of_what_was_further_out() -> None:
    rng = np.random.default_rng(2)
    sample = rng.standard_normal((1, 4000))
    packed = tails.learned(sample, sample.min(axis=1), sample.max(axis=1))
    asked = np.quantile(sample, [0.6, 0.9, 0.99, 0.999])[None]
    left, right = tails.surprise(packed, asked, np.array([4000.0]))
    np.testing.assert_allclose(right[0], -np.log([0.4, 0.1, 0.01, 0.001]), rtol=0.12)
    assert (left[0] == 0).all()


def test_beyond_the_extreme_surprise_grows_to_a_limit() -> None:
    sample = np.linspace(0, 1, 1000)[None]
    packed = tails.learned(sample, sample.min(axis=1), sample.max(axis=1))
    _, right = tails.surprise(packed, np.array([[1.0, 1.05, 1.2, 1e9, np.nan]]), np.array([1000.0]))
    assert (np.diff(right[0, :3]) > 0).all()
    assert right[0, 3] <= np.log(1000) + tails.MOST_BEYOND + 1e-9
    assert np.isnan(right[0, 4])


def test_a_course_never_taken_is_far_from_the_centres_and_a_usual_one_is_near() -> None:
    t = np.arange(2000)
    z = (2 * np.sin(2 * np.pi * t / 96) + 0.1 * np.random.default_rng(3).standard_normal(2000))[None]
    centres = subsequence.learned(z)
    usual = subsequence.distances(centres, z, 200)
    odd = z.copy()
    odd[0, -96:] = 2 * np.sin(2 * np.pi * t[:96] / 20)
    assert subsequence.distances(centres, odd, 1)[0, 0] > 2 * np.nanquantile(usual, 0.99)
    learned = covariation.learned(z)
    near = covariation.distances(learned["usual"], learned["whiten"], z, 200)
    far = covariation.distances(learned["usual"], learned["whiten"], odd, 1)
    assert far[0, 0] > 2 * np.nanquantile(near, 0.99)


def test_the_expectation_follows_a_day_and_knows_nothing_of_the_step_itself() -> None:
    t = np.arange(96 * 10)
    z = np.sin(2 * np.pi * t / 96)[None]
    weights, _ = expectation.learned(z, z, 96)
    found = expectation.expected(weights, z, 96, 200)
    assert np.abs(found - z[:, -200:]).max() < 0.15
    bent = z.copy()
    bent[0, -1] = 40.0
    np.testing.assert_array_equal(expectation.expected(weights, bent, 96, 200), found)


def test_calibrated_surprise_is_the_share_of_stretches() -> None:
    rng = np.random.default_rng(4)
    ring = rng.exponential(1.0, (50, 1, calibration.SLOTS)).astype(np.float32)
    table = calibration.learned([ring])[0]
    asked = np.tile(-np.log([0.4, 0.1, 0.01, 0.001]), (50, 1, 1))
    found = calibration.surprise(table, asked)[:, 0]
    np.testing.assert_allclose(np.median(found, axis=0), [0.4, 1, 2, 3], rtol=0.12)
    back = calibration.score_at(table, np.full(50, 2.5))
    np.testing.assert_allclose(calibration.surprise(table, back[:, :, None])[:, 0, 0], 2.5, rtol=1e-5)


def test_stretches_are_the_same_however_steps_come() -> None:
    rng = np.random.default_rng(5)
    scores = rng.random((3, 2, 50))
    stretches = calibration.Stretches(6, 5)
    whole = np.full((3, 2, 5), np.nan, dtype=np.float32)
    stretches.put(whole, scores, 1000)
    parts = np.full((3, 2, 5), np.nan, dtype=np.float32)
    for k in range(50):
        stretches.put(parts, scores[:, :, k : k + 1], 1000 + k)
    np.testing.assert_array_equal(parts, whole)


def test_a_group_is_the_mean_of_its_three_worst_capped_and_a_single_row_is_itself() -> None:
    group = np.array([0, 1, 1, 1, 1, 2])
    surprise = np.array([[9.0], [1.0], [9.0], [2.0], [3.0], [np.nan]])
    found, top = Grouping.of(group, 3).combined(surprise)
    assert found[0, 0] == 9.0
    assert found[1, 0] == pytest.approx((MOST_SURPRISE + 3 + 2) / 3)
    assert np.isnan(found[2, 0])
    assert top[1, 0].tolist() == [2, 4, 3]
    assert top[0, 0].tolist() == [0, -1, -1]
    assert top[2, 0].tolist() == [-1, -1, -1]
    with pytest.raises(ValueError, match="has no rows"):
        Grouping.of(np.array([0, 2]), 3)
