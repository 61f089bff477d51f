"""A backtest as plain values. The keys are a contract: see docs/backtest.md."""

from __future__ import annotations

from typing import Any

from autoscaler.reporting.backtest.values import BacktestReport, ModelRow, Part, PooledPart
from autoscaler.reporting.report.numbers import stamp


def plain(report: BacktestReport) -> dict[str, Any]:
    return {
        "title": report.title,
        "baseline": report.baseline,
        "series": [_part(part) for part in report.parts],
        "pooled": [_pooled(part) for part in report.pooled],
        "warnings": list(report.warnings),
        "notes": list(report.notes),
        "tookSeconds": round(report.took_s, 2),
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "series": part.series,
        "from": stamp(part.start),
        "until": stamp(part.end),
        "scoredFrom": stamp(part.scored_from),
        "stepSeconds": part.step_s,
        "originEverySeconds": part.every_s,
        "horizonSeconds": part.horizon_s,
        "origins": part.origins,
        "models": [_row(row, part.levels) for row in part.rows],
    }


def _pooled(part: PooledPart) -> dict[str, Any]:
    return {
        "horizonSeconds": part.horizon_s,
        "series": part.series,
        "models": [_row(row, part.levels) | _means(row) for row in part.rows],
    }


def _row(row: ModelRow, levels: tuple[float, ...]) -> dict[str, Any]:
    sizing = row.sizing
    return {
        "model": row.model,
        "quantileLoss": row.loss,
        "relativeLoss": row.relative,
        "mase": row.mase,
        "peakCoverage": _by_level(levels, row.peak_coverage),
        "stepCoverage": _by_level(levels, row.step_coverage),
        "q95OverPeak": row.size,
        "decision": None
        if sizing is None
        else {
            "overBound": sizing.over_bound,
            "shortShare": sizing.short_share,
            "replicaHours": sizing.replica_hours,
        },
        "why": row.why,
    }


def _means(row: ModelRow) -> dict[str, Any]:
    return {
        "lossOverOurs": row.against_us,
        "beatsBaseline": _of(row.beats_baseline),
        "beatsUs": _of(row.beats_us),
    }


def _of(found: tuple[int, int] | None) -> dict[str, int] | None:
    return None if found is None else {"series": found[0], "of": found[1]}


def _by_level(levels: tuple[float, ...], shares: tuple[float, ...]) -> dict[str, float]:
    """A model without figures has none; a short record lacks the highest levels."""
    return {f"{level:g}": share for level, share in zip(levels, shares, strict=False)}
