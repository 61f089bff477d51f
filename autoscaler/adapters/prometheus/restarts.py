"""Whether the source was restarted since it was last asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol

from autoscaler.adapters.prometheus.faults import QueryFault
from autoscaler.adapters.prometheus.rows import Row

LOOK_AGAIN_S = 600.0
MOST_REPLICAS = 32


class Teller(Protocol):
    def get_json(self, path: str, params: None = None, deadline_s: float | None = None) -> object: ...


class Restarts:
    """Asks for the server's start after the demand was read: a restart before that is then never overlooked.

    A start that lies before the previous load is none: behind one address several replicas may answer in turn.
    """

    def __init__(self, client: Teller, clock: Callable[[], float]) -> None:
        self._client, self._clock = client, clock
        self._seen_s: float | None = None
        self._look_s = float("-inf")
        self._known: tuple[float, ...] = ()

    def news(self, rows: Iterable[Row]) -> float | None:
        """When the source was started, if that was since the last load; at the first load, whenever it was."""
        times = [r.server_time_s for r in rows if r.server_time_s is not None]
        if not times:
            return None
        before_s, self._seen_s = self._seen_s, max(times)
        started_s = self._started_s()
        if started_s is None or started_s in self._known:
            return None
        self._known = (*self._known, started_s)[-MOST_REPLICAS:]
        return started_s if before_s is None or started_s >= before_s else None

    def _started_s(self) -> float | None:
        if self._clock() < self._look_s:
            return None
        try:
            told = self._client.get_json("status/runtimeinfo")
            return datetime.fromisoformat(str(told["startTime"])).timestamp() if isinstance(told, dict) else None
        except (QueryFault, KeyError, ValueError):
            self._look_s = self._clock() + LOOK_AGAIN_S  # not every source of this API has it
            return None
