"""Hostile text in every payload: valid, bounded, escaped. Rows A06, S13."""

import email
import email.policy
import json
import re
import struct
import zlib
from html.parser import HTMLParser
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autoscaler.adapters.alerting import email as mails
from autoscaler.adapters.alerting.message import Act, Message, Words, told_of
from autoscaler.adapters.alerting.message_picture import HEIGHT, WIDTH, png
from autoscaler.adapters.alerting.message_text import bars
from autoscaler.adapters.alerting.pagerduty import event
from autoscaler.adapters.alerting.slack import MOST_SECTION, pieces, post
from autoscaler.adapters.alerting.webhook import BODY_SCHEMA, as_json
from autoscaler.domain.alert import Alert, Severity, labels_of
from autoscaler.domain.alert_story import MOST_COMMAND, MOST_FIGURE, MOST_SENTENCE, Course, Story
from autoscaler.domain.alert_text import MOST_DESCRIPTION, MOST_LABEL, MOST_SUMMARY, plain
from autoscaler.spec.notify_template import TEXT, TITLE
from tests.unit.alerts.told import T0, alert, message, thread
from tests.unit.alerts.vendors import KEY, check_pagerduty, check_slack

BAD = (
    "<!channel> <@U012> <script>alert(1)</script>",
    "@channel @here @everyone",
    "a\r\nBcc: victim@example.com\r\n\r\nbody",
    "&lt;b&gt; &amp; & &&&&",
    "{why} {{x}} ${HOME} $(id) `id`",
    "\u202egnihtyna \u0000\u0007 \ud7ff\uffff 🔥" * 20,
    "<" * 5000,
    "&" * 5000,
    "]]>--><!--",
    "'; rm -rf / #",
)
TEXTS = st.one_of(st.sampled_from(BAD), st.text(max_size=400))
FLOATS = st.floats(allow_nan=True, allow_infinity=True)
MARKED_UP = Words("<b>&{summary}", f"*{{did}}* <!here> &\n{TEXT}")
TEMPLATES = st.sampled_from((Words(), Words("{summary}", "{why}" * 300), MARKED_UP))


def hostile(texts: list[str], course: Any, severity: Severity, act: Act, words: Words) -> Message:
    """An alert as the product makes it of text of others: through `plain`, and nothing else."""
    a, b, c, d = texts
    story = Story(
        ((plain(a, MOST_FIGURE) or "?", plain(b, MOST_FIGURE) or "?"),) * 3, plain(a, MOST_SENTENCE),
        plain(b, MOST_SENTENCE), plain(c, MOST_SENTENCE), plain(d, MOST_COMMAND), course,
    )  # fmt: skip
    one = Alert(
        "ForesailLimitBelowNeed", severity,
        labels_of({n: plain(v, MOST_LABEL) for n, v in (("namespace", a), ("workload", b), ("site", c))}),
        plain(c, MOST_SUMMARY), plain(d, MOST_DESCRIPTION), T0,
        incident=f"workload:{plain(b, MOST_LABEL)}", story=story,
    )  # fmt: skip
    if act is Act.END:
        one = one.resolved(T0 + 60)
    return Message(one, act, severity, told_of(one, one.story), "there", T0 + 60, words)


COURSES = st.one_of(
    st.none(),
    st.lists(FLOATS, min_size=1, max_size=288).map(lambda v: Course("requests", 60.0, tuple(v))),
    st.lists(FLOATS, min_size=2, max_size=50).map(lambda v: Course("requests", 60.0, tuple(v), tuple(reversed(v)))),
)
MESSAGES = st.builds(
    hostile,
    st.lists(TEXTS, min_size=4, max_size=4),
    COURSES,
    st.sampled_from(Severity),
    st.sampled_from(Act),
    TEMPLATES,
)


