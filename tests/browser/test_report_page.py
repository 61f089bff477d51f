"""The report in a real browser: light and dark, on a phone and on a screen, and printed."""

import re
import runpy
import zlib
from pathlib import Path

import pytest

from autoscaler.reporting.report.page import page

MADE = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "reporting" / "report_values.py"))
pytestmark = pytest.mark.slow
WIDTHS = {"phone": 390, "screen": 1440}
CONTRAST = """
(() => {
  const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = c => {
    const f = c.slice(0, 3).map(v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
    return .2126 * f[0] + .7152 * f[1] + .0722 * f[2];
  };
  const behind = e => {
    for (let at = e; at; at = at.parentElement) {
      const c = parse(getComputedStyle(at).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const e of document.querySelectorAll('h1,h2,h3,p,li,dt,dd,td,th,span,pre,figcaption,footer,svg text')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.getClientRects().length) continue;
    const style = getComputedStyle(e), ink = parse(e instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(ink), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) bad.push([e.tagName, e.textContent.trim().slice(0, 40), ratio.toFixed(2)]);
  }
  return bad;
})()
"""
OVERLAPS = """
(() => {
  const bad = [];
  for (const svg of document.querySelectorAll('svg[role=img]')) {
    if (!svg.getClientRects().length) continue;
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
    for (const [words, r] of texts)
      if (r.left < frame.left - 1 || r.right > frame.right + 1) bad.push(['cut', words]);
    for (let i = 0; i < texts.length; i++) for (let j = i + 1; j < texts.length; j++) {
      const [a, b] = [texts[i][1], texts[j][1]];
      const w = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const h = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (w > 1 && h > 4) bad.push(['overlap', texts[i][0], texts[j][0]]);
    }
  }
  return bad;
})()
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("report") / "report.html"
    place.write_text(page(MADE["report"]()), encoding="utf-8")
    return place


@pytest.fixture(params=[(w, s) for w in WIDTHS for s in ("light", "dark")], ids="-".join)
def opened(request, chromium, file, kept):
    """The page as one reader sees it; a picture of it stays."""
    device, scheme = request.param
    chromium.open(file, width=WIDTHS[device], scheme=scheme)
    chromium.picture(kept / f"{device}-{scheme}.png")
    return chromium


def test_it_is_quiet_asks_for_nothing_and_fits_its_width(opened, file):
    assert opened.complaints == []
    assert opened.requests == [file.resolve().as_uri()]
    scrolled, width = opened.run("[document.documentElement.scrollWidth, innerWidth]")
    assert scrolled <= width


def test_headings_claims_and_pictures_are_there_to_see(opened):
    seen = opened.run(
        "[...document.querySelectorAll('h1,h2,.headline,.claim h3,.claim .big,figure svg[role=img]')]"
        ".filter(e => e.getBoundingClientRect().width > 20 && e.getBoundingClientRect().height > 8)"
        ".map(e => e.tagName.toLowerCase() + '.' + e.getAttribute('class') + ':' + e.textContent.trim().slice(0, 60))"
    )
    assert sum(s.startswith("h1.") for s in seen) == 1
    assert sum(s.startswith("h2.") for s in seen) == 7
    assert sum(s.startswith("h3.") for s in seen) == 3
    assert sum(s.startswith("span.big") for s in seen) == 6
    assert sum(s.startswith("svg.") for s in seen) == 3  # one width of each
    assert any("5\u00a0% more replica-hours and 30 fewer minutes short" in s for s in seen)
    first = opened.run("document.querySelector('.headline').getBoundingClientRect().top")
    assert first < 400  # the answer needs no scrolling


def test_every_text_can_be_read_on_what_lies_behind_it(opened):
    assert opened.run(CONTRAST) == []


def test_no_words_of_a_picture_run_into_each_other_or_out_of_it(opened):
    assert opened.run(OVERLAPS) == []


def test_words_of_pictures_are_legible_at_both_widths(opened):
    sizes = opened.run(
        "[...document.querySelectorAll('svg[role=img]')].filter(s => s.getClientRects().length)"
        ".map(s => s.getScreenCTM().a * 12)"
    )
    assert len(sizes) == 3
    assert min(sizes) > 10


def test_dark_is_dark_and_light_is_light(chromium, file):
    found = {}
    for scheme in ("light", "dark"):
        chromium.open(file, width=1440, scheme=scheme)
        found[scheme] = chromium.run(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
            ".map(c => c.match(/\\d+/g).slice(0, 3).map(Number).reduce((a, b) => a + b))"
        )
    (light_page, light_ink), (dark_page, dark_ink) = found["light"], found["dark"]
    assert min(light_page, dark_ink) > 600
    assert max(dark_page, light_ink) < 200


def test_a_name_that_is_markup_does_nothing(chromium, file):
    chromium.open(file, width=1440)
    assert chromium.run("document.scripts.length") == 0
    assert chromium.run("document.title") == f"{MADE['NASTY']}: Foresail report"


def test_printed_it_is_light_on_a_few_pages_and_nothing_is_cut(chromium, file, kept):
    """A4 less its margins is 182 mm: 688 px. Wide tables must fit, as paper cannot be scrolled."""
    chromium.open(file, width=688, scheme="dark")
    chromium.call("Emulation.setEmulatedMedia", media="print")
    chromium.picture(kept / "print.png")
    assert chromium.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    wide = chromium.run(
        "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
        ".map(e => e.tagName + ' ' + e.textContent.trim().slice(0, 30))"
    )
    assert wide == []
    chromium.pdf(kept / "print.pdf")
    text = (kept / "print.pdf").read_bytes()
    pages = len(re.findall(rb"/Type\s*/Page\b", text + b"".join(_streams(text))))
    assert 4 <= pages <= 14


def _streams(pdf: bytes) -> list[bytes]:
    """Object streams unpacked: newer PDFs keep their page objects there."""
    found = []
    for raw in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            found.append(zlib.decompress(raw))
        except zlib.error:
            continue
    return found
