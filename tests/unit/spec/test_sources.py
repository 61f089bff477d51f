"""MetricsSource: what a server compiles to, and what is refused, with the way out and without a secret."""

from pathlib import Path

import pytest

from autoscaler.domain.errors import InvalidSpec
from autoscaler.spec import PrometheusSource, parse_text

HEAD = "apiVersion: foresail.dev/v1alpha1\nkind: MetricsSource\nmetadata: {name: prod}\nspec: "
CANARY = "hunter2canary"


def server(text: str, file: str = "fleet/prod.yaml") -> PrometheusSource:
    (found,) = parse_text(f"{HEAD}{{prometheus: {text}}}", file).servers
    return found


def refusal(spec: str) -> str:
    with pytest.raises(InvalidSpec) as refused:
        parse_text(HEAD + spec, "prod.yaml")
    return str(refused.value)


def test_a_url_is_enough():
    assert server("{url: 'http://prometheus.monitoring:9090/'}") == PrometheusSource(
        name="prod", url="http://prometheus.monitoring:9090", timeout_s=5.0, stale_after_s=120.0
    )


def test_everything_at_once_compiles_with_paths_relative_to_the_document():
    found = server(
        "{url: https://mimir.example.com/prometheus, timeout: 500ms, staleAfter: 90s, headers: {X-Scope-OrgID: a|b},"
        " bearerTokenFile: secrets/token, tls: {caFile: /ca.crt, certFile: c.crt, keyFile: c.key},"
        " proxy: 'http://proxy:3128', params: {dedup: 'true'}, replicaLabels: [replica, prometheus_replica]}"
    )
    assert found == PrometheusSource(
        name="prod",
        url="https://mimir.example.com/prometheus",
        timeout_s=0.5,
        stale_after_s=90.0,
        headers=(("X-Scope-OrgID", "a|b"),),
        bearer_token_file=Path("fleet/secrets/token"),
        ca_file=Path("/ca.crt"),
        cert_file=Path("fleet/c.crt"),
        key_file=Path("fleet/c.key"),
        proxy="http://proxy:3128",
        params=(("dedup", "true"),),
        replica_labels=("replica", "prometheus_replica"),
    )


def test_basic_auth_names_a_user_and_a_file():
    found = server("{url: http://p, basicAuth: {username: foresail, passwordFile: pw}}")
    assert (found.basic_user, found.basic_password_file) == ("foresail", Path("fleet/pw"))


def test_blank_parts_are_the_same_as_absent_ones():
    text = "{url: http://p, timeout: null, headers: {X-A: null}, bearerTokenFile: '', tls: null, params: null}"
    assert server(text) == PrometheusSource("prod", "http://p")


