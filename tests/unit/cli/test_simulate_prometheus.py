"""`foresail simulate` on the range of a Prometheus: what it asks for, and what it makes of the answers."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pandas as pd
import pytest

from tests.unit.cli.recorded import COLUMNS, PLAIN

SERIES = {"web": 1, "two": 2, "holed": 1, "odd": 1, "limits": 1}


def _values(query: str, stamps: list[float]) -> list[list[Any]]:
    values: list[list[Any]] = [[t, f"{100 + 60 * np.sin(t / 9000):.3f}"] for t in stamps]
    if query == "odd":
        values[10][1], values[11][1] = "+Inf", "-3"
    if query == "limits":
        values = [[t, "2" if 30 <= k < 40 else "0"] for k, (t, _) in enumerate(values) if k >= 20]
    return values


class _Prometheus(BaseHTTPRequestHandler):
    """Answers range queries about a wave that is scraped each minute: `web`, `two` series of it, or `none`.

    `holed`: only the newest request is answered. `odd`: some samples are infinite or negative. `limits`: above zero in
    ten steps, without a sample in the first twenty.
    """

    asked: list[dict[str, str]]

    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()))
        query = form.get("query", "")
        if self.path.endswith("query_range"):
            self.asked.append(form)
            if query == "holed" and sum(a["query"] == "holed" for a in self.asked) > 1:
                self.send_error(503)
                return
            first, end, step = (float(form[k]) for k in ("start", "end", "step"))
            stamps = np.arange(first, end + 1, step).tolist()
            parts = re.findall(r'label_replace\(\((\w+)\), "(\w+)", "(\d+)", "", ""\)', query)
            result = [
                {"metric": {"n": str(n), **labels}, "values": _values(name, stamps)}
                for name, labels in ([(name, {tag: i}) for name, tag, i in parts] or [(query, {})])
                for n in range(SERIES.get(name, 0))
            ]
            said = {"resultType": "matrix", "result": result}
        else:
            said = {"resultType": "vector", "result": []}
        body = json.dumps({"status": "success", "data": said}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815 - the server's own naming

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def prometheus() -> Iterator[tuple[str, list[dict[str, str]]]]:
    asked: list[dict[str, str]] = []
    handler = type("Handler", (_Prometheus,), {"asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.slow
def test_a_range_is_read_in_requests_within_the_limit(foresail, prometheus):
    url, asked = prometheus
    said = foresail("simulate", "--prometheus", url, "--query", "web", "--since", "8d", "--step", "60s", *PLAIN)
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["series"] == "prometheus"
    assert found["steps"] == 8 * 1440
    ranges = [(float(a["end"]) - float(a["start"])) / 60 + 1 for a in asked if a["query"] == "web"]
    assert len(ranges) >= 2
    assert max(ranges) <= 10_000
    assert sum(ranges) == 8 * 1440


@pytest.mark.parametrize(
    ("query", "words", "code"),
    [("two", "the query answers several series: aggregate it", 2), ("none", "no sample: the series is gone", 2)],
)
def test_a_query_that_tells_no_one_demand_is_refused(foresail, prometheus, query, words, code):
    said = foresail("simulate", "--prometheus", prometheus[0], "--query", query, "--since", "1d", *PLAIN)
    assert said.code == code
    assert words in said.err


def test_a_part_that_is_not_answered_is_no_hole_in_demand(foresail, prometheus):
    said = foresail("simulate", "--prometheus", prometheus[0], "--query", "holed", "--since", "2w", *PLAIN)
    assert said.code == 3
    assert "of 20160 steps" in said.err


def test_samples_that_are_no_demand_are_unknown_and_counted(foresail, prometheus):
    said = foresail("simulate", "--prometheus", prometheus[0], "--query", "odd", "--since", "5h", *PLAIN)
    assert said.code == 0, said.err
    notes = json.loads(said.out)["notes"]
    assert [n[:16] for n in notes if "NaN or Inf" in n or "negative" in n] == ["1 of 300 steps: "] * 2


def test_steps_in_which_a_second_query_is_above_zero_are_censored(foresail, prometheus, tmp_path):
    args = ("--prometheus", prometheus[0], "--query", "web", "--since", "5h", "--warmup", "0s", *PLAIN)
    said = foresail("simulate", *args, "--censored-query", "limits", "--out", "rows.parquet")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert (found["figures"]["censoredSteps"], found["figures"]["steps"]) == (10, 290)
    assert any("10 of 300 steps are censored" in n for n in found["notes"])
    frame = pd.read_parquet(tmp_path / "rows.parquet")
    assert list(frame.columns) == [*COLUMNS, "censored"]
    assert np.flatnonzero(frame["censored"]).tolist() == list(range(30, 40))
    silent = json.loads(foresail("simulate", *args, "--censored-query", "none").out)
    assert silent["figures"]["censoredSteps"] == 0
    assert any("--censored-query has no sample in the whole range" in n for n in silent["notes"])
    said = foresail("simulate", *args, "--censored-query", "two")
    assert said.code == 2
    assert "--censored-query two': the query answers several series" in said.err


def test_a_source_that_is_down_is_exit_3(foresail):
    said = foresail("simulate", "--prometheus", "http://127.0.0.1:9", "--query", "up", "--since", "1d", *PLAIN)
    assert said.code == 3
    assert "did not answer" in said.err
