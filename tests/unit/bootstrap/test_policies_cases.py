"""`policy test`: the examples hold, a broken promise is found, and a slip in a test file names its place."""

import math
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from autoscaler.bootstrap.policies_cases import CaseResult, run_cases
from autoscaler.cli.policy_cases import junit_xml
from autoscaler.domain.errors import InvalidSpec, Refused

EXAMPLES = Path(__file__).parents[3] / "policies" / "examples"
HEAD = "apiVersion: foresail.dev/v1alpha1\nkind: GuardPolicyTest\nmetadata: {name: t}\n"


@pytest.mark.parametrize("folder", sorted(p.parent for p in EXAMPLES.glob("*/policy_test.yaml")), ids=lambda p: p.name)
def test_the_promises_of_the_examples_hold(folder: Path) -> None:
    results = list(run_cases([folder]))
    assert len(results) >= 3
    assert {r.name: r.failures for r in results if r.failures} == {}


@pytest.fixture
def suite(tmp_path, workload, source):
    """Cases about shop/web (2 to 60, ten a replica, Scale) under a policy with a window, a freeze and a pause."""

    def made(*cases: str, limits: str = "{replicas: {max: 20}}", fleet: str | None = None) -> list[CaseResult]:
        (tmp_path / "fleet.yaml").write_text(f"{source()}---\n{fleet or workload('web')}")
        policy = (
            "apiVersion: foresail.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: shop}\n"
            f"spec: {{selector: {{namespaces: [shop]}}, limits: {limits}}}\n"
        )
        (tmp_path / "policy.yaml").write_text(policy)
        lines = "".join(f"    - {case}\n" for case in cases)
        (tmp_path / "t_test.yaml").write_text(f"{HEAD}spec:\n  files: [fleet.yaml, policy.yaml]\n  cases:\n{lines}")
        return list(run_cases([tmp_path]))

    return made


def case(given: str, expect: str, **more: str) -> str:
    fields = {"name": "c" + more.get("for", ""), "workload": "shop/web", "at": '"2026-06-10T09:00:00Z"'} | more
    head = ", ".join(f"{key}: {value}" for key, value in fields.items())
    return f"{{{head}, given: {given}, expect: {expect}}}"


def failures(results: list[CaseResult]) -> list[str]:
    return [f for r in results for f in r.failures]


@pytest.mark.parametrize(
    ("given", "expect", "told"),
    [
        ("{replicas: 4, observed: 90}", "{replicas: 10}", "9 replicas, not 10"),
        ("{replicas: 4, observed: 90}", "{atLeast: 10}", "fewer than 10"),
        ("{replicas: 4, observed: 90}", "{atMost: 8}", "more than 8"),
        ("{replicas: 4, observed: 90}", "{holds: true}", "does not hold"),
        ("{replicas: 4}", "{holds: false}", "holds: "),
        ("{replicas: 4, observed: 90}", "{reasons: [StaleData]}", "StaleData is not among the reasons"),
        ("{replicas: 4, observed: 90}", "{notReasons: [NoForecast]}", "NoForecast is among the reasons"),
        ("{replicas: 4, observed: 90}", "{rules: {max: other}}", "max is set by GuardPolicy shop@"),
        ("{replicas: 4, observed: 90}", "{rules: {min: shop}}", "min is set by PredictiveAutoscaler shop/web"),
        ("{replicas: 4, observed: 90}", "{rules: {headroom: shop}}", "headroom is set by no policy"),
        ("{replicas: 4, observed: 90}", "{rules: {maxx: shop}}", 'did you mean "max"?'),
    ],
)
def test_a_promise_that_is_not_kept_is_told_with_what_came_instead(suite, given, expect, told) -> None:
    (failure,) = failures(suite(case(given, expect)))
    assert told in failure


def test_what_is_given_is_sized_without_a_margin_of_its_own(suite) -> None:
    assert (
        failures(suite(case("{replicas: 9, observed: 10, peak: 120}", "{replicas: 12, reasons: [ForecastPeak]}"))) == []
    )


