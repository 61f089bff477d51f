"""The answer in words: what it costs and what it leaves short, both in one breath, a loss as plainly as a win."""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.reporting.report.numbers import hours, minutes, percent, span_words
from autoscaler.reporting.report.values import Advice, ClaimRow, Estimate, Report, RiskKept, Role

NEGLIGIBLE = 0.0005
"""A difference of cost below this share is none."""
UNCERTAIN = 0.01
"""Likewise, where no interval says how much of it is luck."""

LEAST_EXPECTED = 100
"""Short steps that the accepted risk must allow before its realised share says something."""

UNTESTED = "No equal-risk comparison possible"
NOTHING = "Nothing was observed after the warm-up, so nothing can be said about the risk."

_VERDICTS = {
    (1, 1): "Cheaper and safer",
    (1, 0): "Cheaper, no clear difference in shortage",
    (1, -1): "Cheaper, but short more often",
    (0, 1): "Safer at about the same cost",
    (0, 0): "No clear difference",
    (0, -1): "Short more often at about the same cost",
    (-1, 1): "Safer, and it costs more",
    (-1, 0): "Costs more, no clear difference in shortage",
    (-1, -1): "Worse on both sides",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """verdict: a few words. good: 1, 0 or -1, a win, a trade or nothing, a loss. sentences: in the order to be read."""

    verdict: str
    good: int
    headline: str
    sentences: tuple[str, ...]


def answer(report: Report) -> Answer:
    """Of the claims. What has no clear sign is not called a win or a loss."""
    base, ours = report.claims[0], report.claim(Role.OURS)
    if ours is None or ours.saving is None or ours.avoided_minutes is None:
        raise ValueError("our row has both sides of the comparison")
    cost = _sign(ours.saving)
    safety = ours.avoided_minutes.sign if ours.avoided_minutes.value else 0
    total = cost + safety
    sentences = [_sides(base, ours), _intervals(ours), _risk(report.risk)]
    if report.untested:
        untested = (
            "Neither was ever short, so nothing here shows what that costs in safety: it may only mean that both have "
            "more than they need."
        )
        headline = f"{_headline(ours.saving, ours.avoided_minutes)}, in a record without any shortage"
        return Answer(UNTESTED, 0, headline, (untested, *(s for s in sentences if s)))
    sentences.insert(2, _retuned(report))
    return Answer(
        _VERDICTS[cost, safety],
        (total > 0 and min(cost, safety) >= 0) - (total < 0 and max(cost, safety) <= 0),
        _headline(ours.saving, ours.avoided_minutes),
        tuple(s for s in sentences if s),
    )


def target_words(report: Report) -> str:
    """What the floor alone did, the HPA target that would realise the saving, and that it is the user's to write."""
    advice = report.advice
    never = "Foresail never writes the target: set it yourself, in your HPA."
    if not advice.tried:
        return f"Under Scale no HPA runs beside Foresail, so there is no target to raise; {_all_there_is(report)}."
    floor = _floor_words(advice)
    if advice.saving_target is None:
        return (
            "At none of the tried HPA targets, the one as set included, did the HPA with our floor keep the accepted "
            f"risk: do not raise the target. {floor} {never}"
        )
    tried = {each.target: each for each in advice.tried}
    as_set, best = tried[advice.as_set_target], tried[advice.saving_target]
    if advice.saving_target == advice.as_set_target:
        return (
            f"No hotter target keeps the accepted risk: leave your HPA at {advice.as_set_target} %. {floor} A "
            f"floor saves nothing by itself. {never}"
        )
    saved = 1 - best.replica_hours / as_set.replica_hours if as_set.replica_hours else 0.0
    return (
        f"{floor} A floor saves only when your HPA may run hotter: with our floor, a target of "
        f"{advice.saving_target} % instead of {advice.as_set_target} % would have kept the accepted risk "
        f"(short {percent(best.short_share)}) and needed {percent(saved)} fewer replica-hours. {never}"
    )


def floor_effect(before: float, after: float) -> str:
    """What a floor alone did to the minutes short under an HPA as it is, to follow "here the floor alone"."""
    avoided = round(before) - round(after)
    if avoided > 0:
        return f"removes {avoided:,} of {round(before):,} short minutes"
    if avoided < 0:
        minute = "minute" if avoided == -1 else "minutes"
        return f"was short {-avoided:,} {minute} more: do not raise the floor under this HPA"
    return "gained nothing"


def _floor_words(advice: Advice) -> str:
    if advice.floor_alone is None:
        return "The floor alone is meant to add safety; `foresail simulate` shows whether it does."
    return f"Here the floor alone {floor_effect(*advice.floor_alone)}."


def _all_there_is(report: Report) -> str:
    ours = report.claim(Role.OURS)
    sign = 0 if ours is None or ours.saving is None else _sign(ours.saving)
    if sign > 0:
        return "the saving above is all there is"
    if sign < 0:
        return "Foresail costs more here, as told above, and only a larger accepted risk makes it cheaper"
    return "there is no clear saving here, and none to be had that way"


def risk_words(kept: RiskKept) -> str:
    """Realised over accepted risk with its interval, and whether the record could show it at all."""
    if kept.realised is None:
        return NOTHING
    ratio = kept.ratio
    said = f"Accepted: {percent(kept.asked)} of the time. Realised: {percent(kept.realised)}"
    if ratio is not None:
        said += f", {ratio.value:.2f} times the accepted"
        said += "" if ratio.low is None or ratio.high is None else f" (95 %: {ratio.low:.2f} – {ratio.high:.2f})"
    few = (
        f" With only {kept.expected_short:,.3g} short steps accepted in {kept.steps:,}, the record is too short to "
        "tell whether such a risk is kept."
    )
    return f"{said}.{few if kept.expected_short < LEAST_EXPECTED else ''}"


def _sides(base: ClaimRow, ours: ClaimRow) -> str:
    return (
        f"{ours.title}: {hours(ours.replica_hours.value)} and {minutes(ours.short_minutes.value)} short of capacity "
        f"({percent(ours.short_share)} of the time). {base.title[:1].upper()}{base.title[1:]}: "
        f"{hours(base.replica_hours.value)} and {minutes(base.short_minutes.value)} short "
        f"({percent(base.short_share)})."
    )


def _intervals(ours: ClaimRow) -> str:
    saving, avoided = ours.saving, ours.avoided_minutes
    if saving is None or avoided is None or saving.low is None or saving.high is None:
        return ""
    return (
        f"With 95 % confidence over resampled days: {_range_of_cost(saving.low, saving.high)}, and "
        f"{_range_of_minutes(avoided)}."
    )


def _range_of_cost(low: float, high: float) -> str:
    if low >= 0:
        return f"{span_words(percent(low), percent(high))} fewer replica-hours"
    if high <= 0:
        return f"{span_words(percent(-high), percent(-low))} more replica-hours"
    return f"between {percent(-low)} more and {percent(high)} fewer replica-hours"


def _range_of_minutes(avoided: Estimate) -> str:
    low, high = avoided.low or 0.0, avoided.high or 0.0
    if low >= 0:
        return f"{span_words(f'{low:,.0f}', f'{high:,.0f}')} fewer minutes short"
    if high <= 0:
        return f"{span_words(f'{-high:,.0f}', f'{-low:,.0f}')} more minutes short"
    return f"between {-low:,.0f} more and {high:,.0f} fewer minutes short"


def _retuned(report: Report) -> str:
    twin = report.claim(Role.TWIN)  # simulated as the retuned HPA is, where ours was observed
    retuned, ours = report.claim(Role.RETUNED), twin or report.claim(Role.OURS)
    if retuned is None or ours is None:
        return ""
    theirs, mine = retuned.replica_hours.value, ours.replica_hours.value
    if not theirs or abs(mine / theirs - 1) < NEGLIGIBLE:
        words = "the same replica-hours"
    else:
        words = f"{percent(abs(mine / theirs - 1))} {'more' if mine > theirs else 'fewer'} replica-hours"
    return (
        f"Against your HPA at the one target that, known only afterwards, was cheapest with no more shortage than "
        f"ours, Foresail{', simulated,' if twin else ''} needs {words}; nobody could have chosen that target before."
    )


def _risk(kept: RiskKept) -> str:
    if kept.realised is None:
        return NOTHING
    said = "was kept" if kept.realised <= kept.asked else "was not kept"
    return f"The accepted risk {said}: short {percent(kept.realised)} of the time, accepted {percent(kept.asked)}."


def _sign(saving: Estimate) -> int:
    least = UNCERTAIN if saving.low is None else NEGLIGIBLE
    return 0 if abs(saving.value) < least else saving.sign


def _headline(saving: Estimate, avoided: Estimate) -> str:
    """Both sides, whichever of them is none."""
    cost = None if abs(saving.value) < NEGLIGIBLE else percent(abs(saving.value))
    fewer = round(avoided.value)
    cheaper = "fewer" if saving.value > 0 else "more"
    minutes_short = f"{abs(fewer):,} {'fewer' if fewer > 0 else 'more'} minute{'' if abs(fewer) == 1 else 's'} short"
    if cost and fewer:
        return f"{cost} {cheaper} replica-hours and {minutes_short} of capacity than your HPA as set"
    if cost:
        return f"{cost} {cheaper} replica-hours than your HPA as set, and as many minutes short of capacity"
    if fewer:
        return f"As many replica-hours as your HPA as set, and {minutes_short} of capacity"
    return "As many replica-hours and as many minutes short of capacity as your HPA as set"
