"""Trains the packaged global model (models/global-peak) from public recordings whose terms allow it.

    python hack/train_pretrained.py --data DIR [--promote]

DIR holds the Parquet files that the card names. Each source is also left out once, and the model of the others is
measured on it: what stands in the card is of loads that the model had never seen.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from autoscaler.adapters.artefacts import ModelFolder
from autoscaler.bootstrap.training_cards import card_text, manifest_of, write_card
from autoscaler.learning.global_model import GlobalPlan, Learned, learn_globally
from autoscaler.learning.training_samples import Learnable
from autoscaler.learning.trees import TreePlan

ROOT: Final = Path(__file__).resolve().parent.parent
PLAN: Final = GlobalPlan(trees=TreePlan(rounds=80, rate=0.1))
EVERY: Final = 4
"""Of the functions, which are in the order of their totals: enough of them, in a quarter of the time."""
MOST_STEPS: Final = 60 * 1440
"""Of one series: one that is far longer than all others would be learned by heart."""
WEB = ("m10", "m11", "m12", "m13", "m14", "m15", "m18")
"""Columns of the JumpStarter services that follow the load of a day."""
ARTIFICIAL, SPARSE = "artificial", 0.5

TERMS: Final = {
    "worldcup98": "1998 FIFA World Cup web site, requests a minute, 87 days. Internet Traffic Archive: free use and "
    "redistribution with its notice (below).",
    "ms_cloud": "Microsoft cloud monitoring dataset: requests and ingress of services, 11 to 60 days at 1 min. MIT.",
    "jumpstarter": "JumpStarter dataset 2 (USENIX ATC'21): 28 load-like metrics of 4 services, 45 days at 5 min. MIT.",
    "nab": "Numenta Anomaly Benchmark: AWS CloudWatch, traffic and tweets, about 14 days at 5 min. MIT.",
    "azure_functions": "Azure Functions trace 2019 (sample), one day at 1 min. CC-BY 4.0, Microsoft; Shahrad et al., "
    "Serverless in the Wild, USENIX ATC 2020.",
    "azure_llm": "Azure LLM inference trace 2023, one hour at 15 s. CC-BY 4.0, Microsoft; Patel et al., Splitwise, "
    "ISCA 2024.",
}
NOT_LEARNED: Final = (
    "Not learned from, as their terms are not stated or for research only: Twitter's stream 2021, Alibaba's cluster "
    "2018, PlanetLab's VMs. They measure what docs/training.md tells."
)
NOTICE: Final = (
    '"You have permission to use and redistribute these access logs freely, as long as this Copyright and Disclaimer '
    "is distributed unmodified. If you publish any results based on these access logs, please send us a copy of this "
    "publication and give the following reference: M. Arlitt and T. Jin, '1998 World Cup Web Site Access Logs', August "
    '1998. Available at http://www.acm.org/sigcomm/ITA/." Copyright (C) 1997, 1998, 1999 Hewlett-Packard Company. All '
    'rights reserved. Provided "as is", without warranty of any kind.'
)


def main() -> int:
    options = _options()
    series = list(public_series(options.data))
    say(f"{len(series)} series of {len({each.source for each in series})} sources")
    found = learn_globally(series, PLAN, say)
    apart = {name: found.metrics for name, found in left_out_once(series)}
    for name, metrics in apart.items():
        found.metrics.update(
            {f"left-out.{name}.{k.split('.', 1)[1]}": v for k, v in metrics.items() if k.startswith("left-out")}
        )
    publish(found, series, options.models, promote=options.promote)
    return 0


def left_out_once(series: list[Learnable]) -> Iterator[tuple[str, Learned]]:
    """Each source, with what was learned from all the others."""
    for name in sorted({each.source for each in series}):
        say(f"without {name}")
        yield name, learn_globally(series, replace(PLAN, leave_out=(name,), held_out=0.0), say)


def publish(found: Learned, series: list[Learnable], root: Path, *, promote: bool) -> None:
    folder = ModelFolder(root)
    now = datetime.now(UTC).replace(microsecond=0)
    made = folder.publish(manifest_of(found, series, now), found.model.arrays())
    place = folder.place(made.name, made.generation)
    size = sum(each.stat().st_size for each in place.iterdir())
    sources = [f"{TERMS[name]} {count} series." for name, count in found.series.items()] + [NOT_LEARNED]
    write_card(folder.place(made.name), card_text(made, sources, notices=(NOTICE,)))
    say(f"{made.label}: {size / 1e6:.2f} MB in {place}")
    if promote:
        folder.promote(made.name, made.generation, by="hack/train_pretrained.py", at=now)


def public_series(data: Path) -> Iterator[Learnable]:
    """Load-like series of the sources in TERMS; negative values and long gaps are not learned from."""
    workloads, anomalies = data / "workloads", data / "anomalies"
    yield from _series("worldcup98", workloads / "worldcup98_1min.parquet", 60)
    functions = list(_series("azure_functions", workloads / "azure_functions2019_sample_1min.parquet", 60))
    yield from functions[::EVERY]
    calls = pd.read_parquet(workloads / "azure_llm2023_conv_1s.parquet")
    for column in ("value", "context_tokens", "generated_tokens"):
        yield from _gridded("azure_llm", column, calls["ts"], calls[column], 15)
    for each in _series("ms_cloud", anomalies / "ms_cloud_monitoring.parquet", 60):
        if any(word in each.name for word in ("-rps", "ingress")):
            cut = max(0, len(each.values) - MOST_STEPS)
            newest = each.values[cut:]  # noqa: PD011 - of a Learnable, not of a table
            yield replace(each, values=newest, first_step=each.first_step + cut)
    for each in _series("nab", anomalies / "nab.parquet", 300):
        if ARTIFICIAL not in each.name:
            yield each
    services = pd.read_parquet(anomalies / "jumpstarter_services_d2.parquet")
    for name in ("service0", "service7", "service13", "service21"):
        one = services[services["series"] == f"Dataset2/{name}"]
        for metric in WEB:
            yield from _gridded("jumpstarter", f"{name}/{metric}", one["ts"], one[metric], 300)


def _series(source: str, path: Path, step_s: int) -> Iterator[Learnable]:
    table = pd.read_parquet(path)
    for name, one in table.groupby("series", observed=True):
        yield from _gridded(source, str(name), one["ts"], one["value"], step_s)


def _gridded(source: str, name: str, ts: pd.Series, values: pd.Series, step_s: int) -> Iterator[Learnable]:
    """Means of steps; a series that is coarser, mostly unknown or always zero is left out."""
    steps = pd.DatetimeIndex(ts).as_unit("s").asi8 // step_s
    numbers = values.to_numpy(dtype=np.float64)
    known = np.isfinite(numbers) & (numbers >= 0)
    first, width = int(steps.min()), int(steps.max() - steps.min()) + 1
    counts = np.bincount(steps[known] - first, minlength=width)
    sums = np.bincount(steps[known] - first, weights=numbers[known], minlength=width)
    grid = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    if (counts > 0).mean() >= SPARSE and np.nanmax(grid) > 0:
        yield Learnable(source, name, step_s, first, grid)


def say(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public recordings")
    parser.add_argument("--models", type=Path, default=ROOT / "models", help="folder of models")
    parser.add_argument("--promote", action="store_true", help="put what is trained into force")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
