"""The custom resources in force: what a cluster's objects say, by the same rules as fleet files."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from autoscaler.adapters.kubernetes.objects import ObjectCache
from autoscaler.adapters.kubernetes.watching import Thing
from autoscaler.bootstrap.fleet_files import FleetFiles, stamps_of
from autoscaler.domain.errors import Problem
from autoscaler.domain.workload import WorkloadRef
from autoscaler.spec.fleet import judge
from autoscaler.spec.objects import document_of
from autoscaler.spec.policy_match import selects
from autoscaler.spec.reader import documents_in


@dataclass(slots=True)
class FleetObjects(FleetFiles):
    """Read from the cache when its revision moves; a tick sees one reading, whole.

    policies_in: files and folders of further policies, as mounted beside the operator; a name is used once only.
    things: the autoscalers of that reading, whatever they are worth; shared: policies and sources, by kind and name.
    wrong, shared_wrong: why one of them is not in force as written. selected: by policy, how many autoscalers.
    """

    cache: ObjectCache = field(kw_only=True)
    things: dict[WorkloadRef, Thing] = field(default_factory=dict)
    wrong: dict[WorkloadRef, tuple[Problem, ...]] = field(default_factory=dict)
    shared: dict[tuple[str, str], Thing] = field(default_factory=dict)
    shared_wrong: dict[tuple[str, str], tuple[Problem, ...]] = field(default_factory=dict)
    selected: dict[str, int] = field(default_factory=dict)
    _revision: tuple[int, ...] | None = None

    def refresh(self) -> bool:
        """True if what is in force or what is wrong changed. Before the first full reading nothing is known."""
        revision, stamp = self.cache.revision, tuple(sorted(stamps_of(self.policies_in)))
        if not self.cache.synced or (revision == self._revision and stamp == self._stamp):
            return False
        self._revision, self._stamp = revision, stamp
        things = self.cache.things()
        documents = [document_of(thing) for thing in things]
        self._take_in(judge([*documents, *documents_in(self.policies_in)]))
        self.things = {_ref(t): t for t in things if t["kind"] == "PredictiveAutoscaler"}
        self.shared = {(t["kind"], t["metadata"]["name"]): t for t in things if t["kind"] != "PredictiveAutoscaler"}
        by_name = defaultdict(list)
        for problem in self.problems:
            by_name[problem.file].append(problem)
        self.wrong, self.shared_wrong = {}, {}
        for document, thing in zip(documents, things, strict=True):
            found = tuple(by_name.get(document.file, ()))
            if found and thing["kind"] == "PredictiveAutoscaler":
                self.wrong[_ref(thing)] = found
            elif found:
                self.shared_wrong[thing["kind"], thing["metadata"]["name"]] = found
        self.selected = {
            name: sum(
                selects(p.model.spec.selector, autoscaler, self.site) for autoscaler, _ in self._autoscalers.values()
            )
            for name, p in self.policies.by_name.items()
        }
        return True


def _ref(thing: Thing) -> WorkloadRef:
    return WorkloadRef(thing["metadata"].get("namespace", ""), thing["metadata"]["name"])
