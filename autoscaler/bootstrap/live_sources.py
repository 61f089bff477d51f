"""All metrics sources of a fleet as one reader: made when they appear, kept while they stay, closed when they go."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from autoscaler.adapters.files import FileMetrics
from autoscaler.bootstrap.server_time import agreed_skew_s
from autoscaler.domain.errors import AutoscalerError
from autoscaler.domain.series import DataVerdict, SeriesBatch
from autoscaler.domain.workload import Demand
from autoscaler.ports.metrics import MetricsReader
from autoscaler.spec.compile import PrometheusSource, Recording, Source

log = logging.getLogger("foresail")


class Health(Protocol):
    """What a reader of a server tells of it. last_ok_s grows whenever the server answers; None = never so far."""

    @property
    def reachable(self) -> bool: ...
    @property
    def last_ok_s(self) -> float | None: ...
    @property
    def skew_s(self) -> float | None: ...
    @property
    def queries(self) -> int: ...
    @property
    def failures(self) -> Mapping[DataVerdict, int]: ...


class ServerReader(MetricsReader, Protocol):
    """wide: for reads that take longer than a tick, from another thread."""

    @property
    def wide(self) -> MetricsReader: ...
    @property
    def health(self) -> Health: ...

    def greet(self) -> str | None:
        """Ask for next to nothing; why there was no answer, or None."""
        ...

    def close(self) -> None: ...


Gather = Callable[[Mapping[str, MetricsReader], float], MetricsReader]


@dataclass(slots=True)
class LiveSources:
    """Implements ports.MetricsReader over whatever sources are in force.

    open_server: a reader for one server. gather: one reader over several, which answers within deadline_s.
    errors: source, or source and series → why no demand can come from there; the others go on.
    """

    open_server: Callable[[PrometheusSource], ServerReader]
    gather: Gather
    deadline_s: float
    files: FileMetrics = field(default_factory=lambda: FileMetrics({}))
    servers: dict[str, ServerReader] = field(default_factory=dict)
    _made_of: dict[str, PrometheusSource] = field(default_factory=dict)
    _refused: dict[str, tuple[PrometheusSource, str]] = field(default_factory=dict)
    _all: MetricsReader | None = None
    _heard: dict[str, float | None] = field(default_factory=dict)
    _thread: threading.local = field(default_factory=threading.local)

    def serve(self, sources: Mapping[str, Source], demands: Sequence[Demand]) -> None:
        """From now on these sources, for these demands. A server whose description is the same keeps its reader."""
        recordings = {n: s.path for n, s in sources.items() if isinstance(s, Recording)}
        wanted = {n: s for n, s in sources.items() if isinstance(s, PrometheusSource)}
        self.files.serve(recordings, demands)
        self._refused = {n: told for n, told in self._refused.items() if wanted.get(n) == told[0]}
        for name in [n for n, made in self._made_of.items() if wanted.get(n) != made]:
            self._drop(name)
        for name, source in wanted.items():
            if name not in self.servers:
                self._open(name, source)
        self._gather()

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        """As the port says; a source that could not be opened is tried again each time."""
        if getattr(self._thread, "beside", False):
            return self._wide(demands).load(demands, first_step, end_step, step_s)
        if self._refused:
            for name, (source, _) in list(self._refused.items()):
                self._open(name, source)
            self._gather()
        return (self._all or self.files).load(demands, first_step, end_step, step_s)

    def beside(self, through: MetricsReader) -> MetricsReader:
        """The same sources for a thread of its own: reads that wait for no tick, nor ticks for them.

        through: what stands between us and who reads, and ends in our `load`.
        """
        return _Beside(self._thread, through)

    def greet(self) -> dict[str, str | None]:
        """Ask every server for next to nothing, side by side; name → why there was no answer, or None."""
        if not self.servers:
            return {}
        with ThreadPoolExecutor(len(self.servers), thread_name_prefix="greet") as pool:
            return dict(zip(self.servers, pool.map(lambda server: server.greet(), self.servers.values()), strict=True))

    def _wide(self, demands: Sequence[Demand]) -> MetricsReader:
        names = {d.source for d in demands}
        if len(names) != 1:
            raise ValueError(f"a wide read is of one source, not of {len(names)}")
        server = self.servers.get(names.pop())
        return self.files if server is None else server.wide

    @property
    def errors(self) -> dict[str, str]:
        return self.files.errors | {name: why for name, (_, why) in self._refused.items()}

    def newest_end_s(self, step_s: int) -> int | None:
        """End of the newest recorded step in any file, in seconds since the epoch; None if no file can be read."""
        return self.files.newest_end_s(step_s)

    def fresh_skew_s(self) -> float | None:
        """What the servers that have answered since the last call agree on as their time less ours."""
        skews: list[float | None] = []
        for name, reader in self.servers.items():
            health = reader.health
            if health.last_ok_s is not None and health.last_ok_s != self._heard.get(name):
                self._heard[name] = health.last_ok_s
                skews.append(health.skew_s)
        return agreed_skew_s(skews)

    def close(self) -> None:
        for name in list(self.servers):
            self._drop(name)
        self._gather()

    def _open(self, name: str, source: PrometheusSource) -> None:
        """A source that cannot be made ready (a CA file that is not there) costs no other its data."""
        try:
            self.servers[name] = self.open_server(source)
        except (AutoscalerError, OSError, ValueError) as error:
            self._refused[name] = (source, str(error))
        else:
            self._made_of[name] = source
            self._refused.pop(name, None)

    def _drop(self, name: str) -> None:
        self._made_of.pop(name, None)
        self._heard.pop(name, None)
        reader = self.servers.pop(name)
        try:
            reader.close()
        except Exception:
            log.exception("source_close_failed source=%s", name)

    def _gather(self) -> None:
        """Files alone are read in the tick's own thread; servers beside one another, none waiting for a slow one."""
        readers: dict[str, MetricsReader] = dict.fromkeys(self.files.paths, self.files)
        readers |= self.servers
        gathered, self._all = self._all, self.gather(readers, self.deadline_s) if self.servers else None
        close = getattr(gathered, "close", None)
        if close is not None:
            close()


@dataclass(frozen=True, slots=True)
class _Beside:
    """Marks the reads of a thread while they are under way."""

    thread: threading.local
    through: MetricsReader

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        self.thread.beside = True
        try:
            return self.through.load(demands, first_step, end_step, step_s)
        finally:
            self.thread.beside = False


def in_words(source: Source) -> str:
    """A source in a log line: where it is and how we come in, without any secret."""
    if isinstance(source, Recording):
        return f"file {source.path}"
    ways = [
        (source.bearer_token_file, "bearer token"),
        (source.bearer_token_secret, f"bearer token in {source.bearer_token_secret}"),
        (source.basic_user, f"basic auth as {source.basic_user}"),
        (source.cert_file, "client certificate"),
        (source.cert_secret, "client certificate"),
        (source.ca_file or source.ca_secret, "own CA"),
        (source.proxy, f"through {source.proxy}"),
        (source.headers, "headers " + " ".join(name for name, _ in source.headers)),
    ]
    used = [words for there, words in ways if there]
    return f"prometheus {source.url}" + (f" ({', '.join(used)})" if used else "")
