"""When a rule of a policy holds: weekly hours, hours of dates, or one span; and how that is written."""

from __future__ import annotations

import re
import zoneinfo
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from autoscaler.domain.calendar import DAY_MINUTES, Hours, Once, Window
from autoscaler.spec import scalars
from autoscaler.spec.behavior import Part
from autoscaler.spec.words import did_you_mean

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MAX_SPAN_S = 366 * 86400.0
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def minute_of(text: str) -> int:
    """Minutes of the day for "08:30"; 1440 for "24:00"."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise scalars.slip("is not a time of the day", 'write hours and minutes in quotes: "08:30", at most "24:00"')
    return DAY_MINUTES if match[1] is None else int(match[1]) * 60 + int(match[2])


def date_of(text: str) -> date:
    """The day "2026-12-24" names."""
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        raise scalars.slip("is no day of the calendar", "check month and day") from None
    raise scalars.slip("is not a date", 'write year, month and day in quotes: "2026-12-24"')


def zone_of(text: str) -> str:
    """The name of an IANA zone that this machine knows; offsets and abbreviations are refused, as they have no DST."""
    if text == "UTC":
        return text
    try:
        known = "/" in text and bool(zoneinfo.ZoneInfo(text))
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        known = False
    if not known:
        names = zoneinfo.available_timezones()
        if not names:
            raise scalars.slip("cannot be looked up: this machine has no time zones", "install tzdata, or write UTC")
        nearest = did_you_mean(text, (n for n in names if "/" in n or n == "UTC"), "zones").partition("?")[0]
        remedy = f"{nearest}?" if nearest.startswith("did you mean") else 'for example "Europe/Berlin", or "UTC"'
        raise scalars.slip("is not an IANA time zone", remedy)
    return text


def _kept_text(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


def _clock(text: str) -> str:
    minute_of(text)
    return text


def _day(text: str) -> str:
    date_of(text)
    return text


def _weekday(text: str) -> str:
    if text not in DAYS:
        raise scalars.slip("is not a weekday", did_you_mean(text, DAYS, "weekdays"))
    return text


Clock = Annotated[str, AfterValidator(_clock), _kept_text(r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
Day = Annotated[str, AfterValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
Weekday = Annotated[str, AfterValidator(_weekday), WithJsonSchema({"type": "string", "enum": list(DAYS)})]
Zone = Annotated[str, AfterValidator(zone_of)]
Weekdays = Annotated[tuple[Weekday, ...], Field(strict=False, min_length=1, max_length=7)]
Dates = Annotated[tuple[Day, ...], Field(strict=False, min_length=1, max_length=400)]

_FROM = 'Start of the window, hours and minutes of the zone\'s wall clock, in quotes. Default "00:00".'
_TO = 'End, outside the window; at or before the start it is on the next day. Default "24:00".'
_ZONE = "IANA name of the zone whose clock counts, summer time included."


class _HoursSpec(Part):
    """Hours of a day."""

    from_: Clock = Field(default="00:00", alias="from", description=_FROM, examples=["08:00"])
    to: Clock = Field(default="24:00", description=_TO, examples=["20:00"])
    time_zone: Zone = Field(description=_ZONE, examples=["Europe/Berlin"])

    @model_validator(mode="after")
    def _starts_in_a_day(self) -> _HoursSpec:
        if self.from_ == "24:00":
            raise scalars.slip('a window cannot start at "24:00"', 'write "00:00" and the next day', ("from",))
        return self


class WeeklySpec(_HoursSpec):
    """Hours of weekdays; an overnight window belongs to the day on which it starts."""

    days: Weekdays = Field(description="Mon, Tue, Wed, Thu, Fri, Sat, Sun.", examples=[["Mon", "Fri"]])


class DatesSpec(_HoursSpec):
    """Hours of single days, such as holidays."""

    list_: Dates = Field(alias="list", description="The days, each in quotes.", examples=[["2026-12-24", "2026-12-31"]])


class OnceSpec(Part):
    """One span of time."""

    from_: scalars.Instant = Field(
        alias="from", description="Start: RFC 3339 with a zone, in quotes.", examples=["2026-11-27T06:00:00Z"]
    )
    until: scalars.Instant = Field(
        description="End, outside the span: RFC 3339 with a zone, in quotes.", examples=["2026-11-30T06:00:00Z"]
    )

    @model_validator(mode="after")
    def _forward(self) -> OnceSpec:
        start, end = scalars.instant_of(self.from_), scalars.instant_of(self.until)
        if start >= end:
            raise scalars.slip("ends before it starts", "swap from and until", ("until",))
        if (end - start).total_seconds() > MAX_SPAN_S:
            raise scalars.slip("is longer than a year", "a rule without an end belongs into replicas", ("until",))
        return self


class WhenSpec(Part):
    """When a rule holds: exactly one of the three ways."""

    weekly: WeeklySpec | None = Field(
        default=None,
        description="Every week, on some days, at some hours.",
        examples=[{"days": ["Mon"], "from": "08:00", "to": "20:00", "timeZone": "Europe/Berlin"}],
    )
    dates: DatesSpec | None = Field(
        default=None,
        description="On single days.",
        examples=[{"list": ["2026-12-24"], "timeZone": "Europe/Berlin"}],
    )
    once: OnceSpec | None = Field(
        default=None,
        description="Once, from one moment until another.",
        examples=[{"from": "2026-11-27T06:00:00Z", "until": "2026-11-30T06:00:00Z"}],
    )

    @model_validator(mode="before")
    @classmethod
    def _no_cron(cls, given: object) -> object:
        if isinstance(given, dict) and given.get("cron") is not None:
            remedy = 'write weekly: {days: [Mon], from: "08:00", to: "20:00", timeZone: Europe/Berlin}'
            raise scalars.slip("a cron expression has no end, and no zone of its own", remedy, ("cron",))
        return given

    @model_validator(mode="after")
    def _one_way(self) -> WhenSpec:
        ways = [name for name in ("weekly", "dates", "once") if getattr(self, name) is not None]
        if len(ways) != 1:
            said = " and ".join(ways) or "none"
            raise scalars.slip(f"takes exactly one of weekly, dates and once, not {said}", "split it into two rules")
        return self


def window_of(when: WhenSpec) -> Window:
    """The domain's window."""
    if when.once is not None:
        start, end = scalars.instant_of(when.once.from_), scalars.instant_of(when.once.until)
        return Once(start.timestamp(), end.timestamp())
    hours = when.weekly or when.dates
    if hours is None:
        raise ValueError("a window that says when")
    return Hours(
        zone=hours.time_zone,
        start_min=minute_of(hours.from_),
        end_min=minute_of(hours.to),
        days=tuple(sorted({DAYS.index(d) for d in hours.days})) if isinstance(hours, WeeklySpec) else (),
        dates=tuple(sorted({date_of(d) for d in hours.list_})) if isinstance(hours, DatesSpec) else (),
    )
