"""`foresail advise`: what Foresail would have done on an existing Prometheus. Reads only, and installs nothing."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoscaler.cli.inputs import folder, moment, whole_seconds
from autoscaler.domain.errors import Refused

if TYPE_CHECKING:
    from autoscaler.adapters.prometheus.discovery import FoundHpa, Key
    from autoscaler.adapters.prometheus.discovery_queries import Scope
    from autoscaler.bootstrap.advise.advice import Advice
    from autoscaler.bootstrap.advise.asking import Asking
    from autoscaler.spec.compile import PrometheusSource

MOST_DAYS = 28
LEAST_DAYS = 4
OUTPUTS = ("table", "json", "yaml")
FOUND_NOTHING = 1
FILE = "foresail.yaml"


@dataclass(frozen=True, slots=True)
class AdviseOptions:
    """As typed; None = not given."""

    prometheus: str
    kubeconfig: Path | None
    context: str | None
    queries: Path | None
    namespaces: tuple[str, ...]
    match: tuple[str, ...]
    days: float
    lead: str
    risk: str
    step: str
    at: str | None
    headers: tuple[str, ...]
    token_file: Path | None
    user: str | None
    password_file: Path | None
    ca_file: Path | None
    workers: int | None
    out: Path | None
    output: str


def run_advise(options: AdviseOptions) -> None:
    """Check every option before any work, then ask, judge, print, and write what --out names."""
    from autoscaler.bootstrap.advise.asking import advise
    from autoscaler.bootstrap.advise.manifests import manifest
    from autoscaler.cli.advise_view import show, told, watched

    if options.output not in OUTPUTS:
        raise Refused(f"--output {options.output!r} is not known; use {', '.join(OUTPUTS)}")
    asking = _asking(options)
    place = None if options.out is None else folder("--out", options.out)
    began_s = time.monotonic()
    with watched() as progress:
        advice = advise(asking, progress)
    text = manifest(asking.source, advice.judged, options.risk)
    written = () if place is None or not advice.judged else _write(place, text, advice, options.risk)
    if options.output == "yaml":
        sys.stdout.write(text)
    else:
        show(told(advice, written, time.monotonic() - began_s), advice, options.output)
    if not advice.judged:
        raise SystemExit(FOUND_NOTHING)


def _write(place: Path, text: str, advice: Advice, risk: str) -> tuple[Path, ...]:
    """The manifest, and a page for each workload to start with."""
    from autoscaler.bootstrap.advise.pages import report_of
    from autoscaler.reporting.report.page import page

    files = {place / FILE: text}
    for one in advice.first:
        ref = one.case.workload.ref
        files[place / f"{ref.namespace}-{ref.name}.html"] = page(report_of(one, risk))
    for path, content in files.items():
        try:
            path.write_text(content, encoding="utf-8")
        except OSError as error:
            raise Refused(f"--out {path}: cannot be written ({error.strerror}); name another folder") from None
    return tuple(files)


def _asking(options: AdviseOptions) -> Asking:
    from autoscaler.bootstrap.advise.asking import Asking
    from autoscaler.bootstrap.advise.judging import Question
    from autoscaler.bootstrap.advise.queries_file import read_queries
    from autoscaler.bootstrap.advise.record import Window
    from autoscaler.cli.simulate_world import lead_of
    from autoscaler.spec.scalars import checked_risk, risk_of

    if not LEAST_DAYS <= options.days <= MOST_DAYS:
        raise Refused(f"--days {options.days:g} lies outside of {LEAST_DAYS} … {MOST_DAYS}")
    if options.workers is not None and options.workers < 1:
        raise Refused(f"--workers {options.workers} cannot do anything; take 1 or more")
    try:
        risk = checked_risk(risk_of(options.risk))
    except ValueError as error:
        raise Refused(f"--risk {options.risk!r}: {error}") from None
    lead_s, spread = lead_of(options.lead)
    question = Question(lead_s, risk, whole_seconds("--step", options.step), spread)
    when = moment("--at", options.at)
    now_s = time.time() if when is None else when.timestamp()
    if now_s > time.time():
        raise Refused(f"--at {options.at!r} lies ahead; leave it out for now")
    Window.of(now_s, options.days, question.step_s)
    queries = () if options.queries is None else read_queries(options.queries)
    return Asking(
        _source(options),
        _scope(options),
        question,
        options.days,
        now_s,
        at=when is not None,
        hpas=_hpas(options),
        queries=queries,
        workers=options.workers,
    )


def _scope(options: AdviseOptions) -> Scope:
    from autoscaler.adapters.prometheus.discovery_queries import Scope, matcher

    matchers = []
    for text in options.match:
        try:
            matchers.append(matcher(text))
        except ValueError as error:
            raise Refused(f"--match {text!r} {error}") from None
    return Scope(tuple(matchers), options.namespaces)


def _source(options: AdviseOptions) -> PrometheusSource:
    """The same rules as for a MetricsSource in a file."""
    from pydantic import ValidationError

    from autoscaler.spec.compile import PrometheusSource, to_source
    from autoscaler.spec.kinds import API_VERSION, MetricsSource

    server: dict[str, Any] = {"url": options.prometheus, "timeout": "60s"}
    if options.headers:
        server["headers"] = dict(_header(text) for text in options.headers)
    if options.token_file is not None:
        server["bearerTokenFile"] = str(options.token_file)
    if (options.user is None) != (options.password_file is None):
        raise Refused("--user and --password-file go together")
    if options.user is not None:
        server["basicAuth"] = {"username": options.user, "passwordFile": str(options.password_file)}
    if options.ca_file is not None:
        server["tls"] = {"caFile": str(options.ca_file)}
    try:
        model = MetricsSource.model_validate(
            {
                "apiVersion": API_VERSION, "kind": "MetricsSource", "metadata": {"name": "prometheus"},
                "spec": {"prometheus": server},
            }
        )  # fmt: skip
    except ValidationError as error:
        raise Refused("\n".join(_words(detail) for detail in error.errors(include_url=False))) from None
    source = to_source(model, Path.cwd())
    if not isinstance(source, PrometheusSource):
        raise TypeError("a server was described")
    return source


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise Refused(f"--header {name!r} has no colon; write e.g. 'X-Scope-OrgID: shop'")
    return name.strip(), value.strip()


_OPTIONS = {
    "url": "--prometheus", "headers": "--header", "bearerTokenFile": "--token-file", "basicAuth": "--user",
    "tls": "--ca-file",
}  # fmt: skip


def _words(detail: Any) -> str:
    """A field's complaint in terms of the option that set it; values of headers are never repeated."""
    ctx = detail.get("ctx", {})
    option = next((_OPTIONS[str(part)] for part in detail["loc"] if str(part) in _OPTIONS), "the source")
    named = f" {ctx['at'][0]}" if ctx.get("of_key") and ctx.get("at") else ""
    remedy = f"; {ctx['remedy']}" if ctx.get("remedy") else ""
    return f"{option}{named} {ctx.get('text') or detail['msg']}{remedy}"


def _hpas(options: AdviseOptions) -> dict[Key, tuple[FoundHpa, ...]] | None:
    """HPAs as the cluster has them; None without a kubeconfig."""
    if options.kubeconfig is None and options.context is None:
        return None
    from autoscaler.bootstrap.advise.cluster_hpas import cluster_hpas
    from autoscaler.bootstrap.clusters import connect
    from autoscaler.bootstrap.settings import ClusterSettings

    if options.kubeconfig is not None and not options.kubeconfig.exists():
        raise Refused(f"kubeconfig {options.kubeconfig} cannot be used: there is no such file")
    connection = connect(ClusterSettings(kubeconfig=options.kubeconfig, context=options.context))
    try:
        return cluster_hpas(connection, options.namespaces)
    finally:
        connection.close()
