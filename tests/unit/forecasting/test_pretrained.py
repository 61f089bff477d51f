"""The global model as a forecaster: causal, block as single, silent outside its limits; and the one that we ship."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from autoscaler.adapters.artefacts import read_artefact, write_artefact
from autoscaler.bootstrap.models import packaged_models
from autoscaler.domain.artefact import Artefact, BadArtefact, Manifest
from autoscaler.domain.series import Floats, Panel
from autoscaler.forecasting.features import VERSION, peak_features
from autoscaler.forecasting.pretrained import EXPECTED, KIND, NAME, GlobalPeaks
from autoscaler.forecasting.trees import NestedTree, Trees, laid_out

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = 1440
NO_VERDICTS = np.empty((0, 0), dtype=np.uint8)


def _stump(feature: int, threshold: float, low: float, high: float) -> Trees:
    leaf = np.array([False, True, True])
    tree = NestedTree(
        np.array([feature, 0, 0]), np.array([threshold, 0, 0]), np.zeros(3, dtype=bool),
        np.array([1, 0, 0]), np.array([2, 0, 0]), leaf, np.array([0.0, low, high]),
    )  # fmt: skip
    return laid_out(0.0, [tree])


def _model() -> GlobalPeaks:
    """Median: the recent level; .95: half more after a calm hour, thrice after a lively one; .9 crosses it."""
    names = peak_features(_panel(np.ones(3)), np.array([3]), 0).names
    lively = names.index("max-60m")
    trees = (_stump(lively, 0.5, 0.0, 0.0), _stump(lively, 0.5, 0.1, 2.0), _stump(lively, 0.5, 0.4, 1.1))
    return GlobalPeaks((0.5, 0.9, 0.95), trees, 15, 300, 3600)


def _panel(values: Any, step_s: int = 60, first: int = 0) -> Panel:
    return Panel(step_s, first, np.atleast_2d(np.asarray(values, dtype=np.float64)), NO_VERDICTS)


def _loads() -> Floats:
    rng = np.random.default_rng(0)
    calm = rng.poisson(100, 2 * DAY).astype(np.float64)
    burst = calm.copy()
    burst[-30:-25] = 500
    gappy = np.where(rng.random(2 * DAY) < 0.3, np.nan, calm)
    return np.stack([calm, burst, gappy, np.zeros(2 * DAY), np.full(2 * DAY, np.nan)])


def test_quantiles_rise_are_demand_and_unknown_where_nothing_is_known() -> None:
    found = _model().quantiles(_panel(_loads()), np.array([2 * DAY]), 3)[:, 0]
    assert (np.diff(found[:4], axis=1) >= 0).all()
    assert found[0, 2] == pytest.approx(100 * 1.5, rel=0.2)
    assert found[1, 2] > 250
    np.testing.assert_array_equal(found[3], 0.0)
    assert np.isnan(found[4]).all()


def test_the_point_is_the_top_level() -> None:
    panel, origins = _panel(_loads()[:2]), np.arange(2 * DAY - 5, 2 * DAY)
    model = _model()
    top = model.trees[-1]
    alone = GlobalPeaks((0.95,), (top,), 15, 300, 3600)
    np.testing.assert_array_equal(model.peaks(panel, origins, 3), alone.quantiles(panel, origins, 3)[:, :, 0])
    assert model.peaks(panel, origins, 3).dtype == np.float64


def test_it_speaks_from_the_first_sample_on() -> None:
    found = _model().quantiles(_panel([30.0]), np.array([1]), 3)[0, 0]
    assert np.isfinite(found).all()
    assert found[0] == pytest.approx(30.0)


def test_a_block_is_the_same_as_single_origins_and_reads_nothing_later() -> None:
    loads, model = _loads(), _model()
    origins = np.arange(2 * DAY - 40, 2 * DAY, 3)
    block = model.quantiles(_panel(loads), origins, 3)
    for at, origin in enumerate(origins.tolist()):
        cut = _panel(loads[:, :origin])
        np.testing.assert_array_equal(model.quantiles(cut, np.array([origin]), 3)[:, 0], block[:, at])


@pytest.mark.parametrize(("step_s", "lead"), [(10, 1), (600, 1), (60, 61), (300, 13)])
def test_outside_its_limits_it_says_nothing(step_s: int, lead: int) -> None:
    assert np.isnan(_model().peaks(_panel(np.ones(500), step_s), np.array([500]), lead)).all()


def test_no_rows_and_no_origins_give_nothing() -> None:
    model = _model()
    assert model.peaks(Panel(60, 0, np.empty((0, 5)), NO_VERDICTS), np.array([5]), 1).shape == (0, 1)


def _manifest(model: GlobalPeaks) -> Manifest:
    names = peak_features(_panel(np.ones(3)), np.array([3]), 0).names
    return Manifest(
        kind=KIND, name=NAME, created=NOW, versions={"features": VERSION}, limits=model.limits(), features=names
    )


def test_through_files_and_back_it_answers_the_same(tmp_path) -> None:
    model = _model()
    write_artefact(tmp_path / "m", _manifest(model), model.arrays())
    back = GlobalPeaks.of(read_artefact(tmp_path / "m", EXPECTED, NOW))
    panel, origins = _panel(_loads()), np.arange(2 * DAY - 9, 2 * DAY)
    np.testing.assert_array_equal(back.quantiles(panel, origins, 3), model.quantiles(panel, origins, 3))
    assert (back.levels, back.most_lead_s, back.point) == (model.levels, model.most_lead_s, 0.95)


def test_S07_arrays_that_are_no_model_and_other_features_are_refused(tmp_path) -> None:
    model = _model()
    write_artefact(tmp_path / "whole", _manifest(model), model.arrays())
    artefact = read_artefact(tmp_path / "whole", EXPECTED, NOW)
    for gone in ("levels", "q950.left"):
        arrays = {name: array for name, array in artefact.arrays.items() if name != gone}
        specs = {name: spec for name, spec in artefact.manifest.arrays.items() if name != gone}
        with pytest.raises(BadArtefact, match="not a global model"):
            GlobalPeaks.of(Artefact(replace(artefact.manifest, arrays=specs), arrays))
    with pytest.raises(BadArtefact, match="more features"):
        GlobalPeaks.of(Artefact(replace(artefact.manifest, features=("one",)), artefact.arrays))
    told = replace(_manifest(model), versions={"features": "0"})
    write_artefact(tmp_path / "older", told, model.arrays())
    with pytest.raises(BadArtefact, match="train it anew"):
        read_artefact(tmp_path / "older", EXPECTED, NOW)


def test_levels_and_trees_must_agree() -> None:
    tree = _stump(0, 0.5, 0, 1)
    with pytest.raises(ValueError, match="one sum of trees"):
        GlobalPeaks((0.5, 0.95), (tree,), 15, 300, 3600)
    with pytest.raises(ValueError, match="is one of them"):
        GlobalPeaks((0.5, 0.9), (tree, tree), 15, 300, 3600)


def test_the_packaged_model_is_in_force_small_and_keeps_its_coverage_on_a_load_it_never_saw() -> None:
    folder = packaged_models()
    artefact, faults = folder.in_force(EXPECTED, NOW)
    assert not faults
    assert sum(spec.size_bytes for spec in artefact.manifest.files.values()) < 2_000_000
    model, rng = GlobalPeaks.of(artefact), np.random.default_rng(4)
    t = np.arange(DAY)
    loads = rng.poisson(200 * (1.3 + np.sin(2 * np.pi * (t / DAY + rng.random((40, 1))))))
    origins = np.arange(30, DAY - 4)
    found = model.quantiles(_panel(loads), origins, 3)
    came = np.max([loads[:, origins + k] for k in range(4)], axis=0)
    assert 0.9 < (came <= found[:, :, 2]).mean() < 0.999
    assert (np.median(found[:, :, 2] / came) < 1.5).all()
    assert folder.card(NAME, 1)
