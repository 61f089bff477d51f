"""The read-only API over a record, over a real socket: bounded, escaped, GET alone. Rows S10, S13."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prometheus_client import CollectorRegistry

from autoscaler.bootstrap.reading import Reading
from autoscaler.cli.record import explain_workload, show_history
from autoscaler.web import reading as web_reading
from autoscaler.web.app import SECURITY, WebServer, web_app
from tests.unit.web.conftest import EVIL


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str

    def json(self) -> Any:
        return json.loads(self.body)


@pytest.fixture
def ask(record: Path) -> Iterator[Callable[..., Answer]]:
    reading = Reading(record)
    server = WebServer(web_app(CollectorRegistry(), lambda: {"ok": True}, reading=reading), "127.0.0.1", 0)

    def asked(path: str, method: str = "GET") -> Answer:
        request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as told:  # noqa: S310
                return Answer(told.status, dict(told.headers), told.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read().decode())

    yield asked
    server.close()
    reading.close()


WEB = "/api/v1/workloads/shop/web"


def test_workloads_come_with_their_newest_decision_and_recent_hours(ask):
    told = ask("/api/v1/workloads").json()
    rows = {f"{w['namespace']}/{w['name']}": w for w in told["workloads"]}
    assert list(rows) == ["ops/api", "shop/dead", "shop/web"]
    assert told["next"] is None
    recent = rows["shop/web"]["recent"]
    assert len(recent["demand"]) == len(recent["forecast"]) == len(recent["granted"]) == 24
    assert recent["demand"][-1] is not None
    assert recent["granted"][-1] == rows["shop/web"]["granted"]
    assert recent["granted"][5] is None, "nothing was decided then: unknown, not zero"
    assert rows["shop/dead"]["recent"]["demand"][-1] is None


def test_a_long_list_comes_in_pages(ask):
    first = ask("/api/v1/workloads?limit=2").json()
    assert (len(first["workloads"]), first["next"]) == (2, "shop/dead")
    rest = ask("/api/v1/workloads?limit=2&after=shop/dead").json()
    assert [w["name"] for w in rest["workloads"]] == ["web"]
    assert [w["name"] for w in ask("/api/v1/workloads?namespace=ops").json()["workloads"]] == ["api"]


def test_history_and_explain_tell_what_the_command_tells(ask, record: Path, capsys):
    history = ask(f"{WEB}/history?limit=1").json()
    assert (len(history["runs"]), len(history["rows"]), len(history["rules"])) == (1, 1, 1)
    show_history("web", record, None, None, 1, "json", rules=False)
    assert history["runs"] == json.loads(capsys.readouterr().out)
    explain = ask(f"{WEB}/explain").json()
    explain_workload("web", record, None, "json")
    assert explain["explain"] == json.loads(capsys.readouterr().out)
    explain_workload("web", record, None, "table")
    assert explain["text"] == capsys.readouterr().out.rstrip("\n")
    then = ask(f"{WEB}/explain?at=2026-06-10T08:40:00Z").json()
    assert then["explain"]["decision"]["at"].startswith("2026-06-10T08:30")


def test_a_series_has_as_many_points_as_asked_for_and_no_more_than_allowed(ask):
    told = ask(f"{WEB}/series?hours=1&cells=12").json()
    assert (len(told["demand"]), told["cellSeconds"]) == (12, 300.0)
    assert ask(f"{WEB}/series?cells=501").status == 400


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (f"{WEB}/history?limit=1001", 400, "limit must be a whole number from 1 to 1000"),
        (f"{WEB}/history?limit=-1", 400, "limit must be"),
        (f"{WEB}/history?since=yesterday", 400, "since must be a moment"),
        (f"{WEB}/explain?at=2026-06-10T08:40:00", 400, "with a zone"),
        (f"{WEB}/explain?at=2020-01-01T00:00:00Z", 404, "nothing is recorded for shop/web at or before 2020"),
        (f"{WEB}/series?hours=1e9", 400, "hours must be"),
        (f"{WEB}/series?hours=nan", 400, "hours must be"),
        ("/api/v1/workloads/shop/none/series", 404, "nothing is recorded for shop/none"),
        ("/api/v1/workloads?namespace=" + "n" * 301, 400, "longer than 300"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_the_shape_that_clients_of_kubernetes_show(ask, path, status, words):
    said = ask(path)
    assert said.status == status
    assert words in said.json()["message"]
    assert said.json()["kind"] == "Status"


def test_S13_what_others_wrote_is_no_markup_and_every_answer_says_so(ask):
    said = ask("/api/v1/workloads/shop/dead/explain")
    assert said.status == 200
    assert "<" not in said.body
    assert said.json()["explain"]["decision"]["demands"][0]["query"] == EVIL
    for path in ("/metrics", "/healthz", "/readyz", "/api/v1/workloads", "/none", f"{WEB}/series?cells=0"):
        headers = {name.lower(): value for name, value in ask(path).headers.items()}
        assert {name: headers[name.lower()] for name in SECURITY} == SECURITY
    assert ask("/api/v1/workloads").headers["content-type"] == "application/json"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_changed(ask, method):
    assert ask("/api/v1/workloads", method).status == 405
    assert ask(f"{WEB}/explain", method).status == 405


def test_a_crowd_is_asked_to_come_again_and_metrics_are_served_meanwhile(ask, monkeypatch):
    monkeypatch.setattr(web_reading, "PATIENCE_S", 0.05)
    inside, leave = threading.Barrier(web_reading.AT_ONCE + 1), threading.Event()

    def slow(self, ref):
        inside.wait(60)
        leave.wait(60)

    monkeypatch.setattr(Reading, "newest", slow)
    crowd = [threading.Thread(target=ask, args=(f"{WEB}/series",)) for _ in range(web_reading.AT_ONCE)]
    for one in crowd:
        one.start()
    inside.wait(60)
    refused = ask(f"{WEB}/explain")
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    began = time.monotonic()
    assert ask("/metrics").status == 200
    assert time.monotonic() - began < 30, "it does not wait for the crowd"
    leave.set()
    for one in crowd:
        one.join(60)
    monkeypatch.undo()
    assert ask(f"{WEB}/explain").status == 200


def test_a_record_that_has_not_begun_is_said_and_found_later(tmp_path: Path):
    reading = Reading(tmp_path / "foresail.db")
    server = WebServer(web_app(CollectorRegistry(), lambda: {"ok": True}, reading=reading), "127.0.0.1", 0)
    try:
        with pytest.raises(urllib.error.HTTPError) as said:
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}/api/v1/workloads", timeout=5)
        assert said.value.code == 404
        assert "there is no record of decisions here" in json.loads(said.value.read())["message"]
    finally:
        server.close()
