"""Labels move a workload's calibration within bounds, are forgotten, and can be read off."""

import pytest

from autoscaler.domain.feedback import FORGOTTEN_S, LEAST, MOST, calibrations
from autoscaler.domain.incident import Feedback, Incident, Label, Rule


def incident(number: int, *workloads: str) -> Incident:
    return Incident(
        f"i{number}", 0.0, 0.0, None, Rule.UNEXPLAINED, 0.5, workloads or ("shop/web",), len(workloads) or 1
    )


def said(*labels: Label, at_s: float = 0.0) -> list[tuple[Incident, Feedback]]:
    return [(incident(k), Feedback(f"i{k}", label, "", at_s)) for k, label in enumerate(labels)]


def test_each_label_moves_it_a_little_and_none_beyond_the_bounds() -> None:
    one = calibrations(said(Label.FALSE, Label.FALSE, Label.REAL), 0.0)["shop/web"]
    assert one.factor == pytest.approx(0.7 * 0.7 * 1.15)
    assert one.words == "accepted rate × 0.56: 1 labelled real, 2 false"
    least = calibrations(said(*[Label.FALSE] * 30), 0.0)["shop/web"]
    assert (least.factor, "at its bound" in least.words) == (LEAST, True)
    assert calibrations(said(*[Label.REAL] * 30), 0.0)["shop/web"].factor == MOST


def test_old_labels_and_those_of_a_fleet_count_for_nothing() -> None:
    assert not calibrations(said(Label.FALSE), FORGOTTEN_S + 1)
    whole = (incident(1, "shop/web", "shop/api"), Feedback("i1", Label.FALSE, "", 0.0))
    assert not calibrations([whole], 0.0)
