"""The forecast benchmark's aims worked by hand, its list, and its refusal to run without data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autoscaler.learning.backtest.figures import Figures
from autoscaler.learning.backtest.pooled import Measured
from tests.bench.bench_forecast import RIVALS, main
from tests.bench.forecast.aims import aims
from tests.bench.forecast.listed import DAYS, LISTED, Listed, absent, load
from tests.bench.forecast.page import Case, Told, page

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
LEVELS = (0.5, 0.9, 0.95, 0.99)


def _figures(relative: float, coverage: tuple[float, ...] = LEVELS) -> Figures:
    return Figures(300, relative * 0.1, relative, 0.7, coverage, coverage, 1.1)


def _measured(ours: Figures, theta: float = 0.9) -> list[Measured]:
    figures: dict[str, Figures | None] = {
        "foresail": ours,
        "seasonal-naive-day": _figures(1.0),
        "ets": _figures(0.8),
        "theta": _figures(theta),
    }
    return [Measured("a", "one", figures), Measured("b", "two", figures)]


def test_all_aims_reached():
    found = aims(_measured(_figures(0.6)), ("ets", "theta"), LEVELS)
    assert [aim.reached for aim in found] == [True] * 6
    assert found[0].found == "0.600"


def test_each_aim_is_missed_by_its_own_figure():
    worse = aims(_measured(_figures(0.61, (0.5, 0.889, 0.96, 0.975)), theta=0.61), RIVALS, LEVELS)
    missed = [aim.words for aim in worse if not aim.reached]
    assert [word.split(" (")[0] for word in missed] == [
        "quantile loss at most 0.60 of seasonal-naive-day's", "coverage at 0.9 within 1 point",
        "coverage at 0.99 within 1 point", "better than theta", "better than prophet",
    ]  # fmt: skip
    assert worse[-1].found == "not measured"


def test_the_page_shows_aims_missed_losses_and_who_is_absent():
    measured = _measured(_figures(0.7))
    cases = [Case(each, LEVELS, 60, 3600, 335) for each in measured]
    found = aims(measured, RIVALS, LEVELS)
    text = page(cases, found, Told("2026-01-02", "abc1234", 600.0, DAYS, 3600.0, {"prophet": "it is not installed"}))
    assert "**2 of 7 aims are missed.**" in text
    assert "prophet did not take part: it is not installed" in text
    assert "670 forecasts per model" in text
    assert "| one | 60 s | 60 min | 335 | 0.700 | 1.000 | 0.800 | 0.900 | 0.500 0.900 0.950 0.990 |" in text


def test_names_are_unique_and_every_source_has_a_file():
    assert len({one.name for one in LISTED}) == len(LISTED)
    assert len({one.source for one in LISTED}) == 7


def test_without_data_it_ends_with_2_and_names_the_file(tmp_path, capsys):
    assert main(["--data", str(tmp_path), "--only", "isp"]) == 2
    assert "isp_traffic_hourly.parquet is missing" in capsys.readouterr().err


def _write(folder: Path, days: int) -> None:
    (folder / "forecast").mkdir()
    ts = pd.date_range("2005-06-07", periods=24 * days, freq="1h")
    t = np.arange(len(ts))
    values = (100 + 60 * np.sin(2 * np.pi * t / 24)) * np.random.default_rng(1).lognormal(0, 0.05, len(ts))
    pd.DataFrame({"ts": ts, "series": "isp_eu_transatlantic_bits", "value": values}).to_parquet(
        folder / "forecast" / "isp_traffic_hourly.parquet"
    )


def test_at_most_four_weeks_are_cut_out(tmp_path):
    _write(tmp_path, 40)
    one = next(each for each in LISTED if each.name == "isp")
    whole = load(tmp_path, Listed("isp", "isp", one.file, from_day=2))
    newest = load(tmp_path, one)
    assert len(newest.values) == len(whole.values) == DAYS * 24
    assert newest.first_step - whole.first_step == 10 * 24
    assert newest.name == "isp"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_one_series_goes_all_the_way(tmp_path, capsys):
    _write(tmp_path, 16)
    code = main(["--data", str(tmp_path), "--only", "isp", "--scratch", str(tmp_path / "out")])
    text = (tmp_path / "out" / "forecast.md").read_text(encoding="utf-8")
    said = capsys.readouterr()
    assert code == ("MISSED" in said.out)
    assert "| isp |" in text
    assert "| theta |" in text


@pytest.mark.skipif(not DATA.is_dir(), reason="the recorded loads are not here")
def test_what_is_listed_is_there_and_is_demand():
    assert absent(DATA) == []
    for one in LISTED[-6:]:
        trace = load(DATA, one)
        assert np.nanmin(trace.values) >= 0
        assert len(trace.values) * trace.step_s >= 8 * 86400
