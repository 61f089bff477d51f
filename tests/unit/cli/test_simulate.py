"""`foresail simulate` as a user calls it: its answer, its file, and what it says to bad input."""

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from autoscaler.domain.workload import Actuation
from autoscaler.spec.compile import acting_by
from autoscaler.spec.reader import parse_text

COLUMNS = ["ts", "series", "demand", "wanted", "granted", "ready", "p50", "p95", "margin", "lead_s", "reasons"]
START = datetime(2026, 3, 1, tzinfo=UTC)
COUNT = 300
PLAIN = ("--capacity", 10, "-o", "json")

AUTOSCALER = """apiVersion: foresail.dev/v1alpha1
kind: PredictiveAutoscaler
metadata: {name: web, namespace: shop}
spec:
  target: {apiVersion: apps/v1, kind: Deployment, name: web}
  demands: [{name: requests, source: prod, query: "sum(rate(x[1m]))", capacity: {perReplica: "8"}}]
  objective: {risk: "1%"}
  lead: {ready: 10m}
  replicas: {min: 3, max: 40}
"""


def lines(count: int = COUNT, step_s: int = 300) -> list[str]:
    stamps = [START + timedelta(seconds=k * step_s) for k in range(count)]
    return [f"{t.isoformat()},{100 + 60 * np.sin(k / 20):.3f}" for k, t in enumerate(stamps)]


def write(path: Path, rows: list[str], head: str = "ts,value") -> None:
    path.write_text("\n".join([head, *rows]) + "\n")


@pytest.fixture
def web(tmp_path) -> Path:
    write(tmp_path / "web.csv", lines())
    return tmp_path / "web.csv"


