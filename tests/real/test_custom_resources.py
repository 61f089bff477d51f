"""Our kinds on a real API server: what is taken, what is refused at which field; an object means what a file means."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import pytest

from autoscaler.spec.cluster_object import document_of
from autoscaler.spec.crd import GROUP, VERSION
from autoscaler.spec.fleet import judge
from autoscaler.spec.kinds import KINDS
from autoscaler.spec.nodes import plain
from autoscaler.spec.reader import documents_of
from tests.real.resource_rows import BAD, BLANK, GOOD, STALLED
from tests.real.resources import (
    BARE,
    CRDS,
    GONE,
    SPECS,
    Resources,
    as_file,
    changed,
    path_of,
    places,
    thing,
    whole,
)

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(f for f in (ROOT / "policies" / "examples").rglob("*.yaml") if not f.name.endswith("_test.yaml"))


@pytest.fixture(scope="module")
def resources(control_plane) -> Resources:
    ours = Resources(control_plane.rest())
    for kind in KINDS:
        ours.install(ours.definition(kind))
    return ours


def name_of(row: tuple[Any, ...]) -> str:
    value = "gone" if row[2] is GONE else str(row[2])
    return f"{row[0]}-{row[1]}-{value[:24]}-{zlib.crc32(str((*row[:2], value, *row[3:])).encode()) % 1000}"


def means_the_same(one: dict[str, Any], kept: dict[str, Any]) -> bool:
    """What the server keeps, defaults and all, is for us what the file is: the objects, and what they compile to."""
    file, object_ = as_file(one), as_file(kept)
    assert not file.problems and not object_.problems  # noqa: PT018
    return file.fleet == object_.fleet and file.fleet.compile() == object_.fleet.compile()


@pytest.mark.parametrize("row", BAD, ids=name_of)
def test_d01_what_is_wrong_is_refused_at_its_field(resources, row):
    """D01, P05: by the server and by our own models alike."""
    kind, where, value, field, words = row
    one = changed(whole(kind), path_of(where), value)
    assert as_file(one).problems, "our own models take it"
    said = resources.ask(one)
    assert said.status == 422, said
    at = [message for path, message in said.causes if path == field]
    assert at, said.causes
    assert any(words in message for message in at), at


@pytest.mark.parametrize("row", GOOD, ids=name_of)
def test_what_a_file_may_say_an_object_may(resources, row):
    kind, where, value = row
    one = changed(whole(kind), path_of(where), value)
    said = resources.ask(one)
    assert said.accepted, said.causes
    assert means_the_same(one, said.kept)


@pytest.mark.parametrize("kind", sorted(SPECS))
def test_whole_and_bare_objects(resources, kind):
    assert means_the_same(whole(kind), resources.ask(whole(kind)).kept)
    if kind in BARE:
        one = thing(kind, BARE[kind])
        assert means_the_same(one, resources.ask(one).kept)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda f: str(f.relative_to(ROOT / "policies" / "examples")))
def test_every_example_is_taken_with_the_same_meaning(resources, file):
    count = 0
    for document in documents_of(file):
        assert document.root is not None
        one: Any = plain(document.root)
        here = {"namespace": "default"} if one["kind"] == "PredictiveAutoscaler" else {}
        one["metadata"] |= here
        said = resources.ask(one)
        assert said.accepted, said.causes
        source = [d["source"] for d in one["spec"].get("demands", ())]
        ours, theirs = (judge([document_of(each)], source) for each in (one, said.kept))
        assert ours.problems == theirs.problems == ()
        assert ours.fleet == theirs.fleet
        count += 1
    assert count


@pytest.mark.parametrize("row", STALLED, ids=name_of)
def test_what_only_we_can_tell_is_taken_and_then_told_with_its_field(resources, row):
    """The documented list, which ends in Stalled=InvalidSpec."""
    kind, where, value, field, words = row
    said = resources.ask(changed(whole(kind), path_of(where), value))
    assert said.accepted, said.causes
    problems = as_file(said.kept).problems
    assert [p.path for p in problems] == [field]
    assert words in str(problems[0])


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(SPECS))
def test_p07_null_is_absent_at_every_field(resources, kind):
    """P07: with the same answer, the same field named, and the same object kept."""
    base = whole(kind)
    for path in places(base["spec"], ("spec",)):
        if isinstance(path[-1], int):
            continue
        null, gone = resources.ask(changed(base, path, None)), resources.ask(changed(base, path, GONE))
        assert (null.accepted, null.fields()) == (gone.accepted, gone.fields()), path
        if null.accepted:
            assert null.kept["spec"] == gone.kept["spec"], path
        assert bool(as_file(changed(base, path, None)).problems) != null.accepted, path


@pytest.mark.parametrize("kind", sorted(SPECS))
def test_p07_blank_is_absent_at_every_text(resources, kind):
    """P07: but where CEL cannot see it, and where nothing else is said; these end in Stalled."""
    base = whole(kind)
    for path in places(base["spec"], ("spec",)):
        at: Any = base
        for part in path:
            at = at[part]
        if not isinstance(at, str) or isinstance(path[-1], int) or path[-2] in {"headers", "params", "matchLabels"}:
            continue
        blank = changed(base, path, "")
        said, told = resources.ask(blank), as_file(blank).problems
        if said.accepted and told:
            assert path[-1] == "replicaPrice" or "says nothing" in told[0].message, path
        else:
            assert said.accepted == (not told), (path, said.causes, told)


@pytest.mark.parametrize("row", BLANK, ids=name_of)
def test_p07_a_blank_number_list_or_mapping_is_for_files_only(resources, row):
    """P07: a field of a server has one type; the way out is to leave it out, or null."""
    kind, where, value = row
    one = changed(whole(kind), path_of(where), value)
    assert not as_file(one).problems
    said = resources.ask(one)
    assert where.replace(".0.", "[0].") in said.fields()
    assert resources.ask(changed(one, path_of(where), None)).accepted


VALUES: tuple[Any, ...] = (
    0, 1, -1, 2, 1.5, True, False, "x", "X_y", "0s", "3m", "25h", "1d", "90m", "24h", "1500ms", "200s", "0%", "20%",
    "0.5%", "301%", "0.3", "100%", "101%", "45", "1e3", ".5", "-4", "0", "2026-02-30T06:00:00Z", "2026-03-01",
    "2026-03-01T06:00:00+01:00", "2026-03-01t06:00:00.5z", "2026-03-01T06:00:00", "2026-02-30", "24:00", "07:30",
    "7:30", "Europe/Berlin", "UTC", "http://a", "https://u:p@h/", "http://h/api/v1", "http://h?x=1", "ftp://x",
    "eyJabcdefgh12", "/a/b", "a.csv", "https://x/a.csv", "Both", "Any", "None", "Scale", "Mon", "In", "Exists", "Pods",
    "Max", "Disabled", "apps/v1", "v1", "a" * 64, "a" * 254, "a\nb", "a\tb", "é", [], {}, ["a"], {"a": "b"}, {"a": 1},
    2**31, 2**31 - 1, 61, 1801, 3601, 10**12, [None], [""], {"a": None}, GONE,
)  # fmt: skip
EXPRESSION = ("spec", "limits", "conditions", 0, "expression")


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(SPECS))
def test_server_and_models_agree_on_odd_values_at_every_field(resources, kind):
    """A sample, the same each time, of every field with every odd value: taken by both or by none."""
    base = whole(kind)
    asked = 0
    for path in places(base["spec"], ("spec",)):
        for value in VALUES:
            if zlib.crc32(f"{path}{value!r}".encode() if value is not GONE else f"{path}gone".encode()) % 12:
                continue
            if path == EXPRESSION or path[-1] in {"source", "timeZone"}:
                continue  # CEL and zones are ours to check; that a source is there is between objects
            asked += 1
            one = changed(base, path, value)
            said, ours = resources.ask(one), as_file(one).problems
            assert said.accepted == (not ours), (path, value, said.causes, ours)
            if said.accepted:
                assert means_the_same(one, said.kept), (path, value)
    assert asked > 10


def test_defaults_are_in_the_object_but_for_those_that_policies_fill(resources):
    kept = resources.ask(thing("PredictiveAutoscaler", BARE["PredictiveAutoscaler"])).kept["spec"]
    assert (kept["mode"], kept["actuation"], kept["acknowledge"]) == ("Advise", "HpaFloor", [])
    assert kept["lead"] == {"warmup": "0s"}
    assert not {"headroom", "objective", "maxDataAge", "behavior"} & set(kept)
    assert "min" not in kept["replicas"]
    source = resources.ask(thing("MetricsSource", BARE["MetricsSource"])).kept["spec"]["prometheus"]
    assert (source["timeout"], source["staleAfter"], source["headers"]) == ("5s", "2m", {})


def test_a_policy_says_the_same_over_an_object_as_over_its_file(resources):
    """Defaults of the server's would be the workload's own word and shut the policy up."""
    spec = {"selector": {}, "defaults": {**SPECS["GuardPolicy"]["defaults"], "anomaly": {"demand": {"shrink": False}}}}
    one, policy = thing("PredictiveAutoscaler", BARE["PredictiveAutoscaler"]), thing("GuardPolicy", spec)
    kept = [resources.ask(each).kept for each in (one, policy)]
    file = judge([document_of(one), document_of(policy)], ["prod"]).fleet.compile()[0]
    held = judge([document_of(each) for each in kept], ["prod"]).fleet.compile()[0]
    for workload in (file, held):
        assert (workload.min_replicas, workload.headroom, workload.scale_up.tolerance) == (2, 1.2, 0.1)
    assert held == file


@pytest.mark.slow
def test_the_largest_objects_are_within_what_rules_may_cost(resources):
    """The server refuses definitions whose rules may cost too much, and objects whose rules do."""
    name, words = "n" * 50, "w" * 256
    policy = whole("GuardPolicy")
    policy["spec"]["selector"] = {
        "names": [f"{name}/{name}.{name}.{k}" for k in range(1000)],
        "namespaces": [f"{name}{k}" for k in range(1000)],
        "matchLabels": {f"example{k}.com/{name}": name for k in range(64)},
        "matchExpressions": [{"key": "example.com/team", "operator": "In", "values": ["v" * 63] * 100}] * 20,
    }
    when = {"weekly": {"days": ["Mon"] * 7, "timeZone": "America/Argentina/Buenos_Aires"}}
    days = {"dates": {"list": ["2026-12-24"] * 400, "timeZone": "UTC"}}
    policy["spec"]["limits"] |= {
        "schedule": [{"name": f"s{k}-{name}", "when": days, "min": 2} for k in range(50)],
        "freezes": [{"name": f"f{k}-{name}", "when": when, "reason": words} for k in range(50)],
        "events": [{"name": f"e{k}-{name}", "when": when, "floor": 2} for k in range(200)],
    }
    source = whole("MetricsSource")
    source["spec"]["prometheus"] |= {
        "headers": {f"X-{k}-{name}": "v" * 1024 for k in range(64)},
        "params": {f"p{k}_{name}": "v" * 1024 for k in range(64)},
        "tls": {"caFile": "/" + "c" * 4000, "certFile": "/" + "c" * 4000, "keyFile": "/" + "c" * 4000},
    }
    web = whole("PredictiveAutoscaler")
    learned = {"resource": "q" * 8192, "limit": 1, "replicas": "q" * 8192}
    web["spec"]["demands"] = [
        {"name": f"d{k}", "source": "prod", "query": "q" * 8192, "capacity": {"learned": learned}} for k in range(8)
    ]
    for one in (policy, source, web):
        said = resources.ask(one)
        assert said.accepted, said.causes
        assert as_file(one).fleet == as_file(said.kept).fleet


def test_an_unknown_field_is_refused_where_it_stands(resources):
    """As kubectl asks by default; a client that does not ask is warned, and the field is not kept."""
    one = changed(whole("PredictiveAutoscaler"), path_of("spec.replicas.mni"), 2)
    said = resources.ask(one)
    assert said.status == 400
    assert 'unknown field "spec.replicas.mni"' in said.causes[0][1]
    cron = changed(whole("GuardPolicy"), path_of("spec.limits.schedule.0.when"), {"cron": "0 8 * * 1"})
    assert 'unknown field "spec.limits.schedule[0].when.cron"' in resources.ask(cron).causes[0][1]


def test_the_definitions_are_usable_as_they_are_committed(resources):
    """The committed YAML, by server-side apply as people do it."""
    for file in sorted((ROOT / "charts" / "foresail" / "files" / "crds").iterdir()):
        name = file.name.removesuffix(".yaml")
        query = {"fieldManager": "kubectl", "force": "true", "fieldValidation": "Strict"}
        path = f"{CRDS}/{name}"
        answer = resources.admin.answer("PATCH", path, file.read_text(), "application/apply-patch+yaml", **query)
        assert answer.status == 200, answer.body.decode()[:2000]
        assert answer.json()["spec"]["group"] == GROUP
        assert answer.json()["status"]["storedVersions"] == [VERSION]
