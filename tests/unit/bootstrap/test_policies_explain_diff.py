"""`policy explain` and `policy diff`: who sets what, what changes when, and what an edit means."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from autoscaler.adapters.traces import read_trace
from autoscaler.bootstrap.policies_diff import differences, loads_of, only_in
from autoscaler.bootstrap.policies_effect import effect
from autoscaler.bootstrap.policies_explain import explain
from autoscaler.domain.errors import InvalidSpec, Refused

NOW = datetime(2026, 6, 10, 5, tzinfo=UTC)  # a Wednesday, 07:00 in Berlin
WEEK = '{weekly: {days: [Wed], from: "08:00", to: "20:00", timeZone: Europe/Berlin}}'


def policy(name: str = "shop", **parts: str) -> str:
    lines = "".join(f"  {key}: {value}\n" for key, value in ({"selector": "{namespaces: [shop]}"} | parts).items())
    return f"apiVersion: foresail.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {{name: {name}}}\nspec:\n{lines}"


@pytest.fixture
def written(tmp_path, source, workload):
    def write(*documents: str, file: str = "p.yaml") -> Path:
        (tmp_path / "fleet.yaml").write_text("---\n".join((source(), workload("web"), workload("api"))))
        path = tmp_path / file
        path.write_text("---\n".join(documents))
        return path

    return write


def test_without_a_policy_the_workload_itself_is_named(written, tmp_path) -> None:
    path = written(policy(selector="{namespaces: [other]}", limits="{replicas: {max: 20}}"))
    found = explain("shop/web", [path, tmp_path / "fleet.yaml"], NOW)
    by = {limit.field: limit.rule for limit in found.limits}
    assert found.policies == ()
    assert by["max"].startswith(f"PredictiveAutoscaler shop/web spec.replicas.max ({tmp_path / 'fleet.yaml'}:")
    assert by["maxDataAge"] == ""


def test_windows_that_leave_no_room_are_told_with_both_rules(written, tmp_path) -> None:
    night = f"{{name: few, max: 5, when: {WEEK}}}"
    path = written(policy(limits=f"{{schedule: [{night}, {{name: many, min: 9, when: {WEEK}}}]}}"))
    found = explain("shop/web", [path, tmp_path / "fleet.yaml"], datetime(2026, 6, 10, 7, tzinfo=UTC))
    assert found.limits[0].field == "clash"
    assert found.limits[0].value == "min is above max: the workload keeps what it has"
    low, _, high = found.limits[0].rule.partition(" and ")
    assert "limits.schedule[1]" in low
    assert "limits.schedule[0]" in high


def test_each_limit_names_the_rule_that_sets_it_and_what_changes_within_a_week(written, tmp_path) -> None:
    path = written(
        policy(
            defaults='{headroom: "20%", surviveLossOf: {zoneOf: 3}, fallback: {after: 10m, min: 4}}',
            limits=f"{{replicas: {{max: 20}}, schedule: [{{name: day, min: 8, when: {WEEK}}}]}}",
            pause='{direction: Down, owner: mia, reason: test, until: "2026-06-10T12:00:00Z"}',
        )
    )
    found = explain("shop/web", [path, tmp_path / "fleet.yaml"], NOW)
    by = {limit.field: (limit.value, limit.rule) for limit in found.limits}
    assert by["min"][0] == "2"
    assert by["min"][1].startswith("PredictiveAutoscaler shop/web spec.replicas.min (")
    assert by["max"][0] == "20"
    assert by["max"][1].endswith("limits.replicas.max (" + str(path) + ":7)")
    assert by["headroom"] == ("20 %", by["headroom"][1])
    assert "GuardPolicy shop@" in by["headroom"][1]
    assert by["maxDataAge"] == ("180 s", "")
    assert by["pause"][0] == "Down until 2026-06-10T12:00:00Z by mia: test"
    assert by["surviveLossOf"][0] == "one of 3 zones"
    assert by["fallback"][0] == "the last plan on good data, at least 4, after 600 s in the dark"
    told = [(c.at.isoformat(), c.what, c.low, c.high) for c in found.changes]
    assert told == [
        ("2026-06-10T06:00:00+00:00", "window day opens", 8, 20),
        ("2026-06-10T12:00:00+00:00", "pause ends", 8, 20),
        ("2026-06-10T18:00:00+00:00", "window day closes", 2, 20),
    ]


def test_what_opens_only_later_is_told_once_with_its_moment(written, tmp_path) -> None:
    rules = f"schedule: [{{name: day, min: 8, when: {WEEK}}}], events: [{{name: e, floor: 9, when: {ONCE}}}]"
    found = explain("web", [written(policy(limits=f"{{{rules}}}")), tmp_path / "fleet.yaml"], NOW)
    assert [(c.at.isoformat(), c.what, c.low) for c in found.later] == [
        ("2026-11-27T06:00:00+00:00", "window e opens", 9),
    ]
    assert {c.what for c in found.changes} == {"window day opens", "window day closes"}


def test_a_workload_without_policies_is_explained_too(written, tmp_path) -> None:
    written()
    found = explain("web", [tmp_path / "fleet.yaml"], NOW)
    assert found.policies == ()
    assert {limit.field: limit.value for limit in found.limits}["max"] == "60"
    assert found.changes == ()


def test_D01_a_clash_is_the_first_thing_said(written, tmp_path) -> None:
    path = written(policy("a", limits="{replicas: {min: 30}}"), policy("b", limits="{replicas: {max: 20}}"))
    found = explain("web", [path, tmp_path / "fleet.yaml"], NOW)
    assert found.limits[0].field == "clash"
    assert "GuardPolicy a@" in found.limits[0].rule
    assert "GuardPolicy b@" in found.limits[0].rule


def test_a_policy_that_is_not_valid_is_told_as_not_in_force(written, tmp_path) -> None:
    path = written(policy(limits='{replicas: {max: "20"}}'))
    found = explain("web", [path, tmp_path / "fleet.yaml"], NOW)
    assert {limit.field: limit.value for limit in found.limits}["max"] == "60"
    assert "must be a whole number" in found.problems[0]


def test_a_name_that_is_not_there_is_refused_with_the_nearest(written, tmp_path) -> None:
    written()
    with pytest.raises(Refused, match='did you mean "shop/web"'):
        explain("shop/wbe", [tmp_path / "fleet.yaml"], NOW)


@pytest.fixture
def changed(written, tmp_path):
    def compare(before: str, after: str):
        old, new = written(before, file="old.yaml"), written(after, file="new.yaml")
        fleet = [tmp_path / "fleet.yaml"]
        return differences(loads_of([old], fleet, None), loads_of([new], fleet, None))

    return compare


def test_P06_a_change_is_told_once_for_all_workloads_that_it_concerns(changed) -> None:
    (found,) = changed(policy(limits="{replicas: {max: 20}}"), policy(limits="{replicas: {max: 25}}"))
    assert (found.field, found.before, found.after, found.risky) == ("max", "20", "25", "")
    assert found.workloads == ("shop/api", "shop/web")
    assert "new.yaml:6" in found.rule


ONCE = '{once: {from: "2026-11-27T06:00:00Z", until: "2026-11-28T06:00:00Z"}}'
RISKY = [
    ("limits x10", "{replicas: {max: 5}}", "{replicas: {max: 50}}", "max", "10 times"),
    ("floor removed", f"{{replicas: {{max: 20}}, events: [{{name: e, floor: 9, when: {ONCE}}}]}}",
     "{replicas: {max: 20}}", "window e", "a floor is removed"),
    ("step limit removed",
     "{replicas: {max: 20}, behavior: {scaleDown: {policies: [{type: Pods, value: 1, periodSeconds: 60}]}}}",
     "{replicas: {max: 20}}", "scaleDown.limit", "a step limit is removed"),
    ("budget x10", "{budget: {replicas: 40}}", "{budget: {replicas: 400}}", "budget of GuardPolicy shop", "10 times"),
    ("budget removed", "{replicas: {max: 20}, budget: {replicas: 40}}", "{replicas: {max: 20}}",
     "budget of GuardPolicy shop", "a budget is removed"),
    ("brake opened", '{brake: {shrink: "0%"}}', '{brake: {shrink: "30%"}}',
     "brake of GuardPolicy shop", "from or to zero"),
    ("floor lowered", f"{{events: [{{name: e, floor: 90, when: {ONCE}}}]}}",
     f"{{events: [{{name: e, floor: 9, when: {ONCE}}}]}}", "window e", "10 times"),
    ("uplift removed", f"{{replicas: {{max: 20}}, events: [{{name: e, uplift: 2, when: {ONCE}}}]}}",
     "{replicas: {max: 20}}", "window e", "an expected uplift is removed"),
    ("half a window removed", f"{{schedule: [{{name: e, min: 3, max: 9, when: {WEEK}}}]}}",
     f"{{schedule: [{{name: e, max: 9, when: {WEEK}}}]}}", "window e", "its min is removed"),
    ("trust unbounded", "{replicas: {max: 20}, forecastTrust: {maxOverObserved: 4}}", "{replicas: {max: 20}}",
     "forecastTrust.maxOverObserved", "a bound on forecasts is removed"),
    ("condition removed",
     '{replicas: {max: 20}, conditions: [{name: c, expression: "need > 3", then: Hold, message: m}]}',
     "{replicas: {max: 20}}", "condition c", "a condition is removed"),
    ("no room", "{replicas: {max: 20}}", "{replicas: {max: 1}}", "clash", "would not move"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "field", "risky"), [r[1:] for r in RISKY], ids=[r[0] for r in RISKY])
def test_P06_a_risky_change_says_why_it_deserves_a_second_look(changed, before, after, field, risky) -> None:
    found = {d.field: d for d in changed(policy(limits=before), policy(limits=after))}
    assert risky in found[field].risky


def test_P06_a_floor_that_is_over_may_go(written, tmp_path) -> None:
    event = f"{{replicas: {{max: 20}}, events: [{{name: e, floor: 9, when: {ONCE}}}]}}"
    paths = [
        written(policy(limits=event), file="old.yaml"),
        written(policy(limits="{replicas: {max: 20}}"), file="new.yaml"),
    ]
    before, after = (loads_of([path], [tmp_path / "fleet.yaml"], None) for path in paths)
    day = 86400.0
    for now_s, risky in ((NOW.timestamp(), "a floor is removed"), (NOW.timestamp() + 365 * day, "")):
        (found,) = differences(before, after, now_s=now_s)
        assert (found.field, found.risky) == ("window e", risky)


def test_windows_of_one_name_in_two_policies_are_told_apart(changed) -> None:
    both = "---\n".join(
        policy(n, limits=f"{{schedule: [{{name: day, min: {m}, when: {WEEK}}}]}}") for n, m in (("a", 3), ("b", 4))
    )
    (found,) = changed(both, both.replace("min: 3", "min: 2"))
    assert (found.field, "min 2" in found.after) == ("window day of GuardPolicy a", True)


def test_no_change_is_no_difference_and_comments_and_order_are_none(changed) -> None:
    text = policy(defaults='{headroom: "20%"}', limits="{replicas: {max: 20}}")
    assert changed(text, "# a comment\n" + text) == ()


def test_workloads_of_one_side_only_are_named(written, tmp_path, source, workload) -> None:
    written()
    one = tmp_path / "one.yaml"
    one.write_text("---\n".join((source(), workload("web"))))
    assert only_in(loads_of([tmp_path / "fleet.yaml"], [], None), loads_of([one], [], None)) == (("shop/api",), ())


def test_a_broken_side_is_refused(written, tmp_path) -> None:
    path = written(policy(limits='{replicas: {max: "20"}}'))
    with pytest.raises(InvalidSpec):
        loads_of([path], [tmp_path / "fleet.yaml"], None)


def test_P06_the_simulated_effect_of_a_cap_is_fewer_replicas_and_more_shortage(written, tmp_path, estate) -> None:
    trace = read_trace(estate.record(steps=1200))
    open_, capped = (written(policy(limits=f"{{replicas: {{max: {n}}}}}"), file=f"{n}.yaml") for n in (50, 10))
    effects = [effect(loads_of([path], [tmp_path / "fleet.yaml"], None)["shop/web"], trace) for path in (open_, capped)]
    assert effects[0].hours == effects[1].hours > 0
    assert effects[1].replica_hours < effects[0].replica_hours
    assert effects[1].short_minutes > effects[0].short_minutes
