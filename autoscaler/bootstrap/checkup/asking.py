"""How the checks ask a server and tell what they find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from autoscaler.adapters.prometheus.decode import Answer
from autoscaler.adapters.prometheus.faults import QueryFault
from autoscaler.domain.series import DataVerdict
from autoscaler.domain.workload import Demand, Workload
from autoscaler.reporting.doctor import Finding, Level
from autoscaler.spec.compile import PrometheusSource


class Server(Protocol):
    """What is needed of adapters.prometheus.client.PrometheusClient; failures are QueryFaults."""

    def instant(self, query: str, at_s: float | None, deadline_s: float | None = None) -> Answer: ...

    def range(
        self, query: str, first_s: float, end_s: float, step_s: int, deadline_s: float | None = None
    ) -> Answer: ...

    def get_json(
        self, path: str, params: Mapping[str, str | Sequence[str]] | None = None, deadline_s: float | None = None
    ) -> Any: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A demand, of whom, where, and at what time of the server."""

    workload: Workload
    demand: Demand
    source: PrometheusSource
    now_s: float
    step_s: int = 60


@dataclass(slots=True)
class Notes:
    """Findings about one subject, as they come up."""

    subject: str
    found: list[Finding] = field(default_factory=list)

    def ok(self, check: str, words: str) -> None:
        self.found.append(Finding(Level.OK, self.subject, check, words))

    def note(self, check: str, words: str, remedy: str | None = None) -> None:
        self.found.append(Finding(Level.NOTE, self.subject, check, words, remedy))

    def warn(self, check: str, words: str, remedy: str | None = None) -> None:
        self.found.append(Finding(Level.WARN, self.subject, check, words, remedy))

    def fail(self, check: str, words: str, remedy: str | None = None, *, away: bool = False) -> None:
        self.found.append(Finding(Level.FAIL, self.subject, check, words, remedy, away))

    def fault(self, check: str, error: QueryFault) -> None:
        """A query without an answer: what the verdict means, and what the source said."""
        away = error.verdict in {DataVerdict.UNREACHABLE, DataVerdict.THROTTLED}
        self.fail(check, f"{error.verdict.words}: {error.note}", _REMEDIES.get(error.verdict), away=away)


_REMEDIES = {
    DataVerdict.UNREACHABLE: "check the URL, the network policy, the proxy, and that the server runs",
    DataVerdict.REFUSED: "check bearerTokenFile or basicAuth, tls.caFile, the tenant's header, and the URL's path",
    DataVerdict.THROTTLED: "ask for a higher limit, or give a demand a longer step; we slow down by ourselves",
    DataVerdict.TOO_HEAVY: "write a recording rule that computes the total, and query that",
    DataVerdict.WRONG_TYPE: "wrap a counter in rate(...[1m]) and aggregate it with sum(...)",
    DataVerdict.BAD_QUERY: "try the query in the server's own page until it answers one number",
}


def day_text(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")


def span_text(seconds: float) -> str:
    """A length in the unit that tells most: 40 s, 12 min, 5 h, 3.5 d."""
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"
