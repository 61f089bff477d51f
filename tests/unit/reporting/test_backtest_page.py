"""The page and the plain values of a backtest: nothing is lost, and outside text stays text."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np

from autoscaler.reporting.backtest.page import page
from autoscaler.reporting.backtest.plain import plain
from autoscaler.reporting.backtest.values import BacktestReport, ModelRow, Part, PooledPart, Sizing, Stretch

LEVELS = (0.5, 0.9, 0.95, 0.99)
COVERED = (0.51, 0.91, 0.96, 1.0)
OURS = ModelRow("foresail", True, False, 0.02, 0.6, 0.5, COVERED, COVERED, 1.2, Sizing(1.3, 0.004, 120.0))
BASE = ModelRow("seasonal-naive-day", False, True, 0.03, 1.0, 0.9, COVERED, COVERED, 1.5)
GONE = ModelRow("ets", False, False, why="ended after 180 s of processor time")
WILD = ModelRow("theta", False, False, 0.3, 11.0, 9.0, COVERED[:3], COVERED[:3], 9.0)
COUNT = 96
STRETCH = Stretch(
    900, 2_000_000, np.where(np.arange(COUNT) % 40 == 7, np.nan, 100.0 + np.arange(COUNT)),
    np.arange(COUNT) % 40 == 7, np.arange(0.0, COUNT, 4), np.full(24, 120.0), np.full(24, 9000.0), np.full(24, np.nan),
    np.full(24, 130.0), 0.95,
)  # fmt: skip
PART = Part(
    "web", datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 9, tzinfo=UTC), datetime(2026, 5, 4, tzinfo=UTC),
    900, 3600, 3600, 200, LEVELS, (OURS, BASE, WILD, GONE), STRETCH,
)  # fmt: skip
MEAN = PooledPart(
    3600, 2, LEVELS,
    (replace(OURS, against_us=1.0, beats_baseline=(2, 2), beats_us=(0, 2)), replace(GONE, why="no figures")),
)  # fmt: skip
REPORT = BacktestReport("web", "seasonal-naive-day", (PART,), (MEAN,), ("prophet is not there",), ("a note",), 12.0)


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.words.append(data)


def _read(text: str) -> _Texts:
    parser = _Texts()
    parser.feed(text)
    return parser


def test_every_figure_is_on_the_page():
    read = _read(page(REPORT))
    words = " ".join(read.words)
    for each in (
        "0.600", "11.000", "1.300", "0.4 %", "ended after 180 s of processor time", "prophet is not there", "a note",
        "2 of 2", "All 2 series", "200 origins",
    ):  # fmt: skip
        assert each in words, each
    assert read.tags.count("svg") >= 10
    assert "script" not in read.tags


def test_rows_have_as_many_cells_as_the_head():
    for table in re.findall(r"<table>.*?</table>", page(REPORT), re.DOTALL):
        rows = re.findall(r"<tr.*?</tr>", table, re.DOTALL)
        widths = [
            sum(int(m or 1) for m in re.findall(r'<t[hd](?:(?!colspan)[^>])*(?:colspan="(\d+)")?[^>]*>', row))
            for row in rows
        ]
        assert len(set(widths)) == 1, widths


def test_text_from_outside_stays_text():
    evil = replace(PART, series="<script>alert(1)</script>")
    read = _read(page(replace(REPORT, parts=(evil,), title="<b>", notes=("<img src=x>",))))
    assert not {"script", "img", "b"} & set(read.tags)


def test_without_our_forecast_or_any_figure_there_is_still_a_page():
    bare = replace(PART, stretch=None, rows=(GONE,))
    assert "ended after 180 s" in page(replace(REPORT, parts=(bare,), pooled=()))


def test_plain_values_keep_what_is_unknown_as_null():
    found = plain(REPORT)
    ours, _, wild, gone = found["series"][0]["models"]
    assert ours["decision"] == {"overBound": 1.3, "shortShare": 0.004, "replicaHours": 120.0}
    assert ours["peakCoverage"] == dict(zip(("0.5", "0.9", "0.95", "0.99"), COVERED, strict=True))
    assert list(wild["peakCoverage"]) == ["0.5", "0.9", "0.95"]
    assert (gone["quantileLoss"], gone["why"]) == (None, "ended after 180 s of processor time")
    assert found["pooled"][0]["models"][0]["beatsBaseline"] == {"series": 2, "of": 2}
    assert found["warnings"] == ["prophet is not there"]