def test_equal_sources_written_in_another_order_are_equal():
    """What has not changed keeps its connections."""
    one, two = "{url: http://p, headers: {X-A: a, X-B: b}}", "{headers: {X-B: b, X-A: a}, url: http://p/}"
    assert server(one) == server(two)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("{}", ("spec:", "needs exactly one of file and prometheus", "prometheus: {url:")),
        ("{file: {path: a.csv}, prometheus: {url: http://p}}", ("not both",)),
        ("{prometheus: {}}", ("spec.prometheus.url", "is missing", "write url: ")),
        ("{prometheus: {uri: http://p}}", ("unknown field", 'did you mean "url"?')),
        ("{prometheus: {url: p:9090}}", ("is not an http or https URL", "http://prometheus.monitoring:9090")),
        ("{prometheus: {url: 'file:///etc/passwd'}}", ("is not an http or https URL",)),
        ("{prometheus: {url: 'http://'}}", ("has no valid host",)),
        ("{prometheus: {url: 'http://p:99999'}}", ("is not a URL",)),
        ("{prometheus: {url: 'http://p:0'}}", ("has no valid host and port",)),
        ("{prometheus: {url: 'http://p/a b'}}", ("characters that no URL has",)),
        ("{prometheus: {url: 'http://p\\q'}}", ("has no valid host",)),
        ("{prometheus: {url: 'http://p/?dedup=true'}}", ("query or a fragment", "params: {")),
        ("{prometheus: {url: 'http://p/x/api/v1/query'}}", ("names the API inside", 'before it: "http://p/x"')),
        ("{prometheus: {url: http://p, timeout: 10m}}", ("longer than 120 s",)),
        ("{prometheus: {url: http://p, timeout: 0s}}", ("longer than zero",)),
        ("{prometheus: {url: http://p, staleAfter: 0s}}", ("longer than zero",)),
        ("{prometheus: {url: http://p, tls: {caFile: ca}}}", ("spec.prometheus.tls", "no meaning for an http URL")),
        ("{prometheus: {url: https://p, tls: {certFile: c}}}", ("certFile and keyFile go together",)),
        ("{prometheus: {url: http://p, headers: {'X A': b}}}", ('headers["X A"]', "not the name of an HTTP header")),
        ("{prometheus: {url: http://p, headers: {Host: b}}}", ("we set ourselves",)),
        ("{prometheus: {url: http://p, headers: {X-A: a, x-a: b}}}", ("stands twice",)),
        ('{prometheus: {url: http://p, headers: {X-A: "a\\r\\nX-B: b"}}}', ("one line of printable ASCII",)),
        ("{prometheus: {url: http://p, params: {query: up}}}", ("we set ourselves",)),
        ("{prometheus: {url: http://p, params: {dedup: true}}}", ("must be text", 'quote it: "true"')),
        ("{prometheus: {url: http://p, proxy: 'socks5://p:1'}}", ("not an http or https URL",)),
        ("{prometheus: {url: http://p, proxy: 'http://p:1/x'}}", ("more than a scheme, a host and a port",)),
        ("{prometheus: {url: http://p, replicaLabels: [a-b]}}", ("is not the name of a label",)),
        ("{prometheus: {url: http://p, replicaLabels: replica}}", ("must be a list",)),
        ("{prometheus: {url: http://p, bearerTokenFile: 'http://x/y'}}", ("not a path of a local file",)),
        (
            "{prometheus: {url: http://p, bearerTokenFile: a, basicAuth: {username: u, passwordFile: p}}}",
            ("either a bearer token or basicAuth",),
        ),
    ],
)
def test_what_cannot_work_is_refused_with_the_way_out(spec, words):
    said = refusal(spec)
    assert said.count("\n") <= 1, said
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    "skip",
    [
        "{prometheus: {url: https://p, insecureSkipVerify: true}}",
        "{prometheus: {url: https://p, tls: {insecureSkipVerify: true}}}",
        "{prometheus: {url: https://p, tls: {insecure_skip_verify: true}}}",
        "{prometheus: {url: https://p, tls: {verify: false}}}",
    ],
)
def test_M20_no_source_can_leave_certificates_unchecked(skip):
    said = refusal(skip)
    assert "does not exist" in said
    assert "tls: {caFile: ...}" in said


@pytest.mark.parametrize(
    "spec",
    [
        f"{{prometheus: {{url: 'http://mia:{CANARY}@p'}}}}",
        f"{{prometheus: {{url: 'ftp://mia:{CANARY}@p'}}}}",
        f"{{prometheus: {{url: http://p, proxy: 'http://mia:{CANARY}@p'}}}}",
        f"{{prometheus: {{url: http://p, headers: {{Authorization: Bearer {CANARY}}}}}}}",
        f"{{prometheus: {{url: http://p, headers: {{X-Api-Key: {CANARY}}}}}}}",
        f"{{prometheus: {{url: http://p, headers: {{PRIVATE-TOKEN: {CANARY}}}}}}}",
        f"{{prometheus: {{url: http://p, headers: {{X-Custom: 'Bearer {CANARY}'}}}}}}",
        f"{{prometheus: {{url: http://p, params: {{token: {CANARY}}}}}}}",
        f"{{prometheus: {{url: http://p, bearerToken: {CANARY}}}}}",
        f"{{prometheus: {{url: http://p, bearerTokenFile: 'Bearer {CANARY}'}}}}",
        f"{{prometheus: {{url: http://p, basicAuth: {{username: u, password: {CANARY}, passwordFile: f}}}}}}",
        f"{{prometheus: {{url: http://p, basicAuth: 'u:{CANARY}'}}}}",
        f'{{prometheus: {{url: https://p, tls: {{caFile: "-----BEGIN CERTIFICATE-----\\n{CANARY}"}}}}}}',
    ],
)
def test_S03_a_credential_in_a_document_is_refused_and_not_repeated(spec):
    said = refusal(spec)
    assert CANARY not in said
    assert any(way in said for way in ("bearerTokenSecret", "passwordSecret", "put it into a file", "let it trust"))


@pytest.mark.parametrize("field", ["source: 'http://169.254.169.254/latest'", "url: http://10.0.0.1"])
def test_S01_a_workload_names_a_source_and_never_a_url(field):
    text = (
        "apiVersion: foresail.dev/v1alpha1\nkind: PredictiveAutoscaler\nmetadata: {name: web}\nspec:\n"
        "  target: {apiVersion: apps/v1, kind: Deployment, name: web}\n  replicas: {max: 3}\n"
        f"  demands: [{{name: r, {field}, query: up, capacity: {{perReplica: 1}}}}]\n"
    )
    with pytest.raises(InvalidSpec) as refused:
        parse_text(text, "web.yaml")
    assert "spec.demands[0]" in str(refused.value)
