"""A forecast that turns bad for five days, served by the real ladder, is one alert. Row F06."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.bootstrap.alert_book import AlertBook
from autoscaler.domain.alert_sightings import Demotions, sightings
from autoscaler.domain.ladder import Why
from autoscaler.domain.series import Panel
from autoscaler.forecasting.naive import SeasonalNaive
from autoscaler.forecasting.serving import PeakServer, Rows

MADE = runpy.run_path(str(Path(__file__).parents[1] / "forecasting" / "test_qualification.py"))
DAY, DAY_S, END, Spoiled, daily = (MADE[name] for name in ("DAY", "DAY_S", "END", "Spoiled", "_daily"))


@pytest.mark.slow
def test_F06_a_bad_spell_of_a_forecast_is_told_once_and_ends_with_its_recovery(make: Any) -> None:
    values = daily(30)
    first = END - len(values)
    server = PeakServer((SeasonalNaive(DAY_S, "day"), Spoiled(first + 10 * DAY, first + 15 * DAY)))
    panel = Panel(60, first, values[None], np.empty((0, 0), dtype=np.uint8))
    rows = Rows.punctual(("shop/web",), np.array([5]))
    book, demotions, changes, seen = AlertBook(), Demotions(), [], set()
    tick = make.decisions(make.fleet())
    for quarter in range(9 * 4, 26 * 4):
        step = first + quarter * DAY // 4
        found = server.forecast(panel, rows, np.array([step]))
        assert found.standing is not None
        seen.add(Why(int(found.standing[0, 0]["why"])))
        for minute in range(4):
            now_s = 60.0 * (step + minute)
            decisions = replace(tick, now_s=now_s, seen=replace(tick.seen, standing=found.standing[:, 0]))
            demotions = demotions.after(decisions)
            changes += book.look(sightings(decisions, demotions.rows(decisions.fleet)), now_s)
    assert seen == {Why.QUALIFIED, Why.BASELINE}
    assert [(c.name, c.firing) for c in changes] == [
        ("ForesailForecastDemoted", True), ("ForesailForecastDemoted", False)
    ]  # fmt: skip
    begun, ended = ((at_s / 60 - first) / DAY for at_s in (changes[0].starts_s, changes[1].resolved_s or 0.0))
    assert 10 < begun < 15 < ended < 25, "days"