def test_the_file_has_one_row_per_step_with_the_documented_columns(foresail, web, tmp_path):
    said = foresail("simulate", "--trace", "web.csv", "--out", "new/decisions.parquet", *PLAIN)
    assert said.code == 0
    frame = pd.read_parquet(tmp_path / "new" / "decisions.parquet")
    assert list(frame.columns) == COLUMNS
    assert str(frame["ts"].dt.tz) == "UTC"
    assert list(frame["ts"]) == [START + timedelta(seconds=300 * k) for k in range(COUNT)]
    assert set(frame["series"]) == {"web"}
    assert [frame[c].dtype.kind for c in ("wanted", "granted", "ready")] == ["i"] * 3
    assert frame["p95"].isna().any()
    assert frame["p95"].notna().any()
    foresail("simulate", "--trace", "web.csv", "--out", "decisions.csv", *PLAIN)
    text = pd.read_csv(tmp_path / "decisions.csv", parse_dates=["ts"])
    assert list(text.columns) == COLUMNS
    np.testing.assert_array_equal(text["wanted"], frame["wanted"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["decisions.csv", "new", "web.csv"]


def test_every_column_and_option_is_documented(foresail):
    text = (Path(__file__).parents[3] / "docs" / "simulate.md").read_text()
    assert not [c for c in COLUMNS if f"`{c}`" not in text]
    options = set(re.findall(r"--[a-z-]+", foresail("simulate", "--help").out)) - {"--help", "--output"}
    assert len(options) > 15
    assert not [option for option in options if option not in text]


def test_the_table_says_what_was_assumed_and_both_sides(foresail, web):
    said = foresail("simulate", "--trace", "web.csv")
    assert said.code == 0
    for words in (
        "lead 180 s (the default", "accepted risk 0.5% (the default", "no data delay", "no actuation delay",
        "derived from the warm-up alone", "a third of it is warm-up", "replica-hours", "over the clairvoyant bound",
        "under-provisioned", "unserved demand", "worst shortage", "longest shortage", "churn", "direction changes",
        "realised / asked risk",
    ):  # fmt: skip
        assert words in said.out, words


def test_json_and_yaml_say_the_same(foresail, web):
    found = json.loads(foresail("simulate", "--trace", "web.csv", *PLAIN).out)
    text = foresail("simulate", "--trace", "web.csv", "--capacity", 10, "-o", "yaml").out
    again = YAML(typ="safe").load(text)
    assert found.pop("tookSeconds") >= 0
    again.pop("tookSeconds")
    assert again == found
    assert found["figures"]["steps"] == 200
    assert found["settings"]["actuation"] == "Scale"
    assert found["figures"]["riskAsked"] == 0.005


def test_half_a_percent_is_written_either_way(foresail, web):
    def figures(*risk: str) -> object:
        return json.loads(foresail("simulate", "--trace", "web.csv", *risk, *PLAIN).out)["figures"]

    assert figures("--risk", "0.5%") == figures("--risk", "0.005") == figures()


def test_a_cut_file_decides_the_same_until_the_cut_even_within_the_warm_up(foresail, web, tmp_path):
    foresail("simulate", "--trace", "web.csv", "--out", "whole.parquet", *PLAIN)
    whole = pd.read_parquet(tmp_path / "whole.parquet")
    for count in (20, 150):
        write(tmp_path / "part.csv", lines(count))
        said = foresail("simulate", "--trace", "part.csv", "--warmup", "7d", "--out", "part.parquet", *PLAIN)
        assert json.loads(said.out)["figures"]["steps"] == 0
        part = pd.read_parquet(tmp_path / "part.parquet")
        columns = [c for c in COLUMNS if c != "series"]
        pd.testing.assert_frame_equal(part[columns], whole[columns][:count])
    assert "nothing to score" in foresail("simulate", "--trace", "part.csv", "--warmup", "7d", "--capacity", 10).out


def test_a_config_sets_what_is_not_typed(foresail, web, tmp_path):
    (tmp_path / "pa.yaml").write_text(AUTOSCALER)
    found = json.loads(foresail("simulate", "--trace", "web.csv", "--config", "pa.yaml", "-o", "json").out)
    asked = found["settings"]
    assert (asked["capacity"], asked["leadSeconds"], asked["risk"]) == (8.0, 600.0, 0.01)
    assert (asked["actuation"], asked["hpaTarget"], asked["actuationDelaySeconds"]) == ("HpaFloor", 70, 0.0)
    assert (asked["minReplicas"], asked["maxReplicas"]) == (3, 40)
    args = ("--config", "pa.yaml", "--risk", "2%", "--lead", "5m", "--hpa-target", 90, *PLAIN)
    asked = json.loads(foresail("simulate", "--trace", "web.csv", *args).out)["settings"]
    assert (asked["capacity"], asked["leadSeconds"], asked["risk"], asked["hpaTarget"]) == (10.0, 300.0, 0.02, 90)


UP_LIMITED = "  behavior: {scaleUp: {policies: [{type: Pods, value: 1, periodSeconds: 300}]}}\n"


def test_another_actuation_than_the_files_brings_its_own_defaults(foresail, tmp_path):
    """Scale may double or add four in 15 s as an HPA may; a floor jumps. What the file sets itself stands for both."""
    rows = lines(60)
    rows[40:] = [row.rsplit(",", 1)[0] + ",500.0" for row in rows[40:]]
    write(tmp_path / "jump.csv", rows)
    by_scale = AUTOSCALER.replace("spec:\n", "spec:\n  actuation: Scale\n  acknowledge: [NoReactiveBackup]\n")
    files = {
        "floor": AUTOSCALER, "scale": by_scale, "floor-limited": AUTOSCALER + UP_LIMITED,
        "scale-limited": by_scale + UP_LIMITED,
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text.replace("max: 40", "max: 400"))

    def decided(config: str, *args: object) -> pd.DataFrame:
        said = foresail(
            "simulate",
            "--trace",
            "jump.csv",
            "--config",
            f"{config}.yaml",
            "--out",
            "rows.parquet",
            *args,
            "-o",
            "json",
        )
        assert said.code == 0, said.err
        return pd.read_parquet(tmp_path / "rows.parquet")

    for limits in ("", "-limited"):
        scale, floor = decided(f"scale{limits}"), decided(f"floor{limits}")
        assert not scale["granted"].equals(floor["granted"])
        pd.testing.assert_frame_equal(decided(f"floor{limits}", "--actuation", "Scale"), scale)
        pd.testing.assert_frame_equal(decided(f"scale{limits}", "--actuation", "HpaFloor"), floor)


@pytest.mark.parametrize(("typed", "policies"), [("Scale", 2), ("HpaFloor", 0)])
def test_a_typed_actuation_has_the_scale_up_limits_that_it_has_by_default(typed, policies):
    """Observed need is spared by step limits, so that a run alone would rarely tell."""
    fleet = parse_text(AUTOSCALER, "pa.yaml", known_sources=("prod",))
    (load,) = replace(fleet, autoscalers=(acting_by(fleet.autoscalers[0], Actuation(typed)),)).compile()
    assert load.actuation.value == typed
    assert len(load.scale_up.policies) == policies


def test_limits_and_failing_starts_are_part_of_the_cluster(foresail, web, tmp_path):
    def ready(*args: object) -> pd.Series:
        foresail("simulate", "--trace", "web.csv", "--lead", "10m", "--out", "rows.parquet", *args, *PLAIN)
        return pd.read_parquet(tmp_path / "rows.parquet")["ready"]

    assert ready("--min", 9, "--max", 12).between(9, 12).all()
    failing = ready("--start-failure", "50%", "--seed", 1)
    assert (failing <= ready()).all()
    assert (failing < ready()).any()
    pd.testing.assert_series_equal(failing, ready("--start-failure", "0.5", "--seed", 1))


def test_a_lead_with_quantiles_is_planned_with_its_p95_and_drawn_for_each_replica(foresail, web, tmp_path):
    def decided(lead: str, *args: object) -> tuple[dict[str, Any], pd.DataFrame]:
        said = foresail("simulate", "--trace", "web.csv", "--lead", lead, "--out", "rows.parquet", *args, *PLAIN)
        return json.loads(said.out), pd.read_parquet(tmp_path / "rows.parquet")

    found, drawn = decided("p95=20m, p50=8m", "--seed", 2)
    assert (found["settings"]["leadSeconds"], found["settings"]["leadP50Seconds"]) == (1200.0, 480.0)
    assert any("log-normal with p50 480 s and p95 1200 s; the p95 is planned with" in n for n in found["notes"])
    assert (drawn["lead_s"] == 1200.0).all()
    told, fixed = decided("20m")
    assert told["settings"]["leadP50Seconds"] is None
    pd.testing.assert_series_equal(drawn["granted"], fixed["granted"])  # under Scale nothing decided looks at ready
    assert drawn["ready"].sum() > fixed["ready"].sum()  # most are sooner than the p95
    assert (drawn["ready"] < fixed["ready"]).any()
    pd.testing.assert_frame_equal(drawn, decided("p50=8m,p95=20m", "--seed", 2)[1])
    assert not drawn.equals(decided("p50=8m,p95=20m", "--seed", 3)[1])


def test_nodes_delay_starts_and_are_part_of_the_planned_lead_unless_some_are_spare(foresail, web, tmp_path):
    def decided(*args: object) -> tuple[dict[str, Any], pd.DataFrame]:
        said = foresail("simulate", "--trace", "web.csv", "--lead", "5m", "--out", "rows.parquet", *args, *PLAIN)
        return json.loads(said.out), pd.read_parquet(tmp_path / "rows.parquet")

    without, plain = decided()
    assert any("always find room on a node (type --node-replicas)" in n for n in without["notes"])
    assert without["settings"]["nodeReplicas"] is None
    assert without["figures"]["nodeHours"] is None
    found, rows = decided("--node-replicas", 4, "--node-ready", "10m")
    assert found["settings"]["leadSeconds"] == 900.0
    assert (rows["lead_s"] == 900.0).all()
    assert any("planned to wait for a node: 600 s of the planned lead" in n for n in found["notes"])
    assert found["figures"]["nodeHours"] * 4 >= found["figures"]["replicaHours"]
    spare, spared = decided("--node-replicas", 4, "--spare-nodes", 3, "--node-ready", "10m")
    assert (spared["lead_s"] == 300.0).all()
    assert spare["figures"]["nodeHours"] > found["figures"]["nodeHours"]
    pd.testing.assert_series_equal(spared["granted"], plain["granted"])
    pd.testing.assert_series_equal(spared["ready"], plain["ready"])  # three spare nodes are enough for this wave


def test_delays_are_part_of_the_answer(foresail, web):
    args = ("--data-delay", "10m", "--actuation-delay", "15s", "--lead", "5m", *PLAIN)
    found = json.loads(foresail("simulate", "--trace", "web.csv", *args).out)
    assert found["settings"]["dataDelaySeconds"] == 600.0
    assert found["settings"]["actuationDelaySeconds"] == 15.0
    assert not any("no data delay" in note or "no actuation delay" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "either --trace FILE, or --prometheus URL --query QUERY"),
        (("--trace", "web.csv", "--prometheus", "http://x"), "either --trace FILE, or --prometheus"),
        (("--trace", "web.csv", "--query", "x"), "--query needs --prometheus URL"),
        (("--trace", "web.csv", "--since", "1d"), "--since needs --prometheus URL"),
        (("--prometheus", "http://x", "--column", "x"), "--column needs --trace FILE"),
        (("--trace", "web.csv", "--censored-query", "x"), "--censored-query needs --prometheus URL"),
        (("--trace", "web.csv", "--censored-column", "x"), "no column 'x'. Columns are 'ts', 'value'"),
        (("--prometheus", "http://x", "--censored-column", "x"), "--censored-column needs --trace FILE"),
        (("--prometheus", "http://x"), "--prometheus needs --query"),
        (("--prometheus", "x:9090", "--query", "up"), "--prometheus x:9090: source prometheus: the URL needs http://"),
        (("--prometheus", "http://x", "--query", "up", "--since", "soon"), "--since 'soon' is not a duration"),
        (("--trace", "web.csv", "--risk", "0.5"), "--risk '0.5': a risk of 50 % of the time short of capacity is"),
        (("--trace", "web.csv", "--risk", "21%"), "the limit is 20 %"),
        (("--trace", "web.csv", "--risk", "0"), "a risk of zero"),
        (("--trace", "web.csv", "--risk", "nan"), "--risk 'nan'"),
        (("--trace", "web.csv", "--capacity", "0"), "--capacity 0 must be a positive number"),
        (("--trace", "web.csv", "--capacity", "nan"), "--capacity nan must be a positive number"),
        (("--trace", "web.csv", "--lead", "soon"), "--lead 'soon' is not a duration; write e.g."),
        (("--trace", "web.csv", "--lead", "p95=90s"), "--lead 'p95=90s': p50 is missing; write \"p50=90s,p95=240s\""),
        (("--trace", "web.csv", "--lead", "p50=90s"), "p95 is missing; write"),
        (("--trace", "web.csv", "--lead", "p50=9m,p95=4m"), "p95 is below p50, but 95 % of the replicas cannot be"),
        (("--trace", "web.csv", "--lead", "p50=90s,p99=240s"), "'p99=240s' is neither p50=… nor p95=…, each once"),
        (("--trace", "web.csv", "--lead", "p50=1s,p50=2s"), "'p50=2s' is neither p50=… nor p95=…, each once"),
        (("--trace", "web.csv", "--lead", "90s,240s"), "'90s' is neither p50=… nor p95=…"),
        (("--trace", "web.csv", "--lead", "p50=soon,p95=9m"), "--lead p50 'soon' is not a duration"),
        (("--trace", "web.csv", "--lead", "p50=0s,p95=9m"), "a median of zero has no spread"),
        (("--trace", "web.csv", "--lead", "p50=1h,p95=25h"), "--lead p95 '25h' is longer than 24 hours"),
        (("--trace", "web.csv", "--spare-nodes", "1"), "--spare-nodes needs --node-replicas"),
        (("--trace", "web.csv", "--node-ready", "90s"), "--node-ready needs --node-replicas"),
        (("--trace", "web.csv", "--node-replicas", "0"), "--node-replicas 0 must be 1 to 10,000"),
        (("--trace", "web.csv", "--node-replicas", "8", "--spare-nodes", "-1"), "--spare-nodes -1 must be 0 to 10,000"),
        (("--trace", "web.csv", "--node-replicas", "8", "--node-ready", "x"), "--node-ready 'x' is not a duration"),
        (
            ("--trace", "web.csv", "--node-replicas", "8", "--node-ready", "25h"),
            "--node-ready '25h' is longer than 24 hours",
        ),
        (("--trace", "web.csv", "--data-delay", "x"), "--data-delay 'x' is not a duration"),
        (("--trace", "web.csv", "--actuation-delay", "-5s"), "--actuation-delay '-5s' is not a duration"),
        (("--trace", "web.csv", "--warmup", "x"), "--warmup 'x' is not a duration"),
        (("--trace", "web.csv", "--step", "0.5s"), "--step '0.5s'"),
        (("--trace", "web.csv", "--step", "60s"), "step of 60 s is finer than the file"),
        (("--prometheus", "http://x", "--query", "up", "--step", "1s"), "--since 30d: 2,592,000 steps of 1 s, above"),
        (("--trace", "web.csv", "--actuation", "KedaFloor"), "--actuation 'KedaFloor' is not known; use Scale or"),
        (("--trace", "web.csv", "--hpa-target", "80"), "--hpa-target needs --actuation HpaFloor"),
        (("--trace", "web.csv", "--actuation", "HpaFloor", "--hpa-target", "0"), "a percentage from 1 to 100"),
        (("--trace", "web.csv", "--min", "5", "--max", "4"), "--min 5 and --max 4 must keep 1 ≤ min ≤ max"),
        (("--trace", "web.csv", "--min", "0"), "must keep 1 ≤ min"),
        (("--trace", "web.csv", "--start-failure", "150%"), "--start-failure '150%' is not a share of replicas"),
        (("--trace", "web.csv", "--start-failure", "few"), "--start-failure 'few' is not a share"),
        (("--trace", "web.csv", "-o", "html"), "--output 'html' is not known; use table, json or yaml"),
        (("--trace", "web.csv", "--out", "rows.txt"), "its name must end in .parquet, .pq, .csv"),
        (("--trace", "web.csv", "--out", "web.csv/rows.csv"), "--out web.csv/rows.csv: cannot be written"),
        (("--trace", "web.csv", "--warmup", "0s"), "in the warm-up to derive a capacity from; pass --capacity"),
        (("--trace", "web.csv", "--config", "nope.yaml"), "--config nope.yaml: cannot be read (No such file"),
        (("--trace", "web.csv", "--config", "two.yaml"), "holds 2 PredictiveAutoscalers; one is simulated at a time"),
        (("--trace", "web.csv", "--config", "demands.yaml"), "has several demands (requests, jobs)"),
        (("--trace", "web.csv", "--config", "broken.yaml"), "broken.yaml:"),
    ],
)
def test_a_slip_in_an_option_is_answered_by_name(foresail, web, tmp_path, args, words):
    (tmp_path / "two.yaml").write_text(AUTOSCALER + "---\n" + AUTOSCALER.replace("name: web", "name: api"))
    (tmp_path / "broken.yaml").write_text(AUTOSCALER.replace("max: 40", "max: many"))
    more = '{name: jobs, source: prod, query: "y", capacity: {perReplica: "8"}}]'
    (tmp_path / "demands.yaml").write_text(AUTOSCALER.replace('"8"}}]', '"8"}}, ' + more))
    said = foresail("simulate", *args)
    assert said.code == 2
    assert words in said.err
    assert not said.out


