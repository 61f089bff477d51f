"""Bad input, row by row: where the complaint points, which field it names, and what it says.

Every row is one change to the same good file; line and column are counted in the changed text.
"""

from typing import Any

import pytest

from autoscaler.domain.errors import InvalidSpec, Problem
from autoscaler.spec import parse_text
from autoscaler.spec.readings import ambiguity

GOOD = """\
apiVersion: foresail.dev/v1alpha1
kind: MetricsSource
metadata: {name: prod}
spec: {file: {path: demand/web.csv, step: 1m}}
---
apiVersion: foresail.dev/v1alpha1
kind: PredictiveAutoscaler
metadata: {name: web, namespace: shop}
spec:
  target: {apiVersion: apps/v1, kind: Deployment, name: web}
  demands:
  - name: requests
    source: prod
    query: web_requests
    capacity: {perReplica: "45"}
  replicas:
    min: 2
    max: 60
"""


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(InvalidSpec) as refused:
        parse_text(text, "web.yaml")
    return refused.value.problems


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, f"{old!r} must stand exactly once"
    return GOOD.replace(old, new)


Row = tuple[Any, ...]


def check(old: str, new: str, line: int, column: int, path: str, *words: str) -> None:
    (problem,) = problems(changed(old, new))
    assert (problem.file, problem.line, problem.column, problem.path) == ("web.yaml", line, column, path), str(problem)
    for word in words:
        assert word in str(problem)


def more(*lines: str) -> tuple[str, str]:
    """Adds fields at the end of spec, from line 19 on."""
    return "    max: 60\n", "    max: 60\n" + "".join(f"  {line}\n" for line in lines)


PER = "spec.demands[0].capacity.perReplica"

D01: list[Row] = [
    ("min: 2", "min: 61", 16, 3, "spec.replicas", "min 61 is above max 60", "lower min"),
    ("min: 2", "min: -1", 17, 10, "spec.replicas.min", "at least 1", "got -1"),
    ("min: 2", "min: 0", 17, 10, "spec.replicas.min", "at least 1"),
    ("max: 60", "max: -60", 18, 10, "spec.replicas.max", "at least 1"),
    ("max: 60", "max: 99999999999", 18, 10, "spec.replicas.max", "at most 2147483647"),
    ("    max: 60\n", "", 16, 3, "spec.replicas.max", "is missing", "write max: 60"),
    ("  replicas:\n    min: 2\n    max: 60\n", "", 9, 1, "spec.replicas", "is missing"),
    ('"45"', '"-45"', 15, 28, PER, "must be positive"),
    ('"45"', "0", 15, 28, PER, "must be positive"),
]

