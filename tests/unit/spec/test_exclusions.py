"""What owners leave out of learning, as it is written."""

import pytest

from autoscaler.domain.calendar import Hours, Once
from autoscaler.domain.errors import InvalidSpec
from autoscaler.domain.season import Exclusion
from autoscaler.domain.workload import Workload
from autoscaler.spec import parse_text, to_workload
from tests.unit.spec.test_time_zone import TEXT

ONCE = '{once: {from: "2026-11-20T08:00:00Z", until: "2026-11-20T10:00:00Z"}}'
WEEKLY = '{weekly: {days: [Sun], from: "02:00", to: "03:00", timeZone: Europe/Berlin}}'


def load(calibration: str) -> Workload:
    return to_workload(parse_text(f"{TEXT}  calibration: {calibration}\n", "web.yaml").autoscalers[0])


def test_each_window_has_a_reason() -> None:
    found = load(f"{{exclude: [{{when: {ONCE}, reason: load test}}, {{when: {WEEKLY}, reason: batch}}]}}").excluded
    assert found == (
        Exclusion(Once(1_795_161_600.0, 1_795_168_800.0), "load test"),
        Exclusion(Hours("Europe/Berlin", 120, 180, days=(6,)), "batch"),
    )
    assert load("{}").excluded == ()


@pytest.mark.parametrize(
    ("calibration", "words"),
    [
        (f"{{exclude: [{{when: {ONCE}}}]}}", "spec.calibration.exclude[0].reason"),
        ("{exclude: [{when: {}, reason: x}]}", "takes exactly one of weekly, dates and once"),
        ("{exclude: []}", "spec.calibration.exclude"),
        (f"{{excluded: [{{when: {ONCE}, reason: x}}]}}", "did you mean"),
    ],
)
def test_slips_name_their_place(calibration: str, words: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        load(calibration)
    assert words in str(caught.value)
    assert "web.yaml:15" in str(caught.value)
