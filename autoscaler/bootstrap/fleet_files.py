"""The fleet files in force: read again when they change, never replaced by something broken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autoscaler.bootstrap.policies_in_force import PoliciesInForce
from autoscaler.domain.errors import Problem
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.workload import Workload, WorkloadRef
from autoscaler.spec.compile import PrometheusSource, Recording, Source
from autoscaler.spec.endpoints import allows
from autoscaler.spec.fleet import PartialLoad
from autoscaler.spec.kinds import PredictiveAutoscaler
from autoscaler.spec.policy_merge import OwnPlaces
from autoscaler.spec.reader import load_valid

Placed = tuple[PredictiveAutoscaler, OwnPlaces]


@dataclass(slots=True)
class FleetFiles:
    """generation: how often what is in force has changed. problems: what is wrong in the files now.

    policies_in: further paths, from which a broken document may be a policy. site: where we run, for selectors.
    refused: workloads that are written down and not valid now. unnamed: some document tells no name at all.
    A refused object is not a deleted one: its last valid form stays in force until it is mended or removed. While
    some document does not even tell which object it is, every object that is missing may be that one, and stays.
    adjusted: what was learned about a workload, in place of what is written; None = nothing is.
    """

    paths: Sequence[Path]
    generation: int = 0
    problems: tuple[Problem, ...] = ()
    fleet: Fleet = field(default_factory=lambda: Fleet(()))
    sources: dict[str, Source] = field(default_factory=dict)
    refused: frozenset[WorkloadRef] = frozenset()
    unnamed: bool = False
    policies_in: Sequence[Path] = ()
    site: str | None = None
    policies: PoliciesInForce = field(default_factory=PoliciesInForce)
    adjusted: Callable[[Workload], Workload] | None = None
    _autoscalers: dict[WorkloadRef, Placed] = field(default_factory=dict)
    _stamp: tuple[tuple[str, int, int], ...] | None = None

    @property
    def recordings(self) -> dict[str, Recording]:
        return {n: s for n, s in self.sources.items() if isinstance(s, Recording)}

    @property
    def servers(self) -> dict[str, PrometheusSource]:
        return {n: s for n, s in self.sources.items() if isinstance(s, PrometheusSource)}

    def refresh(self) -> bool:
        """Read the files if they have changed; True if what is in force or what is wrong did.

        All of it takes effect at once: a tick sees the policies and workloads of one reading, never half of it.
        """
        paths = (*self.paths, *self.policies_in)
        stamp = tuple(sorted(stamps_of(paths)))
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        self._take_in(load_valid(paths))
        return True

    def _take_in(self, loaded: PartialLoad) -> None:
        """One reading takes effect at once."""
        self.policies = self.policies.after(loaded, self.policies_in)
        sources = {s.name: s for s in loaded.fleet.compiled_sources}
        lost = {r.name for r in loaded.refused if r.kind == "MetricsSource"}
        stay = {n: s for n, s in self.sources.items() if n not in sources and (loaded.unnamed or n in lost)}
        self.sources = stay | sources
        self._autoscalers = self._standing(loaded)
        self.problems = (*loaded.problems, *loaded.knock_on)
        refused = {(r.namespace, r.name) for r in loaded.refused if r.kind == "PredictiveAutoscaler"}
        self.refused, self.unnamed = frozenset(WorkloadRef(*r) for r in refused), loaded.unnamed
        workloads = tuple(
            self.policies.applied(autoscaler, places, self.site)
            for _, (autoscaler, places) in sorted(self._autoscalers.items())
        )
        self._take(workloads)
        self.generation += 1

    def adjust(self) -> None:
        """Something was learned: the same workloads with it."""
        self._take(self.fleet.workloads)

    def _take(self, workloads: tuple[Workload, ...]) -> None:
        if self.adjusted is not None:
            workloads = tuple(map(self.adjusted, workloads))
        if workloads != self.fleet.workloads:
            self.fleet = Fleet(workloads)

    def _standing(self, loaded: PartialLoad) -> dict[WorkloadRef, Placed]:
        """The valid ones, and of those that are refused the last valid form.

        But not from a source closed to it, and not about a target that a valid one has now: one plan for each.
        """
        fleet = loaded.fleet
        valid = {
            WorkloadRef(a.metadata.namespace, a.metadata.name): (a, places)
            for a, places in zip(fleet.autoscalers, fleet.places, strict=True)
        }
        aimed = {_aim(autoscaler) for autoscaler, _ in valid.values()}
        refused = {(r.namespace, r.name) for r in loaded.refused if r.kind == "PredictiveAutoscaler"}
        kept = {
            ref: placed
            for ref, placed in self._autoscalers.items()
            if ref not in valid
            and (loaded.unnamed or (ref.namespace, ref.name) in refused)
            and _aim(placed[0]) not in aimed
            and self._may_ask(ref, placed[0])
        }
        return kept | valid

    def _may_ask(self, ref: WorkloadRef, autoscaler: PredictiveAutoscaler) -> bool:
        asked = [d.source for d in autoscaler.spec.demands] + [s.source for s in autoscaler.spec.signals]
        named = (self.sources.get(name) for name in asked)
        return all(source is None or allows(source.allowed, ref.namespace) for source in named)


def _aim(autoscaler: PredictiveAutoscaler) -> tuple[str, str, str, str]:
    """Namespace, group, kind and name of the target."""
    target = autoscaler.spec.target
    return (autoscaler.metadata.namespace, target.api_version.rpartition("/")[0], target.kind, target.name)


def stamps_of(paths: Sequence[Path]) -> list[tuple[str, int, int]]:
    """What tells that a file has changed; one that cannot be looked at has a stamp too, for it may come back."""
    found = []
    for path in paths:
        try:
            inside = [p for p in path.iterdir() if p.suffix.lower() in {".yaml", ".yml"}] if path.is_dir() else [path]
        except OSError:
            inside = [path]
        for file in inside:
            try:
                stat = file.stat()
            except OSError:
                found.append((str(file), 0, 0))
            else:
                found.append((str(file), stat.st_mtime_ns, stat.st_size))
    return found
