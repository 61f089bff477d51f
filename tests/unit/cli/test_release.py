"""What `foresail release` refuses before it asks a cluster, and what it hands on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from autoscaler.bootstrap import clusters
from autoscaler.cli.release import release_floors
from autoscaler.domain.errors import Refused


def asked(monkeypatch: pytest.MonkeyPatch, workloads: Sequence[str] = (), **more: Any) -> list[clusters.ReleaseRequest]:
    """The requests that reach the cluster."""
    seen: list[clusters.ReleaseRequest] = []

    def release_now(_: Any, request: clusters.ReleaseRequest, told: Callable[..., None]) -> tuple[list[Any], list[str]]:
        seen.append(request)
        return [], []

    monkeypatch.setattr(clusters, "release_now", release_now)
    settings = {"everything": not workloads, "in_cluster": True} | more
    release_floors(list(workloads), None, None, "foresail", "table", **settings)
    return seen


@pytest.mark.parametrize("lease", ["foresail", "foresail/", "/foresail", "a/b/c"])
def test_a_lease_has_a_namespace_and_a_name(monkeypatch, lease):
    with pytest.raises(Refused, match=r"--take-lease .*write NAMESPACE/NAME"):
        asked(monkeypatch, take_lease=lease)


def test_namespaces_go_with_all_of_them_and_not_with_named_workloads(monkeypatch):
    with pytest.raises(Refused, match="--namespace goes with --all"):
        asked(monkeypatch, ["shop/web"], namespaces=["shop"])


def test_namespaces_and_the_lease_reach_the_cluster_and_the_answer_names_where_it_looked(monkeypatch, capsys):
    [request] = asked(monkeypatch, namespaces=["shop", "pay"], take_lease="ops/foresail")
    assert request == clusters.ReleaseRequest((), ("shop", "pay"), ("ops", "foresail"))
    assert "holds no floor in shop and pay" in capsys.readouterr().out
    [request] = asked(monkeypatch, ["shop/web"])
    assert request == clusters.ReleaseRequest(("shop/web",), (), None)