SERIES_HEAD = "ts,series,value"


@pytest.mark.parametrize(
    ("rows", "head", "words"),
    [
        ([], "ts,value", "two different time stamps are the least"),
        (lines(), "ts,requests", "no column 'value'"),
        (lines(), "when,value", "no column 'ts'"),
        ([*lines(), "2026-03-01T00:00:00+00:00,5"], "ts,value", "stands twice with different values"),
        ([*lines(), "2026-03-09T00:00:00+00:00,-1"], "ts,value", "negative demand (got -1)"),
        ([*lines(), "2026-03-09T00:00:00+00:00,inf"], "ts,value", "infinite value (got inf)"),
        (
            [*lines(), "2026-03-01T00:02:30+00:00,7"],
            "ts,value",
            "half a step of 300 s off the grid; give a longer step (--step)",
        ),
        ([*lines(), "2026-03-09T00:00:00+00:00,1e16"], "ts,value", "1e+16 at 2026-03-09T00:00:00Z is no load"),
        ([*lines(), "2026-03-09T00:00:00,7"], "ts,value", "no time zone, while other rows have one"),
        ([*lines(), "2026-13-01T00:00:00+00:00,7"], "ts,value", "not a time"),
        ([*lines(), "2026-03-09T00:00:00+00:00,many"], "ts,value", "not a number"),
        ([*lines(), "2199-03-09T00:00:00+00:00,5"], "ts,value", "simulated at once; average with a longer --step"),
        ([r.replace(",", f",{s},") for s in "ab" for r in lines()], SERIES_HEAD, "holds 2 series; name one: a, b"),
    ],
)
def test_demand_that_would_need_a_guess_is_refused(foresail, tmp_path, rows, head, words):
    write(tmp_path / "bad.csv", rows, head)
    said = foresail("simulate", "--trace", "bad.csv", *PLAIN)
    assert said.code == 2
    assert words in said.err


