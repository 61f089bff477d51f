"""The day before an origin in bins of five minutes: levels, highest and lowest values, bursts, sudden rises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from autoscaler.domain.series import Floats
from autoscaler.forecasting.features_view import DAY_S, FLOOR_SHARE, HOUR_S, Ratio, View
from autoscaler.forecasting.features_windows import in_bins, known_mean, ranked, window_max, window_sum

BIN_S: Final = 300
"""What is older than half an hour is seen in bins of this length (one step where a step is longer)."""
BURST: Final = 1.5
"""A bin whose largest value is above this times the mean of the three hours before it is a burst."""


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """What the bins before each origin say, each [row, origin]. day: mean of the day; spans: what is told as ratios;
    plain: what has no unit already.
    """

    day: Floats
    spans: dict[str, Floats]
    plain: dict[str, Floats]

    def features(self, ratio: Ratio) -> Iterator[tuple[str, Floats]]:
        for name, values in self.spans.items():
            yield name, ratio(values)
        yield from self.plain.items()


def day_of_bins(view: View) -> Bins:
    """Hours are looked at as a whole and picked at the origins; longer windows are put together from their hours."""
    each = max(1, BIN_S // view.step_s)
    bin_s = each * view.step_s
    hour, hours = max(1, round(HOUR_S / bin_s)), max(1, round(DAY_S / bin_s) // max(1, round(HOUR_S / bin_s)))
    day, three = hour * hours, 3 * hour
    ahead = -(-(view.lead + 1) // each)
    last = view.origins // each - 1
    begin = int(last[0]) - day - ahead - three - 1
    total, known, most = in_bins(view.columns(begin * each, (int(last[-1]) + 1) * each), each)
    complete = bool((known == each).all())
    mean = total / each if complete else total / np.where(known > 0, known, np.nan)

    def at(array: Floats, back: int = 0) -> Floats:
        """[row, origin] of an array that is aligned at its newest bin, `back` bins earlier."""
        place = last - begin - (total.shape[1] - array.shape[1]) - back
        return array[:, place[0] : place[0] + 1] if len(place) == 1 else array.take(place, axis=1)

    def hourly(array: Floats) -> Floats:
        """[hour, row, origin], what stood at the end of each hour of the day before the origin, newest first."""
        return np.stack([at(array, back) for back in range(0, day, hour)])

    def means(array: Floats) -> Floats:
        """[hour, row, origin], the mean of what is known of that hour and of those after it, up to the origin."""
        there = ~np.isnan(array)
        if there.all():
            return np.cumsum(hourly(window_sum(array, hour)), axis=0) / (hour * _counting(hours))
        sums = np.cumsum(hourly(window_sum(np.where(there, array, 0.0), hour)), axis=0)
        return sums / np.cumsum(hourly(window_sum(there.astype(np.float64), hour)), axis=0)

    spans: dict[str, Floats] = {}
    plain: dict[str, Floats] = {}
    level = np.cumsum(hourly(window_sum(total, hour)), axis=0)
    seen = hour * each * _counting(hours) if complete else np.cumsum(hourly(window_sum(known, hour)), axis=0)
    level /= np.where(seen > 0, seen, np.nan)
    tops = hourly(window_max(most, hour))
    bottoms = -hourly(window_max(-mean, hour))
    highest, lowest = np.fmax.accumulate(tops), np.fmin.accumulate(bottoms)
    moves = means(np.abs(np.diff(mean, axis=1)))
    for name, ago in (("60m", 0), ("3h", 2), ("12h", 11), ("1d", hours - 1)):
        spans[f"mean-{name}"], spans[f"max-{name}"] = level[ago], highest[ago]
        if name in {"60m", "1d"}:
            spans[f"min-{name}"], spans[f"move-{name}"] = lowest[ago], moves[ago]
            plain[f"seen-{name}"] = np.broadcast_to(seen[ago] / ((ago + 1) * hour * each), level[ago].shape)
    spans |= {f"hourly-max-{name}": values for name, values in ranked(tops).items() if name != "max"}
    usual = known_mean(mean, three)[:, :-1]  # of the three hours before a bin ends, for the bin after it
    plain |= _rises(mean, most, usual, ahead, (hourly, means, hour))
    burst = most[:, -usual.shape[1] :] > BURST * usual
    bursts = np.cumsum(hourly(window_sum(burst.astype(np.float64), hour)), axis=0)
    plain["bursts-3h"], plain["bursts-1d"] = bursts[2], bursts[-1]
    place = np.broadcast_to(np.arange(burst.shape[1], dtype=np.float64), burst.shape)
    newest = at(np.maximum.accumulate(np.where(burst, place, -day), axis=1))
    since = np.minimum(at(place) - newest, day)
    plain["since-burst"] = np.log1p(since * (bin_s / 60))
    sizes = np.take_along_axis(most[:, -burst.shape[1] :], np.maximum(newest, 0).astype(np.int64), axis=1)
    spans["last-burst"] = np.where(since < day, sizes, np.nan)
    return Bins(spans["mean-1d"], spans, plain)


def _counting(hours: int) -> Floats:
    """1 … hours, to divide [hour, row, origin] by."""
    return np.arange(1.0, hours + 1)[:, None, None]


def _rises(
    mean: Floats,
    most: Floats,
    usual: Floats,
    ahead: int,
    ways: tuple[Callable[..., Floats], Callable[..., Floats], int],
) -> dict[str, Floats]:
    """How the largest of `ahead` bins stood to the mean of the bin before them, over the day: what a lead window adds.

    A rise ends at a bin. usual: [row, bin], the three hours before; ways: hourly, means and the bins of an hour.
    """
    hourly, means, hour = ways
    usual = usual[:, : usual.shape[1] - ahead + 1] if ahead > 1 else usual
    start = mean[:, :-ahead][:, -usual.shape[1] :]
    rise = Ratio(start, FLOOR_SHARE * usual)(window_max(most, ahead)[:, -usual.shape[1] :])
    average, tops = means(rise), hourly(window_max(rise, hour))
    found = {f"rise-{name}": values for name, values in ranked(tops).items()}
    return found | {
        "rise-mean-3h": average[2],
        "rise-mean-1d": average[-1],
        "rise-max-3h": np.fmax.accumulate(tops[:3])[-1],
    }
