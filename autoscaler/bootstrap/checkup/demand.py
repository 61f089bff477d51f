"""What is looked at of one demand: what the query answers now, and whether that can be the demand it is said to be."""

from __future__ import annotations

import math

from autoscaler.adapters.prometheus.decode import Answer, Series
from autoscaler.adapters.prometheus.faults import QueryFault
from autoscaler.adapters.prometheus.promql import (
    NAME,
    TAG,
    Reading,
    Selector,
    duplicates_query,
    presence_query,
    reading,
)
from autoscaler.bootstrap.checkup.asking import Asked, Notes, Server, span_text
from autoscaler.bootstrap.checkup.queries import PER_POD_REMEDY, POD_LABELS, look_at_text, plain
from autoscaler.bootstrap.checkup.samples import (
    interval_s,
    look_at_cost,
    look_at_history,
    look_at_samples,
    tell_unknown_capacity,
)
from autoscaler.spec.words import nearest

USUAL_REPLICA_LABELS = ("prometheus", "prometheus_replica", "replica", "job")
_MOST_MATCHERS = 8
_MOST_NAMES = 20_000


def look_at_demand(notes: Notes, asked: Asked, server: Server) -> None:
    query = asked.demand.query
    look_at_text(notes, query)
    try:
        answer = server.instant(query, asked.now_s)
    except QueryFault as error:
        notes.fault("query", error)
        return
    parts = reading(query)
    if answer.kind not in {"vector", "scalar"} or any(s.histogram for s in answer.series):
        what = "a native histogram" if answer.series and answer.series[0].histogram else f"a {answer.kind}"
        remedy = "wrap a counter in rate(...[1m]) and aggregate it with sum(...); of a histogram take histogram_count"
        notes.fail("type", f"the query answers {what}, not one number", remedy)
        return
    if answer.warnings:
        words = f"the answer is partial: {answer.warnings[0][:160]}"
        notes.warn("partial", f"{words}; while that lasts nothing is scaled down", "mend the store that is missing")
    if not answer.series:
        _nothing(notes, asked, server, parts)
        return
    if len(answer.series) > 1:
        _several(notes, answer)
        return
    one = answer.series[0]
    _one(notes, one, query)
    _value(notes, asked, float(one.values[-1]))
    _copies(notes, asked, server, parts)
    look_at_samples(notes, server, parts, asked.now_s, asked.source.stale_after_s)
    look_at_history(notes, server, asked)
    look_at_cost(notes, server, query, asked.now_s, asked.source.timeout_s)


def _nothing(notes: Notes, asked: Asked, server: Server, parts: Reading) -> None:
    """No series: name the selector that finds none, and of its matchers the one that excludes all."""
    if not parts.current:
        remedy = "try the query in the server's own page until it answers one number"
        notes.fail("presence", "the query answers nothing (that is unknown, not zero)", remedy)
        return
    try:
        there = {s.labels.get(TAG) for s in server.instant(presence_query(parts.current), asked.now_s).series}
        absent = [s for i, s in enumerate(parts.current) if str(i) not in there]
        if not absent:
            _no_match(notes, asked, server, parts)
        for selector in absent[:3]:
            _absent(notes, asked, server, selector)
    except QueryFault as error:
        notes.fault("presence", error)


def _no_match(notes: Notes, asked: Asked, server: Server, parts: Reading) -> None:
    """Each selector finds series, the query none: a window that is too short for the scrapes, or labels apart."""
    for selector in parts.current:
        every_s = interval_s(server, str(selector), asked.now_s)
        if every_s is not None and 0 < selector.window_s < 2 * every_s:
            words = f"{plain(selector)} has a sample about every {span_text(every_s)}: a window of"
            words += f" {span_text(selector.window_s)} holds fewer than two, so the query answers nothing"
            notes.fail("interval", words, f"make the window at least {span_text(4 * every_s)}")
            return
    words = "each selector finds series, yet the query answers nothing: the labels of its sides do not match"
    notes.fail("presence", words, "compare the labels of both sides; use on(...) or sum by (...) to make them equal")


def _absent(notes: Notes, asked: Asked, server: Server, selector: Selector) -> None:
    name, shown = selector.metric, plain(selector)
    if name is None:
        notes.fail("presence", f"{shown} finds no series (that is unknown, not zero)", "check its matchers")
        return
    named = [m for m in selector.matchers if m.label == NAME]
    others = [m for m in selector.matchers if m.label != NAME]
    if not others or not _finds(server, selector.only(*named), asked.now_s):
        near = nearest(name, _names(server, name))
        remedy = f"did you mean {near}?" if near and near != name else "is its exporter scraped? see the page Targets"
        notes.fail("presence", f"there is no series of {name} now (that is unknown, not zero)", remedy)
        return
    for left_out in others[:_MOST_MATCHERS]:
        rest = [m for m in selector.matchers if m is not left_out]
        if _finds(server, selector.only(*rest), asked.now_s):
            values = _values(server, left_out.label, selector.only(*rest))
            had = f"; {left_out.label} has: {', '.join(values[:5])}" if values else ""
            near = nearest(left_out.value, values)
            remedy = f'did you mean {left_out.label}="{near}"{had}' if near else f"mend that matcher{had}"
            notes.fail("presence", f"{shown} finds no series: {left_out} excludes all of {name}'s", remedy)
            return
    notes.fail("presence", f"{shown} finds no series: no series of {name} fits all its matchers", "check them")


