"""A file of notifications: what it takes, and each slip with its line and the way out. Row S10."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autoscaler.bootstrap.notify_making import LiveRouting, channel_of, routed
from autoscaler.domain.alert import Severity
from autoscaler.domain.alert_route import GroupBy
from autoscaler.domain.errors import InvalidSpec
from autoscaler.spec.notify_reading import read_notifications
from autoscaler.spec.notify_template import FIELDS
from tests.unit.alerts.told import T0, alert

PAGE = Path(__file__).parents[3] / "docs" / "notify.md"

WHOLE = """\
apiVersion: foresail.dev/v1alpha1
kind: Notifications
metadata: {name: on-call}
spec:
  destinations:
  - name: pager
    pagerDuty: {routingKey: {file: /etc/foresail/pagerduty/key}}
    fallback: mail
    limit: {most: 5, per: 15m}
  - name: chat
    slack: {channel: C0123456789, token: {env: SLACK_TOKEN}}
    remindAfter: 4h
    templates: {title: "{severity} {summary}"}
  - name: hook
    webhook: {url: https://hooks.example.com/foresail, secret: {env: HOOK_SECRET}}
  - name: mail
    email: {host: smtp.example.com, from: foresail@example.com, to: [on-call@example.com]}
  routes:
  - match: {severity: [critical]}
    destinations: [pager, chat]
  - match: {severity: [warning]}
    when: {weekly: {days: [Mon, Tue, Wed, Thu, Fri], from: "08:00", to: "18:00", timeZone: Europe/Berlin}}
    destinations: [chat, hook]
  - match: {severity: [warning]}
    severity: info
    destinations: [mail]
  - destinations: []
  silences:
  - match: {labels: {namespace: shop}}
    until: "2027-01-20T22:00:00Z"
    who: mia@example.com
    why: database upgrade
"""


@pytest.fixture
def write(tmp_path: Any) -> Any:
    def put(text: str = WHOLE, *swaps: tuple[str, str]) -> Path:
        for old, new in swaps:
            assert old in text, old
            text = text.replace(old, new, 1)
        (tmp_path / "notify.yaml").write_text(text)
        return tmp_path / "notify.yaml"

    return put


def test_a_whole_file_is_what_it_says(write):
    read = read_notifications(write(), T0)
    assert read.warnings == ()
    spec = read.notifications.spec
    assert [d.grouped for d in spec.destinations] == [
        GroupBy.ALERT, GroupBy.INCIDENT, GroupBy.ALERT, GroupBy.INCIDENT,
    ]  # fmt: skip
    routing = spec.routing()
    warning = alert(severity=Severity.WARNING)
    friday, night = T0, T0 + 12 * 3600  # 2027-01-15 09:00 and 21:00 in Berlin
    assert routing.of(alert(), night).destinations == ("pager", "chat")
    assert routing.of(warning, friday).destinations == ("chat", "hook")
    by_night = routing.of(warning, night)
    assert (by_night.destinations, by_night.severity) == (("mail",), Severity.INFO)
    assert routing.of(alert(severity=Severity.INFO), night).destinations == ()
    silence = routing.silence(alert(), T0)
    assert silence is not None
    assert silence.who == "mia@example.com"
    assert routing.silence(alert(namespace="dev"), T0) is None


def test_every_destination_can_be_made(write, tmp_path):
    made = routed(write(), tmp_path / "foresail.db", lambda *_: None, "https://git.example.com/docs")
    assert [one.name for one in made] == ["pager", "chat", "hook", "mail"]
    assert made[3].habits.stands_in_for == ("pager",)
    assert made[0].habits.limit.most == 5
    assert made[1].habits.words.title == "{severity} {summary}"
    assert {one.habits.words.docs for one in made} == {"https://git.example.com/docs"}
    for one in made:
        one.close()


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("fallback: mail", "fallback: mial", 8, 'no such destination (got mial); did you mean "mail"?'),
        ("fallback: mail", "fallback: pager", 8, "cannot stand in for itself"),
        ("name: chat", "name: pager", 10, "is named twice"),
        ("{severity} {summary}", "{severty}", 13, "has the unknown field {severty}"),
        ("{severity} {summary}", "{severity", 13, "has a lone {"),
        ("[pager, chat]", "[pagr, chat]", 20, 'no such destination (got pagr); did you mean "pager"?'),
        ("  - destinations: []\n", "", 24, "the last route must fit all"),
        ("severity: [critical]", "severity: [fatal]", 19, "is not a choice here"),
        ("Europe/Berlin", "CET", 22, "is not an IANA time zone"),
        ("{labels: {namespace: shop}}", "{}", 29, "would silence everything"),
        ("{labels: {namespace: shop}}", '{alerts: [ForesailConflict, "*"]}', 29, "would silence everything"),
        ("{labels: {namespace: shop}}", '{alerts: ["Fore*"]}', 29, "would silence everything"),
        ("{labels: {namespace: shop}}", "{severity: [info, warning, critical]}", 29, "would silence everything"),
        ("{severity} {summary}", "\\u202e{summary}", 13, "cannot be printed"),
        ("remindAfter: 4h", "remindAfter: 1m", 12, "more often than every 5 min"),
        ("{env: SLACK_TOKEN}", "{env: SLACK_TOKEN, file: /x}", 11, "takes either file or env"),
        ("channel: C0123456789, ", "", 11, "takes channel and token, or webhook alone"),
        ("to: [on-call@example.com]", 'to: ["a@b.c\\nBcc: d@e.f"]', 17, "is not a mail address alone"),
        ("url: https://hooks.example.com/foresail, ", "", 15, "takes either url or urlFrom"),
        ("host: smtp.example.com", "host: smtp.example.com, hots: x", 17, "unknown field"),
        ("kind: Notifications", "kind: Notification", 2, "Notifications"),
    ],
)
def test_each_slip_has_its_line_and_the_way_out(write, old, new, line, words):
    file = write(WHOLE, (old, new))
    with pytest.raises(InvalidSpec) as wrong:
        read_notifications(file, T0)
    told = str(wrong.value)
    assert f"notify.yaml:{line}:" in told
    assert words in told


@pytest.mark.parametrize(
    ("old", "canary"),
    [
        ("/etc/foresail/pagerduty/key", "Bearer canary-of-a-secret"),
        ("SLACK_TOKEN", "xoxb-1234-canary"),
        ("https://hooks.example.com/foresail", "https://user:canary@hooks.example.com/"),
        ("{file: /etc/foresail/pagerduty/key}", "0123456789canary0123456789abcdef"),
        ("{routingKey: {file: /etc/foresail/pagerduty/key}}", "0123456789canary0123456789abcdef"),
        ("{env: SLACK_TOKEN}", "xoxb-1234-canary"),
        ("channel: C0123456789, token: {env: SLACK_TOKEN}", "webhook: https://hooks.slack.com/services/T0/B0/canary"),
        ("{env: HOOK_SECRET}", "[whsec_canary]"),
    ],
)
def test_s10_a_secret_in_the_file_is_refused_and_not_repeated(write, old, canary):
    with pytest.raises(InvalidSpec) as wrong:
        read_notifications(write(WHOLE, (old, canary)), T0)
    assert "canary" not in str(wrong.value)


def test_what_is_allowed_but_odd_is_said(write):
    file = write(WHOLE, ("2027-01-20", "2027-01-10"), ("[chat, hook]", "[chat]"))
    told = [str(w) for w in read_notifications(file, T0).warnings]
    assert any("silences[0].until: is over" in w for w in told)
    assert any("hears of nothing: no route names it (got hook)" in w for w in told)


def test_a_silence_that_nobody_will_remember_is_said_and_a_narrow_one_is_taken(write):
    file = write(WHOLE, ("2027-01-20", "2037-01-20"), ("{labels: {namespace: shop}}", '{alerts: ["Foresail*Down"]}'))
    told = [str(w) for w in read_notifications(file, T0).warnings]
    assert any("silences[0].until: is more than 90 days from now" in w for w in told)
    assert not any("until" in str(w) for w in read_notifications(write(WHOLE), T0).warnings)


def test_a_silence_comes_into_force_without_a_restart_and_a_broken_file_changes_nothing(write, caplog):
    now = [0.0]
    file = write(WHOLE.partition("  silences:")[0])
    spec = read_notifications(file, T0).notifications.spec
    live = LiveRouting(file, spec.routing(), frozenset(d.name for d in spec.destinations), lambda: now[0])
    assert live.now().silence(alert(), T0) is None
    write()
    now[0] = 10.0
    assert live.now().silence(alert(), T0) is not None
    write(WHOLE, ("kind: Notifications", "kind: Nonsense"))
    now[0] = 20.0
    assert live.now().silence(alert(), T0) is not None
    assert "the former routes and silences hold" in caplog.text
    write(WHOLE, ("name: hook", "name: huk"), ("[chat, hook]", "[chat, huk]"))
    now[0] = 30.0
    assert "hook" in live.now().routes[1].destinations
    assert "other destinations need a restart" in caplog.text


def test_mail_in_the_clear_to_another_machine_is_refused(write):
    from autoscaler.domain.errors import Refused

    spec = read_notifications(write(WHOLE, ("host: smtp.example.com", "host: smtp.example.com, security: None")), T0)
    with pytest.raises(Refused, match=r"destination mail: mail to smtp.example.com would travel in the clear"):
        channel_of(spec.notifications.spec.destinations[3])


def notify(*args: Any, **env: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "autoscaler", "notify", *map(str, args)],
        capture_output=True, text=True, check=False, timeout=60, env={"PATH": "/usr/bin:/bin", **env},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_lint_says_what_is_wrong_and_ends_with_1_and_what_is_missing_here(write):
    code, out, _ = notify("lint", write(WHOLE, ("{severity} {summary}", "{severty}")))
    assert code == 1
    assert "error: " in out
    assert ":13:" in out
    code, out, _ = notify("lint", write(), "-o", "json", SLACK_TOKEN="x")  # noqa: S106 - of no workspace
    assert code == 0
    warnings = json.loads(out)["warnings"]
    assert any("destination pager: the file /etc/foresail/pagerduty/key cannot be read" in w for w in warnings)
    assert not any("SLACK_TOKEN" in w for w in warnings)


def test_the_page_has_an_example_that_is_valid_and_every_field(write):
    text = PAGE.read_text()
    example, _ = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    read = read_notifications(write(example), T0 - 365 * 86_400)
    assert read.warnings == ()
    assert {name for name in FIELDS if f"`{{{name}}}`" in text} == set(FIELDS)
