"""What policies say of a tick beyond numbers: conditions are asked, and what they and budgets did becomes a note."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from autoscaler.domain.conditions import Answers, PolicyCondition, context
from autoscaler.domain.decision import Decisions
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.forecast import ForesightAt
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.proposals import Proposals
from autoscaler.domain.series import Floats


def conditioned(fleet: Fleet, seen: ForesightAt, proposals: Proposals, margin: Floats, now_s: float) -> Answers:
    """The conditions of all lanes, each asked once, of what is known at this moment."""
    conditions = fleet.conditions
    numbers = {
        "margin": margin, "wanted": proposals.wanted, "replicas": proposals.current, "running": proposals.hold_level,
        "need": np.where(proposals.need_known, proposals.observed_need, np.nan),
        "recentHigh": proposals.recent_high, "recentLow": proposals.recent_low,
        "minReplicas": proposals.min_replicas, "maxReplicas": proposals.max_replicas,
        "dataAgeSeconds": proposals.data_age_s,
    }  # fmt: skip
    rows = {
        lane: [(int(fleet.row_start[lane]) + k, d.name) for k, d in enumerate(fleet.workloads[lane].demands)]
        for lane in conditions.about
    }
    return conditions.answers(context(conditions, seen, rows, numbers, now_s))


def condition_notes(answers: Answers) -> Mapping[int, tuple[Note, ...]]:
    """Each condition that says something now, with its message and its rule; of one without an answer, that."""
    return {
        lane: tuple(_condition_note(c, c in answers.unanswered.get(lane, ())) for c in fired)
        for lane, fired in answers.fired.items()
    }


def _condition_note(condition: PolicyCondition, unanswered: bool) -> Note:
    said = f"cannot be answered, so it holds: {condition.program.text}" if unanswered else condition.message
    return Note(Condition.POLICY_CONDITION, f"{condition.name}: {said} ({condition.origin})")


def event_notes(fleet: Fleet, now_s: float, step_s: int) -> Mapping[int, tuple[Note, ...]]:
    """Where an event expects more than is forecast: how much, and which rule says so."""
    found: dict[int, tuple[Note, ...]] = {}
    for window, lanes in fleet.rules.windows:
        if window.uplift > 1:
            near = lanes[window.window.opens_s(now_s) <= now_s + fleet.lead_s[lanes] + step_s]
            words = f"{window.name}: {window.uplift:g} times the demand is expected ({window.origin})"
            note = (Note(Condition.EVENT, words),)
            for lane in near.tolist():
                found[lane] = found[lane] + note if lane in found else note
    return found


def budget_notes(decisions: Decisions) -> Mapping[int, tuple[Note, ...]]:
    """Where a shared budget took something away: not silent, and with the way out."""
    found = {}
    for step in decisions.trace:
        if step.guard == "budget" and step.before is not step.after:
            for lane in np.flatnonzero(step.before > step.after).tolist():
                words = (
                    f"{step.before[lane]} are wanted, the budget leaves {step.after[lane]}: raise it, or its priority"
                )
                found[lane] = (Note(Condition.BUDGET_REACHED, words),)
    return found
