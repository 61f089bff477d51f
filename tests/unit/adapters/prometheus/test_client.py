"""The client over HTTP: what it sends, what it takes, and what becomes of everything else."""

import gzip
import json
import ssl
import time
from pathlib import Path

import numpy as np
import pytest
import requests

from autoscaler.adapters.prometheus import troubles
from autoscaler.adapters.prometheus.client import PrometheusClient
from autoscaler.adapters.prometheus.faults import QueryFault, Unanswerable, Unanswered
from autoscaler.adapters.prometheus.settings import PrometheusSettings
from autoscaler.domain.errors import Refused, Retryable
from autoscaler.domain.series import DataVerdict

HEAVY = "query processing would load too many samples into memory in query execution"
TIMED = "query timed out in expression evaluation"
JOIN = 'found duplicate series for the match group {job="a"} on the left hand-side'
POINTS = "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution"
RANGE = 'invalid parameter "query": invalid expression type "range vector" for range query'
MIMIR = "the query exceeded the maximum number of chunks (limit: 2000000 chunks) (err-mimir-max-chunks-per-query)"
VICTORIA = "the number of matching timeseries exceeds 300000; either narrow down the search or increase -search.max"


def failing(client: PrometheusClient) -> QueryFault:
    with pytest.raises(QueryFault) as failed:
        client.range("up", 60, 120, 60)
    return failed.value


def test_a_range_query_goes_out_as_a_form_and_comes_back_as_arrays(backend, client_of, make_ok):
    values = [[60, "1.5"], [120, "NaN"], [180.5, "+Inf"], [240, "-Inf"]]
    hostile = {"__name__": "m", "path": '],["0","1"]] \\ "x" \U0001f600'}
    backend.says(make_ok("matrix", [{"metric": hostile, "values": values}], warnings=["store b is down"]))
    client = client_of(f"{backend.url}/prometheus/", headers={"X-Scope-OrgID": "team-a"}, params={"dedup": "true"})
    answer = client.range('sum(rate(m{path="/a"}[5m]))', 60, 240, 60)

    [asked] = backend.asked
    assert (asked.method, asked.path, asked.query) == ("POST", "/prometheus/api/v1/query_range", {})
    assert asked.form["query"] == 'sum(rate(m{path="/a"}[5m]))'
    assert (asked.form["start"], asked.form["end"], asked.form["step"]) == ("60", "240", "60")
    assert asked.form["dedup"] == "true"
    assert asked.form["timeout"].endswith("ms")
    assert asked.headers["x-scope-orgid"] == "team-a"

    [series] = answer.series
    assert series.labels == hostile
    assert series.times.tolist() == [60, 120, 180.5, 240]
    assert np.array_equal(series.values, [1.5, np.nan, np.inf, -np.inf], equal_nan=True)
    assert (answer.kind, answer.warnings) == ("matrix", ("store b is down",))
    assert answer.server_time_s == pytest.approx(time.time(), abs=2)
    assert client.health.skew_s == pytest.approx(0, abs=1.5)


@pytest.mark.parametrize(
    ("kind", "result", "series", "value"),
    [
        ("vector", [{"metric": {"a": "b"}, "value": [1.25, "2"]}], 1, 2.0),
        ("vector", [], 0, None),
        ("scalar", [1.25, "3"], 1, 3.0),
        ("string", [1.25, "words"], 0, None),
    ],
)
def test_instant_queries_of_every_kind(backend, client_of, make_ok, kind, result, series, value):
    backend.says(make_ok(kind, result))
    answer = client_of(backend.url).instant("q", 1.25)
    assert backend.asked[0].form["time"] == "1.25"
    assert (answer.kind, len(answer.series)) == (kind, series)
    if value is not None:
        assert answer.series[0].values.tolist() == [value]


def test_hints_on_the_query_are_no_warnings(backend, client_of, make_ok):
    said = ["PromQL info: metric might not be a counter", "PromQL warning: bucket label le is missing"]
    backend.says(make_ok("matrix", [], warnings=said, infos=["PromQL info: x"]))
    answer = client_of(backend.url).range("q", 60, 60, 60)
    assert answer.warnings == (said[1],)
    assert set(answer.infos) == {said[0], "PromQL info: x"}


