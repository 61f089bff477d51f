"""D12, P01, P05 in a running service: what a policy says is in force at the next tick, and a broken edit is not."""

import logging
from datetime import timedelta
from pathlib import Path

import pytest

from autoscaler.bootstrap.service import service
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.domain.errors import Refused
from autoscaler.simulator.clock import VirtualClock
from tests.unit.bootstrap.conftest import END

PAUSE = 'pause: {owner: mia, reason: incident, until: "2026-06-10T12:00:00Z"}'


def policy(rule: str, name: str = "all") -> str:
    return (
        f"apiVersion: foresail.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {{name: {name}}}\n"
        f"spec:\n  selector: {{}}\n  {rule}\n  acknowledge: [SelectsAll]\n"
    )


@pytest.fixture
def running(estate, source, workload, tmp_path):
    """A service over one workload and a folder of policies, that a test may start anew."""
    estate.record("web.csv", "web")
    estate.write(source(), workload("web"))
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "limits.yaml").write_text(policy("limits: {replicas: {max: 50}}", "limits"))
    made = []

    def start():
        clock = VirtualClock(END)
        settings = ServiceSettings(
            (estate.folder,), tmp_path / "r.db", 60, 15.0, listen=None, beside=False, policies=(folder,),
            state_every_s=None,
        )  # fmt: skip
        found = service(settings, clock)
        made.append(found)
        return found, clock, folder

    yield start
    for each in made:
        each.close()


def test_D12_a_pause_of_everything_stops_writes_at_the_next_tick_and_ends_by_itself(running, caplog):
    caplog.set_level(logging.INFO, logger="foresail")
    run, clock, folder = running()
    first = run.tick()
    assert first is not None
    assert first.granted[0] > first.proposals.current[0]
    (folder / "stop.yaml").write_text(policy(PAUSE))
    clock.advance(15)
    stopped = run.tick()
    assert stopped is not None
    assert (stopped.granted == stopped.proposals.current).all()
    assert stopped[0].state == "Paused"
    assert dict(stopped[0].rules)["pause"].endswith("stop.yaml:6)")
    assert "policy generation=2 name=all revision=" in caplog.text
    clock.at = END + timedelta(hours=3)
    assert run.tick()[0].state != "Paused"


def test_D12_the_pause_holds_whatever_else_is_broken_and_after_a_restart(running, estate):
    before, _, folder = running()
    before.close()
    (folder / "stop.yaml").write_text(policy(PAUSE))
    (folder / "limits.yaml").write_text("a: [")
    (estate.folder / "new.yaml").write_text("{{{")
    run, _, _ = running()
    stopped = run.tick()
    assert stopped is not None
    assert (stopped.granted == stopped.proposals.current).all()
    assert stopped[0].state == "Paused"
    health = run.health()
    assert list(health["policies"]["inForce"]) == ["all"]
    assert health["policies"]["unknown"]
    assert len(health["specProblems"]) == 2


def test_P01_P05_a_broken_edit_is_told_and_changes_nothing(running, caplog):
    caplog.set_level(logging.INFO, logger="foresail")
    run, clock, folder = running()
    before = run.tick()
    (folder / "limits.yaml").write_text(policy('limits: {replicas: {max: "3"}}', "limits"))
    clock.advance(15)
    after = run.tick()
    assert before is not None
    assert after is not None
    assert after.fleet.max_replicas[0] == before.fleet.max_replicas[0] == 50
    assert run.health()["policies"]["keptThoughBroken"] == ["limits"]
    assert "name=limits kept: its file is not valid now" in caplog.text
    (folder / "limits.yaml").write_text(policy("limits: {replicas: {max: 3}}", "limits"))
    clock.advance(15)
    mended = run.tick()
    assert mended is not None
    assert mended.fleet.max_replicas[0] == 3


def test_a_path_of_policies_that_is_not_there_is_refused_at_the_start(running, estate, tmp_path):
    settings = ServiceSettings((estate.folder,), tmp_path / "r.db", policies=(tmp_path / "polices",), listen=None)
    running()
    with pytest.raises(Refused, match="no such file or folder"):
        service(settings, VirtualClock(END))


def stop_for_good(folder: Path) -> None:
    text = policy("pause: {owner: mia, reason: fire, openEnded: true}", "stop")
    (folder / "stop.yaml").write_text(text.replace("[SelectsAll]", "[SelectsAll, OpenEnded]"))


def counted(run, name: str) -> float | None:
    return run.telemetry.registry.get_sample_value(name, {"policy": "GuardPolicy stop"})


def test_D12_a_kill_switch_without_an_end_reminds_daily_over_restarts_and_stops_with_it(running, caplog):
    run, clock, folder = running()
    run.tick()
    assert counted(run, "foresail_pause_open_workloads") is None
    stop_for_good(folder)
    clock.advance(15)
    decision = run.tick()[0]
    assert any(n.condition == "OpenEndedPause" for n in decision.notes)
    clock.advance(15)
    run.tick()
    assert counted(run, "foresail_pause_reminders_total") == 1
    assert counted(run, "foresail_pause_open_workloads") == 1
    assert "pause_without_end policy=GuardPolicy stop: GuardPolicy stop has paused 1 workloads" in caplog.text
    run.close()

    again, later, _ = running()
    again.tick()
    assert counted(again, "foresail_pause_reminders_total") is None, "it was told before the restart"
    later.at = END + timedelta(hours=24, seconds=20)
    again.tick()
    assert counted(again, "foresail_pause_reminders_total") == 1
    (health,) = again.health()["openPauses"]
    assert (health["policy"], health["workloads"]) == ("GuardPolicy stop", 1)
    (folder / "stop.yaml").unlink()
    later.advance(15)
    again.tick()
    assert counted(again, "foresail_pause_open_workloads") is None
    assert again.health()["openPauses"] == []


@pytest.mark.parametrize("kept", ["{", "[1]", '[{"policy": 1}]', ""])
def test_a_broken_memory_of_reminders_reminds_anew_and_stops_nothing(running, tmp_path, kept):
    (tmp_path / "r-reminders.json").write_text(kept)
    run, _, folder = running()
    stop_for_good(folder)
    assert run.tick() is not None
    assert counted(run, "foresail_pause_reminders_total") == 1
