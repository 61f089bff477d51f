"""`foresail anomalies watch`: a loop over steps that tells what is abnormal in any queries."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from autoscaler.bootstrap.anomaly_watching import SOURCE, Watcher, group_of, groups_of
from autoscaler.cli.anomalies import tell
from autoscaler.cli.inputs import moment, output_kind, seconds, whole_seconds
from autoscaler.cli.screen import screen
from autoscaler.domain.errors import Refused, SourceDown
from autoscaler.domain.incident import Happening, Incident, News
from autoscaler.reporting.anomaly_words import lasted, stamp, told
from autoscaler.spec.compile import PrometheusSource

if TYPE_CHECKING:
    from autoscaler.adapters.store.incidents import StoredIncidents
    from autoscaler.bootstrap.servers import LiveServer
    from autoscaler.pipeline.detecting import Group

log = logging.getLogger("foresail")
DEADLINE_S: Final = 30.0
LATE_S: Final = 20.0
"""A step is asked for so long after its end, so that scrapes of it are in."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """As typed; None = not given."""

    prometheus: str
    query: tuple[str, ...]
    queries: Path | None
    since: str
    step: str
    pages: float
    once: bool
    at: str | None
    store: Path | None
    listen: str
    output: str


def watch_queries(options: WatchOptions) -> None:
    """Check every option, live through the history, tell it, and go on until told to stop."""
    from autoscaler.bootstrap.servers import open_server
    from autoscaler.cli.run import address, log_to_stderr

    output_kind(options.output)
    if (not options.query) == (options.queries is None):
        raise Refused("name what to watch: --query NAME=PROMQL (repeat), or --queries FILE")
    if options.at is not None and not options.once:
        raise Refused("--at looks back: it needs --once")
    listen = address(options.listen)
    step_s = whole_seconds("--step", options.step)
    history_s = int(seconds("--since", options.since, least=3600.0, most=math.inf))
    named = None if options.queries is None else groups_of(options.queries, options.pages)
    groups = named or (group_of(options.query, options.pages),)
    when = moment("--at", options.at)
    try:
        server = open_server(PrometheusSource(SOURCE, options.prometheus, timeout_s=DEADLINE_S), 2 * DEADLINE_S)
    except ValueError as wrong:
        raise Refused(f"--prometheus {options.prometheus}: {wrong}") from None
    log_to_stderr()
    store = None if options.store is None else _record(options.store)
    try:
        why = server.greet()
        if why is not None:
            raise SourceDown(f"{options.prometheus}: {why}")
        watcher = Watcher(server.wide, groups, step_s, history_s)
        now_s = time.time() - LATE_S if when is None else when.timestamp()
        past = watcher.begin(int(now_s // step_s))
        for name, reason in watcher.silent.items():
            log.warning("query_silent name=%s: it has never answered within the history: %s", name, reason)
        if store is not None:
            _kept(store, past, groups, now_s)
        _told_past(past, watcher, options.output)
        if not options.once:
            _go_on(watcher, store, server, step_s, listen, options.output)
    finally:
        server.close()
        if store is not None:
            store.close()


def _record(path: Path) -> StoredIncidents:
    from autoscaler.adapters.store.incidents import StoredIncidents
    from autoscaler.adapters.store.migrate import bring_to_head
    from autoscaler.adapters.store.place import Place

    bring_to_head(Place.of(path))
    return StoredIncidents(path)


def _kept(store: StoredIncidents, past: list[News], groups: tuple[Group, ...], now_s: float) -> None:
    """What history holds; and what an earlier watch left open and history no longer shows has ended unseen."""
    known = {n.incident.id: n.incident for n in past}
    names = {group.name for group in groups}
    for each in store.listed(most=5000):
        one = each.incident
        if one.open and one.id not in known and one.updated_s <= now_s and one.workloads[0] in names:
            known[one.id] = replace(one, resolved_s=max(one.opened_s, one.updated_s))
    if known:
        store.put(list(known.values()))


def _told_past(past: list[News], watcher: Watcher, output: str) -> None:
    found = [one for one in {n.incident.id: n.incident for n in past}.values() if not one.merged_into]
    if output == "json":
        print(json.dumps({"incidents": [told(one, scaled=False) for one in found]}, ensure_ascii=False), flush=True)  # noqa: T201
        return
    console = screen()
    watch = watcher.watch
    console.print(
        f"{watch.rows} queries in {len(watch.lane)} groups; {len(found)} incidents in the history, "
        f"{len(watcher.open)} open", markup=False, highlight=False,
    )  # fmt: skip
    for one in found:
        if not one.open:
            words = f"{stamp(one.opened_s)}  {lasted(one, one.updated_s):>8}  {one.title}: {one.why}"
            console.print(words, markup=False, highlight=False, soft_wrap=True)
    for one in watcher.open:
        tell(console, one, scaled=False)


def _go_on(
    watcher: Watcher,
    store: StoredIncidents | None,
    source: LiveServer,
    step_s: int,
    listen: tuple[str, int] | None,
    output: str,
) -> None:
    from prometheus_client import CollectorRegistry

    from autoscaler.adapters.anomaly_metrics import AnomalyMetrics
    from autoscaler.web.app import WebServer, web_app

    registry = CollectorRegistry()
    metrics = AnomalyMetrics(registry)
    health: dict[str, Any] = {"ok": True, "lastError": None}
    server = None if listen is None else WebServer(web_app(registry, lambda: health), *listen)
    stop = threading.Event()
    _on_signals(stop)
    waiting: dict[str, Incident] = {}
    try:
        while True:
            now_s = time.time() - LATE_S
            try:
                news = watcher.look(int(now_s // step_s))
                health |= _sourced(source, answered=bool(health["ok"])) | {"at": stamp(now_s)}
            except Exception as why:
                health |= {"ok": False, "lastError": f"{type(why).__name__}: {why}"}
                log.exception("step_failed")
                news = []
            for each in news:
                _say(each, output)
            waiting |= {n.incident.id: n.incident for n in news}
            if store is not None and waiting:
                try:
                    store.put(list(waiting.values()))
                    waiting = {}
                except Exception:
                    log.exception("incidents_not_written: they wait")
            if watcher.found is not None:
                metrics.observe(watcher.found, watcher.watch.names.groups, watcher.watch.names.metrics)
            metrics.incidents(watcher.open, news)
            if stop.wait(step_s - (time.time() - LATE_S) % step_s + 0.5):
                return
    finally:
        if server is not None:
            server.close()


def _sourced(source: LiveServer, *, answered: bool) -> dict[str, Any]:
    """Whether the source answers; that it does no more, or again, is logged once."""
    if source.health.reachable:
        if not answered:
            log.info("source_answers url=%s", source.client.settings.url)
        return {"ok": True, "lastError": None}
    words = f"{source.client.settings.url} does not answer: nothing is known of any query meanwhile"
    if answered:
        log.warning("source_silent %s", words)
    return {"ok": False, "lastError": words}


def _on_signals(stop: threading.Event) -> None:
    import signal

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())


def _say(news: News, output: str) -> None:
    if output == "json":
        plain = {"happening": news.happening.value} | told(news.incident, scaled=False)
        print(json.dumps(plain, ensure_ascii=False), flush=True)  # noqa: T201
    elif news.happening is Happening.OPENED:
        tell(screen(), news.incident, scaled=False)
    else:
        words = f"{news.incident.id} {news.happening.value.lower()}: {news.incident.title}"
        screen().print(words, markup=False, highlight=False)
