"""The contract of every forecaster of the peak, and of the server that ranks and calibrates them."""

import numpy as np
import pytest

from autoscaler.domain.forecast import PeakForecast
from autoscaler.domain.series import Ints, Panel, SeriesBatch
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.contract import PeakForecaster, observed_peaks
from autoscaler.forecasting.serving import CalibrationPlan, PeakServer, Rows

STEP_S = 300
DAY = 288
STEPS = 9 * DAY
FIRST = 5_000_017
END = FIRST + STEPS
LEAD = 3
PLAN = CalibrationPlan(window_s=2 * 86400, sample_s=600, refit_s=3600, least=24)

MODELS = serving_models()
BY_NAME = pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
TAIL = np.arange(END - 30, END + 1)


def _series() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(11)
    t = np.arange(STEPS)
    daily = 200 + 150 * np.sin(2 * np.pi * t / DAY)
    noisy = daily * rng.lognormal(0, 0.1, STEPS)
    return {
        "constant": np.full(STEPS, 42.0),
        "short": np.where(t < STEPS - 20, np.nan, 50.0 + t % 7),
        "gappy": np.where(rng.random(STEPS) < 0.4, np.nan, noisy),
        "outage": np.where((t > STEPS - 400) & (t < STEPS - 10), np.nan, noisy),
        "spiky": np.where(rng.random(STEPS) < 0.01, 5000.0, 20.0) + rng.random(STEPS),
        "seasonal": noisy,
        "zero": np.zeros(STEPS),
        "huge": 1e300 * rng.random(STEPS),
        "largest": np.where(t % 2 == 0, np.finfo(np.float64).max, 0.0),
        "tiny": np.full(STEPS, 5e-324),
        "unknown": np.full(STEPS, np.nan),
    }


SERIES = _series()
BY_SERIES = pytest.mark.parametrize("kind", SERIES)


def _panel(raw: np.ndarray, first: int = FIRST) -> Panel:
    return Panel.of(SeriesBatch.judge(STEP_S, first, np.atleast_2d(raw)))


ALL = _panel(np.stack(list(SERIES.values())))
KEYS = tuple(f"shop/{kind}" for kind in SERIES)


def _serve(panel: Panel, origins: Ints, keys: tuple[str, ...] = KEYS, lead: int = LEAD) -> PeakForecast:
    server = PeakServer(MODELS, PLAN)
    found = server.forecast(panel, Rows.punctual(keys, np.full(panel.rows, lead, dtype=np.int64)), origins)
    assert server.quarantined == {}
    return found


def _same(a: PeakForecast, b: PeakForecast) -> None:
    np.testing.assert_array_equal(a.quantiles, b.quantiles)
    np.testing.assert_array_equal(a.model, b.model)
    np.testing.assert_array_equal(a.present, b.present)


@BY_NAME
@BY_SERIES
@pytest.mark.parametrize("lead", [0, LEAD, 24])
def test_answers_are_of_the_right_shape_finite_non_negative_or_unknown(
    model: PeakForecaster, kind: str, lead: int
) -> None:
    panel = _panel(SERIES[kind].copy())
    before = panel.values.copy()
    peaks = model.peaks(panel, TAIL, lead)
    assert peaks.shape == (1, len(TAIL))
    assert peaks.dtype == np.float64
    assert not np.isinf(peaks).any()
    assert not (peaks < 0).any()
    np.testing.assert_array_equal(panel.values, before)
    np.testing.assert_array_equal(model.peaks(panel, TAIL, lead), peaks)


@BY_NAME
def test_unknown_history_gives_unknown_and_zero_history_gives_zero(model: PeakForecaster) -> None:
    assert np.isnan(model.peaks(_panel(SERIES["unknown"]), TAIL, LEAD)).all()
    np.testing.assert_array_equal(model.peaks(_panel(SERIES["zero"]), TAIL, LEAD), 0.0)
    np.testing.assert_array_equal(model.peaks(_panel(SERIES["constant"]), TAIL, LEAD), 42.0)


