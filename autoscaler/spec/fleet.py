"""All documents together: each validated by its kind, then the rules that hold between them.

A rule between documents looks at what is written, valid or not: a rival's slip elsewhere must not hide a clash.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from autoscaler.domain.errors import Problem
from autoscaler.domain.workload import Workload
from autoscaler.spec.compile import PrometheusSource, Recording, Source, to_source
from autoscaler.spec.complaints import complaints, problem_at
from autoscaler.spec.endpoints import allows
from autoscaler.spec.kinds import API_VERSION, KINDS, GuardPolicy, Kind, MetricsSource, PredictiveAutoscaler
from autoscaler.spec.nodes import Document, Table, plain
from autoscaler.spec.policy_match import Matcher, PlacedPolicy
from autoscaler.spec.policy_merge import OwnPlaces, merged
from autoscaler.spec.selector import SelectorSpec
from autoscaler.spec.words import did_you_mean, path_words, printable, shown

_TOP = ("apiVersion", "kind", "metadata", "spec")


class ObjectRef(NamedTuple):
    """Which object a document is; the namespace is empty for cluster-scoped kinds."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        inside = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {printable(inside)}"


@dataclass(frozen=True, slots=True)
class LoadedFleet:
    """Objects that are valid each and together, in the order of the files. places: of the autoscalers, in order."""

    autoscalers: tuple[PredictiveAutoscaler, ...] = ()
    sources: tuple[MetricsSource, ...] = ()
    compiled_sources: tuple[Source, ...] = ()
    policies: tuple[PlacedPolicy, ...] = ()
    places: tuple[OwnPlaces, ...] = field(default=(), compare=False)

    @property
    def recordings(self) -> tuple[Recording, ...]:
        return tuple(s for s in self.compiled_sources if isinstance(s, Recording))

    @property
    def servers(self) -> tuple[PrometheusSource, ...]:
        return tuple(s for s in self.compiled_sources if isinstance(s, PrometheusSource))

    def compile(self, site: str | None = None) -> tuple[Workload, ...]:
        """The workloads under the policies of the same fleet."""
        matcher = Matcher(self.policies, site)
        places = self.places or tuple(OwnPlaces() for _ in self.autoscalers)
        return tuple(merged(a, matcher.of(a), own, site=site) for a, own in zip(self.autoscalers, places, strict=True))


@dataclass(frozen=True, slots=True)
class PartialLoad:
    """What holds, what is wrong, and which objects are refused.

    knock_on: why objects without a problem of their own are refused: what they name is refused.
    unnamed: some document is so broken that it cannot be told which object it is; unnamed_files: where.
    refused_policies: by name, where each stands and whom it selects, where at least that can be read.
    A refused object is not a deleted one: whoever runs keeps its last valid form in force.
    """

    fleet: LoadedFleet
    problems: tuple[Problem, ...] = ()
    knock_on: tuple[Problem, ...] = ()
    refused: tuple[ObjectRef, ...] = ()
    unnamed: bool = False
    unnamed_files: tuple[str, ...] = ()
    refused_policies: Mapping[str, tuple[str, SelectorSpec | None]] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Candidate:
    document: Document
    ref: ObjectRef | None = None
    model: Kind | None = None
    problems: list[Problem] = field(default_factory=list)
    knock_on: list[Problem] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.problems and not self.knock_on

    @property
    def place(self) -> str:
        _, place = self.document.find(("metadata", "name"))
        return f"{self.document.file}:{place.line}"


def judge(documents: Iterable[Document], known_sources: Sequence[str] = ()) -> PartialLoad:
    """Validates every document by itself and against all others."""
    candidates = [_candidate(document) for document in documents]
    named = [c for c in candidates if c.ref is not None]
    for members in _sharing(named, lambda c: c.ref):
        if echoes := _echoes(members):
            candidates = [c for c in candidates if c not in echoes]
            named = [c for c in named if c not in echoes]
        else:
            _refuse_all(members, ("metadata", "name"), _same_object)
    autoscalers = [c for c in named if c.ref and c.ref.kind == "PredictiveAutoscaler"]
    for members in _sharing(autoscalers, _target_of):
        if all(c.document.since for c in members):
            _refuse_newer(members)
        else:
            _refuse_all(members, ("spec", "target"), _same_target)
    sources = {c.ref.name: c for c in named if c.ref and c.ref.kind == "MetricsSource"}
    for candidate in autoscalers:
        _check_sources(candidate, sources, known_sources)
    return _gather(candidates)


