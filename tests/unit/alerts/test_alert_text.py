"""Text of others never calls, marks up, breaks a line or costs the message. Row A06."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autoscaler.adapters.alerting.alertmanager import as_json
from autoscaler.adapters.store.outbox import packed, unpacked
from autoscaler.domain.alert import Alert, Severity, labels_of
from autoscaler.domain.alert_text import MOST_LABEL, is_plain, plain

HOSTILE = st.one_of(st.text(), st.text(alphabet="@chanelry <>`{}\n\t\u202e\ud800 "), st.just("@here " * 100_000))


@given(text=HOSTILE, most=st.integers(8, 300))
@example(text="@allies are everywhere", most=8)
@example(text="@@all@here@everyone", most=12)
def test_A06_whatever_is_said_becomes_one_short_line_that_stays_as_it_is(text, most):
    said = plain(text, most)
    assert len(said) <= most
    assert is_plain(said, most)
    assert not set(said) & set("<>`{}\n\r\t")
    assert all(c.isprintable() for c in said)
    for call in ("@channel", "@here", "@everyone", "@all"):
        assert not any(word.lower() == call for word in said.split())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!channel> pay us", "‹!channel› pay us"),
        ("<script>alert(1)</script>", "‹script›alert(1)‹/script›"),
        ("{{ .ExternalURL }}", "(( .ExternalURL ))"),
        ("ask @here, not ops@example.com", "ask (at)here, not ops@example.com"),
        ("a\x00b\r\nc\u202ed", "a b c d"),
        ("", ""),
    ],
)
def test_A06_markup_templates_and_calls_are_shown_not_obeyed(text, said):
    assert plain(text, 200) == said


def test_A06_a_megabyte_is_cut_and_says_so():
    said = plain("x" * 1_000_000, MOST_LABEL)
    assert (len(said), said[-1]) == (MOST_LABEL, "…")


@given(text=HOSTILE)
def test_A06_an_alert_of_hostile_text_is_valid_json_and_reads_back_from_disk(text):
    value = plain(text, MOST_LABEL)
    alert = Alert(
        "ForesailConflict", Severity.WARNING, labels_of({"workload": value, "namespace": "shop"}),
        plain(text, 300), plain(text, 1800), 1_800_000_000.25,
    )  # fmt: skip
    sent = json.loads(json.dumps([as_json(alert, 1_800_000_240.0)], ensure_ascii=False).encode())
    assert sent[0]["labels"].get("workload", "") == value
    assert sent[0]["annotations"]["description"] == plain(text, 1800)
    assert unpacked(packed(alert)) == alert


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": "foresail_x"}, "CamelCase"),
        ({"labels": (("b", "1"), ("a", "2"))}, "sorted"),
        ({"labels": (("alertname", "x"),)}, "alertname"),
        ({"labels": (("a", "<b>"),)}, "plain text"),
        ({"labels": (("A-b", "c"),)}, "plain text"),
        ({"summary": "a\nb"}, "plain text"),
        ({"starts_s": float("nan")}, "moment"),
        ({"resolved_s": 1.0}, "before it starts"),
    ],
)
def test_an_alert_that_exists_is_valid(changed, words):
    fields: dict[str, Any] = {
        "name": "ForesailConflict", "severity": Severity.WARNING, "labels": (("namespace", "shop"),),
        "summary": "a", "description": "b", "starts_s": 10.0,
    }  # fmt: skip
    with pytest.raises(ValueError, match=words):
        Alert(**(fields | changed))


def test_the_same_problem_has_the_same_key_and_another_has_another():
    def alert(**changed: Any) -> Any:
        fields: dict[str, Any] = {
            "name": "ForesailConflict", "severity": Severity.WARNING, "labels": (("namespace", "shop"),),
            "summary": "a", "description": "b", "starts_s": 10.0,
        }  # fmt: skip
        return Alert(**(fields | changed))

    assert alert().key == alert(summary="other", description="words", starts_s=99.0).key
    assert alert().key == alert().resolved(20.0).key
    keys = {
        alert().key, alert(name="ForesailSourceDown").key, alert(severity=Severity.CRITICAL).key,
        alert(labels=(("namespace", "shop2"),)).key,
    }  # fmt: skip
    assert len(keys) == 4
