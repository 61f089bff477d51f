"""Floors found by the marks on the objects: one that somebody has edited is told, not passed over in silence."""

import json
import logging
from typing import Any

from autoscaler.adapters.kubernetes.claims import ANNOTATION
from autoscaler.adapters.kubernetes.release import held

MARK = {"by": "foresail", "for": "shop/web", "floor": 7, "own": 2, "owners": [], "raisedAt": 1_800_000_000.0}


def hpa(name: str, mark: str | None) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": name, "namespace": "shop", "uid": name}
    if mark is not None:
        meta["annotations"] = {ANNOTATION: mark}
    return {"metadata": meta, "spec": {"minReplicas": 7}}


class Cluster:
    def items(self, path: str) -> list[dict[str, Any]]:
        assert path.endswith("/horizontalpodautoscalers")
        return [hpa("web", json.dumps(MARK)), hpa("edited", json.dumps(MARK)[:-1]), hpa("theirs", None)]

    def of(self, *_kind: str) -> None:
        """There is no KEDA."""


def test_a_mark_that_cannot_be_read_is_told_with_the_way_out_and_the_others_are_found(caplog: Any) -> None:
    cluster: Any = Cluster()
    with caplog.at_level(logging.WARNING, "foresail"):
        found = held(cluster, cluster, "foresail")
    assert [one.name for one in found] == ["HorizontalPodAutoscaler shop/web"]
    [said] = [record.getMessage() for record in caplog.records]
    assert "shop/edited" in said
    assert "minReplicas is 7: set it to what it should be and remove the annotation" in said
