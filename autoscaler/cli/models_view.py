"""Models in words: the list, the card, the comparison; and the same as JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from autoscaler.domain.artefact import moment_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoscaler.adapters.artefacts.promotions import Promotion
    from autoscaler.bootstrap.models import ModelView
    from autoscaler.domain.artefact import Manifest

NONE = "-"


def view_dict(view: ModelView) -> dict[str, Any]:
    trouble = None if view.trouble is None else {"fault": view.trouble.fault.value, "words": str(view.trouble)}
    return {
        "name": view.name,
        "generation": view.generation,
        "inForce": view.in_force,
        "packaged": view.packaged,
        "trouble": trouble,
        "manifest": None if view.manifest is None else view.manifest.as_dict(),
    }


def promotion_dict(each: Promotion) -> dict[str, Any]:
    return each.as_dict()


def print_list(views: Sequence[ModelView]) -> None:
    rows = [("MODEL", "GENERATION", "IN FORCE", "KIND", "CREATED", "SIGNED BY", "FROM", "CHECK")]
    for view in views:
        told = view.manifest
        rows.append(
            (
                view.name,
                str(view.generation),
                "unknown" if view.in_force is None else "yes" if view.in_force else NONE,
                told.kind if told else NONE,
                f"{told.created:%Y-%m-%d %H:%M}" if told else NONE,
                told.signature.key if told and told.signature else NONE,
                "package" if view.packaged else "own",
                "sound" if view.trouble is None else view.trouble.fault.value,
            )
        )
    _print_rows(rows)
    for view in views:
        if view.trouble is not None:
            print(f"{view.label}: {view.trouble}")  # noqa: T201


def _print_rows(rows: Sequence[tuple[str, ...]]) -> None:
    """Columns as wide as they need to be: a name that is cut short cannot be typed."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())  # noqa: T201


def print_card(view: ModelView, card: str | None, history: Sequence[Promotion]) -> None:
    lines = [f"# {view.label}", ""]
    if view.trouble is not None:
        lines += [f"**{view.trouble.fault}**: {view.trouble}", ""]
    if card is not None:
        lines += [card.strip(), ""]
    if view.manifest is not None:
        lines += [f"- {name}: {value}" for name, value in _facts(view.manifest)]
        for title, numbers in (("Metrics", view.manifest.metrics), ("Limits", view.manifest.limits)):
            lines += ["", f"## {title}", *(f"- {key}: {_number(value)}" for key, value in numbers.items())]
            if not numbers:
                lines.append("none stated")
    lines += ["", "## In force", *(_promotion_words(each) for each in history)]
    if not history:
        lines.append("never")
    print("\n".join(lines))  # noqa: T201


def _facts(told: Manifest) -> list[tuple[str, str]]:
    return [
        ("kind", told.kind),
        ("created", moment_text(told.created)),
        ("expires", moment_text(told.expires) if told.expires else "never"),
        ("versions", ", ".join(f"{key} {value}" for key, value in told.versions.items()) or "none stated"),
        ("training window", " to ".join(map(moment_text, told.window)) if told.window else "not stated"),
        ("data hash", told.data_hash or "not stated"),
        ("features", ", ".join(told.features) or "none"),
        ("arrays", f"{len(told.arrays)}, {told.unpacked_bytes:,} bytes"),
        ("signed by", told.signature.key if told.signature else "nobody"),
    ]


def _promotion_words(each: Promotion) -> str:
    before = "" if each.before is None else f" (before: {each.before})"
    reason = f": {each.reason}" if each.reason else ""
    return f"- {moment_text(each.at)} {each.move.value} {each.generation}{before} by {each.by}{reason}"


def comparison(one: ModelView, other: ModelView) -> dict[str, Any]:
    """Both need a manifest. Metrics are comparable as they stand only where the data hash is the same."""
    first, second = one.manifest, other.manifest
    if first is None or second is None:
        raise ValueError("both must be readable")
    facts = {name: [a, b] for (name, a), (_, b) in zip(_facts(first), _facts(second), strict=True)}
    return {
        "models": [one.label, other.label],
        "sameData": first.data_hash is not None and first.data_hash == second.data_hash,
        "metrics": _pairs(first.metrics, second.metrics),
        "limits": _pairs(first.limits, second.limits),
        "differs": {name: pair for name, pair in facts.items() if pair[0] != pair[1]},
    }


def _pairs(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, list[float | None]]:
    return {key: [first.get(key), second.get(key)] for key in sorted({*first, *second})}


def print_comparison(told: dict[str, Any]) -> None:
    rows = [("", *told["models"], "CHANGE")]
    for title in ("metrics", "limits"):
        rows += [(key, _number(a), _number(b), _change(a, b)) for key, (a, b) in told[title].items()]
    _print_rows(rows)
    lines = [f"{name}: {a} | {b}" for name, (a, b) in told["differs"].items()]
    if not told["sameData"]:
        lines.append("their training data differs or is not stated: judge both on the same series with `backtest`")
    print("\n".join(lines))  # noqa: T201


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.6g}"


def _change(a: float | None, b: float | None) -> str:
    if a is None or b is None or a == 0 or not math.isfinite(b / a):
        return NONE
    return f"{(b / a - 1) * 100:+.1f}%"
