"""What a reader should know of the whole: less history than asked for, nobody found, no HPA found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autoscaler.adapters.prometheus.discovery import Discovery, FoundHpa, Key
from autoscaler.adapters.prometheus.discovery_queries import Scope


def short(days: float, asked: float) -> str:
    """days: of the longest record among the workloads."""
    return f"demand is on record for {days:.1f} of the {asked:g} days that were asked for; what is there is used"


def nobody(found: Discovery, scope: Scope) -> Iterator[str]:
    """Why no workload was found, the likeliest cause first."""
    scrape, file = "let Prometheus scrape it", "name demands in a file: --queries"
    if found.old:
        what = "only series of its version 1, and version 2 is needed"
    elif scope.namespaces or scope.matchers:
        typed = [f"--namespace {name}" for name in scope.namespaces]
        typed += [f"--match {m.label}={m.value}" for m in scope.matchers]
        what, scrape = f"none under {' '.join(typed)}", f"look at what was typed, {scrape}"
    else:
        what = "none of its series is there"
    yield f"no Deployment or StatefulSet in the series of kube-state-metrics: {what}; {scrape}, or {file}"


def no_hpa(found: Discovery, held: Mapping[Key, tuple[FoundHpa, ...]] | None) -> Iterator[str]:
    """held: the cluster's own HPAs, None = it was not asked."""
    if any(one.hpas for one in found.workloads):
        return
    yield (
        "no HPA was found; if there are some, pass --kubeconfig"
        if held is None
        else "the cluster of the kubeconfig has no HPA of these workloads"
    )
