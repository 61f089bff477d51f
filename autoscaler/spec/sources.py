"""`MetricsSource.spec`: exactly one way to get demand, a recording or a server that speaks the Prometheus API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

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
                remedy = (
                    "name the CA that signed its certificate: tls: {caSecret: {name: ..., key: ...}}, "
                    "or in a file tls: {caFile: ...}"
                )
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


class SecretKeySpec(Part):
    """A key of a Secret in the operator's own namespace; read again once a minute, and when it is refused."""

    names_secret: ClassVar[bool] = True

    name: scalars.Subdomain = Field(description="Name of the Secret.", examples=["prod-metrics"])
    key: endpoints.SecretKey = Field(description="Key in its data.", examples=["token"])


class BasicAuthSpec(Part):
    """A user, and where their password is; it is read again when the server refuses it."""

    names_secret: ClassVar[bool] = True

    username: scalars.OneLine = Field(description="The user's name.", examples=["foresail"])
    password_file: endpoints.SecretFile | None = Field(
        default=None,
        description="Path of the file that holds the password; relative to the folder of this document. In files only.",
        examples=["/etc/foresail/prod/password"],
    )
    password_secret: SecretKeySpec | None = Field(
        default=None,
        description="The Secret that holds the password. For objects of a cluster; a file takes passwordFile.",
        examples=[{"name": "prod-metrics", "key": "password"}],
    )

    @model_validator(mode="after")
    def _one_password(self) -> BasicAuthSpec:
        if (self.password_file is None) == (self.password_secret is None):
            message = "needs exactly one of passwordSecret and passwordFile"
            remedy = "an object in a cluster takes passwordSecret: {name: ..., key: ...}, a file passwordFile"
            raise scalars.slip(message, remedy)
        return self


class TlsSpec(Part):
    """Whom we trust, and who we are. A certificate is always checked."""

    ca_file: endpoints.SecretFile | None = Field(
        default=None,
        description="Path of the CA's certificate (PEM). Default: the CAs that this machine trusts. In files only.",
        examples=["/etc/foresail/prod/ca.crt"],
    )
    cert_file: endpoints.SecretFile | None = Field(
        default=None,
        description="Path of our client certificate (PEM), for a server that asks for it; with keyFile. In files only.",
        examples=["/etc/foresail/prod/tls.crt"],
    )
    key_file: endpoints.SecretFile | None = Field(
        default=None,
        description="Path of the key of certFile (PEM). In files only.",
        examples=["/etc/foresail/prod/tls.key"],
    )

    ca_secret: SecretKeySpec | None = Field(
        default=None,
        description="The Secret with the CA's certificate. For objects of a cluster; a file takes caFile.",
        examples=[{"name": "prod-metrics", "key": "ca.crt"}],
    )
    cert_secret: SecretKeySpec | None = Field(
        default=None,
        description="The Secret with our client certificate, instead of certFile; goes with keySecret.",
        examples=[{"name": "prod-metrics", "key": "tls.crt"}],
    )
    key_secret: SecretKeySpec | None = Field(
        default=None,
        description="The Secret with the key of certSecret.",
        examples=[{"name": "prod-metrics", "key": "tls.key"}],
    )

    @model_validator(mode="before")
    @classmethod
    def _checked_always(cls, data: Any) -> Any:
        return refuse_skipping(data)

    @model_validator(mode="after")
    def _one_place_each(self) -> TlsSpec:
        if self.ca_file is not None and self.ca_secret is not None:
            raise scalars.slip("takes either caFile or caSecret, not both", "remove one of them")
        if self.cert_secret is not None and self.cert_file is not None:
            raise scalars.slip("takes either certFile or certSecret, not both", "remove one of them")
        if (self.cert_file is None) != (self.key_file is None):
            raise scalars.slip("certFile and keyFile go together", "name both, or neither")
        if (self.cert_secret is None) != (self.key_secret is None):
            raise scalars.slip("certSecret and keySecret go together", "name both, or neither")
        return self


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
        description=(
            "Path of the file with a bearer token; read again when refused. Relative to this document. In files only."
        ),
        examples=["/var/run/secrets/kubernetes.io/serviceaccount/token"],
    )
    bearer_token_secret: SecretKeySpec | None = Field(
        default=None,
        description="The Secret with a bearer token. For objects of a cluster; a file takes bearerTokenFile.",
        examples=[{"name": "prod-metrics", "key": "token"}],
    )
    basic_auth: BasicAuthSpec | None = Field(
        default=None,
        description="User and password, instead of a bearer token.",
        examples=[{"username": "foresail", "passwordSecret": {"name": "prod-metrics", "key": "password"}}],
    )
    tls: TlsSpec | None = Field(
        default=None,
        description="CA and client certificate. Default: the CAs that this machine trusts, no client certificate.",
        examples=[{"caSecret": {"name": "prod-metrics", "key": "ca.crt"}}],
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
            raise scalars.slip("takes either a bearer token or basicAuth, not both", "remove one of them")
        if self.bearer_token_secret is not None and (self.basic_auth or self.bearer_token_file):
            message = "takes one of bearerTokenSecret, basicAuth and, in a file, bearerTokenFile"
            raise scalars.slip(message, "remove the others")
        if self.tls is None:
            return self
        if not self.url.lower().startswith("https:"):
            message = "has no meaning for an http URL"
            raise scalars.slip(message, "write https:// in url, or remove tls", ("tls",), of_key=True)
        return self

    @property
    def lends(self) -> bool:
        """Whether it goes in with a Secret: then who may name it has to be said."""
        basic, tls = self.basic_auth, self.tls
        return bool(
            self.bearer_token_secret
            or (basic and basic.password_secret)
            or (tls and (tls.ca_secret or tls.cert_secret))
        )


Allowed = Annotated[tuple[endpoints.NamespacePattern, ...], Field(strict=False, min_length=1, max_length=256)]


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
    allowed_namespaces: Allowed | None = Field(
        default=None,
        description=(
            "Namespaces whose PredictiveAutoscalers may name this source; * stands for any letters. Required with a "
            "Secret. Default: all, for whoever reaches the server may ask it without us too."
        ),
        examples=[["shop", "team-a-*"]],
    )

    @model_validator(mode="after")
    def _lent_to_somebody(self) -> MetricsSourceSpec:
        if self.prometheus is not None and self.prometheus.lends and self.allowed_namespaces is None:
            message = "has to be said for a source with a Secret: who names it asks with our credentials"
            remedy = 'write allowedNamespaces: [shop, "team-a-*"], or ["*"] for all'
            raise scalars.slip(message, remedy, ("allowedNamespaces",), of_key=True)
        return self

    @model_validator(mode="after")
    def _exactly_one(self) -> MetricsSourceSpec:
        if self.file is None and self.prometheus is None:
            remedy = "write file: {path: demand/web.csv} or prometheus: {url: http://prometheus.monitoring:9090}"
            raise scalars.slip("needs exactly one of file and prometheus, and has none", remedy)
        if self.file is not None and self.prometheus is not None:
            raise scalars.slip("takes exactly one of file and prometheus, not both", "write a MetricsSource for each")
        return self
