"""The plan of one tick: observed need, predicted need, and what is wanted before any guard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.domain.decision import SIZING_REASONS
from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.forecast import MEDIAN_LEVEL, SIZING_LEVEL, ForesightAt
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import Bools, Codes, Floats, Ints, anywhere, everywhere
from autoscaler.planning.need import Needs, replicas_for
from autoscaler.planning.room import Room


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """All [lane]. shadow: what our own wanted is for risk control, before headroom, holds and limits; NaN
    where there is no forecast to be judged. wanted and sizing answer "how many, and because of what". unforeseen: what
    would be wanted if there were no forecast.
    """

    observed_need: Ints
    need_known: Bools
    predicted_need: Ints
    predicted: Bools
    shadow: Floats
    wanted: Ints
    sizing: Ints
    unforeseen: Ints
    verdict: Codes
    data_age_s: Floats


def plan(
    fleet: Fleet,
    seen: ForesightAt,
    levels: tuple[float, ...],
    margin: Floats,
    current: Ints,
    *,
    room: Room | None = None,
    least: Ints | None = None,
    uplift: Floats | None = None,
    needs: Needs | None = None,
) -> Plan:
    """Size every lane. room: of the HPAs over floors; None = not known. least: [lane], the minimum in force; None = the
    fleet's own. needs: of this moment, None = worked out here.

    A floor actuation wants the predicted need alone (the HPA under it is the reactive part), or what the HPA will set
    by itself at the median peak; where it rises above what runs, no less than the HPA would ask for now, whose own rise
    it delays. Without a forecast it keeps what is written, down to observed need. Scale wants the
    larger of observed and predicted need. Where neither is known, what is there stays. No forecast counts on a lane
    that has a demand without a capacity. uplift: [lane], factor on the forecast that an event expects, None = none;
    where there is no forecast, on what is observed. Observed need itself is what is observed.
    """
    sizing_quantile = seen.quantiles[:, levels.index(SIZING_LEVEL)]
    raised = margin if uplift is None else margin * uplift
    per_row_margin = raised if fleet.row_per_lane else raised[fleet.row_lane]
    headroom = fleet.row_headroom
    needs = Needs.of(fleet, seen) if needs is None else needs
    observed_need, need_known, predicted = needs.observed, needs.known, needs.predicted
    all_known, all_predicted = everywhere(need_known), everywhere(predicted)
    peak = _times(sizing_quantile, per_row_margin)
    needed = replicas_for(peak, fleet.capacity)
    bare = fleet.most_over_rows(needed)
    by_usual = None if seen.lifted is None else fleet.most_over_rows(np.where(seen.lifted, needed, -1)) >= bare
    observed_with_room, predicted_need = observed_need, bare
    if headroom is not None:
        roomy, roomy_peak = _times(seen.observed, headroom), _times(peak, headroom)
        observed_with_room = fleet.most_over_rows(replicas_for(roomy, fleet.capacity))
        predicted_need = fleet.most_over_rows(replicas_for(roomy_peak, fleet.capacity))

    if fleet.rules.survives:
        observed_with_room = fleet.rules.surviving(observed_with_room)
        predicted_need = fleet.rules.surviving(predicted_need)

    least = fleet.min_replicas if least is None else least
    observed = observed_with_room if all_known else np.where(need_known, observed_with_room, current)
    reactive = unforeseen = observed
    ahead = None
    if anywhere(fleet.is_floor):
        kept = np.maximum(least, np.minimum(current, observed))  # only observed load takes a floor down
        floor = least if all_predicted else np.where(predicted, least, kept)
        alone = everywhere(fleet.is_floor)
        reactive = floor if alone else np.where(fleet.is_floor, floor, observed)
        unforeseen = kept if alone else np.where(fleet.is_floor, kept, observed)
        if room is not None:
            ahead = _ahead(fleet, seen, levels, room, predicted_need, uplift=uplift)
    if uplift is not None:
        blind = (uplift > 1) & need_known & ~predicted
        expected = np.minimum(np.ceil(observed_with_room * uplift - 1e-9), NO_LIMIT).astype(np.int64)
        reactive = np.where(blind, np.maximum(reactive, expected), reactive)
        unforeseen = np.where(blind, np.maximum(unforeseen, expected), unforeseen)
    if not all_predicted:
        predicted_need = np.where(predicted, predicted_need, 0)
    by_room = None
    if ahead is not None:
        by_room = predicted & (ahead > np.maximum(predicted_need, reactive))
        predicted_need = np.where(by_room, np.maximum(predicted_need, ahead), predicted_need)
    wanted = np.maximum(predicted_need, reactive)
    return Plan(
        observed_need=observed_need if all_known else np.where(need_known, observed_need, 0),
        need_known=need_known,
        predicted_need=predicted_need,
        predicted=predicted,
        shadow=_judged(needs, bare),
        wanted=wanted,
        sizing=_sizing(fleet, predicted, need_known, predicted_need >= reactive, by_usual=by_usual, by_room=by_room),
        unforeseen=unforeseen,
        verdict=seen.verdict if fleet.row_per_lane else np.maximum.reduceat(seen.verdict, fleet.row_start),
        data_age_s=seen.age_s if fleet.row_per_lane else np.maximum.reduceat(seen.age_s, fleet.row_start),
    )


def shadow_of(fleet: Fleet, seen: ForesightAt, levels: tuple[float, ...], margin: Floats, needs: Needs) -> Floats:
    """[lane], the `shadow` of a plan alone: of one that does not serve. margin: with an event's uplift, if there is."""
    peak = _times(
        seen.quantiles[:, levels.index(SIZING_LEVEL)], margin if fleet.row_per_lane else margin[fleet.row_lane]
    )
    bare = fleet.most_over_rows(replicas_for(peak, fleet.capacity))
    return _judged(needs, bare)