P01: list[Row] = [
    ("query: web_requests", "query: [web", 15, 13, "spec.demands[0].query[1]", "YAML syntax"),
    ("    source: prod", "\tsource: prod", 13, 1, "spec.demands[0]", "tab", "indent with spaces"),
    ("    source: prod", "    source: a: b", 13, 14, "spec.demands[0]", "YAML syntax", "indentation"),
    ("    min: 2", "    max: 2", 18, 5, "spec.replicas.max", 'key "max" stands twice', "line 17"),
    ("min: 2", "mni: 2", 17, 5, "spec.replicas.mni", "unknown field", 'did you mean "min"?', "max, min"),
    ("web_requests", "web_requests\n    quary: x", 15, 5, "spec.demands[0].quary", "unknown", "capacity, name, query"),
    ("  replicas:", "  modee: Act\n  replicas:", 16, 3, "spec.modee", 'did you mean "mode"?', "headroom"),
    ("source: prod", "source: prd", 13, 13, "spec.demands[0].source", "no such MetricsSource", 'did you mean "prod"?'),
    (
        "kind: PredictiveAutoscaler",
        "kind: PredictiveAutoscalar",
        7,
        7,
        "kind",
        "unknown kind",
        '"PredictiveAutoscaler"?',
    ),
    ("kind: PredictiveAutoscaler", "kind: Deployment", 7, 7, "kind", "MetricsSource, PredictiveAutoscaler"),
    ("kind: Deployment", "kind: deployment", 10, 39, "spec.target.kind", "not a kind"),
    ("apps/v1", "apps", 10, 24, "spec.target.apiVersion", "not an API version"),
    ("name: web, namespace", "name: Web_1, namespace", 8, 18, "metadata.name", 'for example "web-1"'),
    ("namespace: shop", f"namespace: {'s' * 64}", 8, 34, "metadata.namespace", "at most 63"),
    ("name: web, namespace", f"name: {'s.' * 130}, namespace", 8, 18, "metadata.name", "at most 253"),
    ("{name: web, namespace: shop}", "{name: web, labels: {a b: c}}", 8, 32, 'metadata.labels["a b"]', "label or"),
    ("{name: web, namespace: shop}", "{name: web, labels: {a: b/c}}", 8, 35, "metadata.labels.a", "label value"),
    ("{name: prod}", "{name: prod, namespace: x}", 3, 24, "metadata.namespace", "cluster-scoped"),
    ("path: demand/web.csv", "path: https://x.test/a.csv", 4, 21, "spec.file.path", "local file"),
    ("path: demand/web.csv", "path: /etc/passwd", 4, 21, "spec.file.path", "neither a CSV nor"),
    ("path: demand/web.csv, ", "", 4, 14, "spec.file.path", "is missing"),
    ("step: 1m", "step: 1500ms", 4, 43, "spec.file.step", "whole seconds"),
    ("step: 1m", "stepp: 1m", 4, 37, "spec.file.stepp", 'did you mean "step"?'),
    (*more("mode: act"), 19, 9, "spec.mode", 'did you mean "Act"?', "Advise"),
    (*more("actuation: Scale"), 9, 1, "spec.acknowledge", "no HPA stays behind", "acknowledge: [NoReactiveBackup]"),
    (*more("actuation: Scale", "acknowledge: []"), 20, 16, "spec.acknowledge", "no HPA stays behind"),
    (*more("acknowledge: [All]"), 19, 17, "spec.acknowledge[0]", "NoReactiveBackup"),
    (*more("objective: {risk: '0.5'}"), 19, 21, "spec.objective.risk", "50 %", 'did you mean "0.5%"?'),
    (*more("objective: {risk: '0%'}"), 19, 21, "spec.objective.risk", "risk of zero"),
    (*more("objective: {risk: low}"), 19, 21, "spec.objective.risk", "not a share of time"),
    (
        *more("objective: {risk: 1%, costs: {shortage: 9, replica: 1}}"),
        *(19, 14, "spec.objective", "either risk or costs"),
    ),
    (*more("objective: {costs: {shortage: 1, replica: 1}}"), 19, 22, "spec.objective.costs", "replica ÷ shortage"),
    (*more("objective: {costs: {shortage: 0, replica: 1}}"), 19, 33, "spec.objective.costs.shortage", "greater than"),
    (*more("objective: {costs: {shortage: .inf, replica: 1}}"), 19, 33, "spec.objective.costs.shortage", "finite"),
    (*more("objective: {costs: {shortage: 9}}"), 19, 22, "spec.objective.costs.replica", "is missing"),
    (*more("headroom: 301%"), 19, 13, "spec.headroom", "above 300 %"),
    (*more("headroom: '20'"), 19, 13, "spec.headroom", "not a percentage"),
    (*more("maxDataAge: 0s"), 19, 15, "spec.maxDataAge", "longer than zero"),
    (*more("lead: {ready: 3 minutes}"), 19, 17, "spec.lead.ready", "not a duration", "1h30m"),
    (*more("lead: {ready: 30h}"), 19, 17, "spec.lead.ready", "24 hours"),
    (*more("lead: {ready: 3d}"), 19, 17, "spec.lead.ready", "is longer than 24 hours"),
    (
        *more("behavior: {scaleDown: {stabilizationWindowSeconds: 3601}}"),
        *(19, 54, "spec.behavior.scaleDown.stabilizationWindowSeconds", "at most 3600"),
    ),
    (
        *more("behavior:", "  scaleUp:", "    policies:", "    - {type: Pods, value: 4, periodSeconds: 1801}"),
        *(22, 47, "spec.behavior.scaleUp.policies[0].periodSeconds", "at most 1800"),
    ),
    (*more("behavior: {scaleUp: {policies: []}}"), 19, 34, "spec.behavior.scaleUp.policies", "at least 1 entry"),
    (*more("behavior: {scaleUp: {selectPolicy: max}}"), 19, 38, "spec.behavior.scaleUp.selectPolicy", '"Max"'),
    (*more("pause: {owner: m, until: '2026-03-01T06:00:00Z'}"), 19, 10, "spec.pause.reason", "is missing"),
    (
        *more("pause: {owner: m, reason: r, until: '2026-03-01T06:00:00'}"),
        *(19, 39, "spec.pause.until", "no time zone", "append Z"),
    ),
    (
        *more("pause: {owner: m, reason: r, until: '2026-02-30T06:00:00Z'}"),
        *(19, 39, "spec.pause.until", "calendar"),
    ),
    ("kind: PredictiveAutoscaler", "knd: PredictiveAutoscaler", 6, 1, "kind", "is missing"),
]


