"""Whom a MetricsSource serves, and what no object of a cluster may say. Rows S01-S03."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.spec.endpoints import allows
from tests.unit.bootstrap.test_fleet_objects import Told, autoscaler, fleet, thing

SECRET = {"name": "prod-metrics", "key": "token"}


def source(generation: int = 1, name: str = "prod", allowed: list[str] | None = None, **more: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"prometheus": {"url": "https://prometheus:9090", **more}}
    return thing("MetricsSource", name, spec | ({"allowedNamespaces": allowed} if allowed else {}), generation)


def said_of(files: Any) -> str:
    return " | ".join(map(str, files.problems))


@pytest.mark.parametrize(
    ("patterns", "namespace", "fits"),
    [
        (None, "shop", True),
        (("*",), "shop", True),
        (("shop",), "shop", True),
        (("shop",), "shop-2", False),
        (("shop-*", "x"), "shop-eu", True),
        (("team-*-prod",), "team-a-b-prod", True),
        (("team-*-prod",), "team-prod", False),
        (("sho",), "shop", False),
    ],
)
def test_S01_which_namespaces_a_pattern_means(patterns, namespace, fits):
    assert allows(patterns, namespace) is fits


def test_S01_a_source_that_is_not_for_the_namespace_is_refused_with_the_way_out():
    _, files = fleet(source(allowed=["checkout", "pay-*"]), source(name="mine", allowed=["shop"]), autoscaler())
    said = said_of(files)
    assert "spec.demands[0].source" in said
    assert "is not for namespace shop" in said
    assert "name one that is (mine)" in said
    assert "ask whoever runs prod to add shop to its allowedNamespaces" in said
    assert len(files.fleet) == 0


def test_S01_what_was_valid_before_does_not_go_on_asking_a_source_that_is_closed_to_it():
    """Any other slip leaves the last valid form in force; this one would go on asking with another's credentials."""
    told, files = fleet(source(), autoscaler(), autoscaler("api", target="api"))
    assert len(files.fleet) == 2
    told.say(source(2, allowed=["checkout"]))
    files.refresh()
    assert len(files.fleet) == 0
    assert {ref.name for ref in files.wrong} == {"web", "api"}
    told.say(source(3, allowed=["shop"]))
    files.refresh()
    assert len(files.fleet) == 2


def test_S01_a_signal_is_asked_of_no_closed_source_either():
    made = autoscaler()
    made["spec"]["signals"] = [{"name": "latency", "source": "other", "query": "q", "kind": "Latency"}]
    told, files = fleet(source(), source(name="other"), made)
    assert len(files.fleet) == 1
    told.say(source(2, name="other", allowed=["checkout"]))
    files.refresh()
    assert len(files.fleet) == 0
    assert "spec.signals[0].source" in said_of(files)


def test_S01_an_edit_that_names_a_closed_source_leaves_the_open_one_in_force():
    told, files = fleet(source(name="prod"), source(name="other", allowed=["x"]), autoscaler())
    changed = autoscaler(most=9, generation=2)
    changed["spec"]["demands"][0]["source"] = "other"
    told.say(changed)
    files.refresh()
    assert [w.max_replicas for w in files.fleet.workloads] == [40]
    assert files.wrong


def test_S01_a_source_that_goes_in_with_a_secret_says_for_whom():
    _, files = fleet(source(bearerTokenSecret=SECRET), autoscaler())
    assert "spec.allowedNamespaces" in said_of(files)
    assert '["*"] for all' in said_of(files)
    _, files = fleet(source(allowed=["*"], bearerTokenSecret=SECRET), autoscaler())
    assert not files.problems
    assert [str(s) for s in files.servers["prod"].secrets] == ["key token of Secret prod-metrics"]


@pytest.mark.parametrize(
    ("path", "given", "way_out"),
    [
        ("bearerTokenFile", {"bearerTokenFile": "/var/run/secrets/token"}, "bearerTokenSecret"),
        ("basicAuth.passwordFile", {"basicAuth": {"username": "u", "passwordFile": "/p"}}, "passwordSecret"),
        ("tls.caFile", {"tls": {"caFile": "/etc/shadow"}}, "caSecret"),
        ("tls.keyFile", {"tls": {"certFile": "/c", "keyFile": "/k"}}, "keySecret"),
    ],
)
def test_S03_no_object_names_a_file_of_the_operator(path, given, way_out):
    _, files = fleet(source(**given), autoscaler())
    said = said_of(files)
    assert f"spec.prometheus.{path}" in said
    assert "files are the operator's own" in said
    assert way_out in said
    assert "--policies" in said
    assert not files.sources
    _, files = fleet(thing("MetricsSource", "prod", {"file": {"path": "web.csv"}}), autoscaler())
    assert "spec.file: no object of a cluster may name a file" in said_of(files)


def test_S03_a_file_beside_the_operator_may(tmp_path):
    (tmp_path / "prod.yaml").write_text(
        "apiVersion: foresail.dev/v1alpha1\nkind: MetricsSource\nmetadata: {name: prod}\n"
        "spec: {prometheus: {url: 'http://prometheus:9090', bearerTokenFile: token}}\n"
    )
    told = Told()
    told.say(autoscaler())
    from autoscaler.bootstrap.fleet_objects import FleetObjects

    files = FleetObjects((), cache=told, policies_in=[tmp_path])  # type: ignore[arg-type]
    files.refresh()
    assert not files.problems
    assert files.servers["prod"].bearer_token_file == tmp_path / "token"
    assert len(files.fleet) == 1


@pytest.mark.parametrize(
    ("at", "given"),
    [
        (("spec", "target"), {"namespace": "kube-system"}),
        (("spec", "demands", 0), {"secretRef": SECRET}),
        (("spec", "demands", 0), {"bearerTokenSecret": SECRET}),
        (("spec", "demands", 0), {"url": "http://169.254.169.254"}),
        (("spec", "demands", 0), {"headers": {"X-Scope-OrgID": "other"}}),
        (("spec",), {"headers": {"X-Scope-OrgID": "other"}}),
    ],
)
def test_S02_S04_a_tenant_names_no_secret_no_other_namespace_no_url_and_no_tenant(at, given):
    made = autoscaler()
    inside: Any = made
    for step in at:
        inside = inside[step]
    inside.update(given)
    _, files = fleet(source(), made)
    assert f"unknown field {next(iter(given))!r}" in said_of(files).replace('"', "'")
    assert len(files.fleet) == 0
