"""What is gathered to learn from, what is passed over and why, and what a training leaves behind."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

import numpy as np
import pytest

from autoscaler.adapters.artefacts import ModelFolder
from autoscaler.adapters.demand_store import DemandStore
from autoscaler.bootstrap.models_training import TrainingLimits
from autoscaler.bootstrap.training import Gathered, Order, of_files, of_kept_demand, of_queries, train
from autoscaler.domain.errors import Refused, SourceDown
from autoscaler.domain.series import DataVerdict
from autoscaler.forecasting.pretrained import EXPECTED, NAME, GlobalPeaks
from autoscaler.learning.global_model import GlobalPlan
from autoscaler.learning.training_samples import Learnable
from autoscaler.learning.trees import TreePlan
from autoscaler.ports.history import KeptDemand

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PLAN = GlobalPlan(leads_s=(180,), pairs=2000, trees=TreePlan(rounds=5, least=30))
ORDER = Order(PLAN, NOW, TrainingLimits(seconds=100, memory_bytes=2 * 1024**3))


def _csv(path, rows: str):
    path.write_text("ts,series,value,censored\n" + rows)
    return path


def test_every_series_of_a_file_without_its_lower_bounds_and_without_those_that_tell_nothing(tmp_path) -> None:
    rows = ""
    for k in range(40):
        at = f"2026-01-01T00:{k:02d}:00Z"
        rows += f"{at},web,{k + 1},{int(k == 5)}\n{at},idle,0,0\n"
        rows += f"{at},short,1,0\n" if k < 10 else ""
    found = of_files([("shop", _csv(tmp_path / "shop.csv", rows))], None, None)
    (web,) = found.series
    assert (web.source, web.name, web.step_s) == ("shop", "web", 60)
    assert np.isnan(web.values[5])
    assert np.nansum(web.values) == sum(range(1, 41)) - 6
    assert sorted(words.split(":")[0] for words in found.passed_over) == ["idle", "short"]


def test_kept_demand_is_read_beside_its_service_and_not_changed(tmp_path) -> None:
    place = tmp_path / "foresail-demand.db"
    first = 1_780_000_000 // 60
    values = np.arange(1.0, 101.0)[None, :]
    marks = np.full(values.shape, DataVerdict.OK, dtype=np.uint8)
    marks[0, 3], marks[0, 4] = DataVerdict.PARTIAL, DataVerdict.MISSING
    values[0, 4] = np.nan
    with DemandStore.open(place) as store:
        store.save([KeptDemand(("shop/web/requests",), 60, first, values, marks)])
        before = place.read_bytes()
        (web,) = of_kept_demand(place).series
        assert place.read_bytes() == before
    assert web.name == "shop/web/requests"
    at = first - web.first_step
    np.testing.assert_array_equal(np.isnan(web.values[at : at + 6]), [False, False, False, True, True, False])
    assert web.values[at + 99] == 100.0


@pytest.mark.parametrize("body", [None, b"no database", b""])
def test_what_is_no_kept_demand_is_refused_and_left_alone(tmp_path, body) -> None:
    place = tmp_path / "x.db"
    if body is not None:
        place.write_bytes(body)
    with pytest.raises(Refused, match=r"x\.db"):
        of_kept_demand(place)
    assert (place.read_bytes() if place.exists() else None) == body


class _Prometheus(BaseHTTPRequestHandler):
    """Answers ranges of `web`; of anything else it has no series."""

    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        result = []
        if self.path.endswith("query_range") and form["query"] == "web":
            first, end, step = (float(form[k]) for k in ("start", "end", "step"))
            result = [{"metric": {}, "values": [[t, "7"] for t in np.arange(first, end + 1, step).tolist()]}]
        kind = "matrix" if self.path.endswith("query_range") else "vector"
        body = json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815 - the server's own naming

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def prometheus() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Prometheus)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_each_query_is_a_series_and_one_without_an_answer_costs_only_itself(prometheus: str) -> None:
    found = of_queries(prometheus, [("shop/gone", "gone"), ("shop/web", "web")], 3 * 3600, 60, 1.78e9)
    (web,) = found.series
    assert (web.source, web.name, web.step_s, len(web.values)) == ("prometheus", "shop/web", 60, 180)
    assert found.passed_over[0].startswith("shop/gone: ")


def test_a_source_that_is_down_is_said_at_once() -> None:
    with pytest.raises(SourceDown):
        of_queries("http://127.0.0.1:9", [("shop/web", "up")], 3600, 60, 1.78e9)


def _series(seed: int = 0, source: str = "shop") -> Learnable:
    values = np.random.default_rng(seed).poisson(100, 2880).astype(np.float64)
    return Learnable(source, f"w{seed}", 60, 0, values)


@pytest.mark.slow
def test_F05_a_training_leaves_the_next_generation_with_card_and_metrics_and_promotes_nothing(tmp_path) -> None:
    models = ModelFolder(tmp_path / "models")
    gathered = Gathered((_series(0), _series(1), _series(2, "other")))
    order = replace(ORDER, plan=replace(PLAN, leave_out=("other",)))
    for generation in (1, 2):
        made = train(models, gathered, order)
        assert made.manifest is not None, made.words
        assert made.manifest.generation == generation
    assert models.promoted(NAME) is None
    artefact = models.load(NAME, 2, NOW, EXPECTED)
    assert GlobalPeaks.of(artefact).levels == (0.5, 0.9, 0.95)
    told = artefact.manifest
    assert {"held-out.q950.coverage", "left-out.q950.loss-ratio", "pairs"} <= set(told.metrics)
    assert told.data_hash
    assert "generation 1" in (models.card(NAME, 1) or ""), "a training that is not in force changes no card that is"
    card = models.card(NAME, 2) or ""
    assert "generation 2" in card
    assert "- shop: 2 series" in card
    assert "left out on purpose: other" in card
    assert "| held-out |" in card


def test_F05_a_training_over_its_time_is_ended_and_leaves_nothing(tmp_path) -> None:
    models = ModelFolder(tmp_path / "models")
    limits = TrainingLimits(seconds=0.5, memory_bytes=2 * 1024**3)
    made = train(models, Gathered((_series(),)), replace(ORDER, limits=limits))
    assert made.manifest is None
    assert "more time" in made.words
    assert models.generations(NAME) == ()


def test_nothing_to_learn_from_says_why(tmp_path) -> None:
    with pytest.raises(Refused, match="zero throughout"):
        train(ModelFolder(tmp_path), Gathered((), ("idle: zero throughout",)), ORDER)
