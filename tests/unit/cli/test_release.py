"""What `foresail release` refuses before it asks a cluster, and what it hands on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from autoscaler.bootstrap import clusters
from autoscaler.cli.release import release_floors
from autoscaler.domain.errors import Refused


def asked(
    monkeypatch: pytest.MonkeyPatch,
    workloads: Sequence[str] = (),
    done: Sequence[Any] = (),
    unreadable: Sequence[str] = (),
    **more: Any,
) -> list[clusters.ReleaseRequest]:
    """The requests that reach the cluster, which answers that `done` was handed back."""
    seen: list[clusters.ReleaseRequest] = []

    def release_now(_: Any, request: clusters.ReleaseRequest, told: Callable[..., None]) -> clusters.Release:
        seen.append(request)
        return clusters.Release(done, (), unreadable)

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


def test_who_still_runs_raises_again_and_that_is_said_where_nobody_took_the_lease(monkeypatch, capsys):
    claim = SimpleNamespace(workload="shop/web", floor=9, own=2)
    gave = SimpleNamespace(held=SimpleNamespace(name="hpa", claim=claim), gave=True, failed=None, words="9 to 2")
    asked(monkeypatch, done=[gave])
    assert "raises a floor again at its next tick" in capsys.readouterr().err
    asked(monkeypatch, done=[gave], take_lease="ops/foresail")
    asked(monkeypatch)
    assert capsys.readouterr().err == ""


def test_a_mark_that_cannot_be_read_is_told_in_place_of_nothing_held(monkeypatch, capsys):
    asked(monkeypatch, unreadable=["hpa shop/web: not handed back: its annotation cannot be read"])
    said = capsys.readouterr().out
    assert "hpa shop/web: not handed back" in said
    assert "holds no floor" not in said
