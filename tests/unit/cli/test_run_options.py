"""`foresail run`: options that cannot work are refused before anything starts; its log tells changes only."""

import logging
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from autoscaler.bootstrap.service import service
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.cli.run import News
from autoscaler.domain.notes import Condition, Note
from autoscaler.simulator.clock import VirtualClock

END = datetime(2026, 6, 10, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--speed", "60"), "--speed needs --replay-from"),
        (("--speed", "0", "--replay-from", "2026-06-10T09:00:00Z"), "--speed 0 must be positive"),
        (("--speed", "inf", "--replay-from", "2026-06-10T09:00:00Z"), "--speed inf must be positive and at most"),
        (("--speed", "nan", "--replay-from", "2026-06-10T09:00:00Z"), "--speed nan must be positive"),
        (("--replay-from", "2026-06-10T09:00:00"), "has no time zone"),
        (("--listen", "9464"), "is not HOST:PORT"),
        (("--listen", "host:99999"), "is not HOST:PORT"),
        (("--listen", ":9464"), "is not HOST:PORT"),
        (("--listen", "no.such.host.invalid:9464"), "cannot listen on no.such.host.invalid:9464"),
        (("--tick", "10ms"), "--tick '10ms' must be at least 0.1s"),
        (("--tick", "0s"), "--tick '0s' must be at least 0.1s"),
        (("--step", "90500ms"), "--step '90500ms' must be whole seconds"),
    ],
)
def test_refused(estate, source, workload, foresail, args, words):
    estate.record()
    estate.write(source(), workload("web"))
    said = foresail("run", "fleet", *args)
    assert (said.code, said.out) == (2, "")
    assert words in said.err


def test_a_taken_port_is_named_with_a_way_out(estate, source, workload, foresail):
    estate.record()
    estate.write(source(), workload("web"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = foresail("run", "fleet", "--listen", f"127.0.0.1:{port}")
    assert said.code == 2
    assert f"foresail: cannot listen on 127.0.0.1:{port} (address already in use); choose another with --l" in said.err


def test_nothing_valid_to_run_ends_at_once(estate, source, workload, foresail, tmp_path):
    estate.write(source(), workload("web", replicas="{min: 3, max: 1}"))
    said = foresail("run", "fleet")
    assert said.code == 2
    assert "fleet/fleet.yaml:15:13" in said.err
    assert not (tmp_path / "foresail.db").exists()


def test_the_log_tells_what_changed_and_is_silent_otherwise(estate, source, workload, tmp_path, caplog):
    """Advise never writes, so wanted and current differ in every tick; that alone is no news."""
    estate.record("web.csv", "web", steps=60)
    estate.write(source(), workload("web", mode="Advise"))
    clock = VirtualClock(END)
    running = service(ServiceSettings((estate.folder,), tmp_path / "s.db"), clock)
    news = News()
    told = []
    with caplog.at_level(logging.INFO, "foresail"):
        for late_s in (0, 15, 30, 45, 600, 615, 630):
            clock.at = END + timedelta(seconds=late_s)
            caplog.clear()
            decisions = running.tick()
            assert decisions is not None
            news.tell(decisions)
            told.append([r.getMessage() for r in caplog.records if r.getMessage().startswith("decision ")])
    running.close()
    first, held = told[0], told[4]
    assert [len(lines) for lines in told] == [1, 0, 0, 0, 1, 0, 0]
    assert "workload=shop/web at=2026-06-10T09:00:00+00:00 state=Advisory 2->25 mode=Advise" in first[0]
    assert "state=Holding 2->" in held[0]


def test_a_write_that_may_not_be_is_a_warning_once_until_it_has_ended(estate, source, workload, tmp_path, caplog):
    estate.record("web.csv", "web", steps=60)
    estate.write(source(), workload("web", mode="Act"))
    running = service(ServiceSettings((estate.folder,), tmp_path / "s.db"), VirtualClock(END))
    decisions = running.tick()
    running.close()
    assert decisions is not None
    refused = replace(decisions, notes={0: (Note(Condition.FORBIDDEN, "web is forbidden"),)})
    written = replace(decisions, notes={0: (Note(Condition.WRITTEN, "2 to 16"),)})
    news = News()
    for each in (refused, refused, written, refused):
        news.tell(each)
    told = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert [t for t in told if "not_written" in t] == [
        "not_written workload=shop/web reason=Forbidden: web is forbidden"
    ] * 2
