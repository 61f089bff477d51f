"""`foresail operator`: from its options to a running operator, until a signal ends it."""

from __future__ import annotations

import logging
import socket
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from autoscaler.cli.alert_options import AlertOptions
from autoscaler.cli.inputs import hurried, label, moment, recipe, seconds, subdomain, switch, whole_seconds
from autoscaler.cli.run import News, address, cluster_of, log_to_stderr
from autoscaler.domain.errors import Refused

log = logging.getLogger("foresail")
POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class OperatorOptions:
    kubeconfig: Path | None
    context: str | None
    in_cluster: bool
    installation: str
    namespaces: tuple[str, ...]
    lease_namespace: str | None
    lease_name: str
    lease_duration: str
    identity: str | None
    store: Path
    step: str
    tick: str
    listen: str
    site: str | None
    replay_from: str | None = None
    replay_since: str | None = None
    speed: float = 1.0
    policies: tuple[Path, ...] = ()
    api: bool = True
    alerts: AlertOptions = field(default_factory=AlertOptions)
    anomalies: str = "on"
    detectors: Path | None = None


def run_operator(options: OperatorOptions) -> None:
    """Tick until SIGTERM or SIGINT, then let another lead and end with everything recorded."""
    from autoscaler.adapters.kubernetes.lease import LeaseSettings
    from autoscaler.bootstrap.operator import OperatorSettings, operator
    from autoscaler.bootstrap.reading import Reading
    from autoscaler.bootstrap.schedule import Schedule, until_told
    from autoscaler.bootstrap.settings import ServiceSettings
    from autoscaler.web.app import WebServer, web_app, with_process

    cluster = cluster_of(options.kubeconfig, options.context, options.installation, in_cluster=options.in_cluster)
    if cluster is None:
        raise Refused("an operator needs a cluster: --in-cluster, or --kubeconfig FILE")
    service = ServiceSettings(
        fleet=(), store=options.store, step_s=whole_seconds("--step", options.step),
        tick_s=seconds("--tick", options.tick, least=0.1), listen=address(options.listen), cluster=cluster,
        replay_since=moment("--replay-since", options.replay_since),
        replay_from=moment("--replay-from", options.replay_from), speed=hurried(options.speed, options.replay_from),
        policies=options.policies, site=options.site, alerts=options.alerts.settings,
        anomalies=switch("--anomalies", options.anomalies),
        detectors=recipe(
            options.detectors, looked_for=options.anomalies == "on", remedy="write --anomalies on", checked=False
        ),
    )  # fmt: skip
    namespaces = tuple(label("--namespace", name) for name in options.namespaces)
    named_by = "--installation" if options.lease_name == options.installation else "--lease-name"
    lease = LeaseSettings.lasting(
        label("--lease-namespace", options.lease_namespace or _own_namespace()),
        subdomain(named_by, options.lease_name),
        f"{options.identity or socket.gethostname()}_{uuid.uuid4().hex[:12]}",  # a process never is another one again
        whole_seconds("--lease-duration", options.lease_duration),
    )  # fmt: skip
    log_to_stderr()
    running = operator(OperatorSettings(service, lease, namespaces))
    server = None
    try:
        if service.listen is not None:
            reading = Reading(service.store) if options.api else None
            app = web_app(with_process(running.telemetry.registry), running.health, lambda: running.ready, reading)
            server = WebServer(app, *service.listen)
            log.info("listening http://%s:%d/metrics, /healthz and /readyz", service.listen[0], server.port)
        news = News()

        def tick() -> None:
            decisions = running.tick()
            if decisions is not None:
                news.tell(decisions)

        running.start()
        log.info("started identity=%s lease=%s/%s", lease.identity, lease.namespace, lease.name)
        schedule = Schedule(tick, service.real_tick_s, running.skipped, running.between_ticks)
        schedule.start()
        until_told(threading.Event())
        schedule.stop()
    finally:
        running.close()
        if server is not None:
            server.close()
    log.info("stopped")


def _own_namespace() -> str:
    try:
        return POD_NAMESPACE.read_text().strip()
    except OSError:
        return "default"
