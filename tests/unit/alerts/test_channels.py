"""What each vendor is sent and how its answers are read, against receivers that check. Rows A03, A04, A05, S10."""

import json
import time
from typing import Any

import jsonschema
import pytest

from autoscaler.adapters.alerting.message import Act, Words
from autoscaler.adapters.alerting.pagerduty import PagerDuty
from autoscaler.adapters.alerting.poster import Poster
from autoscaler.adapters.alerting.secret import Secret, SecretMissingError
from autoscaler.adapters.alerting.slack import SlackBot, SlackWebhook
from autoscaler.adapters.alerting.webhook import BODY_SCHEMA, Webhook, key_of
from autoscaler.ports.alerts import Outcome
from tests.unit.alerts.told import T0, alert, message, secret, thread
from tests.unit.alerts.vendors import KEY, SECRET, TOKEN, Receiver, check_signature, mrkdwn


@pytest.fixture
def receiver() -> Any:
    with Receiver() as one:
        yield one
        assert one.wrong == []


@pytest.fixture
def pagerduty(receiver: Any, tmp_path: Any) -> Any:
    return PagerDuty("pager", secret(tmp_path, KEY), receiver.url)


@pytest.fixture
def slack(receiver: Any, tmp_path: Any) -> Any:
    return SlackBot("chat", "C0123456789", secret(tmp_path, TOKEN), f"{receiver.url}/api")


@pytest.fixture
def hook(receiver: Any, tmp_path: Any) -> Any:
    return Webhook("hook", f"{receiver.url}/in", secret(tmp_path, SECRET), now_s=lambda: T0 + 5)


# PagerDuty


def test_pagerduty_gets_a_trigger_with_the_story_and_a_resolve_of_the_same_key(pagerduty, receiver):
    assert pagerduty.tell(message(), thread()).delivery.outcome is Outcome.DELIVERED
    assert pagerduty.tell(message(act=Act.END), thread(lasting=0)).delivery.outcome is Outcome.DELIVERED
    trigger, resolve = (said for _, said in receiver.taken)
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"]
    assert trigger["payload"]["severity"] == "critical"
    details = trigger["payload"]["custom_details"]
    assert (details["needed"], details["max"]) == ("12 replicas", "8 replicas")
    assert details["why"] == "demand rose to 540 per second, nine times the usual"
    assert details["command"] == "foresail pause shop/web --for 1h --reason 'incident'"
    assert "▁" in details["picture"]
    assert trigger["links"][0]["href"].endswith("/docs/runbooks/ForesailLimitBelowNeed.md")


def test_pagerduty_keeps_a_page_open_as_long_as_an_alert_of_it_lasts(pagerduty, receiver):
    told = pagerduty.tell(message(act=Act.END), thread(lasting=1))
    assert told.delivery.idle
    assert receiver.asked == []


@pytest.mark.parametrize(
    ("answer", "outcome", "retry_after_s"),
    [
        ((429, {"Retry-After": "120"}, b""), Outcome.LATER, 120.0),
        ((500, {}, b"oops"), Outcome.LATER, None),
        ((503, {"Retry-After": "7"}, b""), Outcome.LATER, 7.0),
        ((400, {}, b'{"errors":["\'payload.summary\' is missing or blank"]}'), Outcome.REFUSED, None),
        ((400, {}, b'{"errors":["Length of \'routing_key\' is incorrect"]}'), Outcome.SHUT, None),
        ((401, {}, b"no"), Outcome.SHUT, None),
        ((403, {}, b"no"), Outcome.SHUT, None),
        ((302, {"Location": "http://127.0.0.1:1/elsewhere"}, b""), Outcome.SHUT, None),
    ],
)
def test_a04_a05_answers_of_pagerduty_are_read(pagerduty, receiver, answer, outcome, retry_after_s):
    receiver.answers = [answer]
    delivery = pagerduty.tell(message(), thread()).delivery
    assert (delivery.outcome, delivery.retry_after_s) == (outcome, retry_after_s)
    assert len(receiver.asked) == 1  # no redirect was followed


def test_s10_a_key_that_the_receiver_sends_back_is_in_no_word_of_ours(pagerduty, receiver):
    receiver.answers = [(403, {}, f"bad key {KEY}".encode())]
    delivery = pagerduty.tell(message(), thread()).delivery
    assert KEY not in delivery.words
    assert "***" in delivery.words


# Slack


