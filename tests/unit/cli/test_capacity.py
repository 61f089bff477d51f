"""`foresail capacity` as a user calls it: what it says, what it refuses, and its exit codes."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import pandas as pd
import pytest
import yaml

from autoscaler.reporting.capacity import rounded_down

STEPS = 4 * 1440
PER = 25 * (1 - np.cos(np.arange(STEPS) * 2 * np.pi / 1440))
REPLICAS = 2.0 + np.arange(STEPS) // 600 % 3
CPU = (0.1 + 0.02 * PER) * REPLICAS


@pytest.fixture
def record(tmp_path):
    ts = pd.date_range("2026-05-04", periods=STEPS, freq="1min")
    columns = {"value": PER * REPLICAS, "replicas": REPLICAS, "cpu": CPU, "flat": np.full(STEPS, 0.3)}
    pd.DataFrame({"ts": ts, **columns}).to_parquet(tmp_path / "web.parquet")
    long = [pd.DataFrame({"ts": ts, "series": n, "value": v}) for n, v in (("load", PER), ("use", 0.1 + 0.02 * PER))]
    pd.concat(long).to_parquet(tmp_path / "long.parquet")
    return tmp_path / "web.parquet"


def asked(record: Path, *more: str, resource: str = "cpu") -> tuple[object, ...]:
    return (
        "capacity", "--load", record, "--resource", f"{record}#{resource}", "--replicas", f"{record}#replicas",
        "--limit", "1", *more,
    )  # fmt: skip


def test_the_answer_its_quality_its_curve_and_yaml_to_copy(foresail, record):
    said = foresail(*asked(record, "--summed"))
    assert (said.code, said.err) == (0, "")
    first, *rest = said.out.splitlines()
    assert first.startswith("one replica serves 45,")
    for words in (
        "90 % interval",
        "load explains 100% of the resource",
        "▁▂",
        "most carried",
        "2026-05-04 to 2026-05-08",
    ):
        assert words in said.out
    assert yaml.safe_load("\n".join(rest[-2:]))["capacity"]["perReplica"] == "45"


def test_yaml_is_a_capacity_that_a_demand_takes(foresail, record):
    from autoscaler.spec.kinds import CapacitySpec

    said = foresail(*asked(record, "--summed", "-o", "yaml"))
    parsed = CapacitySpec.model_validate(yaml.safe_load(said.out)["capacity"])
    assert parsed.per_replica is not None
    assert 43 < float(parsed.per_replica) <= 45


def test_json_has_every_figure(foresail, record):
    found = json.loads(foresail(*asked(record, "--summed", "-o", "json")).out)
    assert found["perReplica"] == pytest.approx(45, rel=0.03)
    assert found["interval"][0] <= found["perReplica"] <= found["interval"][1]
    assert (found["refused"], found["widened"], found["limit"], found["samples"]) == (None, 1.0, 1.0, STEPS // 5)
    loads, levels = np.array(found["curve"]).T
    assert (np.diff(loads) > 0).all()
    assert (np.diff(levels) >= 0).all()


def test_a_refusal_says_why_prints_no_yaml_and_ends_with_1(foresail, record):
    said = foresail(*asked(record, resource="flat"))
    assert said.code == 1
    assert said.out.startswith("no capacity: the resource does not rise with the load")
    assert "perReplica" not in said.out
    quiet = foresail(*asked(record, "-o", "yaml", resource="flat"))
    assert (quiet.code, quiet.out) == (1, "")
    assert "does not rise" in quiet.err
    assert json.loads(foresail(*asked(record, "-o", "json", resource="flat")).out)["refused"]["code"] == "NotRising"


def test_a_new_image_is_said_and_costs_capacity(foresail, record):
    said = foresail(*asked(record, "--summed", "--new-image", "2026-05-08T00:00:00Z"))
    assert said.out.startswith("one replica serves 36,")
    assert "new image      too few samples of its own yet" in said.out


def test_series_of_a_long_file_are_named_with_an_at(foresail, record):
    long = record.parent / "long.parquet"
    said = foresail("capacity", "--load", f"{long}@load", "--resource", f"{long}@use", "--limit", "1", "-o", "json")
    assert json.loads(said.out)["perReplica"] == pytest.approx(45, rel=0.03)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--limit", "-1"), "limit -1 must be a positive number"),
        (("-o", "csv"), "--output 'csv' is not known"),
        (("--since", "3d"), "--since needs --prometheus"),
        (("--new-image", "yesterday"), "--new-image 'yesterday' is not a moment"),
        (("--new-image", "2126-05-08T00:00:00Z"), "--new-image '2126-05-08T00:00:00Z' is still to come"),
        (("--step", "7m"), "a step of 420 s"),
        (("--breach", "gone.csv"), "gone.csv"),
    ],
)
def test_slips_are_refused_by_name(foresail, record, more, words):
    given = [word for word in asked(record, "--summed") if more[0] != "--limit" or word not in {"--limit", "1"}]
    said = foresail(*given, *more)
    assert said.code == 2
    assert words in said.err


def test_a_sum_needs_the_replicas(foresail, record):
    said = foresail("capacity", "--load", record, "--resource", f"{record}#cpu", "--limit", "1", "--summed")
    assert (said.code, "--summed needs --replicas" in said.err) == (2, True)


class _Prometheus(BaseHTTPRequestHandler):
    """Answers range queries for load, cpu and replicas; to anything else no series."""

    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        result = []
        if self.path.endswith("query_range"):
            first, end, step = (float(form[k]) for k in ("start", "end", "step"))
            t = np.arange(first, end + 1, step)
            load = 25 * (1 - np.cos(t * 2 * np.pi / 86400))
            rows = {"load": load * 3, "cpu": (0.1 + 0.02 * load) * 3, "replicas": np.full(len(t), 3.0)}
            values = rows.get(form["query"])
            if values is not None:
                result = [{"metric": {}, "values": [[a, f"{v:.6f}"] for a, v in zip(t.tolist(), values, strict=True)]}]
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
    server.server_close()
    thread.join()


def test_queries_are_asked_of_a_prometheus(foresail, prometheus):
    args = ("--prometheus", prometheus, "--replicas", "replicas", "--summed", "--since", "3d", "--limit", "1")
    said = foresail("capacity", "--load", "load", "--resource", "cpu", *args, "-o", "json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["perReplica"] == pytest.approx(45, rel=0.03)
    missing = foresail("capacity", "--load", "load", "--resource", "nothing", *args)
    assert missing.code == 2
    assert "nothing" in missing.err


def test_a_source_that_does_not_answer_ends_with_3(foresail):
    args = ("--load", "load", "--resource", "cpu", "--limit", "1", "--since", "1h")
    said = foresail("capacity", "--prometheus", "http://127.0.0.1:1", *args)
    assert said.code == 3


@pytest.mark.parametrize(
    ("value", "text"),
    [(44.97, "44.9"), (45.0, "45"), (44.99999999999999, "45"), (12345.0, "12300"), (0.012345, "0.0123")],
)
def test_a_capacity_is_rounded_down_and_never_up(value, text):
    assert rounded_down(value) == text
