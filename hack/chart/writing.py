"""values.yaml with its comments, values.schema.json, and the table of docs/chart-values.md, all from the model."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.compat import StringIO

from hack.chart.values import Values

WIDTH = 118
HEAD = "Written by `make chart` from hack/chart/values.py: change it there."
PAGE = f"""# Values of the chart

<!-- {HEAD} -->

`charts/foresail/values.schema.json` refuses what is not in this table;
[install.md](install.md) says what is chosen when.

| value | default | meaning |
|---|---|---|
"""


def fields(part: BaseModel, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Dotted name, meaning and default; the default of a value that has values of its own is a model again."""
    for name, field in type(part).model_fields.items():
        yield f"{path}{field.alias or name}", field.description or "", getattr(part, name)


def values_yaml() -> str:
    lines = [f"# {HEAD}", ""]
    _write(Values(), "", lines)
    return "\n".join(lines) + "\n"


def _write(part: BaseModel, indent: str, lines: list[str]) -> None:
    for name, meaning, default in fields(part):
        if not indent and lines[-1]:
            lines.append("")
        lines.extend(f"{indent}# {line}" for line in textwrap.wrap(meaning, WIDTH - len(indent) - 2))
        if isinstance(default, BaseModel):
            lines.append(f"{indent}{name}:")
            _write(default, f"{indent}  ", lines)
        else:
            lines.extend(f"{indent}{line}" for line in _yaml({name: default}).splitlines())


def _yaml(thing: Any) -> str:
    writer, out = YAML(), StringIO()
    writer.width = 4096
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.representer.add_representer(str, _quoted)
    writer.dump(thing, out)
    return out.getvalue()


def _quoted(representer: Any, text: str) -> Any:
    """Only what YAML would read as something else, or as nothing, is quoted."""
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style='"' if not text else None)


def schema_json() -> str:
    schema = Values.model_json_schema(by_alias=True)
    _trim(schema)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$comment": HEAD, "title": "Values of foresail"}
    return json.dumps(head | schema, indent=2, ensure_ascii=False) + "\n"


def _trim(schema: Any) -> None:
    """Titles that repeat a name say nothing; a default of an object is told by its parts."""
    if isinstance(schema, list):
        for each in schema:
            _trim(each)
    if not isinstance(schema, dict):
        return
    for part in ("properties", "$defs", "patternProperties"):
        for each in schema.get(part, {}).values():
            _trim(each)
    for part in ("items", "anyOf", "additionalProperties"):
        _trim(schema.get(part))
    if "patternProperties" in schema:
        schema["additionalProperties"] = False
    schema.pop("title", None)
    if "$ref" in schema:
        schema.pop("default", None)


def values_page() -> str:
    return PAGE + "".join(_rows(Values(), ""))


def _rows(part: BaseModel, path: str) -> Iterator[str]:
    for name, meaning, default in fields(part, path):
        if isinstance(default, BaseModel):
            yield f"| **`{name}`** | | {_cell(meaning)} |\n"
            yield from _rows(default, f"{name}.")
        else:
            yield f"| `{name}` | `{_cell(json.dumps(default))}` | {_cell(meaning)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