def test_slack_has_one_thread_for_an_incident_and_its_head_says_that_it_is_over(slack, receiver):
    first = slack.tell(message(), thread())
    assert set(first.receipt) == {"ts", "channel", "title", "key"}
    other = alert("ForesailFallbackActive")
    slack.tell(message(other), thread(other, 2, **first.receipt))
    slack.tell(message(act=Act.END), thread(lasting=1, **first.receipt))
    slack.tell(message(other, Act.END), thread(other, 0, **first.receipt))
    methods = [method for method, _ in receiver.taken]
    assert methods == ["chat.postMessage"] * 3 + ["chat.update", "chat.postMessage"]
    bodies = [said for _, said in receiver.taken]
    assert "thread_ts" not in bodies[0]
    assert {b.get("thread_ts") for b in bodies[1:3]} == {first.receipt["ts"]}
    assert bodies[1]["reply_broadcast"] is True
    assert bodies[3]["ts"] == first.receipt["ts"]
    assert bodies[3]["blocks"][0]["text"]["text"].startswith("✅ over: ")


def test_slack_shows_three_numbers_the_course_why_what_was_done_and_the_next_step(slack, receiver):
    slack.tell(message(), thread())
    said = receiver.taken[0][1]
    assert [f["text"] for f in said["blocks"][1]["fields"]] == [
        "*needed*\n12 replicas", "*max*\n8 replicas", "*demand*\n540 per second",
    ]  # fmt: skip
    text = said["blocks"][2]["text"]["text"]
    for words in ("▁", "Why: demand rose", "Done: Foresail stays", "Next: Raise max", "foresail pause shop/web"):
        assert words in text


def test_slack_a_head_that_is_gone_keeps_no_reply_back(slack, receiver):
    receiver.answers = [(200, {}, b'{"ok":false,"error":"message_not_found"}')]
    told = slack.tell(message(act=Act.END), thread(lasting=0, ts="1.000001", channel="C0123456789", title="x", key="y"))
    assert told.delivery.outcome is Outcome.DELIVERED
    assert [method for method, _ in receiver.taken] == ["chat.postMessage"]


def test_slack_an_end_that_failed_half_way_shows_nothing_twice(slack, receiver):
    there = thread(lasting=0, ts="1.000001", channel="C0123456789", title="x", key="y")
    receiver.answers = [(200, {}, b'{"ok":true}'), (503, {}, b"")]
    assert slack.tell(message(act=Act.END), there).delivery.outcome is Outcome.LATER
    assert slack.tell(message(act=Act.END), there).delivery.outcome is Outcome.DELIVERED
    assert [method for method, _ in receiver.taken] == ["chat.update", "chat.postMessage"]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ((200, {}, b'{"ok":false,"error":"invalid_auth"}'), Outcome.SHUT),
        ((200, {}, b'{"ok":false,"error":"not_in_channel"}'), Outcome.SHUT),
        ((200, {}, b'{"ok":false,"error":"missing_scope","needed":"chat:write"}'), Outcome.SHUT),
        ((200, {}, b'{"ok":false,"error":"ratelimited"}'), Outcome.LATER),
        ((200, {}, b'{"ok":false,"error":"internal_error"}'), Outcome.LATER),
        ((200, {}, b'{"ok":false,"error":"msg_blocks_too_long"}'), Outcome.REFUSED),
        ((429, {"Retry-After": "30"}, b""), Outcome.LATER),
        ((200, {}, b"<html>a proxy</html>"), Outcome.LATER),
        ((200, {}, b"[]"), Outcome.LATER),
    ],
)
def test_a04_a05_answers_of_slack_are_read(slack, receiver, answer, outcome):
    receiver.answers = [answer]
    told = slack.tell(message(), thread())
    assert told.delivery.outcome is outcome
    assert told.receipt is None


def test_slack_by_an_incoming_webhook_posts_each_by_itself_and_its_url_stays_secret(receiver, tmp_path):
    url = f"{receiver.url}/services/T0/B0/canary-url-secret"
    one = SlackWebhook("chat", secret(tmp_path, url))
    assert one.tell(message(), thread()).delivery.outcome is Outcome.DELIVERED
    receiver.answers = [(403, {}, b"action_prohibited"), (404, {}, b"no_service at /services/T0/B0/canary-url-secret")]
    shut, gone = (one.tell(message(), thread()).delivery for _ in range(2))
    assert (shut.outcome, gone.outcome) == (Outcome.SHUT, Outcome.SHUT)
    one = SlackWebhook("chat", secret(tmp_path, "http://127.0.0.1:1/services/canary-url-secret"))
    away = one.tell(message(), thread()).delivery
    assert away.outcome is Outcome.LATER
    assert all("canary" not in d.words for d in (shut, gone, away))


# Webhooks