def _candidate(document: Document) -> _Candidate:
    candidate = _Candidate(document, problems=list(document.problems))
    if document.root is None:
        return candidate
    if not isinstance(document.root, Table):
        message, remedy = "a document must be a mapping", "start with apiVersion, kind, metadata and spec"
        candidate.problems.append(problem_at(document, (), message, value=shown(plain(document.root)), remedy=remedy))
        return candidate
    kind = document.text("kind")
    model = KINDS.get(kind or "")
    if kind is None or model is None:
        candidate.problems += _unknown_kind(document, kind)
        return candidate
    candidate.ref = _ref(document, kind)
    try:
        candidate.model = model.model_validate(plain(document.root))
    except ValidationError as error:
        candidate.problems += complaints(document, model, error)
    return candidate


def _ref(document: Document, kind: str) -> ObjectRef | None:
    name = document.text("metadata", "name")
    if name is None:
        return None
    namespaced = kind == "PredictiveAutoscaler"
    return ObjectRef(kind, (document.text("metadata", "namespace") or "default") if namespaced else "", name)


def _unknown_kind(document: Document, kind: str | None) -> Iterable[Problem]:
    root = document.root
    version = document.text("apiVersion")
    entries = root.entries if isinstance(root, Table) else {}
    for key, entry in list(entries.items())[:20]:
        if key not in _TOP:
            remedy = did_you_mean(key, _TOP, "fields here")
            yield Problem(document.file, *entry.key, path_words([key]), f"unknown field {shown(key)}", None, remedy)
    node, _ = document.find(("kind",))
    if kind is None:
        blank = node is None or plain(node) is None or isinstance(plain(node), str)
        message = "kind is missing" if blank else "kind must be text"
        yield problem_at(document, ("kind",), message, remedy=f"write one of {', '.join(sorted(KINDS))}")
        return
    remedy = did_you_mean(kind, KINDS, "kinds")
    if version is not None and version.partition("/")[0] != API_VERSION.partition("/")[0]:
        remedy += f"; apiVersion: {API_VERSION} (this document says {shown(version)})"
    yield problem_at(document, ("kind",), "unknown kind", value=shown(kind), remedy=remedy)


def _sharing(
    candidates: Sequence[_Candidate], identity: Callable[[_Candidate], object]
) -> Iterator[Sequence[_Candidate]]:
    """Groups of several that share an identity."""
    groups: dict[object, list[_Candidate]] = defaultdict(list)
    for candidate in candidates:
        if (key := identity(candidate)) is not None:
            groups[key].append(candidate)
    yield from (members for members in groups.values() if len(members) > 1)


def _refuse_all(
    members: Sequence[_Candidate], at: tuple[str, ...], words: Callable[[_Candidate, str], tuple[str, str]]
) -> None:
    """Each names another and its place."""
    for index, candidate in enumerate(members):
        other = members[0] if index else members[1]
        also = f" and {len(members) - 2} more" if len(members) > 2 else ""
        message, remedy = words(other, also)
        candidate.problems.append(problem_at(candidate.document, at, message, remedy=remedy))


def _echoes(members: Sequence[_Candidate]) -> list[_Candidate]:
    """Of an object of a server and files that mean the very same, the files: while a release goes from one to the
    other both are there, and it does not matter which is read. Empty where it does.
    """
    objects = [c for c in members if c.document.since]
    specs = [None if c.model is None else c.model.spec for c in members]
    same = specs[0] is not None and all(spec == specs[0] for spec in specs)
    return [c for c in members if not c.document.since] if len(objects) == 1 and same else []


def _refuse_newer(members: Sequence[_Candidate]) -> None:
    """Objects of a server: the oldest has the target, valid or not, so that every process and restart agrees."""
    first = min(members, key=lambda c: (c.document.since or "", c.ref or ()))
    for candidate in members:
        if candidate is not first:
            message = f"the target is that of {first.ref}, which is older ({first.document.since}) and keeps it"
            remedy = "delete one of the two; when that one goes, this one takes over"
            problem = problem_at(candidate.document, ("spec", "target"), message, remedy=remedy)
            candidate.problems.append(replace(problem, reason="Conflict"))


def _same_object(other: _Candidate, also: str) -> tuple[str, str]:
    return f"{other.ref} is also defined at {other.place}{also}", "keep one of them"


def _same_target(other: _Candidate, also: str) -> tuple[str, str]:
    message = f"the target is also that of {other.ref} at {other.place}{also}: two plans would fight over it"
    return message, "keep one of them, with both demands"


def _target_of(candidate: _Candidate) -> tuple[str, ...] | None:
    """Namespace, group, kind and name; the version of an API does not make another object."""
    document, ref = candidate.document, candidate.ref
    version, kind, name = (document.text("spec", "target", part) for part in ("apiVersion", "kind", "name"))
    if ref is None or version is None or kind is None or name is None:
        return None
    return (ref.namespace, version.rpartition("/")[0], kind, name)


