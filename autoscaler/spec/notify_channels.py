"""How each channel of alerts is reached, as written. Secrets stand in files or in the environment, never here."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, model_validator

from autoscaler.spec import scalars
from autoscaler.spec.behavior import Part
from autoscaler.spec.endpoints import SECRET_TEXT, SecretFile, url_of

_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_MAIL = re.compile(r"[A-Za-z0-9._%+=-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?|[0-9a-fA-F:]{2,45}", re.ASCII)
_CHANNEL = re.compile(r"[CGDU][A-Z0-9]{2,40}|#?[a-z0-9][a-z0-9_-]{0,79}", re.ASCII)


def _env(text: str) -> str:
    if SECRET_TEXT.search(text) or not _ENV.fullmatch(text):
        raise scalars.slip("is not the name of an environment variable", 'for example "SLACK_TOKEN"', secret=True)
    return text


def _mail(text: str) -> str:
    if not _MAIL.fullmatch(text):
        raise scalars.slip("is not a mail address alone", 'for example "on-call@example.com", without a name before it')
    return text


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise scalars.slip("is not a host", 'for example "smtp.example.com"; the port is a field of its own')
    return text


def _channel(text: str) -> str:
    if not _CHANNEL.fullmatch(text):
        raise scalars.slip("is not a channel of Slack", 'its ID is best, as a name may change: "C0123456789"')
    return text


EnvName = Annotated[str, AfterValidator(_env)]
Address = Annotated[str, AfterValidator(_mail)]
Host = Annotated[str, AfterValidator(_host)]
SlackChannel = Annotated[str, AfterValidator(_channel)]
Port = Annotated[int, Field(ge=1, le=65535)]
Url = Annotated[str, AfterValidator(lambda text: (url_of(text), text)[1])]


class SecretSpec(Part):
    """Where a secret stands. It is read at each sending, so a new one counts without a restart (a file)."""

    names_secret: ClassVar[bool] = True

    file: SecretFile | None = Field(
        default=None, description="Path of a file with the secret alone.", examples=["/etc/foresail/pagerduty/key"]
    )
    env: EnvName | None = Field(
        default=None, description="Name of an environment variable with it.", examples=["PAGERDUTY_KEY"]
    )

    @model_validator(mode="after")
    def _one(self) -> SecretSpec:
        if (self.file is None) == (self.env is None):
            raise scalars.slip("takes either file or env", "write {file: /etc/foresail/key} or {env: KEY}")
        return self


_SECRET = {"file": "/etc/foresail/pagerduty/key"}


class PagerDutySpec(Part):
    """Events API v2 of one PagerDuty service."""

    names_secret: ClassVar[bool] = True

    routing_key: SecretSpec = Field(description="Integration key, 32 characters.", examples=[_SECRET])
    url: Url = Field(
        default="https://events.pagerduty.com",
        description="Events host. Default https://events.pagerduty.com; https://events.eu.pagerduty.com in the EU.",
        examples=["https://events.eu.pagerduty.com"],
    )


class SlackSpec(Part):
    """A channel, written to as a bot (threads, updates); or an incoming webhook (neither)."""

    names_secret: ClassVar[bool] = True

    channel: SlackChannel | None = Field(default=None, description="ID of the channel.", examples=["C0123456789"])
    token: SecretSpec | None = Field(
        default=None, description="Bot token with chat:write.", examples=[{"env": "SLACK_TOKEN"}]
    )
    webhook: SecretSpec | None = Field(
        default=None,
        description="URL of an incoming webhook, which is a secret itself. It has no threads.",
        examples=[{"file": "/etc/foresail/slack/webhook"}],
    )
    url: Url = Field(
        default="https://slack.com/api", description="Web API. Default https://slack.com/api.",
        examples=["https://slack.com/api"],
    )  # fmt: skip

    @model_validator(mode="after")
    def _one_way(self) -> SlackSpec:
        bot = self.channel is not None and self.token is not None
        if bot == (self.webhook is not None) or (not bot and (self.channel or self.token)):
            raise scalars.slip("takes channel and token, or webhook alone", "channel and token give threads: use them")
        return self


class WebhookSpec(Part):
    """JSON by POST, signed as Standard Webhooks has it."""

    names_secret: ClassVar[bool] = True

    url: Url | None = Field(
        default=None, description="Where it is sent.", examples=["https://hooks.example.com/foresail"]
    )
    url_from: SecretSpec | None = Field(
        default=None, description="Where a URL stands that is a secret itself.", examples=[{"env": "HOOK_URL"}]
    )
    secret: SecretSpec = Field(
        description="Key of the signature: whsec_ and base64 of at least 24 bytes, or text of 24 characters and more.",
        examples=[{"file": "/etc/foresail/hook/secret"}],
    )

    @model_validator(mode="after")
    def _one_url(self) -> WebhookSpec:
        if (self.url is None) == (self.url_from is None):
            raise scalars.slip("takes either url or urlFrom", "write url: https://hooks.example.com/foresail")
        return self


class Security(StrEnum):
    """How mail is carried to the first server."""

    START_TLS = "StartTls"
    TLS = "Tls"
    NONE = "None"


class EmailSpec(Part):
    """A mail server, and who is written to."""

    host: Host = Field(description="Host of the SMTP server.", examples=["smtp.example.com"])
    port: Port = Field(default=587, description="Port. Default 587.", examples=[587])
    security: Annotated[Security, Field(strict=False)] = Field(
        default=Security.START_TLS,
        description="StartTls (default), Tls from the first byte (465), or None: only to a server on this machine.",
        examples=["StartTls"],
    )
    from_: Address = Field(alias="from", description="Sender.", examples=["foresail@example.com"])
    to: Annotated[tuple[Address, ...], Field(strict=False, min_length=1, max_length=20)] = Field(
        description="Who is written to.", examples=[["on-call@example.com"]]
    )
    username: scalars.OneLine | None = Field(default=None, description="Our user there.", examples=["foresail"])
    password: SecretSpec | None = Field(
        default=None, description="Its password.", examples=[{"file": "/etc/foresail/smtp/password"}]
    )
    ca_file: SecretFile | None = Field(
        default=None, description="Whom to trust in place of the public CAs.", examples=["/etc/foresail/smtp/ca.pem"]
    )

    @model_validator(mode="after")
    def _safe(self) -> EmailSpec:
        if (self.username is None) != (self.password is None):
            raise scalars.slip("takes username and password together", "write both, or neither")
        if self.security is Security.NONE and self.password is not None:
            raise scalars.slip("would send a password unencrypted", "use StartTls or Tls", ("security",))
        return self
