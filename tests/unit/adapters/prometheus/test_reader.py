"""What the reader asks, how often, and what it makes of the answers; the source is a script."""

from __future__ import annotations

import itertools
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from autoscaler.adapters.prometheus.decode import Answer, Series
from autoscaler.adapters.prometheus.faults import QueryFault, fault
from autoscaler.adapters.prometheus.promql import TAG
from autoscaler.adapters.prometheus.reader import PrometheusReader
from autoscaler.adapters.prometheus.settings import PrometheusSettings
from autoscaler.adapters.prometheus.together import TAG as MANY
from autoscaler.domain.series import DataVerdict, SeriesBatch
from autoscaler.domain.workload import Demand

STEP = 1_000_000
SECONDS = 60
TOGETHER = re.compile(r'label_replace\(\((.*?)\), "foresail_query", "(\d+)", "", ""\)')


def demand(query: str) -> Demand:
    return Demand("load", "prom", query, 10.0)


class Script:
    """Stands in for the client. values: query → value, a list by step from STEP on, or a fault to raise.

    now_step: the server's time, in steps. age_s: of the newest sample. doubled: copies of every series that is summed.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.now_step = STEP + 10_000
        self.age_s: float | QueryFault = 10.0
        self.copies = 1
        self.started: str | None = "2001-01-01T00:00:00.123456789Z"
        self.asked: Counter[str] = Counter()
        self.spans: list[tuple[str, int]] = []
        self.warnings: tuple[str, ...] = ()
        self.together: list[list[str]] = []
        self.lock = threading.Lock()

    def kind(self, query: str) -> str:
        if query in self.values:
            return "demand"
        if "timestamp(" in query:
            return "age"
        return "copies" if "count without" in query else "diagnosis"

    def range(self, query: str, first_s: float, end_s: float, step_s: int, deadline_s: float | None = None) -> Answer:
        """Several in one request are answered as each would be; one fault fails them all, and only then is counted."""
        inside = TOGETHER.findall(query)
        if inside:
            self.together.append([one for one, _ in inside])
            answers = [(self._one(one, first_s, end_s, step_s), tag) for one, tag in inside]
            series = tuple(replace(s, labels={**s.labels, MANY: tag}) for answer, tag in answers for s in answer.series)
            return replace(answers[0][0], series=series)
        return self._one(query, first_s, end_s, step_s)

    def _one(self, query: str, first_s: float, end_s: float, step_s: int) -> Answer:
        times = np.arange(first_s, end_s + 1, step_s)
        with self.lock:
            self.asked[self.kind(query)] += 1
            self.spans.append((self.kind(query), len(times)))
        found: tuple[Series, ...] = ()
        match self.kind(query):
            case "demand":
                value = self.values[query]
                if callable(value):
                    value = value(len(times))
                if isinstance(value, QueryFault):
                    raise value
                if value is not None:
                    found = (Series({}, times, np.broadcast_to(np.asarray(value, dtype=np.float64), times.shape)),)
            case "age":
                if isinstance(self.age_s, QueryFault):
                    raise self.age_s
                found = (Series({TAG: "0"}, times, times - self.age_s),)
            case _ if self.copies > 1:
                found = (Series({}, times, np.full(len(times), float(self.copies))),)
        return Answer("matrix", found, self.warnings, server_time_s=float(self.now_step * SECONDS))

    def instant(self, query: str, at_s: float | None = None, deadline_s: float | None = None) -> Answer:
        with self.lock:
            self.asked["instant"] += 1
        if "count without" in query:
            labels = {"instance": "a:80"}
            return Answer("vector", (Series(labels, np.array([at_s]), np.array([float(self.copies)])),))
        return Answer("vector", ())

    def get_json(self, path: str, params: Any = None, deadline_s: float | None = None) -> Any:
        with self.lock:
            self.asked[path] += 1
        if path != "status/runtimeinfo":
            return ["up", "upp"]
        if self.started is None:
            raise fault(DataVerdict.REFUSED, "404 page not found")
        return {"startTime": self.started}

    def close(self) -> None: ...


class Hand:
    def __init__(self) -> None:
        self.at_s = 0.0

    def __call__(self) -> float:
        return self.at_s


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def reader_of(script: Script, hand: Hand) -> Iterator[Callable[..., PrometheusReader]]:
    with ExitStack() as stack:

        def make(**settings: Any) -> PrometheusReader:
            client: Any = script
            one = PrometheusReader(PrometheusSettings("prom", "http://prom", **settings), client, hand)
            stack.callback(one.close)
            return one

        yield make


def load(reader: PrometheusReader, *queries: str, first: int = STEP, end: int = STEP + 6) -> SeriesBatch:
    return reader.load([demand(q) for q in queries], first, end, SECONDS)


def newest(batch: SeriesBatch) -> list[DataVerdict]:
    return [DataVerdict(int(v)) for v in batch.verdicts[:, -1]]


def test_equal_queries_are_asked_once_and_fail_alone(script, reader_of):
    script.values = {"sum(a)": 5.0, "sum(b)": fault(DataVerdict.BAD_QUERY, "parse error")}
    batch = load(reader_of(), "sum(a)", "sum(b)", "sum(a)", "sum(a)")
    assert newest(batch) == [DataVerdict.OK, DataVerdict.BAD_QUERY, DataVerdict.OK, DataVerdict.OK]
    assert batch.notes == {1: "parse error"}
    assert script.together == [["sum(a)", "sum(b)"]]
    assert script.asked["demand"] == 2 + 2, "what is refused together is asked alone"
    assert (batch.values[[0, 2, 3]] == 5.0).all()


def test_nobody_asks_nothing(script, reader_of):
    reader = reader_of()
    assert reader.load([], STEP, STEP + 5, SECONDS).values.shape == (0, 5)
    assert load(reader, "sum(a)", end=STEP).values.shape == (1, 0)
    assert not script.asked


def test_the_batch_ends_at_the_servers_time(script, reader_of):
    script.values, script.now_step = {"sum(a)": 5.0}, STEP + 4
    assert load(reader_of(), "sum(a)").end_step == STEP + 4
    script.now_step = STEP - 100
    assert load(reader_of(), "sum(a)").values.shape == (1, 0)


def test_a_source_that_is_down_keeps_the_whole_width(script, reader_of):
    script.values = {"sum(a)": fault(DataVerdict.UNREACHABLE, "connection refused")}
    batch = load(reader_of(), "sum(a)")
    assert batch.end_step == STEP + 6
    assert newest(batch) == [DataVerdict.UNREACHABLE]
    assert batch.notes == {0: "connection refused"}


def test_silence_is_found_out_once_per_load(script, reader_of):
    queries = [f"sum(a{k})" for k in range(100)]
    gone = fault(DataVerdict.UNREACHABLE, "no answer within 5 s")
    script.values = dict.fromkeys(queries, gone)
    reader = reader_of(concurrency=4)
    batch = load(reader, *queries)
    assert set(newest(batch)) == {DataVerdict.UNREACHABLE}
    assert script.asked["demand"] <= 8
    script.asked.clear()
    load(reader, *queries)
    assert script.asked["demand"] == 1, "a dark source is probed by one query"
    script.values = dict.fromkeys(queries, 1.0)
    load(reader, *queries)
    assert script.asked["demand"] == 1 + 100


def test_one_slow_query_does_not_darken_a_source(script, reader_of):
    queries = [f"sum(a{k})" for k in range(50)]
    script.values = {q: fault(DataVerdict.UNREACHABLE, "slow") if k % 3 == 0 else 1.0 for k, q in enumerate(queries)}
    batch = load(reader_of(concurrency=4), *queries)
    assert script.asked["demand"] == 50 + 1, "together first, and all of them alone when that was too slow"
    assert newest(batch).count(DataVerdict.UNREACHABLE) == 17


def test_wide_reads_are_cut_into_requests(script, reader_of):
    script.values = {"sum(a)": 5.0}
    batch = load(reader_of(max_points=100), "sum(a)", first=STEP, end=STEP + 950)
    assert (batch.values == 5.0).all()
    assert sorted(n for kind, n in script.spans if kind == "demand") == [50, *[100] * 9]


def test_too_heavy_is_cut_once_then_rests_longer_and_longer(script, hand, reader_of):
    script.values = {"sum(a)": fault(DataVerdict.TOO_HEAVY, "too many samples")}
    reader = reader_of()
    batch = load(reader, "sum(a)", end=STEP + 100)
    assert newest(batch) == [DataVerdict.TOO_HEAVY]
    assert [n for _, n in script.spans] == [100, 25]
    rests = []
    for second in range(2000):
        hand.at_s = float(second)
        before = script.asked["demand"]
        assert newest(load(reader, "sum(a)", end=STEP + 1)) == [DataVerdict.TOO_HEAVY]
        if script.asked["demand"] > before:
            rests.append(second)
    assert rests == [30, 90, 210, 450, 930, 1830]


def test_what_was_light_enough_in_pieces_is_asked_in_pieces(script, reader_of):
    heavy = fault(DataVerdict.TOO_HEAVY, "too many samples")
    script.values = {"sum(a)": lambda steps: heavy if steps > 25 else 5.0}
    reader = reader_of()
    assert (load(reader, "sum(a)", end=STEP + 100).values == 5.0).all()
    script.spans.clear()
    assert (load(reader, "sum(a)", end=STEP + 100).values == 5.0).all()
    assert max(n for kind, n in script.spans if kind == "demand") == 25


def test_stale_values_are_none(script, reader_of):
    script.values, script.age_s = {"sum(a)": 5.0}, 121.0
    batch = load(reader_of(), "sum(a)")
    assert newest(batch) == [DataVerdict.STALE]
    assert batch.notes == {0: "the newest sample is 121 s old, more than 120 s"}


def test_an_age_that_cannot_be_asked_forbids_shrinking_only(script, reader_of):
    script.values, script.age_s = {"sum(a)": 5.0}, fault(DataVerdict.UNREACHABLE, "no answer within 5 s")
    batch = load(reader_of(), "sum(a)")
    assert newest(batch) == [DataVerdict.PARTIAL]
    assert (batch.values == 5.0).all()


def test_constants_and_dialects_are_not_asked_about(script, reader_of):
    script.values = {"vector(5)": 5.0, "sum(rollup_rate(a[5m]))": 5.0}
    assert newest(load(reader_of(), *script.values)) == [DataVerdict.OK] * 2
    assert script.asked["age"] == script.asked["copies"] == 0


def test_copies_are_looked_for_at_first_sight_then_every_ten_minutes(script, hand, reader_of):
    script.values = {"sum(a)": 5.0}
    reader = reader_of()
    for second in range(0, 1300, 15):
        hand.at_s = float(second)
        load(reader, "sum(a)", first=STEP + second, end=STEP + second + 6)
    assert script.asked["copies"] == 3


def test_copies_refuse_until_they_are_gone(script, hand, reader_of):
    script.values, script.copies = {"sum(a)": 5.0}, 2
    reader = reader_of()
    for _ in range(2):
        batch = load(reader, "sum(a)")
        assert newest(batch) == [DataVerdict.DUPLICATED]
        assert "a is there 2 times" in batch.notes[0]
    script.copies = 1
    assert newest(load(reader, "sum(a)")) == [DataVerdict.OK]


def test_older_reads_are_looked_at_for_copies_too_but_not_diagnosed(script, hand, reader_of):
    script.values = {"sum(a)": 5.0, "sum(b)": None}
    reader = reader_of()
    load(reader, "sum(a)", "sum(b)", first=STEP + 5000, end=STEP + 5100)
    asked = script.asked.copy()
    script.copies = 2
    batch = load(reader, "sum(a)", "sum(b)", first=STEP, end=STEP + 4000)
    assert newest(batch) == [DataVerdict.DUPLICATED, DataVerdict.MISSING]
    assert script.asked["age"] == asked["age"]
    assert script.asked["status/runtimeinfo"] == asked["status/runtimeinfo"]
    assert 1 not in batch.notes


def test_what_is_missing_is_diagnosed_once_and_a_few_at_a_time(script, hand, reader_of):
    queries = [f"sum(a{k})" for k in range(12)]
    script.values = dict.fromkeys(queries)
    reader = reader_of()
    told = [len(load(reader, *queries).notes) for _ in range(4)]
    assert told == [5, 10, 12, 12]
    asked = script.asked["instant"]
    load(reader, *queries)
    assert script.asked["instant"] == asked
    hand.at_s += 601
    load(reader, *queries)
    assert script.asked["instant"] > asked


def test_a_restart_is_news_once_and_other_replicas_are_none(script, reader_of):
    script.values = {"sum(rate(a[2m]))": 5.0}
    reader = reader_of()

    def at(step: int) -> DataVerdict:
        script.now_step = step
        return newest(load(reader, *script.values, first=step - 6, end=step))[0]

    def stamp(step: float) -> str:
        return datetime.fromtimestamp(step * SECONDS, UTC).isoformat()

    assert at(STEP) == DataVerdict.OK
    script.started = stamp(STEP - 5000)  # another replica behind the same address
    assert at(STEP + 1) == DataVerdict.OK
    script.started = stamp(STEP + 1.5)
    assert [at(STEP + k) for k in (2, 3, 4, 5, 6)] == [DataVerdict.RECOVERING] * 4 + [DataVerdict.OK]
    for k, step in zip(range(7, 12), itertools.cycle((STEP - 5000, STEP + 1.5))):
        script.started = stamp(step)
        assert at(STEP + k) == DataVerdict.OK


def test_a_source_without_runtime_information_is_not_asked_for_it_each_time(script, hand, reader_of):
    script.values, script.started = {"sum(a)": 5.0}, None
    reader = reader_of()
    for _ in range(5):
        assert newest(load(reader, "sum(a)")) == [DataVerdict.OK]
    assert script.asked["status/runtimeinfo"] == 1
    hand.at_s += 601
    load(reader, "sum(a)")
    assert script.asked["status/runtimeinfo"] == 2


def test_a_dialects_bad_query_is_a_wrong_type_where_we_can_see_it(script, reader_of):
    script.values = {"a[5m]": fault(DataVerdict.BAD_QUERY, "cannot do")}
    assert newest(load(reader_of(), "a[5m]")) == [DataVerdict.WRONG_TYPE]


def test_partial_answers_are_lower_bounds(script, reader_of):
    script.values, script.warnings = {"sum(a)": 5.0}, ("store eu-2 is down",)
    batch = load(reader_of(), "sum(a)")
    assert newest(batch) == [DataVerdict.PARTIAL]
    assert batch.notes == {0: "store eu-2 is down"}
    assert (batch.values == 5.0).all()
