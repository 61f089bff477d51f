"""The fleet benchmark: its aims, its page, and that a part of it judges nothing."""

import numpy as np
import pytest

from tests.bench.bench_fleet import Measures, Taken, aims, demand, main, page


def _measures(refit_s: float, memory_mib: float) -> Measures:
    warm, cold = Taken(1.0, 1.1), Taken(refit_s, 70.0)
    return Measures(10_000, 600, 1.0, warm, warm, cold, memory_mib, 824.0, 12, 0.12, 5)


@pytest.mark.parametrize(
    ("refit_s", "memory_mib", "reached"), [(60.0, 1024.0, [True] * 3), (60.1, 1025.0, [True, False, False])]
)
def test_an_aim_is_reached_up_to_its_limit_and_the_page_says_which_is_missed(refit_s, memory_mib, reached):
    found = _measures(refit_s, memory_mib)
    judged = aims(found)
    assert [aim.reached for aim in judged] == reached
    told = page(found, judged, "2026-01-02", "abc1234")
    assert told.count("**missed**") == reached.count(False)
    assert ("Every aim is reached." in told) == all(reached)
    assert "commit abc1234" in told
    assert "extrapolated, not run" in told
    assert f"{0.12 * 10_000:,.0f} s" in told


def test_history_is_float32_with_unknown_steps():
    values = demand(3)
    assert values.shape == (3, 21_600)
    assert values.dtype.name == "float32"
    assert 0 < float(np.isnan(values).mean()) < 0.1


def test_a_part_of_it_is_measured_and_not_judged(tmp_path):
    assert main(["--lanes", "2", "--sample", "1", "--scratch", str(tmp_path), "--docs", str(tmp_path / "docs")]) == 0
    assert "Not judged." in (tmp_path / "fleet.md").read_text(encoding="utf-8")
    assert not (tmp_path / "docs").exists()
