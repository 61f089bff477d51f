"""What the conditions of a PredictiveAutoscaler answer, from its decision. Reasons are stable: docs/operator.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from autoscaler.domain.decision import Decision, State
from autoscaler.domain.errors import Problem
from autoscaler.domain.ladder import Rung, Standing, Why
from autoscaler.domain.notes import UNWRITTEN, Condition, Note
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import DataVerdict
from autoscaler.domain.workload import Actuation, Mode

DOCS: Final = "docs"
PAGE: Final = "reasons.md"
"""Where each reason has its section; every message of a condition ends with the place of its own."""
MOST_PROBLEMS = 5
NO_TARGET = (
    Condition.TARGET_NOT_FOUND, Condition.TARGET_NOT_SCALABLE, Condition.FORBIDDEN, Condition.CLUSTER_UNREACHABLE,
    Condition.NO_AUTOSCALER,
)  # fmt: skip
RIVALS = (Condition.CONFLICT, Condition.RIVAL)
ON_ACTING = (
    Condition.FORBIDDEN, Condition.WRITE_FAILED, Condition.CAPPED_BY_HPA, Condition.PODS_REFUSED,
    Condition.PODS_PENDING, Condition.SAVING_NEEDS_HIGHER_TARGET,
)  # fmt: skip
BY_SOURCE = frozenset({DataVerdict.BAD_QUERY, DataVerdict.WRONG_TYPE})
"""Verdicts on the query itself: no waiting mends it, only an edit of the spec."""
TRANSIENT = frozenset({Condition.CLUSTER_UNREACHABLE.value, "MetricsUnavailable", "Unreachable"})
"""Reasons for which Ready turns only after a while: a gap that mends itself is no news."""


def place_of(reason: str, docs: str = DOCS) -> str:
    """The section about a reason: its anchor is the reason in small letters, as GitHub makes it of a heading."""
    return f"{docs}/{PAGE}#{reason.lower()}"


def with_place(message: str, reason: str, most: int, docs: str = DOCS) -> str:
    """The message and where to read on, within `most` characters; the place is never what is cut off.

    docs: the folder, or the URL that it is published under.
    """
    end = f" ({place_of(reason, docs)})"
    return message[: most - len(end)] + end


@dataclass(frozen=True, slots=True)
class Answer:
    """One condition. status: True, False or Unknown."""

    kind: str
    status: str
    reason: str
    message: str

    @staticmethod
    def that(kind: str, holds: bool, reason: str, message: str) -> Answer:
        return Answer(kind, "True" if holds else "False", reason, message)


def answers_of(decision: Decision | None, wrong: tuple[Problem, ...] = ()) -> Iterator[Answer]:
    """Ready first. Reconciling and Stalled stand there only while they are so, as kstatus reads them."""
    slips = slips_of(wrong)
    outranked = next((p for p in wrong if p.reason == Condition.CONFLICT), None)
    why = Condition.CONFLICT.value if all(p.reason == Condition.CONFLICT for p in wrong) else "InvalidSpec"
    if decision is None:
        yield from _undecided(slips, why, outranked)
    else:
        yield _ready(decision, slips, why)
        yield _metrics(decision)
        yield _forecast(decision)
        yield _acting(decision)
        yield _held(decision)
        yield _fallback(decision)
        yield _conflict(decision, outranked)
        yield _paused(decision)
    if slips:
        kept = " The last valid form stays in force." if decision is not None else ""
        yield Answer("Stalled", "True", why, slips + kept)
    elif decision is not None and (unusable := _unusable(decision)):
        yield Answer("Stalled", "True", "InvalidSpec", unusable)


def _unusable(decision: Decision) -> str:
    """Queries that their source cannot evaluate. Its own words stand in MetricsAvailable, for they may change."""
    return ". ".join(
        f"spec.demands[{k}].query: {d.verdict.words} (what {d.source} says of it stands in MetricsAvailable)"
        for k, d in enumerate(decision.demands[:MOST_PROBLEMS])
        if d.verdict in BY_SOURCE
    )


def _undecided(slips: str, why: str, outranked: Problem | None) -> Iterator[Answer]:
    if slips:
        yield Answer("Ready", "False", why, slips)
    else:
        yield Answer("Ready", "Unknown", "Deciding", "not decided about yet")
    for kind in ("MetricsAvailable", "ForecastReady", "Acting", "Held", "Fallback", "Conflict", "Paused"):
        if kind == "Conflict" and outranked is not None:
            yield Answer(kind, "True", Condition.CONFLICT.value, slips_of((outranked,)))
        else:
            yield Answer(kind, "Unknown", why if slips else "Deciding", "not decided about yet")
    if not slips:
        yield Answer("Reconciling", "True", "Deciding", "the first decision comes with the next tick")


def slips_of(wrong: tuple[Problem, ...]) -> str:
    """In the words that a file would get, without a file's place."""
    said = [
        f"{p.path}: {p.message}" + (f" (got {p.value})" if p.value else "") + (f"; {p.remedy}" if p.remedy else "")
        for p in wrong[:MOST_PROBLEMS]
    ]
    more = f"; and {len(wrong) - MOST_PROBLEMS} more" if len(wrong) > MOST_PROBLEMS else ""
    return ". ".join(said) + more + ("." if said else "")


