"""The custom resources in force: what a cluster's objects say, by the same rules as fleet files."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from autoscaler.adapters.kubernetes.objects import ObjectCache
from autoscaler.adapters.kubernetes.watching import Thing
from autoscaler.bootstrap.fleet_files import FleetFiles
from autoscaler.domain.errors import Problem
from autoscaler.domain.workload import WorkloadRef
from autoscaler.spec.fleet import judge
from autoscaler.spec.objects import document_of


@dataclass(slots=True)
class FleetObjects(FleetFiles):
    """Read from the cache when its revision moves; a tick sees one reading, whole.

    things: the autoscalers of that reading, whatever they are worth. wrong: why one of them is not in force as written.
    """

    cache: ObjectCache = field(kw_only=True)
    things: dict[WorkloadRef, Thing] = field(default_factory=dict)
    wrong: dict[WorkloadRef, tuple[Problem, ...]] = field(default_factory=dict)
    _revision: tuple[int, ...] | None = None

    def refresh(self) -> bool:
        """True if what is in force or what is wrong changed. Before the first full reading nothing is known."""
        revision = self.cache.revision
        if not self.cache.synced or revision == self._revision:
            return False
        self._revision = revision
        things = self.cache.things()
        documents = [document_of(thing) for thing in things]
        self._take_in(judge(documents))
        self.things = {_ref(t): t for t in things if t["kind"] == "PredictiveAutoscaler"}
        by_name = defaultdict(list)
        for problem in self.problems:
            by_name[problem.file].append(problem)
        named = {document.file: _ref(t) for document, t in zip(documents, things, strict=True)}
        self.wrong = {named[name]: tuple(found) for name, found in by_name.items() if named[name] in self.things}
        return True


def _ref(thing: Thing) -> WorkloadRef:
    return WorkloadRef(thing["metadata"].get("namespace", ""), thing["metadata"]["name"])