def test_native_histograms_are_seen(backend, client_of, make_ok):
    histograms = [[60, {"count": "5", "sum": "1", "buckets": [[0, "0", "1", "5"]]}]]
    backend.says(make_ok("matrix", [{"metric": {}, "histograms": histograms}]))
    [series] = client_of(backend.url).range("q", 60, 60, 60).series
    assert series.histogram
    assert series.values.size == 0


@pytest.mark.parametrize(
    ("status", "kind", "error", "verdict"),
    [
        (422, "execution", HEAVY, DataVerdict.TOO_HEAVY),
        (503, "timeout", TIMED, DataVerdict.TOO_HEAVY),
        (503, "canceled", "query was canceled", DataVerdict.TOO_HEAVY),
        (400, "bad_data", POINTS, DataVerdict.TOO_HEAVY),
        (422, "execution", MIMIR, DataVerdict.TOO_HEAVY),
        (422, "422", VICTORIA, DataVerdict.TOO_HEAVY),
        (413, "", "", DataVerdict.TOO_HEAVY),
        (400, "bad_data", 'invalid parameter "query": 1:5: parse error', DataVerdict.BAD_QUERY),
        (422, "execution", JOIN, DataVerdict.BAD_QUERY),
        (400, "bad_data", RANGE, DataVerdict.WRONG_TYPE),
        (429, "too_many_requests", "the request has been rejected: limit 10 rps", DataVerdict.THROTTLED),
        (429, "execution", HEAVY, DataVerdict.THROTTLED),
        (503, "", "Service Unavailable", DataVerdict.THROTTLED),
        (401, "", "no org id", DataVerdict.REFUSED),
        (403, "", "not allowed", DataVerdict.REFUSED),
        (404, "", "404 page not found", DataVerdict.REFUSED),
        (500, "internal", "oops", DataVerdict.UNREACHABLE),
        (502, "", "bad gateway", DataVerdict.UNREACHABLE),
    ],
)
def test_each_refusal_has_its_verdict_and_its_own_words(backend, client_of, make_refused, status, kind, error, verdict):
    backend.says(make_refused(status, kind, error))
    failed = failing(client_of(backend.url))
    assert failed.verdict == verdict
    assert error[:60] in failed.note
    assert len(failed.note) <= 200
    later = verdict in {DataVerdict.TOO_HEAVY, DataVerdict.THROTTLED, DataVerdict.UNREACHABLE}
    assert isinstance(failed, Unanswered if later else Unanswerable)
    assert isinstance(failed, Retryable if later else Refused)


def test_pages_of_somebody_else_are_shown_as_text_on_one_line(backend, client_of, make_reply):
    head = b"<html><head><style>x{}</style><title>502</title></head>"
    page = head + b"<body><h1>Bad\n Gateway</h1>\x1b[31mnginx</body></html>"
    backend.says(make_reply(502, page, {"Content-Type": "text/html"}))
    note = failing(client_of(backend.url)).note
    assert note == "HTTP 502: Bad Gateway [31mnginx"


@pytest.mark.parametrize(
    ("kind", "body", "verdict", "words"),
    [
        ("text/html", b"<html>please log in</html>", DataVerdict.REFUSED, "login page"),
        ("application/json", b'{"status":"success","data":{"res', DataVerdict.UNREACHABLE, "cannot be read"),
        ("application/json", b'{"status":"success"}', DataVerdict.UNREACHABLE, "without data"),
        ("application/json", b"\xff\xfe", DataVerdict.UNREACHABLE, "cannot be read"),
        ("application/json", b"", DataVerdict.UNREACHABLE, "cannot be read"),
    ],
)
def test_200_with_something_else_is_no_answer(backend, client_of, make_reply, kind, body, verdict, words):
    backend.says(make_reply(200, body, {"Content-Type": kind}))
    failed = failing(client_of(backend.url))
    assert failed.verdict == verdict
    assert words in failed.note


@pytest.mark.parametrize("values", ['[[60,"1"],[120]]', '[[60,"1,2"]]', '[[60,"abc"]]', '[[60,"0x10"]]', "[[60]]"])
def test_samples_that_are_no_numbers_are_no_answer(backend, client_of, make_reply, values):
    text = f'{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{}},"values":{values}}}]}}}}'
    backend.says(make_reply(200, text.encode(), {"Content-Type": "application/json"}))
    assert failing(client_of(backend.url)).verdict == DataVerdict.UNREACHABLE


