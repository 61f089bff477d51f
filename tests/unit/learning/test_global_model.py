"""Training the global model: it learns, it is measured on what it has not seen, and little is refused with a reason."""

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.domain.errors import Refused
from autoscaler.domain.series import Panel
from autoscaler.learning.global_model import GlobalPlan, learn_globally
from autoscaler.learning.training_samples import Learnable, samples_of
from autoscaler.learning.trees import TreePlan

HOUR = 60
PLAN = GlobalPlan(leads_s=(180,), pairs=3000, trees=TreePlan(rounds=15, least=30))


def _hourly(name: str, source: str = "clock", days: int = 3, seed: int = 0, step_s: int = 60) -> Learnable:
    """Quiet but for a burst of five steps at the full hour."""
    rng = np.random.default_rng(seed)
    t = np.arange(days * 86400 // step_s)
    values = rng.poisson(100, len(t)) * np.where(t % HOUR < 5, 4.0, 1.0)
    return Learnable(source, name, step_s, 7, values.astype(np.float64))


@pytest.fixture(scope="module")
def learned():
    said: list[str] = []
    series = [_hourly(f"w{k}", seed=k) for k in range(4)] + [_hourly("x", "apart", seed=9)]
    return learn_globally(series, replace(PLAN, leave_out=("apart",)), said.append), said


def test_bursts_by_the_clock_are_foreseen_on_a_series_never_seen(learned) -> None:
    model = learned[0].model
    series = _hourly("new", seed=77)
    panel = Panel(60, 7, series.values[None, :], np.empty((0, 0), dtype=np.uint8))
    full_hour = 7 + 2 * 1440 + HOUR * np.arange(10)
    before = model.quantiles(panel, full_hour, 3)[0, :, 2]
    quiet = model.quantiles(panel, full_hour + 20, 3)[0, :, 2]
    assert (before > 300).all()
    assert (quiet < 250).all()


def test_metrics_are_of_the_newest_part_and_of_the_source_left_out(learned) -> None:
    found = learned[0]
    assert found.series == {"clock": 4}
    for group in ("held-out", "left-out"):
        assert found.metrics[f"{group}.q950.loss-ratio"] < 0.6
        assert 0.88 < found.metrics[f"{group}.q950.coverage"] <= 1.0
        assert f"{group}.young.q500.loss" in found.metrics
    assert len(found.features) == len(set(found.features))
    assert found.pairs > 2000


def test_it_says_what_it_does(learned) -> None:
    assert sum("quantile" in words for words in learned[1]) == 6


def test_the_same_seed_gives_the_same_trees() -> None:
    series = [_hourly("w", seed=1)]
    one, two = (learn_globally(series, replace(PLAN, held_out=0.0)) for _ in range(2))
    for a, b in zip(one.model.trees, two.model.trees, strict=True):
        np.testing.assert_array_equal(a.threshold, b.threshold)
        np.testing.assert_array_equal(a.value, b.value)


def test_too_little_or_too_coarse_is_refused() -> None:
    with pytest.raises(Refused, match="at least 500"):
        learn_globally([replace(_hourly("w"), values=_hourly("w").values[:60])], PLAN)
    with pytest.raises(Refused, match="0 series with steps"):
        learn_globally([_hourly("w", step_s=3600, days=90)], PLAN)
    with pytest.raises(Refused, match="no source 'nobody' to leave out; there are clock"):
        learn_globally([_hourly("w")], replace(PLAN, leave_out=("nobody",)))


@pytest.mark.parametrize("step_s", [15, 60, 300])
def test_pairs_lie_within_the_columns_asked_for(step_s: int) -> None:
    """The peaks of a rising ramp tell when they were: none is from outside."""
    values = np.arange(1.0, 3 * 86400 // step_s)
    low, high, lead = len(values) // 3, len(values) * 2 // 3, 2
    series = Learnable("s", "ramp", step_s, 11, values)
    pairs = samples_of(series, lead, 300, np.random.default_rng(0), first=low, end=high)
    assert pairs.young.any()
    assert not pairs.young.all()
    newest = pairs.table[:, pairs.names.index("newest")]
    assert np.isfinite(newest).all()
    forgotten = np.full_like(values, np.nan)
    forgotten[low:high] = values[low:high]
    later = replace(series, values=np.where(np.arange(len(values)) < high, values, 1e9))
    again = samples_of(later, lead, 300, np.random.default_rng(0), first=low, end=high)
    np.testing.assert_array_equal(again.relative, pairs.relative)
    young = samples_of(replace(series, values=forgotten), lead, 300, np.random.default_rng(0), first=low, end=high)
    np.testing.assert_array_equal(young.relative[young.young], pairs.relative[pairs.young])


def test_a_series_shorter_than_a_lead_window_gives_no_pair() -> None:
    assert len(samples_of(Learnable("s", "short", 60, 0, np.ones(4)), 10, 100, np.random.default_rng(0))) == 0
