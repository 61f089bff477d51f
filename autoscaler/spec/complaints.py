"""Pydantic's errors as Problems: with place, field path, the value as written, and a way out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from autoscaler.domain.errors import Problem
from autoscaler.spec.nodes import Document, Listing, Node, Scalar, Table
from autoscaler.spec.words import did_you_mean, path_words, shown

_MAX_PER_DOCUMENT = 100

Loc = tuple[str | int, ...]


def problem_at(
    document: Document, path: Sequence[str | int], message: str, *, value: str | None = None, remedy: str | None = None
) -> Problem:
    """A Problem where the node at `path` stands, or the nearest one above it."""
    _, place = document.find(path)
    return Problem(document.file, place.line, place.column, path_words(path), message, value, remedy)


def complaints(document: Document, model: type[BaseModel], error: ValidationError) -> Iterator[Problem]:
    """One Problem for each error, in the order of the file; a value already complained about stays out."""
    known = {(p.line, p.column) for p in document.problems}
    details = [d for d in error.errors(include_url=False, include_input=False) if not _echo(document, d)]
    found = [_complaint(document, model, detail) for detail in details[:_MAX_PER_DOCUMENT]]
    yield from sorted((p for p in found if (p.line, p.column) not in known), key=lambda p: (p.line, p.column))
    if len(details) > _MAX_PER_DOCUMENT:
        yield problem_at(document, (), f"and {len(details) - _MAX_PER_DOCUMENT} more problems in this document")


def _echo(document: Document, detail: Mapping[str, Any]) -> bool:
    """Pydantic counts only valid entries; a list that is long enough as written is no fault of its own."""
    node, _ = document.find(detail["loc"])
    if detail["type"] != "too_short" or not isinstance(node, Listing):
        return False
    return len(node.items) >= int(detail["ctx"]["min_length"])


def _complaint(document: Document, model: type[BaseModel], detail: Mapping[str, Any]) -> Problem:
    kind, ctx = str(detail["type"]), detail.get("ctx", {})
    loc: Loc = (*(part for part in detail["loc"] if part != "[key]"), *ctx.get("at", ()))
    field = _field(model, loc)
    name = str(loc[-1]) if loc else "the document"
    if kind == "missing":
        node, _ = document.find(loc)
        _, place = document.find(loc[:-1])
        message = "is missing" if node is None else "is missing: it is left blank"
        return Problem(document.file, *place, path_words(loc), message, None, _write(name, field))
    if kind == "extra_forbidden":
        place = document.key_place(loc)
        return Problem(
            document.file, *place, path_words(loc), f"unknown field {shown(name)}", None, _unknown(model, loc)
        )
    if ctx.get("of_key"):
        place = document.key_place(loc)
        return Problem(document.file, *place, path_words(loc), ctx["text"], shown(name), ctx["remedy"])
    node, place = document.find(loc)
    message, remedy = _words(kind, ctx, str(detail["msg"]), node, field)
    hidden = ctx.get("secret") or (kind == "slip" and not isinstance(node, Scalar)) or _may_be_secret(field, kind)
    value = None if node is None or hidden else shown(_shallow(node))
    return Problem(document.file, *place, path_words(loc), message, value, remedy)


def _may_be_secret(field: FieldInfo | None, kind: str) -> bool:
    """Whether somebody may have written a secret itself where the place of one is asked for."""
    model = _model_in(field.annotation) if field and kind in _SHAPES else None
    return bool(getattr(model, "names_secret", False))


def _words(
    kind: str, ctx: Mapping[str, Any], said: str, node: Node | None, field: FieldInfo | None
) -> tuple[str, str | None]:
    value = node.value if isinstance(node, Scalar) else None
    if kind == "slip":
        return ctx["text"], ctx["remedy"]
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return f"must be {words} {ctx[key]}", None
    if kind in {"enum", "literal_error"}:
        names = re.findall(r"'([^']*)'", str(ctx["expected"]))
        if not isinstance(value, str):
            return "must be one of " + ", ".join(names), None
        return "is not a choice here", did_you_mean(value, names, "choices")
    if kind == "too_short":
        return f"needs at least {ctx['min_length']} entry", _write("it", field)
    if kind == "too_long":
        return f"takes at most {ctx['max_length']} entries", None
    if kind == "string_type":
        if field is None and isinstance(value, (int, float)):
            return "must be text", f'quote it: "{shown(value)}"'
        return "must be text", f"for example {shown(field.examples[0])}" if field and field.examples else None
    if kind in {"int_type", "float_type"}:
        unquoted = isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,18})?", value)
        remedy = f"write {value} without quotes" if unquoted else _write("it", field)
        return f"must be a {'whole ' if kind == 'int_type' else ''}number", remedy
    if kind in _SHAPES:
        what = "a blank entry" if node is not None and value is None and isinstance(node, Scalar) else None
        return _SHAPES[kind] + (f", not {what}" if what else ""), _write("it", field)
    return said[:1].lower() + said[1:], None


_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("greater than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}
_SHAPES = {
    "model_type": "must be a mapping (name: value)",
    "model_attributes_type": "must be a mapping (name: value)",
    "dict_type": "must be a mapping (name: value)",
    "tuple_type": "must be a list (- entry)",
}


def _write(name: str, field: FieldInfo | None) -> str | None:
    """The field's own example, as flow YAML that could be pasted."""
    if field is None or not field.examples:
        return None
    return f"write {name}: {flow(field.examples[0])}" if name != "it" else f"for example {flow(field.examples[0])}"


def flow(value: object) -> str:
    """A value in YAML's flow style."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(flow(v) for v in value) + "]"
    is_word = isinstance(value, str) and re.fullmatch(r"[A-Za-z][A-Za-z_./-]*", value)
    return str(value) if is_word else shown(value)


def _unknown(model: type[BaseModel], loc: Loc) -> str:
    owner = _model_at(model, loc[:-1])
    names = [f.alias or n for n, f in owner.model_fields.items()] if owner else []
    if loc == ("metadata", "namespace"):
        return "this kind is cluster-scoped: remove the namespace"
    return did_you_mean(str(loc[-1]), names, "fields here")


def _model_at(model: type[BaseModel], loc: Loc) -> type[BaseModel] | None:
    while loc and isinstance(loc[-1], int):  # an item is what its list is of
        loc = loc[:-1]
    if not loc:
        return model
    field = _field(model, loc)
    return _model_in(field.annotation) if field else None


def _field(model: type[BaseModel], loc: Loc) -> FieldInfo | None:
    """The field that `loc` names; an index stays with its list."""
    owner: type[BaseModel] | None = model
    field: FieldInfo | None = None
    for index, part in enumerate(loc):
        if isinstance(part, int):
            continue
        fields = {f.alias or n: f for n, f in owner.model_fields.items()} if owner else {}
        field = fields.get(part)
        if field is None:
            return None
        owner = _model_in(field.annotation)
        if owner is None and index + 1 < len(loc) and isinstance(loc[index + 1], str):
            return None
    return None if loc and isinstance(loc[-1], int) else field


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside an optional, annotated or listed annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        if (model := _model_in(inner)) is not None:
            return model
    return None


def _shallow(node: Node) -> object:
    if isinstance(node, Scalar):
        return node.value
    return {} if isinstance(node, Table) else []