def test_an_answer_that_breaks_off_is_asked_for_once_more(backend, client_of, make_ok, make_reply):
    whole = make_ok("matrix", [])
    backend.says(make_reply(200, whole.body[:20], whole.headers, 0.0, len(whole.body)), whole)
    assert client_of(backend.url).range("q", 60, 60, 60).series == ()
    assert len(backend.asked) == 2


def test_a_dripping_answer_ends_at_the_deadline(backend, client_of, make_ok):
    reply = make_ok("matrix", [])
    reply.delay_s = 0.1
    backend.says(reply)
    began = time.monotonic()
    failed = failing(client_of(backend.url, timeout_s=0.35))
    assert time.monotonic() - began < 4, "all of it would take longer"
    assert (failed.verdict, failed.note) == (DataVerdict.UNREACHABLE, "no answer within 0.35 s")
    assert len(backend.asked) == 1, "time is up: no retry"


def test_too_large_an_answer_is_too_heavy_even_when_it_is_packed(backend, client_of, make_ok, make_reply):
    plain = make_ok("matrix", [{"metric": {"a": "b" * 3_000_000}, "values": []}])
    packed = make_reply(200, gzip.compress(plain.body), plain.headers | {"Content-Encoding": "gzip"})
    for reply in (plain, packed):
        backend.says(reply)
        failed = failing(client_of(backend.url, most_bytes=2**20))
        assert (failed.verdict, failed.note) == (DataVerdict.TOO_HEAVY, "the answer is larger than 1 MiB")
    assert client_of(backend.url).range("q", 60, 60, 60).series[0].labels["a"][:2] == "bb"


