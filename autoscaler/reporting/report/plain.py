"""The report as plain values. The keys are a contract: see docs/report.md."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autoscaler.reporting.report.answer import answer, target_words
from autoscaler.reporting.report.numbers import stamp
from autoscaler.reporting.report.values import LEVELS, Estimate, Report, Stretch


def plain(report: Report) -> dict[str, Any]:
    """All that the page says, and every stretch; pictures only as the frontier's points."""
    said, subject, risk = answer(report), report.subject, report.risk
    return {
        "series": subject.name,
        "from": stamp(subject.start),
        "until": stamp(subject.end),
        "scoredFrom": stamp(subject.scored_from),
        "scoredHours": subject.scored_hours,
        "stepSeconds": subject.step_s,
        "answer": {"verdict": said.verdict, "headline": said.headline, "sentences": list(said.sentences)},
        "caveats": list(report.caveats),
        "basis": list(report.mix),
        "claims": [
            {
                "role": row.role.value,
                "title": row.title,
                "basis": row.basis.value,
                "replicaHours": _estimate(row.replica_hours),
                "shortMinutes": _estimate(row.short_minutes),
                "shortShare": row.short_share,
                "saving": _estimate(row.saving),
                "avoidedMinutes": _estimate(row.avoided_minutes),
            }
            for row in report.told_claims
        ],
        "risk": {
            "asked": risk.asked,
            "realised": risk.realised,
            "ratio": _estimate(risk.ratio),
            "scoredSteps": risk.steps,
            "expectedShortSteps": risk.expected_short,
        },
        "methods": [
            {
                "name": method.name,
                "title": method.title,
                "costOverBoundAt": {f"{level:g}": cost for level, cost in zip(LEVELS, method.cost_at, strict=True)},
                "rows": [
                    {"tuning": row.tuning, "setting": row.knob, "figures": dict(row.figures)} for row in method.rows
                ],
            }
            for method in report.methods
        ],
        "unfit": [{"name": name, "why": why} for name, why in report.unfit],
        "frontier": [
            {
                "name": curve.name,
                "points": [{"setting": p.label, "shortShare": p.share, "overBound": p.over} for p in curve.points],
            }
            for curve in report.frontier.curves
        ],
        "gaps": _stretches(report.gaps),
        "censored": _stretches(report.censored),
        "settings": {
            "yaml": report.advice.yaml,
            "hpaTargetAsSet": report.advice.as_set_target,
            "savingTarget": report.advice.saving_target,
            "words": target_words(report),
            "targetsTried": [
                {
                    "target": each.target,
                    "replicaHours": each.replica_hours,
                    "shortShare": each.short_share,
                    "riskKept": each.kept,
                }
                for each in report.advice.tried
            ],
        },
        "limits": list(report.limits),
        "assumed": dict(subject.facts),
        "notes": list(report.notes),
    }


def _estimate(found: Estimate | None) -> dict[str, float | None] | None:
    return None if found is None else {"value": found.value, "low": found.low, "high": found.high}


def _stretches(found: Iterable[Stretch]) -> list[dict[str, Any]]:
    return [
        {"from": stamp(each.start), "until": stamp(each.end), "steps": each.steps, "cause": each.cause}
        for each in found
    ]
