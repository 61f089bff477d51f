"""From a described server to what asks it: one client, a reader for ticks and one for wide reads beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autoscaler.adapters.prometheus.client import PrometheusClient
from autoscaler.adapters.prometheus.faults import QueryFault
from autoscaler.adapters.prometheus.health import SourceHealth
from autoscaler.adapters.prometheus.reader import PrometheusReader
from autoscaler.adapters.prometheus.settings import PrometheusSettings
from autoscaler.domain.series import SeriesBatch
from autoscaler.domain.workload import Demand
from autoscaler.ports.metrics import MetricsReader
from autoscaler.spec.compile import PrometheusSource

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


def settings_of(source: PrometheusSource, most_s: float | None = None) -> PrometheusSettings:
    """most_s: longest wait for one answer, whatever the source says."""
    usual = PrometheusSettings(source.name, source.url).replica_labels
    return PrometheusSettings(
        name=source.name,
        url=source.url,
        headers=dict(source.headers),
        bearer_token_file=source.bearer_token_file,
        basic_user=source.basic_user,
        basic_password_file=source.basic_password_file,
        ca_file=source.ca_file,
        cert_file=source.cert_file,
        key_file=source.key_file,
        proxy=source.proxy,
        timeout_s=source.timeout_s if most_s is None else min(source.timeout_s, most_s),
        stale_after_s=source.stale_after_s,
        params=dict(source.params),
        replica_labels=usual if source.replica_labels is None else source.replica_labels,
    )


def open_server(source: PrometheusSource, deadline_s: float) -> LiveServer:
    """deadline_s: of the load that its queries are part of."""
    settings = settings_of(source, deadline_s * SHARE_OF_DEADLINE)
    client = PrometheusClient(settings)
    return LiveServer(client, PrometheusReader(settings, client), PrometheusReader(settings, client))


def open_client(source: PrometheusSource) -> PrometheusClient:
    return PrometheusClient(settings_of(source))
