"""`foresail policy …`, and policies in `run` and `once`: exit codes, output, and what the record says of a rule."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from autoscaler.spec import json_schema
from autoscaler.spec.schema import SCHEMAS
from tests.unit.cli.recorded import AUTOSCALER
from tests.unit.cli.test_simulate_prometheus import prometheus

__all__ = ["prometheus"]

ROOT = Path(__file__).parents[3]
AT = ("--at", "2026-06-10T09:00:00Z")


def policy(name: str = "shop", selector: str = "{namespaces: [shop]}", **parts: str) -> str:
    lines = "".join(f"  {key}: {value}\n" for key, value in ({"selector": selector} | parts).items())
    return f"apiVersion: foresail.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {{name: {name}}}\nspec:\n{lines}"


@pytest.fixture
def guarded(estate, source, workload):
    """A fleet of one, and a folder with a policy beside it."""
    estate.record("web.csv", "web")
    estate.write(source(), workload("web"))
    folder = estate.folder.parent / "policies"
    folder.mkdir()

    def write(*documents: str) -> Path:
        (folder / "shop.yaml").write_text("---\n".join(documents))
        return folder

    return write


def decided(said: Any) -> Any:
    return json.loads(said.out)["decisions"][0]


def test_once_decides_under_the_policies_and_the_decision_names_their_rules(guarded, foresail):
    guarded(policy(limits="{replicas: {max: 12}}"))
    free = decided(foresail("once", "fleet", *AT, "-o", "json"))
    assert free["granted"] > 12
    assert free["rules"] == []
    said = foresail("once", "fleet", "--policies", "policies", *AT, "-o", "json")
    assert (said.code, decided(said)["granted"]) == (0, 12)
    rules = {r["field"]: r["rule"] for r in decided(said)["rules"]}
    assert rules["max"].startswith("GuardPolicy shop@")
    assert rules["max"].endswith("limits.replicas.max (policies/shop.yaml:6)")


def test_the_record_explains_which_rule_set_the_number(guarded, foresail):
    guarded(policy(limits="{replicas: {max: 12}}"))
    assert foresail("once", "fleet", "--policies", "policies", *AT).code == 0
    said = foresail("explain", "web")
    assert "rules in force" in said.out
    assert "max: GuardPolicy shop@" in said.out
    assert "without min-max: " in said.out
    lines = said.out.splitlines()
    acted = next(k for k, line in enumerate(lines) if line.lstrip().startswith("min-max"))
    assert lines[acted + 1].lstrip().startswith("by GuardPolicy shop@")
    guards = json.loads(foresail("explain", "web", "-o", "json").out)["decision"]["guards"]
    behind = {g["guard"]: g["rules"] for g in guards}
    assert behind["min-max"][0].startswith("GuardPolicy shop@")
    assert behind["step-up"] == []


def test_D11_a_freeze_and_D12_a_pause_hold_in_once(guarded, foresail):
    once = '{once: {from: "2026-06-10T00:00:00Z", until: "2026-06-11T00:00:00Z"}}'
    guarded(policy(limits=f"{{freezes: [{{name: f, reason: stocktaking, growth: None, when: {once}}}]}}",
                   acknowledge="[MayCauseShortage]"))  # fmt: skip
    frozen = foresail("once", "fleet", "--policies", "policies", *AT, "-o", "json")
    assert (frozen.code, decided(frozen)["granted"], decided(frozen)["state"]) == (1, 2, "Holding")
    assert "ChangeFreeze" in decided(frozen)["reasons"]
    guarded(policy(pause='{owner: mia, reason: incident, until: "2026-06-10T12:00:00Z"}'))
    paused = decided(foresail("once", "fleet", "--policies", "policies", *AT, "-o", "json"))
    assert (paused["granted"], paused["state"]) == (2, "Paused")
    assert {r["field"] for r in paused["rules"]} >= {"pause"}


def test_P05_a_broken_policy_without_a_last_good_form_holds_its_workloads(guarded, foresail):
    guarded(policy(limits='{replicas: {max: "12"}}'))
    said = foresail("once", "fleet", "--policies", "policies", *AT, "-o", "json")
    assert said.code == 1
    assert "PolicyUnknown" in decided(said)["reasons"]
    assert decided(said)["state"] == "Holding"
    assert "must be a whole number" in said.err


def test_a_site_chooses_policies(guarded, foresail):
    guarded(policy(selector="{sites: [berlin]}", limits="{replicas: {max: 12}}"))
    assert decided(foresail("once", "fleet", "--policies", "policies", *AT, "-o", "json"))["granted"] > 12
    here = foresail("once", "fleet", "--policies", "policies", "--site", "berlin", *AT, "-o", "json")
    assert decided(here)["granted"] == 12


def test_lint_exit_codes_and_outputs(guarded, foresail):
    guarded(policy(limits="{replicas: {max: 12}}"))
    fine = foresail("policy", "lint", "policies", "fleet", *AT)
    assert (fine.code, fine.out.strip()) == (0, "nothing is wrong")
    guarded(policy(selector="{namespaces: [shpo]}", limits="{replicas: {max: 12}}"))
    warned = foresail("policy", "lint", "policies", "fleet", *AT)
    assert warned.code == 1
    assert "policies/shop.yaml:5:1: warning [selects-nothing]" in warned.out
    assert "0 errors, 1 warnings" in warned.out
    assert foresail("policy", "lint", "policies", "fleet", *AT, "--fail-on", "error").code == 0
    as_json = json.loads(foresail("policy", "lint", "policies", "fleet", *AT, "-o", "json").out)
    assert [(f["rule"], f["line"]) for f in as_json] == [("selects-nothing", 5)]
    sarif = json.loads(foresail("policy", "lint", "policies", "fleet", *AT, "-o", "sarif").out)
    assert sarif["runs"][0]["results"][0]["ruleId"] == "selects-nothing"
    guarded(policy(limits="{replicas: {max: twelve}}"))
    assert foresail("policy", "lint", "policies", *AT, "--fail-on", "error").code == 1
    for args in (("-o", "xml"), ("--fail-on", "never"), ("--at", "today")):
        assert foresail("policy", "lint", "policies", *args).code == 2


def test_explain_in_words_and_json(guarded, foresail):
    guarded(policy(limits="{replicas: {max: 12}}"))
    said = foresail("policy", "explain", "shop/web", "policies", "fleet", *AT)
    assert said.code == 0
    assert "by GuardPolicy shop@" in said.out
    assert "nothing changes by itself" in said.out
    found = json.loads(foresail("policy", "explain", "web", "policies", "fleet", *AT, "-o", "json").out)
    assert {limit["field"]: limit["value"] for limit in found["limits"]}["max"] == "12"
    assert foresail("policy", "explain", "nobody", "policies", "fleet").code == 2


def test_P06_diff_exit_codes_and_words(guarded, foresail, tmp_path):
    guarded(policy(limits="{replicas: {max: 12}}"))
    new = tmp_path / "new.yaml"
    new.write_text(policy(limits="{replicas: {max: 50}}"))
    same = foresail("policy", "diff", "policies", "policies", "--workloads", "fleet")
    assert (same.code, same.out.strip()) == (0, "no workload gets another limit")
    said = foresail("policy", "diff", "policies", new, "--workloads", "fleet")
    assert said.code == 1
    assert "shop/web: max\n  was  12\n  now  50, by GuardPolicy shop@" in said.out
    assert "look twice: 4.17 times" in said.out
    assert foresail("policy", "diff", "policies", new).code == 2
    risky = ("--workloads", "fleet", "--fail-on", "risky")
    assert foresail("policy", "diff", "policies", new, *risky).code == 1
    new.write_text(policy(limits="{replicas: {max: 50}}", acknowledge="[LargeChange]"))
    meant = foresail("policy", "diff", "policies", new, *risky)
    assert meant.code == 0
    assert "look twice: 4.17 times (acknowledged)" in meant.out
    new.write_text(policy(limits="{replicas: {max: 13}}"))
    assert foresail("policy", "diff", "policies", new, *risky).code == 0
    assert foresail("policy", "diff", "policies", new, "--fail-on", "never").code == 2


def test_diff_simulates_both_sides_on_a_recorded_demand(guarded, foresail, tmp_path, estate):
    guarded(policy(limits="{replicas: {max: 50}}"))
    new = tmp_path / "new.yaml"
    new.write_text(policy(limits="{replicas: {max: 12}}"))
    said = foresail("policy", "diff", "policies", new, "--workloads", "fleet", "--trace", "fleet/web.csv", "-o", "json")
    told = json.loads(said.out)["effect"]
    assert told["workload"] == "shop/web"
    assert told["after"]["replica_hours"] < told["before"]["replica_hours"]
    assert told["after"]["short_minutes"] > told["before"]["short_minutes"]


def test_P06_diff_asks_a_source_for_the_workloads_own_query(guarded, foresail, tmp_path, prometheus):
    guarded(policy(limits="{replicas: {max: 50}}"))
    new = tmp_path / "new.yaml"
    new.write_text(policy(limits="{replicas: {max: 3}}"))
    url, asked = prometheus
    args = ("policy", "diff", "policies", new, "--workloads", "fleet", "--workload", "web")
    said = foresail(*args, "--prometheus", url, "--since", "12h", "-o", "json")
    told = json.loads(said.out)["effect"]
    assert told["after"]["replica_hours"] < told["before"]["replica_hours"]
    assert "web" in {a["query"] for a in asked}
    assert foresail(*args, "--since", "7d").code == 2


def test_test_exit_codes_outputs_and_junit(foresail, tmp_path):
    fine = foresail("policy", "test", ROOT / "policies" / "examples" / "batch", "--junit", "out.xml")
    assert fine.code == 0
    assert "6 hold, 0 do not" in fine.out
    assert (tmp_path / "out.xml").read_text().count("<testcase") == 6
    broken = tmp_path / "t_test.yaml"
    text = (ROOT / "policies" / "examples" / "batch" / "policy_test.yaml").read_text()
    broken.write_text(text.replace("files: [", f"files: [{ROOT}/policies/examples/batch/").replace(
        ", policy", f", {ROOT}/policies/examples/batch/policy").replace("replicas: 80}", "replicas: 81}"))  # fmt: skip
    failed = foresail("policy", "test", broken)
    assert failed.code == 1
    assert "80 replicas, not 81" in failed.out
    assert foresail("policy", "test", tmp_path / "nowhere_test.yaml").code == 2


@pytest.mark.parametrize("kind", sorted(SCHEMAS))
def test_the_published_schemas_are_those_of_the_models(kind, foresail):
    said = foresail("policy", "schema", kind)
    assert said.code == 0
    assert json.loads(said.out) == json_schema(kind)
    published = ROOT / "policies" / "schema" / f"{kind}.json"
    assert json.loads(published.read_text()) == json_schema(kind), "foresail policy schema --out policies/schema"


def test_schema_of_an_unknown_kind_names_the_nearest(foresail):
    said = foresail("policy", "schema", "GardPolicy")
    assert said.code == 2
    assert 'did you mean "GuardPolicy"' in said.err


def test_help_of_policy_loads_no_numeric_library(foresail):
    code = "import sys; from autoscaler.cli.app import app; print('numpy' in sys.modules, 'pydantic' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.split() == ["False", "False"]


def test_simulate_decides_under_the_policies_in_the_time_of_the_record(foresail, web, tmp_path):
    (tmp_path / "web.yaml").write_text(AUTOSCALER)
    once = '{once: {from: "2026-03-01T10:00:00Z", until: "2026-03-01T14:00:00Z"}}'
    text = policy(limits=f"{{replicas: {{max: 15}}, events: [{{name: e, floor: 14, when: {once}}}]}}")
    (tmp_path / "guards.yaml").write_text(text)
    asked = ("--trace", "web.csv", "--config", "web.yaml", "--step", "5m", "--actuation", "Scale")
    args = ("simulate", *asked, "-o", "json", "--out", "rows.csv")
    assert foresail(*args).code == 0
    free = pd.read_csv("rows.csv", parse_dates=["ts"])
    assert free["granted"].max() > 15
    said = foresail(*args, "--policies", "guards.yaml")
    assert said.code == 0
    assert "under GuardPolicy shop" in said.out
    rows = pd.read_csv("rows.csv", parse_dates=["ts"])
    assert rows["granted"].max() == 15
    inside = rows[(rows["ts"] >= "2026-03-01T10:00:00Z") & (rows["ts"] < "2026-03-01T14:00:00Z")]
    assert (inside["granted"] >= 14).all()
    early = rows[rows["ts"] < "2026-03-01T09:00:00Z"]
    assert (early["granted"] < 14).any()
    alone = foresail("simulate", "--trace", "web.csv", "--policies", "guards.yaml", "--capacity", 8)
    assert (alone.code, "name its file with --config" in alone.err) == (2, True)
    (tmp_path / "guards.yaml").write_text(text.replace("max: 15", "max: fifteen"))
    assert "must be a whole number" in foresail(*args, "--policies", "guards.yaml").err


def test_P06_since_alone_asks_the_workloads_own_source(guarded, foresail, tmp_path, prometheus):
    url, asked = prometheus
    guarded(policy(limits="{replicas: {max: 50}}"))
    new = tmp_path / "new.yaml"
    new.write_text(policy(limits="{replicas: {max: 3}}"))
    (tmp_path / "served.yaml").write_text(
        "apiVersion: foresail.dev/v1alpha1\nkind: MetricsSource\nmetadata: {name: prod}\n"
        f"spec: {{prometheus: {{url: {url}, headers: {{X-Scope-OrgID: shop}}}}}}\n"
        "---\napiVersion: foresail.dev/v1alpha1\nkind: PredictiveAutoscaler\nmetadata: {name: web, namespace: shop}\n"
        "spec:\n  target: {apiVersion: apps/v1, kind: Deployment, name: web}\n  replicas: {min: 2, max: 60}\n"
        "  demands: [{name: d, source: prod, query: web, capacity: {perReplica: 10}}]\n"
    )
    said = foresail("policy", "diff", "policies", new, "--workloads", "served.yaml", "--since", "12h", "-o", "json")
    told = json.loads(said.out)["effect"]
    assert told["after"]["replica_hours"] < told["before"]["replica_hours"]
    assert (told["before"]["most"] > 3, told["after"]["most"]) == (True, 3)
    assert "web" in {a["query"] for a in asked}
    kept_in_a_file = foresail(
        "policy", "diff", "policies", new, "--workloads", "fleet", "--since", "7d", "--workload", "web"
    )
    assert kept_in_a_file.code == 2
    assert "name the recorded demand: --trace FILE" in kept_in_a_file.err


def test_P06_D15_diff_tells_money_and_how_long_a_budget_bound(guarded, foresail, tmp_path):
    budget = '{{budget: {{perHour: "{}", replicaPrice: "0.50"}}}}'
    guarded(policy(limits=budget.format("30")))
    new = tmp_path / "new.yaml"
    new.write_text(policy(limits=budget.format("3")))
    args = ("policy", "diff", "policies", new, "--workloads", "fleet", "--trace", "fleet/web.csv")
    told = json.loads(foresail(*args, "-o", "json").out)["effect"]
    before, after = told["before"], told["after"]
    assert before["cost"] == pytest.approx(before["replica_hours"] / 2)
    assert after["cost"] < before["cost"]
    assert (before["budget_minutes"], after["budget_minutes"] > 0) == (0, True)
    assert "minutes at the budget" in foresail(*args).out


def test_P06_diff_compares_with_a_revision_of_git(guarded, foresail, tmp_path):
    guarded(policy(limits="{replicas: {max: 12}}"))
    git = ("git", "-C", str(tmp_path), "-c", "user.name=m", "-c", "user.email=m@example.com")
    for args in (("init", "-q"), ("add", "policies"), ("commit", "-q", "-m", "as it was")):
        subprocess.run([*git, *args], check=True)
    guarded(policy(limits="{replicas: {max: 13}}"))
    said = foresail("policy", "diff", "HEAD:policies", "policies", "--workloads", "fleet")
    assert said.code == 1
    assert "shop/web: max\n  was  12\n  now  13, by GuardPolicy shop@" in said.out
    for wrong, words in (
        ("HEAD:nothing", "nothing"), ("nope:policies", "nope"), ("--output=x:policies", "is no revision"),
        ("nothing", "no such file"),
    ):  # fmt: skip
        refused = foresail("policy", "diff", "--workloads", "fleet", "--", wrong, "policies")
        assert (refused.code, refused.out) == (2, "")
        assert words in refused.err
