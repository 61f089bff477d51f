"""Sources of a running service: taken in, kept, let go; one that is broken costs no other; the servers' time."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.adapters.clock import SystemClock
from autoscaler.adapters.sources import Sources
from autoscaler.bootstrap.live_sources import LiveSources, in_words
from autoscaler.bootstrap.running import Service
from autoscaler.bootstrap.server_time import ServerClock
from autoscaler.bootstrap.service import service
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.domain.errors import SourceDown
from autoscaler.domain.series import DataVerdict, SeriesBatch
from autoscaler.domain.workload import Demand
from autoscaler.intake.backfill_progress import BackfillLimits
from autoscaler.ports.clock import Clock
from autoscaler.ports.metrics import MetricsReader
from autoscaler.simulator.clock import VirtualClock
from autoscaler.spec.compile import PrometheusSource

NOW = datetime(2026, 6, 10, 9, tzinfo=UTC)
D = Demand("requests", "prod", "web", 10.0)


@dataclass
class State:
    reachable: bool = True
    last_ok_s: float | None = None
    skew_s: float | None = None
    queries: int = 0
    failures: Mapping[DataVerdict, int] = field(default_factory=dict)


@dataclass
class Server:
    """Answers `value` for every step, or nothing at all; every answer tells the skew."""

    value: float = 200.0
    verdict: DataVerdict = DataVerdict.OK
    hang_s: float = 0.0
    skew_s: float = 0.0
    state: State = field(default_factory=State)
    asked: list[tuple[int, int]] = field(default_factory=list)
    wide_asked: list[tuple[int, int]] = field(default_factory=list)
    closed: int = 0

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        self.asked.append((first_step, end_step))
        time.sleep(self.hang_s)
        return self._answer(len(demands), first_step, end_step, step_s)

    def _answer(self, rows: int, first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        self.state.queries += 1
        good = self.verdict is DataVerdict.OK
        if good:
            self.state.last_ok_s, self.state.skew_s = time.time(), self.skew_s
        else:
            self.state.failures = {self.verdict: self.state.failures.get(self.verdict, 0) + 1}
        self.state.reachable = self.verdict is not DataVerdict.UNREACHABLE
        raw = np.full((rows, end_step - first_step), self.value if good else np.nan)
        batch = SeriesBatch.judge(step_s, first_step, raw, self.verdict if not good else DataVerdict.MISSING)
        notes = {} if good else dict.fromkeys(range(rows), "connection refused")
        return SeriesBatch(step_s, first_step, batch.values, batch.verdicts, notes)

    @property
    def wide(self) -> MetricsReader:
        server = self

        class Wide:
            def load(self, demands: Sequence[Demand], first: int, end: int, step_s: int) -> SeriesBatch:
                server.wide_asked.append((first, end))
                return server._answer(len(demands), first, end, step_s)

        return Wide()

    @property
    def health(self) -> State:
        return self.state

    def greet(self) -> str | None:
        self._answer(1, 0, 1, 60)
        return None if self.verdict is DataVerdict.OK else "connection refused"

    def close(self) -> None:
        self.closed += 1


@dataclass
class Estate:
    """Opens a fake for each source, and remembers which."""

    opened: dict[str, Server] = field(default_factory=dict)
    count: int = 0
    refuse: str | None = None
    prepared: dict[str, Server] = field(default_factory=dict)

    def __call__(self, source: PrometheusSource) -> Any:
        if self.refuse == source.name:
            raise SourceDown("caFile /ca.crt: no such file")
        self.count += 1
        self.opened[source.name] = self.prepared.get(source.name) or Server()
        return self.opened[source.name]


@pytest.fixture
def openings() -> Estate:
    return Estate()


@pytest.fixture
def live(openings) -> Iterator[LiveSources]:
    made = LiveSources(openings, Sources, deadline_s=0.5)
    yield made
    made.close()


def prom(name: str = "prod", url: str = "http://p") -> PrometheusSource:
    return PrometheusSource(name, url)


def test_an_unchanged_source_keeps_its_reader_and_a_changed_one_is_closed(live, openings):
    live.serve({"prod": prom(), "other": prom("other")}, [D])
    first = openings.opened["prod"]
    live.serve({"prod": prom()}, [D])
    assert openings.opened["other"].closed == 1
    assert (first.closed, openings.count) == (0, 2)
    live.serve({"prod": prom(url="http://q")}, [D])
    assert (first.closed, openings.count) == (1, 3)
    live.serve({}, [])
    assert openings.opened["prod"].closed == 1


def test_a_source_that_cannot_be_opened_costs_no_other_and_is_tried_again(live, openings):
    openings.refuse = "bad"
    live.serve({"prod": prom(), "bad": prom("bad")}, [D])
    assert live.errors == {"bad": "caFile /ca.crt: no such file"}
    both = [D, Demand("requests", "bad", "web", 10.0)]
    batch = live.load(both, 0, 3, 60)
    assert (batch.verdicts[:, 0] == [DataVerdict.OK, DataVerdict.REFUSED]).all()
    openings.refuse = None
    assert (live.load(both, 0, 3, 60).verdicts == DataVerdict.OK).all()
    assert live.errors == {}


def test_M02_a_source_that_hangs_costs_its_own_rows_only(live, openings):
    openings.prepared = {"slow": Server(hang_s=30.0)}
    live.serve({"prod": prom(), "slow": prom("slow")}, [D])
    began = time.monotonic()
    batch = live.load([D, Demand("requests", "slow", "web", 10.0)], 0, 3, 60)
    assert time.monotonic() - began < 25
    assert (batch.verdicts[:, 0] == [DataVerdict.OK, DataVerdict.UNREACHABLE]).all()


def test_a_thread_beside_the_ticks_reads_wide_and_through_what_stands_between(live, openings):
    live.serve({"prod": prom()}, [D])
    beside = live.beside(live)
    beside.load([D], 0, 5000, 60)
    live.load([D], 4990, 5000, 60)
    server = openings.opened["prod"]
    assert (server.wide_asked, server.asked) == ([(0, 5000)], [(4990, 5000)])


def test_only_new_answers_tell_the_skew(live, openings):
    openings.prepared = {"prod": Server(skew_s=42.0)}
    live.serve({"prod": prom()}, [D])
    assert live.fresh_skew_s() is None
    live.load([D], 0, 3, 60)
    assert live.fresh_skew_s() == 42.0
    assert live.fresh_skew_s() is None


def test_a_source_in_words_holds_no_secret():
    source = PrometheusSource(
        "prod", "https://p", headers=(("X-Scope-OrgID", "canary"),), basic_user="mia", basic_password_file=Path("/pw")
    )
    assert in_words(source) == "prometheus https://p (basic auth as mia, headers X-Scope-OrgID)"


def _server_source(name: str = "prod", url: str = "http://p:9090") -> str:
    return (
        f"apiVersion: foresail.dev/v1alpha1\nkind: MetricsSource\nmetadata: {{name: {name}}}\n"
        f"spec: {{prometheus: {{url: '{url}'}}}}\n"
    )


@pytest.fixture
def start(estate, openings, tmp_path) -> Iterator[Callable[..., Service]]:
    running: list[Service] = []

    def started(clock: Clock | None = None, **settings: Any) -> Service:
        made = service(ServiceSettings((estate.folder,), tmp_path / "r.db", **settings), clock, openings)
        running.append(made)
        return made

    yield started
    for each in running:
        each.close()


def told(caplog: pytest.LogCaptureFixture, *heads: str) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.getMessage().startswith(heads)]


def test_a_service_on_a_server_decides_and_says_which_sources_it_uses(estate, workload, start, openings, caplog):
    estate.write(_server_source(), workload("web", source="prod"))
    with caplog.at_level(logging.INFO, "foresail"):
        running = start(VirtualClock(NOW))
        decisions = running.tick()
    assert decisions is not None
    assert decisions[0].demands[0].observed == 200.0
    assert decisions[0].granted >= 8
    assert told(caplog, "source ") == ["source name=prod prometheus http://p:9090"]
    assert told(caplog, "source_answers") == ["source_answers name=prod"]
    assert running.health()["sources"]["prod"]["up"] is True


def test_a_tick_asks_a_server_for_the_recent_only_and_the_rest_comes_beside(estate, workload, start, openings):
    estate.write(_server_source(), workload("web", source="prod"))
    running = start(VirtualClock(NOW), backfill=BackfillLimits(idle_s=0.02))
    running.tick()
    first, end = openings.opened["prod"].asked[0]
    assert end - first == 120
    deadline = time.monotonic() + 60
    while not openings.opened["prod"].wide_asked and time.monotonic() < deadline:
        time.sleep(0.01)
    assert openings.opened["prod"].wide_asked
    assert len(openings.opened["prod"].asked) == 1  # nobody else asks in the tick: not the twin either


def test_once_asks_for_everything_as_of_the_given_moment(estate, workload, start, openings, tmp_path):
    estate.write(_server_source(), workload("web", source="prod"))
    running = start(VirtualClock(NOW), beside=False, history_days=2)
    running.tick()
    end_step = int(NOW.timestamp()) // 60
    assert openings.opened["prod"].asked == [(end_step - 2 * 1440, end_step)]
    assert not running.settings.demand_store.exists()


def test_a_restart_knows_what_was_kept(estate, workload, start, openings, caplog):
    estate.write(_server_source(), workload("web", source="prod"))
    clock = VirtualClock(NOW)
    first = start(clock)
    for _ in range(30):
        first.tick()
        clock.advance(60)
    first.close()
    caplog.clear()
    with caplog.at_level(logging.INFO, "foresail"):
        second = start(clock)
    assert told(caplog, "demand_store") == [f"demand_store {second.settings.demand_store}: history of 1 of 1 demands"]


def test_M21_ticks_follow_the_servers_time_and_the_alarm_is_told_once(estate, workload, start, openings, caplog):
    estate.write(_server_source(), workload("web", source="prod"))
    openings.prepared = {"prod": Server(skew_s=-600.0)}
    with caplog.at_level(logging.INFO, "foresail"):
        running = start()
        for _ in range(2):
            decisions = running.tick()
    assert isinstance(running.clock, ServerClock)
    assert decisions is not None
    expected = datetime.now(UTC) - timedelta(seconds=600)
    assert abs(decisions[0].at - expected) < timedelta(seconds=10)
    (alarm,) = told(caplog, "clock_skew")
    assert alarm.startswith("clock_skew seconds=-600.0")
    assert running.health()["clock"] == {"skewSeconds": pytest.approx(-600, abs=0.1), "ok": False}
    value = running.telemetry.registry.get_sample_value("foresail_clock_skew_seconds")
    assert value == pytest.approx(-600, abs=0.1)
    assert running.in_servers_time(NOW) == pytest.approx(NOW - timedelta(seconds=600), abs=timedelta(seconds=1))


def test_a_clock_that_is_right_stays_the_machines(estate, workload, start):
    estate.write(_server_source(), workload("web", source="prod"))
    running = start()
    decisions = running.tick()
    assert decisions is not None
    assert abs(decisions[0].at - SystemClock().now()) < timedelta(seconds=5)
    assert running.health()["clock"]["ok"] is True


def test_a_source_that_goes_and_comes_back_is_told_of_twice(estate, workload, start, openings, caplog):
    """A source that was away is waited for again once it has answered in time: a tick or two later."""
    alike = [workload(f"w{k}", source="prod") for k in range(5)]
    estate.write(_server_source(), *alike, workload("one", source="prod"))
    clock = VirtualClock(NOW)
    running = start(clock)
    server = openings.opened["prod"]
    lines = []
    for verdict in (*[DataVerdict.OK] * 2, *[DataVerdict.UNREACHABLE] * 3, *[DataVerdict.OK] * 6):
        server.verdict = verdict
        caplog.clear()
        with caplog.at_level(logging.INFO, "foresail"):
            assert running.tick() is not None
        lines += told(caplog, "demand_")
        clock.advance(60)
        time.sleep(0.02)
    assert len(lines) == 2, lines
    assert lines[0].startswith("demand_fault source=prod demands=6 (shop/one/requests, shop/w0/requests,")
    assert "verdict=UNREACHABLE: the metrics source did not answer; connection refused" in lines[0]
    assert lines[1].startswith("demand_ok source=prod demands=6")


def test_metrics_of_sources_come_and_go_with_them(estate, workload, start, openings):
    estate.write(_server_source(), _server_source("gone", "http://q"), workload("web", source="prod"))
    openings.prepared = {"gone": Server(verdict=DataVerdict.UNREACHABLE)}
    clock = VirtualClock(NOW)
    running = start(clock)
    running.tick()

    def value(name: str, **labels: str) -> float | None:
        return running.telemetry.registry.get_sample_value(f"foresail_source_{name}", labels)

    assert (value("up", source="prod"), value("up", source="gone")) == (1, 0)
    assert value("query_failures_total", source="gone", verdict="UNREACHABLE") == 1
    before = value("queries_total", source="prod")
    assert before is not None
    clock.advance(60)
    running.tick()
    after = value("queries_total", source="prod")
    assert after is not None
    assert after > before
    estate.write(_server_source(), workload("web", source="prod"))
    running.tick()
    assert value("up", source="gone") is None
    assert value("query_failures_total", source="gone", verdict="UNREACHABLE") is None


def test_servers_and_files_serve_one_fleet(estate, source, workload, start, openings):
    estate.record("web.csv", "filed", end=NOW)
    both = (workload("web", source="prod"), workload("filed"))
    estate.write(source(), _server_source(), *both)
    decisions = start(VirtualClock(NOW)).tick()
    assert decisions is not None
    found = {str(decisions[k].workload): decisions[k].demands[0].observed for k in range(2)}
    assert found["shop/web"] == 200.0
    assert found["shop/filed"] == pytest.approx(242.6, abs=0.3)


def test_the_last_server_that_goes_ends_the_back_fill(estate, source, workload, start):
    estate.record("web.csv", "web", end=NOW)
    estate.write(_server_source(), workload("web", source="prod"))
    running = start(VirtualClock(NOW))
    running.tick()
    assert running.health()["backfill"] is not None
    estate.write(source(), workload("web"))
    decisions = running.tick()
    assert decisions is not None
    assert running.health()["backfill"] is None
    assert decisions[0].demands[0].observed == pytest.approx(242.6, abs=0.3)