def test_a_webhook_is_signed_and_its_body_is_what_the_schema_says(hook, receiver):
    for act in (Act.BEGIN, Act.UPDATE, Act.REMIND, Act.END):
        assert hook.tell(message(act=act), thread()).delivery.outcome is Outcome.DELIVERED
    for _, headers, body in receiver.asked:
        check_signature(headers, body, T0)
        jsonschema.validate(json.loads(body), BODY_SCHEMA)
    bodies = [json.loads(body) for _, _, body in receiver.asked]
    assert [b["type"] for b in bodies] == ["alert.firing", "alert.updated", "alert.firing", "alert.resolved"]
    assert bodies[0]["data"]["course"]["observed"] == [10.0, 20.0, None, 80.0, 160.0]
    assert bodies[3]["data"]["endsAt"] is not None


def test_a_webhook_that_is_tried_again_has_the_same_id_and_a_new_time_stamp(receiver, tmp_path):
    at = iter((T0, T0 + 60, T0 + 90))
    one = Webhook("hook", f"{receiver.url}/in", secret(tmp_path, SECRET), now_s=lambda: next(at))
    receiver.answers = [(503, {}, b"")]
    for _ in range(2):
        one.tell(message(), thread())
    one.tell(message(act=Act.END), thread())
    ids = [headers["webhook-id"] for _, headers, _ in receiver.asked]
    stamps = [headers["webhook-timestamp"] for _, headers, _ in receiver.asked]
    assert ids[0] == ids[1] != ids[2]
    assert len(set(stamps)) == 3


def test_a_body_that_was_changed_or_is_old_does_not_verify(hook, receiver):
    hook.tell(message(), thread())
    _, headers, body = receiver.asked[0]
    for changed, now_s in ((body.replace(b"web", b"wob"), T0), (body, T0 + 3600)):
        with pytest.raises(AssertionError):
            check_signature(headers, changed, now_s)


def test_a_key_that_could_be_guessed_signs_nothing(receiver, tmp_path):
    one = Webhook("hook", receiver.url, secret(tmp_path, "hunter2"))
    delivery = one.tell(message(), thread()).delivery
    assert delivery.outcome is Outcome.SHUT
    assert "could be guessed" in delivery.words
    assert "hunter2" not in delivery.words
    assert receiver.asked == []
    assert key_of("a text of more than 24 bytes") == b"a text of more than 24 bytes"


def test_a_webhook_that_redirects_gets_no_second_request(hook, receiver):
    receiver.answers = [(307, {"Location": f"{receiver.url}/other"}, b"")]
    delivery = hook.tell(message(), thread()).delivery
    assert delivery.outcome is Outcome.SHUT
    assert "redirects" in delivery.words
    assert len(receiver.asked) == 1


def test_a04_a_receiver_that_drips_is_left_after_the_time_out(tmp_path):
    import socket
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                try:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n")
                    for _ in range(600):
                        connection.sendall(b"x")
                        time.sleep(0.05)
                except OSError:
                    return

        threading.Thread(target=drip, daemon=True).start()
        one = Webhook("hook", url, secret(tmp_path, SECRET), Poster(timeout_s=0.4))
        began = time.monotonic()
        delivery = one.tell(message(), thread()).delivery
    assert delivery.outcome is Outcome.LATER
    assert time.monotonic() - began < 20, "all of it would take thirty"


# Words and secrets


def test_templates_are_the_users_and_values_are_put_in_as_they_are(slack, receiver):
    words = Words("{severity} at {where}", "*{summary}*\nSite: {site}\nNext: {next} {{literal}}")
    slack.tell(message(words=words), thread())
    said = receiver.taken[0][1]
    assert said["blocks"][0]["text"]["text"] == "🔴 critical at shop/web"
    assert "*shop/web: 12 needed, max is 8*\nNext: Raise max" in "".join(mrkdwn(said))
    assert "{literal}" in "".join(mrkdwn(said))
    assert "Site:" not in "".join(mrkdwn(said))  # a line whose fields are all empty is left out


@pytest.mark.parametrize(("text", "words"), [("", "is empty"), ("two\nlines", "more than one line"), ("ä", "ASCII")])
def test_s10_a_secret_that_cannot_be_one_is_told_by_its_place_alone(tmp_path, text, words):
    with pytest.raises(SecretMissingError, match=words) as error:
        secret(tmp_path, text).read()
    assert str(tmp_path) in str(error.value)
    assert not text or text not in str(error.value)


def test_a_new_secret_counts_at_the_next_sending(slack, receiver, tmp_path):
    secret(tmp_path, "xoxb-old")
    assert slack.tell(message(), thread()).delivery.outcome is Outcome.SHUT
    before = slack.secrets_now()
    secret(tmp_path, TOKEN)
    assert slack.secrets_now() != before
    assert slack.tell(message(), thread()).delivery.outcome is Outcome.DELIVERED
    assert TOKEN not in repr(Secret(env="X"))
