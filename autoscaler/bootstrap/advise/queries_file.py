"""`--queries FILE`: demands that a user names, as YAML; every problem is told with its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError, model_validator

from autoscaler.adapters.prometheus.discovery import CPU, USUAL_SCRAPE_S, Discovery, FoundWorkload
from autoscaler.adapters.prometheus.discovery_queries import Pods, Scope, window_s
from autoscaler.bootstrap.advise.candidates import Basis, Candidate, Confidence, Doubt, HpaAsSet, Unjudged, hpa_as_set
from autoscaler.bootstrap.checkup.asking import Notes
from autoscaler.bootstrap.checkup.queries import look_at_text
from autoscaler.domain.errors import InvalidSpec, Problem
from autoscaler.domain.workload import WorkloadRef
from autoscaler.reporting.doctor import Level
from autoscaler.spec import scalars
from autoscaler.spec.behavior import INT32_MAX, Part
from autoscaler.spec.complaints import complaints
from autoscaler.spec.composer import compose
from autoscaler.spec.nodes import Document, Listing, Node, plain
from autoscaler.spec.words import shown

MOST_BYTES: Final = 1 << 20
EXAMPLE: Final = "- {name: web, namespace: shop, query: 'sum(rate(http_requests_total[1m]))', capacity: 45}"


class TypedHpa(Part):
    """The HPA as it is set."""

    target: int = Field(ge=1, le=200, description="Percent of capacity that it aims at.", examples=[70])
    min: int = Field(default=1, ge=1, le=INT32_MAX, description="Fewest replicas.", examples=[2])
    max: int = Field(ge=1, le=INT32_MAX, description="Most replicas.", examples=[60])

    @model_validator(mode="after")
    def _in_order(self) -> TypedHpa:
        if self.min > self.max:
            raise scalars.slip(f"min {self.min} is above max {self.max}", "raise max or lower min")
        return self


class TypedQuery(Part):
    """One demand to judge."""

    name: scalars.Subdomain = Field(description="Name of the workload.", examples=["web"])
    namespace: scalars.Label = Field(default="default", description="Its namespace.", examples=["shop"])
    query: scalars.Query = Field(
        description="PromQL that answers one number: the total demand.",
        examples=['sum(rate(http_requests_total{app="web"}[1m]))'],
    )
    capacity: scalars.Quantity | None = Field(
        default=None, description="Demand that one ready replica serves. Default: derived.", examples=["45"]
    )
    hpa: TypedHpa | None = Field(
        default=None, description="Its HPA. Default: as discovered.", examples=[{"target": 70, "min": 2, "max": 60}]
    )


def read_queries(path: Path) -> tuple[TypedQuery, ...]:
    """Raises InvalidSpec with every problem of the file."""
    problems: list[Problem] = []
    found: list[TypedQuery] = []
    for document in _documents(path):
        problems += document.problems
        if document.root is None:
            continue
        if not isinstance(document.root, Listing):
            place = document.root.place
            problems.append(
                Problem(
                    document.file, *place, "", "a list is expected", shown(plain(document.root)), f"write {EXAMPLE}"
                )
            )
            continue
        seen: dict[tuple[str, str], int] = {}
        for item in document.root.items:
            entry = _entry(document, item, problems)
            if entry is None:
                continue
            first = seen.setdefault((entry.namespace, entry.name), item.place.line)
            if first != item.place.line:
                words = f"{entry.namespace}/{entry.name} stands in line {first} too"
                problems.append(Problem(document.file, *item.place, "name", words, None, "give each its own name"))
            found.append(entry)
    if problems:
        raise InvalidSpec(tuple(problems))
    if not found:
        raise InvalidSpec((Problem(str(path), 1, 1, "", "no query is in the file", None, f"write {EXAMPLE}"),))
    return tuple(found)


def _entry(document: Document, item: Node, problems: list[Problem]) -> TypedQuery | None:
    try:
        entry = TypedQuery.model_validate(plain(item))
    except ValidationError as error:
        problems += complaints(Document(document.file, item), TypedQuery, error)
        return None
    notes = Notes(entry.name)
    look_at_text(notes, entry.query)
    place = Document(document.file, item).find(("query",))[1]
    problems += [
        Problem(document.file, *place, "query", f.words, None, f.remedy) for f in notes.found if f.level is Level.WARN
    ]
    return entry


def _documents(path: Path) -> Iterator[Document]:
    try:
        with path.open("rb") as stream:
            text = stream.read(MOST_BYTES + 1).decode()
    except OSError as error:
        words = f"cannot be read: {error.strerror or error}"
        raise InvalidSpec((Problem(str(path), 0, 0, "", words, None, "check the path"),)) from None
    except UnicodeDecodeError:
        raise InvalidSpec((Problem(str(path), 0, 0, "", "is not UTF-8", None, "save it as UTF-8"),)) from None
    if len(text) > MOST_BYTES:
        raise InvalidSpec((Problem(str(path), 0, 0, "", f"is larger than {MOST_BYTES >> 20} MiB"),))
    yield from compose(text, str(path))


def typed_candidates(
    queries: Iterable[TypedQuery], found: Discovery, scope: Scope
) -> tuple[tuple[Candidate, ...], tuple[Unjudged, ...]]:
    """What the file says; what it leaves out is taken from the workload of the same name, where one is found."""
    known: dict[tuple[str, str], FoundWorkload] = {}
    for one in found.workloads:
        known.setdefault((one.key.namespace, one.key.name), one)
    made = [_typed(query, known.get((query.namespace, query.name)), found, scope) for query in queries]
    return (
        tuple(one for one in made if isinstance(one, Candidate)),
        tuple(one for one in made if isinstance(one, Unjudged)),
    )


def _typed(query: TypedQuery, one: FoundWorkload | None, found: Discovery, scope: Scope) -> Candidate | Unjudged:
    ref = WorkloadRef(query.namespace, query.name)
    hpa: HpaAsSet | Unjudged | None
    if query.hpa is not None:
        hpa = HpaAsSet(query.name, query.hpa.min, query.hpa.max, capacity_percent=query.hpa.target)
    else:
        hpa = None if one is None else hpa_as_set(one.hpas, str(ref))
    if isinstance(hpa, Unjudged):
        return hpa
    pods, cpu = None, None
    doubts: tuple[Doubt, ...] = ()
    if one is None:
        doubts = (Doubt(Confidence.MEDIUM, "kube-state-metrics knows no workload of that name"),)
    else:
        pods = Pods(scope, one.key.namespace, one.key.kind, one.key.name)
        cpu = None if CPU in found.absent else pods.cpu_cores(window_s(found.scrape_s.get(CPU, USUAL_SCRAPE_S)))
    return Candidate(
        ref, "Deployment" if one is None else one.key.kind, query.name, Basis.TYPED, query.query, pods, "typed query",
        None if one is None else one.replicas, hpa,
        None if one is None else one.request_cores, None if one is None else one.limit_cores,
        None if query.capacity is None else scalars.quantity_of(query.capacity), cpu, doubts,
    )  # fmt: skip