@pytest.mark.parametrize("row", D01, ids=lambda row: f"{row[4]}-{row[1].strip()[:30]}")
def test_D01_limits_that_cannot_hold_are_refused_with_the_field(row: Row) -> None:
    check(*row)


@pytest.mark.parametrize("row", P01[:-1], ids=lambda row: f"{row[4]}-{row[1].strip()[:40]}")
def test_P01_slips_are_refused_with_place_and_nearest_name(row: Row) -> None:
    check(*row)


def test_P01_a_misspelt_kind_key_is_named_beside_the_missing_one() -> None:
    missing, unknown = problems(changed(*P01[-1][:2]))
    assert (missing.line, missing.column, missing.path) == (6, 1, "kind")
    assert (unknown.line, unknown.column, unknown.path) == (7, 1, "knd")
    assert 'did you mean "kind"?' in str(unknown)


P02: list[Row] = [
    ("min: 2", 'min: "2"', 17, 10, "spec.replicas.min", "whole number", "write 2 without quotes"),
    ("min: 2", "min: 2.0", 17, 10, "spec.replicas.min", "whole number"),
    ("min: 2", "min: true", 17, 10, "spec.replicas.min", "whole number", "got true"),
    ("min: 2", "min: NO", 17, 10, "spec.replicas.min", "truth value false", 'the text "NO"'),
    ("min: 2", "min: 010", 17, 10, "spec.replicas.min", "the number 8", "the number 10"),
    ("min: 2", "min: 0o10", 17, 10, "spec.replicas.min", 'the text "0o10"', "the number 8"),
    ("min: 2", "min: 1_0", 17, 10, "spec.replicas.min", "the number 10", 'the text "1_0"'),
    ("min: 2", "min: 0b11", 17, 10, "spec.replicas.min", "the number 3", 'the text "0b11"'),
    ('"45"', "1e3", 15, 28, PER, 'the text "1e3"', "the number 1000.0"),
    ('"45"', "1.5e3", 15, 28, PER, "the number 1500.0"),
    ('"45"', "12:30", 15, 28, PER, "the number 750", 'the text "12:30"'),
    ('"45"', "45 rps", 15, 28, PER, "not a quantity", '"1500m"'),
    ('"45"', '"1e999"', 15, 28, PER, "finite"),
    ('"45"', "'٤٥'", 15, 28, PER, "not a quantity"),
    ('"45"', ".nan", 15, 28, PER, "finite"),
    ('"45"', "true", 15, 28, PER, "must be a quantity"),
    ('"45"', "[45]", 15, 28, PER, "must be a quantity"),
    ("name: requests", "name: 7", 12, 11, "spec.demands[0].name", "must be text", "got 7"),
    ("name: requests", "name: on", 12, 11, "spec.demands[0].name", "truth value true"),
    ("query: web_requests", "query: 2026-01-01", 14, 12, "spec.demands[0].query", "a date"),
    ("query: web_requests", "query: {a: b}", 14, 12, "spec.demands[0].query", "must be text", "a mapping"),
    ("{name: web, namespace: shop}", "{name: web, labels: {y: a}}", 8, 32, "metadata.labels.y", "truth value true"),
    ("{name: web, namespace: shop}", "{name: web, labels: {1: a}}", 8, 32, 'metadata.labels["1"]', "key must be text"),
    ("{name: web, namespace: shop}", "{name: web, labels: {a: 1}}", 8, 35, "metadata.labels.a", 'quote it: "1"'),
    ("{name: web, namespace: shop}", "[web]", 8, 11, "metadata", "must be a mapping", "a list"),
    (*more("objective: {risk: 0.005}"), 19, 21, "spec.objective.risk", "must be text", '"0.5%"'),
    (*more("headroom: 20"), 19, 13, "spec.headroom", "must be text"),
    (*more("mode: 1"), 19, 9, "spec.mode", "one of Advise, Act"),
    (*more("lead: {ready: 180}"), 19, 17, "spec.lead.ready", "must be text", '"3m"'),
    (*more("acknowledge: NoReactiveBackup"), 19, 16, "spec.acknowledge", "must be a list"),
    (
        *more("objective: {costs: {shortage: '9', replica: 1}}"),
        *(19, 33, "spec.objective.costs.shortage", "must be a number", "without quotes"),
    ),
    (
        *more("pause: {owner: m, reason: r, until: 2026-03-01T06:00:00Z}"),
        *(19, 39, "spec.pause.until", "a date", "in quotes"),
    ),
    ("min: 2", "min: !!int '2'", 17, 10, "spec.replicas.min", "tags are not accepted"),
]