def test_demand_that_can_be_mended_by_a_stated_rule_decides_the_same(foresail, web, tmp_path):
    def decided(name: str, *args: object) -> tuple[pd.DataFrame, list[str]]:
        said = foresail("simulate", "--trace", name, "--out", "rows.parquet", *args, *PLAIN)
        assert said.code == 0, said.err
        return pd.read_parquet(tmp_path / "rows.parquet").drop(columns="series"), json.loads(said.out)["notes"]

    plain, _ = decided("web.csv")
    rows = lines()
    shifted = [
        f"{(datetime.fromisoformat(t) + timedelta(hours=2)).replace(tzinfo=None).isoformat()}+02:00,{v}"
        for t, v in (r.split(",") for r in rows)
    ]
    for variant, words in (
        (rows[::-1], "sorted by time"),
        ([*rows, rows[5]], "dropped 1 repeated row(s)"),
        (shifted, "converted from zone(s) +02:00 to UTC"),
        ([r.replace(":00+00:00", ":07+00:00", 1) if k == 9 else r for k, r in enumerate(rows)], "snapped 1 time"),
    ):
        write(tmp_path / "odd.csv", variant)
        mended, notes = decided("odd.csv")
        assert any(words in note for note in notes), (words, notes)
        pd.testing.assert_frame_equal(mended, plain)
    write(tmp_path / "long.csv", [r.replace(",", f",{s},") for s in "ab" for r in rows], SERIES_HEAD)
    pd.testing.assert_frame_equal(decided("long.csv", "--series", "b")[0], plain)
    write(tmp_path / "gap.csv", rows[:50] + rows[60:])
    gap, notes = decided("gap.csv")
    assert any("10 of 300 steps have no row: unknown" in note for note in notes)
    assert len(gap) == COUNT
    assert gap["demand"].isna().sum() == 10


