"""The manifest and the card of a global model that was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from autoscaler.adapters.artefacts import hash_of
from autoscaler.adapters.artefacts.disk import write_file
from autoscaler.domain.artefact import Manifest, moment_text
from autoscaler.forecasting.features import VERSION
from autoscaler.forecasting.pretrained import KIND, NAME
from autoscaler.learning.global_model import Learned
from autoscaler.learning.training_samples import Learnable

CARD: Final = "CARD.md"
MOST_SOURCES: Final = 50
INTRO: Final = (
    "Quantiles of the coming peak of demand over a lead window, for any workload, from its own recent past alone: "
    "gradient-boosted trees over {features} features that are relative to the series' own level. Meant for a "
    "workload's first day, while nothing of its own is calibrated yet; a calibration of its own errors is better as "
    "soon as it has a day behind it."
)
MEASURED: Final = (
    "Coverage: share of peaks at or below the quantile. Loss: pinball loss of the logarithm of the peak to the recent "
    "level, over that of a rule without learning (the highest of the last hour times a factor, the right one over all "
    "that was learned from); below 1 is better. *Young*: with a history of a minute to a day only. Held out: the "
    "newest part of each series, learned before it and asked after. Left out: all of a source, asked of a model that "
    "learned from the others."
)


def manifest_of(found: Learned, series: Sequence[Learnable], now: datetime) -> Manifest:
    """Of the next generation. now: an aware moment."""
    window = (
        min(each.first_step * each.step_s for each in series),
        max((each.first_step + len(each.values)) * each.step_s for each in series),
    )
    levels = " ".join(f"{level:g}" for level in found.model.levels)
    return Manifest(
        kind=KIND,
        name=NAME,
        created=now,
        versions={"features": VERSION, "levels": levels},
        window=(datetime.fromtimestamp(window[0], UTC), datetime.fromtimestamp(window[1], UTC)),
        data_hash=hash_of(*(each.values for each in series)),
        metrics=found.metrics | {"pairs": float(found.pairs)},
        limits=found.model.limits(),
        features=found.features,
    )


def card_text(made: Manifest, sources: Sequence[str], *, notices: Sequence[str] = ()) -> str:
    """Markdown. sources: a line each, of what was learned from, in whose words and under which terms."""
    told, limits = made.metrics, made.limits
    first, last = (moment_text(each) for each in made.window) if made.window else ("unknown", "unknown")
    lines = [
        f"# {made.name}, generation {made.generation}",
        "",
        INTRO.format(features=len(made.features)),
        "",
        (
            f"- made {moment_text(made.created)} from {told['pairs']:,.0f} pairs of history and peak; half of them "
            "with a history of a minute to a day only"
        ),
        f"- data from {first} to {last} ({made.data_hash})",
        f"- levels {made.versions['levels']}; features version {VERSION}",
        (
            f"- limits: steps of {limits['least_step_s']:g} to {limits['most_step_s']:g} s, leads up to "
            f"{limits['most_lead_s']:g} s; outside them it says nothing"
        ),
        "",
        "## Learned from",
        "",
        *(f"- {line}" for line in sources[:MOST_SOURCES]),
        *([f"- and {len(sources) - MOST_SOURCES} more"] if len(sources) > MOST_SOURCES else []),
        "",
        "## Measured",
        "",
        MEASURED,
        "",
        *_table(told),
        "",
        "## Limits",
        "",
        "- Quantiles of a load unlike any above may be off: the margin's controller keeps the risk, not this model.",
        "- It knows no calendar, no name and no unit; what comes by the clock it sees only once it came before.",
        "- Of an idle series (zero throughout) it says zero.",
        *(["", "## Notices", "", *notices] if notices else []),
    ]
    return "\n".join(lines) + "\n"


def write_card(folder: Path, text: str) -> None:
    """CARD.md of the generation or the model in `folder`."""
    write_file(folder / CARD, text.encode())


def _table(told: Mapping[str, float]) -> list[str]:
    levels = sorted({part for key in told for part in key.split(".") if part[:1] == "q" and part[1:].isdecimal()})
    groups = list(dict.fromkeys(key.rsplit(".", 1)[0] for key in told if key.endswith(".pairs")))
    if not groups:
        return ["Too little data to be measured."]
    head = [f"{word} .{level[1:].rstrip('0')}" for level in levels for word in ("coverage", "loss")]
    lines = ["| asked of | pairs | " + " | ".join(head) + " |", "|---|---|" + "---|" * len(head)]
    for group in groups:
        for part, words in (("", ""), ("young.", ", young")):
            cells = []
            for level in levels:
                for what in ("coverage", "loss-ratio"):
                    value = told.get(f"{group}.{part}{level}.{what}")
                    cells.append("" if value is None else f"{value:.3f}")
            if any(cells):
                pairs = f"{told[f'{group}.pairs']:,.0f}" if not part else ""
                lines.append(f"| {group}{words} | {pairs} | " + " | ".join(cells) + " |")
    return lines
