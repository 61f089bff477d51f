"""Methods by the names that a reader knows."""

from __future__ import annotations

from typing import Final

TITLES: Final = {
    "foresail": "Foresail",
    "hpa-300s": "HPA, scale-down window 300 s",
    "hpa-900s": "HPA, scale-down window 900 s",
    "hpa-1800s": "HPA, scale-down window 1800 s",
    "hpa-3600s": "HPA, scale-down window 3600 s",
    "keda-cron": "KEDA: HPA with cron floors",
    "phpa-linear": "PHPA, linear, on replicas",
    "phpa-holt-winters": "PHPA, Holt-Winters, on replicas",
    "phpa-linear-demand": "PHPA, linear, on demand",
    "phpa-holt-winters-demand": "PHPA, Holt-Winters, on demand",
    "crane-dsp": "Crane DSP",
    "crane-dsp-3d": "Crane DSP, three days",
    "aws-hourly-mean": "AWS-like, hourly mean",
    "aws-hourly-max": "AWS-like, hourly maximum",
    "same-time-q95": "same time of day, q95",
    "max15": "trailing maximum, 15 minutes",
    "max60": "trailing maximum, 1 hour",
    "max180": "trailing maximum, 3 hours",
    "max1440": "trailing maximum, 1 day",
    "seasonal-naive": "seasonal-naive",
    "static": "a constant count",
}


def title_of(name: str) -> str:
    return TITLES.get(name, name)


def knob_words(name: str, knob: float | None) -> str:
    """A setting as its users write it; None = it changes, or there is none."""
    if knob is None:
        return "changes daily"
    if name == "static":
        return f"{knob:,.0f} replicas"
    if name == "foresail":
        return f"risk {knob * 100:.3g} %"
    return f"target {knob * 100:.0f} %"
