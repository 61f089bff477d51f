"""What a recorded decision would have been without one of its guards: the same chain, run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np

from autoscaler.domain.decision import Decision
from autoscaler.domain.proposals import Proposals
from autoscaler.guards.contract import Guard
from autoscaler.pipeline.decide import run_chain


def counterfactuals(decision: Decision, guards: Sequence[Guard]) -> Mapping[str, int]:
    """Replicas that would have been granted without each guard that acted, by guard name.

    A guard that is no longer in the chain has no counterfactual and is left out.
    """
    proposals = replayed(decision)
    names = {guard.name for guard in guards}
    found = {}
    for effect in decision.effects:
        if effect.acted and effect.guard in names:
            rest = [guard for guard in guards if guard.name != effect.guard]
            found[effect.guard] = int(run_chain(rest, proposals)[1].wanted[0])
    return found


def replayed(decision: Decision) -> Proposals:
    """The proposals that the guards saw, for the decision's one lane."""
    row = dict(decision.inputs)
    now_s = float(row.pop("now_s"))
    # a record of before a guard existed has no column for it: the blank means that it does not act
    columns = {f.name: _column(f.name, row[f.name]) for f in fields(Proposals) if f.name in row}
    return Proposals(now_s=now_s, silent=frozenset(), **columns)


def _column(name: str, value: float) -> np.ndarray:
    if name == "verdict":
        return np.array([value], dtype=np.uint8)
    if isinstance(value, bool):
        return np.array([value], dtype=np.bool_)
    return np.array([value], dtype=np.int64 if isinstance(value, int) else np.float64)