@BY_NAME
def test_a_row_does_not_depend_on_the_others(model: PeakForecaster) -> None:
    together = model.peaks(ALL, TAIL, LEAD)
    for row, raw in enumerate(SERIES.values()):
        np.testing.assert_array_equal(model.peaks(_panel(raw), TAIL, LEAD)[0], together[row])


@BY_NAME
@pytest.mark.parametrize("stride", [1, 2, 7])
def test_a_block_of_origins_is_the_same_as_single_origins(model: PeakForecaster, stride: int) -> None:
    origins = np.arange(END - 40, END + 1, stride)
    block = model.peaks(ALL, origins, LEAD)
    for at, origin in enumerate(origins):
        np.testing.assert_array_equal(model.peaks(ALL, np.array([origin]), LEAD)[:, 0], block[:, at])


@BY_NAME
@pytest.mark.parametrize("lead", [0, LEAD, DAY - 1, DAY, 8 * DAY])
def test_nothing_at_or_after_the_origin_is_read(model: PeakForecaster, lead: int) -> None:
    origin = np.array([END - 50])
    raw = np.stack(list(SERIES.values()))
    honest = model.peaks(_panel(raw), origin, lead)
    for future in (np.nan, 1e9, 0.0):
        bent = raw.copy()
        bent[:, STEPS - 50 :] = future
        np.testing.assert_array_equal(model.peaks(_panel(bent), origin, lead), honest)
    np.testing.assert_array_equal(model.peaks(_panel(raw[:, : STEPS - 50]), origin, lead), honest)


@BY_NAME
def test_history_before_the_needed_window_changes_nothing(model: PeakForecaster) -> None:
    needed = model.history_steps(STEP_S)
    raw = np.stack(list(SERIES.values()))
    whole = model.peaks(_panel(raw), np.array([END]), LEAD)
    cut = model.peaks(_panel(raw[:, -needed:], END - needed), np.array([END]), LEAD)
    np.testing.assert_array_equal(cut, whole)


@BY_SERIES
def test_served_quantiles_rise_and_are_finite_or_absent(kind: str) -> None:
    panel = _panel(SERIES[kind].copy())
    before = panel.values.copy()
    served = _serve(panel, TAIL, (f"shop/{kind}",))
    assert served.quantiles.shape == (1, len(TAIL), 3)
    assert np.isfinite(served.quantiles[served.present]).all()
    assert np.isnan(served.quantiles[~served.present]).all()
    assert (served.quantiles[served.present] >= 0).all()
    assert (np.diff(served.quantiles[served.present], axis=-1) >= 0).all()
    np.testing.assert_array_equal(panel.values, before)


def test_what_can_be_served_is_served() -> None:
    present = dict(zip(SERIES, _serve(ALL, TAIL).present, strict=True))
    assert all(present[kind].all() for kind in ("constant", "spiky", "seasonal", "gappy"))
    assert not any(present[kind].any() for kind in ("unknown", "short", "zero"))


def test_a_served_row_does_not_depend_on_the_others_nor_on_their_order() -> None:
    together = _serve(ALL, TAIL)
    for row, (key, raw) in enumerate(zip(KEYS, SERIES.values(), strict=True)):
        alone = _serve(_panel(raw), TAIL, (key,))
        np.testing.assert_array_equal(alone.quantiles[0], together.quantiles[row], err_msg=key)
        np.testing.assert_array_equal(alone.model[0], together.model[row], err_msg=key)
    turned = _serve(_panel(np.stack(list(SERIES.values()))[::-1].copy()), TAIL, KEYS[::-1])
    np.testing.assert_array_equal(turned.quantiles[::-1], together.quantiles)


