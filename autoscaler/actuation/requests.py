"""Which decisions become writes."""

from __future__ import annotations

import numpy as np

from autoscaler.domain.decision import Decisions
from autoscaler.domain.replicas import ScaleRequest
from autoscaler.domain.series import anywhere
from autoscaler.domain.workload import Mode


def requests(decisions: Decisions) -> tuple[ScaleRequest, ...]:
    """One request per acting lane whose number differs from what is written; none in Advise mode."""
    differs = decisions.granted != decisions.proposals.current
    if not anywhere(differs):
        return ()
    loads = decisions.fleet.workloads
    return tuple(
        ScaleRequest(lane, int(decisions.granted[lane]), decisions.expires_s, int(decisions.proposals.current[lane]))
        for lane in np.flatnonzero(differs).tolist()
        if loads[lane].mode is Mode.ACT and decisions.proposals.target_known[lane]
    )
