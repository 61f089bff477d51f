"""What the loop has learned survives a restart, holds for as long as it means something, and never stops a start."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.adapters.artefacts.writing import write_artefact
from autoscaler.bootstrap.engine_state import NotOurs, arrays_of, layout, resumed, state_of
from autoscaler.bootstrap.engine_state_keeper import FRESH_S, INTERVAL_S, EngineStateKeeper
from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.workload import Demand, Lead, Target, Workload, WorkloadRef
from autoscaler.pipeline.state import LoopState

NOW = datetime(2026, 6, 10, 9, tzinfo=UTC)
NOW_S = NOW.timestamp()
STEP_S = 60


def fleet_of(*names: str) -> Fleet:
    return Fleet(
        tuple(
            Workload(
                WorkloadRef("shop", name), Target("apps/v1", "Deployment", name),
                (Demand("requests", "rec", name, 10.0),), 1, 50, Lead(120.0),
            )
            for name in names
        )
    )  # fmt: skip


def lived(fleet: Fleet, until_s: float = NOW_S, ticks: int = 12, seed: int = 1) -> LoopState:
    """A state after some ticks of which the last was at until_s, with margins of its own."""
    rng = np.random.default_rng(seed)
    lanes = len(fleet)
    state = LoopState.fresh(fleet, STEP_S)
    for k in range(ticks):
        now_s = until_s - 15.0 * (ticks - 1 - k)
        counts = rng.integers(1, 40, lanes)
        state = state.noted(now_s, counts, counts + 1, np.ones(lanes, dtype=np.bool_), 300.0)
    margin = replace(
        state.margin,
        log_margin=rng.normal(0.1, 0.2, lanes),
        shadow=rng.integers(1, 40, state.margin.shadow.shape).astype(np.float64),
        step=int(until_s // STEP_S),
        settled_step=np.full(lanes, int(until_s // STEP_S) - 1),
    )
    return state.learned(margin)


def same(one: Any, other: Any) -> bool:
    for field in dataclasses.fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if dataclasses.is_dataclass(a):
            if not same(a, b):
                return False
        elif isinstance(a, np.ndarray):
            if a.dtype != b.dtype or not np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
                return False
        elif a != b:
            return False
    return True


@pytest.fixture
def fleet() -> Fleet:
    return fleet_of("web", "api", "search")


@pytest.fixture
def keeper(tmp_path: Path) -> EngineStateKeeper:
    return EngineStateKeeper(tmp_path / "state", STEP_S)


def saved(keeper: EngineStateKeeper, state: LoopState, at: datetime = NOW) -> Path:
    """Saved by a keeper of the same folder; the folder of the generation."""
    writer = EngineStateKeeper(keeper.folder, STEP_S)
    writer.offer(state, at)
    writer.close()
    assert writer.trouble is None
    return max(keeper.folder.iterdir(), key=lambda p: int(p.name))


def test_every_field_of_a_state_comes_back(fleet: Fleet) -> None:
    state = lived(fleet)
    assert same(state_of(arrays_of(state), LoopState.fresh(fleet_of("other"), STEP_S)), state)


def test_a_restart_within_two_steps_changes_nothing(keeper: EngineStateKeeper, fleet: Fleet) -> None:
    state = lived(fleet)
    saved(keeper, state)
    found = keeper.restore(fleet, NOW + timedelta(seconds=30))
    assert found.state is not None
    assert same(found.state, state)
    assert "3 of 3 workloads" in found.words
    assert keeper.health["restored"] == found.words


def test_a_pause_keeps_margins_and_what_windows_still_see_but_judges_no_step_of_it(
    keeper: EngineStateKeeper, fleet: Fleet
) -> None:
    state = lived(fleet)
    saved(keeper, state)
    found = keeper.restore(fleet, NOW + timedelta(seconds=200)).state
    assert found is not None
    assert np.array_equal(found.margin.log_margin, state.margin.log_margin)
    assert np.isnan(found.margin.shadow).all()
    assert np.array_equal(found.high, state.high)
    assert np.array_equal(found.counts, state.counts)


def test_after_windows_are_outrun_a_lane_starts_as_at_first_sight(fleet: Fleet) -> None:
    """Not a sudden drop to what is recommended now: its count had been recommended all along."""
    after_s = NOW_S + 400.0
    found = resumed(lived(fleet), fleet, after_s, STEP_S)
    assert (found.counts == -1).all()
    noted = found.noted(after_s, np.array([2, 2, 2]), np.array([30, 30, 30]), np.ones(3, dtype=np.bool_), 300.0)
    assert noted.high[-1].tolist() == [30, 30, 30]
    assert noted.low[-1].tolist() == [2, 2, 2]


def test_lanes_that_came_and_went_keep_what_is_theirs(keeper: EngineStateKeeper, fleet: Fleet) -> None:
    state = lived(fleet)
    saved(keeper, state)
    changed = fleet_of("new", "search", "web")
    found = keeper.restore(changed, NOW)
    assert found.state is not None
    assert found.state.lanes == tuple(w.ref for w in changed.workloads)
    fresh = LoopState.fresh(changed, STEP_S)
    assert found.state.margin.log_margin[0] == fresh.margin.log_margin[0]
    assert found.state.margin.log_margin[1:].tolist() == state.margin.log_margin[[2, 0]].tolist()
    assert found.state.low[:, 0].tolist() == [NO_LIMIT] * len(state.low)
    assert "2 of 3 workloads" in found.words


def test_state_of_another_time_is_not_taken(keeper: EngineStateKeeper, fleet: Fleet) -> None:
    saved(keeper, lived(fleet))
    old = keeper.restore(fleet, NOW + timedelta(seconds=FRESH_S + 1))
    assert old.state is None
    assert "7.0 days ago: too old" in old.words
    future = keeper.restore(fleet, NOW - timedelta(hours=1))
    assert future.state is None
    assert "another clock's" in future.words
    assert keeper.restore(fleet, NOW + timedelta(seconds=FRESH_S - 1)).state is not None


def test_a_clock_that_was_set_back_costs_the_windows_alone(fleet: Fleet) -> None:
    state = lived(fleet)
    found = resumed(state, fleet, NOW_S - 40.0, STEP_S)
    assert len(found.times_s) == 0
    assert np.array_equal(found.margin.log_margin, state.margin.log_margin)
    three = np.array([3, 3, 3])
    assert len(found.noted(NOW_S - 40.0, three, three, np.ones(3, dtype=np.bool_), 300.0).times_s) == 1


def test_state_of_another_grid_or_another_foresail_is_not_taken(keeper: EngineStateKeeper, fleet: Fleet) -> None:
    folder = saved(keeper, lived(fleet))
    other = EngineStateKeeper(keeper.folder, 15).restore(fleet, NOW)
    assert other.state is None
    assert "step_s '60'" in other.words
    place = folder / "manifest.json"
    told = json.loads(place.read_text())
    told["versions"]["layout"] = "0" * 16
    place.write_text(json.dumps(told))
    found = keeper.restore(fleet, NOW)
    assert found.state is None
    assert "layout" in found.words


def test_the_layout_follows_the_fields(fleet: Fleet) -> None:
    state = LoopState.fresh(fleet, STEP_S)
    assert layout(state) == layout(lived(fleet_of("one")))
    assert layout(replace(state, high=state.high.astype(np.float64))) != layout(state)


@pytest.mark.parametrize(
    "damage", ["truncated", "flipped", "no manifest", "no arrays", "empty folder", "a file", "a link"]
)
def test_f11_a_broken_newest_costs_one_interval_and_never_the_start(
    damage: str, keeper: EngineStateKeeper, fleet: Fleet, tmp_path: Path
) -> None:
    bystander = tmp_path / "bystander"
    bystander.write_text("not ours")
    before = lived(fleet)
    saved(keeper, before)
    newest = saved(keeper, lived(fleet, seed=2), NOW + timedelta(seconds=60))
    arrays = newest / "arrays.npz"
    body = bytearray(arrays.read_bytes())
    if damage == "truncated":
        arrays.write_bytes(body[: len(body) // 2])
    elif damage == "flipped":
        body[len(body) // 2] ^= 1
        arrays.write_bytes(body)
    elif damage == "no manifest":
        (newest / "manifest.json").unlink()
    elif damage == "no arrays":
        arrays.unlink()
    else:
        shutil.rmtree(newest)
        if damage == "empty folder":
            newest.mkdir()
        elif damage == "a file":
            newest.write_text("x")
        else:
            newest.symlink_to(tmp_path)
    found = keeper.restore(fleet, NOW + timedelta(seconds=60))
    assert found.state is not None
    assert np.array_equal(found.state.margin.log_margin, before.margin.log_margin)
    assert str(newest) in found.words
    for k in range(3):  # old generations are removed, and never what a link in their place leads to
        saved(keeper, found.state, NOW + timedelta(seconds=90 + k))
    keeper.offer(found.state, NOW + timedelta(seconds=95))
    keeper.close()
    assert keeper.trouble is None
    assert keeper.saved_at is not None
    assert bystander.read_text() == "not ours"


@pytest.mark.parametrize("what", ["nan margin", "another shape", "more fields", "a name", "twice"])
def test_sound_files_with_nonsense_in_them_are_passed_over(what: str, keeper: EngineStateKeeper, fleet: Fleet) -> None:
    state = lived(fleet)
    arrays = dict(arrays_of(state))
    if what == "nan margin":
        arrays["margin.log_margin"] = np.full(3, np.nan)
    elif what == "another shape":
        arrays["high"] = arrays["high"][:2]
    elif what == "more fields":
        arrays["extra"] = np.zeros(3)
    elif what == "a name":
        arrays["lanes"] = np.array([b"web", b"api", b"search"])
    else:
        arrays["lanes"] = np.array([b"shop/web"] * 3)
    with pytest.raises(NotOurs):
        state_of(arrays, LoopState.fresh(fleet, STEP_S))
    folder = saved(keeper, state)
    told = json.loads((folder / "manifest.json").read_text())
    shutil.rmtree(folder)
    from autoscaler.domain.artefact import Manifest

    write_artefact(folder, Manifest(kind="engine-state", name="loop", created=NOW, versions=told["versions"]), arrays)
    assert keeper.restore(fleet, NOW).state is None


def test_what_cannot_be_packed_or_read_stops_neither_ticks_nor_a_start(
    keeper: EngineStateKeeper, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    saved(keeper, lived(fleet))

    def fail(*args: Any) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr("autoscaler.bootstrap.engine_state_keeper.layout", fail)
    found = keeper.restore(fleet, NOW)
    assert found.state is None
    assert "MemoryError: no room" in found.words
    keeper.offer(lived(fleet), NOW)
    keeper.close()
    assert keeper.trouble == "no room"
    assert "engine_state_not_saved" in caplog.text


@pytest.mark.parametrize("lanes", [0, 1, 3, 17, 20])
def test_a_fleet_of_any_size_takes_what_one_of_any_other_size_kept(lanes: int, fleet: Fleet) -> None:
    """Sizes that are those of a window or of the lead too: no axis is taken for another."""
    for other in (1, 3, 17, 20):
        names = [f"w{k}" for k in range(other)]
        state = lived(fleet_of(*names), ticks=20)
        template = LoopState.fresh(fleet_of(*[f"v{k}" for k in range(lanes)]), STEP_S)
        assert same(state_of(arrays_of(state), template), state)


def test_nothing_kept_is_said(keeper: EngineStateKeeper, fleet: Fleet) -> None:
    found = keeper.restore(fleet, NOW)
    assert (found.state, found.words) == (None, f"{keeper.folder}: nothing was kept there yet")


def test_two_generations_are_kept_and_torn_ones_swept(keeper: EngineStateKeeper, fleet: Fleet) -> None:
    for k in range(5):
        saved(keeper, lived(fleet), NOW + timedelta(seconds=k))
    assert sorted(p.name for p in keeper.folder.iterdir()) == ["4", "5"]
    torn = keeper.folder / ".6.abc.part"
    torn.mkdir()
    (torn / "arrays.npz").write_bytes(b"half")
    assert keeper.restore(fleet, NOW).state is not None
    assert not torn.exists()


def test_it_is_written_once_an_interval_beside_the_ticks(tmp_path: Path, fleet: Fleet) -> None:
    at_s = [0.0]
    keeper = EngineStateKeeper(tmp_path / "state", STEP_S, interval_s=60.0, clock=lambda: at_s[0])
    state = lived(fleet)
    keeper.offer(state, NOW)
    assert keeper.saved_at is None
    keeper.save()
    assert keeper.saved_at == NOW
    keeper.save()
    assert [p.name for p in keeper.folder.iterdir()] == ["1"], "nothing was offered since"
    keeper.offer(state, NOW + timedelta(seconds=15))
    keeper.close()
    assert keeper.saved_at == NOW + timedelta(seconds=15)
    keeper.close()
    assert sorted(p.name for p in keeper.folder.iterdir()) == ["1", "2"]


def test_a_disk_that_takes_nothing_is_told_once_and_ticks_go_on(
    tmp_path: Path, fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("a file in the folder's place")
    keeper = EngineStateKeeper(tmp_path / "state", STEP_S)
    assert keeper.restore(fleet, NOW).state is None
    for k in range(3):
        keeper.offer(lived(fleet), NOW + timedelta(seconds=k))
        keeper.save()
    assert caplog.text.count("engine_state_not_saved") == 1
    assert keeper.health["trouble"] is not None
    (tmp_path / "state").unlink()
    keeper.offer(lived(fleet), NOW)
    keeper.close()
    assert keeper.trouble is None
    assert keeper.saved_at == NOW


def test_the_interval_is_the_one_that_is_stated() -> None:
    from autoscaler.bootstrap.settings import ServiceSettings

    assert ServiceSettings((), Path("x.db")).state_every_s == INTERVAL_S == 60.0


def test_a_service_goes_on_with_the_margin_that_it_had(
    estate: Any, source: Callable[..., str], workload: Callable[..., str], tmp_path: Path
) -> None:
    from autoscaler.bootstrap.service import service
    from autoscaler.bootstrap.settings import ServiceSettings
    from autoscaler.simulator.clock import VirtualClock

    estate.record("web.csv", "web", steps=900)
    estate.write(source(), workload("web"))
    clock = VirtualClock(NOW - timedelta(minutes=40))
    settings = ServiceSettings((estate.folder,), tmp_path / "record.db", step_s=60)
    first = service(settings, clock)
    try:
        for _ in range(30):
            assert first.tick() is not None
            clock.advance(60)
        state = first.pipeline.state
    finally:
        first.close()
    assert state is not None
    fresh = LoopState.fresh(first.files.fleet, 60)
    assert state.margin.log_margin[0] != fresh.margin.log_margin[0], "it has learned something"
    again = service(settings, clock)
    try:
        assert again.pipeline.state is not None
        assert same(again.pipeline.state, state)
        assert again.health()["engineState"]["restored"].endswith("1 of 1 workloads")
        decisions = again.tick()
        assert decisions is not None
        assert decisions.margin[0] == pytest.approx(float(state.margin.margin[0]), rel=0.05)
    finally:
        again.close()
    shutil.rmtree(settings.state_folder)
    settings.state_folder.write_text("broken")
    broken = service(settings, clock)
    try:
        assert broken.tick() is not None
    finally:
        broken.close()
