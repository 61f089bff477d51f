"""Cron expressions as KEDA reads them: five fields, in the grammar of github.com/robfig/cron/v3 (its standard parser).

They are checked and understood where objects that carry them are taken over; policies themselves have windows, which
say both ends and their zone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from autoscaler.spec import scalars

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class _Field(NamedTuple):
    name: str
    least: int
    most: int
    words: tuple[str, ...] = ()


_FIELDS = (
    _Field("minute", 0, 59), _Field("hour", 0, 23), _Field("day of the month", 1, 31),
    _Field("month", 1, 12, MONTHS), _Field("day of the week", 0, 6, DAYS),
)  # fmt: skip
_PART = re.compile(r"(\*|\?|\w+)(?:-(\w+))?(?:/(\w+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cron:
    """Moments that fit, by field; weekdays from 0 = Sunday. every: names of the fields that are * or ?."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    every: frozenset[str]

    @property
    def daily_at(self) -> int | None:
        """Minute of the day, where it is one moment of every day of some weekdays; else None."""
        if not {"day of the month", "month"} <= self.every or len(self.minutes) != 1 or len(self.hours) != 1:
            return None
        return min(self.hours) * 60 + min(self.minutes)


def cron_of(text: str) -> Cron:
    """Raises ValueError with the field, what is wrong with it, and the way out."""
    fields = text.split()
    if len(fields) != len(_FIELDS):
        what = "has no @-names here" if text.lstrip().startswith("@") else f"has {len(fields)} fields"
        raise scalars.slip(f"{what}, a cron expression has five", "minute hour day month weekday: 0 8 * * 1-5")
    minutes, hours, days, months, weekdays = (_values(p, field) for p, field in zip(fields, _FIELDS, strict=True))
    every = frozenset(f.name for part, f in zip(fields, _FIELDS, strict=True) if part in {"*", "?"})
    return Cron(minutes, hours, days, months, weekdays, every)


def _values(text: str, field: _Field) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise scalars.slip(f"{field.name} {part!r} is no number, range or step", "for example 0, 1-5 or */15")
        first, last, step = match.groups()
        low, high = (field.least, field.most) if first in "*?" else (_number(first, field), _number(first, field))
        if last is not None:
            if first in "*?":
                raise scalars.slip(f"{field.name} {part!r} is no range", "write both ends: 1-5")
            high = _number(last, field)
        elif step is not None and first not in "*?":
            high = field.most  # robfig: N/step runs to the end
        if low > high:
            raise scalars.slip(f"{field.name} {part!r} runs backward", "write the smaller end first, or two parts")
        pace = 1 if step is None else int(step) if step.isdigit() else 0
        if pace < 1:
            raise scalars.slip(f"{field.name} {part!r} has no step", "write a whole number above 0: */15")
        found |= set(range(low, high + 1, pace))
    return frozenset(found)


def _number(text: str, field: _Field) -> int:
    if text.lower() in field.words:
        return field.words.index(text.lower()) + field.least
    if not text.isdigit():
        names = f", or {field.words[0]} to {field.words[-1]}" if field.words else ""
        raise scalars.slip(f"{field.name} {text!r} is no number", f"{field.least} to {field.most}{names}")
    value = int(text)
    if not field.least <= value <= field.most:
        bound = f"above {field.most}" if value > field.most else f"below {field.least}"
        raise scalars.slip(f"{field.name} {value} is {bound}", f"write {field.least} to {field.most}")
    return value
