"""Models as structural schemas, the form that an API server takes: types, bounds, defaults, rules in CEL, and words.

The models that validate files are the only definition. A kind of text that `crd_text` does not know is an error here.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from autoscaler.spec import kinds
from autoscaler.spec.behavior import INT32_MAX, ScaleDownSpec, ScaleUpSpec
from autoscaler.spec.complaints import flow
from autoscaler.spec.crd_rules_policy import BETWEEN
from autoscaler.spec.crd_status import ConditionStatus
from autoscaler.spec.crd_text import GRAMMARS, KEYS, LOOSE, VALUES, Grammar, Loose, Rule
from autoscaler.spec.saying import Saying

Schema = dict[str, Any]

FILLED_BY_POLICIES: dict[type[BaseModel], frozenset[str]] = {
    kinds.PredictiveAutoscalerSpec: frozenset({"objective", "headroom", "max_data_age", "behavior"}),
    kinds.ReplicasSpec: frozenset({"min"}),
    ScaleUpSpec: frozenset(ScaleUpSpec.model_fields),
    ScaleDownSpec: frozenset(ScaleDownSpec.model_fields),
}
"""Fields that `defaults` of a GuardPolicy fill where they are not written: a default of the server's would be a word of
the workload's own, and no policy could speak. Their defaults stand in their descriptions."""

_BLANK = "self.trim() == ''"
_BOUNDS: tuple[tuple[type, str, str, bool], ...] = (
    (Ge, "ge", "minimum", False),
    (Gt, "gt", "minimum", True),
    (Le, "le", "maximum", False),
    (Lt, "lt", "maximum", True),
)


def schema_of(model: type[BaseModel]) -> Schema:
    """The structural schema of a model: every field with a description, an example and, where it has one, a default."""
    properties = {field.alias or name: _field(model, name, field) for name, field in model.model_fields.items()}
    schema: Schema = {"type": "object", "properties": dict(sorted(properties.items()))}
    required = sorted(field.alias or name for name, field in model.model_fields.items() if field.is_required())
    if required:
        schema["required"] = required
    rules: list[Rule] = []
    for base in reversed(model.__mro__):
        between = BETWEEN.get(base)
        if between is not None:
            rules += between.rules
            schema |= between.schema
    if rules:
        schema["x-kubernetes-validations"] = [_validation(rule) for rule in rules]
    return schema


def _field(owner: type[BaseModel], name: str, field: FieldInfo) -> Schema:
    optional = not field.is_required()
    try:
        schema = _typed(field.annotation, field.metadata, optional=optional)
    except KeyError as error:
        raise TypeError(f"{owner.__name__}.{name}: {error.args[0]}") from None
    if not field.description or not field.examples:
        raise TypeError(f"{owner.__name__}.{name} needs a description and an example")
    if not optional and schema.get("type") == "string" and not {"enum", "pattern"} & set(schema):
        rules = schema.get("x-kubernetes-validations", [])
        schema["x-kubernetes-validations"] = [_validation(Rule(f"!({_BLANK})", "is missing: it is left blank")), *rules]
    default = _default(owner, name, field)
    return {"description": _words(field, schema), **schema, **({} if default is None else {"default": default})}


def _words(field: FieldInfo, schema: Schema) -> str:
    """What `kubectl explain` prints: what it is, what its parts are together, one example."""
    words = str(field.description)
    model = _model_in(field.annotation)
    if model is not None and model.__doc__ and get_origin(field.annotation) is not tuple:
        for sentence in " ".join(model.__doc__.split()).rstrip(".").split(". "):
            words += "" if sentence.casefold() in words.casefold() else f" {sentence}."
    if schema.get("x-kubernetes-preserve-unknown-fields") and "quantity" not in words:
        words += " A quantity in quotes, or a plain number."
    return f"{words} Example: {flow((field.examples or [''])[0])}"


def _default(owner: type[BaseModel], name: str, field: FieldInfo) -> Any:
    """The model's default, where the server may write it into the object; None where it must not or there is none."""
    if field.is_required() or name in FILLED_BY_POLICIES.get(owner, ()) or issubclass(owner, Saying):
        return None
    default = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, BaseModel):
        return {}
    return to_jsonable_python(default)


def _typed(annotation: Any, metadata: Sequence[Any], *, optional: bool) -> Schema:
    annotation, metadata = _unwrapped(annotation, metadata)
    found: Any
    if (found := _first(LOOSE, metadata)) is not None:
        return _loose(found, optional=optional)
    origin = get_origin(annotation)
    if origin is Literal:
        return _enum(get_args(annotation), optional=optional)
    if origin is tuple:
        return _list(get_args(annotation)[0], metadata)
    if origin is dict:
        return _mapping(metadata)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _enum([member.value for member in annotation], optional=optional)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return schema_of(annotation)
    if annotation is str:
        return _plain_text(metadata, optional=optional)
    if annotation is bool:
        return {"type": "boolean"}
    if annotation is int:
        bounds = _bounds(metadata)
        width = "int32" if bounds.get("maximum", INT32_MAX + 1) <= INT32_MAX else "int64"
        return {"type": "integer", "format": width, **bounds}
    if annotation is float:
        return {"type": "number", "format": "double", **_bounds(metadata)}
    raise KeyError(f"no schema for {annotation!r}")


