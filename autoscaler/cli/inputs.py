"""Reading option values: moments, durations, outputs; each error names the option and the way out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pydantic_core import PydanticCustomError

from autoscaler.domain.errors import Refused
from autoscaler.spec.scalars import MAX_DURATION_S, check_label, check_subdomain, span_s

MAX_SPEED = 86400.0


def moment(option: str, text: str | None) -> datetime | None:
    """An aware datetime from RFC 3339 text; None stays None."""
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"{option} {text!r} is not a moment; write e.g. 2026-06-10T09:00:00Z") from None
    if when.tzinfo is None:
        raise Refused(f"{option} {text!r} has no time zone; append Z for UTC, or an offset such as +02:00")
    return when


def seconds(option: str, text: str, least: float = 0.0, most: float = MAX_DURATION_S) -> float:
    """A duration such as 15s, 1h30m or 2d: one grammar for all options, each with its own limits."""
    try:
        value = span_s(text)
    except ValueError as error:
        raise Refused(f"{option} {text!r} {error}; write e.g. 15s, 3m, 1h30m or 2d") from None
    if value < least:
        raise Refused(f"{option} {text!r} must be at least {least:g}s")
    if value > most:
        raise Refused(f"{option} {text!r} is longer than {most / 3600:g} hours, the most that it takes")
    return value


def whole_seconds(option: str, text: str) -> int:
    value = seconds(option, text, least=1.0)
    if value != int(value):
        raise Refused(f"{option} {text!r} must be whole seconds")
    return int(value)


def subdomain(option: str, text: str) -> str:
    """The name of an object, such as a Lease: parts of a DNS name, with dots between them."""
    return _named(option, text, check_subdomain)


def label(option: str, text: str) -> str:
    """The name of a namespace: one part of a DNS name."""
    return _named(option, text, check_label)


def _named(option: str, text: str, check: Callable[[str], str]) -> str:
    try:
        return check(text)
    except PydanticCustomError as error:
        remedy = (error.context or {}).get("remedy")
        raise Refused(f"{option} {text!r} {error}" + (f"; {remedy}" if remedy else "")) from None


def hurried(speed: float, replay_from: str | None) -> float:
    """How much faster than time a service runs; only a past clock can be hurried."""
    if not 0 < speed <= MAX_SPEED:
        raise Refused(f"--speed {speed:g} must be positive and at most {MAX_SPEED:g}, a day in a second")
    if speed != 1 and replay_from is None:
        raise Refused("--speed needs --replay-from: live time cannot be hurried")
    return speed


def output_kind(text: str) -> str:
    if text not in {"table", "json"}:
        raise Refused(f"--output {text!r} is not known; use table or json")
    return text


def folder(option: str, path: Path) -> Path:
    """The folder, made if it is not there yet; that it was made is said on stderr, or a slip in a path would hide."""
    new = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"{option} {path}: no folder can be made there ({error.strerror}); name another") from None
    if new:
        sys.stderr.write(f"foresail: {option}: made the folder {path}\n")
    return path


def folder_of(option: str, path: Path) -> None:
    """The same for the folder that a file is to be in."""
    folder(option, path.parent)


def switch(option: str, text: str) -> bool:
    """On or off."""
    if text not in {"on", "off"}:
        raise Refused(f"{option} {text!r} is not known; write on or off")
    return text == "on"


def recipe(path: Path | None, *, looked_for: bool, remedy: str, checked: bool = True) -> Path | None:
    """A recipe of further detectors, which only counts where anomalies are looked for. remedy: how they would be.

    checked: Refused where it cannot work, InvalidSpec with every problem; without, who reads it tells, and goes on.
    """
    if path is not None and not looked_for:
        raise Refused(f"--detectors {path}: no anomalies are looked for; {remedy}, or leave --detectors out")
    if path is not None and checked:
        from autoscaler.adapters.pyod_recipe import recipe_names

        recipe_names(path)
    return path


def time_zone(option: str, text: str) -> str:
    """The name of an IANA zone."""
    from pydantic_core import PydanticCustomError

    from autoscaler.spec.when import zone_of

    try:
        return zone_of(text)
    except PydanticCustomError as error:
        remedy = (error.context or {}).get("remedy")
        raise Refused(f"{option} {text!r} {error.message()}; {remedy}") from None
