"""The guard policies in force: a broken edit keeps the last good form, and what is not known is no permission.

Removed on purpose, a policy is gone, and its workloads fall back to their own limits and the built-in ones, which are
never "no limits". Emptied, broken or unreadable, it stays as it was. Where there is no last good form, as after a
restart with a broken file, the workloads that it may be about hold: they may grow to the need that is observed, and
do not shrink.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoscaler.domain.policy import Origin
from autoscaler.domain.workload import Workload
from autoscaler.spec.fleet import PartialLoad
from autoscaler.spec.kinds import PredictiveAutoscaler
from autoscaler.spec.policy_match import Matcher, PlacedPolicy, selects
from autoscaler.spec.policy_merge import OwnPlaces, merged
from autoscaler.spec.selector import SelectorSpec

EVERYTHING = SelectorSpec()


@dataclass(frozen=True, slots=True, eq=False)
class PoliciesInForce:
    """by_name: the policies that speak. unknown: those that cannot be read and never could, with whom they select.

    kept: names of those whose files say something else now, which is not valid. begun: something was read before.
    """

    by_name: Mapping[str, PlacedPolicy] = field(default_factory=dict)
    unknown: Mapping[str, tuple[SelectorSpec, Origin]] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()
    begun: bool = False
    _matchers: dict[str | None, Matcher] = field(default_factory=dict)

    def after(self, loaded: PartialLoad, folders: Sequence[Path] = ()) -> PoliciesInForce:
        """What is in force after another reading. folders: where a document without a name may be a policy."""
        valid = {p.name: p for p in loaded.fleet.policies}
        broken = loaded.refused_policies
        kept = {n: p for n, p in self.by_name.items() if n not in valid and (loaded.unnamed or n in broken)}
        unknown = {
            name: (selector or EVERYTHING, Origin(f"GuardPolicy {name}", "is not valid", place))
            for name, (place, selector) in broken.items()
            if name not in kept and name not in valid
        }
        unknown |= {
            file: (EVERYTHING, Origin("a policy file", "cannot be read", file))
            for file in loaded.unnamed_files
            if any(_within(file, folder) for folder in folders)
        }
        stays = {key: value for key, value in unknown.items() if not self.begun or key in self.unknown}
        return PoliciesInForce(kept | valid, stays, frozenset(kept), begun=True)

    def news(self, before: PoliciesInForce) -> Iterator[str]:
        """What has changed since, a line each: which policy, which revision, from where."""
        for name in sorted(self.by_name.keys() | before.by_name.keys()):
            old, new = before.by_name.get(name), self.by_name.get(name)
            if new is None:
                yield f"name={name} removed: its workloads' own and the built-in limits hold"
            elif old is None or old.revision != new.revision:
                yield f"name={name} revision={new.revision} file={new.document.file}"
        yield from (f"name={name} kept: its file is not valid now" for name in sorted(self.kept - before.kept))
        for _, origin in (self.unknown[key] for key in sorted(self.unknown.keys() - before.unknown.keys())):
            yield f"unknown: {origin}; the workloads that it may be about hold"

    def told(self) -> dict[str, Any]:
        """For /healthz."""
        return {
            "inForce": {name: p.revision for name, p in sorted(self.by_name.items())},
            "keptThoughBroken": sorted(self.kept),
            "pausedWithoutEnd": [n for n, p in sorted(self.by_name.items()) if p.endless],
            "unknown": [str(origin) for _, origin in self.unknown.values()],
        }

    def applied(self, autoscaler: PredictiveAutoscaler, places: OwnPlaces, site: str | None = None) -> Workload:
        """The workload under the policies that select it."""
        if site not in self._matchers:
            self._matchers[site] = Matcher(self.by_name.values(), site)
        unknown = next((o for selector, o in self.unknown.values() if selects(selector, autoscaler, site)), None)
        return merged(autoscaler, self._matchers[site].of(autoscaler), places, unknown, site)


def _within(file: str, folder: Path) -> bool:
    path = Path(file)
    return path == folder or folder in path.parents
