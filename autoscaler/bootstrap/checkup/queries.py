"""What a query's text alone tells: whether it asks for the total demand, or for something that scaling changes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import promql_parser as pp

from autoscaler.adapters.prometheus.promql import Selector, reading
from autoscaler.bootstrap.checkup.asking import Notes

QUEUE_LIKE = re.compile(
    r"(^|_)(queue|queued|queues|backlog|lag|pending|in_?flight|waiting|depth|unacked|messages_ready|outstanding"
    r"|active_(connections|requests)|connections_active|concurren(cy|t)|buffered|list_length|number_of_messages"
    r"|num_undelivered_messages|messages_visible)(_|$)",
    re.IGNORECASE,
)
POD_LABELS = ("pod", "instance", "pod_name", "kubernetes_pod_name", "container_id", "endpoint_ip")
PER_POD_REMEDY = "ask for the total of all pods, e.g. sum(rate(http_requests_total[1m])), and give capacity.perReplica"
_PER_POD = {"avg", "max", "min", "quantile", "topk", "bottomk"}
_RISING = ("_total", "_count", "_sum", "_bucket")
_COUNTING = {"count", "group", "count_values"}
_REPLICA_COUNT = re.compile(r"^(up|kube_pod.*|kube_.*replicas.*|kube_horizontalpodautoscaler.*)$")


def look_at_text(notes: Notes, query: str) -> None:
    """Findings that need no server; a query that our parser does not know (a dialect) has none."""
    try:
        tree = pp.parse(query)
    except (ValueError, RecursionError):
        return
    names = sorted({s.metric for s in reading(query).selectors if s.metric is not None})
    for name in names:
        if QUEUE_LIKE.search(name):
            words = f"{name} looks like a queue or in-flight count: our own scaling drains it, so it is no demand"
            notes.warn("queue", words, "query the rate of arrivals instead, e.g. sum(rate(..._received_total[1m]))")
    for top in _tops(tree):
        if isinstance(top, pp.AggregateExpr) and str(top.op) in _PER_POD and not _holds_sum(top.expr):
            words = f"{top.op}(...) of single series is the demand of one pod: it falls when we add pods"
            notes.warn("per-pod", f"{words}, so scaling would chase itself", PER_POD_REMEDY)
    if any(_is_replica_count(division.rhs) for division in _divisions(tree)):
        words = "the query divides by a number of pods or replicas: it falls when we add pods, so scaling would chase"
        notes.warn("per-pod", f"{words} itself", PER_POD_REMEDY)
    for name in dict.fromkeys(_bare_counters(tree)):
        words = f"{name} is a counter, which only ever rises, and is read without rate(...)"
        notes.warn("counter", words, f"write sum(rate({name}[1m]))")


def plain(selector: Selector) -> str:
    """A selector as people write it: name{label="value"}."""
    name = selector.metric
    if name is None:
        return str(selector)
    rest = [str(m) for m in selector.matchers if not (m.label == "__name__" and m.operator == "=")]
    return name + ("{" + ",".join(rest) + "}" if rest else "")


def _tops(tree: object) -> Iterator[object]:
    """The outermost aggregations and selectors: what the answer's series come from."""
    match tree:
        case pp.ParenExpr() | pp.UnaryExpr():
            yield from _tops(tree.expr)
        case pp.BinaryExpr():
            yield from _tops(tree.lhs)
            yield from _tops(tree.rhs)
        case pp.Call():
            for argument in tree.args:
                yield from _tops(argument)
        case pp.AggregateExpr() | pp.VectorSelector() | pp.MatrixSelector() | pp.SubqueryExpr():
            yield tree
        case _:
            return


def _holds_sum(tree: object) -> bool:
    """Whether what is aggregated is a total already, or a rule's result (level:metric:operation)."""
    tops = list(_tops(tree))
    return bool(tops) and all(
        (isinstance(top, pp.AggregateExpr) and str(top.op) == "sum")
        or (isinstance(top, pp.VectorSelector) and ":" in (top.name or ""))
        for top in tops
    )


def _divisions(tree: object) -> Iterator[pp.BinaryExpr]:
    match tree:
        case pp.BinaryExpr():
            if str(tree.op) == "/":
                yield tree
            yield from _divisions(tree.lhs)
            yield from _divisions(tree.rhs)
        case pp.ParenExpr() | pp.UnaryExpr() | pp.AggregateExpr() | pp.SubqueryExpr():
            yield from _divisions(tree.expr)
        case pp.Call():
            for argument in tree.args:
                yield from _divisions(argument)
        case _:
            return


def _is_replica_count(tree: object) -> bool:
    for top in _tops(tree):
        if isinstance(top, pp.AggregateExpr) and (str(top.op) in _COUNTING or _is_replica_count(top.expr)):
            return True
        if isinstance(top, pp.VectorSelector) and _REPLICA_COUNT.match(top.name or ""):
            return True
    return False


def _bare_counters(tree: object) -> Iterator[str]:
    """Names of counters whose height itself is taken; a range selector is always inside a function."""
    for top in _tops(tree):
        if isinstance(top, pp.AggregateExpr) and str(top.op) not in _COUNTING:
            yield from _bare_counters(top.expr)
        elif isinstance(top, pp.VectorSelector) and (top.name or "").endswith(_RISING):
            yield str(top.name)
