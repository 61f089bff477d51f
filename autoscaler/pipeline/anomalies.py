"""How verdicts about what is abnormal enter a tick: asked for, turned into what they let a lane do, and told.

Nothing here can stop a tick: without a detector, or with one that fails, nothing is abnormal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from autoscaler.domain.anomaly import CAUSES, AnomaliesAt, Cause, Detector
from autoscaler.domain.anomaly_rules import FORESEEN, NO_CAP, NOT_TRUSTED, FleetAnomalyRules
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.forecast import ForesightAt
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.policy import Growth
from autoscaler.domain.policy_fleet import FREEZE_CODE
from autoscaler.domain.proposals import ANOMALY_FIELDS, Proposals
from autoscaler.domain.series import Bools, Ints, Panel, anywhere
from autoscaler.pipeline.state import LoopState
from autoscaler.ports.anomalies import AnomalyDetector

_GROWTH_WORDS = {
    FREEZE_CODE[Growth.OBSERVED_NEED]: "grows to what is needed now, not by forecast",
    FREEZE_CODE[Growth.NONE]: "does not grow",
    FORESEEN: "grows by the forecast from the data before, not by what is observed",
}


def judged(detector: AnomalyDetector | None, panel: Panel, fleet: Fleet, step: int) -> AnomaliesAt | None:
    """This tick's verdicts; None where there is no detector. One that raises or answers nonsense has crashed."""
    if detector is None:
        return None
    try:
        found = detector.judge(panel, fleet, step).at(0)
    except Exception:  # noqa: BLE001 - scaling works without it
        return AnomaliesAt.none(len(fleet), Detector.CRASHED)
    return found if found.lanes == len(fleet) else AnomaliesAt.none(len(fleet), Detector.CRASHED)


def doubted(fleet: Fleet, found: AnomaliesAt | None) -> Bools | None:
    """[lane], whose data nobody believes at this moment, so that nothing is learned from it; None = nobody's."""
    if found is None or not found.any:
        return None
    doubts = _rules(fleet).doubts(found)
    return doubts if anywhere(doubts) else None


def unjudged(found: AnomaliesAt | None, doubts: Bools | None) -> Bools | None:
    """[lane], where risk control judges no step: of data nobody believes, and of an attack, which nobody plans for."""
    if found is None or not found.any:
        return doubts
    attacked = found.active[CAUSES.index(Cause.SUSPECTED_ATTACK)]
    if not anywhere(attacked):
        return doubts
    return attacked if doubts is None else doubts | attacked


def _rules(fleet: Fleet) -> FleetAnomalyRules:
    rules: FleetAnomalyRules = fleet.once("anomaly rules", 0, lambda: FleetAnomalyRules.of(fleet.workloads))
    return rules


def unseen(fleet: Fleet, seen: ForesightAt, lanes: Bools) -> ForesightAt:
    """The foresight as if nothing were observed on these lanes: what a forecast alone asks for."""
    return replace(seen, observed=np.where(lanes[fleet.row_lane], np.nan, seen.observed))


def abnormal(
    fleet: Fleet, proposals: Proposals, state: LoopState, found: AnomaliesAt | None,
    *, untaught: Bools | None = None, foreseen: Ints | None = None,
) -> tuple[Proposals, LoopState]:  # fmt: skip
    """The proposals with what the verdicts let each lane do, and the state that remembers from where caps count.

    untaught: [row], whose forecast did not learn from the newest step. A forecast that did, where the data is at fault,
    is one of the fault and adds nothing. foreseen: [lane], what forecasts ask for without what is not believed.
    """
    if found is None or not found.any:
        if state.alarmed.max(initial=-1) >= 0:
            state = replace(state, alarmed=np.full(len(fleet), -1, dtype=np.int64))
        return proposals, state
    rules = _rules(fleet)
    there = np.maximum(proposals.current, proposals.hold_level)
    if rules.relative:
        counting = rules.counts_from(found)
        began = np.where(state.alarmed >= 0, state.alarmed, there)
        state = replace(state, alarmed=np.where(counting, began, -1))
        there = began
    acts = rules.acts(found, there)
    before = np.zeros(len(fleet), dtype=np.bool_) if untaught is None else fleet.any_over_rows(untaught)
    growth = np.where((acts.growth == FORESEEN) & ~before, np.uint8(NOT_TRUSTED), acts.growth)
    believed = proposals.need_known & ~acts.doubted
    return replace(
        proposals,
        need_known=believed,
        observed_need=np.where(believed, proposals.observed_need, 0),
        predicted_need=proposals.predicted_need if foreseen is None else foreseen,
        anomaly_causes=acts.causes,
        anomaly_growth=growth,
        anomaly_hold=acts.hold,
        anomaly_cap=acts.cap,
        anomaly_short_cap=acts.short_cap,
        silent=proposals.silent - ANOMALY_FIELDS,
    ), state


def anomaly_notes(proposals: Proposals, found: AnomaliesAt) -> Mapping[int, tuple[Note, ...]]:
    """Every verdict, what follows from all of a lane's, and what else the detector tells."""
    lanes = dict.fromkeys((*np.flatnonzero(proposals.anomaly_causes).tolist(), *found.notes))
    return {lane: (*_notes(proposals, found, lane), *found.notes.get(lane, ())) for lane in lanes}


def _notes(proposals: Proposals, found: AnomaliesAt, lane: int) -> Iterator[Note]:
    follows = "; ".join(_follows(proposals, lane)) or "it may scale"
    for k, cause in enumerate(CAUSES):
        severity = float(found.severity[k, lane])
        if severity > 0:
            since = datetime.fromtimestamp(float(found.since_s[k, lane]), UTC)
            words = f"{cause}: {cause.words}, severity {severity:.1f}, since {since:%Y-%m-%dT%H:%M:%SZ}; {follows}"
            yield Note(Condition.ANOMALY, words)


def _follows(proposals: Proposals, lane: int) -> Iterator[str]:
    if proposals.anomaly_hold[lane]:
        yield "does not shrink"
    growth = int(proposals.anomaly_growth[lane])
    if growth in _GROWTH_WORDS:
        yield _GROWTH_WORDS[growth]
    if proposals.anomaly_cap[lane] < NO_CAP:
        yield f"grows to {proposals.anomaly_cap[lane]}, or to what is needed now"
    if proposals.anomaly_short_cap[lane] < NO_CAP:
        yield f"grows to {proposals.anomaly_short_cap[lane]} at most"
