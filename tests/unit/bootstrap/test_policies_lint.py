"""F10, P03 and the rest of lint: each finding with its place, and silence where nothing is wrong."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from autoscaler.bootstrap.policies_lint import lint
from autoscaler.reporting.lint import RULES, Level, LintFinding, as_sarif, summary

NOW = datetime(2026, 6, 10, 9, tzinfo=UTC)
SERVER = (
    "apiVersion: foresail.dev/v1alpha1\nkind: MetricsSource\nmetadata: {name: prod}\n"
    "spec: {prometheus: {url: http://prometheus:9090}}\n"
)


def policy(name: str = "p", selector: str = "{namespaces: [shop]}", **parts: str) -> str:
    lines = "".join(f"  {key}: {value}\n" for key, value in ({"selector": selector} | parts).items())
    return f"apiVersion: foresail.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {{name: {name}}}\nspec:\n{lines}"


def once(start: str, end: str) -> str:
    return f'{{once: {{from: "{start}T00:00:00Z", until: "{end}T00:00:00Z"}}}}'


def week(start: str, end: str) -> str:
    return f'{{weekly: {{days: [Mon], from: "{start}", to: "{end}", timeZone: Europe/Berlin}}}}'


@pytest.fixture
def looked(tmp_path: Path, workload: Callable[..., str]) -> Callable[..., list[LintFinding]]:
    def look(*documents: str, **changes: str) -> list[LintFinding]:
        path = tmp_path / "p.yaml"
        path.write_text("---\n".join(documents))
        return list(lint([path], NOW, **changes))

    return look


def web(workload: Callable[..., str], query: str = "sum(rate(x_total[1m]))", **fields: str) -> str:
    return workload("web", source="prod", query=f"'{query}'", **fields)


def told(found: list[LintFinding]) -> list[tuple[str, str, int]]:
    return [(f.level.value, f.rule, f.line) for f in found]


def test_nothing_is_said_about_policies_that_are_well(looked, workload):
    fine = policy(
        defaults='{headroom: "10%", fallback: {after: 10m, min: 5}}',
        limits=f"{{replicas: {{max: 60}}, schedule: [{{name: s, min: 4, when: {week('08:00', '20:00')}}}], "
        f"freezes: [{{name: f, reason: r, when: {once('2026-12-20', '2026-12-30')}}}]}}",
    )
    assert looked(fine, web(workload), SERVER) == []
    assert looked(fine) == []
    assert summary(looked(fine)) == "nothing is wrong"


EXAMPLES = Path(__file__).parents[3] / "policies" / "examples"


@pytest.mark.parametrize("folder", sorted(p.parent for p in EXAMPLES.glob("*/policy.yaml")), ids=lambda p: p.name)
def test_the_examples_are_well_written_with_their_workloads(folder):
    assert list(map(str, lint([folder], NOW, "plant-7"))) == []


def test_P01_what_the_parser_refuses_is_an_error_with_its_place(looked):
    (found,) = looked(policy(limits='{replicas: {max: "40"}}'))
    assert (found.level, found.rule, found.path) == (Level.ERROR, "invalid", "spec.limits.replicas.max")
    assert str(found).startswith(f"{found.file}:6:28: error [invalid] spec.limits.replicas.max: must be a whole number")


def test_D01_limits_without_room_are_an_error_that_names_both_rules_and_the_workloads(looked, workload):
    found = looked(
        policy("a", limits="{replicas: {min: 30}}"),
        policy("b", "{names: [web]}", limits="{replicas: {max: 20}}"),
        web(workload), SERVER,
    )  # fmt: skip
    (clash,) = [f for f in found if f.rule == "clash"]
    assert (clash.level, clash.line) == (Level.ERROR, 6)
    assert "GuardPolicy a@" in clash.message
    assert "GuardPolicy b@" in clash.message
    assert "shop/web" in clash.message


def test_D01_without_workloads_policies_that_may_meet_are_compared_and_disjoint_ones_not(looked):
    low = policy("a", limits="{replicas: {min: 30}}")
    assert told(looked(low, policy("b", "{names: [web]}", limits="{replicas: {max: 20}}"))) == [("error", "clash", 6)]
    assert looked(low, policy("b", "{namespaces: [other]}", limits="{replicas: {max: 20}}")) == []


def test_D01_windows_that_clash_while_both_are_open_are_found_ahead(looked, workload):
    found = looked(
        policy("a", limits=f"{{schedule: [{{name: day, min: 30, when: {week('08:00', '20:00')}}}]}}"),
        policy("b", limits=f"{{schedule: [{{name: lunch, max: 20, when: {week('12:00', '13:00')}}}]}}"),
        web(workload), SERVER,
    )  # fmt: skip
    (clash,) = found
    assert (clash.rule, clash.line) == ("clash", 6)
    assert "2026-06-15" in clash.message


def test_equally_specific_defaults_that_differ_are_ambiguous(looked, workload):
    ten, twenty = (f'{{headroom: "{n}%"}}' for n in (10, 20))
    found = looked(policy("a", defaults=ten), policy("b", defaults=twenty), web(workload), SERVER)
    assert [f.rule for f in found] == ["ambiguous", "unreachable"]
    assert "the first name wins, a" in str(found[0].remedy)
    assert looked(policy("a", defaults=ten), policy("b", defaults=ten)) == []
    assert looked(policy("a", defaults=ten), policy("b", "{names: [web]}", defaults=twenty)) == []


def test_a_policy_that_selects_nothing_and_a_default_that_nobody_takes(looked, workload):
    found = looked(
        policy("typo", "{namespaces: [shpo]}", defaults='{headroom: "10%"}'),
        policy("late", defaults='{headroom: "10%"}'),
        web(workload, headroom='"5%"'), SERVER,
    )  # fmt: skip
    assert told(found) == [("warning", "selects-nothing", 5), ("warning", "unreachable", 13)]


def test_a_site_that_we_do_not_run_in_is_no_mistake(looked, workload):
    text = policy(selector="{sites: [berlin]}", defaults='{headroom: "10%"}')
    assert looked(text, web(workload), SERVER) == []
    assert [f.rule for f in looked(text, web(workload), SERVER, site="hamburg")] == ["selects-nothing"]


def test_windows_and_pauses_of_the_past(looked):
    found = looked(
        policy(
            limits=f"{{events: [{{name: e, floor: 9, when: {once('2026-01-01', '2026-01-02')}}}]}}",
            pause='{owner: mia, reason: r, until: "2026-03-01T06:00:00Z"}',
        )
    )
    assert told(found) == [("warning", "over", 6), ("warning", "over", 7)]


def test_long_freezes_and_pauses_are_risky(looked):
    found = looked(
        policy(
            limits=f"{{freezes: [{{name: f, reason: r, when: {once('2026-07-01', '2026-09-01')}}}]}}",
            pause='{owner: mia, reason: r, until: "2026-08-01T06:00:00Z"}',
        )
    )
    assert [f.rule for f in found] == ["long-freeze", "long-pause"]


def test_F08_floors_above_a_workloads_max_are_said_to_be_cut(looked, workload):
    text = policy(
        defaults="{fallback: {after: 10m, min: 70}}",
        limits=f"{{events: [{{name: e, floor: 90, when: {once('2026-11-27', '2026-11-28')}}}]}}",
    )
    assert [f.rule for f in looked(text, web(workload), SERVER)] == ["above-max", "above-max"]


def test_D15_a_budget_that_minima_use_up(looked, workload):
    found = looked(policy(limits='{brake: {shrink: "30%"}, budget: {replicas: 1}}'), web(workload), SERVER)
    assert told(found) == [("warning", "budget", 6)]
    assert looked(policy(limits='{brake: {shrink: "0%"}, budget: {replicas: 9}}'), web(workload), SERVER) == []


QUERIES = [
    ("per-pod", "avg(rate(http_requests_total[1m]))"),
    ("per-pod", 'sum(rate(http_requests_total[1m])) / count(up{job="web"})'),
    ("queue", "sum(rabbitmq_queue_messages_ready)"),
    ("queue", "sum(http_in_flight_requests)"),
    ("queue", "sum(aws_sqs_approximate_number_of_messages_visible_average)"),
    ("queue", "sum(nginx_connections_active)"),
    ("queue", "sum(redis_list_length)"),
    ("counter", "sum(http_requests_total)"),
    ("promql", "sum(rate(http_requests_total[1m])"),
]


@pytest.mark.parametrize(("rule", "query"), QUERIES)
def test_F10_P03_queries_that_are_no_total_demand_are_found(looked, workload, rule, query):
    found = looked(web(workload, query.replace('"', "")), SERVER) if "job" not in query else looked(
        workload("web", source="prod", query=f"'{query}'"), SERVER)  # fmt: skip
    assert rule in {f.rule for f in found}
    assert {f.path for f in found} == {"spec.demands[0].query"}
    assert all(f.line == 9 for f in found)


def test_P03_queries_that_a_capacity_is_learned_from_are_parsed_too(looked, workload):
    text = web(workload).replace(
        'perReplica: "10"', "perReplica: '10', learned: {resource: 'sum(x', limit: '1', replicas: sum(y)}"
    )
    assert [(f.rule, f.path) for f in looked(text, SERVER)] == [
        ("promql", "spec.demands[0].capacity.learned.resource"),
    ]


def test_the_total_demand_is_no_finding(looked, workload):
    assert looked(web(workload, "sum(rate(http_requests_total[1m]))"), SERVER) == []


def test_sarif_has_a_place_and_a_declared_rule_for_every_result(looked):
    found = looked(policy(limits='{replicas: {max: "40"}}'), policy("b", pause="{owner: m, reason: r}"))
    sarif = as_sarif(found)
    (run,) = sarif["runs"]
    assert (sarif["version"], len(run["results"])) == ("2.1.0", len(found))
    declared = [r["id"] for r in run["tool"]["driver"]["rules"]]
    for result in run["results"]:
        assert declared[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note"}
        region = result["locations"][0]["physicalLocation"]["region"]
        assert region["startLine"] > 0
        assert region["startColumn"] > 0
    assert set(declared) == set(RULES)


def an_object(required: tuple[str, ...] = (), **properties: object) -> dict[str, object]:
    return {"type": "object", "required": list(required), "additionalProperties": False, "properties": properties}


def listed(items: object) -> dict[str, object]:
    return {"type": "array", "items": items}


TEXT, FROM_ONE = {"type": "string"}, {"type": "integer", "minimum": 1}
SAID = an_object(("text",), text=TEXT)
PLACE = an_object(
    artifactLocation=an_object(uri={"type": "string", "format": "uri-reference", "pattern": "^[^ ]+$"}),
    region=an_object(startLine=FROM_ONE, startColumn=FROM_ONE),
)
RESULT = an_object(
    ("message",), ruleId=TEXT, ruleIndex={"type": "integer", "minimum": -1},
    level={"enum": ["none", "note", "warning", "error"]}, message=SAID,
    locations=listed(an_object(physicalLocation=PLACE)),
)  # fmt: skip
DRIVER = an_object(("name",), name=TEXT, rules=listed(an_object(("id",), id=TEXT, shortDescription=SAID)))
SARIF = an_object(
    ("version", "runs"),
    **{"$schema": {"type": "string", "format": "uri"}},
    version={"enum": ["2.1.0"]},
    runs=listed(
        an_object(
            ("tool",), tool=an_object(("driver",), driver=DRIVER),
            columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]}, results=listed(RESULT),
        )
    ),
)  # fmt: skip
"""What SARIF 2.1.0 (OASIS, 27 March 2020, sections 3.13 to 3.58) asks of the properties that we write; no others."""


def test_sarif_has_the_shape_of_its_standard_and_a_place_without_a_line_is_no_region(looked, tmp_path):
    found = looked(policy(limits='{replicas: {max: "40"}}'), policy("b", pause="{owner: m, reason: r}"))
    folder = tmp_path / "not here"
    found += list(lint([folder], NOW))
    told = as_sarif(found)
    assert list(Draft7Validator(SARIF).iter_errors(told)) == []
    (gone,) = [r for r in told["runs"][0]["results"] if "not%20here" in str(r)]
    assert "region" not in gone["locations"][0]["physicalLocation"]
    assert list(Draft7Validator(SARIF).iter_errors(as_sarif([]))) == []
    told["runs"][0]["results"][0]["level"] = "fatal"
    assert list(Draft7Validator(SARIF).iter_errors(told)) != []
