"""What risk control does not judge: steps of data that nobody believes, and of attacks, which nobody plans for."""

import numpy as np
import pytest

from autoscaler.domain.anomaly import AnomaliesAt, Cause
from autoscaler.pipeline.anomalies import unjudged


def test_S09_steps_of_a_suspected_attack_are_not_judged() -> None:
    found = AnomaliesAt.of(3, (1, Cause.SUSPECTED_ATTACK, 0.9, 0.0), (2, Cause.DEMAND, 0.9, 0.0))
    left_out = unjudged(found, np.array([True, False, False]))
    assert left_out is not None
    assert left_out.tolist() == [True, True, False]


@pytest.mark.parametrize("found", [None, AnomaliesAt.none(2), AnomaliesAt.of(2, (0, Cause.DEMAND, 0.9, 0.0))])
def test_everything_else_is_judged(found: AnomaliesAt | None) -> None:
    assert unjudged(found, None) is None
