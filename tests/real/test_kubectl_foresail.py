"""`kubectl foresail` on a real API server: what people see and stop, each with the rights of his own. Row D12."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from autoscaler.adapters.kubernetes.objects import GROUP
from autoscaler.spec.crd import RESOURCES, crd
from tests.real import onlooking
from tests.real.commands import Settings
from tests.real.controlplane import ControlPlane
from tests.real.history import series
from tests.real.onlooking import Person
from tests.real.operating import HEAD, USERS, Operators, autoscaler, granted, install, operators
from tests.real.parts import require_part
from tests.real.prometheus import Prometheus
from tests.real.prometheus import Settings as PrometheusSettings
from tests.real.servers import free_port, wait_until
from tests.real.web import fetch
from tests.unit.hack.dashboards import queries

pytestmark = pytest.mark.slow
SHOP = "shop"
OURS = {"leases", "predictiveautoscalers", "guardpolicies", "metricssources", "events"}
DASHBOARDS = Path(__file__).parents[2] / "charts" / "foresail" / "files" / "dashboards"
ABSENT = {
    "foresail_calibration_excluded_ratio": "the workload leaves nothing out",
    "foresail_forecast_qualified": "there is no past day to compare with",
    "foresail_forecast_loss_ratio": "there is no past day to compare with",
    "foresail_forecast_decision_ratio": "there is no past day to compare with",
    "foresail_condition": "the cluster says nothing at the moment",
    "foresail_pause_open_workloads": "nobody pauses without an end",
    "foresail_source_query_failures_total": "no query failed",
}
"""Metrics of the dashboards that a healthy operator of some minutes with one workload does not have."""
LATER = {"foresail_risk_realised_ratio", "foresail_demand_weighted_shortage_ratio", "foresail_unserved_demand_ratio"}
"""Those that come with the first step that is judged, a minute or so after the start: checked where they are there."""
NOBODY = "http://127.0.0.1:9"
"""An Alertmanager that does not answer: what waits for it, and what it never hears of, is counted from the start."""
READ = {"apiGroups": ["foresail.dev"], "resources": ["predictiveautoscalers"], "verbs": ["get", "list", "patch"]}
ASK = {"apiGroups": [""], "resources": ["services/proxy"], "resourceNames": ["http:foresail:http"], "verbs": ["get"]}
GUARDS = {
    "apiGroups": ["foresail.dev"], "resources": ["guardpolicies"], "verbs": ["get", "create", "update", "delete"],
}  # fmt: skip


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    people = ("mia", "ned", "olga")
    one = ControlPlane(tmp_path_factory.mktemp("onlooked"), Settings(users=people, hpa_sync="250ms"))
    one.start()
    install(one.rest(), [crd(kind) for kind in RESOURCES])
    granted(one)
    one.rest().create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SHOP}})
    for person in ("mia", "ned"):
        one.grant(person, [READ], SHOP)
    one.grant("olga", [GUARDS])
    yield one
    one.stop()


@pytest.fixture(scope="module")
def port() -> int:
    """Where the operator serves."""
    return free_port()


@pytest.fixture(scope="module")
def scraper(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Who watches the operator."""
    one = Prometheus(tmp_path_factory.mktemp("scraper"), PrometheusSettings(scrape=[f"127.0.0.1:{port}"]))
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Whom the operator asks; its history goes on into the future, so that it can scrape nothing."""
    one = Prometheus(tmp_path_factory.mktemp("source"), PrometheusSettings())
    now = int(time.time()) // 10 * 10
    times = range(now - 4 * 3600, now + 900, 10)
    one.load({series("load"): (times, [110.0] * len(times))})
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def some(
    plane: ControlPlane, source: Prometheus, scraper: Prometheus, port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operators]:
    """One operator over one workload, behind the Service that the chart would make; it is scraped from the start."""
    assert scraper.server.running
    folder = tmp_path_factory.mktemp("some")
    with operators(plane, folder) as running:
        running.source(source.url)
        running.workload(SHOP)
        begin(running, port)
        onlooking.serve(plane.rest(), onlooking.own_address(), running.ports[0])
        plane.grant("mia", [ASK], onlooking.HOME)
        with logged(running):
            wait_until(lambda: running.floor(SHOP) >= 11, "the forecast is a floor", 60)
        yield running


@contextmanager
def logged(some: Operators) -> Iterator[None]:
    """What does not come in time is shown with what the operator said."""
    try:
        yield
    except AssertionError as late:
        late.add_note(some.log()[-20_000:])
        raise


def begin(some: Operators, port: int) -> None:
    some.start(0, "--listen", f"0.0.0.0:{port}", "--alertmanager", NOBODY)
    some.ports[0] = port


@pytest.mark.timeout(300)
def test_get_explain_and_history_by_the_operators_api_and_what_is_left_without_the_right_to_ask(
    plane: ControlPlane, some: Operators
) -> None:
    mia, ned = Person(plane, "mia"), Person(plane, "ned")
    wait_until(lambda: some.condition(SHOP, "Ready").get("status") == "True", "it is told", 30)
    seen = mia.types_in_a_shell("get", "-n", SHOP)
    assert (seen.code, seen.err) == (0, "")
    head, row = seen.out.splitlines()
    assert head.split()[:3] == ["WORKLOAD", "STATE", "MODE"]
    assert (row.split()[0], " Act " in row) == ("shop/web", True)
    assert row.split()[-1].endswith("█"), "the floor of the last hours is a line"
    told = json.loads(mia.types("get", "shop/web", "-o", "json").out)
    recent = told["workloads"][0]["recent"]
    assert recent["demand"][-1] == 110
    assert recent["forecast"][-1] >= 110
    assert recent["granted"][-1] == some.floor(SHOP)
    assert told["recentMissing"] is None

    explained = mia.types("explain", "web", "-n", SHOP)
    assert explained.code == 0, explained.err
    assert explained.out.startswith("shop/web: ")
    assert "guards, in order" in explained.out
    assert json.loads(mia.types("explain", "shop/web", "-o", "json").out)["decision"]["mode"] == "Act"
    history = mia.types("history", "shop/web", "--limit", "3", "--rules")
    assert history.code == 0, history.err
    assert history.out.splitlines()[0].startswith("from (UTC)")
    assert 1 <= len(json.loads(mia.types("history", "shop/web", "--limit", "3", "-o", "json").out)) <= 3

    seen = ned.types("get", "-n", SHOP)
    assert seen.code == 0
    assert seen.out.splitlines()[1].startswith("shop/web ")
    assert seen.out.splitlines()[1].split()[-3:] == ["-", "-", "-"]
    assert "no lines of recent hours: not allowed to ask the operator's Service foresail/foresail" in seen.err
    assert 'resources: [services/proxy], resourceNames: ["http:foresail:http"]' in seen.err
    refused = ned.types("explain", "shop/web")
    assert refused.code == 2
    assert "not allowed to ask the operator's Service" in refused.err
    for typed in (mia.types("get", "-A"), mia.types("get", "-n", "default")):
        assert typed.code == 2
        assert "forbidden" in typed.err
    said = mia.types("get", "wbe", "-n", SHOP)
    assert (said.code, "did you mean web?" in said.err) == (2, True)
    said = mia.types("explain", "shop/none")
    assert (said.code, "nothing is recorded for shop/none" in said.err) == (2, True)
    said = mia.types("get", "-n", SHOP, "--operator-service", "other")
    assert said.code == 0
    assert "no lines of recent hours" in said.err


def metrics_in(query: str) -> set[str]:
    return set(re.findall(r"\b(?:foresail|process)_\w+", query))


def later_in(query: str) -> list[str]:
    """Of LATER, as the query asks for them: what is planned is judged a lead later than what was there."""
    of = re.search(r'of="\w+"', query)
    return [f"{name}{{{of[0] if of else ''}}}" for name in metrics_in(query) & LATER]


@pytest.mark.parametrize("board", sorted(DASHBOARDS.glob("*.json")), ids=lambda path: path.stem)
def test_every_query_of_the_dashboards_is_answered_from_our_own_metrics(
    board: Path, some: Operators, scraper: Prometheus
) -> None:
    """On what a real Prometheus has scraped of a running operator; what this world has none of is named."""
    asked = 0
    for title, query in queries(board, SHOP, "web"):
        scraper.query(query)  # one that Prometheus refuses raises
        asked_for = metrics_in(query)
        if not asked_for & ABSENT.keys() and all(scraper.query(one) for one in later_in(query)):
            wait_until(lambda query=query: scraper.query(query), f"{title} has series: {query}", 15)  # type: ignore[misc]
        asked += 1
    assert asked > 5


def test_what_the_dashboards_are_excused_for_is_asked_for_and_is_not_there(
    some: Operators, scraper: Prometheus
) -> None:
    """Whatever is there by now is to be seen on the dashboards, and to be taken from the list."""
    asked = {
        name
        for board in DASHBOARDS.glob("*.json")
        for _, query in queries(board, SHOP, "web")
        for name in metrics_in(query)
    }
    assert ABSENT.keys() - asked == set()
    # for some seconds after a start the past is on its way, and conditions say so
    wait_until(lambda: not [name for name in ABSENT if scraper.query(name)], "none of them is there")


def test_promtool_finds_nothing_to_say_about_our_metrics(some: Operators) -> None:
    text = fetch(f"http://127.0.0.1:{some.ports[0]}/metrics").body
    command = [str(require_part("promtool")), "check", "metrics"]
    said = subprocess.run(command, input=text, capture_output=True, timeout=20, check=False)
    assert (said.returncode, said.stdout + said.stderr) == (0, b"")


def findings(typed: Any) -> dict[tuple[str, str], tuple[str, str]]:
    """By subject and check: level and words; of several the last."""
    told = json.loads(typed.out)["findings"]
    return {(f["subject"], f["check"]): (f["level"], f["words"]) for f in told}


def test_doctor_looks_at_kinds_leader_api_and_objects_and_says_what_a_person_may_not_see(
    plane: ControlPlane, some: Operators
) -> None:
    admin, mia = Person(plane, "admin"), Person(plane, "mia")
    seen = admin.types("doctor", "-A", "--operator-namespace", "default", "-o", "json")
    found = findings(seen)
    assert found["custom resources", "crds"] == ("ok", "metricssources.foresail.dev is what this version makes")
    level, words = found["operator (namespace default)", "leader"]
    assert (level, words.startswith("operator-0_")) == ("ok", True)
    assert found["operator (namespace default)", "api"][0] == "fail", "its Service is in another namespace"
    assert seen.code == 3
    seen = admin.types("doctor", "-n", SHOP, "-o", "json")
    found = findings(seen)
    assert found["operator (namespace foresail)", "api"] == ("ok", "its API answers as http:foresail:http")
    assert found["operator (namespace foresail)", "leader"][0] == "fail", "its Lease is in another namespace"
    assert found["objects", "objects"][0] == "ok"
    assert found["shop/web Deployment web (kubernetes)", "autoscaler"][0] == "ok", found
    assert seen.code == 1
    found = findings(mia.types("doctor", "-n", SHOP, "-o", "json"))
    for subject, check in (("custom resources", "crds"), ("operator (namespace foresail)", "leader")):
        level, words = found[subject, check]
        assert (level, "forbidden" in words) == ("note", True)
    wrong = autoscaler("stalled", timeZone="Mars/Olympus")
    some.apply(SHOP, wrong)
    wait_until(lambda: some.condition(SHOP, "Stalled", "stalled"), "it is told", 20)
    seen = admin.types("doctor", "-n", SHOP)
    assert seen.code == 1
    assert "fail  predictiveautoscalers/shop/stalled: spec.timeZone:" in seen.out
    some.admin.delete(some.path(SHOP, "stalled"))


def test_a_workload_is_paused_by_its_team_and_only_by_force_resumed_by_others(
    plane: ControlPlane, some: Operators
) -> None:
    mia, ned = Person(plane, "mia"), Person(plane, "ned")
    done = mia.types("pause", "web", "-n", SHOP, "--reason", "INC-42: checkout is slow", "--for", "2h")
    assert done.code == 0, done.err
    assert done.out.startswith("shop/web: paused (PredictiveAutoscaler shop/web): Both until 20")
    pause = some.admin.get(some.path(SHOP))["spec"]["pause"]
    assert (pause["owner"], pause["reason"]) == ("mia", "INC-42: checkout is slow")
    wait_until(lambda: some.condition(SHOP, "Paused").get("status") == "True", "it is in force", 20)
    assert some.condition(SHOP, "Paused")["message"].endswith("(docs/reasons.md#paused)")
    for typed in (
        ned.types("resume", "shop/web"),
        ned.types("pause", "shop/web", "--reason", "mine", "--for", "1h"),
    ):
        assert typed.code == 2
        assert "is paused by mia until" in typed.err
        assert "you are ned, and --force" in typed.err
    refused = mia.types("pause", "--all", "--reason", "no right", "--for", "1h")
    assert refused.code == 2
    assert "guardpolicies" in refused.err
    assert mia.types("resume", "shop/web").out.startswith("shop/web: resumed (PredictiveAutoscaler shop/web)")
    assert "pause" not in some.admin.get(some.path(SHOP))["spec"]
    again = mia.types("resume", "shop/web")
    assert again.code == 1
    assert "shop/web: not resumed" in again.out
    wait_until(lambda: some.condition(SHOP, "Paused").get("status") == "False", "it goes on", 20)


def test_K16_one_whose_spec_is_not_valid_is_paused_by_a_policy_as_its_last_valid_form_is_in_force(
    plane: ControlPlane, some: Operators
) -> None:
    admin, mia = Person(plane, "admin"), Person(plane, "mia")
    some.apply(SHOP, autoscaler(timeZone="Mars/Olympus"))
    wait_until(lambda: some.condition(SHOP, "Stalled"), "it is told", 20)
    refused = mia.types("pause", "shop/web", "--reason", "INC-44", "--for", "1h")
    assert (refused.code, "guardpolicies" in refused.err) == (2, True), "she has no right to that"
    done = admin.types("pause", "shop/web", "--reason", "INC-44", "--for", "1h", "--by", "mia")
    assert done.out.startswith("shop/web: paused (GuardPolicy foresail-pause.shop.web)"), done.err
    assert "by a policy, as its own spec is not valid" in done.out
    wait_until(lambda: some.condition(SHOP, "Paused").get("status") == "True", "it is in force", 20)
    some.apply(SHOP, autoscaler())
    wait_until(lambda: not some.condition(SHOP, "Stalled"), "mended", 20)
    assert some.condition(SHOP, "Paused")["status"] == "True", "and paused all the same"
    ended = admin.types("resume", "shop/web", "--by", "mia")
    assert ended.out.startswith("shop/web: resumed (GuardPolicy foresail-pause.shop.web)"), ended.err
    wait_until(lambda: some.condition(SHOP, "Paused").get("status") == "False", "it goes on", 20)


@pytest.mark.timeout(300)
def test_D12_the_kill_switch_stops_all_writes_whatever_else_is_invalid_and_over_a_restart(
    plane: ControlPlane, some: Operators
) -> None:
    olga, ned = Person(plane, "olga"), Person(plane, "ned")
    floor = some.floor(SHOP)
    broken: dict[str, Any] = {
        **HEAD, "kind": "GuardPolicy", "metadata": {"name": "broken"},
        "spec": {"selector": {"namespaces": [SHOP]}, "limits": {"conditions": [
            {"name": "slip", "expression": "no_such_name > 1", "then": "Hold", "message": "slip"}]}},
    }  # fmt: skip
    some.admin.create(f"{GROUP}/guardpolicies", broken)
    some.apply(SHOP, autoscaler("other", timeZone="Mars/Olympus"))

    done = olga.types("pause", "--all", "--reason", "INC-43: metrics lie", "--open-ended")
    assert done.code == 0, done.err
    assert done.out.startswith("everything: paused (GuardPolicy foresail-pause-all): Both without an end by olga")
    wait_until(lambda: some.condition(SHOP, "Paused").get("status") == "True", "it is in force", 20)
    began = time.time()
    some.apply(SHOP, autoscaler(replicas={"min": 25, "max": 40}))
    time.sleep(3)
    assert some.floor(SHOP) == floor
    some.end(0)
    begin(some, some.ports[0])
    with logged(some):
        wait_until(lambda: some.ready(0), "it decides again", 90)
    time.sleep(3)
    assert some.floor(SHOP) == floor

    def late(event: dict[str, Any]) -> bool:
        return datetime.fromisoformat(event["stageTimestamp"]).timestamp() > began

    writes = [w for w in plane.writes(USERS[0]) if late(w)]
    assert writes, "it renews its Lease and tells statuses"
    assert {w["objectRef"]["resource"] for w in writes} <= OURS, "from then on all else is only read"
    assert all(w["objectRef"].get("subresource") in {None, "status"} for w in writes)
    assert ned.types("resume", "--all").code == 2, "ned may not"
    some.admin.delete(f"{GROUP}/guardpolicies/broken")
    some.admin.delete(some.path(SHOP, "other"))
    assert olga.types("resume", "--all").out.startswith("everything: resumed (GuardPolicy foresail-pause-all)")
    wait_until(lambda: some.condition(SHOP, "Paused").get("status") == "False", "it goes on", 30)


def test_release_hands_floors_back_without_an_operator(plane: ControlPlane, some: Operators) -> None:
    admin, ned = Person(plane, "admin"), Person(plane, "ned")
    some.end(0)
    assert some.floor(SHOP) > 2
    assert ned.types("release", "shop/web").code != 0, "ned may not"
    done = admin.types("release", "shop/web")
    assert done.code == 0, done.err
    assert some.floor(SHOP) == 2