class Page(HTMLParser):
    """Which tags a page has."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.attributes.update(attrs)


@settings(max_examples=25, deadline=None)
@given(one=MESSAGES)
@example(one=hostile(["x" * 1_000_000] * 4, None, Severity.CRITICAL, Act.BEGIN, Words()))
@example(
    one=hostile([BAD[0], BAD[2], BAD[6], BAD[7]], None, Severity.CRITICAL, Act.BEGIN, Words("{summary}", "{why}" * 300))
)
def test_a06_every_payload_is_valid_bounded_and_escaped(one):
    where = thread(one.alert)
    if one.act is not Act.END:
        check_pagerduty(json.dumps(event(one, where, KEY)).encode())
    body = post(one) | {"channel": "C0123456789"}
    if one.words.text == TEXT and one.words.title == TITLE:
        check_slack("chat.postMessage", json.dumps(body).encode())  # what a template itself says is its author's
    assert len(json.dumps(body, ensure_ascii=False)) < 13_000
    told = json.dumps(as_json(one, where), allow_nan=False)
    jsonschema.validate(json.loads(told), BODY_SCHEMA)
    assert len(told) < 200_000


@settings(max_examples=20, deadline=None)
@given(one=MESSAGES)
@example(one=hostile([BAD[2]] * 4, None, Severity.CRITICAL, Act.BEGIN, Words()))
def test_a06_s13_no_text_makes_a_header_or_a_tag_of_a_mail(one):
    mail = mails.letter(one, thread(one.alert), "foresail@example.com", ("on-call@example.com",))
    raw = mail.as_bytes(policy=email.policy.SMTP)
    got = email.message_from_bytes(raw, policy=email.policy.default)
    known = {
        "subject", "from", "to", "date", "message-id", "auto-submitted", "x-foresail-alert", "importance",
        "mime-version", "content-type",
    }  # fmt: skip
    assert {name.lower() for name in got} <= known
    assert got["To"] == "on-call@example.com"
    assert len(str(got["Subject"])) <= mails.MOST_SUBJECT
    page = Page()
    page.feed(mails.page(one, with_picture=one.story.course is not None))
    assert page.tags <= {"html", "body", "h3", "table", "tr", "td", "b", "br", "p", "img"}
    assert not any(name.startswith("on") or name in {"href", "srcset"} for name, _ in page.attributes)
    assert {value for name, value in page.attributes if name == "src"} <= {"cid:course"}
    assert len(raw) < 300_000


@settings(max_examples=40, deadline=None)
@given(text=st.text(alphabet="&<>ab\n;", max_size=200).map(lambda t: t * 40))
def test_a06_a_long_text_is_cut_in_pieces_without_cutting_an_escape(text):
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    parts = pieces(escaped)
    assert all(0 < len(part) <= MOST_SECTION for part in parts)
    for part in parts:
        assert not re.search(r"&(?!amp;|lt;|gt;)", part)
    assert "".join("".join(parts).split()) == "".join(escaped.split())


@pytest.mark.parametrize("hostile_name", ["web; rm -rf /", "$(id)", "a b", "x'y", "-oProxy", "ä"])
def test_a06_a_command_to_be_pasted_is_made_of_names_alone(hostile_name):
    from dataclasses import replace

    one = replace(alert(workload=plain(hostile_name, MOST_LABEL)), story=None)
    command = told_of(one).command
    assert command == "" or re.fullmatch(
        r"foresail pause shop/[A-Za-z0-9.-]+ --for 1h --reason '[A-Za-z0-9]+'", command
    )


@settings(max_examples=20, deadline=None)
@given(course=COURSES.filter(lambda c: c is not None))
@example(course=Course("requests", 60.0, (2.225073858507203e-309, -1.0, 1e308, -1e308)))
def test_a_picture_is_a_png_of_its_size_whatever_the_numbers(course):
    picture = png(course)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", picture[16:24]) == (WIDTH, HEIGHT)
    at = picture.index(b"IDAT")
    size = struct.unpack(">I", picture[at - 4 : at])[0]
    assert len(zlib.decompress(picture[at + 4 : at + 4 + size])) == HEIGHT * (WIDTH + 1)
    assert len(bars(course)) < 200


def test_a_picture_shows_the_peak_and_what_is_not_known():
    picture = png(Course("x", 60.0, (0.0, 0.0, 100.0, 0.0, float("nan"), float("nan"))))
    at = picture.index(b"IDAT")
    size = struct.unpack(">I", picture[at - 4 : at])[0]
    rows = np.frombuffer(zlib.decompress(picture[at + 4 : at + 4 + size]), np.uint8).reshape(HEIGHT, WIDTH + 1)[:, 1:]
    top_rows, peak_columns = np.nonzero(rows == 2)
    assert top_rows.min() <= 7
    assert abs(peak_columns[top_rows.argmin()] - WIDTH * 2 / 5) < 15
    assert (rows[:, -20:-8] == 3).all()
    assert bars(Course("x", 60.0, (0.0, 100.0, float("nan")))) == "x ▁█· 0 to 100, last 3 min"
    assert bars(Course("x", 60.0, (float("nan"),))) == ""


def test_a_message_without_a_story_says_what_is_known_of_its_kind():
    from dataclasses import replace

    fields = message(replace(alert(), story=None)).fields
    assert fields["why"] == "12 replicas are needed now, max is 8"
    assert fields["did"] == "Foresail stays within the limit."
    assert fields["next"].startswith("Raise the limit")
    assert fields["command"] == "foresail pause shop/web --for 1h --reason 'ForesailLimitBelowNeed'"
    assert (fields["numbers"], fields["picture"]) == ("", "")
