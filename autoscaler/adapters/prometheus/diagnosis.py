"""Why a query finds nothing: which metric or which label matcher it is. Asked seldom, told in one sentence."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote

from autoscaler.adapters.prometheus.decode import Answer
from autoscaler.adapters.prometheus.faults import QueryFault, one_line
from autoscaler.adapters.prometheus.promql import (
    NAME,
    TAG,
    Matcher,
    Reading,
    Selector,
    any_of,
    copies_query,
    presence_query,
)
from autoscaler.adapters.prometheus.rows import label_words

ASK_AGAIN_S = 600.0
MOST_PER_LOAD = 5
NEAR = 5


class Asker(Protocol):
    """What a diagnosis needs of a client."""

    def instant(self, query: str, at_s: float | None = None, deadline_s: float | None = None) -> Answer: ...

    def get_json(self, path: str, params: dict[str, str] | None = None, deadline_s: float | None = None) -> object: ...


@dataclass(slots=True)
class Diagnoses:
    """Diagnoses by query, kept until the query finds something again; asked anew every ten minutes at most."""

    _kept: dict[str, tuple[float, str]] = field(default_factory=dict)
    _left: int = MOST_PER_LOAD

    def start_load(self, missing: set[str]) -> None:
        """Begin a load in which these queries find nothing: the others are well again."""
        self._kept = {query: kept for query, kept in self._kept.items() if query in missing}
        self._left = MOST_PER_LOAD

    def due(self, query: str, now_s: float) -> bool:
        """Whether to ask now; a load asks for a few queries only, the others wait for the next."""
        kept = self._kept.get(query)
        if self._left <= 0 or (kept is not None and now_s - kept[0] < ASK_AGAIN_S):
            return False
        self._left -= 1
        return True

    def keep(self, query: str, now_s: float, words: str) -> None:
        self._kept[query] = (now_s, words)

    def words(self, query: str) -> str | None:
        kept = self._kept.get(query)
        return kept[1] if kept else None


def why_missing(client: Asker, read: Reading, at_s: float) -> str:
    """One sentence on what finds nothing at `at_s`."""
    if not read.understood or not read.current:
        return "the query answers nothing"
    try:
        found = _present(client, read.current, at_s)
        gone = [s for i, s in enumerate(read.current) if i not in found]
        if not gone:
            window = " or a window holds fewer than two samples" if read.window_s else ""
            return f"every selector finds series, but together they answer nothing: their labels do not match{window}"
        return _why_gone(client, gone[0], at_s)
    except QueryFault as failed:
        return one_line(f"the query answers nothing; the source could not be asked why: {failed.note}")


def why_doubled(client: Asker, selectors: Sequence[Selector], replica_labels: Sequence[str], at_s: float) -> str:
    """One sentence on which series is collected twice, and by whom."""
    for selector in selectors:
        if not selector.summed or selector.metric is None:
            continue
        try:
            worst = client.instant(copies_query(selector, replica_labels), at_s).series
            if not worst or worst[0].values[0] <= 1:
                continue
            same = [Matcher(name, "=", value) for name, value in worst[0].labels.items()]
            copies = client.instant(str(selector.only(Matcher(NAME, "=", selector.metric), *same)), at_s).series
        except QueryFault:
            return f"{selector.metric} is there more than once"
        labels = sorted({*replica_labels, "instance"})
        apart = [", ".join(f'{n}="{s.labels[n]}"' for n in labels if n in s.labels) for s in copies]
        return one_line(f"{selector.metric} is there {worst[0].values[0]:.0f} times: {' and '.join(apart[:3])}")
    return "series are there more than once"


def _present(client: Asker, selectors: Sequence[Selector], at_s: float) -> set[int]:
    """Places of the selectors that find something."""
    answer = client.instant(presence_query(selectors), at_s)
    return {int(s.labels[TAG]) for s in answer.series if s.labels.get(TAG, "").isdigit()}


def _why_gone(client: Asker, selector: Selector, at_s: float) -> str:
    name = next((m for m in selector.matchers if m.label == NAME), None)
    rest = [m for m in selector.matchers if m is not name]
    if name is None:
        return f"nothing matches {selector}"
    alone = selector.only(name)
    found = _present(client, [alone, *(selector.only(name, m) for m in rest)], at_s)
    if 0 not in found:
        if name.operator != "=":
            return f"no metric matches {name}"
        near = _nearest_metric(client, name.value, at_s)
        hint = f"; {near} exists" if near else ""
        return f"metric {name.value} has no series now{hint}"
    metric = name.value
    for i, matcher in enumerate(rest, start=1):
        if i not in found:
            return (
                f"metric {metric} is there, but nothing matches {matcher}{_seen_values(client, metric, matcher, at_s)}"
            )
    return f"metric {metric} is there, but no series matches all of {', '.join(map(str, rest))}"


def _seen_values(client: Asker, metric: str, matcher: Matcher, at_s: float) -> str:
    """What the label holds instead, or that it is gone."""
    grouped = f"count by ({NAME}, {_plain(matcher.label)}) ({Selector((Matcher(NAME, '=', metric),))})"
    series = client.instant(f"topk({NEAR}, {grouped})", at_s).series
    values = sorted({s.labels[matcher.label] for s in series if s.labels.get(matcher.label)})
    if not values:
        labels = client.instant(f"topk(1, {Selector((Matcher(NAME, '=', metric),))})", at_s).series
        shown = f"; a series: {label_words(labels[0])}" if labels else ""
        return f": label {matcher.label} is gone{shown}"
    close = difflib.get_close_matches(matcher.value, values, n=NEAR, cutoff=0.0)
    return f"; {matcher.label} is now {', '.join(repr(one_line(v, 40)) for v in close or values)}"


def _plain(label: str) -> str:
    """A label name inside by(): quoted where it is no identifier."""
    return str(Matcher(label, "=", "")).removesuffix('=""')


def _nearest_metric(client: Asker, name: str, at_s: float) -> str | None:
    """The existing metric whose name is nearest; names are kept for long, so those found are asked for samples."""
    span = {"start": f"{at_s - 3600:.0f}", "end": f"{at_s:.0f}"}
    names = client.get_json(f"label/{quote(NAME)}/values", span)
    if not isinstance(names, list):
        return None
    others = [n for n in names if isinstance(n, str) and n != name]
    close = difflib.get_close_matches(name, others, n=NEAR, cutoff=0.5)
    if not close:
        return None
    alive = {s.labels.get(NAME) for s in client.instant(any_of(close), at_s).series}
    return next((n for n in close if n in alive), None)
