"""Where alerts go, as values: what the options of `run`, `operator` and `notify` come to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from autoscaler.domain.alert import DOCS

REPEAT_S = 60.0


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """alertmanagers: URLs, all of them are told. repeat_s: seconds between two sendings of what lasts. token_file,
    user and password_file, ca_file, cert_file and key_file: who we are to all of them, and whom we trust. notify: file
    of the other destinations, their routes and silences. docs_url: where the folder docs is read, for links; None = it
    is not said, so that statuses name the page alone.
    """

    alertmanagers: tuple[str, ...] = ()
    repeat_s: float = REPEAT_S
    token_file: Path | None = None
    user: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    notify: Path | None = None
    docs_url: str | None = None

    @property
    def docs(self) -> str:
        """For links, which have to be whole."""
        return self.docs_url or DOCS

    def alone(self, url: str) -> AlertSettings:
        """With one of the Alertmanagers."""
        return replace(self, alertmanagers=(url,))
