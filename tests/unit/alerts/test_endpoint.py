"""How an endpoint's answers are taken: what may work later, what never will, what needs somebody. Rows A04, A05."""

import json
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from autoscaler.adapters.alerting.alertmanager import Alertmanager
from autoscaler.adapters.alerting.endpoint import Endpoint, EndpointSettings
from autoscaler.bootstrap.alert_destinations import alertmanagers
from autoscaler.bootstrap.alert_settings import AlertSettings
from autoscaler.domain.alert import Alert, Severity, labels_of
from autoscaler.domain.errors import Refused
from autoscaler.ports.alerts import Outcome

T0 = 1_800_000_000.0


class Server:
    """Answers as it is told; keeps what it got."""

    def __init__(self) -> None:
        self.status, self.body, self.drip_s = 200, b"", 0.0
        self.headers: dict[str, str] = {}
        self.got: list[Any] = []
        self.date_s: float | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def date_time_string(self, timestamp: float | None = None) -> str:
                return super().date_time_string(outer.date_s)

            def do_POST(self) -> Any:
                length = int(self.headers.get("Content-Length", 0))
                outer.got.append((self.path, dict(self.headers), self.rfile.read(length)))
                self.send_response(outer.status)
                for name, text in outer.headers.items():
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                with suppress(OSError):  # who asked has hung up
                    for k in range(len(outer.body)):
                        self.wfile.write(outer.body[k : k + 1])
                        self.wfile.flush()
                        time.sleep(outer.drip_s)

            def log_message(self, *_: Any) -> Any:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> Any:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def server() -> Any:
    one = Server()
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.mark.parametrize(
    ("status", "headers", "outcome", "retry_after_s"),
    [
        (200, {}, Outcome.DELIVERED, None),
        (202, {}, Outcome.DELIVERED, None),
        (429, {"Retry-After": "17"}, Outcome.LATER, 17.0),
        (503, {}, Outcome.LATER, None),
        (500, {}, Outcome.LATER, None),
        (400, {}, Outcome.REFUSED, None),
        (413, {}, Outcome.REFUSED, None),
        (401, {}, Outcome.SHUT, None),
        (403, {}, Outcome.SHUT, None),
        (404, {}, Outcome.SHUT, None),
        (302, {"Location": "http://evil.example/"}, Outcome.SHUT, None),
    ],
)
def test_A04_A05_every_answer_says_whether_to_come_again(server, status, headers, outcome, retry_after_s):
    server.status, server.headers = status, headers
    delivery = Endpoint(EndpointSettings(server.url)).call("POST", "/x", b"[]").delivery
    assert (delivery.outcome, delivery.retry_after_s) == (outcome, retry_after_s)
    assert outcome is Outcome.DELIVERED or f"HTTP {status}" in delivery.words
    assert len(server.got) == 1, "no redirect is followed"


def test_A05_a_key_that_was_renewed_in_its_file_is_read_again_and_never_shown(server, tmp_path):
    token = tmp_path / "token"
    token.write_text("old-secret\n")
    endpoint = Endpoint(EndpointSettings(server.url, bearer_token_file=token))
    endpoint.call("POST", "/x", b"[]")
    token.write_text("new-secret\n")
    server.status, server.body = 401, b"who is new-secret or old-secret?"
    delivery = endpoint.call("POST", "/x", b"[]").delivery
    sent = [headers["Authorization"] for _, headers, _ in server.got]
    assert sent == ["Bearer old-secret", "Bearer old-secret", "Bearer new-secret"]
    assert delivery.outcome is Outcome.SHUT
    assert "secret" not in delivery.words.replace("***", "")


def test_A07_an_answer_that_drips_is_bounded_in_time(server):
    server.body, server.drip_s = b"x" * 600, 0.05
    began = time.monotonic()
    delivery = Endpoint(EndpointSettings(server.url, timeout_s=0.4)).call("POST", "/x", b"[]").delivery
    assert time.monotonic() - began < 20, "all of it would take thirty"
    assert (delivery.outcome, delivery.words) == (Outcome.LATER, "no answer within 0.4 s")


