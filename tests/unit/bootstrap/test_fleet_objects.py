"""Custom resources in force: one broken object costs itself alone, and keeps what it last validly said."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoscaler.bootstrap.fleet_objects import FleetObjects
from autoscaler.domain.workload import WorkloadRef

WEB, API = WorkloadRef("shop", "web"), WorkloadRef("shop", "api")


@dataclass
class Told:
    """Stands in for the cache: what the cluster says now."""

    said: dict[str, dict[str, Any]] = field(default_factory=dict)
    revision: tuple[int, ...] = (0,)
    synced: bool = True

    def things(self) -> list[dict[str, Any]]:
        return list(self.said.values())

    def say(self, *things: dict[str, Any]) -> None:
        for thing in things:
            self.said[f"{thing['kind']}/{thing['metadata']['name']}"] = thing
        self.revision = (self.revision[0] + 1,)

    def drop(self, key: str) -> None:
        del self.said[key]
        self.revision = (self.revision[0] + 1,)


def thing(kind: str, name: str, spec: dict[str, Any], generation: int = 1, **meta: Any) -> dict[str, Any]:
    """As the API server tells it, with its own bookkeeping and a status."""
    told = {"name": name, "uid": f"u-{name}", "generation": generation, "resourceVersion": "7", "managedFields": []}
    inside = {"namespace": "shop"} if kind == "PredictiveAutoscaler" else {}
    return {
        "apiVersion": "foresail.dev/v1alpha1", "kind": kind, "metadata": {**told, **inside, **meta},
        "spec": spec, "status": {"state": "Active"},
    }  # fmt: skip


def autoscaler(name: str = "web", most: int = 40, target: str | None = None, **more: Any) -> dict[str, Any]:
    spec = {
        "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target or name},
        "demands": [{"name": "load", "source": "prod", "query": "q", "capacity": {"perReplica": "10"}}],
        "replicas": {"min": 1, "max": most},
    }
    return thing("PredictiveAutoscaler", name, spec, **more)


def source() -> dict[str, Any]:
    return thing("MetricsSource", "prod", {"prometheus": {"url": "http://prometheus:9090"}})


def policy(most: int, **more: Any) -> dict[str, Any]:
    return thing(
        "GuardPolicy", "caps", {"selector": {"namespaces": ["shop"]}, "limits": {"replicas": {"max": most}}}, **more
    )


def fleet(*things: dict[str, Any]) -> tuple[Told, FleetObjects]:
    told = Told()
    told.say(*things)
    files = FleetObjects((), cache=told)  # type: ignore[arg-type]
    files.refresh()
    return told, files


def most_of(files: FleetObjects) -> dict[str, int]:
    return {w.ref.name: w.max_replicas for w in files.fleet.workloads}


def test_K09_nothing_is_known_before_everything_was_read_once():
    told = Told(synced=False)
    told.say(source(), autoscaler())
    files = FleetObjects((), cache=told)  # type: ignore[arg-type]
    assert not files.refresh()
    assert files.generation == 0
    told.synced = True
    assert files.refresh()
    assert most_of(files) == {"web": 40}


def test_objects_mean_what_files_mean_policies_included_and_a_reading_is_taken_once():
    told, files = fleet(source(), autoscaler(), policy(12))
    assert not files.problems
    assert files.servers["prod"].url == "http://prometheus:9090"
    guarded = files.fleet.workloads[0].guarded
    assert guarded is not None
    rules = dict(guarded.rules_at(0.0, 60.0, (1, 40)))
    assert "guardpolicies/caps:1" in str(rules), "a rule names the object and its generation"
    assert not files.refresh()
    told.say(policy(9, generation=2))
    assert files.refresh()
    assert files.generation == 2


def test_K16_one_broken_object_keeps_its_last_good_form_and_the_others_move_on():
    told, files = fleet(source(), autoscaler("web"), autoscaler("api"))
    broken = autoscaler("web", generation=2)
    broken["spec"]["replicas"] = {"min": 5, "max": 2}
    told.say(broken, autoscaler("api", 60, generation=2))
    files.refresh()
    assert most_of(files) == {"web": 40, "api": 60}
    assert files.wrong.keys() == {WEB}
    (problem,) = files.wrong[WEB]
    assert (problem.file, problem.line, problem.path) == ("predictiveautoscalers/shop/web", 2, "spec.replicas")
    told.say(autoscaler("web", 50, generation=3))
    files.refresh()
    assert most_of(files) == {"web": 50, "api": 60}
    assert not files.wrong


def test_K16_an_object_that_never_was_valid_is_not_in_force_and_is_not_taken_for_deleted():
    broken = autoscaler("web")
    broken["spec"]["demands"][0]["source"] = "nowhere"
    _, files = fleet(source(), broken, autoscaler("api"))
    assert most_of(files) == {"api": 40}
    assert files.refused == {WEB}
    assert "no such MetricsSource" in files.wrong[WEB][0].message


EARLY, LATE = "2026-03-01T18:00:00Z", "2026-03-01T18:00:01Z"


def test_K03_of_two_on_one_target_the_older_serves_after_a_restart_too_and_the_newer_names_it():
    told, files = fleet(source(), autoscaler("web", creationTimestamp=EARLY))
    newer = autoscaler("api", 60, target="web", creationTimestamp=LATE)
    told.say(newer)
    files.refresh()
    _, restarted = fleet(newer, source(), autoscaler("web", creationTimestamp=EARLY))
    for each in (files, restarted):
        assert most_of(each) == {"web": 40}
        assert each.wrong.keys() == {API}
        (problem,) = each.wrong[API]
        assert (problem.reason, problem.path) == ("Conflict", "spec.target")
        assert f"PredictiveAutoscaler shop/web, which is older ({EARLY})" in problem.message
        assert "takes over" in (problem.remedy or "")
    told.drop("PredictiveAutoscaler/web")
    files.refresh()
    assert most_of(files) == {"api": 60}
    assert not files.wrong


def test_K03_of_two_of_one_second_the_name_decides_and_of_three_only_one_serves():
    them = [autoscaler(name, target="web", creationTimestamp=EARLY) for name in ("web", "api", "old")]
    _, files = fleet(source(), *them)
    assert most_of(files) == {"api": 40}
    assert {p.reason for found in files.wrong.values() for p in found} == {"Conflict"}
    assert len(files.wrong) == 2


def test_K03_an_older_one_that_is_broken_keeps_its_target_and_only_one_plan_is_in_force():
    broken = autoscaler("web", creationTimestamp=EARLY)
    broken["spec"]["replicas"] = {"min": 5, "max": 2}
    told, files = fleet(source(), broken, autoscaler("api", target="web", creationTimestamp=LATE))
    assert most_of(files) == {}, "or a restart would say who serves"
    assert [p.reason for p in files.wrong[WEB]] == ["InvalidSpec"]
    blind = autoscaler("web", generation=2, creationTimestamp=EARLY)
    blind["spec"]["target"] = None
    told.say(blind)
    files.refresh()
    assert most_of(files) == {"api": 40}, "of one that names no target nothing is known"
    told.say(autoscaler("web", 50, generation=3, creationTimestamp=EARLY))
    files.refresh()
    assert most_of(files) == {"web": 50}, "the newer one's last valid form gives way"


def test_K03_a_file_tells_no_age_so_that_it_and_an_object_are_both_refused(tmp_path: Path):
    (tmp_path / "web.yaml").write_text(json.dumps(
        {key: value for key, value in autoscaler("web").items() if key != "status"}
        | {"metadata": {"name": "web", "namespace": "shop"}}
    ))  # fmt: skip
    told = Told()
    told.say(source(), autoscaler("api", target="web", creationTimestamp=LATE))
    files = FleetObjects((), cache=told, policies_in=(tmp_path,))  # type: ignore[arg-type]
    files.refresh()
    assert most_of(files) == {}
    assert "two plans would fight" in files.wrong[API][0].message


def test_what_is_deleted_leaves_the_fleet_and_what_the_server_adds_to_metadata_is_nobodys_slip():
    noisy = autoscaler(
        "web", creationTimestamp="2026-01-01T00:00:00Z", annotations={"kubectl.kubernetes.io/last-applied": "{" * 9}
    )
    told, files = fleet(source(), noisy)
    assert not files.problems
    told.drop("PredictiveAutoscaler/web")
    assert files.refresh()
    assert len(files.fleet) == 0
    assert not files.refused


def test_policies_of_mounted_files_bind_beside_those_of_objects_and_a_name_is_used_once(tmp_path: Path):
    head = "apiVersion: foresail.dev/v1alpha1\nkind: GuardPolicy\n"
    file = tmp_path / "caps.yaml"
    file.write_text(
        f"{head}metadata: {{name: mounted}}\n"
        "spec: {selector: {namespaces: [shop]}, limits: {replicas: {max: 7}}}\n"
    )
    told = Told()
    told.say(source(), autoscaler(), policy(12))
    files = FleetObjects((), cache=told, policies_in=(tmp_path,))  # type: ignore[arg-type]
    assert files.refresh()
    guarded = files.fleet.workloads[0].guarded
    assert guarded is not None
    assert guarded.owners() >= {"GuardPolicy mounted"}
    assert most_of(files) == {"web": 7}, "the strictest binds, wherever it stands"
    assert files.selected == {"caps": 1, "mounted": 1}
    assert not files.refresh()
    file.write_text(file.read_text().replace("mounted", "caps"))
    assert files.refresh()
    assert "is also defined at" in files.shared_wrong["GuardPolicy", "caps"][0].message
    assert most_of(files) == {"web": 12}, "the object's last valid form; the file's is new and not valid"


def test_a_source_that_goes_from_a_file_to_an_object_is_the_same_all_the_while(tmp_path: Path):
    file = tmp_path / "prod.yaml"
    head = "apiVersion: foresail.dev/v1alpha1\nkind: MetricsSource\nmetadata: {name: prod}\n"
    file.write_text(f'{head}spec: {{prometheus: {{url: "http://prometheus:9090"}}}}\n')
    (tmp_path / "more.yaml").write_text(file.read_text().replace("prod", "more"))
    told = Told()
    told.say(autoscaler())
    files = FleetObjects((), cache=told, policies_in=(tmp_path,))  # type: ignore[arg-type]
    assert files.refresh()
    assert most_of(files) == {"web": 40}
    made = source()
    made["metadata"]["creationTimestamp"] = EARLY
    made["spec"]["prometheus"]["timeout"] = "5s"  # a default that the server writes
    told.say(made)
    assert files.refresh()
    assert (files.problems, most_of(files)) == ((), {"web": 40})
    file.unlink()
    assert files.refresh()
    assert (files.problems, most_of(files)) == ((), {"web": 40})
    file.write_text(f'{head}spec: {{prometheus: {{url: "http://another:9090"}}}}\n')
    assert files.refresh()
    assert "is also defined at" in files.shared_wrong["MetricsSource", "prod"][0].message
