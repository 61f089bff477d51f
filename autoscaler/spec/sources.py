"""`MetricsSource.spec`: exactly one way to get demand, a recording or a server that speaks the Prometheus API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from autoscaler.spec import endpoints, scalars
from autoscaler.spec.behavior import Part

_SKIPPING = {"insecureskipverify", "insecure_skip_verify", "skipverify", "insecure", "tlsskipverify", "verify"}


def without_nulls(value: Any) -> Any:
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value


def refuse_skipping(data: Any) -> Any:
    """There is no way to leave certificates unchecked, by whatever name it is asked for."""
    if isinstance(data, Mapping):
        for name in data:
            if isinstance(name, str) and name.lower() in _SKIPPING:
                message = "does not exist: a server that is not checked could be anyone's"
                remedy = "name the CA that signed its certificate: tls: {caFile: ...}"
                raise scalars.slip(message, remedy, (name,), of_key=True)
    return data


class FileSpec(Part):
    """Recorded demand: a CSV or Parquet file with columns ts and value and, for several series, series."""

    path: scalars.FilePath = Field(
        description="Path of a .csv, .csv.gz, .parquet or .pq file; relative to the folder of this document.",
        examples=["demand/web.csv"],
    )
    step: scalars.WholeSeconds | None = Field(
        default=None, description="Time between samples, in whole seconds. Default: found in the file.", examples=["1m"]
    )


class BasicAuthSpec(Part):
    """A user and the file with their password, which is read again when the server refuses it."""

    username: scalars.OneLine = Field(description="The user's name.", examples=["foresail"])
    password_file: endpoints.SecretFile = Field(
        description="Path of the file that holds the password; relative to the folder of this document.",
        examples=["/etc/foresail/prod/password"],
    )


class TlsSpec(Part):
    """Whom we trust, and who we are. A certificate is always checked."""

    ca_file: endpoints.SecretFile | None = Field(
        default=None,
        description="Path of the CA's certificate (PEM). Default: the CAs that this machine trusts.",
        examples=["/etc/foresail/prod/ca.crt"],
    )
    cert_file: endpoints.SecretFile | None = Field(
        default=None,
        description="Path of our client certificate (PEM), for a server that asks for one; goes with keyFile.",
        examples=["/etc/foresail/prod/tls.crt"],
    )
    key_file: endpoints.SecretFile | None = Field(
        default=None, description="Path of the key of certFile (PEM).", examples=["/etc/foresail/prod/tls.key"]
    )

    @model_validator(mode="before")
    @classmethod
    def _checked_always(cls, data: Any) -> Any:
        return refuse_skipping(data)


Texts = Annotated[dict[str, str], Field(max_length=64), BeforeValidator(without_nulls)]
Headers = Annotated[Texts, AfterValidator(endpoints.check_headers)]
Params = Annotated[Texts, AfterValidator(endpoints.check_params)]
ReplicaLabels = Annotated[tuple[endpoints.LabelName, ...], Field(strict=False, max_length=8)]


class PrometheusSpec(Part):
    """A server that speaks the Prometheus HTTP API: Prometheus, Thanos, Mimir, VictoriaMetrics."""

    url: endpoints.Url = Field(
        description="URL of the server, http or https, with its path prefix if it has one, without /api/v1.",
        examples=["https://prometheus.example.com", "http://prometheus.monitoring:9090"],
    )
    timeout: endpoints.Timeout = Field(
        default="5s",
        description="Longest wait for one answer, up to 2m; a service cuts it to fit into its tick. Default 5s.",
        examples=["5s"],
    )
    stale_after: scalars.PositiveDuration = Field(
        default="2m",
        description="Age past which a newest sample is stale: a few scrape intervals. Default 2m.",
        examples=["2m"],
    )
    headers: Headers = Field(
        default={},
        description="Constant headers, such as the tenant's. Credentials are refused here.",
        examples=[{"X-Scope-OrgID": "shop"}],
    )
    bearer_token_file: endpoints.SecretFile | None = Field(
        default=None,
        description="Path of the file with a bearer token; read again when refused. Relative to this document.",
        examples=["/var/run/secrets/kubernetes.io/serviceaccount/token"],
    )
    basic_auth: BasicAuthSpec | None = Field(
        default=None,
        description="User and password, instead of bearerTokenFile.",
        examples=[{"username": "foresail", "passwordFile": "/etc/foresail/prod/password"}],
    )
    tls: TlsSpec | None = Field(
        default=None,
        description="CA and client certificate. Default: the CAs that this machine trusts, no client certificate.",
        examples=[{"caFile": "/etc/foresail/prod/ca.crt"}],
    )
    proxy: endpoints.ProxyUrl | None = Field(
        default=None, description="HTTP proxy to go through. Default: none.", examples=["http://proxy.example.com:3128"]
    )
    params: Params = Field(
        default={},
        description="Constant parameters of each request, such as dedup and partial_response of Thanos.",
        examples=[{"dedup": "true", "partial_response": "true"}],
    )
    replica_labels: ReplicaLabels | None = Field(
        default=None,
        description=(
            "Labels in which two copies of one series may differ; a sum over copies is refused, as it counts double. "
            "Default prometheus, prometheus_replica, replica and job."
        ),
        examples=[["prometheus_replica"]],
    )

    @model_validator(mode="before")
    @classmethod
    def _checked_always(cls, data: Any) -> Any:
        return refuse_skipping(data)

    @model_validator(mode="after")
    def _fits_together(self) -> PrometheusSpec:
        if self.basic_auth is not None and self.bearer_token_file is not None:
            raise scalars.slip("takes either bearerTokenFile or basicAuth, not both", "remove one of them")
        if self.tls is None:
            return self
        if not self.url.lower().startswith("https:"):
            message = "has no meaning for an http URL"
            raise scalars.slip(message, "write https:// in url, or remove tls", ("tls",), of_key=True)
        if (self.tls.cert_file is None) != (self.tls.key_file is None):
            raise scalars.slip("certFile and keyFile go together", "name both, or neither", ("tls",))
        return self


class MetricsSourceSpec(Part):
    """Exactly one of the ways to get demand."""

    file: FileSpec | None = Field(
        default=None,
        description="Take demand from a recording; a demand's query names the series in it.",
        examples=[{"path": "demand/web.csv", "step": "1m"}],
    )
    prometheus: PrometheusSpec | None = Field(
        default=None,
        description="Ask a server that speaks the Prometheus API; a demand's query is PromQL.",
        examples=[{"url": "http://prometheus.monitoring:9090"}],
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> MetricsSourceSpec:
        if self.file is None and self.prometheus is None:
            remedy = "write file: {path: demand/web.csv} or prometheus: {url: http://prometheus.monitoring:9090}"
            raise scalars.slip("needs exactly one of file and prometheus, and has none", remedy)
        if self.file is not None and self.prometheus is not None:
            raise scalars.slip("takes exactly one of file and prometheus, not both", "write a MetricsSource for each")
        return self