def test_nobody_there_is_for_later_and_a_file_that_is_not_there_for_nobody(tmp_path):
    delivery = Endpoint(EndpointSettings("http://127.0.0.1:1")).call("POST", "/x", b"[]").delivery
    assert (delivery.outcome, delivery.words) == (Outcome.LATER, "connection refused")
    missing = Endpoint(EndpointSettings("http://127.0.0.1:1", bearer_token_file=tmp_path / "no"))
    assert missing.call("POST", "/x", b"[]").delivery.outcome is Outcome.SHUT
    with pytest.raises(Refused, match="CA file"):
        Endpoint(EndpointSettings("https://127.0.0.1:1", ca_file=tmp_path / "no.pem"))


@pytest.mark.parametrize("url", ["alertmanager:9093", "ftp://x", "http://user:pass@x", "http://x/?a=b"])
def test_a_url_that_cannot_be_used_is_refused_by_name(url):
    with pytest.raises(ValueError, match="URL"):
        EndpointSettings(url)


@pytest.mark.parametrize("url", ["http://mia:canary@am:9093", "ftp://canary@am:9093", "//mia:canary@am/x"])
def test_S10_a_password_in_the_url_of_an_alertmanager_is_refused_and_not_repeated(url):
    with pytest.raises(Refused, match="user or password in the URL") as refused:
        alertmanagers(AlertSettings((url,), 60.0))
    assert "canary" not in str(refused.value)
    assert "am" in str(refused.value)


def test_what_an_alertmanager_gets(server):
    one = Alertmanager(EndpointSettings(f"{server.url}/am/"), repeat_s=30.0)
    assert one.name == f"alertmanager:{server.url.removeprefix('http://')}/am"
    firing = Alert("ForesailConflict", Severity.WARNING, labels_of({"workload": "web"}), "sum", "words", T0)
    over = Alert("ForesailSourceDown", Severity.WARNING, labels_of({"source": "prod"}), "sum", "words", T0 - 60)
    assert one.send([firing, over, over.resolved(T0 - 5)], T0).outcome is Outcome.DELIVERED
    path, headers, body = server.got[0]
    assert (path, headers["Content-Type"]) == ("/am/api/v2/alerts", "application/json")
    assert json.loads(body) == [
        {
            "labels": {"alertname": "ForesailConflict", "severity": "warning", "workload": "web"},
            "annotations": {
                "summary": "sum", "description": "words", "runbook_url": "https://foresail.dev/docs/runbooks/ForesailConflict.md",
            },
            "startsAt": "2027-01-15T08:00:00.000Z", "endsAt": "2027-01-15T08:02:00.000Z",
        },
        {
            "labels": {"alertname": "ForesailSourceDown", "severity": "warning", "source": "prod"},
            "annotations": {
                "summary": "sum", "description": "words", "runbook_url": "https://foresail.dev/docs/runbooks/ForesailSourceDown.md",
            },
            "startsAt": "2027-01-15T07:59:00.000Z", "endsAt": "2027-01-15T07:59:55.000Z",
        },
    ]  # fmt: skip


def test_links_lead_to_where_one_publishes_the_pages(server: Any) -> None:
    settings = AlertSettings((server.url,), docs_url="https://git.example.com/blob/v1/docs")
    (one,) = alertmanagers(settings)
    one.send([Alert("ForesailConflict", Severity.WARNING, labels_of({"workload": "web"}), "sum", "words", T0)], T0)
    (told,) = json.loads(server.got[0][2])
    assert told["annotations"]["runbook_url"] == (
        "https://git.example.com/blob/v1/docs/runbooks/ForesailConflict.md"
    )  # fmt: skip


def test_an_alertmanager_with_another_clock_is_spoken_to_in_its_own_time(server: Any) -> None:
    """Ten minutes ahead, and what fires had ended there before it arrives; behind, and an end lies in its future."""
    firing = Alert("ForesailConflict", Severity.WARNING, labels_of({"workload": "web"}), "sum", "words", T0 - 900)
    over = firing.resolved(T0)
    found = {}
    for skew_s in (600, -600, 2):
        one = Alertmanager(EndpointSettings(server.url), repeat_s=30.0)
        server.date_s = T0 + skew_s
        one.send([firing], T0)
        one.send([firing], T0)
        one.send([over], T0)
        *_, again, end = [json.loads(body)[0]["endsAt"] for _, _, body in server.got]
        found[skew_s] = (again[11:19], end[11:19])
    assert found == {600: ("08:12:00", "08:00:00"), -600: ("08:02:00", "07:50:00"), 2: ("08:02:00", "08:00:00")}
