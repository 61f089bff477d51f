"""One message to a person: an alert with its story, as fields that a template names and every channel shows its way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from autoscaler.adapters.alerting.message_text import bars
from autoscaler.domain.alert import DOCS, Alert, Severity, runbook_of
from autoscaler.domain.alert_story import ADVICE, MOST_COMMAND, MOST_SENTENCE, Story
from autoscaler.domain.alert_text import plain
from autoscaler.spec.notify_template import TEXT, TITLE, fill

MOST_TITLE: Final = 300
MOST_TEXT: Final = 5000


class Act(StrEnum):
    """What a message says of an alert."""

    BEGIN = "firing"
    UPDATE = "updated"
    REMIND = "still firing"
    END = "resolved"


@dataclass(frozen=True, slots=True)
class Words:
    """Templates that were checked (`spec.notify_template.check`). docs: where the folder docs is read."""

    title: str = TITLE
    text: str = TEXT
    docs: str = DOCS


@dataclass(frozen=True, slots=True)
class Message:
    """severity: as the route has it. fields: what templates name; empty = not known. destination: who is told."""

    alert: Alert
    act: Act
    severity: Severity
    story: Story
    destination: str
    now_s: float
    words: Words = Words()

    @property
    def runbook(self) -> str:
        return runbook_of(self.alert.name, self.words.docs)

    @property
    def fields(self) -> Mapping[str, str]:
        alert, story = self.alert, self.story
        ended_s = self.now_s if alert.resolved_s is None else alert.resolved_s
        return {
            "summary": alert.summary, "severity": self.severity.word, "state": self.act.value, "alert": alert.name,
            "where": where(alert), "numbers": ", ".join(f"{name} {value}" for name, value in story.figures),
            "picture": "" if story.course is None else bars(story.course),
            "why": story.why, "did": story.did,
            "next": "" if self.act is Act.END else story.next_step,
            "command": "" if self.act is Act.END else story.command,
            "runbook": self.runbook, "started": moment(alert.starts_s),
            "lasted": "" if self.act is Act.BEGIN else lasting(ended_s - alert.starts_s),
            "site": alert.label("site") or "", "installation": alert.label("installation") or "",
            "incident": plain(alert.incident, 200), "destination": self.destination,
        }  # fmt: skip

    @property
    def title(self) -> str:
        """One line of at most MOST_TITLE characters."""
        return shortened(" ".join(fill(self.words.title, self.fields).split()), MOST_TITLE)

    def text(self, escape: Mapping[int, str] | None = None) -> str:
        """At most MOST_TEXT characters. escape: what the channel reads as markup in a value, by str.translate; what a
        template itself says is its author's.
        """
        fields = self.fields
        if escape is not None:
            fields = {name: value.translate(escape) for name, value in fields.items()}
        return shortened(fill(self.words.text, fields), MOST_TEXT)


def shortened(text: str, most: int) -> str:
    """Told by an ellipsis; an escape such as &amp; is never cut in two."""
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    ampersand = cut.rfind("&", max(0, len(cut) - 5))
    if ampersand >= 0 and ";" not in cut[ampersand:]:
        cut = cut[:ampersand]
    return f"{cut.rstrip()}…"


def told_of(alert: Alert, story: Story | None = None) -> Story:
    """The alert's own story, with what is known of its kind where it says nothing itself."""
    own = story or Story()
    advice = ADVICE.get(alert.name)
    return Story(
        own.figures,
        own.why or plain(alert.description, MOST_SENTENCE),
        own.did or ("" if advice is None else advice.did),
        own.next_step or ("" if advice is None else advice.next_step),
        own.command or command_of(alert),
        own.course,
    )


def command_of(alert: Alert) -> str:
    """What stops Foresail at the workload, if it is about one. The shell reads nothing out of a name."""
    namespace, workload = alert.label("namespace"), alert.label("workload")
    if not (namespace and workload and _is_name(namespace) and _is_name(workload)):
        return ""
    return plain(f"foresail pause {namespace}/{workload} --for 1h --reason '{alert.name}'", MOST_COMMAND)


def where(alert: Alert) -> str:
    """shop/web, or what else it is about."""
    parts = [alert.label(name) for name in ("namespace", "workload", "source", "policy", "demand")]
    return "/".join(part for part in parts if part)


def moment(at_s: float) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M:%S} UTC"


def lasting(span_s: float) -> str:
    """45 s, 12 min, 3 h 05 min."""
    if span_s < 60:
        return f"{max(0.0, span_s):.0f} s"
    minutes = round(span_s / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _is_name(text: str) -> bool:
    return all(c.isascii() and (c.isalnum() or c in "-.") for c in text)