def test_redirects_stay_at_home(backend, client_of, make_ok, make_reply, tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret-token")
    client = client_of(backend.url, bearer_token_file=token)
    backend.says(make_reply(307, b"", {"Location": "/prom/api/v1/query_range"}), make_ok("matrix", []))
    client.range("q", 60, 60, 60)
    assert [a.path for a in backend.asked] == ["/api/v1/query_range", "/prom/api/v1/query_range"]
    assert backend.asked[1].form["query"] == "q"

    for place in (
        "http://169.254.169.254/latest",
        f"{backend.url.replace('127.0.0.1', 'localhost')}/x",
        "https://e.example",
    ):
        backend.says(make_reply(302, b"", {"Location": place}))
        before = len(backend.asked)
        failed = failing(client)
        assert failed.verdict == DataVerdict.REFUSED
        assert "credentials do not follow" in failed.note
        assert len(backend.asked) == before + 1
    backend.says(make_reply(302, b"", {"Location": "/again"}))
    assert "more than 3 redirects" in failing(client).note


def test_a_renewed_token_is_used_at_once_and_an_old_one_is_not_tried_twice(
    backend, client_of, make_ok, make_refused, tmp_path
):
    token = tmp_path / "token"
    token.write_text("old-token\n")
    client = client_of(backend.url, bearer_token_file=token)

    def answer(asked):
        good = asked.headers["authorization"] == "Bearer new-token"
        return make_ok("matrix", []) if good else make_refused(401, "", f"bad token {asked.headers['authorization']}")

    backend.answer = answer
    failed = failing(client)
    assert failed.verdict == DataVerdict.REFUSED
    assert "old-token" not in failed.note
    assert "***" in failed.note
    assert len(backend.asked) == 1, "the file still says what was refused"
    token.write_text("new-token\n")
    client.range("q", 60, 60, 60)
    assert len(backend.asked) == 3


def test_basic_auth_and_no_netrc_and_no_proxy_of_the_environment(
    backend, client_of, make_ok, monkeypatch, tmp_path: Path
):
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login thief password stolen\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    backend.says(make_ok("matrix", []))
    client_of(backend.url).range("q", 60, 60, 60)
    assert "authorization" not in backend.asked[0].headers
    password = tmp_path / "password"
    password.write_text("pässword\n")
    client_of(backend.url, basic_user="me", basic_password_file=password).range("q", 60, 60, 60)
    assert backend.asked[1].headers["authorization"] == "Basic bWU6cMOkc3N3b3Jk"


def test_a_proxy_of_the_settings_is_used(backend, client_of, make_ok):
    backend.says(make_ok("matrix", []))
    client = client_of("http://prometheus.example:9090", proxy=backend.url)
    client.range("q", 60, 60, 60)
    assert backend.asked[0].headers["host"] == "prometheus.example:9090"


def test_cookies_are_not_kept(backend, client_of, make_ok):
    reply = make_ok("matrix", [])
    reply.headers["Set-Cookie"] = "session=1; Path=/"
    backend.says(reply)
    client = client_of(backend.url)
    client.range("q", 60, 60, 60)
    client.range("q", 60, 60, 60)
    assert "cookie" not in backend.asked[1].headers


def test_metadata_is_plain_data(backend, client_of, make_reply):
    body = json.dumps({"status": "success", "data": {"startTime": "2026-01-01T00:00:00Z"}}).encode()
    backend.says(make_reply(200, body, {"Content-Type": "application/json"}))
    client = client_of(backend.url)
    assert client.get_json("status/runtimeinfo") == {"startTime": "2026-01-01T00:00:00Z"}
    assert client.get_json("/api/v1/label/x/values", {"match[]": "up"}) == {"startTime": "2026-01-01T00:00:00Z"}
    assert [a.path for a in backend.asked] == ["/api/v1/status/runtimeinfo", "/api/v1/label/x/values"]
    assert backend.asked[1].query == {"match[]": "up"}


def test_health_counts_and_tells(backend, client_of, make_ok, make_refused):
    client = client_of(backend.url)
    assert client.health.last_ok_s is None
    backend.says(make_ok("matrix", []))
    client.range("q", 60, 60, 60)
    backend.says(make_refused(400, "bad_data", "parse error"))
    failing(client)
    health = client.health
    assert (health.name, health.reachable, health.queries) == ("prom", True, 2)
    assert health.failures == {DataVerdict.BAD_QUERY: 1}
    assert health.last_ok_s == pytest.approx(time.time(), abs=2)


def test_nobody_there(client_of):
    failed = failing(client_of("http://127.0.0.1:1"))
    assert (failed.verdict, failed.note) == (DataVerdict.UNREACHABLE, "connection refused")
    failed = failing(client_of("http://does-not-exist.invalid:9090"))
    assert failed.verdict == DataVerdict.UNREACHABLE
    assert "does not resolve" in failed.note


def test_a_request_never_asks_for_more_points_than_allowed(client_of):
    client = client_of("http://127.0.0.1:1", max_points=10)
    with pytest.raises(ValueError, match="11 points"):
        client.range("q", 60, 660, 60)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "http://me:secret@prom:9090"}, "no user or password"),
        ({"url": "prom:9090"}, "http://"),
        ({"url": "ftp://prom"}, "http://"),
        ({"url": "http://prom/?x=1"}, "no query"),
        ({"timeout_s": 0.0}, "timeout"),
        ({"timeout_s": float("nan")}, "timeout"),
        ({"stale_after_s": -1.0}, "staleAfter"),
        ({"max_points": 11_001}, "maxPoints"),
        ({"concurrency": 0}, "at least one"),
        ({"basic_user": "me"}, "both a user and a password"),
        ({"key_file": Path("k")}, "needs its certificate"),
        ({"bearer_token_file": Path("t"), "basic_user": "me", "basic_password_file": Path("p")}, "not both"),
    ],
)
def test_settings_say_what_is_wrong(changes, words):
    with pytest.raises(ValueError, match=words):
        PrometheusSettings(**({"name": "prom", "url": "http://prom:9090"} | changes))


def test_settings_do_not_show_what_headers_hold():
    settings = PrometheusSettings("prom", "http://prom", headers={"Authorization": "Bearer abc"}, proxy="http://u:p@x")
    assert "abc" not in repr(settings)
    assert "u:p" not in repr(settings)


def test_a_retry_waits_within_the_budget(backend, make_refused, make_ok):
    client = PrometheusClient(PrometheusSettings("prom", backend.url))
    client.retry.burst = client.retry._tokens = 2.0
    client.retry.per_s = 0.0
    backend.says(make_refused(502, "", "bad gateway"))
    for _ in range(5):
        failing(client)
    assert len(backend.asked) == 5 + 2, "two retries for all, then none"
    client.close()


@pytest.mark.parametrize("cause", [ConnectionResetError(104, "Connection reset by peer"), ssl.SSLEOFError(8, "EOF")])
def test_a_hang_up_under_tls_asks_for_our_certificate(cause):
    error = requests.ConnectionError(cause)
    told = troubles.from_error(error, 5.0, nameless=True)
    assert (told.verdict, told.again) == (DataVerdict.UNREACHABLE, True)
    assert told.note.endswith("; does it ask for a client certificate?")
    assert "certificate" not in troubles.from_error(error, 5.0).note
