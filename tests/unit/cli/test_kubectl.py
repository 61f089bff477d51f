"""The plugin of kubectl, and the one rule of what is a cluster and what a record on disk."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest
from rich.console import Console

from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.bootstrap.onlooker import Onlooker
from autoscaler.bootstrap.pausing import Pauses
from autoscaler.cli.cluster_choice import ClusterOptions
from autoscaler.cli.get_cluster import get_from_cluster
from autoscaler.cli.record_cluster import harmless
from autoscaler.domain.errors import Refused, SourceDown
from autoscaler.reporting.cluster_overview import ClusterRow
from autoscaler.spec.policy_of_pause import Stop, Whom

STORE = Path("foresail.db")


def test_the_plugin_is_the_same_command_under_kubectls_name():
    plugin = Path(sys.executable).parent / "kubectl-foresail"
    said = subprocess.run([plugin, "get", "--help"], capture_output=True, text=True, check=True, timeout=20)
    assert said.stdout.startswith("Usage: kubectl foresail get ")
    said = subprocess.run([plugin, "--help"], capture_output=True, text=True, check=True, timeout=20)
    assert said.stdout.startswith("Usage: kubectl foresail [OPTIONS] COMMAND")
    for command in ("get", "explain", "history", "pause", "resume", "release", "doctor"):
        assert f"\n  {command} " in said.stdout


@pytest.mark.parametrize(
    ("program", "options", "store", "cluster"),
    [
        ("foresail", ClusterOptions(), None, False),
        ("foresail", ClusterOptions(), STORE, False),
        ("foresail", ClusterOptions(kubeconfig=Path("k")), None, True),
        ("foresail", ClusterOptions(context="prod", namespace="shop"), None, True),
        ("foresail", ClusterOptions(in_cluster=True), None, True),
        ("/usr/local/bin/kubectl-foresail", ClusterOptions(), None, True),
        ("/usr/local/bin/kubectl-foresail", ClusterOptions(all_namespaces=True), None, True),
        ("C:/bin/kubectl-foresail.exe", ClusterOptions(), None, True),
        ("/usr/local/bin/kubectl-foresail", ClusterOptions(), STORE, False),
    ],
)
def test_a_cluster_is_meant_when_it_is_named_or_kubectl_asks(monkeypatch, program, options, store, cluster):
    monkeypatch.setattr("sys.argv", [program])
    assert options.meant(store) is cluster


@pytest.mark.parametrize(
    ("options", "store", "words"),
    [
        (ClusterOptions(kubeconfig=Path("k")), STORE, "--store reads a record on disk"),
        (ClusterOptions(all_namespaces=True), STORE, "--store reads a record on disk"),
        (ClusterOptions(namespace="shop"), None, "-n needs a cluster: --kubeconfig FILE"),
        (ClusterOptions(all_namespaces=True), None, "-A needs a cluster"),
    ],
)
def test_options_that_contradict_each_other_are_refused_with_the_way_out(monkeypatch, options, store, words):
    monkeypatch.setattr("sys.argv", ["foresail"])
    with pytest.raises(Refused, match=words):
        options.meant(store)


def test_a_cluster_that_cannot_be_read_is_one_message(foresail, tmp_path: Path):
    said = foresail("get", "--kubeconfig", tmp_path / "none")
    assert (said.code, said.out) == (2, "")
    assert f"kubeconfig {tmp_path / 'none'} cannot be used" in said.err


class View:
    """Stands for bootstrap.onlooker.Onlooker: two looks that work, then an API server that is away."""

    namespace = "shop"

    def __init__(self) -> None:
        self.looks = 0

    def rows(self, names):
        self.looks += 1
        if self.looks > 2:
            raise SourceDown("no answer: away")
        meta = {"namespace": "shop", "name": f"web-{self.looks}", "creationTimestamp": "2026-03-01T00:00:00Z"}
        return [ClusterRow({"metadata": meta, "status": {"state": "Active"}})], "nobody may ask"

    def close(self) -> None:
        self.looks = -100


def test_a_watch_shows_what_was_seen_last_while_the_api_server_is_away(monkeypatch, capsys):
    view, waits = View(), []

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr("autoscaler.cli.get_cluster.onlooker", lambda _: view)
    monkeypatch.setattr("autoscaler.cli.get_cluster.time.sleep", wait)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    console = Console(force_terminal=True, width=160, height=20)
    monkeypatch.setattr("autoscaler.cli.screen.screen", lambda: console)
    get_from_cluster([], ClusterOptions(in_cluster=True), watch=True, output="table")
    shown = capsys.readouterr().out
    assert shown.index("web-1") < shown.index("web-2") < shown.rindex("as it was last seen: no answer: away")
    assert shown.rindex("web-2") < shown.rindex("as it was last seen"), "and stays"
    assert "nobody may ask" in shown
    assert waits == [5.0] * 4


@pytest.mark.parametrize("typed", ["../../x", "a/b/c", "shop/we b", "shop/web?x=1", "Shop/web", "shop/", "shop/web%2f"])
def test_a_name_that_is_none_is_refused_and_never_becomes_a_path(typed):
    view = Onlooker(Mock(), "shop", Mock())
    with pytest.raises(Refused, match="names no workload"):
        view.named(typed)
    assert view.named("web") == view.named("shop/web")


@pytest.mark.parametrize(
    ("found", "whom", "words"),
    [
        ({"return_value": []}, Whom("shop-prd"), "No PredictiveAutoscaler is in shop-prd now: check the name"),
        ({"return_value": [{}]}, Whom("shop"), ""),
        ({"side_effect": ApiFault(403, "forbidden")}, Whom("shop"), ""),
        ({"return_value": []}, Whom(), ""),
    ],
)
def test_a_pause_of_a_namespace_without_objects_of_ours_says_so(found, whom, words):
    connection = Mock()
    connection.get.side_effect = ApiFault(404, "not found")
    connection.items.configure_mock(**found)
    now = datetime(2026, 3, 2, tzinfo=UTC)
    stop = Stop("mia", "INC-43", now + timedelta(hours=2))
    done = Pauses(Onlooker(connection, "", Mock()), "mia", now).pause(whom, stop)
    assert done.what == "paused"
    assert done.words == stop.words + (words and f". {words}")


def test_text_of_others_cannot_steer_a_terminal():
    assert harmless("a\x1b[31mred\x07\u202e\nb\u200b") == "a[31mred\nb"
