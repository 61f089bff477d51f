"""Queries to one source, through prometheus-api-client, with one retry budget and one deadline each."""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from prometheus_api_client import PrometheusConnect
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from autoscaler.adapters.prometheus.decode import Answer, NoAnswer, decode_data
from autoscaler.adapters.prometheus.faults import QueryFault, fault
from autoscaler.adapters.prometheus.health import SourceHealth
from autoscaler.adapters.prometheus.retry import RetryBudget
from autoscaler.adapters.prometheus.session import MOST_BYTES, ArraySession, no_api
from autoscaler.adapters.prometheus.settings import PrometheusSettings
from autoscaler.domain.series import DataVerdict

MOST_RETRIES = 1
SKEW_SAMPLES = 15
SERVER_SHARE = 0.9
"""Share of the deadline after which the source is asked to give a query up itself: its words say more than ours."""

Params = Mapping[str, str | Sequence[str]]


class PrometheusClient:
    """Safe to use from several threads. clock: monotonic seconds. wall: our own idea of seconds since the epoch."""

    def __init__(
        self,
        settings: PrometheusSettings,
        retry: RetryBudget | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.settings = settings
        self.retry = retry or RetryBudget(clock=clock)
        self._clock, self._wall = clock, wall
        self._url = settings.url.rstrip("/")
        self._session = ArraySession(settings, clock=clock, seen=self._saw, most_bytes=most_bytes)
        self._api = PrometheusConnect(self._url, session=self._session, method="POST", timeout=settings.timeout_s)
        # the library's own adapter has ten connections and retries by itself
        self._session.mount(self._url, HTTPAdapter(pool_maxsize=settings.concurrency + 2, max_retries=Retry(0)))
        self._lock = threading.Lock()
        self._skews: deque[float] = deque(maxlen=SKEW_SAMPLES)
        self._queries = 0
        self._failures: Counter[DataVerdict] = Counter()
        self._last_ok_s: float | None = None
        self._reachable = True

    def instant(self, query: str, at_s: float | None = None, deadline_s: float | None = None) -> Answer:
        """The query at `at_s` (the source's now when None). deadline_s: seconds for this call, retries included."""
        when = {} if at_s is None else {"time": _seconds(at_s)}

        def send(left_s: float) -> Answer:
            return self._api.custom_query(query, params=self._params(left_s) | when, timeout=left_s)

        return self._ask(send, deadline_s)

    def range(self, query: str, first_s: float, end_s: float, step_s: int, deadline_s: float | None = None) -> Answer:
        """The query at first_s, first_s + step_s, … up to end_s, both included: at most max_points of them."""
        points = int((end_s - first_s) // step_s) + 1
        if not 1 <= points <= self.settings.max_points:
            raise ValueError(f"{points} points in one request; ask for 1 … {self.settings.max_points}")
        first, end = datetime.fromtimestamp(first_s, UTC), datetime.fromtimestamp(end_s, UTC)

        def send(left_s: float) -> Answer:
            return self._api.custom_query_range(
                query, first, end, str(step_s), params=self._params(left_s), timeout=left_s
            )

        return self._ask(send, deadline_s)

    def get_json(self, path: str, params: Params | None = None, deadline_s: float | None = None) -> Any:
        """`data` of a metadata endpoint; path as in status/runtimeinfo, below /api/v1."""
        url = f"{self._url}/api/v1/{path.removeprefix('/api/v1/').lstrip('/')}"

        def send(left_s: float) -> Any:
            response = self._session.request("GET", url, params=params, timeout=left_s)
            try:
                return decode_data(response.content)
            except NoAnswer as error:
                raise no_api(response, error) from error

        return self._ask(send, deadline_s)

    def close(self) -> None:
        self._session.close()

    @property
    def health(self) -> SourceHealth:
        with self._lock:
            quiet_s = self.retry.quiet_s()
            return SourceHealth(
                name=self.settings.name,
                reachable=self._reachable,
                last_ok_s=self._last_ok_s,
                skew_s=statistics.median(self._skews) if self._skews else None,
                queries=self._queries,
                failures=dict(self._failures),
                throttled_until=self._wall() + quiet_s if quiet_s > 0 else None,
            )

    def _params(self, left_s: float) -> dict[str, str]:
        return {"timeout": f"{max(1, int(left_s * SERVER_SHARE * 1000))}ms", **self.settings.params}

    def _ask(self, send: Callable[[float], Any], deadline_s: float | None) -> Any:
        deadline = self._clock() + (self.settings.timeout_s if deadline_s is None else deadline_s)
        for attempt in range(MOST_RETRIES + 1):
            self._leave_alone()
            try:
                answer = send(deadline - self._clock())
            except QueryFault as failed:
                self._failed(failed)
                pause_s = self.retry.pause_s(attempt) if failed.again and attempt < MOST_RETRIES else None
                if pause_s is None or self._clock() + 2 * pause_s >= deadline:
                    raise
                time.sleep(pause_s)
            else:
                self._answered()
                return answer
        raise AssertionError("the last attempt answers or raises")

    def _leave_alone(self) -> None:
        quiet_s = self.retry.quiet_s()
        if quiet_s > 0:
            words = f"not asked: the source wants to be left alone for another {quiet_s:.0f} s"
            raise fault(DataVerdict.THROTTLED, words, quiet_s)

    def _failed(self, failed: QueryFault) -> None:
        if failed.verdict == DataVerdict.THROTTLED:
            self.retry.throttled(failed.retry_after_s)
        with self._lock:
            self._queries += 1
            self._failures[failed.verdict] += 1
            self._reachable = failed.verdict != DataVerdict.UNREACHABLE

    def _answered(self) -> None:
        self.retry.answered()
        with self._lock:
            self._queries += 1
            self._last_ok_s = self._wall()
            self._reachable = True

    def _saw(self, date_s: float) -> None:
        """A Date is cut to whole seconds, so on average it is half a second old."""
        with self._lock:
            self._skews.append(date_s + 0.5 - self._wall())


def _seconds(at_s: float) -> str:
    """A time as the API reads it, to the millisecond and never in scientific notation."""
    return f"{at_s:.3f}".rstrip("0").rstrip(".")