@pytest.mark.parametrize("row", P02, ids=lambda row: f"{row[4]}-{row[1].strip()[:30]}")
def test_P02_nothing_is_coerced_and_ambiguous_scalars_are_named(row: Row) -> None:
    found = problems(changed(row[0], row[1]))
    assert str(found[0]).startswith(f"web.yaml:{row[2]}:{row[3]}: {row[4]}: "), str(found[0])
    for word in row[5:]:
        assert word in str(found[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("2", 2), ("1500m", 1.5), ("1.5k", 1500), ("2Ki", 2048), ("1e3", 1000), ("3E", 3e18), ("1E-2", 0.01)),
        *(("+5", 5), (".5", 0.5), ("5.", 5), ("100u", 0.0001)),
    ],
)
def test_P02_quoted_quantities_are_read_as_kubernetes_does(text: str, expected: float) -> None:
    (web,) = parse_text(changed('"45"', f'"{text}"'), "web.yaml").compile()
    assert web.demands[0].capacity_per_replica == expected


@pytest.mark.parametrize(
    "plain",
    ["0x1F", "007", "-0.5", "1.5e+3", ".inf", "true", "null", "~", "2k", "00:10", "1.2.3", "_", "-", "0x_", "._"],
)
def test_P02_scalars_that_both_versions_read_alike_are_no_clash(plain: str) -> None:
    assert ambiguity(plain) is None