def test_time_before_the_moment_counts_for_stabilisation_and_steps(suite) -> None:
    given = "{replicas: 20, observed: 10, peak: 10}"
    assert failures(suite(
        case(given, "{replicas: 20, reasons: [Stabilizing]}"),
        case(given, "{replicas: 20, reasons: [Stabilizing]}", **{"for": "4m"}),
        case(given, "{replicas: 18, reasons: [StepDownLimited]}", **{"for": "5m"}),
        case(given, "{replicas: 16}", **{"for": "6m"}),
    )) == []  # fmt: skip


def test_several_demands_are_given_by_name(suite, workload) -> None:
    demand = '{{name: {0}, source: rec, query: {0}, capacity: {{perReplica: "{1}"}}}}'
    two = f"[{demand.format('a', 10)}, {demand.format('b', 1)}]"
    fleet = workload("web", demands=two)
    good = case("{replicas: 9, demands: {a: {observed: 90}, b: {observed: 12, peak: 15}}}", "{replicas: 15}")
    assert failures(suite(good, fleet=fleet)) == []
    with pytest.raises(InvalidSpec, match="of which demand is this"):
        suite(case("{replicas: 4, observed: 90}", "{replicas: 9}"), fleet=fleet)
    with pytest.raises(InvalidSpec, match=r'no such demand.*did you mean "a"'):
        suite(case("{replicas: 4, demands: {A: {observed: 90}}}", "{replicas: 9}"), fleet=fleet)


SLIPS = [
    (case("{replicas: 4, observed: 90}", "{}"), "expects nothing"),
    (case("{replicas: 4, observed: 90}", "{replicas: 9}", workload="shop/wen"), 'did you mean "shop/web"'),
    (case("{observed: 90}", "{replicas: 9}"), "replicas: is missing"),
    (case("{replicas: 4, observed: -1}", "{replicas: 9}"), "must be at least 0"),
    (case("{replicas: 4, peak: 1, quantiles: {p50: 1, p90: 2, p95: 3}}", "{replicas: 9}"), "either peak or quantiles"),
    (case("{replicas: 4, quantiles: {p50: 5, p90: 2, p95: 3}}", "{replicas: 9}"), "must rise"),
    (case("{replicas: 4}", "{reasons: [Stale]}"), 'did you mean "StaleData"'),
    (case("{replicas: 4}", "{replica: 3}"), 'did you mean "replicas"'),
    (case("{replicas: 4}", "{replicas: 3}", at='"2026-06-10T09:00:00"'), "has no time zone"),
    (case("{replicas: 4}", "{atLeast: 9, atMost: 3}"), "can never hold: atLeast 9 is above atMost 3"),
    ("\n    - ".join([case("{replicas: 4}", "{replicas: 4}")] * 2), "has the same name"),
]


@pytest.mark.parametrize(("text", "told"), SLIPS, ids=[s[1] for s in SLIPS])
def test_P01_a_slip_in_a_test_file_names_its_place(suite, text, told) -> None:
    with pytest.raises(InvalidSpec) as refused:
        suite(text)
    assert told in str(refused.value)
    assert re.search(r"t_test\.yaml:[78]:", str(refused.value))


def test_a_broken_policy_is_no_failed_promise_but_an_error(suite) -> None:
    with pytest.raises(InvalidSpec, match=r"policy\.yaml"):
        suite(case("{replicas: 4}", "{replicas: 4}"), limits='{replicas: {max: "20"}}')


def test_a_folder_without_tests_is_said(tmp_path) -> None:
    with pytest.raises(Refused, match=r"no \*_test.yaml"):
        list(run_cases([tmp_path]))


def test_junit_counts_and_tells_what_failed(suite) -> None:
    results = suite(
        case("{replicas: 4, observed: 90}", "{replicas: 9}"), case("{replicas: 4}", "{atLeast: 9}", name="<b>")
    )
    root = ET.fromstring(junit_xml(results))  # noqa: S314 - our own
    (found,) = root.findall("testsuite")
    assert (found.get("name"), found.get("tests"), found.get("failures")) == ("t", "2", "1")
    good, bad = found.findall("testcase")
    assert good.find("failure") is None
    assert (bad.get("name"), bad.get("line")) == ("<b>", "8")
    assert "fewer than 9" in str(bad.find("failure").get("message"))  # type: ignore[union-attr]


