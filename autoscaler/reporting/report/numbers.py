"""Numbers and moments as a reader meets them. Unknown is said as such, never shown as zero."""

from __future__ import annotations

from datetime import datetime

from autoscaler.reporting.report.values import Estimate

UNKNOWN = "unknown"


def percent(share: float | None, digits: int = 3) -> str:
    """Three digits that matter; below 0.001 % that is said."""
    if share is None:
        return UNKNOWN
    value = share * 100
    if value and abs(value) < 0.001:
        return "under 0.001 %"
    return f"{value:,.0f} %" if abs(value) >= 100 else f"{value:.{digits}g} %"


def number(value: float | None, digits: int = 2) -> str:
    return UNKNOWN if value is None else f"{value:,.{digits}f}"


def short_number(value: float) -> str:
    """For an axis: 950, 1.2 k, 3.4 M."""
    for size, sign in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size * 0.9999:
            return f"{value / size:.3g}{sign}"
    return f"{value:.3g}"


def hours(value: float) -> str:
    return f"{value:,.0f} replica-hours" if value >= 100 else f"{value:,.1f} replica-hours"


def minutes(value: float) -> str:
    return f"{value:,.0f} minute{'' if round(value) == 1 else 's'}"


def span_words(low: str, high: str) -> str:
    """Without the unit twice: "4.1 to 6.2 %"."""
    return low if low == high else f"{low.removesuffix(' %')} to {high}" if high.endswith(" %") else f"{low} to {high}"


def interval(estimate: Estimate, digits: int = 0) -> str:
    if estimate.low is None or estimate.high is None:
        return "no interval"
    return f"{estimate.low:,.{digits}f} – {estimate.high:,.{digits}f}"


def moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M}"


def stamp(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


def duration(seconds: float) -> str:
    """The two largest units: 3 d 4 h, 45 min."""
    parts = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    left, said = round(seconds), []
    for size, unit in parts:
        count, left = divmod(left, size)
        if count:
            said.append(f"{count} {unit}")
    return " ".join(said[:2]) or "0 s"
