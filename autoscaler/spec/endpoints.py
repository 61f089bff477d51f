"""How a source is reached, as written: URLs, headers, parameters, paths of credentials.

Credentials stand in files, never in a document: what looks like one is refused and never repeated in the message.
"""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator

from autoscaler.spec.scalars import positive_duration_s, slip

MAX_TIMEOUT_S = 120.0

_HOST = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9._]{0,252})|[0-9A-Fa-f:.]{2,45}", re.ASCII)
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}", re.ASCII)
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,1022}[\x21-\x7e])?", re.ASCII)
_SECRET_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}", re.ASCII)
_NAMESPACE_PATTERN = re.compile(r"[a-z0-9*]([-a-z0-9*]{0,61}[a-z0-9*])?", re.ASCII)
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,127}", re.ASCII)
_PARAM = re.compile(r"[A-Za-z_][A-Za-z0-9_.\[\]-]{0,63}", re.ASCII)
SECRET_WORD = re.compile(
    r"auth|token|secret|passw|credential|cookie|api[-_]?key|access[-_]?key|session|signature|jwt", re.IGNORECASE
)
SECRET_TEXT = re.compile(r"-----BEGIN|^eyJ[\w-]{8}|^(Bearer|Basic) |^gl(sa|c|pat)[_-]|^ghp_", re.IGNORECASE)
OUR_HEADERS = frozenset(
    {"host", "connection", "content-length", "content-type", "content-encoding", "transfer-encoding", "accept",
     "accept-encoding", "expect", "te", "trailer", "upgrade"}
)  # fmt: skip
OUR_PARAMS = frozenset({"query", "time", "start", "end", "step", "timeout", "stats", "limit"})
_WHERE = (
    "credentials go into bearerTokenSecret or basicAuth: {username: ..., passwordSecret: ...}; "
    "in a file given to run, into bearerTokenFile or passwordFile"
)
_API = re.compile(r"/api/v1(/.*)?$")


def url_of(text: str) -> str:
    """The URL of a Prometheus API without its /api/v1 and without a slash at its end."""
    parts = _split(text, _WHERE)
    if parts.query or parts.fragment:
        remedy = 'write constant parameters as params: {dedup: "true"}, and the URL without them'
        raise slip("has a query or a fragment behind its path", remedy)
    if _API.search(parts.path):
        raise slip("names the API inside the server", f'write what stands before it: "{_API.sub("", text)}"')
    return text.rstrip("/")


def proxy_of(text: str) -> str:
    parts = _split(text, "a proxy that wants credentials is not supported: let it trust this host instead")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise slip("has more than a scheme, a host and a port", 'for example "http://proxy.example.com:3128"')
    return text.rstrip("/")


def _split(text: str, credentials: str) -> SplitResult:
    if "@" in text:
        raise slip("has credentials (or an @) in it", credentials, secret=True)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise slip("is not a URL", _URL_EXAMPLE) from None
    if parts.scheme not in {"http", "https"}:
        raise slip("is not an http or https URL", _URL_EXAMPLE)
    if not text.isascii() or not text.isprintable() or " " in text or len(text) > 2048:
        raise slip("holds characters that no URL has", "percent-encode them; a host outside ASCII has an xn-- form")
    if not _HOST.fullmatch(parts.hostname or "") or port == 0:
        raise slip("has no valid host and port", _URL_EXAMPLE)
    return parts


_URL_EXAMPLE = 'for example "http://prometheus.monitoring:9090"'


def check_headers(entries: dict[str, str]) -> dict[str, str]:
    """Constant headers such as a tenant's; credentials and what HTTP itself needs are refused."""
    folded: set[str] = set()
    for name, value in entries.items():
        if not _HEADER.fullmatch(name):
            raise slip("is not the name of an HTTP header", "for example X-Scope-OrgID", (name,), of_key=True)
        if SECRET_WORD.search(name):
            remedy = f"{_WHERE}; for a backend that takes only its own header put a proxy before it that adds it"
            raise slip("looks like a credential, which no document may hold", remedy, (name,), of_key=True)
        if name.lower() in OUR_HEADERS:
            raise slip("is a header that we set ourselves", "remove it", (name,), of_key=True)
        if name.lower() in folded:
            raise slip("stands twice: case does not make another header", "keep one", (name,), of_key=True)
        folded.add(name.lower())
        if not _HEADER_VALUE.fullmatch(value):
            message = "is not the value of an HTTP header (one line of printable ASCII)"
            raise slip(message, 'for example "shop"', (name,), secret=True)
        if SECRET_TEXT.search(value):
            raise slip("looks like a credential, which no document may hold", _WHERE, (name,), secret=True)
    return entries


def check_params(entries: dict[str, str]) -> dict[str, str]:
    """Constant parameters of each request, such as dedup of Thanos."""
    for name, value in entries.items():
        if not _PARAM.fullmatch(name):
            raise slip("is not the name of a parameter", 'for example dedup: "true"', (name,), of_key=True)
        if name.lower() in OUR_PARAMS:
            raise slip("is a parameter that we set ourselves", "remove it", (name,), of_key=True)
        if SECRET_WORD.search(name) or SECRET_TEXT.search(value):
            raise slip("looks like a credential, which no document may hold", _WHERE, (name,), of_key=True)
        if len(value) > 1024 or not value.isprintable():
            raise slip("must be one line of at most 1024 printable characters", None, (name,))
    return entries


def _file(text: str) -> str:
    if SECRET_TEXT.search(text) or "\n" in text:
        raise slip("is the secret itself, not the path of its file", "put it into a file and name that", secret=True)
    if "://" in text or not text.isprintable() or len(text) > 4096:
        raise slip("is not a path of a local file", 'for example "/etc/foresail/prod/token"')
    return text


def _secret_key(text: str) -> str:
    if not _SECRET_KEY.fullmatch(text):
        raise slip("is not a key of a Secret: letters, digits, -, _ and .", 'for example "token"', secret=True)
    return text


def _namespace_pattern(text: str) -> str:
    if not _NAMESPACE_PATTERN.fullmatch(text):
        raise slip("is not the name of a namespace, nor one with * in it", 'for example "shop", or "team-a-*"')
    return text


def allows(patterns: tuple[str, ...] | None, namespace: str) -> bool:
    """Whether one of the patterns fits; None fits all."""
    if patterns is None:
        return True
    return any(re.fullmatch(re.escape(p).replace(r"\*", "[-a-z0-9]*"), namespace) for p in patterns)


def _label_name(text: str) -> str:
    if not _LABEL_NAME.fullmatch(text):
        raise slip("is not the name of a label", 'for example "prometheus_replica"')
    return text


def _timeout(text: str) -> str:
    if positive_duration_s(text) > MAX_TIMEOUT_S:
        raise slip(f"is longer than {MAX_TIMEOUT_S:g} s", "one query must fit into a tick; move its work into a rule")
    return text


Url = Annotated[str, AfterValidator(lambda text: (url_of(text), text)[1])]
ProxyUrl = Annotated[str, AfterValidator(lambda text: (proxy_of(text), text)[1])]
SecretFile = Annotated[str, AfterValidator(_file)]
SecretKey = Annotated[str, AfterValidator(_secret_key)]
NamespacePattern = Annotated[str, AfterValidator(_namespace_pattern)]
LabelName = Annotated[str, AfterValidator(_label_name)]
Timeout = Annotated[str, AfterValidator(_timeout)]
