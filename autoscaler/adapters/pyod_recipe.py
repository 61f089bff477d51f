"""A recipe of further detectors, a YAML file, to detectors; or to every problem of it with its line."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from autoscaler.adapters.pyod_detectors import KINDS, PyodDetector
from autoscaler.domain.errors import InvalidSpec, Problem, Refused
from autoscaler.spec.complaints import problem_at
from autoscaler.spec.nodes import Document
from autoscaler.spec.single import read_single
from autoscaler.spec.words import did_you_mean

NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"


class Plugged(BaseModel):
    """One further detector: what pyod class it is, and that class's own parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(pattern=f"^{NAME}$", description="How its scores are called")]
    detector: Annotated[str, Field(description=f"One of {', '.join(KINDS)}")]
    parameters: Annotated[dict[str, bool | int | float | str], Field(description="Of pyod's class")] = {}


class DetectorRecipe(BaseModel):
    """Detectors beside the engine's own; each counts as much as one of those in the page track."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: Literal["DetectorRecipe"]
    detectors: Annotated[tuple[Plugged, ...], Field(min_length=1, max_length=8, strict=False)]


def read_recipe(file: Path) -> tuple[PyodDetector, ...]:
    """The detectors of a recipe. Raises InvalidSpec with every problem, ImportError where pyod is not installed."""
    document, found = read_single(file, DetectorRecipe)
    wrong = tuple(_wrong(document, found))
    if wrong:
        raise InvalidSpec(wrong)
    return tuple(PyodDetector(one.name, one.detector, one.parameters) for one in found.detectors)


def recipe_names(file: Path) -> tuple[str, ...]:
    """Names of a recipe's detectors, checked as far as that needs no pyod, which takes seconds to load.

    Raises InvalidSpec with every problem, Refused where pyod is not installed.
    """
    document, found = read_single(file, DetectorRecipe)
    wrong = tuple(_misnamed(document, found))
    if wrong:
        raise InvalidSpec(wrong)
    if find_spec("pyod") is None:
        raise Refused(f"{file}: pyod is not installed; install foresail[server], or leave the recipe out")
    return tuple(one.name for one in found.detectors)


def _misnamed(document: Document, found: DetectorRecipe) -> Iterator[Problem]:
    names = [one.name for one in found.detectors]
    for k, one in enumerate(found.detectors):
        at = ("detectors", k)
        if one.name in names[:k]:
            yield problem_at(document, (*at, "name"), "is named twice", value=one.name, remedy="give it another name")
        if one.detector not in KINDS:
            remedy = did_you_mean(one.detector, list(KINDS), "detectors")
            yield problem_at(document, (*at, "detector"), "no such detector", value=one.detector, remedy=remedy)


def _wrong(document: Document, found: DetectorRecipe) -> Iterator[Problem]:
    yield from _misnamed(document, found)
    for k, one in enumerate(found.detectors):
        at = ("detectors", k)
        if one.detector not in KINDS:
            continue
        known = _parameters(one.detector)
        for name, value in one.parameters.items():
            if name not in known:
                remedy = did_you_mean(name, sorted(known), "parameters")
                message = f"is no parameter of pyod's {one.detector}"
                yield problem_at(document, (*at, "parameters", name), message, value=str(value), remedy=remedy)
        if one.parameters and known.issuperset(one.parameters):
            why = PyodDetector(one.name, one.detector, one.parameters).tried()
            if why:
                message = f"are no parameters that {one.detector} works with: {why}"
                yield problem_at(
                    document, (*at, "parameters"), message, remedy="see pyod's page of it, or leave them out"
                )


def _parameters(detector: str) -> set[str]:
    """`contamination` sets a threshold, and here the page track does; `n_jobs` would start processes of its own."""
    kind = KINDS[detector]
    made: Any = getattr(import_module(kind.module), kind.name)
    return set(inspect.signature(made.__init__).parameters) - {"self", "contamination", "n_jobs", "verbose"}
