"""Many queries in one request: each tagged by its place, all joined by `or`, taken apart again by the tag.

The tags make every series of one query differ from those of all others, so `or` keeps all of them, at each step, and
each query's answer is what it would be alone. What is not sure to be so is asked alone: a text with a comment or a raw
string, one whose brackets do not close by themselves (it could speak in another's name), an answer with warnings (it
does not say whose). A request that is refused is halved until it is known who spoils it; one that times out is asked
in single ones at once, and those that were too slow alone stay so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Protocol

from autoscaler.adapters.prometheus.decode import Answer, Series
from autoscaler.adapters.prometheus.faults import QueryFault
from autoscaler.adapters.prometheus.rows import Moments
from autoscaler.domain.series import DataVerdict

TAG = "foresail_query"
MOST_QUERIES = 50
MOST_CHARACTERS = 12_000
"""VictoriaMetrics refuses queries of more than 16 KiB."""
SHARE = 0.5
"""Of a query's deadline: the rest is for asking one by one."""
ALONE_S = 600.0
_CLOSING = {")": "(", "]": "[", "}": "{"}
_OURS = frozenset({DataVerdict.UNREACHABLE, DataVerdict.THROTTLED, DataVerdict.REFUSED})
"""Faults of the source, whatever is asked: no query among many is to blame."""


class RangeAsker(Protocol):
    def range(
        self, query: str, first_s: float, end_s: float, step_s: int, deadline_s: float | None = None
    ) -> Answer: ...


@dataclass(slots=True)
class Together:
    """Thread-safe. timeout_s: of one query."""

    client: RangeAsker
    timeout_s: float
    clock: Callable[[], float]
    _alone: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def groups(self, queries: Iterable[str]) -> list[list[str]]:
        """Those that may be asked together; who is in no group is asked alone."""
        now, found, size = self.clock(), [], 0
        with self._lock:
            fit = [q for q in dict.fromkeys(queries) if self._alone.get(q, now) <= now]
        group: list[str] = []
        for query in fit:
            if not closed(query) or len(query) > MOST_CHARACTERS // 2:
                continue
            if group and (len(group) == MOST_QUERIES or size + len(query) + 60 > MOST_CHARACTERS):
                found.append(group)
                group, size = [], 0
            group.append(query)
            size += len(query) + 60
        return [g for g in (*found, group) if len(g) > 1]

    def ask(self, queries: Sequence[str], part: Moments) -> dict[str, Answer]:
        """Answers by query; who is missing has to be asked alone. QueryFault where the source itself fails."""
        try:
            answer = self.client.range(
                joined(queries), part.first_s, part.end_s, part.step_s, deadline_s=self.timeout_s * SHARE
            )
        except QueryFault as failed:
            if failed.verdict in _OURS:
                raise
            return self._halves(queries, part)
        if answer.warnings or answer.kind != "matrix":
            return {}
        return apart(queries, answer)

    def slow_alone(self, query: str) -> None:
        """It was too slow or too heavy by itself: it keeps nobody waiting for a while."""
        with self._lock:
            self._alone[query] = self.clock() + ALONE_S

    def forget_others(self, kept: set[str]) -> None:
        with self._lock:
            self._alone = {q: until for q, until in self._alone.items() if q in kept}

    def _halves(self, queries: Sequence[str], part: Moments) -> dict[str, Answer]:
        if len(queries) <= 2:  # two that do not go together go alone
            for query in queries:
                self.slow_alone(query)
            return {}
        middle = len(queries) // 2
        return self.ask(queries[:middle], part) | self.ask(queries[middle:], part)


@dataclass(frozen=True, slots=True)
class ManyAsked:
    """Questions of our own about many rows, in few requests; what fails together is asked alone."""

    together: Together
    client: RangeAsker
    pool: Executor

    def range_all(self, queries: Sequence[str], part: Moments) -> list[Answer | QueryFault]:
        """In the order of the queries; equal ones are asked once."""
        found: dict[str, Answer | QueryFault] = {}
        for answers in self.pool.map(lambda group: self._group(group, part), self.together.groups(queries)):
            found |= answers
        left = [query for query in dict.fromkeys(queries) if query not in found]
        found |= zip(left, self.pool.map(lambda query: self._one(query, part), left), strict=True)
        return [found[query] for query in queries]

    def _group(self, group: Sequence[str], part: Moments) -> Mapping[str, Answer | QueryFault]:
        try:
            return self.together.ask(group, part)
        except QueryFault as failed:
            slow = failed.verdict == DataVerdict.UNREACHABLE  # one of them may be the slow one
            return {} if slow else dict.fromkeys(group, failed)

    def _one(self, query: str, part: Moments) -> Answer | QueryFault:
        try:
            return self.client.range(query, part.first_s, part.end_s, part.step_s)
        except QueryFault as failed:
            if failed.verdict in {DataVerdict.UNREACHABLE, DataVerdict.TOO_HEAVY}:
                self.together.slow_alone(query)
            return failed


def closed(query: str) -> bool:
    """Whether nothing in the text reaches out of brackets around it: strings end, and brackets close in order."""
    opened: list[str] = []
    quote, escaped = "", False
    for char in query:
        if quote:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == quote:
                quote = ""
            elif char == "\n":
                return False
        elif char in "\"'":
            quote = char
        elif char in "#`;" or not (char.isprintable() or char in "\n\t"):
            return False
        elif char in "([{":
            opened.append(char)
        elif char in _CLOSING and (not opened or opened.pop() != _CLOSING[char]):
            return False
    return not quote and not opened and bool(query.strip())


def joined(queries: Sequence[str]) -> str:
    return " or ".join(f'label_replace(({query}), "{TAG}", "{i}", "", "")' for i, query in enumerate(queries))


def apart(queries: Sequence[str], answer: Answer) -> dict[str, Answer]:
    """Each query's own answer; a tag that is none of ours leaves all of them to be asked alone."""
    series: list[list[Series]] = [[] for _ in queries]
    for one in answer.series:
        tag = one.labels.get(TAG, "")
        if not tag.isdecimal() or int(tag) >= len(queries):
            return {}
        bare = {name: value for name, value in one.labels.items() if name != TAG}
        series[int(tag)].append(replace(one, labels=bare))
    return {query: replace(answer, series=tuple(theirs)) for query, theirs in zip(queries, series, strict=True)}
