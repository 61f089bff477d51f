"""The zone whose wall clock the demand follows, as it is written (FAULTS F07)."""

import pytest

from autoscaler.domain.errors import InvalidSpec
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.season import Season
from autoscaler.spec import parse_text, to_workload

TEXT = """apiVersion: foresail.dev/v1alpha1
kind: MetricsSource
metadata: {name: rec}
spec: {file: {path: web.csv}}
---
apiVersion: foresail.dev/v1alpha1
kind: PredictiveAutoscaler
metadata: {name: web, namespace: shop}
spec:
  target: {apiVersion: apps/v1, kind: Deployment, name: web}
  replicas: {min: 2, max: 60}
  demands:
  - {name: requests, source: rec, query: web, capacity: {perReplica: "45"}}
  - {name: jobs, source: rec, query: jobs, capacity: {perReplica: "5"}}
"""


def fleet(line: str = "") -> Fleet:
    return Fleet(tuple(to_workload(a) for a in parse_text(TEXT + line, "web.yaml").autoscalers))


def test_F07_every_demand_of_a_workload_follows_its_zone() -> None:
    assert fleet("  timeZone: Australia/Lord_Howe\n").row_seasons == (Season("Australia/Lord_Howe"),) * 2
    assert fleet("  timeZone: UTC\n").row_seasons is None


def test_without_one_it_is_utc() -> None:
    assert fleet().row_seasons is None


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Europe/Berln", "is not an IANA time zone (got 'Europe/Berln'); did you mean 'Europe/Berlin'"),
        ("CET", "is not an IANA time zone"),
        ('"+02:00"', "is not an IANA time zone"),
    ],
)
def test_what_is_no_zone_is_refused_with_its_place(zone: str, words: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        fleet(f"  timeZone: {zone}\n")
    told = str(caught.value)
    assert "spec.timeZone" in told
    assert "web.yaml:15" in told
    assert words in told.replace('"', "'") or words.partition(" (got")[0] in told
