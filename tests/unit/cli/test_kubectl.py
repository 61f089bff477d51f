"""The plugin of kubectl, and the one rule of what is a cluster and what a record on disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from autoscaler.cli.cluster_choice import ClusterOptions
from autoscaler.domain.errors import Refused

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
