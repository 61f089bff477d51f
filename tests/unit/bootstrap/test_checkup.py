"""What `foresail doctor` says of a server's answers; the server is a fake that answers as it is told."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from autoscaler.adapters.prometheus.decode import Answer, Series
from autoscaler.adapters.prometheus.faults import fault
from autoscaler.adapters.prometheus.promql import TAG
from autoscaler.bootstrap.checkup.asking import Notes, Server
from autoscaler.bootstrap.checkup.queries import look_at_text
from autoscaler.bootstrap.checkup.rounds import visit
from autoscaler.domain.errors import InvalidSpec, Refused
from autoscaler.domain.series import DataVerdict
from autoscaler.reporting.doctor import Finding, Level, doctor_dict, exit_code, lines

NOW = 1_780_000_000.0
QUERY = 'sum(rate(http_requests_total{job="api"}[5m]))'


def vector(*values: float, labels: tuple[Mapping[str, str], ...] = (), **more: Any) -> Answer:
    each = labels or ({},) * len(values)
    series = tuple(Series(names, np.array([NOW]), np.array([v])) for names, v in zip(each, values, strict=True))
    return Answer("vector", series, **more)


def over_time(days: float, value: float = 200.0, step_s: int = 60) -> Answer:
    times = np.arange(NOW - days * 86400, NOW + 1, step_s)
    wave = value * (1 + 0.2 * np.sin(times / 86400 * 2 * np.pi))
    return Answer("matrix", (Series({}, times, wave),))


@dataclass
class Fake:
    """rules: pattern → what an instant query that matches answers, or raises; the first that fits counts."""

    rules: dict[str, Any] = field(default_factory=dict)
    history: Any = None
    near: Any = None
    data: dict[str, Any] = field(default_factory=dict)
    skew_s: float = 0.0
    asked: list[str] = field(default_factory=list)
    closed: bool = False

    def instant(self, query: str, *_: object) -> Answer:
        self.asked.append(query)
        for pattern, told in self.rules.items():
            if re.search(pattern, query):
                return self._told(told)
        if query == "vector(1)":
            return vector(1.0, server_time_s=NOW - 0.5 + self.skew_s, elapsed_s=0.01)
        if query.startswith("label_replace(count("):
            return vector(1.0, labels=({TAG: "0"},))
        if "timestamp(" in query:
            return vector(NOW - 20, labels=({TAG: "0"},))
        if query.startswith("max(count_over_time"):
            return vector(20.0)
        if query.startswith("(max(count without"):
            return vector()
        return vector(200.0, elapsed_s=0.02)

    def range(self, *given: Any) -> Answer:
        if given[3] > 60:
            return self._told(over_time(28, step_s=given[3]) if self.history is None else self.history)
        return self._told(over_time(1) if self.near is None else self.near)

    def get_json(self, path: str, *_: object) -> Any:
        if path not in self.data:
            raise fault(DataVerdict.REFUSED, "HTTP 404")
        return self.data[path]

    def close(self) -> None:
        self.closed = True

    @staticmethod
    def _told(told: Any) -> Answer:
        if isinstance(told, Exception):
            raise told
        answer: Answer = told
        return answer


def document(query: str = QUERY, *, per: float = 10, most: int = 60, **source: str) -> str:
    fields = ", ".join(f"{name}: {value}" for name, value in ({"url": "'http://p:9090'"} | source).items())
    return (
        "apiVersion: foresail.dev/v1alpha1\nkind: MetricsSource\nmetadata: {name: prod}\n"
        f"spec: {{prometheus: {{{fields}}}}}\n---\n"
        "apiVersion: foresail.dev/v1alpha1\nkind: PredictiveAutoscaler\nmetadata: {name: web, namespace: shop}\nspec:\n"
        "  target: {apiVersion: apps/v1, kind: Deployment, name: web}\n"
        f"  demands: [{{name: requests, source: prod, query: '{query}', capacity: {{perReplica: {per}}}}}]\n"
        f"  replicas: {{min: 2, max: {most}}}\n"
    )


@pytest.fixture
def doctor(tmp_path: Path) -> Callable[..., list[Finding]]:
    def examined(server: Fake | Exception, text: str | None = None) -> list[Finding]:
        (tmp_path / "fleet.yaml").write_text(document() if text is None else text)

        def opened(_: Any) -> Any:
            if isinstance(server, Exception):
                raise server
            return server

        return visit([tmp_path / "fleet.yaml"], NOW, 60, opened)

    return examined


def worst(found: list[Finding], check: str) -> Finding:
    return next(f for f in sorted(found, key=lambda f: list(Level).index(f.level), reverse=True) if f.check == check)


def test_a_sound_source_and_demand_are_all_fine(doctor):
    server = Fake(data={"status/buildinfo": {"version": "3.11.3"}})
    found = doctor(server)
    assert [f for f in found if f.level is not Level.OK] == []
    assert exit_code(found) == 0
    told = "\n".join(lines(found))
    for words in (
        "answers at http://p:9090",
        "version 3.11.3",
        "its clock and ours agree",
        "demand now is 200: 20 replicas at 10 each (min 2, max 60)",
        "day and week seasons can serve",
        "no series is collected twice",
        "a sample about every 30 s",
        "is 20 s old",
        "0 to mend, 0 to look at",
    ):
        assert words in told
    assert server.closed


def test_a_capacity_that_is_not_learned_yet_is_told_and_sizes_nothing(doctor):
    learned = "{learned: {resource: cpu, limit: 500m, replicas: ready}}"
    found = doctor(Fake(), document(most=3).replace("{perReplica: 10}", learned))
    told = [f for f in found if f.check == "capacity"]
    assert [(f.level, "until it is accepted, the workload holds" in f.words) for f in told] == [(Level.NOTE, True)]
    assert not [f for f in found if "replicas" in f.words and "needs" in f.words]
    assert exit_code(found) == 0


@pytest.mark.parametrize(
    ("verdict", "note", "check", "words", "code"),
    [
        (DataVerdict.UNREACHABLE, "connection refused", "reachable", "connection refused", 3),
        (DataVerdict.THROTTLED, "HTTP 429: slow down", "reachable", "slow down", 3),
        (DataVerdict.REFUSED, "HTTP 401: Unauthorized", "auth", "refuses us, who send no credentials", 1),
        (DataVerdict.REFUSED, "TLS: certificate verify failed: self-signed", "tls", "not trusted", 1),
        (DataVerdict.BAD_QUERY, "unknown function", "reachable", "not as a Prometheus API", 1),
    ],
)
def test_a_source_that_does_not_answer_has_its_demands_left_alone(doctor, verdict, note, check, words, code):
    found = doctor(Fake({r"vector\(1\)": fault(verdict, note)}))
    assert worst(found, check).level is Level.FAIL
    assert words in worst(found, check).words
    assert worst(found, check).remedy
    assert exit_code(found) == code
    assert not any(f.subject.startswith("shop/web") for f in found)
    assert worst(found, "demands").words == "demands that could not be looked at: 1"


@pytest.mark.parametrize(
    ("skew_s", "level"), [(0.4, Level.OK), (-5, Level.WARN), (600, Level.FAIL), (-600, Level.FAIL)]
)
def test_M21_a_skewed_clock_is_told_and_everything_is_asked_in_the_servers_time(doctor, skew_s, level):
    found = doctor(Fake(skew_s=skew_s, rules={"timestamp": vector(NOW + skew_s - 20, labels=({TAG: "0"},))}))
    assert worst(found, "clock").level is level
    if abs(skew_s) > 2:
        assert ("ahead of" if skew_s > 0 else "behind") in worst(found, "clock").words
        assert worst(found, "fresh").words.endswith("is 20 s old")


def test_an_empty_answer_names_the_metric_that_is_not_there_and_the_nearest(doctor):
    server = Fake({r"^sum\(rate|count": vector()}, data={"label/__name__/values": ["http_requests_total", "up"]})
    said = worst(doctor(server, document("sum(rate(http_request_total[5m]))")), "presence")
    assert "there is no series of http_request_total now (that is unknown, not zero)" in said.words
    assert said.remedy == "did you mean http_requests_total?"


def test_an_empty_answer_names_the_matcher_that_excludes_all(doctor):
    """The metric is there; of its matchers one finds nothing."""
    rules: dict[str, Any] = {"^sum": vector(), "^label_replace": vector(), 'job="apu"': vector(), "^count": vector(3)}
    server = Fake(rules, data={"label/job/values": ["api", "web"]})
    query = 'sum(rate(http_requests_total{code="200",job="apu"}[5m]))'
    said = worst(doctor(server, document(query)), "presence")
    assert 'job="apu" excludes all of http_requests_total\'s' in said.words
    assert said.remedy is not None
    assert said.remedy.startswith('did you mean job="api"')


def test_a_window_shorter_than_two_scrapes_is_named_as_the_cause(doctor):
    server = Fake({"^sum": vector(), "count_over_time": vector(10)})
    said = worst(doctor(server, document("sum(rate(http_requests_total[1m]))")), "interval")
    assert "a sample about every 60 s: a window of 60 s holds fewer than two" in said.words
    assert said.remedy == "make the window at least 4 min"


def test_several_series_are_told_by_what_they_differ_in(doctor):
    labels = ({"code": "200"}, {"code": "500"})
    said = worst(doctor(Fake({"^sum": vector(1, 2, labels=labels)})), "several-series")
    assert "2 series, which differ in code (code=200; code=500)" in said.words
    assert said.remedy == "aggregate it to one, e.g. with sum(...)"


@pytest.mark.parametrize("label", ["pod", "instance"])
def test_F10_values_per_pod_are_refused_with_the_reason(doctor, label):
    two = worst(doctor(Fake({"^sum": vector(1, 2, labels=({label: "a"}, {label: "b"}))})), "per-pod")
    one = worst(doctor(Fake({"^sum": vector(200, labels=({label: "a"},))})), "per-pod")
    assert (two.level, one.level) == (Level.FAIL, Level.FAIL)
    assert "fall when we add pods, so scaling would chase itself" in two.words
    assert f"that of {label} a: with a second pod there will be two" in one.words


@pytest.mark.parametrize(
    ("answer", "check", "words"),
    [
        (vector(math.nan), "finite", "NaN: unknown, not zero"),
        (vector(math.inf), "finite", "infinite"),
        (vector(-3.0), "negative", "-3: no demand is below zero"),
        (vector(0.0), "plausible", "demand now is zero"),
        (vector(5000.0), "plausible", "500 replicas at 10 each (min 2, max 60): more than max allows"),
        (vector(0.01), "plausible", "less than a hundredth of what one replica can do"),
        (Answer("matrix", (Series({}, np.array([NOW]), np.array([1.0])),)), "type", "a matrix, not one number"),
        (Answer("string", ()), "type", "a string"),
        (Answer("vector", (Series({}, np.empty(0), np.empty(0), histogram=True),)), "type", "native histogram"),
        (vector(200.0, warnings=("store b is down",)), "partial", "the answer is partial: store b is down"),
    ],
)
def test_a_value_that_cannot_be_this_demand(doctor, answer, check, words):
    said = worst(doctor(Fake({"^sum": answer})), check)
    assert said.level is not Level.OK
    assert words in said.words


@pytest.mark.parametrize(
    ("rules", "check", "words"),
    [
        ({"timestamp": vector(NOW - 400, labels=({TAG: "0"},))}, "fresh", "is 6.67 min old: staleAfter is 2 min"),
        ({"count_over_time": vector(5)}, "interval", "every 2 min: one lost scrape makes it stale"),
        ({"count without": vector(2)}, "duplicates", "series are there 2 times"),
        ({"timestamp": fault(DataVerdict.TOO_HEAVY, "no")}, "fresh", "cannot be told"),
        ({"^sum": vector(200, elapsed_s=4.0)}, "cost", "one evaluation takes 4 s"),
    ],
)
def test_samples_that_are_old_rare_double_or_dear(doctor, rules, check, words):
    said = worst(doctor(Fake(rules)), check)
    assert said.level is not Level.OK
    assert words in said.words


def test_a_heavy_query_is_told_by_the_samples_that_it_loads(doctor):
    stats = {"stats": {"samples": {"totalQueryableSamples": 5_000_000}}}
    said = worst(doctor(Fake(data={"query": stats})), "cost")
    assert said.level is Level.WARN
    assert "loads 5,000,000 samples" in said.words


def test_F01_a_short_history_says_when_each_season_serves(doctor):
    none = Answer("matrix", ())
    said = worst(doctor(Fake(history=none, near=over_time(0.5))), "history")
    assert said.level is Level.WARN
    assert "the day's from" in said.words
    assert "the week's from" in said.words
    three = worst(doctor(Fake(history=over_time(3, step_s=6 * 3600))), "history")
    assert "the day's season can serve; the week's from" in three.words
    assert "there is no history yet" in worst(doctor(Fake(history=none, near=none)), "history").words


@pytest.mark.parametrize(
    ("values", "check", "words"),
    [
        (np.full(1441, 200.0), "flat", "exactly 200"),
        (np.where(np.arange(1441) < 10, np.nan, 200.0 + np.arange(1441)), "finite", "NaN or infinite in 10 of 1441"),
        (np.where(np.arange(1441) < 10, -1, 200.0 + np.arange(1441)), "negative", "below zero in 10 steps"),
        (200.0 + np.arange(700), "gaps", "no value in 741 of 1441 steps"),
        (np.linspace(0, 900, 1441), "plausible", "the peak of the last day, 900, needs 90 replicas, above max 60"),
    ],
)
def test_the_last_day_is_looked_at_step_by_step(doctor, values, check, words):
    times = np.array([NOW - 60.0 * k for k in range(len(values))][::-1])
    said = worst(doctor(Fake(near=Answer("matrix", (Series({}, times, values),)))), check)
    assert said.level is not Level.OK
    assert words in said.words


def test_several_series_at_some_time_of_the_last_day_are_told(doctor):
    day = over_time(1).series[0]
    said = worst(doctor(Fake(near=Answer("matrix", (day, day)))), "several-series")
    assert "within the last day" in said.words


@pytest.mark.parametrize(
    ("query", "checks"),
    [
        ("sum(rate(http_requests_total[1m]))", []),
        ("sum(rate(a_total[1m])) + sum(rate(b_total[1m]))", []),
        ("ceil(sum(job:requests:rate1m))", []),
        ("max(job:requests:rate1m)", []),
        ("max(sum by (replica) (rate(x_total[1m])))", []),
        ("count(x_total)", []),
        ("histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))", []),
        ("avg(rate(http_requests_total[1m]))", ["per-pod"]),
        ("topk(1, rate(http_requests_total[1m]))", ["per-pod"]),
        ("sum(rate(x_total[1m])) / count(up)", ["per-pod"]),
        ("sum(rate(x_total[1m])) / scalar(kube_deployment_status_replicas)", ["per-pod"]),
        ("sum(rate(x_total[1m])) / 60", []),
        ("sum(rabbitmq_queue_messages_ready)", ["queue"]),
        ("sum(kafka_consumergroup_lag)", ["queue"]),
        ("sum(http_requests_in_flight)", ["queue"]),
        ("sum(flags_enabled)", []),
        ("sum(http_requests_total)", ["counter"]),
        ("http_requests_total", ["counter"]),
        ("a dialect of { its own", []),
    ],
)
def test_what_a_query_asks_for_is_seen_in_its_text(query, checks):
    notes = Notes("x")
    look_at_text(notes, query)
    assert [f.check for f in notes.found] == checks
    assert all(f.level is Level.WARN and f.remedy for f in notes.found)


def test_a_query_that_the_server_refuses_shows_its_own_words(doctor):
    said = worst(doctor(Fake({"^sum": fault(DataVerdict.BAD_QUERY, "1:5: parse error: no such function")})), "query")
    assert "parse error: no such function" in said.words
    assert said.level is Level.FAIL


def test_a_credential_over_plain_http_and_a_missing_or_open_file_are_told(doctor, tmp_path):
    token = tmp_path / "token"
    token.write_text("secret-canary")
    token.chmod(0o644)
    found = doctor(Fake(), document(bearerTokenFile="token"))
    assert "travels over http" in worst(found, "tls").words
    assert "can be read by everybody" in worst(found, "files").words
    assert "secret-canary" not in str(doctor_dict(found))
    token.write_text("")
    assert "the file is empty" in worst(doctor(Fake(), document(bearerTokenFile="token")), "files").words
    token.unlink()
    gone = worst(doctor(Fake(), document(bearerTokenFile="token")), "files")
    assert (gone.level, "no such file" in gone.words) == (Level.FAIL, True)


def test_settings_that_cannot_be_used_cost_that_source_alone(doctor):
    found = doctor(ValueError("caFile is no certificate"))
    assert "caFile is no certificate" in worst(found, "settings").words
    assert exit_code(found) == 1


def test_problems_of_the_files_are_told_beside_the_rest(doctor):
    text = document() + "---\napiVersion: foresail.dev/v1alpha1\nkind: PredictiveAutoscaler\nmetadata: {name: bad}\n"
    found = doctor(Fake(), text)
    assert worst(found, "spec").level is Level.FAIL
    assert worst(found, "reachable").level is Level.OK


def test_nothing_to_look_at_is_an_error(doctor, tmp_path):
    with pytest.raises(InvalidSpec):
        doctor(Fake(), "apiVersion: [")
    (tmp_path / "none").mkdir()
    with pytest.raises((Refused, InvalidSpec)):
        visit([tmp_path / "none"], NOW, 60, lambda _: cast("Server", Fake()))


def test_the_doctor_only_asks(doctor):
    """Every call is a query or a metadata GET: the fake has no other method, and nothing is written."""
    server = Fake()
    doctor(server)
    assert server.asked
    assert all(not re.search(r"delete|admin|write", q) for q in server.asked)


def test_json_has_every_finding_and_the_exit_code(doctor):
    told = doctor_dict(doctor(Fake({r"vector\(1\)": fault(DataVerdict.UNREACHABLE, "no route to host")})))
    assert told["exitCode"] == 3
    away = [f for f in told["findings"] if f["unreachable"]]
    assert [(f["level"], f["subject"], f["check"]) for f in away] == [("fail", "source prod", "reachable")]
