"""`foresail run` and `foresail once`."""

from __future__ import annotations

import json
import logging
import sys
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from autoscaler.cli.alert_options import AlertOptions
from autoscaler.cli.inputs import hurried, moment, output_kind, recipe, seconds, switch, whole_seconds
from autoscaler.domain.errors import Refused
from autoscaler.domain.notes import UNWRITTEN

if TYPE_CHECKING:
    from autoscaler.bootstrap.service import Service
    from autoscaler.bootstrap.settings import ClusterSettings
    from autoscaler.domain.decision import Decision, Decisions
    from autoscaler.domain.workload import WorkloadRef

log = logging.getLogger("foresail")
OLD_S = 3600.0
TWIN_NOTE = "replicas are those of a simulated cluster: name one with --kubeconfig or --in-cluster"


@dataclass(frozen=True, slots=True)
class RunOptions:
    fleet: tuple[Path, ...]
    store: Path
    step: str | None
    tick: str
    listen: str
    replay_from: str | None
    speed: float
    cluster: ClusterSettings | None = None
    policies: tuple[Path, ...] = ()
    site: str | None = None
    alerts: AlertOptions = field(default_factory=AlertOptions)
    anomalies: str = "on"
    detectors: Path | None = None


def run_service(options: RunOptions) -> None:
    """Tick until SIGTERM or SIGINT, then end cleanly with everything recorded."""
    from autoscaler.bootstrap.reading import Reading
    from autoscaler.bootstrap.schedule import Schedule, until_told
    from autoscaler.bootstrap.service import service
    from autoscaler.bootstrap.settings import ServiceSettings
    from autoscaler.web.app import WebServer, web_app, with_process

    settings = ServiceSettings(
        fleet=options.fleet,
        store=options.store,
        step_s=_grid(options.fleet, options.step),
        tick_s=seconds("--tick", options.tick, least=0.1),
        listen=address(options.listen),
        replay_from=moment("--replay-from", options.replay_from),
        speed=hurried(options.speed, options.replay_from),
        cluster=options.cluster,
        policies=options.policies,
        site=options.site,
        alerts=options.alerts.settings,
        anomalies=switch("--anomalies", options.anomalies),
        detectors=recipe(options.detectors, looked_for=options.anomalies == "on", remedy="write --anomalies on"),
    )
    log_to_stderr()
    running = service(settings)
    log.info("started%s", "" if settings.cluster else f": {TWIN_NOTE}")
    server = None
    try:
        if settings.listen is not None:
            app = web_app(with_process(running.telemetry.registry), running.health, reading=Reading(settings.store))
            server = WebServer(app, *settings.listen)
            log.info("listening http://%s:%d/metrics and /healthz", settings.listen[0], server.port)

        news = News()

        def tick() -> None:
            decisions = running.tick()
            if decisions is not None:
                news.tell(decisions)

        schedule = Schedule(tick, settings.real_tick_s, running.skipped, running.between_ticks)
        schedule.start()
        until_told(threading.Event())
        schedule.stop()
    finally:
        if server is not None:
            server.close()
        running.close()
    log.info("stopped")


def cluster_of(
    kubeconfig: Path | None, context: str | None, installation: str, *, in_cluster: bool
) -> ClusterSettings | None:
    """The cluster that was named; None = simulated: nothing is touched that was not asked for."""
    from autoscaler.bootstrap.settings import ClusterSettings

    if in_cluster and (kubeconfig or context):
        raise Refused("--in-cluster takes the pod's own account: leave --kubeconfig and --context out")
    if kubeconfig is None and context is None and not in_cluster:
        return None
    return ClusterSettings(kubeconfig, context, in_cluster, installation)


def decide_once(
    fleet: tuple[Path, ...], store: Path, step: str | None, at: str | None, output: str,
    cluster: ClusterSettings | None = None, policies: tuple[Path, ...] = (), site: str | None = None,
) -> None:  # fmt: skip
    """One tick; exit code 1 when something in the files is wrong or a workload is held."""
    from autoscaler.bootstrap.service import service
    from autoscaler.bootstrap.settings import ServiceSettings
    from autoscaler.simulator.clock import VirtualClock

    output_kind(output)
    step_s = _grid(fleet, step)
    when = None if at == "newest" else moment("--at", at)
    settings = ServiceSettings(
        fleet, store, step_s, float(step_s), listen=None, beside=False, cluster=cluster, state_every_s=None,
        policies=policies, site=site,
    )  # fmt: skip
    clock = VirtualClock(datetime.now(UTC))
    log_to_stderr(logging.WARNING)
    running = service(settings, clock)
    try:
        clock.at = _newest(running, step_s) if at == "newest" else when or running.in_servers_time(datetime.now(UTC))
        decisions = running.tick()
        if decisions is None:
            raise Refused(f"the tick failed: {running.last_error}")
    finally:
        running.close()
    found = [decisions[lane] for lane in range(len(decisions))]
    if output == "json":
        from autoscaler.reporting.words import decision_dict

        print(json.dumps({"at": clock.at.isoformat(), "decisions": [decision_dict(d) for d in found]}, indent=2))  # noqa: T201
    else:
        _table(found)
        if cluster is None:
            print(f"note: {TWIN_NOTE}", file=sys.stderr)  # noqa: T201
    newest_s = running.metrics.newest_end_s(step_s)
    if at is None and newest_s is not None and newest_s < clock.at.timestamp() - OLD_S:
        print(f"note: the recordings end at {_iso(newest_s)}; --at newest decides there", file=sys.stderr)  # noqa: T201
    if running.files.problems or bool(decisions.held.any()):
        raise SystemExit(1)


