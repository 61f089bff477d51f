"""From a described server to what asks it: one client, a reader for ticks and one for wide reads beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from autoscaler.adapters.prometheus.client import PrometheusClient
from autoscaler.adapters.prometheus.faults import QueryFault
from autoscaler.adapters.prometheus.health import SourceHealth
from autoscaler.adapters.prometheus.reader import PrometheusReader
from autoscaler.adapters.prometheus.settings import PrometheusSettings, Secret
from autoscaler.domain.errors import Refused
from autoscaler.domain.series import SeriesBatch
from autoscaler.domain.workload import Demand
from autoscaler.ports.metrics import MetricsReader
from autoscaler.spec.compile import PrometheusSource, SecretKey

GREETING_S = 3.0
SHARE_OF_DEADLINE = 0.8
"""One query must end before the load that it is part of does, so that its own words are heard."""


@dataclass(frozen=True, slots=True, eq=False)
class LiveServer:
    """Implements live_sources.ServerReader. Both readers share the client: one retry budget, one count of failures."""

    client: PrometheusClient
    ticks: PrometheusReader
    wide: MetricsReader

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        return self.ticks.load(demands, first_step, end_step, step_s)

    @property
    def health(self) -> SourceHealth:
        return self.client.health

    def greet(self) -> str | None:
        """Ask for a constant, which tells the server's time too; why there was no answer, or None."""
        try:
            self.client.instant("vector(1)", None, min(GREETING_S, self.client.settings.timeout_s))
        except QueryFault as error:
            return f"{error.verdict.words}: {error.note}"
        return None

    def close(self) -> None:
        for reader in (self.ticks, self.wide):
            if isinstance(reader, PrometheusReader):
                reader.close()


class Secrets(Protocol):
    """Where texts of Secrets are kept. Refused, with the reason, when one cannot be had."""

    def secret(self, named: SecretKey) -> Secret: ...

    def file(self, named: SecretKey) -> Path: ...


def settings_of(
    source: PrometheusSource, most_s: float | None = None, secrets: Secrets | None = None
) -> PrometheusSettings:
    """most_s: longest wait for one answer, whatever the source says. secrets: None = there is no cluster to ask.

    Refused when the source names a Secret that cannot be had.
    """
    if source.secrets and secrets is None:
        raise Refused(
            f"{source.secrets[0]}: Secrets are read by the operator alone; a file names files, as bearerTokenFile"
        )

    def file(path: Path | None, named: SecretKey | None) -> Path | None:
        return path if named is None or secrets is None else secrets.file(named)

    text = source.bearer_token_secret or source.basic_password_secret
    usual = PrometheusSettings(source.name, source.url).replica_labels
    return PrometheusSettings(
        name=source.name,
        url=source.url,
        headers=dict(source.headers),
        bearer_token_file=source.bearer_token_file,
        basic_user=source.basic_user,
        basic_password_file=source.basic_password_file,
        secret=None if text is None or secrets is None else secrets.secret(text),
        ca_file=file(source.ca_file, source.ca_secret),
        cert_file=file(source.cert_file, source.cert_secret),
        key_file=file(source.key_file, source.key_secret),
        proxy=source.proxy,
        timeout_s=source.timeout_s if most_s is None else min(source.timeout_s, most_s),
        stale_after_s=source.stale_after_s,
        params=dict(source.params),
        replica_labels=usual if source.replica_labels is None else source.replica_labels,
    )


def open_server(source: PrometheusSource, deadline_s: float, secrets: Secrets | None = None) -> LiveServer:
    """deadline_s: of the load that its queries are part of."""
    settings = settings_of(source, deadline_s * SHARE_OF_DEADLINE, secrets)
    client = PrometheusClient(settings)
    return LiveServer(client, PrometheusReader(settings, client), PrometheusReader(settings, client))


def open_client(source: PrometheusSource) -> PrometheusClient:
    return PrometheusClient(settings_of(source))