def _judged(needs: Needs, bare: Ints) -> Floats:
    """[lane], what risk control judges of a plan whose forecast needs `bare`: NaN where either part is not known."""
    shadow = np.maximum(needs.observed, bare).astype(np.float64)
    if not (everywhere(needs.known) and everywhere(needs.predicted)):
        shadow[~(needs.predicted & needs.known)] = np.nan
    return shadow


def _ahead(
    fleet: Fleet, seen: ForesightAt, levels: tuple[float, ...], room: Room, predicted_need: Ints,
    *, uplift: Floats | None = None,
) -> Ints:  # fmt: skip
    """[lane], what a floor must be because of the HPA over it; headroom is not added to its room.

    Ahead of the load: what the HPA will set by itself at the median peak. And where the floor passes what runs, what
    the HPA would ask for at the demand observed now.
    """
    share, kept = room.ahead if uplift is None else room.ahead * uplift, room.kept
    if not fleet.row_per_lane:
        share, kept = share[fleet.row_lane], kept[fleet.row_lane]
    usual = _times(seen.quantiles[:, levels.index(MEDIAN_LEVEL)], share)
    ahead = fleet.most_over_rows(replicas_for(usual, fleet.capacity))
    rising = (np.maximum(ahead, predicted_need) > room.running) & fleet.is_floor
    if anywhere(rising):
        asked = fleet.most_over_rows(replicas_for(_times(seen.observed, kept), fleet.capacity))
        ahead = np.where(rising, np.maximum(ahead, asked), ahead)
    return ahead if everywhere(fleet.is_floor) else np.where(fleet.is_floor, ahead, 0)


def _times(demand: Floats, factor: Floats) -> Floats:
    """Demand that overflows is endless, and says so without a warning."""
    with np.errstate(over="ignore"):
        return demand * factor


_CODE = {reason: i for i, reason in enumerate(SIZING_REASONS)}


def _sizing(
    fleet: Fleet, predicted: Bools, need_known: Bools, by_forecast: Bools,
    *, by_usual: Bools | None, by_room: Bools | None,
) -> Ints:  # fmt: skip
    """[lane], index into SIZING_REASONS."""
    forecast = fleet.once("sized by forecast", 0, lambda: np.full(len(fleet), _CODE[Reason.FORECAST_PEAK]))
    if by_usual is not None and anywhere(by_usual):
        forecast = np.where(by_usual, _CODE[Reason.USUAL_PEAK], forecast)
    if by_room is not None and anywhere(by_room):
        forecast = np.where(by_room, _CODE[Reason.AHEAD_OF_HPA], forecast)
    explained = predicted & by_forecast
    if everywhere(explained):
        return forecast
    reactive = np.where(fleet.is_floor, _CODE[Reason.AT_MINIMUM], _CODE[Reason.OBSERVED_NEED])
    reactive = np.where(predicted, reactive, _CODE[Reason.NO_FORECAST])
    reactive = np.where(need_known | (fleet.is_floor & predicted), reactive, _CODE[Reason.UNKNOWN_DEMAND])
    if fleet.unsized is not None:
        reactive = np.where(fleet.unsized, _CODE[Reason.CAPACITY_UNKNOWN], reactive)
    return np.where(explained, forecast, reactive)
