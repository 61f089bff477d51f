"""The rivals, each a ladder over its own knob, scored and tuned like one another.

seen [step] ──Rival.requested──▶ requested [knob, step] ──score──▶ short share and replica-hours [knob]
                                            └──tuned──▶ the rung chosen in hindsight, or by day
"""

from autoscaler.simulator.rivals.catalogue import all_requested, rivals
from autoscaler.simulator.rivals.contract import TARGETS, Rival, World
from autoscaler.simulator.rivals.score import LadderScores, ready, score
from autoscaler.simulator.rivals.tuned import causally, frontier, in_hindsight, paid_at

__all__ = [
    "TARGETS",
    "LadderScores",
    "Rival",
    "World",
    "all_requested",
    "causally",
    "frontier",
    "in_hindsight",
    "paid_at",
    "ready",
    "rivals",
    "score",
]
