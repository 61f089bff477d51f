"""`foresail explain` and `foresail history` on what `once` has recorded."""

import json

import pytest

MOMENTS = ("2026-06-10T08:00:00Z", "2026-06-10T08:30:00Z", "2026-06-10T09:00:00Z")


@pytest.fixture
def recorded(estate, source, workload, foresail):
    """Three decisions of three workloads, two of which share a name; one has a guard that acts: max 20."""
    estate.record("web.csv", "web", "api")
    capped = workload("web", replicas="{min: 2, max: 20}")
    estate.write(source(), capped, workload("api"), workload("api", namespace="ops"))
    for at in MOMENTS:
        assert foresail("once", "fleet", "--at", at).code == 0
    return foresail


def test_explain_tells_numbers_guards_and_what_would_be_without_them(recorded):
    said = recorded("explain", "shop/web")
    assert (said.code, said.err) == (0, "")
    assert "shop/web: 2 → 20, Active" in said.out
    assert "min-max" in said.out
    assert "outside min/max" in said.out
    assert "without min-max: 2" in said.out  # more than 20, so 2x


def test_explain_as_json_has_the_same_counterfactual(recorded):
    told = json.loads(recorded("explain", "web", "-o", "json").out)
    assert told["decision"]["granted"] == 20
    assert told["withoutGuard"]["min-max"] > 20
    assert told["recordedThen"] is True
    assert told["askedAt"] is None


def test_explain_of_a_past_moment_finds_the_decision_then_in_force(recorded):
    told = json.loads(recorded("explain", "web", "--at", "2026-06-10T08:31:00Z", "-o", "json").out)
    assert told["run"]["from"] == "2026-06-10T08:30:00+00:00"
    assert told["recordedThen"] is True


def test_explain_of_a_gap_says_that_nothing_was_recorded_then(recorded):
    said = recorded("explain", "web", "--at", "2026-06-10T08:20:00Z")
    assert "asked about 2026-06-10 08:20:00 UTC" in said.out
    assert "nothing was recorded for 20 min before that" in said.out


def test_explain_before_the_first_record_is_an_error_that_leads_on(recorded):
    said = recorded("explain", "web", "--at", "2026-06-10T07:00:00Z")
    assert (said.code, said.out) == (2, "")
    assert "nothing is recorded for shop/web at or before 2026-06-10T07:00:00Z" in said.err
    assert "foresail history shop/web --store foresail.db" in said.err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wbe", "no workload 'wbe'; did you mean shop/web? It has: ops/api, shop/api, shop/web"),
        ("shop/wep", "did you mean shop/web?"),
        ("zzz", "no workload 'zzz'. It has: ops/api"),
        ("api", "has 'api' in several namespaces; write ops/api or shop/api"),
    ],
)
@pytest.mark.parametrize("command", ["explain", "history"])
def test_a_wrong_name_is_answered_with_the_nearest(recorded, command, name, words):
    said = recorded(command, name)
    assert (said.code, said.out) == (2, "")
    assert words in said.err


def test_history_lists_runs_oldest_first(recorded):
    rows = json.loads(recorded("history", "web", "-o", "json").out)
    assert [row["from"] for row in rows] == ["2026-06-10T08:00:00+00:00", "2026-06-10T08:30:00+00:00",
                                             "2026-06-10T09:00:00+00:00"]  # fmt: skip
    assert all(row["granted"] == 20 for row in rows)


def test_history_table_keeps_each_run_on_one_line(recorded):
    lines = recorded("history", "web").out.splitlines()
    assert len(lines) == 4
    assert lines[0].split()[:3] == ["from", "(UTC)", "until"]
    assert "OutsideLimits" in lines[1]


@pytest.mark.parametrize(
    ("args", "count"),
    [
        (("--limit", "2"), 2),
        (("--since", "2026-06-10T08:15:00Z"), 2),
        (("--until", "2026-06-10T08:15:00Z"), 1),
        (("--since", "2026-06-10T10:00:00Z"), 0),
    ],
)
def test_history_within_bounds(recorded, args, count):
    assert len(json.loads(recorded("history", "web", "-o", "json", *args).out)) == count


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("explain", "web", "--store", "nope.db"), "nope.db: there is no record of decisions here"),
        (("history", "web", "--store", "nope.db"), "nope.db: there is no record of decisions here"),
        (("explain", "web", "--at", "2026-06-10T08:00:00"), "has no time zone"),
        (("history", "web", "--since", "2026-06-10"), "has no time zone"),
        (("history", "web", "--limit", "0"), "--limit"),
        (("explain", "web", "-o", "xml"), "use table or json"),
    ],
)
def test_what_cannot_be_answered_says_why(recorded, args, words):
    said = recorded(*args)
    assert (said.code, said.out) == (2, "")
    assert words in said.err


def test_reading_leaves_no_file_behind(recorded, tmp_path):
    recorded("explain", "web", "--store", "nope.db")
    assert not (tmp_path / "nope.db").exists()


def test_history_with_rules_names_those_behind_the_number(estate, source, workload, foresail, tmp_path):
    estate.record("web.csv", "web", "api")
    estate.write(source(), workload("web"))
    (tmp_path / "shop.yaml").write_text(
        "apiVersion: foresail.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: shop}\n"
        "spec:\n  selector: {namespaces: [shop]}\n  limits: {replicas: {max: 5}}\n"
    )
    assert foresail("once", "fleet", "--policies", "shop.yaml", "--at", MOMENTS[0]).code == 0
    rule = "GuardPolicy shop@"
    assert rule not in foresail("history", "web").out
    said = foresail("history", "web", "--rules").out
    assert rule in said
    assert "limits.replicas.max (shop.yaml:6)" in said
    assert json.loads(foresail("history", "web", "-o", "json").out)[0]["rules"][0].startswith(rule)
    line = json.loads(foresail("export").out)
    behind = next(g for g in line["guards"] if g["guard"] == "min-max")
    assert behind["rules"][0].startswith(rule)


def test_export_is_a_line_a_run_with_everything_of_the_decision(recorded):
    lines = [json.loads(line) for line in recorded("export").out.splitlines()]
    assert [line["workload"] for line in lines] == ["ops/api"] * 3 + ["shop/api"] * 3 + ["shop/web"] * 3
    assert all(line["kind"] == "ForesailDecision" and line["ticks"] >= 1 and line["inputs"] for line in lines)
    one = [json.loads(line) for line in recorded("export", "web", "--since", "2026-06-10T08:15:00Z").out.splitlines()]
    assert [line["from"] for line in one] == ["2026-06-10T08:30:00+00:00", "2026-06-10T09:00:00+00:00"]
    assert recorded("export", "wbe").code == 2