def _check_sources(candidate: _Candidate, sources: dict[str, _Candidate], known: Sequence[str]) -> None:
    document = candidate.document
    asking = [("spec", part, k, "source") for part in ("demands", "signals") for k in document.items("spec", part)]
    for path in asking:
        name = document.text(*path)
        if name is None or name in known:
            continue
        source = sources.get(name)
        if source is None:
            remedy = did_you_mean(name, [*_allowed_for(candidate, sources), *known], "MetricsSource")
            problem = problem_at(document, path, "no such MetricsSource", value=shown(name), remedy=remedy)
            candidate.problems.append(problem)
        elif source.problems:
            message = f"the MetricsSource at {source.place} is itself refused"
            candidate.knock_on.append(problem_at(document, path, message, value=shown(name), remedy="mend that one"))
        elif isinstance(source.model, MetricsSource) and candidate.ref is not None:
            candidate.problems += _not_allowed(candidate, path, source.model, sources)


def _not_allowed(
    candidate: _Candidate, path: tuple[str | int, ...], source: MetricsSource, sources: Mapping[str, _Candidate]
) -> Iterable[Problem]:
    """Whoever runs the source says for whom it is."""
    namespace = candidate.ref.namespace if candidate.ref else ""
    if allows(source.spec.allowed_namespaces, namespace):
        return
    name, for_it = source.metadata.name, sorted(_allowed_for(candidate, sources))
    instead = f"name one that is ({', '.join(for_it[:5])}), or " if for_it else ""
    remedy = f"{instead}ask whoever runs {name} to add {namespace} to its allowedNamespaces"
    message = f"this MetricsSource is not for namespace {namespace}"
    yield problem_at(candidate.document, path, message, value=shown(name), remedy=remedy)


def _allowed_for(candidate: _Candidate, sources: Mapping[str, _Candidate]) -> list[str]:
    """Sources that it may name: what else there is, is nothing to a tenant."""
    namespace = candidate.ref.namespace if candidate.ref else ""
    models = [c.model for c in sources.values() if isinstance(c.model, MetricsSource)]
    return [m.metadata.name for m in models if allows(m.spec.allowed_namespaces, namespace)]


def _gather(candidates: Sequence[_Candidate]) -> PartialLoad:
    for candidate in candidates:
        candidate.problems.sort(key=lambda p: (p.line, p.column))
    valid = [c for c in candidates if c.holds]
    autoscalers = tuple(c.model for c in valid if isinstance(c.model, PredictiveAutoscaler))
    placed = [(c.model, Path(c.document.file).parent) for c in valid if isinstance(c.model, MetricsSource)]
    fleet = LoadedFleet(
        autoscalers,
        tuple(source for source, _ in placed),
        tuple(to_source(source, folder) for source, folder in placed),
        tuple(PlacedPolicy(c.model, c.document) for c in valid if isinstance(c.model, GuardPolicy)),
        tuple(_places(c.document) for c in valid if isinstance(c.model, PredictiveAutoscaler)),
    )
    refused = dict.fromkeys(c.ref for c in candidates if not c.holds and c.ref is not None)
    problems = tuple(p for c in candidates for p in c.problems)
    knock_on = tuple(p for c in candidates for p in c.knock_on)
    unnamed = tuple(dict.fromkeys(c.document.file for c in candidates if c.ref is None))
    policies = [c for c in candidates if not c.holds and c.ref is not None and c.ref.kind == "GuardPolicy"]
    broken: dict[str, tuple[str, SelectorSpec | None]] = {}
    for c in policies:
        if c.ref is not None:  # of several of one name it is not known which was meant
            broken[c.ref.name] = (c.place, None if c.ref.name in broken else _selector(c))
    return PartialLoad(fleet, problems, knock_on, tuple(refused), bool(unnamed), unnamed, broken)


def _selector(candidate: _Candidate) -> SelectorSpec | None:
    """Whom a refused policy is about, if that part of it is whole."""
    node, _ = candidate.document.find(("spec", "selector"))
    if node is None:
        return None
    try:
        return SelectorSpec.model_validate(plain(node))
    except ValidationError:
        return None


_PLACED = (
    ("replicas", "min"), ("replicas", "max"), ("headroom",), ("objective",), ("maxDataAge",),
    *(("behavior", d, f) for d in ("scaleUp", "scaleDown")
      for f in ("stabilizationWindowSeconds", "policies", "selectPolicy")),
)  # fmt: skip


def _places(document: Document) -> OwnPlaces:
    """The lines that an explanation may name; the document itself is not kept."""
    lines = {}
    for index in document.items("spec", "demands"):
        _, place = document.find(("spec", "demands", index, "query"))
        lines[f"demands[{index}].query"] = place.line
    for path in _PLACED:
        node, place = document.find(("spec", *path))
        if node is not None:
            lines[".".join(path)] = place.line
    return OwnPlaces(document.file, lines)