def _noted(decision: Decision, those: tuple[Condition, ...]) -> Note | None:
    """The first of those conditions, in their order, that the decision has a note of."""
    return next((n for c in those for n in decision.notes if n.condition is c), None)


def _no_data(decision: Decision) -> bool:
    return any(d.verdict.value > DataVerdict.RECOVERING for d in decision.demands)


def _ready(decision: Decision, slips: str, why: str) -> Answer:
    if slips:
        return Answer("Ready", "False", why, slips)
    rival = _noted(decision, RIVALS)
    if decision.state is State.YIELDED and rival is not None:
        return Answer("Ready", "False", rival.condition.value, rival.words)
    lost = _noted(decision, NO_TARGET)
    if lost is not None and (not decision.inputs.get("target_known", True) or decision.mode is Mode.ACT):
        return Answer("Ready", "False", lost.condition.value, lost.words)
    if not decision.inputs.get("target_known", True):
        return Answer("Ready", "False", Condition.CLUSTER_UNREACHABLE.value, "the target could not be read")
    if _no_data(decision):
        return Answer("Ready", "False", "MetricsUnavailable", _worst(decision))
    if decision.state is State.PAUSED:
        return Answer("Ready", "True", "Paused", "decides, and leaves the workload alone while it is paused")
    what = "decides and writes" if decision.mode is Mode.ACT else "decides and records"
    return Answer("Ready", "True", "Deciding", what)


def _worst(decision: Decision) -> str:
    worst = max(decision.demands, key=lambda d: d.verdict)
    note = f"; {worst.note}" if worst.note else ""
    return f"{worst.name} from {worst.source}: {worst.verdict.words}{note}"


def _metrics(decision: Decision) -> Answer:
    worst = max((d.verdict for d in decision.demands), default=DataVerdict.OK)
    if worst == DataVerdict.OK:
        return Answer("MetricsAvailable", "True", "Answered", "every demand is fresh and usable")
    return Answer.that("MetricsAvailable", not _no_data(decision), verdict_code(worst), _worst(decision))


def verdict_code(verdict: DataVerdict) -> str:
    return "".join(part.capitalize() for part in verdict.name.split("_"))


def _forecast(decision: Decision) -> Answer:
    views = [d for d in decision.demands if d.sizing_quantile is not None]
    standings: list[Standing] = [d.standing for d in decision.demands if d.standing is not None]
    if not views:
        why = standings[0] if standings else None
        words = why.why.words if why else "no forecast yet"
        return Answer("ForecastReady", "False", why.why.code if why else "NoForecast", words)
    rung = min((s.rung for s in standings), default=None)
    code = "Serving" if rung is None else rung.name.capitalize()
    return Answer("ForecastReady", "True", code, "a forecast serves" if rung is None else rung.words)