def _newest(running: Service, step_s: int) -> datetime:
    """The end of the newest data: of a recording where it ends, of a server now."""
    newest_s = running.metrics.newest_end_s(step_s)
    if newest_s is not None:
        return datetime.fromtimestamp(newest_s, UTC)
    if running.metrics.servers:
        return running.in_servers_time(datetime.now(UTC))
    why = "; ".join(running.metrics.files.complaints(step_s)) or "no file source"
    raise Refused(f"--at newest: no file can be read ({why})")


def _iso(moment_s: float) -> str:
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _grid(fleet: tuple[Path, ...], step: str | None) -> int:
    """Seconds of --step, or the longest step that a source of the fleet names, or a minute."""
    from autoscaler.bootstrap.fleet_files import FleetFiles
    from autoscaler.spec.compile import Recording

    if step is not None:
        return whole_seconds("--step", step)
    files = FleetFiles(fleet)
    files.refresh()
    named = [s.step_s for s in files.sources.values() if isinstance(s, Recording) and s.step_s is not None]
    return max(named, default=60)


def address(text: str) -> tuple[str, int] | None:
    if text == "off":
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise Refused(f"--listen {text!r} is not HOST:PORT; write e.g. 127.0.0.1:9464, or off")
    return host, int(port)


def log_to_stderr(level: int = logging.INFO) -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    log.setLevel(level)


@dataclass(slots=True)
class News:
    """Logs a workload when what it is granted changes, when it becomes held or is so no longer, and when what is
    granted begins not to be written.
    """

    known: dict[WorkloadRef, tuple[int, bool]] = field(default_factory=dict)
    unwritten: set[tuple[WorkloadRef, str]] = field(default_factory=set)

    def tell(self, decisions: Decisions) -> None:
        refs = [w.ref for w in decisions.fleet.workloads]
        pairs = zip(decisions.granted.tolist(), decisions.held.tolist(), strict=True)
        newest = dict(zip(refs, pairs, strict=True))
        for lane, (ref, now) in enumerate(newest.items()):
            if self.known.get(ref) != now:
                found = decisions[lane]
                log.info(
                    "decision workload=%s at=%s state=%s %d->%d mode=%s %s",
                    ref, found.at.isoformat(timespec="seconds"), found.state, found.current, found.granted, found.mode,
                    "; ".join(found.words),
                )  # fmt: skip
        self.known = newest
        unwritten: set[tuple[WorkloadRef, str]] = set()
        for lane, notes in decisions.notes.items():
            for note in notes:
                if note.condition in UNWRITTEN:
                    one = (refs[lane], note.condition.value)
                    if one not in self.unwritten:
                        log.warning("not_written workload=%s reason=%s: %s", *one, note.words)
                    unwritten.add(one)
        self.unwritten = unwritten


def _table(found: list[Decision]) -> None:
    """One row per workload, and under the table each one's reasons in words."""
    from rich.console import Console
    from rich.table import Table

    from autoscaler.domain.series import DataVerdict

    console = Console(soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for name in ("WORKLOAD", "STATE", "CURRENT", "WANTED", "GRANTED", "PEAK P95"):
        table.add_column(name, justify="left" if name in {"WORKLOAD", "STATE"} else "right", no_wrap=True)
    for each in found:
        peaks = [d.sizing_quantile for d in each.demands if d.sizing_quantile is not None]
        table.add_row(
            str(each.workload), each.state, *(each.shown(n) for n in (each.current, each.wanted, each.granted)),
            " + ".join(f"{p:.4g}" for p in peaks) or "-",
        )  # fmt: skip
    console.print(table)
    for each in found:
        console.print(f"{each.workload}: {'; '.join(each.words)}", highlight=False, markup=False)
        for note in each.notes:
            console.print(f"  {note.condition}: {note.words}", highlight=False, markup=False)
        for demand in each.demands:
            if demand.verdict != DataVerdict.OK:
                told = f"{demand.verdict.words}; {demand.note}" if demand.note else demand.verdict.words
                console.print(f"  {demand.name}: {demand.verdict.name}: {told}", highlight=False, markup=False)
