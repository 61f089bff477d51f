"""Options that say where alerts go; `run`, `operator` and `notify test` take the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from autoscaler.bootstrap.alert_settings import AlertSettings

Alertmanagers = Annotated[
    list[str] | None, typer.Option("--alertmanager", help="URL of an Alertmanager (repeat: all of them are told).")
]
Resend = Annotated[str, typer.Option("--alert-resend", help="How often alerts that last are sent again.")]
TokenFile = Annotated[
    Path | None, typer.Option("--alertmanager-token-file", help="File with our bearer token for the Alertmanagers.")
]
User = Annotated[str | None, typer.Option("--alertmanager-user", help="Our user there, with a password file.")]
PasswordFile = Annotated[Path | None, typer.Option("--alertmanager-password-file", help="File with its password.")]
CaFile = Annotated[
    Path | None, typer.Option("--alertmanager-ca-file", help="Whom to trust there in place of the public CAs.")
]
CertFile = Annotated[Path | None, typer.Option("--alertmanager-cert-file", help="Our own certificate, for mTLS.")]
KeyFile = Annotated[Path | None, typer.Option("--alertmanager-key-file", help="The key of that certificate.")]
Notify = Annotated[
    Path | None,
    typer.Option("--notify", help="File of Notifications: PagerDuty, Slack, webhooks, mail; routes and silences."),
]
DocsUrl = Annotated[
    str | None,
    typer.Option("--docs-url", help="Where you publish this version's folder docs: the base of links to it."),
]
RESEND = "60s"


@dataclass(frozen=True, slots=True)
class AlertOptions:
    """As they were typed."""

    alertmanagers: tuple[str, ...] = ()
    resend: str = RESEND
    token_file: Path | None = None
    user: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    notify: Path | None = None
    docs_url: str | None = None

    @property
    def settings(self) -> AlertSettings:
        """Refused for what is no duration, or an option that has nothing to be about."""
        from autoscaler.bootstrap.alert_settings import AlertSettings
        from autoscaler.cli.inputs import seconds
        from autoscaler.domain.errors import Refused

        named = (self.token_file, self.user, self.password_file, self.ca_file, self.cert_file, self.key_file)
        if not self.alertmanagers and any(named):
            raise Refused("--alertmanager-* options are about an --alertmanager URL; none is named")
        repeat_s = seconds("--alert-resend", self.resend, least=1.0, most=3600.0)
        return AlertSettings(
            self.alertmanagers, repeat_s, *named, notify=self.notify,
            docs_url=None if self.docs_url is None else docs_base(self.docs_url),
        )  # fmt: skip


def docs_base(given: str) -> str:
    """Without a slash at its end. Refused for what no page can stand under."""
    from urllib.parse import urlsplit

    from autoscaler.domain.errors import Refused

    parts, plain = urlsplit(given), given.isascii() and given.isprintable() and not set(given) & set(" <>\"'()[]|\\`")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or not plain:
        way_out = (
            "write https://HOST/PATH of the folder docs, as https://git.example.com/platform/foresail/blob/v1/docs"
        )
        raise Refused(f"--docs-url {given!r}: no page stands under it; {way_out}")
    return given.rstrip("/")
