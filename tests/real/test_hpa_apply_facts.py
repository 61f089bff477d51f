"""Whose field an HPA's `minReplicas` is: what server-side apply, kubectl and managedFields really do."""

from __future__ import annotations

import json
import os
import subprocess
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest

from tests.real.commands import ADMIN
from tests.real.controlplane import ControlPlane
from tests.real.manifests import hpa
from tests.real.parts import require_part
from tests.real.rest import Refusal

pytestmark = pytest.mark.slow
MANAGER = "foresail"
OWNER, CLIENT_SIDE = "kubectl", "kubectl-client-side-apply"


def manifest(minimum: int | None) -> dict[str, Any]:
    """The owner's; None leaves `minReplicas` to the API server's default of 1."""
    made = hpa("web", minimum or 1, 20)
    if minimum is None:
        del made["spec"]["minReplicas"]
    return made


@dataclass
class Field:
    """The HPA `web` between its owner, who uses the real kubectl, and us."""

    plane: ControlPlane
    namespace: str

    def __post_init__(self) -> None:
        self.path = f"/apis/autoscaling/v2/namespaces/{self.namespace}/horizontalpodautoscalers/web"
        self.admin = self.plane.rest(ADMIN)

    def kubectl(self, made: dict[str, Any], *words: str) -> str:
        """`kubectl apply`; what it says when it refuses, or nothing."""
        done = subprocess.run(
            [str(require_part("kubectl")), "apply", "-n", self.namespace, "-f", "-", *words],
            env={**os.environ, "KUBECONFIG": str(self.plane.kubeconfig())},
            input=json.dumps(made),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.stderr if done.returncode else ""

    def owner(self, minimum: int | None) -> str:
        return self.kubectl(manifest(minimum), "--server-side")

    def ours(self, minimum: int | None, *, force: bool = False, **metadata: str) -> Any:
        """Server-side apply of nothing but our field; None applies no field at all."""
        body: dict[str, Any] = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"}
        body["metadata"] = {"name": "web", **metadata}
        if minimum is not None:
            body["spec"] = {"minReplicas": minimum}
        return self.admin.apply(self.path, body, MANAGER, force=force)

    def refused(self, minimum: int, *, force: bool = False, **metadata: str) -> Refusal:
        with pytest.raises(Refusal) as refusal:
            self.ours(minimum, force=force, **metadata)
        return refusal.value

    @property
    def now(self) -> tuple[int, set[str]]:
        """The value, and the managers that own the field."""
        found = self.admin.get(self.path)
        fields = [(m["manager"], m["fieldsV1"].get("f:spec", {})) for m in found["metadata"]["managedFields"]]
        return found["spec"]["minReplicas"], {manager for manager, spec in fields if "f:minReplicas" in spec}

    def hand_back(self, to: str) -> list[dict[str, Any]]:
        """The JSON patch that gives our field to `to`, for the very version it was made from."""
        meta = self.admin.get(self.path)["metadata"]
        entries = deepcopy(meta["managedFields"])
        [theirs] = [entry for entry in entries if entry["manager"] == to]
        theirs["fieldsV1"].setdefault("f:spec", {})["f:minReplicas"] = {}
        kept = [entry for entry in entries if entry["manager"] != MANAGER]
        return [
            {"op": "test", "path": "/metadata/resourceVersion", "value": meta["resourceVersion"]},
            {"op": "replace", "path": "/metadata/managedFields", "value": kept},
        ]


@pytest.fixture
def floor(control_plane: ControlPlane, namespace: str) -> Field:
    return Field(control_plane, namespace)


@pytest.mark.parametrize("minimum", [2, None])
def test_the_first_apply_on_a_client_side_applied_hpa_conflicts_even_on_a_defaulted_field(floor, minimum):
    """`kubectl apply` and any create own what the API server filled in: 409 until we force."""
    assert not floor.kubectl(manifest(minimum))
    refusal = floor.refused(5)
    assert refusal.status == 409
    assert f'conflict with \\"{CLIENT_SIDE}\\" using autoscaling/v2: .spec.minReplicas' in str(refusal)
    floor.ours(5, force=True)
    assert floor.now == (5, {MANAGER}), "forcing takes the field away from its owner"
    floor.ours(6)
    assert floor.now == (6, {MANAGER}), "later applies need no force"


def test_on_a_server_side_applied_hpa_a_field_left_out_is_free_and_a_named_one_conflicts(floor):
    """An owner by server-side apply owns what its manifest names, not what was defaulted."""
    assert not floor.owner(None)
    assert floor.now == (1, set())
    floor.ours(5)
    assert floor.now == (5, {MANAGER})
    assert not floor.owner(None), "the owner's next apply neither conflicts"
    assert floor.now == (5, {MANAGER}), "nor moves it"
    floor.ours(None)
    assert not floor.owner(2)
    assert floor.refused(5).status == 409


def test_an_owner_who_names_the_field_conflicts_with_us_after_we_forced_it(floor):
    assert not floor.owner(2)
    floor.ours(5, force=True)
    assert 'conflict with "foresail": .spec.minReplicas' in floor.owner(2)
    assert floor.now == (5, {MANAGER})


def test_client_side_apply_of_an_unchanged_manifest_resets_the_value_and_takes_the_field(floor):
    """It compares with what lives, not with who owns: our value is gone, and our next apply is a 409 again."""
    assert not floor.kubectl(manifest(2))
    floor.ours(5, force=True)
    assert not floor.kubectl(manifest(2))
    assert floor.now == (2, {CLIENT_SIDE})
    assert floor.refused(5).status == 409


def test_client_side_apply_of_a_manifest_without_the_field_leaves_ours_alone(floor):
    assert not floor.kubectl(manifest(None))
    floor.ours(5, force=True)
    assert not floor.kubectl(manifest(None))
    assert floor.now == (5, {MANAGER})


def test_an_apply_with_the_uid_of_a_deleted_hpa_makes_none(floor):
    """409 where nothing has the name, 422 where a new HPA has it: a floor meets the object it was meant for or none."""
    floor.owner(2)
    uid = floor.admin.get(floor.path)["metadata"]["uid"]
    floor.admin.delete(floor.path)
    gone = floor.refused(5, force=True, uid=uid)
    assert gone.status == 409
    assert "uid mismatch" in str(gone)
    assert floor.admin.answer("GET", floor.path).status == 404
    assert floor.refused(5, force=True).status == 422, "without a uid it is creation, refused for what is missing"
    floor.owner(2)
    another = floor.refused(5, force=True, uid=uid)
    assert another.status == 422
    assert "field is immutable" in str(another)
    assert floor.now == (2, {OWNER})


def test_release_by_an_empty_apply_resets_the_field_to_one(floor):
    """A field without owner is removed and defaulted: two pods' floor becomes one, whatever it was before us."""
    floor.owner(2)
    floor.ours(5, force=True)
    floor.ours(None)
    assert floor.now == (1, set())


def test_an_empty_apply_keeps_the_value_where_the_owner_owns_the_field_too(floor):
    """Equal values are owned together: neither conflicts, and either may go without a trace."""
    floor.owner(2)
    floor.ours(2)
    assert floor.now == (2, {OWNER, MANAGER})
    floor.ours(None)
    assert floor.now == (2, {OWNER})


def test_a_patch_of_managed_fields_alone_hands_the_field_back(floor):
    """First the owner's value by an apply of ours, then the patch: afterwards it is as if we had never been there."""
    floor.owner(2)
    floor.ours(5, force=True)
    floor.ours(2)
    floor.admin.patch(floor.path, floor.hand_back(OWNER), "json-patch")
    assert floor.now == (2, {OWNER})
    assert not floor.owner(2), "the unchanged manifest does not conflict"
    assert not floor.owner(3), "and a changed one is followed"
    assert floor.now == (3, {OWNER})


def test_a_patch_of_managed_fields_gives_a_client_side_owner_the_field_too(floor):
    floor.kubectl(manifest(2))
    floor.ours(5, force=True)
    floor.ours(2)
    floor.admin.patch(floor.path, floor.hand_back(CLIENT_SIDE), "json-patch")
    assert floor.now == (2, {CLIENT_SIDE})
    assert not floor.kubectl(manifest(3))
    assert floor.now == (3, {CLIENT_SIDE})


def test_a_stale_hand_back_changes_nothing_and_says_409_only_when_it_replaces_the_version(floor):
    """A failed `test` is a 422 without a reason; `replace` of the version in its place is an honest 409."""
    floor.owner(2)
    floor.ours(5, force=True)
    stale = floor.hand_back(OWNER)
    floor.ours(6)
    with pytest.raises(Refusal) as tested:
        floor.admin.patch(floor.path, stale, "json-patch")
    assert tested.value.status == 422
    assert "the server rejected our request due to an error in our request" in str(tested.value)
    stale[0]["op"] = "replace"
    with pytest.raises(Refusal) as replaced:
        floor.admin.patch(floor.path, stale, "json-patch")
    assert replaced.value.status == 409
    assert "the object has been modified" in str(replaced.value)
    assert floor.now == (6, {MANAGER})


def test_value_and_managed_fields_cannot_go_in_one_patch(floor):
    """The change of value counts as an update by the patch's own manager, who then owns the field."""
    floor.owner(2)
    floor.ours(5, force=True)
    both = [*floor.hand_back(OWNER), {"op": "replace", "path": "/spec/minReplicas", "value": 2}]
    floor.admin.call("PATCH", floor.path, both, "application/json-patch+json", fieldManager=MANAGER)
    assert floor.now == (2, {MANAGER})
