"""P03 in lint: rules that contradict, never count or are rarely meant; and silence wherever that is not proven."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from autoscaler.bootstrap.policies_lint import lint
from autoscaler.reporting.lint import LintFinding

NOW = datetime(2026, 6, 10, 9, tzinfo=UTC)
SERVER = (
    "apiVersion: foresail.dev/v1alpha1\nkind: MetricsSource\nmetadata: {name: prod}\n"
    "spec: {prometheus: {url: http://prometheus:9090}}\n"
)
CAP, FLOOR = "then: Cap, replicas: {}", "then: Floor, replicas: {}"


def policy(name: str = "p", selector: str = "{namespaces: [shop]}", **parts: str) -> str:
    lines = "".join(f"  {key}: {value}\n" for key, value in ({"selector": selector} | parts).items())
    return f"apiVersion: foresail.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {{name: {name}}}\nspec:\n{lines}"


def conditions(*each: tuple[str, str]) -> str:
    listed = (
        f"{{name: c{k}, expression: '{text}', message: m, {then if ':' in then else f'then: {then}'}}}"
        for k, (text, then) in enumerate(each)
    )
    return f"{{conditions: [{', '.join(listed)}]}}"


def once(start: str, end: str) -> str:
    return f'{{once: {{from: "{start}T00:00:00Z", until: "{end}T00:00:00Z"}}}}'


def week(start: str, end: str, days: str = "Mon", zone: str = "Europe/Berlin") -> str:
    return f'{{weekly: {{days: [{days}], from: "{start}", to: "{end}", timeZone: {zone}}}}}'


@pytest.fixture
def looked(tmp_path: Path, workload: Callable[..., str]) -> Callable[..., list[LintFinding]]:
    def look(*documents: str, web: bool = False) -> list[LintFinding]:
        load = workload("web", source="prod", query="'sum(rate(x_total[1m]))'")
        path = tmp_path / "p.yaml"
        path.write_text("---\n".join((*documents, *((load, SERVER) if web else ()))))
        return list(lint([path], NOW))

    return look


def told(found: list[LintFinding]) -> list[tuple[str, str]]:
    return [(f.rule, f.path) for f in found]


LONE = [
    ({"limits": "{replicas: {max: 9}}", "acknowledge": "[MayCauseShortage, SelectsAll, LargeChange]"},
     [("idle", "acknowledge"), ("idle", "acknowledge")]),
    ({"limits": "{budget: {replicas: 9, mayCauseShortage: true}}", "acknowledge": "[MayCauseShortage]"}, []),
    ({"limits": "{behavior: {scaleDown: {stabilizationWindowSeconds: 0}}}"},
     [("idle", "limits.behavior.scaleDown.stabilizationWindowSeconds")]),
    ({"defaults": "{behavior: {scaleUp: {stabilizationWindowSeconds: 0}}}"}, []),
    ({"limits": "{behavior: {scaleDown: {selectPolicy: Disabled}}}"},
     [("risky", "limits.behavior.scaleDown.selectPolicy")]),
    ({"limits": f"{{events: [{{name: e, uplift: 15, when: {week('08:00', '09:00')}}}]}}"},
     [("risky", "limits.events[0]")]),
    ({"limits": f"{{events: [{{name: e, uplift: 1.5, when: {week('08:00', '09:00')}}}]}}"}, []),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "expected"), LONE)
def test_P03_what_limits_nothing_or_far_too_much_by_its_own_text_is_told(looked, parts, expected) -> None:
    assert told(looked(policy(**parts))) == expected


def test_P03_data_that_has_to_be_younger_than_a_scrape_is_told(looked) -> None:
    assert told(looked(policy(limits="{maxDataAge: 10s}"), web=True)) == [("risky", "limits.maxDataAge")]
    assert told(looked(policy(limits="{maxDataAge: 2m}"), web=True)) == []


CONDITIONS = [
    ([("replicas > 5 && replicas < 3", "Hold")], [("unreachable", 0)]),
    ([('ns == "pay"', CAP.format(9))], [("unreachable", 0)]),
    ([("replicas >= 0", "Allow")], [("unreachable", 0)]),
    ([("replicas >= 0", "Hold")], [("always", 0)]),
    ([("true", CAP.format(9))], [("always", 0)]),
    ([("replicas > 3", "Hold"), ("replicas > 5", "Hold")], [("unreachable", 1)]),
    ([("replicas > 5", "Hold"), ("replicas > 3", "Hold")], [("unreachable", 0)]),
    ([("replicas > 5", "Hold"), ("replicas <= 5", "Allow")], [("unreachable", 1)]),
    ([("replicas > 5", "Hold"), ("replicas <= 5", "Hold")], [("contradiction", 1)]),
    ([("now.getHours() < 6", "Allow"), ("now.getHours() > 20", "Allow")], [("contradiction", 1)]),
    ([("need > 5", FLOOR.format(9)), ("need > 3", CAP.format(8))], [("contradiction", 0)]),
    ([("need > 5", FLOOR.format(9)), ("need > 3", FLOOR.format(9))], [("unreachable", 0)]),
    ([("need > 5", CAP.format(9)), ("need > 3", CAP.format(8))], [("unreachable", 0)]),
]


@pytest.mark.parametrize(("each", "expected"), CONDITIONS)
def test_P03_conditions_that_contradict_or_never_count_are_found(looked, each, expected):
    found = looked(policy(limits=conditions(*each)))
    assert told(found) == [(rule, f"limits.conditions[{index}]") for rule, index in expected]


SOUND = [
    [("need > 3", FLOOR.format(9)), ("need > 5", CAP.format(8))],  # at odds above 5 only: the floor counts at 4
    [("need > 5", FLOOR.format(9)), ("need > 3", FLOOR.format(8))],
    [("replicas > 5", "Hold"), ("need > 3", "Hold")],
    [("replicas > 5", "Hold"), ("replicas < 5", "Hold")],
    [('observed["d"] > 2.0 * p95["d"]', "Hold"), ('observed["d"] > 3.0 * p95["d"]', "Hold")],
    [("now.getHours() < 6", "Hold"), ("now.getHours() > 20", "Hold")],
]


@pytest.mark.parametrize("each", SOUND)
def test_P03_nothing_is_claimed_of_conditions_that_may_both_count(looked, each):
    assert looked(policy(limits=conditions(*each))) == []


def test_P03_conditions_of_two_policies_are_compared_where_a_workload_may_have_both(looked):
    first = policy("a", limits=conditions(("replicas > 5", "Hold")))
    second = policy("b", "{names: [web]}", limits=conditions(("replicas > 7", "Hold")))
    apart = policy("b", "{namespaces: [pay]}", limits=conditions(("replicas > 7", "Hold")))
    assert told(looked(first, second)) == [("unreachable", "limits.conditions[0]")]
    assert looked(first, apart) == []


def test_P03_a_condition_that_reads_what_a_workload_does_not_have_is_said_to_hold_it(looked):
    reads = conditions(('observed["requets"] > 3.0', "Hold"), ('labels["track"] == "canary"', "Hold"))
    found = looked(policy(limits=reads), web=True)
    assert told(found) == [("not-there", "limits.conditions[0]"), ("not-there", "limits.conditions[1]")]
    assert "shop/web" in found[0].message
    asks = conditions(('"requets" in observed && observed["requets"] > 3.0', "Hold"), ("has(labels.track)", "Hold"))
    assert looked(policy(limits=asks), web=True) == []


def test_P03_a_condition_that_all_names_rule_out_says_nothing(looked):
    odd = conditions(('name == "wbe"', "Hold"), ('name == "web" && need > 90', "Hold"))
    assert told(looked(policy(limits=odd), web=True)) == [("unreachable", "limits.conditions[0]")]
    assert looked(policy(limits=odd)) == []


def test_P03_caps_below_min_and_floors_above_max_are_overruled(looked):
    found = looked(policy(limits=conditions(("need > 3", CAP.format(1)), ("need < 3", FLOOR.format(90)))), web=True)
    assert told(found) == [("above-max", "limits.conditions[1]"), ("below-min", "limits.conditions[0]")]


WINDOWS = [
    # a night in Berlin is inside a day and a night; summer time and zones are in the moments
    (f"[{{name: a, max: 9, when: {week('08:00', '20:00')}}}, {{name: b, max: 9, when: {week('09:00', '12:00')}}}]", 1),
    (f"[{{name: a, min: 3, when: {week('09:00', '12:00')}}}, {{name: b, min: 4, when: {week('08:00', '20:00')}}}]", 0),
    (
        (
            f"[{{name: a, max: 9, when: {week('08:00', '20:00')}}}, "
            f"{{name: b, max: 9, when: {week('09:00', '12:00', zone='Europe/London')}}}]"
        ),
        1,
    ),
    (f"[{{name: a, max: 9, when: {week('08:00', '20:00')}}}, {{name: b, max: 9, when: {week('08:00', '20:00')}}}]", 1),
]


@pytest.mark.parametrize(("schedule", "index"), WINDOWS)
def test_P03_a_window_inside_a_stricter_one_never_counts(looked, schedule, index):
    assert told(looked(policy(limits=f"{{schedule: {schedule}}}"))) == [("unreachable", f"limits.schedule[{index}]")]


def test_F08_an_uplift_counts_unless_another_expects_as_much(looked):
    inner, outer = once("2026-06-12", "2026-06-13"), once("2026-06-11", "2026-06-14")
    rules = "{{replicas: {{min: 5}}, events: [{{name: a, {}, when: {}}}, {{name: b, {}, when: {}}}]}}"
    assert looked(policy(limits=rules.format("floor: 3, uplift: 1.5", inner, "uplift: 1.4", outer))) == []
    found = looked(policy(limits=rules.format("floor: 3, uplift: 1.5", inner, "uplift: 1.5", outer)))
    assert told(found) == [("unreachable", "limits.events[0]")]


def test_P03_windows_that_overlap_in_part_or_say_more_all_count(looked):
    for other in (week("07:00", "12:00"), week("09:00", "12:00", "Tue"), week("09:00", "21:00")):
        rules = f"[{{name: a, max: 9, when: {week('08:00', '20:00')}}}, {{name: b, max: 9, when: {other}}}]"
        assert looked(policy(limits=f"{{schedule: {rules}}}")) == []
    stricter = (
        f"[{{name: a, max: 9, when: {week('08:00', '20:00')}}}, {{name: b, max: 8, when: {week('9:00', '12:00')}}}]"
    )
    assert looked(policy(limits=f"{{schedule: {stricter.replace('9:00', '09:00')}}}")) == []


def test_P03_a_window_that_the_plain_limits_make_idle_never_counts(looked):
    rules = f"[{{name: a, max: 9, when: {week('08:00', '20:00')}}}]"
    found = looked(policy(limits=f"{{replicas: {{max: 8}}, schedule: {rules}}}"))
    assert told(found) == [("unreachable", "limits.schedule[0]")]
    everybody = policy("all", "{}", limits="{replicas: {max: 8}}", acknowledge="[SelectsAll]")
    assert told(looked(everybody, policy(limits=f"{{schedule: {rules}}}"))) == [("unreachable", "limits.schedule[0]")]


def test_D01_a_policy_that_contradicts_itself_is_found_without_any_workload(looked):
    rules = f"[{{name: a, min: 9, when: {week('08:00', '20:00')}}}]"
    (found,) = looked(policy(limits=f"{{replicas: {{max: 8}}, schedule: {rules}}}"))
    assert (found.rule, found.path, found.level.value) == ("clash", "limits.schedule[0]", "error")
    assert "2026-06-15 06:00 UTC" in found.message


def test_D01_a_min_that_is_asked_for_while_a_max_still_holds_is_told_with_the_moment(looked):
    night = "{{name: night, max: 3, when: {}}}"
    day = f"{{name: day, min: 8, when: {week('06:00', '20:00')}}}"
    rules = f"{{schedule: [{night.format(week('00:00', '06:00'))}, {day}]}}"
    (found,) = looked(policy(limits=rules), web=True)
    assert (found.rule, found.path, found.level.value) == ("early-clash", "limits.schedule[1]", "warning")
    assert "limits.schedule[0]" in found.message
    ends_early = f"{{schedule: [{night.format(week('00:00', '05:30'))}, {day}]}}"
    assert looked(policy(limits=ends_early), web=True) == []


def test_F08_D11_a_floor_that_a_stop_keeps_from_coming_is_told_with_the_moment(looked):
    event = f"events: [{{name: e, floor: 20, when: {once('2026-06-12', '2026-06-14')}}}]"
    none = f"freezes: [{{name: f, growth: None, reason: r, when: {once('2026-06-11', '2026-06-13')}}}]"
    frozen = looked(policy(limits=f"{{{event}, {none}}}", acknowledge="[MayCauseShortage]"))
    assert told(frozen) == [("contradiction", "limits.events[0]")]
    assert "at 2026-06-12 00:00 UTC e asks for 20 replicas" in frozen[0].message
    assert looked(policy(limits=f"{{{event}, {none.replace('growth: None, ', '')}}}")) == []
    pause = '{owner: m, reason: r, until: "2026-06-13T00:00:00Z"'
    assert told(looked(policy(limits=f"{{{event}}}", pause=pause + "}"))) == [("contradiction", "limits.events[0]")]
    assert looked(policy(limits=f"{{{event}}}", pause=pause + ", direction: Down}")) == []
    assert looked(policy(limits=f"{{{event}}}", pause=pause + ", at: 20}")) == []


def test_D11_a_freeze_inside_one_as_strict_never_counts(looked):
    inner, outer = once("2026-06-12", "2026-06-13"), once("2026-06-11", "2026-06-14")
    both = "freezes: [{{name: a, reason: r, growth: {}, when: {}}}, {{name: b, reason: r, growth: {}, when: {}}}]"
    same = looked(policy(limits="{" + both.format("ObservedNeed", inner, "ObservedNeed", outer) + "}"))
    assert told(same) == [("unreachable", "limits.freezes[0]")]
    assert looked(policy(limits="{" + both.format("ObservedNeed", inner, "Any", outer) + "}")) == []


RISKY = [
    ("{maxDataAge: 2h}", "defaults.maxDataAge"),
    ("{fallback: {after: 1m, min: 5}}", "defaults.fallback"),
    (
        "{behavior: {scaleDown: {stabilizationWindowSeconds: 0}}}",
        "defaults.behavior.scaleDown.stabilizationWindowSeconds",
    ),
    (
        "{behavior: {scaleDown: {policies: [{type: Percent, value: 100, periodSeconds: 15}]}}}",
        "defaults.behavior.scaleDown.policies",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("defaults", "path"), RISKY)
def test_risky_defaults_are_told_where_a_workload_takes_them(looked, workload, defaults, path, tmp_path):
    bare = (
        "apiVersion: foresail.dev/v1alpha1\nkind: PredictiveAutoscaler\nmetadata: {name: web, namespace: shop}\nspec:\n"
        "  target: {apiVersion: apps/v1, kind: Deployment, name: web}\n  replicas: {min: 2, max: 60}\n"
        "  demands: [{name: d, source: prod, query: 'sum(rate(x_total[1m]))', capacity: {perReplica: 9}}]\n"
    )
    assert told(looked(policy(defaults=defaults), bare, SERVER)) == [("risky", path)]


def test_a_max_that_bounds_nothing_needs_another_bound(looked):
    bare = (
        "apiVersion: foresail.dev/v1alpha1\nkind: PredictiveAutoscaler\nmetadata: {name: web, namespace: shop}\nspec:\n"
        "  target: {apiVersion: apps/v1, kind: Deployment, name: web}\n  replicas: {min: 1, max: 5000}\n"
        "  demands: [{name: d, source: prod, query: 'sum(rate(x_total[1m]))', capacity: {perReplica: 9}}]\n"
    )
    wide = "{replicas: {max: 500}}"
    assert told(looked(policy(limits=wide), bare, SERVER)) == [("risky", "limits.replicas.max")]
    bounded = "{replicas: {max: 500}, forecastTrust: {maxOverObserved: 4}}"
    assert looked(policy(limits=bounded), bare, SERVER) == []


def test_limits_of_a_hundred_percent_limit_nothing(looked):
    found = looked(policy(limits='{brake: {shrink: "100%"}}'))
    assert told(found) == [("idle", "limits.brake.shrink")]
    steps = "{behavior: {scaleDown: {policies: [{type: Percent, value: 100, periodSeconds: 15}]}}}"
    assert told(looked(policy(limits=steps))) == [("idle", "limits.behavior.scaleDown.policies")]


def test_windows_that_are_too_many_to_compare_are_said_to_be(looked, monkeypatch):
    monkeypatch.setattr("autoscaler.bootstrap.policies_lint_windows.MOST_PAIRS", 1)
    rules = (
        f"[{{name: a, max: 9, when: {week('08:00', '20:00')}}}, {{name: b, max: 8, when: {week('07:00', '21:00')}}}]"
    )
    (note,) = looked(policy(limits=f"{{schedule: {rules}}}"))
    assert (note.rule, note.level.value) == ("not-compared", "note")


ANOMALIES = [
    ("defaults", "{latencyErrors: {shrink: true}}", [("risky", "defaults.anomaly.latencyErrors.shrink")]),
    ("defaults", "{dataFault: {growth: Any}}", [("risky", "defaults.anomaly.dataFault.growth")]),
    ("defaults", "{suspectedAttack: {growth: Any}}", [("risky", "defaults.anomaly.suspectedAttack.growth")]),
    ("limits", "{capacity: {shrink: true}}", [("idle", "limits.anomaly.capacity.shrink")]),
    ("defaults", "{demand: {growth: Any, shrink: true}, dataFault: {growth: ObservedNeed}}", []),
    ("limits", "{demand: {shrink: false}}", []),
]


@pytest.mark.parametrize(("part", "rules", "expected"), ANOMALIES)
def test_rules_about_anomalies_that_loosen_too_much_or_nothing(looked, part, rules, expected):
    assert told(looked(policy(**{part: f"{{anomaly: {rules}}}"}))) == expected


@pytest.mark.parametrize(("hold", "words"), [("0s", "undone before"), ("12h", "longer than anybody"), ("1h", None)])
def test_D04_a_hold_for_hands_that_is_too_short_or_too_long_is_risky(looked, hold, words):
    found = looked(policy(defaults=f"{{humanOverride: {{holdFor: {hold}}}}}"))
    assert [words in f.message for f in found] == ([True] if words else [])
