"""`Notifications`: who hears of alerts, when, as what, and in which words. One file, read at the start."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from autoscaler.domain.alert import Severity
from autoscaler.domain.alert_route import GroupBy, Limit, Match, Route, Routing, Silence
from autoscaler.spec import scalars
from autoscaler.spec.behavior import Part
from autoscaler.spec.metadata import API_VERSION, ClusterMetadata
from autoscaler.spec.notify_channels import EmailSpec, PagerDutySpec, SlackSpec, WebhookSpec
from autoscaler.spec.notify_template import TEXT, TITLE, Text, Title
from autoscaler.spec.sources import without_nulls
from autoscaler.spec.when import WhenSpec, window_of

LEAST_REMIND_S = 300.0
MAX_SILENCE_S = 90 * 86_400.0
KINDS = ("pagerDuty", "slack", "webhook", "email")


def _glob(text: str) -> str:
    if not text.isprintable() or not 0 < len(text) <= 200 or "[" in text:
        raise scalars.slip("is not a name, nor one with * or ? in it", 'for example "ForesailLimit*"')
    return text


def _remind(text: str) -> str:
    if scalars.positive_duration_s(text) < LEAST_REMIND_S:
        raise scalars.slip("would remind more often than every 5 min", 'for example "4h"')
    return text


SeverityName = Literal["critical", "warning", "info"]
Severities = Annotated[tuple[SeverityName, ...], Field(strict=False, min_length=1, max_length=3)]
Glob = Annotated[str, AfterValidator(_glob)]
Globs = Annotated[tuple[Glob, ...], Field(strict=False, min_length=1, max_length=50)]
Remind = Annotated[scalars.PositiveDuration, AfterValidator(_remind)]
Names = Annotated[tuple[scalars.Label, ...], Field(strict=False, max_length=20)]


class MatchSpec(Part):
    """Which alerts are meant; all that is written must fit. Nothing written = all."""

    severity: Severities = Field(default=(), description="critical, warning, info.", examples=[["critical"]])
    alerts: Globs = Field(
        default=(), description="Names of alerts; * and ? stand for anything.", examples=[["ForesailHoldingAtRisk"]]
    )
    labels: Annotated[dict[str, Glob], BeforeValidator(without_nulls), Field(max_length=8)] = Field(
        default={}, description="Labels and their values; * and ? stand for anything.", examples=[{"namespace": "shop"}]
    )

    def value(self) -> Match:
        severities = frozenset(Severity[name.upper()] for name in self.severity)
        return Match(severities, self.alerts, tuple(sorted(self.labels.items())))


class LimitSpec(Part):
    """How many alerts may begin at a destination; those beyond share one summary for each severity."""

    most: Annotated[int, Field(ge=1, le=1000)] = Field(description="So many.", examples=[10])
    per: scalars.PositiveDuration = Field(default="10m", description="In so long. Default 10m.", examples=["10m"])


class TemplatesSpec(Part):
    """Words of messages. Fields stand in braces; a line whose fields are all empty is left out."""

    title: Title = Field(default=TITLE, description=f'One line. Default "{TITLE}".', examples=["{severity} {summary}"])
    text: Text = Field(default=TEXT, description="The message.", examples=["{summary}\nNext: {next}"])


class DestinationSpec(Part):
    """One place that hears of alerts: exactly one channel."""

    name: scalars.Label = Field(description="Its name in routes, metrics and logs.", examples=["pager"])
    pager_duty: PagerDutySpec | None = Field(
        default=None, description="PagerDuty, Events API v2.", examples=[{"routingKey": {"env": "PAGERDUTY_KEY"}}]
    )
    slack: SlackSpec | None = Field(
        default=None, description="Slack.", examples=[{"channel": "C0123456789", "token": {"env": "SLACK_TOKEN"}}]
    )
    webhook: WebhookSpec | None = Field(
        default=None,
        description="Any receiver of JSON.",
        examples=[{"url": "https://hooks.example.com/foresail", "secret": {"env": "HOOK_SECRET"}}],
    )
    email: EmailSpec | None = Field(
        default=None,
        description="Mail.",
        examples=[{"host": "smtp.example.com", "from": "foresail@example.com", "to": ["on-call@example.com"]}],
    )
    group_by: Annotated[GroupBy, Field(strict=False)] | None = Field(
        default=None,
        description="What shares a thread, a page or a subject: Alert, Incident or Cause. Default: Alert for PagerDuty "
        "and webhooks, Incident for Slack and mail.",
        examples=["Incident"],
    )
    limit: LimitSpec = Field(
        default=LimitSpec(most=10), description="Default: 10 in 10m.", examples=[{"most": 10, "per": "10m"}]
    )
    remind_after: Remind | None = Field(
        default=None, description="What lasts is told again after so long. Default: never.", examples=["4h"]
    )
    fallback: scalars.Label | None = Field(
        default=None,
        description="Who hears in its place once it has taken nothing for 5 min.",
        examples=["mail"],
    )
    templates: TemplatesSpec | None = Field(
        default=None, description="Words of its own.", examples=[{"title": "{severity} {summary}"}]
    )

    @model_validator(mode="after")
    def _one_channel(self) -> DestinationSpec:
        channels = [name for name in KINDS if self.channel(name) is not None]
        if len(channels) != 1:
            said = " and ".join(channels) or "none"
            raise scalars.slip(f"takes exactly one of {', '.join(KINDS)}, not {said}", "write one destination for each")
        return self

    def channel(self, kind: str) -> Part | None:
        found: Part | None = getattr(self, "pager_duty" if kind == "pagerDuty" else kind)
        return found

    @property
    def grouped(self) -> GroupBy:
        if self.group_by is not None:
            return self.group_by
        return GroupBy.INCIDENT if self.slack or self.email else GroupBy.ALERT

    def limited(self) -> Limit:
        return Limit(self.limit.most, scalars.positive_duration_s(self.limit.per))


class RouteSpec(Part):
    """The first route that fits an alert, at this time, decides."""

    match: MatchSpec = Field(default=MatchSpec(), description="Default: all.", examples=[{"severity": ["critical"]}])
    when: WhenSpec | None = Field(
        default=None,
        description="Only then; else the next route. Default: always.",
        examples=[{"weekly": {"days": ["Mon"], "from": "08:00", "to": "18:00", "timeZone": "Europe/Berlin"}}],
    )
    severity: SeverityName | None = Field(
        default=None, description="What it counts as. Default: its own.", examples=["info"]
    )
    destinations: Names = Field(description="Who hears; [] = recorded only.", examples=[["pager"]])


class SilenceSpec(Part):
    """Planned work: recorded and counted, and nobody is woken."""

    match: MatchSpec = Field(description="Which alerts.", examples=[{"labels": {"namespace": "shop"}}])
    from_: scalars.Instant | None = Field(
        default=None, alias="from", description="Start. Default: now.", examples=["2026-12-01T20:00:00Z"]
    )
    until: scalars.Instant = Field(description="End; it must have one.", examples=["2026-12-01T22:00:00Z"])
    who: scalars.OneLine = Field(description="Who asked for it.", examples=["mia@example.com"])
    why: scalars.OneLine = Field(description="Why.", examples=["database upgrade"])

    @model_validator(mode="after")
    def _bounded(self) -> SilenceSpec:
        if self.match.value().whatever_wakes:
            raise scalars.slip("would silence everything", "name alerts, labels or severities", ("match",))
        if self.from_ is not None:
            span_s = (scalars.instant_of(self.until) - scalars.instant_of(self.from_)).total_seconds()
            if not 0 < span_s <= MAX_SILENCE_S:
                raise scalars.slip("must end after it starts, within 90 days", "swap from and until?", ("until",))
        return self

    def value(self) -> Silence:
        from_s = float("-inf") if self.from_ is None else scalars.instant_of(self.from_).timestamp()
        return Silence(self.match.value(), scalars.instant_of(self.until).timestamp(), self.who, self.why, from_s)


class NotificationsSpec(Part):
    destinations: Annotated[tuple[DestinationSpec, ...], Field(strict=False, min_length=1, max_length=20)] = Field(
        description="Who can hear of alerts.",
        examples=[[{"name": "pager", "pagerDuty": {"routingKey": {"env": "PAGERDUTY_KEY"}}}]],
    )
    routes: Annotated[tuple[RouteSpec, ...], Field(strict=False, max_length=100)] = Field(
        default=(),
        description="Who hears of which; the last one fits all. Default: everyone hears all.",
        examples=[[{"destinations": ["pager"]}]],
    )
    silences: Annotated[tuple[SilenceSpec, ...], Field(strict=False, max_length=100)] = Field(
        default=(),
        description="Planned work.",
        examples=[
            [
                {
                    "match": {"labels": {"namespace": "shop"}},
                    "until": "2026-12-01T22:00:00Z",
                    "who": "mia@example.com",
                    "why": "database upgrade",
                }
            ]
        ],
    )
    templates: TemplatesSpec = Field(
        default=TemplatesSpec(), description="Words of all messages.", examples=[{"title": "{severity} {summary}"}]
    )

    def routing(self) -> Routing:
        routes = tuple(
            Route(
                r.match.value(), r.destinations, None if r.when is None else window_of(r.when),
                None if r.severity is None else Severity[r.severity.upper()],
            )
            for r in self.routes
        )  # fmt: skip
        names = tuple(d.name for d in self.destinations)
        return Routing(names, routes, tuple(s.value() for s in self.silences))


class Notifications(Part):
    """Where alerts go. A file that `--notify` names; secrets stand elsewhere."""

    api_version: Literal["foresail.dev/v1alpha1"] = Field(description="API version.", examples=[API_VERSION])
    kind: Literal["Notifications"] = Field(description="This kind.", examples=["Notifications"])
    metadata: ClusterMetadata = Field(description="Name of the object.", examples=[{"name": "on-call"}])
    spec: NotificationsSpec = Field(
        description="Destinations, routes, silences, words.",
        examples=[{"destinations": [{"name": "pager", "pagerDuty": {"routingKey": {"env": "PAGERDUTY_KEY"}}}]}],
    )
