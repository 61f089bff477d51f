"""The operator's tick: what fails, and what that costs."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autoscaler.adapters.kubernetes.lease import LeaseSettings
from autoscaler.bootstrap.operator import Operator, OperatorSettings, operator
from autoscaler.bootstrap.settings import ClusterSettings, ServiceSettings
from autoscaler.domain.errors import Refused


class Broken:
    def tell(self, decisions: Any, files: Any) -> None:
        raise RuntimeError("a status that cannot be made")


def _operator(tick: Any) -> Operator:
    kinds = [SimpleNamespace(path="pas", fault=None, silent_s=0.0, alive=True, count=0)]
    service = SimpleNamespace(tick=tick, last_tick=1, health=lambda: {"ok": True, "workloads": 1})
    elector = SimpleNamespace(
        leads=True, alive=True, terms=1, term=1, holder="me", fault=None, start=lambda: None, stop=lambda: None
    )
    parts: dict[str, Any] = {
        "settings": None,
        "connection": None,
        "files": SimpleNamespace(cache=SimpleNamespace(kinds=kinds, synced=True)),
        "elector": elector,
        "make": lambda: service,
        "telemetry": None,
        "metrics": SimpleNamespace(observe=lambda *_, **__: None),
        "teller": Broken(),
    }
    return Operator(**parts)


def test_a_status_that_cannot_be_told_costs_neither_the_decision_nor_the_health(
    caplog: pytest.LogCaptureFixture,
) -> None:
    decided = object()
    one = _operator(lambda: decided)
    with caplog.at_level(logging.ERROR):
        assert one.tick() is decided
    assert one.health()["ok"]
    assert "operator_telling_failed" in caplog.text


def test_a_tick_that_fails_is_told_by_health_until_one_succeeds() -> None:
    turns = iter([RuntimeError("no"), object()])

    def tick() -> object:
        turn = next(turns)
        if isinstance(turn, Exception):
            raise turn
        return turn

    one = _operator(tick)
    assert one.tick() is None
    assert not one.health()["ok"]
    assert one.tick() is not None
    assert one.health()["ok"]


def test_a_folder_of_the_record_that_is_not_there_is_refused_at_the_start(tmp_path: Path) -> None:
    """Each tick would fail for it, for as long as nobody looks."""
    service = ServiceSettings((), tmp_path / "nowhere" / "foresail.db", cluster=ClusterSettings(in_cluster=True))
    with pytest.raises(Refused, match=r"nowhere does not exist; create it first"):
        operator(OperatorSettings(service, LeaseSettings.lasting("ops", "foresail", "me", 15)))