class _Prometheus(BaseHTTPRequestHandler):
    """Answers range queries about a wave that is scraped each minute: `web`, `two` series of it, or `none`.

    `holed`: only the newest request is answered. `odd`: some samples are infinite or negative. `limits`: above zero in
    ten steps, without a sample in the first twenty.
    """

    asked: list[dict[str, str]]

    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        query = form.get("query", "")
        series = {"web": 1, "two": 2, "holed": 1, "odd": 1, "limits": 1}.get(query, 0)
        if self.path.endswith("query_range"):
            self.asked.append(form)
            if query == "holed" and sum(a["query"] == "holed" for a in self.asked) > 1:
                self.send_error(503)
                return
            first, end, step = (float(form[k]) for k in ("start", "end", "step"))
            values = [[t, f"{100 + 60 * np.sin(t / 9000):.3f}"] for t in np.arange(first, end + 1, step).tolist()]
            if query == "odd":
                values[10][1], values[11][1] = "+Inf", "-3"
            if query == "limits":
                values = [[t, "2" if 30 <= k < 40 else "0"] for k, (t, _) in enumerate(values) if k >= 20]
            result = [{"metric": {"n": str(n)}, "values": values} for n in range(series)]
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


def test_marks_in_a_file_are_counted_and_printed_apart(foresail, web, tmp_path):
    rows = [f"{row},{int(250 <= k < 260)}" for k, row in enumerate(lines())]
    write(tmp_path / "marked.csv", rows, "ts,value,censored")
    said = foresail("simulate", "--trace", "marked.csv", "--out", "rows.csv", *PLAIN)
    figures = json.loads(said.out)["figures"]
    assert (figures["steps"], figures["censoredSteps"], figures["unobservedSteps"]) == (190, 10, 0)
    assert list(pd.read_csv(tmp_path / "rows.csv").columns) == [*COLUMNS, "censored"]
    table = foresail("simulate", "--trace", "marked.csv", "--capacity", 10).out
    assert "10 of 300 steps are censored: lower bounds of demand" in table
    assert re.search(r"censored +10 +steps +not scored; 3 short even of the +bound", table), table
    write(tmp_path / "marked.csv", rows, "ts,value,cut")
    assert 'censoredSteps": 10' in foresail("simulate", "--trace", "marked.csv", "--censored-column", "cut", *PLAIN).out
    assert "censored" not in foresail("simulate", "--trace", "marked.csv", "--capacity", 10).out


def test_a_source_that_is_down_is_exit_3(foresail):
    said = foresail("simulate", "--prometheus", "http://127.0.0.1:9", "--query", "up", "--since", "1d", *PLAIN)
    assert said.code == 3
    assert "did not answer" in said.err