def test_a_served_row_does_not_depend_on_the_leads_of_others() -> None:
    leads = np.arange(len(KEYS), dtype=np.int64)
    mixed = PeakServer(MODELS, PLAN).forecast(ALL, Rows.punctual(KEYS, leads), TAIL)
    for row, raw in enumerate(SERIES.values()):
        alone = _serve(_panel(raw), TAIL, (KEYS[row],), lead=row)
        np.testing.assert_array_equal(alone.quantiles[0], mixed.quantiles[row])


def test_a_served_block_is_the_same_as_single_origins_and_as_cold_starts() -> None:
    origins = np.arange(END - 40, END + 1)
    block, warm = _serve(ALL, origins), PeakServer(MODELS, PLAN)
    leads = np.full(len(KEYS), LEAD, dtype=np.int64)
    for at, origin in enumerate(origins):
        one = warm.forecast(ALL, Rows.punctual(KEYS, leads), np.array([origin]))
        np.testing.assert_array_equal(one.quantiles[:, 0], block.quantiles[:, at])
        np.testing.assert_array_equal(one.model[:, 0], block.model[:, at])
    _same(_serve(ALL, origins[-1:]), warm.forecast(ALL, Rows.punctual(KEYS, leads), origins[-1:]))


def test_serving_reads_nothing_at_or_after_the_origin() -> None:
    origin = np.array([END - 50])
    raw = np.stack(list(SERIES.values()))
    honest = _serve(ALL, origin)
    for future in (np.nan, 1e9):
        bent = raw.copy()
        bent[:, STEPS - 50 :] = future
        _same(_serve(_panel(bent), origin), honest)
    _same(_serve(_panel(raw[:, : STEPS - 50]), origin), honest)


def test_history_before_the_servers_window_changes_nothing() -> None:
    server = PeakServer(MODELS[:2], CalibrationPlan(window_s=86400, sample_s=300, refit_s=3600))
    needed = server.history_steps(STEP_S, LEAD)
    assert needed < STEPS
    raw = np.stack(list(SERIES.values()))
    leads = np.full(len(KEYS), LEAD, dtype=np.int64)
    whole = server.forecast(ALL, Rows.punctual(KEYS, leads), np.array([END]))
    again = PeakServer(server.models, server.plan)
    _same(again.forecast(_panel(raw[:, -needed:], END - needed), Rows.punctual(KEYS, leads), np.array([END])), whole)


def test_no_rows_are_an_answer_too() -> None:
    empty = Panel(STEP_S, FIRST, np.empty((0, 10)), np.empty((0, 10), dtype=np.uint8))
    found = PeakServer(MODELS).forecast(
        empty, Rows.punctual((), np.empty(0, dtype=np.int64)), np.arange(FIRST, FIRST + 3)
    )
    assert found.quantiles.shape == (0, 3, 3)


def test_coverage_on_stationary_noise_is_near_nominal() -> None:
    rows, days = 24, 6
    rng = np.random.default_rng(5)
    panel = _panel(100 * rng.lognormal(0, 0.3, (rows, days * DAY)))
    origins = np.arange(FIRST + 3 * DAY, FIRST + days * DAY - LEAD)
    keys = tuple(f"shop/{r}" for r in range(rows))
    served = _serve(panel, origins, keys)
    assert served.present.all()
    came = observed_peaks(panel, origins, LEAD, limit=panel.end_step)
    covered = (came[:, :, None] <= served.quantiles).mean(axis=(0, 1))
    np.testing.assert_allclose(covered, [0.5, 0.9, 0.95], atol=0.025)


def test_peaks_are_learned_only_once_they_are_past_and_half_observed() -> None:
    values = np.array([[1.0, 5.0, np.nan, np.nan, np.nan, 2.0, 3.0, 4.0]])
    panel = Panel(60, 0, values, np.empty((0, 0), dtype=np.uint8))
    peaks = observed_peaks(panel, np.arange(8), 1, limit=7)
    np.testing.assert_array_equal(peaks, [[5.0, 5.0, np.nan, np.nan, 2.0, 3.0, np.nan, np.nan]])