def _unwrapped(annotation: Any, metadata: Sequence[Any]) -> tuple[Any, list[Any]]:
    """The bare type without None, and everything that is said about it."""
    said = [part for m in metadata for part in (m.metadata if isinstance(m, FieldInfo) else [m])]
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return _unwrapped(inner, [*more, *said])
    if get_origin(annotation) in {Union, types.UnionType}:
        known = [a for a in get_args(annotation) if a is not type(None)]
        if len(known) == 1:
            return _unwrapped(known[0], said)
    return annotation, said


def _first(table: Mapping[Any, Any], metadata: Sequence[Any]) -> Any:
    return next((table[m.func] for m in metadata if getattr(m, "func", None) in table), None)


def _plain_text(metadata: Sequence[Any], *, optional: bool) -> Schema:
    checks = [m.func for m in metadata if hasattr(m, "func")]
    unknown = [check for check in checks if check not in GRAMMARS]
    if unknown:
        raise KeyError(f"crd_text has no grammar for what {unknown[0].__qualname__} checks")
    grammar = GRAMMARS[checks[0]] if checks else Grammar()
    return _text(grammar, optional=optional) | _sizes(metadata, "Length")


def _text(grammar: Grammar, *, optional: bool) -> Schema:
    """Blank is absent where a text may be absent, and missing where it must be there."""
    if grammar.choices:
        return _enum(grammar.choices, optional=optional)
    schema: Schema = {"type": "string"}
    if grammar.longest is not None:
        schema["maxLength"] = grammar.longest
    if grammar.pattern is not None:
        schema["pattern"] = rf"^\s*$|{grammar.pattern}" if optional else grammar.pattern
    rules: Sequence[Rule] = grammar.rules
    if optional:
        rules = [Rule(f"{_BLANK} || ({rule.expression})", rule.message) for rule in rules]
    if rules:
        schema["x-kubernetes-validations"] = [_validation(rule) for rule in rules]
    return schema


def _mapping(metadata: Sequence[Any]) -> Schema:
    """Names and values are text."""
    value = _text(_first(VALUES, metadata) or Grammar(), optional=False)
    schema: Schema = {"type": "object", "additionalProperties": value, **_sizes(metadata, "Properties")}
    rules = _first(KEYS, metadata)
    if rules:
        schema["x-kubernetes-validations"] = [_validation(rule) for rule in rules]
    return schema


def _enum(values: Sequence[Any], *, optional: bool) -> Schema:
    return {"type": "string", "enum": [*values, *([""] if optional else [])]}


def _loose(said: Loose, *, optional: bool) -> Schema:
    """A number or a text: everything else is refused by bounds that it cannot keep."""
    return {
        "x-kubernetes-preserve-unknown-fields": True,
        "not": {"enum": [True, False]},
        "minimum": said.above,
        "exclusiveMinimum": True,
        "pattern": rf"^\s*$|{said.pattern}" if optional else said.pattern,
        "maxLength": said.longest,
        "minItems": 1,
        "maxItems": 0,
        "minProperties": 1,
        "maxProperties": 0,
    }


def _list(item: Any, metadata: Sequence[Any]) -> Schema:
    """Things with names, and conditions, are a map by these: none stands twice, and appliers can share a list."""
    model = _model_in(item)
    key = "type" if model is ConditionStatus else "name"
    kind: Schema = {"x-kubernetes-list-type": "atomic"}
    if model is not None and key in model.model_fields:
        kind = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
    return {"type": "array", "items": _typed(item, (), optional=False), **_sizes(metadata, "Items"), **kind}


def _sizes(metadata: Sequence[Any], what: str) -> Schema:
    found: Schema = {}
    for said in metadata:
        if isinstance(said, MinLen):
            found[f"min{what}"] = said.min_length
        elif isinstance(said, MaxLen):
            found[f"max{what}"] = said.max_length
    return found


def _bounds(metadata: Sequence[Any]) -> Schema:
    found: Schema = {}
    for said in metadata:
        for kind, attribute, name, exclusive in _BOUNDS:
            if isinstance(said, kind):
                found[name] = getattr(said, attribute)
                if exclusive:
                    found[f"exclusive{name.capitalize()}"] = True
    return found


def _validation(rule: Rule) -> Schema:
    said: Schema = {"rule": rule.ratcheting, "message": rule.message}
    if rule.reads:
        said["optionalOldSelf"] = True
    return said | ({"fieldPath": rule.at} if rule.at else {})


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for a in get_args(annotation) if (m := _model_in(a)) is not None), None)
