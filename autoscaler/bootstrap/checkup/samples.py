"""What is looked at of a demand's samples: how fresh, how often, how far back, how whole, and at what cost."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autoscaler.adapters.prometheus.faults import QueryFault
from autoscaler.adapters.prometheus.promql import TAG, Reading, freshness_query
from autoscaler.bootstrap.checkup.asking import Asked, Notes, Server, day_text, span_text
from autoscaler.bootstrap.checkup.queries import plain
from autoscaler.domain.series import Floats
from autoscaler.domain.workload import Demand, Workload

DAY_S = 86400.0
SEASONS = {"day": DAY_S, "week": 7 * DAY_S}
REACH_S = 28 * DAY_S
_COARSE_S = 6 * 3600
_WINDOW_S = 600
_HEAVY_SAMPLES = 1_000_000
_FLAT_S = 3600


def look_at_samples(notes: Notes, server: Server, parts: Reading, now_s: float, stale_after_s: float) -> None:
    """Age of the newest sample, and time between samples, of each selector that reads the present."""
    if not parts.current:
        return
    try:
        newest = {s.labels.get(TAG, ""): float(s.values[-1]) for s in server.instant(
            freshness_query(parts.current), now_s).series}  # fmt: skip
    except QueryFault as error:
        notes.warn("fresh", f"the age of the samples cannot be told: {error.note}")
        return
    for index, selector in enumerate(parts.current):
        at_s = newest.get(str(index))
        if at_s is None or not math.isfinite(at_s):
            continue
        age_s, shown = max(0.0, now_s - at_s), plain(selector)
        if age_s > stale_after_s:
            remedy = "see whether its exporter is up and scraped (page Targets), or raise staleAfter"
            words = f"the newest sample of {shown} is {span_text(age_s)} old: staleAfter is {span_text(stale_after_s)}"
            notes.fail("fresh", words, remedy)
            continue
        notes.ok("fresh", f"the newest sample of {shown} is {span_text(age_s)} old")
        every_s = interval_s(server, str(selector), now_s)
        if every_s is not None:
            _pace(notes, shown, every_s, selector.window_s, stale_after_s)


def interval_s(server: Server, selector: str, now_s: float) -> float | None:
    """Seconds between samples, over the last ten minutes; None where there are none."""
    try:
        found = server.instant(f"max(count_over_time({selector}[{_WINDOW_S}s]))", now_s).series
    except QueryFault:
        return None
    count = float(found[0].values[-1]) if found else 0.0
    return _WINDOW_S / count if count >= 2 else None


def _pace(notes: Notes, shown: str, every_s: float, window_s: float, stale_after_s: float) -> None:
    words = f"{shown} has a sample about every {span_text(every_s)}"
    if window_s and window_s < 2 * every_s:
        remedy = f"make the window at least {span_text(4 * every_s)}"
        notes.warn("interval", f"{words}, so a window of {span_text(window_s)} often holds fewer than two", remedy)
    elif stale_after_s < 2 * every_s:
        remedy = f"raise staleAfter to at least {span_text(4 * every_s)}, or scrape more often"
        notes.warn("interval", f"{words}: one lost scrape makes it stale", remedy)
    elif window_s > 600:
        remedy = "a window of one to five minutes follows a rise in time"
        notes.warn("interval", f"{words}; the window of {span_text(window_s)} hides a rise for that long", remedy)
    else:
        notes.ok("interval", words)


def look_at_history(notes: Notes, server: Server, asked: Asked) -> None:
    """How far back the query answers, and whether the last day is whole, sane and within the limits."""
    now_s, step_s, query = asked.now_s, asked.step_s, asked.demand.query
    end_s = now_s // _COARSE_S * _COARSE_S
    try:
        far = server.range(query, end_s - REACH_S, end_s, _COARSE_S)
        near = server.range(query, now_s - DAY_S, now_s, step_s)
    except QueryFault as error:
        notes.warn("history", f"history cannot be read: {error.verdict.words}: {error.note}")
        return
    if len(near.series) > 1:
        words = f"within the last day the query answered up to {len(near.series)} series, as in a rollout it may again"
        notes.warn("several-series", words, "aggregate it to one, e.g. with sum(...)")
        return
    times = [s.times[np.isfinite(s.values)] for s in (*far.series, *near.series)]
    tell_length(notes, min((float(t[0]) for t in times if len(t)), default=None), now_s)
    if near.series:
        tell_day(notes, near.series[0].values, int(DAY_S // step_s) + 1, asked.demand, asked.workload)


def tell_length(notes: Notes, first_s: float | None, now_s: float) -> None:
    if first_s is None:
        notes.warn("history", "there is no history yet: decisions rest on observed demand until some hours have passed")
        return
    length_s = now_s - first_s
    words = f"history goes back to {day_text(first_s)} ({span_text(length_s)})"
    missing = {name: first_s + need for name, need in SEASONS.items() if length_s < need}
    if not missing:
        notes.ok("history", f"{words}: day and week seasons can serve")
        return
    serves = "the day's season can serve; " if "day" not in missing else ""
    when = ", ".join(f"the {name}'s from {day_text(at_s)}" for name, at_s in missing.items())
    notes.warn("history", f"{words}: {serves}{when}", "nothing to mend: forecasts improve as history grows")


def tell_unknown_capacity(notes: Notes) -> None:
    words = "a running service learns what one replica serves; until it is accepted, the workload holds"
    notes.note("capacity", words, "foresail capacity tells what it would learn; perReplica bridges the time")


def tell_day(notes: Notes, values: Floats, expected: int, demand: Demand, load: Workload) -> None:
    """values: of the last day, as sent; steps that have none are not among them."""
    finite = values[np.isfinite(values)]
    odd = len(values) - len(finite)
    if odd:
        words = f"NaN or infinite in {odd} of {expected} steps of the last day: unknown there, not zero"
        notes.warn("finite", words, "a division by zero at no traffic? take the rate of a total only")
    if (finite < 0).any():
        words = f"below zero in {int((finite < 0).sum())} steps of the last day: rejected there"
        notes.fail("negative", words, "mend the query or the exporter")
    absent = expected - len(values)
    if absent > expected // 50:
        notes.warn("gaps", f"no value in {absent} of {expected} steps of the last day: unknown there, not zero")
    if not len(finite):
        return
    top = float(finite.max())
    capacity = demand.capacity_per_replica
    if capacity is not None and (needs := math.ceil(top / capacity)) > load.max_replicas:
        words = f"the peak of the last day, {top:.4g}, needs {needs} replicas, above max {load.max_replicas}"
        notes.warn("plausible", words, "raise replicas.max, or check the unit of perReplica")
    if len(finite) > 2 * _FLAT_S // 60 and top > 0 and float(finite.min()) == top:
        notes.warn("flat", f"the value has not moved for a day: exactly {top:.4g}", "is the exporter frozen?")


def look_at_cost(notes: Notes, server: Server, query: str, now_s: float, timeout_s: float) -> None:
    """What one evaluation costs the server, as far as it tells."""
    try:
        answer = server.instant(query, now_s)
    except QueryFault as error:
        notes.warn("cost", f"asked a second time it does not answer: {error.note}")
        return
    samples = _samples(server, query, now_s)
    loads = "" if samples is None else f" and loads {samples:,} sample{'' if samples == 1 else 's'}"
    words = f"one evaluation takes {answer.elapsed_s:.2g} s{loads}"
    if answer.elapsed_s > timeout_s / 2 or (samples or 0) > _HEAVY_SAMPLES:
        notes.warn("cost", words, "write a recording rule that computes the total, and query that")
    else:
        notes.ok("cost", words)


def _samples(server: Server, query: str, now_s: float) -> int | None:
    try:
        told = server.get_json("query", {"query": query, "time": f"{now_s:.3f}", "stats": "all"})
    except QueryFault:
        return None
    found: Any = told
    for key in ("stats", "samples", "totalQueryableSamples"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, int) else None