def _acting(decision: Decision) -> Answer:
    if decision.mode is not Mode.ACT:
        return Answer("Acting", "False", "Advise", "mode Advise: decisions are recorded, nothing is written")
    if decision.state in {State.YIELDED, State.PAUSED}:
        return Answer("Acting", "False", decision.state.value, "; ".join(decision.words[-1:]))
    if not decision.inputs.get("target_known", True):
        return Answer("Acting", "False", "TargetUnknown", "the target could not be read")
    binding = _noted(decision, ON_ACTING)
    if binding is not None:
        able = binding.condition not in UNWRITTEN
        return Answer.that("Acting", able, binding.condition.value, binding.words)
    return Answer("Acting", "True", decision.actuation.value, f"writes by {decision.actuation.value}")


def _held(decision: Decision) -> Answer:
    holding = [e for e in decision.effects if e.holds]
    if holding:
        return Answer("Held", "True", holding[0].reason.value, "; ".join(e.words for e in holding))
    return Answer("Held", "False", "Free", "no guard holds it")


def _fallback(decision: Decision) -> Answer:
    those = {Reason.FALLBACK, Reason.FALLBACK_DECAYING}
    acting = next((e for e in decision.effects if e.reason in those and e.acted), None)
    if acting is None:
        return Answer("Fallback", "False", "Seeing", "plans on what it sees")
    return Answer("Fallback", "True", acting.reason.value, acting.words)


def _conflict(decision: Decision, outranked: Problem | None) -> Answer:
    if outranked is not None:
        return Answer("Conflict", "True", Condition.CONFLICT.value, slips_of((outranked,)))
    rival = _noted(decision, RIVALS)
    if rival is None:
        return Answer("Conflict", "False", "Alone", "nobody else decides about it")
    return Answer("Conflict", "True", rival.condition.value, rival.words)


def _paused(decision: Decision) -> Answer:
    stopping = {Reason.PAUSED, Reason.OVERRIDDEN, Reason.SCALED_TO_ZERO}
    acting = next((e for e in decision.effects if e.reason in stopping and e.acted), None)
    if acting is None:
        return Answer("Paused", "False", "Running", "nobody stopped it")
    return Answer("Paused", "True", acting.reason.value, acting.words)


_UNDECIDED: Final = frozenset({"Deciding", "InvalidSpec", Condition.CONFLICT.value})


def _values(*those: Condition | Reason | Actuation) -> frozenset[str]:
    return frozenset(each.value for each in those)


REASONS: Final = {
    "Ready": _UNDECIDED | {"Paused", "MetricsUnavailable", "InForce", "Unreachable"} | _values(*RIVALS, *NO_TARGET),
    "MetricsAvailable": _UNDECIDED | {"Answered"} | {verdict_code(v) for v in DataVerdict if v},
    "ForecastReady": _UNDECIDED
    | {"Serving", "NoForecast"}
    | {r.name.capitalize() for r in Rung}
    | {w.code for w in Why},
    "Acting": _UNDECIDED | {"Advise", "Yielded", "Paused", "TargetUnknown"} | _values(*ON_ACTING, *Actuation),
    "Held": _UNDECIDED | {"Free"} | _values(*Reason),
    "Fallback": _UNDECIDED | {"Seeing"} | _values(Reason.FALLBACK, Reason.FALLBACK_DECAYING),
    "Conflict": _UNDECIDED | {"Alone"} | _values(*RIVALS),
    "Paused": _UNDECIDED | {"Running"} | _values(Reason.PAUSED, Reason.OVERRIDDEN, Reason.SCALED_TO_ZERO),
    "Reconciling": frozenset({"Deciding"}),
    "Stalled": frozenset({"InvalidSpec", Condition.CONFLICT.value}),
}
"""Every reason that a condition of each kind can have; Ready also those of a GuardPolicy and of a MetricsSource."""

EXPLAINED: Final = frozenset().union(*REASONS.values(), _values(*Condition))
"""What docs/reasons.md has a section for: reasons of conditions, of decisions (`lastDecision.reason`), and notes."""
