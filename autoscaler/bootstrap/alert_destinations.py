"""Makes the Alertmanagers that options name. Knows no store and no service: `notify test` needs neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.domain.errors import Refused

if TYPE_CHECKING:
    from autoscaler.adapters.alerting.alertmanager import Alertmanager
    from autoscaler.bootstrap.alert_settings import AlertSettings


def alertmanagers(settings: AlertSettings) -> list[Alertmanager]:
    """One destination for each URL. The client is loaded with the first one. Refused, with the option, otherwise."""
    if not settings.alertmanagers:
        return []
    from autoscaler.adapters.alerting.alertmanager import Alertmanager
    from autoscaler.adapters.alerting.endpoint import EndpointSettings

    found: dict[str, Alertmanager] = {}
    for url in settings.alertmanagers:
        try:
            endpoint = EndpointSettings(
                url, settings.token_file, settings.user, settings.password_file, settings.ca_file, settings.cert_file,
                settings.key_file,
            )  # fmt: skip
            made = Alertmanager(endpoint, settings.repeat_s, settings.docs)
        except ValueError as error:
            shown = url.rpartition("@")[2]  # what stands before it would reach the log by our own words
            raise Refused(f"--alertmanager {shown}: {error}") from None
        if made.name in found:
            raise Refused(f"--alertmanager {url}: it is named twice; leave one out")
        found[made.name] = made
    return list(found.values())