@pytest.mark.parametrize(
    ("plain", "theirs"),
    [
        *(
            ("0_", "number 0"),
            ("-010", "number -8"),
            ("08", 'text "08"'),
            ("-.5", 'text "-.5"'),
            ("1_0.5", "number 10.5"),
        ),
        *(("1:30.5", "number 90.5"), ("Off", "truth value false"), ("Y", "truth value true"), ("1E2", 'text "1E2"')),
        *(("2026-1-1 10:00:00", "a date"), ("2026-01-01T00:00:00.5+01:00", "a date"), ("0b_1", "number 1")),
    ],
)
def test_P02_scalars_that_other_readers_take_otherwise_say_how(plain: str, theirs: str) -> None:
    clash = ambiguity(plain)
    assert clash is not None
    assert f"{theirs} to YAML 1.1 readers" in clash[0]


P07_REQUIRED: list[Row] = [
    ("max: 60", "max:", 16, 3, "spec.replicas.max"),
    ("max: 60", "max: ~", 16, 3, "spec.replicas.max"),
    ("name: requests", "name: null", 12, 5, "spec.demands[0].name"),
    ("name: requests", 'name: "  "', 12, 5, "spec.demands[0].name"),
    ("{name: web, namespace: shop}", "", 6, 1, "metadata"),
    ("{apiVersion: apps/v1, kind: Deployment, name: web}", "", 9, 1, "spec.target"),
    ("spec: {file: {path: demand/web.csv, step: 1m}}", "spec:", 1, 1, "spec"),
]


@pytest.mark.parametrize("row", P07_REQUIRED, ids=lambda row: f"{row[4]}-{row[1]}")
def test_P07_a_blank_required_field_is_missing_at_its_parent(row: Row) -> None:
    found = [p for p in problems(changed(row[0], row[1])) if p.path == row[4]]
    assert [(p.line, p.column) for p in found] == [(row[2], row[3])]
    assert "is missing: it is left blank" in found[0].message


@pytest.mark.parametrize(
    "name",
    ["mode", "actuation", "acknowledge", "objective", "lead", "headroom", "maxDataAge", "behavior", "pause"],
)
@pytest.mark.parametrize("blank", ["", "~", "null", '""'])
def test_P07_a_blank_optional_field_is_the_same_as_absent(name: str, blank: str) -> None:
    text = changed(*more(f"{name}: {blank}"))
    assert parse_text(text, "web.yaml").compile() == parse_text(GOOD, "web.yaml").compile()


def test_P07_a_blank_list_entry_is_an_error_with_its_place() -> None:
    found = problems(changed("  - name: requests", "  -\n  - name: requests"))
    assert [(p.line, p.path) for p in found] == [(12, "spec.demands[0]")]


def test_all_problems_of_all_documents_come_at_once() -> None:
    text = (
        GOOD.replace("step: 1m", "step: 1")
        .replace("min: 2", "mni: 2")
        .replace('"45"', "010")
        .replace("apps/v1", "apps")
    )
    assert [(p.line, p.path) for p in problems(text)] == [
        (4, "spec.file.step"),
        (10, "spec.target.apiVersion"),
        (15, PER),
        (17, "spec.replicas.mni"),
    ]


def test_one_broken_list_entry_is_not_also_called_a_short_list() -> None:
    assert [p.path for p in problems(changed("name: requests", "name: Req"))] == ["spec.demands[0].name"]


def test_demand_names_are_unique() -> None:
    twin = "  - {name: requests, source: prod, query: q, capacity: {perReplica: 1}}\n  replicas:\n"
    (problem,) = problems(changed("  replicas:\n", twin))
    assert (problem.line, problem.column, problem.path) == (16, 12, "spec.demands[1].name")


def test_at_most_eight_demands() -> None:
    more_demands = "".join(
        f"  - {{name: d{i}, source: prod, query: q, capacity: {{perReplica: 1}}}}\n" for i in range(8)
    )
    (problem,) = problems(changed("  replicas:\n", f"{more_demands}  replicas:\n"))
    assert "at most 8" in problem.message
