"""The HTML file: whole in itself, escaped, small, and saying what the values say."""

import re
import runpy
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from autoscaler.reporting.report.answer import answer, target_words
from autoscaler.reporting.report.drawing import envelope, extremes, polyline, round_ticks, time_ticks
from autoscaler.reporting.report.frontier import frontier
from autoscaler.reporting.report.page import MOST_STRETCHES, page
from autoscaler.reporting.report.plain import plain
from autoscaler.reporting.report.timeline import NARROW, WIDE, timeline
from autoscaler.reporting.report.values import Estimate, Role, stretches

MADE = runpy.run_path(str(Path(__file__).with_name("report_values.py")))
NASTY, report, view = MADE["NASTY"], MADE["report"], MADE["view"]


class Parts(HTMLParser):
    """Tags with their attributes, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def html() -> str:
    return page(report())


def test_a_month_of_minutes_is_below_two_megabytes_and_loads_nothing(html):
    assert len(html.encode()) < 2_000_000
    assert not re.findall(r"https?:|//[a-z]|@import|url\(", html)
    parts = Parts(html)
    assert not {tag for tag, _ in parts.tags} & {"script", "iframe", "img", "object", "embed", "form"}
    assert [a["href"] for tag, a in parts.tags if "href" in a] == ["data:,"]
    assert not [a for _, a in parts.tags if "src" in a or any(name.startswith("on") for name in a)]


def test_names_from_outside_are_text_and_never_markup(html):
    assert "<script" not in html
    assert "&lt;script&gt;alert" in html
    assert Parts(html).text.count(NASTY) >= 5  # title, heading, legends, captions, notes


def test_the_settings_are_copied_as_they_are_written(html):
    shown = re.search(r'<pre id="settings"[^>]*>(.*?)</pre>', html, re.DOTALL)
    assert shown is not None
    assert Parts(shown[1]).text == report().advice.yaml  # "a % b" keeps its plain blank


def test_the_answer_comes_first_and_the_three_rows_follow(html):
    text = Parts(html).text.replace("\u00a0", " ")
    order = [
        text.index(words)
        for words in (
            "Safer, and it costs more", "5 % more replica-hours and 30 fewer minutes short of capacity",
            "Your HPA as set (70 %)", "Your HPA retuned", "The worst day", "A usual week", "Cost against shortage",
            "Cost at equal shortage", "Every figure", "Gaps and censored", "Settings to copy", "Limits of this claim",
        )
    ]  # fmt: skip
    assert order == sorted(order)
    assert "target of 80 % instead of 70 %" in text
    assert "Foresail never writes the target" in text


@pytest.mark.parametrize("saving_target", [70, 80, None])
@pytest.mark.parametrize(
    ("alone", "words"),
    [
        ((40.0, 10.0), "Here the floor alone removes 30 of 40 short minutes."),
        ((1040.0, 40.2), "Here the floor alone removes 1,000 of 1,040 short minutes."),
        ((7.0, 7.0), "Here the floor alone gained nothing."),
        ((0.0, 0.0), "Here the floor alone gained nothing."),
        ((7.0, 9.0), "Here the floor alone was short 2 minutes more: do not raise the floor under this HPA."),
        ((7.0, 8.0), "Here the floor alone was short 1 minute more: do not raise the floor under this HPA."),
        (None, "The floor alone is meant to add safety; `foresail simulate` shows whether it does."),
    ],
)
def test_what_a_floor_alone_does_is_told_by_the_figures_and_never_taken_for_granted(alone, words, saving_target):
    made = report()
    told = target_words(replace(made, advice=replace(made.advice, floor_alone=alone, saving_target=saving_target)))
    assert words in told
    assert "adds safety" not in told


@pytest.mark.parametrize(
    ("saving", "words"),
    [(0.2, "the saving above is all there is"), (-0.2, "Foresail costs more here"), (0.0, "no clear saving here")],
)
def test_under_scale_a_loss_is_not_called_a_saving(saving, words):
    made = report(saving=saving)
    told = target_words(replace(made, advice=replace(made.advice, tried=())))
    assert words in told
    assert ("the saving above" in told) == (saving > 0)


def test_caveats_stand_before_the_verdict_and_an_untested_saving_is_no_claim():
    quiet = report(saving=0.2, avoided=0.0, short=0.0)
    text = Parts(page(replace(quiet, caveats=("no equal-risk comparison possible: none was short",)))).text
    assert text.index("No equal-risk comparison possible: none was short.") < text.index("fewer replica-hours")
    assert "Cheaper" not in text
    assert "Neither was ever short" in text
    assert "Your HPA retuned" not in text
    assert [c["role"] for c in plain(quiet)["claims"]] == [Role.AS_SET, Role.OURS]


@pytest.mark.parametrize(
    ("saving", "avoided", "verdict", "kind"),
    [
        (0.1, 30, "Cheaper and safer", "good"),
        (0.1, -30, "Cheaper, but short more often", "even"),
        (-0.1, 30, "Safer, and it costs more", "even"),
        (-0.1, -5, "Costs more, no clear difference in shortage", "bad"),
        (-0.1, -30, "Worse on both sides", "bad"),
        (0.01, 5, "No clear difference", "even"),
    ],
)
def test_a_loss_is_said_as_plainly_as_a_win(saving, avoided, verdict, kind):
    html = page(report(saving=saving, avoided=float(avoided), short=40.0))
    assert f'<span class="verdict {kind}">{verdict}</span>' in html


@pytest.mark.parametrize(
    ("saving", "verdict"), [(0.009, "No clear difference"), (0.03, "Cheaper, no clear difference in")]
)
def test_without_an_interval_a_small_saving_is_no_win(saving, verdict):
    made = report(saving=saving, avoided=0.0, short=40.0)
    rows = [replace(row, saving=row.saving and Estimate(row.saving.value)) for row in made.claims]
    assert answer(replace(made, claims=tuple(rows))).verdict.startswith(verdict)


def test_no_difference_and_an_interval_over_zero_are_said_as_such():
    same = Parts(page(report(saving=0.0, avoided=0.0))).text.replace("\u00a0", " ")
    assert "as much as set" in same
    assert "as many minutes as set" in same
    assert "95 %: 2 % more – 2 % less" in same
    assert "As many replica-hours and as many minutes short of capacity as your HPA as set" in same
    worse = Parts(page(report(saving=-0.1, avoided=-30.0, short=90.0))).text.replace("\u00a0", " ")
    assert "95 %: 8 % – 12 % more" in worse
    assert "30 minutes more than as set" in worse
    assert "95 %: 20 – 40 more" in worse


def test_every_picture_has_words_and_both_widths(html):
    pictures = [a for tag, a in Parts(html).tags if tag == "svg" and a.get("role") == "img"]
    assert [a["class"] for a in pictures] == ["wide", "narrow"] * 3
    assert all(len(a["aria-label"] or "") > 80 for a in pictures)
    assert "<title>Foresail short from 11:40 for 4 min</title>" in html


def test_only_the_longest_stretches_are_listed_and_all_are_counted(html):
    text = Parts(html).text
    assert (
        f"1830 steps without a sample, neither scored nor paid, in 60 stretches; the {MOST_STRETCHES} longest" in text
    )
    assert text.count("no sample") == MOST_STRETCHES
    assert len(plain(report())["gaps"]) == 60


def test_a_spike_and_a_hole_of_one_step_survive_thinning():
    values = np.ones(50_000)
    values[31_234], values[12_001], values[40_000] = 99.0, -5.0, np.nan
    kept = extremes(values, 400)
    assert {31_234, 12_001, 40_000} <= set(kept.tolist())
    assert len(kept) < 1300
    _, low, high = envelope(values, values, 400)
    assert (np.nanmin(low), np.nanmax(high)) == (-5.0, 99.0)


def test_a_line_breaks_where_a_value_is_unknown():
    xs, ys = np.arange(5.0), np.array([1.0, 2.0, np.nan, 4.0, 5.0])
    assert polyline(xs, ys) == "M0.0 1.0L1.0 2.0M3.0 4.0L4.0 5.0"
    assert polyline(xs, ys, steps=True) == "M0.0 1.0H1.0V2.0H2.0M3.0 4.0H4.0V5.0H4.0"


def test_ticks_are_round_and_few():
    assert round_ticks(0, 97, 4) == (0, 25, 50, 75)
    assert round_ticks(1.0, 2.3, 6) == (1.0, 1.25, 1.5, 1.75, 2.0, 2.25)
    day = 20_000 * 86_400.0
    assert [words for _, words in time_ticks(day, day + 86_400, 9)] == [f"{h:02}:00" for h in range(0, 24, 3)]
    assert len(time_ticks(day, day + 30 * 86_400, 9)) <= 9


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_view_and_one_without_any_value_can_be_drawn(steps):
    whole = view("The worst day", 1)
    cut = replace(
        whole,
        **{name: getattr(whole, name)[:steps] for name in ("demand", "p50", "p95", "needed")},
        ours=replace(whole.ours, ready=whole.ours.ready[:steps], short=whole.ours.short[:steps]),
        rival=replace(whole.rival, ready=whole.rival.ready[:steps], short=whole.rival.short[:steps]),
    )
    nothing = np.full(steps, np.nan)
    empty = replace(cut, demand=nothing, p50=nothing, p95=nothing, needed=nothing)
    for each in (cut, empty):
        for form in (WIDE, NARROW):
            assert "nan" not in timeline(each, form).replace("unknown", "")


def test_a_frontier_of_nothing_but_a_mark_can_be_drawn():
    shown = report().frontier
    from autoscaler.reporting.report import frontier as module

    drawn = frontier(replace(shown, curves=()), module.WIDE)
    assert 'class="mark ours"' in drawn
    assert "nan" not in drawn


def test_values_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="both ends or none"):
        Estimate(1.0, 0.5)
    with pytest.raises(ValueError, match="from low to high"):
        Estimate(1.0, 2.0, 1.0)
    with pytest.raises(ValueError, match="as set"):
        replace(report(), claims=report().claims[1:])
    with pytest.raises(ValueError, match="says how Foresail did"):
        replace(report(), claims=report().claims[:1])
    with pytest.raises(ValueError, match="one length"):
        replace(view("x", 1), p50=np.zeros(3))


def test_stretches_cover_runs_of_steps():
    flags = np.array([1, 1, 0, 0, 1], dtype=np.bool_)
    found = stretches(flags, 100, 60, "why")
    assert [(s.start.timestamp(), s.end.timestamp(), s.steps) for s in found] == [(6000, 6120, 2), (6240, 6300, 1)]


def test_plain_values_hold_all_claims_with_their_roles():
    found = plain(report())
    assert [c["role"] for c in found["claims"]] == [Role.AS_SET, Role.RETUNED, Role.OURS]
    assert found["claims"][2]["saving"] == {"value": -0.05, "low": -0.07, "high": pytest.approx(-0.03)}
    assert found["methods"][3]["costOverBoundAt"] == {"0.001": None, "0.005": 2.3, "0.01": 1.5, "0.02": 1.2}
