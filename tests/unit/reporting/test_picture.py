import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autoscaler.reporting.picture import SIZE_PX, draw_demo
from autoscaler.reporting.runs import Event, Span, best_part, outages, span_of
from autoscaler.simulator.runlog import RunLog
from autoscaler.simulator.shop import shop_events, shop_load, shop_window

WEEK = shop_window(300)
EVENTS: tuple[Event, ...] = shop_events(300)


def run(name: str, spare: float = 1.3, steps: int = 7 * 288) -> RunLog:
    load = shop_load(WEEK.week_step, steps, step_s=300)
    replicas = np.ceil(np.roll(load.demand, 1) * spare / 50).astype(np.int64)
    zeros, nan = np.zeros(steps, dtype=np.int64), np.full(steps, np.nan)
    ours = name == "Foresail"
    return RunLog(
        name=name,
        step_s=300,
        first_step=WEEK.week_step,
        capacity=50.0,
        guards=(),
        demand=load.demand,
        seen=load.seen,
        current=replicas,
        wanted=replicas,
        granted=replicas,
        ready=replicas,
        p50=load.demand * 1.05 if ours else nan,
        p95=load.demand * 1.2 if ours else nan,
        margin=nan,
        reason_bits=zeros,
        held=zeros.astype(np.bool_),
    )


def pixels(path: Path) -> np.ndarray:
    from matplotlib.image import imread

    return (imread(str(path))[..., :3] * 255).round().astype(int)


def share(image: np.ndarray, colour: str) -> float:
    rgb = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)])
    return float((np.abs(image - rgb).max(axis=-1) <= 12).mean())


@pytest.mark.slow
def test_a_week_gives_a_picture_of_the_stated_size_with_every_part_in_it(tmp_path: Path) -> None:
    from autoscaler.reporting import palette

    path = draw_demo(
        tmp_path / "demo.png", [run("Foresail"), run("plain HPA", 1.1)], EVENTS, title="A week", synthetic=True
    )
    assert struct.unpack(">II", path.read_bytes()[16:24]) == SIZE_PX
    image = pixels(path)
    for colour in (palette.RUNS[0], palette.RUNS[1], palette.SHORT, palette.DEMAND):
        assert share(image, colour) > 0.0002
    assert b"SYNTHETIC" in path.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("case", ["one run", "no demand known", "one day", "four runs with long names", "nobody ready"])
def test_odd_runs_are_drawn_without_a_warning(tmp_path: Path, case: str) -> None:
    ours = run("Foresail", steps=288)
    runs = {
        "one run": [ours],
        "no demand known": [replace(ours, demand=ours.demand * np.nan, seen=ours.seen * np.nan)],
        "one day": [ours, run("plain HPA", steps=288)],
        "four runs with long names": [ours, *(run(f"a rival with a long name {k}", steps=288) for k in range(3))],
        "nobody ready": [replace(ours, ready=ours.ready * 0, granted=ours.granted * 0 - 1)],
    }[case]
    path = draw_demo(tmp_path / "odd.png", runs, title=case, subtitle="settings", synthetic=False)
    assert pixels(path).std() > 10


def test_the_close_view_is_the_day_with_the_longest_shortage() -> None:
    good = run("Foresail", 9.0)
    crowd_day = Span(WEEK.week_step + 4 * 288, WEEK.week_step + 5 * 288)
    short = good.ready.copy()
    short[4 * 288 + 10] = 0
    assert best_part([good, replace(good, name="HPA", ready=short)], span_of(good), EVENTS) == crowd_day


def test_without_shortage_the_close_view_is_the_busiest_day_with_an_event() -> None:
    good = run("Foresail", 9.0)
    day = best_part([good], span_of(good), EVENTS)
    assert day == Span(WEEK.week_step + 4 * 288, WEEK.week_step + 5 * 288)


def test_within_a_day_the_close_view_is_four_hours() -> None:
    part = best_part([run("Foresail", steps=288)], Span(WEEK.week_step, WEEK.week_step + 288))
    assert (part.end - part.first) * 300 == 4 * 3600


def test_gaps_that_no_event_names_are_outages_and_single_lost_scrapes_are_not() -> None:
    log = replace(run("Foresail"), step_s=60)
    seen = np.ones(log.steps)
    seen[10] = np.nan
    seen[20:26] = np.nan
    seen[40:50] = np.nan
    first = log.first_step
    named: Event = ("metrics outage", first + 41, first + 50, "")
    found = outages(replace(log, seen=seen), [named])
    assert [(a - first, b - first) for _, a, b, _ in found] == [(20, 26)]


@pytest.mark.parametrize("window", [(0, 10), (WEEK.end_step, WEEK.end_step + 5)])
def test_a_window_outside_the_runs_is_refused(tmp_path: Path, window: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="lies outside the runs' steps"):
        draw_demo(tmp_path / "x.png", [run("Foresail")], title="x", synthetic=True, window=window)


def test_runs_must_be_on_one_grid(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not on one grid"):
        draw_demo(tmp_path / "x.png", [run("a"), run("b", steps=10)], title="x", synthetic=True)
    with pytest.raises(ValueError, match="no runs"):
        draw_demo(tmp_path / "x.png", [], title="x", synthetic=True)


def test_importing_the_module_loads_no_matplotlib() -> None:
    code = "import sys, autoscaler.reporting.picture; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