@pytest.fixture
def recorded(tmp_path, workload, source):
    """A day and a half of a wave around 200 (twenty replicas of ten), and what is expected of it."""

    def made(*expect: str, limits: str = "{replicas: {max: 22}}", given: str = "", **spec: object) -> list[CaseResult]:
        start = datetime(2026, 6, 9, tzinfo=UTC)
        stamps = [start + timedelta(minutes=5 * k) for k in range(432)]
        rows = [f"{t.isoformat()},{200 * (1 + 0.3 * math.sin(2 * math.pi * t.hour / 24)):.2f}" for t in stamps]
        (tmp_path / "day.csv").write_text("\n".join(["ts,value", *rows]) + "\n")
        (tmp_path / "fleet.yaml").write_text(f"{source()}---\n{workload('web', **spec)}")
        policy = (
            "apiVersion: foresail.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: shop}\n"
            f"spec: {{selector: {{namespaces: [shop]}}, limits: {limits}}}\n"
        )
        (tmp_path / "policy.yaml").write_text(policy)
        abnormal = f"anomalies: [{given}], " if given else ""
        head = f"{{name: a day, workload: shop/web, trace: day.csv, {abnormal}expect: ["
        (tmp_path / "t_test.yaml").write_text(
            f"{HEAD}spec:\n  files: [fleet.yaml, policy.yaml]\n  recordings:\n    - {head}{', '.join(expect)}]}}\n"
        )
        return list(run_cases([tmp_path]))

    return made


SPAN = 'from: "2026-06-09T12:00:00Z", until: "2026-06-10T12:00:00Z"'


def test_a_recorded_day_keeps_its_promises_by_the_clock(recorded) -> None:
    once = '{once: {from: "2026-06-10T01:00:00Z", until: "2026-06-10T03:00:00Z"}}'
    results = recorded(
        f"{{{SPAN}, atMost: 22, atLeast: 2}}",
        '{at: "2026-06-10T01:00:00Z", atLeast: 22}',
        '{from: "2026-06-10T01:00:00Z", until: "2026-06-10T03:00:00Z", replicas: 22, notReasons: [BadData]}',
        limits=f"{{replicas: {{max: 22}}, schedule: [{{name: night, min: 22, when: {once}}}]}}",
    )
    assert [(r.name, r.failures) for r in results] == [("a day", ())]


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        (f"{{{SPAN}, atMost: 10}}", "replicas, more than 10"),
        (f"{{{SPAN}, holds: true}}", "does not hold"),
        ('{at: "2026-06-10T06:00:00Z", replicas: 1}', "2026-06-10 06:00 UTC: 22 replicas, not 1"),
        (f"{{{SPAN}, reasons: [ChangeFreeze]}}", "without ChangeFreeze"),
    ],
)
def test_a_promise_that_a_recorded_day_breaks_is_told_with_its_first_moment(recorded, expect, told) -> None:
    (failure,) = failures(recorded(expect))
    assert told in failure


def test_moments_outside_the_record_and_half_a_span_are_slips(recorded) -> None:
    with pytest.raises(InvalidSpec, match=r"t_test.yaml:\d+:\d+: spec.recordings\[0\]: .*nothing to look at"):
        recorded('{at: "2026-07-10T06:00:00Z", replicas: 1}')
    with pytest.raises(InvalidSpec, match="takes at, or from and until"):
        recorded('{from: "2026-06-10T06:00:00Z", replicas: 1}')
    with pytest.raises(InvalidSpec, match="expects nothing"):
        recorded('{at: "2026-06-10T06:00:00Z"}')
    with pytest.raises(InvalidSpec, match="cannot be asked of a record"):
        recorded('{at: "2026-06-10T06:00:00Z", rules: {max: shop}}')


