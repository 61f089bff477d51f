"""The rivals on two public traces, beside figures of an independent simulator, and what they cost to run.

    nice -n 19 .venv/bin/python tests/bench/bench_rivals.py DATA [--lead MINUTES ...] [--trace NAME]

DATA: folder with worldcup98_1min.parquet and twitter_stream_2021_1min.parquet. Capacity is such that the 99.9th
percentile needs 60 replicas; replica-hours over the clairvoyant's at 0.5 % short steps, by interpolation on the
frontier and at the cheapest rung within the risk; "causal": re-tuned each midnight. Fails loudly without the data.

What lies more than 5 % from the reference, and why. PHPA extrapolates whole replicas, and what its HPA holds within
tolerance is the model's own last overshoot, which joins the history; on demand (`-demand`) the same models are within
4 %. DSP looks an hour ahead over seven past days, as upstream; with three days and the lead (`-3d`) it comes near on
worldcup98. The mean over days of an hour's maximum is cheaper on twitter than the reference, whose model is not known.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from autoscaler.domain.series import Floats
from autoscaler.simulator.rivals import World, all_requested, causally, in_hindsight, paid_at, score

RISK, PEAK_REPLICAS, STEP_S, WORTH_A_LOOK = 0.005, 60, 60, 0.05
WARM_DAYS = {"worldcup98_1min": 14, "twitter_stream_2021_1min": 7}
REFERENCE = {
    ("worldcup98_1min", 3): {
        "hpa-300s": 1.122, "phpa-linear": 1.106, "phpa-linear-demand": 1.106, "phpa-holt-winters": 1.105,
        "phpa-holt-winters-demand": 1.105, "crane-dsp": 1.635,
        "crane-dsp-3d": 1.635, "aws-hourly-max": 1.596, "aws-hourly-mean": 1.443,
        "max15": 1.132, "max60": 1.254,
    },
    ("worldcup98_1min", 10): {
        "hpa-300s": 1.206, "phpa-linear": 1.233, "phpa-linear-demand": 1.233, "phpa-holt-winters": 1.199,
        "phpa-holt-winters-demand": 1.199, "crane-dsp": 1.704,
        "crane-dsp-3d": 1.704, "aws-hourly-max": 1.677, "aws-hourly-mean": 1.529,
        "max15": 1.222, "max60": 1.352,
    },
    # Crane here finds a day's period at every refresh and, as upstream, looks an hour ahead: 3.19. With a look of the
    # lead alone it comes to 3.77, without any period (the HPA alone) to 4.64; the reference is near the latter.
    ("twitter_stream_2021_1min", 3): {
        "hpa-300s": 4.594, "phpa-holt-winters": 3.719, "phpa-holt-winters-demand": 3.719, "crane-dsp": 4.765,
        "crane-dsp-3d": 4.765,
        "aws-hourly-max": 4.467, "aws-hourly-mean": 4.147, "max1440": 3.506, "static": 3.401,
    },
}  # fmt: skip


def recorded(folder: Path, name: str) -> tuple[Floats, int]:
    """Demand per minute, NaN = unknown, and the absolute step of its first value."""
    path = folder / f"{name}.parquet"
    if not path.is_file():
        sys.exit(f"{path} is missing: the rivals cannot be judged without it")
    frame = pd.read_parquet(path)
    return frame["value"].to_numpy(dtype=np.float64), int(frame["ts"].iloc[0].timestamp()) // STEP_S


def table(folder: Path, name: str, lead: int) -> None:
    demand, first = recorded(folder, name)
    world = World(STEP_S, first, float(np.nanquantile(demand, 0.999)) / PEAK_REPLICAS, lead)
    warm, expected = WARM_DAYS[name] * 1440, REFERENCE.get((name, lead), {})
    print(f"\n{name}, lead {lead} min, {len(demand)} steps")
    print(f"{'rival':26}{'interpolated':>13}{'rung':>9}{'knob':>7}{'causal':>9}{'short %':>9}{'reference':>11}{'s':>7}")
    begun = time.process_time()
    for rival, requested in all_requested(demand, world):
        spent = time.process_time() - begun
        scores = score(requested, demand, world, warm)
        paid, rung = paid_at(scores, RISK), in_hindsight(scores, RISK)
        tuned = causally(requested, demand, world, RISK, default=rival.default)
        by_day = score(tuned[None, :], demand, world, warm)
        ratio = float("nan") if paid is None else paid / scores.bound_hours
        there = expected.get(rival.name)
        apart = there is not None and not abs(ratio / there - 1) <= WORTH_A_LOOK
        print(
            f"{rival.name:26}{ratio:13.3f}"
            + (f"{'-':>9}{'-':>7}" if rung is None else f"{scores.over_bound[rung]:9.3f}{rival.knobs[rung]:7.2f}")
            + f"{by_day.over_bound[0]:9.3f}{100 * by_day.short[0]:9.3f}"
            + (f"{there:10.3f}{'*' if apart else ' '}" if there is not None else f"{'':11}")
            + f"{spent:7.1f}",
            flush=True,
        )
        begun = time.process_time()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--lead", type=int, nargs="+", default=[3, 10], help="minutes")
    parser.add_argument("--trace", choices=sorted(WARM_DAYS), nargs="+", default=list(WARM_DAYS))
    asked = parser.parse_args()
    for name in asked.trace:
        for lead in asked.lead:
            table(asked.data, name, lead)
    print("\n* more than 5 % from the reference")


if __name__ == "__main__":
    main()
