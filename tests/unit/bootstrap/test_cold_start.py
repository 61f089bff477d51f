"""The model in force reaches the server of a running service, and a promotion replaces it between ticks."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from autoscaler.bootstrap.cold_start import ColdStart, packaged_server
from autoscaler.bootstrap.models import models_folder, packaged_models
from autoscaler.domain.series import Panel, SeriesBatch
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.serving import PeakServer, Rows

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def test_the_packaged_model_forecasts_from_the_first_sample_on() -> None:
    panel = Panel.of(SeriesBatch.judge(60, 1000, np.array([[250.0]])))
    found = packaged_server().forecast(panel, Rows.punctual(("a/b",), np.array([5])), np.array([1001]))
    assert found.models[int(found.model[0, 0])] == "global-peak"
    assert 200 < found.quantiles[0, 0, 0] <= found.quantiles[0, 0, 2] < 1000


def test_F11_a_damaged_own_model_leaves_the_packaged_one_in_force(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    shutil.copytree(packaged_models().root, models_folder(store), ignore=shutil.ignore_patterns("README*"))
    broken = models_folder(store) / "global-peak" / "1" / "arrays.npz"
    broken.write_bytes(broken.read_bytes()[:-100])
    server = PeakServer(serving_models())
    clock_s = 0.0
    cold = ColdStart.beside(store)
    cold.clock_s = lambda: clock_s
    cold.follow(server, NOW)
    first = server.start
    assert first is not None
    assert cold.served.trouble is not None
    clock_s = 3600.0
    cold.follow(server, NOW)
    assert server.start is first


def test_a_look_is_taken_only_now_and_then(tmp_path: Path) -> None:
    clock_s = 0.0
    cold, server = ColdStart.beside(tmp_path / "s.db"), PeakServer(serving_models())
    cold.clock_s = lambda: clock_s
    cold.follow(server, NOW)
    server.start = None
    cold.served.packaged.artefact = None  # as if another one had been promoted since
    cold.served.packaged._newest = None
    cold.follow(server, NOW)
    assert server.start is None
    clock_s = cold.look_every_s
    cold.follow(server, NOW)
    assert server.start is not None