EVENING = 'from: "2026-06-09T13:00:00Z", until: "2026-06-09T18:00:00Z"'


@pytest.mark.parametrize(
    ("cause", "expect", "without"),
    [
        ("LatencyErrors", f"{{{EVENING}, atLeast: 19, holds: true}}", "fewer than 19"),
        ("DataFault", f"{{{EVENING}, atLeast: 19, holds: true, reasons: [Anomaly]}}", "fewer than 19"),
    ],
)
def test_M26_S09_verdicts_that_a_recording_gives_bind_as_a_detectors(recorded, cause, expect, without) -> None:
    """Load falls from 19 replicas to 14 meanwhile."""
    assert failures(recorded(expect, limits="{replicas: {max: 60}}", given=f"{{cause: {cause}, {EVENING}}}")) == []
    assert any(without in each for each in failures(recorded(expect, limits="{replicas: {max: 60}}")))


def test_what_fails_under_a_verdict_says_so_and_why(recorded) -> None:
    given = f"{{cause: DataFault, {EVENING}, evidence: another unit}}"
    (failure,) = failures(recorded(f"{{{EVENING}, replicas: 1}}", given=given))
    assert failure.startswith("expect[0]: 2026-06-09 13:00 UTC under DataFault (another unit): ")
    (late,) = failures(recorded('{at: "2026-06-09T18:00:00Z", replicas: 1}', given=given))
    assert "under" not in late


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (f"{{cause: Attack, {EVENING}}}", r"recordings\[0\].anomalies\[0\].cause"),
        ('{cause: DataFault, from: "2026-06-10T03:00:00Z", until: "2026-06-10T02:00:00Z"}', "ends before it begins"),
        ('{cause: DataFault, from: "2027-06-10T03:00:00Z", until: "2027-06-11T02:00:00Z"}', "beyond this recording"),
        ('{cause: DataFault, from: "2026-06-10T03:01:00Z", until: "2026-06-10T03:04:00Z"}', "no decision of this"),
        (f"{{cause: DataFault, {EVENING}}}, {{cause: DataFault, {EVENING}}}", r"anomalies\[1\]: there is DataFault"),
        (f"{{cause: DataFault, {EVENING}, severity: 0}}", r"severity"),
    ],
)
def test_a_verdict_that_no_decision_could_know_of_is_a_slip(recorded, given, told) -> None:
    with pytest.raises(InvalidSpec, match=rf"t_test.yaml:\d+:\d+: .*{told}"):
        recorded(f"{{{SPAN}, atLeast: 2}}", given=given)


def test_a_case_may_tell_of_a_change_by_hand_and_of_an_anomaly(suite) -> None:
    by_hand = "{replicas: 20, observed: 30, peak: 30, byHand: %s}"
    attack = "{replicas: 4, observed: 60, peak: 150, anomaly: {cause: SuspectedAttack}}"
    short = "{replicas: 10, observed: 10, peak: 10, anomaly: {cause: LatencyErrors, for: 1m}}"
    held = case(by_hand % "5m", "{replicas: 20, reasons: [Overridden]}", **{"for": "4m"})
    over = case(by_hand % "31m", "{atMost: 19, notReasons: [Overridden]}", **{"for": "20m"})
    assert failures(suite(held, over)) == []
    assert failures(suite(case(attack, "{replicas: 6, reasons: [Anomaly]}"))) == []
    assert failures(suite(case(short, "{atMost: 9, atLeast: 2, holds: true}", **{"for": "10m"}))) == []


def test_D17_an_anomaly_of_a_workload_that_is_not_looked_at_is_a_slip_as_in_a_recording(suite, workload) -> None:
    attack = case("{replicas: 4, observed: 60, peak: 150, anomaly: {cause: SuspectedAttack}}", "{replicas: 6}")
    with pytest.raises(InvalidSpec, match=r"cases\[0\]\.given\.anomaly: an anomaly binds nothing of shop/web"):
        suite(attack, fleet=workload("web", anomalies="{enabled: false}"))
