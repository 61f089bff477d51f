import io
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from rich.console import Console

from autoscaler.cli.demo_chart import GUTTER, SHORT, Strips, chart
from autoscaler.cli.demo_view import DemoFrame, DemoView, Totals, final_table
from autoscaler.domain.series import Floats
from autoscaler.simulator.runlog import Figures

NOON = datetime(2026, 6, 11, 12, tzinfo=UTC)
TITLE = "Foresail demo · SYNTHETIC web shop"
WORDS = "the forecast peak of the lead window, with margin, needs 27 replicas"


def frame(now: datetime = NOON, *, steps: int = 1440, hours: float = 100.0, short: float = 3.0) -> DemoFrame:
    demand = 500 + 400 * np.sin(np.arange(steps) / 230)
    return DemoFrame(
        now=now,
        step_s=60,
        progress=0.4,
        state="Active",
        demand=demand,
        p50=demand * 1.05,
        p95=demand * 1.2,
        capacity=np.ceil(demand * 1.25 / 50) * 50,
        hpa_capacity=np.ceil(demand * 1.4 / 50) * 50,
        wanted=27,
        granted=26,
        ready=25,
        hpa_ready=31,
        decisions=((now - timedelta(minutes=10), WORDS), (now, "20 → 27 [sic]")),
        ours=Totals(hours, short),
        hpa=Totals(hours * 1.1, short * 4),
    )


def shown(shot: DemoFrame, width: int, height: int) -> list[str]:
    console = Console(record=True, width=width, height=height, file=io.StringIO())
    console.print(DemoView(TITLE, console).render(shot, width, height))
    return console.export_text().rstrip("\n").split("\n")


@pytest.mark.parametrize(("width", "height"), [(100, 32), (140, 50), (80, 24), (60, 32), (50, 40), (60, 24)])
def test_the_screen_fits(width: int, height: int) -> None:
    lines = shown(frame(), width, height)
    assert len(lines) < height
    assert max(map(len, lines)) <= width


def test_the_screen_has_the_numbers_the_reasons_and_both_bills() -> None:
    text = "\n".join(shown(frame(), 100, 32))
    for part in (
        TITLE,
        "Thu 11 Jun 12:00 UTC",
        "Active",
        "27 → 26",
        "25 / 31",
        "20 → 27 [sic]",
        "replica-h",
        "short min",
    ):
        assert part in text
    assert "the forecast peak of the lead" in text
    assert "█ demand" in text


def test_the_narrow_screen_keeps_the_newest_decision() -> None:
    assert any("20 → 27 [sic]" in line for line in shown(frame(), 60, 40))


@pytest.mark.parametrize("steps", [0, 1, 30, 1440, 5000])
def test_any_length_of_history_is_drawn(steps: int) -> None:
    assert len(shown(frame(steps=steps), 100, 32)) < 32


def test_unknown_demand_is_said_and_not_drawn() -> None:
    shot = frame()
    nothing = shot.demand * np.nan
    text = "\n".join(shown(replace(shot, demand=nothing, p50=nothing, p95=nothing), 100, 32))
    assert "unknown – unknown" in text
    assert SHORT not in text.replace(f"{SHORT} short", "")


def strips(demand: Floats, capacity: Floats, rival: Floats) -> Strips:
    return Strips(demand, demand * np.nan, capacity, rival)


def rows(given: Strips, height: int = 8) -> list[str]:
    return [t.plain for t in chart(given, NOON, 60, width=96 + GUTTER, height=height, names=("ours", "HPA"))]


def test_one_short_minute_marks_its_column_on_the_side_that_was_short() -> None:
    demand, enough = np.full(1440, 100.0), np.full(1440, 200.0)
    lacking = enough.copy()
    lacking[720] = 50
    *_, ours, theirs, _ = rows(strips(demand, enough, lacking))
    assert SHORT not in ours
    assert [i - GUTTER for i, sign in enumerate(theirs) if sign == SHORT] == [48]  # minute 720 of 1440, on 96 columns


def test_the_height_of_the_shape_is_the_demand() -> None:
    demand, capacity = np.full(1440, 50.0), np.full(1440, 100.0)
    lines = rows(strips(demand, capacity, capacity))
    filled = [line[40] for line in lines[:8]]
    assert filled == ["━", " ", " ", " ", "█", "█", "█", "█"]
    assert [line[:GUTTER].strip() for line in lines[:8]] == ["100", "", "", "50", "", "", "", "0"]


def test_the_clock_stands_under_the_plot() -> None:
    clock = rows(strips(*[np.ones(1440)] * 3))[-1]
    assert clock[GUTTER + 48 : GUTTER + 54] == "╵00:00"


def test_strips_are_of_one_length() -> None:
    with pytest.raises(ValueError, match="one length"):
        strips(np.ones(3), np.ones(2), np.ones(3))


def plain(*shots: DemoFrame) -> list[str]:
    out = io.StringIO()
    with DemoView(TITLE, Console(file=out, width=40)) as view:
        for shot in shots:
            view.update(shot)
    return out.getvalue().splitlines()


def test_without_a_terminal_each_decision_is_one_line_once_and_each_day_has_a_summary() -> None:
    night = NOON + timedelta(hours=14)
    quiet = replace(frame(NOON + timedelta(hours=11), hours=110, short=5), decisions=frame().decisions)
    assert plain(frame(), quiet, frame(night, hours=125, short=5)) == [
        TITLE,
        f"2026-06-11 11:50  {WORDS}",
        "2026-06-11 12:00  20 → 27 [sic]",
        "2026-06-11  day: Foresail 110.0 replica-hours, 5 min short | HPA 121.0 replica-hours, 20 min short",
        f"2026-06-12 01:50  {WORDS}",
        "2026-06-12 02:00  20 → 27 [sic]",
        "2026-06-12  day: Foresail 15.0 replica-hours, 0 min short | HPA 16.5 replica-hours, 0 min short",
    ]


def test_on_a_terminal_it_draws_over_itself() -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, height=32, force_terminal=True, color_system="truecolor")
    with DemoView(TITLE, console) as view:
        view.update(frame())
        view.update(frame(NOON + timedelta(hours=1)))
    text = out.getvalue()
    assert "13:00 UTC" in text
    assert "\x1b[1A" in text  # the cursor goes up
    assert "day:" not in text


def test_a_failure_inside_leaves_no_summary() -> None:
    out = io.StringIO()
    view = DemoView(TITLE, Console(file=out))
    view.__enter__()
    view.update(frame())
    view.__exit__(RuntimeError, RuntimeError(), None)
    assert "day:" not in out.getvalue()


def test_the_closing_table_has_cost_and_shortage_of_everyone() -> None:
    ours = Figures(1000.0, 12.0, 0.0012, 0.0003, 4.0, 1.5, 168.0)
    rival = replace(ours, replica_hours=1100.0, short_minutes=48.0)
    console = Console(record=True, width=120, file=io.StringIO())
    console.print(final_table({"Foresail": ours, "plain HPA": rival}, "The week"))
    text = console.export_text()
    for part in ("The week", "Foresail", "1,000.0", "12", "0.12%", "plain HPA", "1,100.0 (+10.0%)", "48"):
        assert part in text


def test_importing_the_module_loads_no_heavy_library() -> None:
    code = "import sys, autoscaler.cli.demo_view; sys.exit('pandas' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
