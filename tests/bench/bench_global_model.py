"""What asking the global model costs: a whole fleet at one moment, and one workload at every moment of a day.

python tests/bench/bench_global_model.py
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import numpy as np

from autoscaler.bootstrap.models import packaged_models
from autoscaler.domain.series import Panel
from autoscaler.forecasting.features import peak_features
from autoscaler.forecasting.pretrained import EXPECTED, GlobalPeaks

DAY, LEAD, TRIES = 1440, 3, 3


def best_s(work: Callable[[], object]) -> float:
    """Shortest of a few runs, in seconds of this process."""
    found = []
    for _ in range(TRIES):
        begun = time.process_time()
        work()
        found.append(time.process_time() - begun)
    return min(found)


def main() -> None:
    model = GlobalPeaks.of(packaged_models().in_force(EXPECTED, datetime.now(UTC))[0])
    rng = np.random.default_rng(0)
    for rows, origins in ((10_000, 1), (1, DAY)):
        values = rng.gamma(3.0, 10.0, (rows, 8 * DAY + origins))
        panel = Panel(60, 0, values, np.empty((0, 0), dtype=np.uint8))
        moments = np.arange(8 * DAY, 8 * DAY + origins)
        features = best_s(partial(peak_features, panel, moments, LEAD))
        whole = best_s(partial(model.quantiles, panel, moments, LEAD))
        print(
            f"{rows:6,} workloads x {origins:5,} moments: features {features:.3f} s, with three quantiles {whole:.3f} s"
        )


if __name__ == "__main__":
    main()
