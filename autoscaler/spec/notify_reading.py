"""A file of `Notifications` to a value, or to every problem with its line; what is allowed but odd is told as well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autoscaler.domain.errors import InvalidSpec, Problem
from autoscaler.spec.complaints import problem_at
from autoscaler.spec.nodes import Document
from autoscaler.spec.notify import MAX_SILENCE_S, Notifications
from autoscaler.spec.scalars import instant_of
from autoscaler.spec.single import read_single
from autoscaler.spec.words import did_you_mean


@dataclass(frozen=True, slots=True)
class Reading:
    """warnings: what works and is likely not meant."""

    notifications: Notifications
    warnings: tuple[Problem, ...]


def read_notifications(file: Path, now_s: float) -> Reading:
    """Raises InvalidSpec with every problem."""
    document, found = read_single(file, Notifications)
    wrong = tuple(_crossed(document, found))
    if wrong:
        raise InvalidSpec(wrong)
    return Reading(found, tuple(_odd(document, found, now_s)))


def _crossed(document: Document, found: Notifications) -> Iterator[Problem]:
    """Rules between parts of the file."""
    spec = found.spec
    names = [d.name for d in spec.destinations]
    for index, one in enumerate(spec.destinations):
        at = ("spec", "destinations", index)
        if one.name in names[:index]:
            yield problem_at(document, (*at, "name"), "is named twice", value=one.name, remedy="give it another name")
        if one.fallback == one.name:
            yield problem_at(document, (*at, "fallback"), "cannot stand in for itself", remedy="name another one")
        elif one.fallback is not None and one.fallback not in names:
            yield _unknown(document, (*at, "fallback"), one.fallback, names)
    for index, route in enumerate(spec.routes):
        for place, name in enumerate(route.destinations):
            if name not in names:
                yield _unknown(document, ("spec", "routes", index, "destinations", place), name, names)
    if spec.routes:
        last = spec.routes[-1]
        if last.when is not None or not last.match.value().everything:
            message = "alerts that no route fits would be told nobody: the last route must fit all"
            remedy = "end with - destinations: [NAME], or with - destinations: [] to have them recorded only"
            yield problem_at(document, ("spec", "routes", len(spec.routes) - 1), message, remedy=remedy)


def _unknown(document: Document, at: tuple[str | int, ...], name: str, names: list[str]) -> Problem:
    remedy = did_you_mean(name, names, "destinations")
    return problem_at(document, at, "no such destination", value=name, remedy=remedy)


def _odd(document: Document, found: Notifications, now_s: float) -> Iterator[Problem]:
    spec = found.spec
    for index, route in enumerate(spec.routes[:-1]):
        if route.when is None and route.match.value().everything:
            message = "fits all, so no route behind it is ever reached"
            yield problem_at(document, ("spec", "routes", index), message, remedy="move it to the end")
    for index, silence in enumerate(spec.silences):
        if instant_of(silence.until).timestamp() <= now_s:
            at = ("spec", "silences", index, "until")
            yield problem_at(document, at, "is over", value=silence.until, remedy="remove the silence")
        elif silence.from_ is None and instant_of(silence.until).timestamp() > now_s + MAX_SILENCE_S:
            at, message = (
                ("spec", "silences", index, "until"),
                "is more than 90 days from now: nobody remembers it then",
            )
            yield problem_at(document, at, message, value=silence.until, remedy="end it sooner, or route it to nobody")
    heard = {name for route in spec.routes for name in route.destinations}
    heard |= {d.fallback for d in spec.destinations if d.fallback is not None}
    for index, one in enumerate(spec.destinations):
        if spec.routes and one.name not in heard:
            at = ("spec", "destinations", index, "name")
            yield problem_at(
                document, at, "hears of nothing: no route names it", value=one.name, remedy="add it to one"
            )
    if len(spec.destinations) == 1:
        message = "is the only destination: nobody hears when it is dead, unless an Alertmanager is named too"
        yield problem_at(document, ("spec", "destinations", 0), message, remedy="add a second one")
