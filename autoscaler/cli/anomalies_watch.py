"""`foresail anomalies watch`: a loop over steps that tells what is abnormal in any queries."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from autoscaler.adapters.sources import Sources
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
    from autoscaler.pipeline.detecting import Group

log = logging.getLogger("foresail")
DEADLINE_S: Final = 30.0
STEP_SHARE: Final = 0.5
"""Of a step, the longest that its values are waited for, and never longer than DEADLINE_S."""
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
    detectors: Path | None = None


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
    bound_s = min(DEADLINE_S, STEP_SHARE * step_s)
    try:
        wide = open_server(PrometheusSource(SOURCE, options.prometheus, timeout_s=DEADLINE_S), 2 * DEADLINE_S)
        steps = open_server(PrometheusSource(SOURCE, options.prometheus, timeout_s=DEADLINE_S), bound_s)
    except ValueError as wrong:
        shown = options.prometheus.rpartition("@")[2]  # what stands before it would reach the log by our own words
        raise Refused(f"--prometheus {shown}: {wrong}") from None
    log_to_stderr()
    with ExitStack() as undone:
        undone.callback(wide.close)
        undone.callback(steps.close)
        live = undone.enter_context(Sources({SOURCE: steps.ticks}, bound_s))
        store = None if options.store is None else _record(options.store)
        if store is not None:
            undone.callback(store.close)
        why = wide.greet()
        if why is not None:
            raise SourceDown(f"{options.prometheus}: {why}")
        watcher = Watcher(
            wide.wide, groups, step_s, history_s, live, options.detectors, _folder(options.store, undone)
        )  # fmt: skip
        undone.callback(watcher.close)
        now_s = time.time() - LATE_S if when is None else when.timestamp()
        past = watcher.begin(int(now_s // step_s), _recorded(store))
        for name, reason in watcher.silent.items():
            log.warning("query_silent name=%s: it has never answered within the history: %s", name, reason)
        if store is not None:
            _kept(store, past, groups, now_s)
        _told_past(past, watcher, options)
        if not options.once:
            watcher.speak()
            _Round(watcher, store, Source(options.prometheus, bound_s), options.output, options.store).go_on(listen)


def _folder(store: Path | None, undone: ExitStack) -> Path:
    """Where further detectors work, and remember over a restart: beside the record, if there is one."""
    if store is not None:
        return store.with_name(f"{store.stem}-detection")
    return Path(undone.enter_context(TemporaryDirectory(prefix="foresail-watch-")))


def _recorded(store: StoredIncidents | None) -> list[Incident]:
    return [] if store is None else [each.incident for each in store.listed(most=5000)]


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


def _told_past(past: list[News], watcher: Watcher, options: WatchOptions) -> None:
    found = [one for one in {n.incident.id: n.incident for n in past}.values() if not one.merged_into]
    if options.output == "json":
        print(json.dumps({"incidents": [told(one, scaled=False) for one in found]}, ensure_ascii=False), flush=True)  # noqa: T201
        return
    console = screen()
    watch = watcher.watch
    console.print(
        f"{_counted(watch.rows, 'query', 'queries')} in {_counted(len(watch.lane), 'group', 'groups')}; "
        f"{_counted(len(found), 'incident', 'incidents')} in the history, "
        f"{len(watcher.open)} open", markup=False, highlight=False,
    )  # fmt: skip
    for one in found:
        if not one.open:
            words = f"{stamp(one.opened_s)}  {lasted(one, one.updated_s):>8}  {one.title}: {one.why}"
            console.print(words, markup=False, highlight=False, soft_wrap=True)
    for one in watcher.open:
        tell(console, one, scaled=False, store=options.store)


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


@dataclass(frozen=True, slots=True)
class Source:
    """What is told of a source. bound_s: seconds that an answer is waited for."""

    url: str
    bound_s: float

    @property
    def silence(self) -> str:
        return f"{self.url} does not answer within {self.bound_s:g} s: nothing is known of any query meanwhile"


@dataclass(slots=True)
class _Round:
    """Step after step until told to stop. looked_s: when the newest one was over, on the monotonic clock."""

    watcher: Watcher
    store: StoredIncidents | None
    source: Source
    output: str
    kept: Path | None = None
    looked_s: float = field(default_factory=time.monotonic)
    at: str | None = None
    trouble: str | None = None
    _waiting: dict[str, Incident] = field(default_factory=dict)

    def go_on(self, listen: tuple[str, int] | None) -> None:
        from prometheus_client import CollectorRegistry

        from autoscaler.adapters.anomaly_metrics import AnomalyMetrics
        from autoscaler.web.app import WebServer, web_app

        registry, step_s = CollectorRegistry(), self.watcher.step_s
        metrics = AnomalyMetrics(registry)
        server = None if listen is None else WebServer(web_app(registry, self.health), *listen)
        stop = threading.Event()
        _on_signals(stop)
        try:
            while True:
                news = self.looked(time.time() - LATE_S)
                if self.watcher.found is not None:
                    metrics.observe(
                        self.watcher.found, self.watcher.watch.names.groups, self.watcher.watch.names.metrics
                    )
                metrics.incidents(self.watcher.open, news)
                if stop.wait(step_s - (time.time() - LATE_S) % step_s + 0.5):
                    return
        finally:
            if server is not None:
                server.close()

    def looked(self, now_s: float) -> list[News]:
        """One step; what it has to tell is told and kept."""
        try:
            news = self.watcher.look(int(now_s // self.watcher.step_s))
            self._sourced()
            self.at = stamp(now_s)
        except Exception as why:
            self.trouble, news = f"{type(why).__name__}: {why}", []
            log.exception("step_failed")
        self.looked_s = time.monotonic()
        for each in news:
            _say(each, self.output, self.kept)
        self._waiting |= {n.incident.id: n.incident for n in news}
        if self.store is not None and self._waiting:
            try:
                self.store.put(list(self._waiting.values()))
                self._waiting = {}
            except Exception:
                log.exception("incidents_not_written: they wait")
        return news

    def health(self) -> dict[str, Any]:
        """Also while a step is under way: one that takes longer than it may is told, too."""
        late_s = time.monotonic() - self.looked_s
        most_s = self.watcher.step_s + self.source.bound_s + LATE_S
        late = f"no step was looked at for {late_s:.0f} s" if late_s > most_s else None
        told = {"ok": self.trouble is None and late is None, "lastError": self.trouble or late, "at": self.at}
        recipe = self.watcher.recipe_health
        return told if recipe is None else told | {"recipe": recipe}

    def _sourced(self) -> None:
        """Whether the source answers; that it does no more, or again, is logged once."""
        if self.watcher.reached:
            if self.trouble is not None:
                log.info("source_answers url=%s", self.source.url)
            self.trouble = None
        elif self.trouble is None:
            self.trouble = self.source.silence
            log.warning("source_silent %s", self.trouble)


def _on_signals(stop: threading.Event) -> None:
    import signal

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())


def _say(news: News, output: str, store: Path | None) -> None:
    if output == "json":
        plain = {"happening": news.happening.value} | told(news.incident, scaled=False)
        print(json.dumps(plain, ensure_ascii=False), flush=True)  # noqa: T201
    elif news.happening is Happening.OPENED:
        tell(screen(), news.incident, scaled=False, store=store)
    else:
        words = f"{news.incident.id} {news.happening.value.lower()}: {news.incident.title}"
        screen().print(words, markup=False, highlight=False)
