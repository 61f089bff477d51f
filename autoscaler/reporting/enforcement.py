"""What each guard can enforce under each actuation: the table of the docs, from here, with a test for each cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from autoscaler.domain.conditions import CONTEXT


@dataclass(frozen=True, slots=True)
class Enforced:
    """One row. guards: by the names of the chain, "" for none beside the plan. scale, floor: what happens."""

    rule: str
    guards: tuple[str, ...]
    scale: str
    floor: str


TABLE: tuple[Enforced, ...] = (
    Enforced(
        "min, window min, event floor, fallback", ("min-max", "fallback", "fallback-decay"), "enforced",
        "enforced: the HPA never goes below its minimum",
    ),
    Enforced(
        "max, window max", ("min-max",), "enforced",
        "the floor stays below it; the HPA's own `maxReplicas` decides above",
    ),
    Enforced("freeze", ("change-freeze",), "nothing shrinks", "the floor is what runs: nothing shrinks"),
    Enforced(
        "freeze with growth `None`", ("change-freeze",), "nothing grows",
        "what runs is the floor; the HPA may grow above it, on its own metrics",
    ),
    Enforced(
        "pause downward", ("pause",), "nothing shrinks",
        "the floor stays as it is written; the HPA may come down to it",
    ),
    Enforced(
        "pause upward", ("pause",), "nothing grows", "the floor does not grow; the HPA may, on its own metrics"
    ),
    Enforced(
        "budget", ("budget",), "enforced, but for observed need, min and steps",
        "for the floor; what the HPA runs counts, and is not cut",
    ),
    Enforced("brake", ("fleet-brake",), "those whose turn it is not keep what they have", "the floor is what runs"),
    Enforced(
        "growth brake", ("growth-brake",), "those whose turn it is not grow to what they need now at most",
        "for the floor; the HPA grows on its own metrics",
    ),
    Enforced(
        "forecast trust", ("forecast-trust",), "as far as believed, else what is observed decides",
        "for the floor: not believed, it stays, down to what is observed",
    ),
    Enforced(
        "changed by hand", ("override",), "what was set stays for its time",
        "the floor stays as it was set; the HPA may grow above it, on its own metrics",
    ),
    Enforced(
        "pause at a number", ("pause",), "goes there by its steps, and stays",
        "the floor goes there; the HPA may grow above it, on its own metrics",
    ),
    Enforced(
        "condition: hold, allow, not answered", ("condition", "condition-known"),
        "nothing shrinks; grows by forecast too, not answered only to what is observed",
        "the floor is what runs: nothing shrinks",
    ),
    Enforced(
        "condition: floor", ("condition",), "enforced", "enforced: the HPA never goes below its minimum"
    ),
    Enforced(
        "condition: cap", ("condition",), "enforced by steps, observed need is spared",
        "for the floor; the HPA decides above",
    ),
    Enforced(
        "anomaly: no shrink", ("anomaly",), "nothing shrinks; grows as the cause lets it",
        "the floor is at least what runs: nothing shrinks",
    ),
    Enforced(
        "anomaly: growth limited or capped", ("anomaly",), "grows so far only, and keeps what it has",
        "for the floor; the HPA grows on its own metrics",
    ),
    Enforced(
        "tolerance", ("tolerance",), "smaller moves are not made, observed need is spared",
        "for the floor; the HPA has its own",
    ),
    Enforced(
        "step limits upward", ("step-up",), "enforced, observed need is spared",
        "for the floor; the HPA has its own `behavior`",
    ),
    Enforced(
        "step limits downward, stabilisation", ("step-down", "stabilization"), "enforced",
        "for the floor: the HPA may follow only as far as it",
    ),
    Enforced(
        "hold on bad or old data, or on a policy that cannot be read", ("data-verdict", "freshness", "policy-known"),
        "nothing shrinks; grows to what is observed and trusted; on bad or old data by the forecast from before, too",
        "the floor is what runs, or the forecast from before: nothing shrinks",
    ),
    Enforced(
        "capacity not learned yet", ("capacity-known",), "keeps what it has", "the floor stays; the HPA decides alone",
    ),
    Enforced(
        "data that is a lower bound", ("lower-bound",), "may grow, nothing shrinks",
        "the floor may grow, and is at least what runs",
    ),
    Enforced(
        "limits that clash", ("limits-clash",), "nothing moves", "the floor stays; the HPA moves on its own metrics"
    ),
    Enforced(
        "scaled to zero, somebody else decides, target not read", ("scaled-to-zero", "yielded", "target-known"),
        "nothing is written", "nothing is written; the HPA stands down at zero by itself",
    ),
    Enforced(
        "disruption budget", ("disruption-budget",), "never below what it allows now",
        "for the floor; the HPA does not ask the budget",
    ),
    Enforced(
        "no room for new pods", ("no-room",), "nothing grows",
        "the floor does not grow beyond what runs; the HPA may ask for more",
    ),
    Enforced("spacing of rises", ("rise-spacing",), "does not apply", "rises of the floor lie two HPA syncs apart"),
)  # fmt: skip


def context_table() -> Iterator[str]:
    """Lines of Markdown: what a condition can read."""
    yield "| name | type | |"
    yield "|---|---|---|"
    for name, variable in CONTEXT.items():
        yield f"| `{name}` | {variable.kind} | {variable.words} |"


def enforcement_table() -> Iterator[str]:
    """Lines of Markdown."""
    yield "## What guards can enforce"
    yield ""
    yield "Under `Scale` the number is ours. Under a floor (`HpaFloor`, `KedaFloor`) the user's HPA stays in charge"
    yield "above it: what raises is enforced, what cuts is enforced for the floor alone."
    yield ""
    yield "| rule | guard | `Scale` | a floor |"
    yield "|---|---|---|---|"
    for row in TABLE:
        yield f"| {row.rule} | {', '.join(row.guards)} | {row.scale} | {row.floor} |"
