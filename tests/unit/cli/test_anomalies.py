"""`foresail anomalies`: what it prints, its exit codes, and what it refuses."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from autoscaler.adapters.anomaly_metrics import AnomalyMetrics
from autoscaler.adapters.store.incidents import StoredIncidents
from autoscaler.adapters.store.migrate import bring_to_head
from autoscaler.adapters.store.place import Place
from autoscaler.bootstrap.anomaly_watching import Watcher, group_of, groups_of
from autoscaler.cli.app import app
from autoscaler.detection.contract import Block, Watched
from autoscaler.detection.engine import DetectionEngine
from autoscaler.domain.anomaly import Cause
from autoscaler.domain.errors import Refused
from autoscaler.domain.incident import Evidence, Incident, Rule, Trail
from autoscaler.domain.signals import SignalKind
from tests.unit.recorded_queries import Recorded

NOW_S = datetime.now(UTC).timestamp()
ID = "20260101-0000-abcdef"


def incident(key: str = ID, *, resolved: bool = False) -> Incident:
    line = tuple(float(k % 7 + 1) for k in range(60))
    trail = Trail("shop/web", "requests", 60, int(NOW_S // 60) - 60, line, line, line, line)
    evidence = Evidence("shop/web", "errors", SignalKind.ERRORS, 20.0, 0.5, 0.1, 0.9)
    return Incident(
        key, NOW_S - 1800, NOW_S - 600, Cause.LATENCY_ERRORS, Rule.FAILING, 0.75, ("shop/web",), 1, (evidence,),
        resolved_s=NOW_S - 600 if resolved else None, trails=(trail,),
    )  # fmt: skip


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = tmp_path / "r.db"
    bring_to_head(Place.of(path))
    StoredIncidents(path).put([incident(), incident("20260101-0100-000000", resolved=True)])
    return path


def run(*words: Any) -> Any:
    return CliRunner().invoke(app, ["anomalies", *map(str, words)])


def test_list_names_them_and_tells_of_open_ones_by_its_exit_code(record: Path) -> None:
    found = run("list", "--store", record)
    assert found.exit_code == 1
    assert ID in found.output
    assert "LatencyErrors" in found.output
    only = json.loads(run("list", "--store", record, "--open", "-o", "json").output)
    assert [one["id"] for one in only["incidents"]] == [ID]
    StoredIncidents(record).put([incident(resolved=True)])
    assert run("list", "--store", record).exit_code == 0
    assert "no incidents" in run("list", "--store", record, "--open").output


def test_show_tells_evidence_course_and_command_and_draws_it(record: Path, tmp_path: Path) -> None:
    found = run("show", ID, "--store", record, "--out", tmp_path / "i.png")
    assert found.exit_code == 0, found.output
    for words in (
        "errors 20, expected 0.5 (0.1 to 0.9)",
        "observed ",
        "kubectl -n shop rollout history",
        "errors are up",
    ):
        assert words in found.output
    assert (tmp_path / "i.png").read_bytes()[:4] == b"\x89PNG"
    assert json.loads(run("show", ID, "--store", record, "-o", "json").output)["bindsScaling"] is True


def test_show_tells_of_an_incident_that_has_no_course_to_draw(record: Path, tmp_path: Path) -> None:
    StoredIncidents(record).put([replace(incident("20260101-0200-000001"), trails=())])
    found = run("show", "20260101-0200-000001", "--store", record, "--out", tmp_path / "i.png")
    assert isinstance(found.exception, Refused)
    assert "errors 20, expected 0.5 (0.1 to 0.9)" in found.output


def test_evaluate_takes_one_place_of_metrics(tmp_path: Path) -> None:
    found = run(
        "evaluate", "--trace", tmp_path / "a.csv", "--prometheus", "http://127.0.0.1:9", "--labels", tmp_path / "l.csv"
    )
    assert "two places of metrics" in str(found.exception), found.output


def test_a_label_is_kept_and_its_calibration_told(record: Path) -> None:
    found = run("label", ID, "false", "--store", record, "--note", "a load test")
    assert "shop/web: accepted rate × 0.70: 0 labelled real, 1 false" in found.output
    assert "labelled false" in run("show", ID, "--store", record).output
    listed = json.loads(run("list", "--store", record, "-o", "json").output)
    assert listed["calibration"]["shop/web"]["factor"] == 0.7


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "nope"), "there is no such incident"),
        (("label", ID, "maybe"), "say real or false"),
        (("show", ID, "--out", "x.svg"), "PNG"),
        (("list", "--since", "soon"), "--since"),
    ],
)
def test_what_cannot_be_done_is_refused(record: Path, words: tuple[str, ...], said: str) -> None:
    found = run(*words, "--store", record)
    assert isinstance(found.exception, Refused)
    assert said in str(found.exception)


def test_watch_refuses_slips_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "q.yaml"
    for text, said in (
        ("groups: []", "write groups"),
        ("groups: [{name: a, metrics: [{name: x}]}]", "groups[0].metrics[0]: a metric has a name and a query"),
        ("groups: [{name: a, metrics: [{name: x, query: q, kind: speed}]}]", "kind 'speed' is not known"),
        ("groups: [{name: a, budget: 1, metrics: [{name: x, query: q}]}]", "unknown field 'budget'"),
        ("groups: [{name: a, falsePagesPerWeek: -1, metrics: [{name: x, query: q}]}]", "falsePagesPerWeek"),
        ("groups: [{name: a, metrics: 5}]", "groups[0].metrics: write a list"),
        ('groups: [{name: "a\\e[2J", metrics: [{name: x, query: q}]}]', "groups[0].name: a name is one line"),
        ('groups: [{name: a, metrics: [{name: "x\\ny", query: q}]}]', "groups[0].metrics[0].name: a name is one line"),
    ):
        path.write_text(text)
        with pytest.raises(Refused) as caught:
            groups_of(path, 1.0)
        assert said in str(caught.value)
    path.write_text("groups:\n- {name: a, metrics: [{name: x, query: up{job=y}}]}\n")
    with pytest.raises(Refused, match=r"q\.yaml:2: cannot be read"):
        groups_of(path, 1.0)
    for pages in (-1.0, 101.0, float("nan")):
        with pytest.raises(Refused, match="--false-pages-per-week"):
            group_of(["x=q"], pages)
    for typed in ("=q", "x", "x:speed=q", "x\x1b[2J=q"):
        with pytest.raises(Refused, match="--query"):
            group_of([typed], 1.0)


def test_watch_does_not_repeat_a_password_that_it_refuses_in_a_url() -> None:
    refused = run("watch", "--prometheus", "http://me:hush@x", "--query", "a=up", "--once")
    assert isinstance(refused.exception, Refused)
    assert "--prometheus x: source watch: no user or password in the URL" in str(refused.exception)
    assert "hush" not in str(refused.exception)


@pytest.mark.slow
def test_watch_finds_what_happens_now_without_any_workload() -> None:
    rng = np.random.default_rng(5)
    n = 12 * 288
    t = np.arange(n) / 288
    load = (300 + 200 * np.sin(2 * np.pi * (t - 0.3))) * rng.lognormal(0, 0.04, n)
    errors = np.abs(rng.normal(0.5, 0.2, n))
    errors[11 * 288 + 120 : 11 * 288 + 132] = 30 + rng.normal(0, 1, 12)
    watcher = Watcher(Recorded({"l": load, "e": errors}), (group_of(["load:demand=l", "errors:errors=e"], 1.0),), 300)
    assert not [n for n in watcher.begin(11 * 288 + 110) if n.incident.opened_s > 11 * 86_400]
    news = [each for step in range(11 * 288 + 111, 11 * 288 + 126) for each in watcher.look(step)]
    assert news[0].incident.cause is Cause.LATENCY_ERRORS
    assert news[0].incident.workloads == ("watch/queries",)
    assert watcher.open


def test_a_group_of_which_nothing_is_known_has_no_severity_rather_than_none_at_all() -> None:
    registry = CollectorRegistry()
    values = np.stack([np.full(6, np.nan), np.arange(6.0)])
    found = DetectionEngine(Watched.alone(("a", "b")), 300).observe(Block(300, 0, values))
    found = replace(found, groups=replace(found.groups, surprise=np.where(values == 5.0, 0.5, np.nan)))
    AnomalyMetrics(registry).observe(found, ("watch/a", "watch/b"), ("x", "x"))
    told = [sample.labels["name"] for one in registry.collect() for sample in one.samples if "severity" in sample.name]
    assert told == ["b"]


@pytest.mark.slow
def test_evaluate_tells_recall_at_the_asked_rate(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    begin, n = datetime(2026, 5, 1, tzinfo=UTC), 14 * 288
    values = (300 + 200 * np.sin(2 * np.pi * (np.arange(n) / 288 - 0.3))) * rng.lognormal(0, 0.05, n)
    lines = ["start,end,series"]
    for day in (8, 12):
        at = day * 288 + 100
        values[at : at + 12] *= 0.2
        lines.append(f"{begin + timedelta(minutes=5 * at)},{begin + timedelta(minutes=5 * (at + 12))},web")
    stamps = [(begin + timedelta(minutes=5 * k)).isoformat() for k in range(n)]
    pd.DataFrame({"ts": stamps, "series": "web", "value": values}).to_csv(tmp_path / "m.csv", index=False)
    (tmp_path / "l.csv").write_text("\n".join(lines))
    asked = ("--trace", tmp_path / "m.csv", "--labels", tmp_path / "l.csv")
    found = json.loads(run("evaluate", *asked, "--pages", "1", "-o", "json").output)
    every = {row["detector"]: row for row in found["detectors"]}
    ours, rival = every["foresail"], every["z-score of the trailing day"]
    assert {"tails of features alone", "forecast residual alone", "distance to usual courses alone"} < every.keys()
    assert (ours["incidents"], ours["recall"]) == (2, 1.0)
    assert ours["falsePagesPerWeek"] <= 2
    assert ours["vusPr"] > rival["vusPr"]
    assert ours["medianDelaySeconds"] <= 1800
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("kind: DetectorRecipe\ndetectors:\n- {name: pca-of-mine, detector: PCA}\n")
    found = json.loads(run("evaluate", *asked, "--pages", "1", "--detectors", recipe, "-o", "json").output)
    mine = next(row for row in found["detectors"] if row["detector"] == "pca-of-mine of the recipe")
    assert mine["recall"] == 1.0
    assert mine["falsePagesPerWeek"] <= max(1, ours["falsePagesPerWeek"])
    assert mine["vusPr"] > rival["vusPr"]
    recipe.write_text("kind: DetectorRecipe\ndetectors:\n- {name: pca, detector: PKA}\n")
    assert "recipe.yaml:3" in str(run("evaluate", *asked, "--detectors", recipe).exception)
    (tmp_path / "l.csv").write_text("start,end\n2026-05-01,2026-05-02\n")
    refused = run("evaluate", *asked)
    assert "l.csv:2" in str(refused.exception)


def labelled(tmp_path: Path, labels: str) -> tuple[Any, ...]:
    """Six days of a wave at five minutes, and a file of labels."""
    at = pd.date_range("2026-10-01", periods=6 * 288, freq="5min", tz="UTC")
    noise = np.random.default_rng(2).lognormal(0, 0.04, at.size)
    frame = pd.DataFrame({"ts": at, "series": "web", "value": 300 + 100 * np.sin(np.arange(at.size) / 45.8) * noise})
    frame.to_parquet(tmp_path / "m.parquet")
    (tmp_path / "labels.csv").write_text(labels, encoding="utf-8")
    return "evaluate", "--labels", tmp_path / "labels.csv", "--trace", tmp_path / "m.parquet"


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ("begin,end\n1,2\n", r"labels.csv:1: has the columns begin, end; needs start, end"),
        ("start,end\nsoon,later\n", r"labels.csv:2: start and end are RFC 3339 moments.*soon"),
        ("start,end\n2026-10-05T00:00,2026-10-05T01:00\n", r"labels.csv:2: .* has no zone; write"),
        ("start,end\n2026-10-05T01:00Z,2026-10-05T00:00Z\n", r"labels.csv:2: .* ends before it begins"),
        ("start,end,series\n2026-10-05T01:00Z,2026-10-05T02:00Z,wbe\n", r"no label lies within any series \(web\)"),
        ("start,end\n2026-10-01T01:00Z,2026-10-01T02:00Z\n", r"after the first 3 days .* shorter --learn"),
    ],
)
def test_labels_that_cannot_be_judged_are_refused_with_the_way_out(tmp_path: Path, labels: str, told: str) -> None:
    with pytest.raises(Refused, match=told):
        raise run(*labelled(tmp_path, labels)).exception


def test_labels_that_are_not_counted_are_told(tmp_path: Path) -> None:
    labels = (
        "start,end,series\n2026-10-05T01:00Z,2026-10-05T02:00Z,web\n2026-10-01T01:00Z,2026-10-01T02:00Z,web\n"
        "2026-11-01T01:00Z,2026-11-01T02:00Z,web\n2026-10-05T01:00Z,2026-10-05T02:00Z,wbe\n"
    )
    found = json.loads(run(*labelled(tmp_path, labels), "--pages", "1", "-o", "json").output)
    assert found["notCounted"] == [
        "1 of the labels are of wbe, which is no series here (web)",
        "1 of the labels lie in the first days, of which nothing is judged (--learn)",
        "1 of the labels lie before or after what was recorded of their series",
    ]


def test_a_watched_incident_names_the_command_with_its_record(tmp_path: Path) -> None:
    path = tmp_path / "watch.db"
    bring_to_head(Place.of(path))
    StoredIncidents(path).put([replace(incident(), workloads=("watch/queries",))])
    shown = run("show", ID, "--store", path).output
    (command,) = [line.split() for line in shown.splitlines() if line.startswith("  foresail anomalies")]
    assert command[:4] == ["foresail", "anomalies", "label", ID]
    said = CliRunner().invoke(app, command[1:])
    assert said.exit_code == 0, said.exception
    assert "labelled real" in run("show", ID, "--store", path).output