def _finds(server: Server, selector: Selector, at_s: float) -> bool:
    return bool(server.instant(f"count({selector})", at_s).series)


def _names(server: Server, name: str) -> list[str]:
    """Names of metrics that begin alike; none where the server would rather not say."""
    stem = "".join(c for c in name[:4] if c.isalnum() or c == "_")
    try:
        told = server.get_json("label/__name__/values", {"match[]": f'{{__name__=~"{stem}.*"}}'})
    except QueryFault:
        return []
    return [str(n) for n in told[:_MOST_NAMES]] if isinstance(told, list) else []


def _values(server: Server, label: str, selector: Selector) -> list[str]:
    if not label.isidentifier():
        return []
    try:
        told = server.get_json(f"label/{label}/values", {"match[]": str(selector)})
    except QueryFault:
        return []
    return [str(v) for v in told[:1000]] if isinstance(told, list) else []


def _several(notes: Notes, answer: Answer) -> None:
    differ = sorted({n for s in answer.series for n in s.labels if len({t.labels.get(n) for t in answer.series}) > 1})
    examples = "; ".join(_label_set(s, differ) for s in answer.series[:3])
    words = f"the query answers {len(answer.series)} series, which differ in {', '.join(differ[:6]) or 'nothing'}"
    pods = [label for label in differ if label in POD_LABELS]
    if pods:
        words += f" ({examples}): values per {pods[0]} fall when we add pods, so scaling would chase itself"
        notes.fail("per-pod", words, PER_POD_REMEDY)
    else:
        notes.fail("several-series", f"{words} ({examples})", "aggregate it to one, e.g. with sum(...)")


def _label_set(series: Series, labels: list[str]) -> str:
    return ", ".join(f"{n}={series.labels.get(n, '')[:40]}" for n in labels[:3])


def _one(notes: Notes, one: Series, query: str) -> None:
    pods = [label for label in POD_LABELS if label in one.labels]
    if pods:
        words = f"the one series is that of {pods[0]} {one.labels[pods[0]][:60]}: with a second pod there will be two"
        notes.fail("per-pod", f"{words}, each with less", PER_POD_REMEDY)
    elif not query.strip():
        return
    else:
        notes.ok("one-series", "the query answers one series")


def _value(notes: Notes, asked: Asked, value: float) -> None:
    """Whether the number could be a demand, and whether it and the capacity are in one unit."""
    load, capacity = asked.workload, asked.demand.capacity_per_replica
    if not math.isfinite(value):
        words = f"the value now is {'NaN' if math.isnan(value) else 'infinite'}: unknown, not zero"
        notes.fail("finite", words, "a division by zero? write ... / (x > 0), or take the rate of a total only")
        return
    if value < 0:
        notes.fail("negative", f"the value now is {value:.4g}: no demand is below zero", "mend the query or exporter")
        return
    if capacity is None:
        tell_unknown_capacity(notes)
        return
    if asked.demand.learned is not None:
        words = f"a running service learns what one replica serves; until then, and here, it is {capacity:.4g}"
        notes.note("capacity", words, "foresail capacity tells what it would learn")
    needs = math.ceil(value / capacity)
    limits = f"min {load.min_replicas}, max {load.max_replicas}"
    words = f"demand now is {value:.4g}: {needs} replicas at {capacity:.4g} each ({limits})"
    if needs == 0:
        notes.warn("plausible", "demand now is zero", "if there is traffic now, the query looks at the wrong series")
    elif needs > load.max_replicas:
        remedy = "one unit for query and perReplica (per second? per minute? milliseconds?), or raise replicas.max"
        notes.warn("plausible", f"{words}: more than max allows", remedy)
    elif value < capacity / 100:
        remedy = "one unit for query and perReplica (per second? per minute? a ratio?)"
        notes.warn("plausible", f"{words}: less than a hundredth of what one replica can do", remedy)
    else:
        notes.ok("plausible", words)


def _copies(notes: Notes, asked: Asked, server: Server, parts: Reading) -> None:
    labels = asked.source.replica_labels or USUAL_REPLICA_LABELS
    query = duplicates_query(parts.selectors, labels)
    if query is None:
        return
    try:
        copies = server.instant(query, asked.now_s).series
    except QueryFault as error:
        notes.warn("duplicates", f"whether series are collected twice cannot be told: {error.note}")
        return
    if copies:
        words = f"series are there {max(float(s.values[-1]) for s in copies):.0f} times, differing only in"
        remedy = (
            'scrape the exporter once; of an HA pair ask one side, or deduplicate (Thanos: params: {dedup: "true"})'
        )
        notes.fail("duplicates", f"{words} {', '.join(labels)}: a sum counts them double", remedy)
    else:
        notes.ok("duplicates", "no series is collected twice")
