"""The reference of a kind as Markdown, from the models: every field with its type, default and an example."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from autoscaler.spec.complaints import flow
from autoscaler.spec.crd_status import STATUSES
from autoscaler.spec.kinds import KINDS
from autoscaler.spec.schema import SCHEMAS


def reference(*kinds: str) -> str:
    """A page: a table for each part of the kinds, a part that several share once."""
    return _page("foresail policy schema --reference", {kind: SCHEMAS[kind] for kind in kinds})


def cluster_reference() -> str:
    """A page of what a cluster has beside policies: workloads and sources, and the status of all kinds."""
    kinds = {kind: SCHEMAS[kind] for kind in KINDS if kind != "GuardPolicy"}
    return _page("foresail crds --reference", {**kinds, **{f"{kind}.status": m for kind, m in STATUSES.items()}})


def _page(command: str, parts: Mapping[str, type[BaseModel]]) -> str:
    lines = [
        "# Reference",
        "",
        f"Generated from the models by `{command}`; do not edit. What two fields share stands",
        "once, under the first of them.",
        "",
    ]
    seen: set[type[BaseModel]] = set()
    for name, model in parts.items():
        lines += _part(model, (name,), seen)
    return "\n".join(lines).rstrip() + "\n"


def _part(model: type[BaseModel], path: tuple[str, ...], seen: set[type[BaseModel]]) -> Iterator[str]:
    if model in seen:
        return
    seen.add(model)
    below: list[tuple[type[BaseModel], tuple[str, ...]]] = []
    yield f"## {path[0]}" + (f": {'.'.join(path[1:])}" if path[1:] else "")
    yield ""
    if model.__doc__:
        yield " ".join(model.__doc__.split())
        yield ""
    yield "| field | type | | example |"
    yield "|---|---|---|---|"
    for name, field in model.model_fields.items():
        written = field.alias or name
        inner = _model_in(field.annotation)
        if inner is not None:
            below.append((inner, (*path, written)))
        must = " **Required.**" if field.is_required() else ""
        example = f"`{_cell(flow(field.examples[0]))}`" if field.examples else ""
        yield f"| `{written}` | {_type(field)} | {_cell(field.description or '')}{must} | {example} |"
    yield ""
    for inner, place in below:
        yield from _part(inner, place, seen)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _type(field: FieldInfo) -> str:
    return _words(field.annotation)


def _words(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _words(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        return " or ".join(dict.fromkeys(_words(a) for a in get_args(annotation) if a is not type(None)))
    if origin is Literal:
        return ", ".join(str(a) for a in get_args(annotation))
    if origin is tuple:
        return f"list of {_words(get_args(annotation)[0])}"
    if origin is dict:
        return "mapping"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(str(member.value) for member in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping"
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    return names.get(annotation, "text") if isinstance(annotation, type) else "text"


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for a in get_args(annotation) if (m := _model_in(a)) is not None), None)
