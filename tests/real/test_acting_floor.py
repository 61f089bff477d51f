"""HpaFloor on a real API server: taken, moved, contested and handed back. Rows K01, K02, K04, D03, D13, D14."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from autoscaler.adapters.kubernetes.claims import ANNOTATION, HPA, claim_of
from autoscaler.adapters.kubernetes.release import held, release
from autoscaler.domain.decision import State
from autoscaler.domain.notes import Condition
from autoscaler.domain.reasons import Reason
from autoscaler.domain.replicas import ScaleRequest
from autoscaler.domain.workload import Mode
from autoscaler.forecasting.serving import PeakServer
from autoscaler.guards.chain import CHAIN
from autoscaler.intake.history import History
from autoscaler.pipeline.tick import Pipeline
from tests.real.acting import HPAS, Acting
from tests.real.manifests import deployment, hpa
from tests.real.rest import Refusal

pytestmark = pytest.mark.slow


@pytest.fixture
def acting(control_plane: Any, namespace: str) -> Callable[..., Acting]:
    """A Deployment of two and its HPA [2, 20], made by their owner with kubectl, and the product beside them."""

    def make(*, server_side: bool = False, minimum: int = 2, **settings: Any) -> Acting:
        one = Acting(control_plane, namespace, **settings)
        words = ["apply", "-f", "-", *(["--server-side"] if server_side else [])]
        one.kubectl(*words, given=deployment("web", replicas=2))
        one.kubectl(*words, given=hpa("web", minimum, 20))
        return one

    return make


def _apply(one: Acting, minimum: int, *words: str) -> str:
    return one.kubectl("apply", "-f", "-", *words, given=hpa("web", minimum, 20), check=False)


def own_of(one: Acting) -> int | None:
    claim = claim_of(one.hpa)
    assert claim is not None
    return claim.own


def give_back(one: Acting) -> list[str]:
    mine = held(one.cluster.connection, one.cluster.kinds, one.installation, [one.namespace])
    return [done.words for done in release(one.cluster.floors, mine)]


def test_a_rise_is_one_jump_that_the_real_hpa_follows_at_once(acting):
    one = acting()
    assert one.write(9).condition is Condition.WRITTEN
    assert (one.floor, one.floor_owners) == (9, {"foresail"})
    one.until(9)
    claim = claim_of(one.hpa)
    assert claim is not None
    assert (claim.by, claim.workload, claim.floor, claim.own) == ("foresail", f"{one.namespace}/web", 9, 2)
    assert [o.manager for o in claim.owners] == ["kubectl-client-side-apply"]
    first, second = one.writes[-1], one.write(11)
    assert first["requestObject"]["metadata"]["uid"] == one.hpa["metadata"]["uid"]
    assert "force=true" in first["requestURI"]
    assert second.words == "HPA web minReplicas: 9 → 11"
    assert "force=false" in one.writes[-1]["requestURI"]


@pytest.mark.parametrize("server_side", [False, True])
def test_hand_back_returns_the_value_and_the_field_so_that_the_owners_next_apply_does_not_conflict(acting, server_side):
    one = acting(server_side=server_side)
    before = one.floor_owners
    one.write(9)
    one.write(7)
    (said,) = give_back(one)
    assert said == (
        f"HorizontalPodAutoscaler {one.namespace}/web: minReplicas 7 → 2, owned by {next(iter(before))} again "
        f"(of {one.namespace}/web)"
    )
    assert (one.floor, one.floor_owners) == (2, before)
    assert ANNOTATION not in one.hpa["metadata"].get("annotations", {})
    assert not [e for e in one.hpa["metadata"]["managedFields"] if e["manager"] == "foresail"]
    words = ["--server-side"] if server_side else []
    assert "conflict" not in _apply(one, 2, *words)
    assert "conflict" not in _apply(one, 3, *words)
    assert one.floor == 3
    assert give_back(one) == []


def test_a_floor_whose_field_managers_were_wiped_goes_back_all_the_same(acting):
    one = acting()
    one.write(9)
    one.admin.patch(HPAS.format(one.namespace, "web"), {"metadata": {"managedFields": [{}]}})
    seen = one.look()
    assert (int(seen.floor[0]), int(seen.own_floor[0])) == (9, 2)
    give_back(one)
    assert (one.floor, one.floor_owners) == (2, {"kubectl-client-side-apply"})


def test_an_own_floor_that_nobody_owns_is_the_owners_all_the_same(acting):
    one = acting(minimum=5)
    one.admin.patch(HPAS.format(one.namespace, "web"), {"metadata": {"managedFields": [{}]}})
    one.write(13)
    assert own_of(one) == 5
    assert int(one.look().own_floor[0]) == 5
    give_back(one)
    assert one.floor == 5


def test_a_removed_annotation_is_put_back_from_memory_and_without_memory_our_value_is_nobodys(acting):
    one = acting()
    one.write(13)
    one.look()
    one.kubectl("annotate", "hpa", "web", "foresail.dev/floor-")
    seen = one.look()
    assert (int(seen.floor[0]), int(seen.own_floor[0])) == (13, 2)
    assert "our annotation on HorizontalPodAutoscaler web was removed" in one.told(Condition.CHANGED_BY_OTHER)
    one.write(12)
    assert own_of(one) == 2
    one.kubectl("annotate", "hpa", "web", "foresail.dev/floor-")
    after = Acting(one.plane, one.namespace, grant=False)
    assert "the annotation that tells whose value it was is gone" in after.told(Condition.CONFLICT)
    assert after.tick(200.0).state is State.YIELDED
    assert one.floor == 12


@pytest.mark.parametrize("readable", [True, False])
def test_an_annotation_that_somebody_else_wrote_stops_neither_writes_nor_the_hand_back(acting, readable):
    """As a restored backup or an applied export of the object does; its owner would be a conflict at every write."""
    one = acting()
    one.write(9)
    one.look()
    text = one.hpa["metadata"]["annotations"][ANNOTATION].replace('"raisedAt":', '"raisedAt":1') if readable else "{"
    one.kubectl("annotate", "hpa", "web", "--overwrite", f"{ANNOTATION}={text}")
    one.look()
    assert one.write(11).condition is Condition.WRITTEN
    assert (one.floor, own_of(one)) == (11, 2)
    give_back(one)
    assert (one.floor, one.floor_owners) == (2, {"kubectl-client-side-apply"})
    assert ANNOTATION not in one.hpa["metadata"].get("annotations", {})


@pytest.mark.parametrize("words", [["create"], ["apply"], ["apply", "--server-side"]], ids=" ".join)
def test_an_object_that_is_restored_with_its_annotation_keeps_its_owners_floor(acting, words):
    """A backup has our value and our claim in it, and whoever restores it owns both: no new own floor."""
    one = acting()
    one.write(9)
    kept = one.hpa
    saved = {**hpa("web", 9, 20), "metadata": {"name": "web", "annotations": kept["metadata"]["annotations"]}}
    one.kubectl("delete", "hpa", "web")
    one.kubectl(*words, "-f", "-", given=saved)
    seen = one.look()
    assert (int(seen.floor[0]), int(seen.own_floor[0])) == (9, 2)
    give_back(one)
    assert one.floor == 2
    assert ANNOTATION not in one.hpa["metadata"].get("annotations", {})
    one.kubectl("delete", "hpa", "web")
    one.kubectl(*words, "-f", "-", given=saved)
    assert one.write(11).condition is Condition.WRITTEN
    assert (one.floor, own_of(one)) == (11, 2)


def test_an_annotation_that_somebody_else_wrote_hides_nobody_who_sets_the_floor_between_look_and_write(acting):
    one = acting()
    one.write(9)
    one.look()
    one.kubectl("annotate", "hpa", "web", "--overwrite", f"{ANNOTATION}={{")
    one.look()
    assert "conflict" not in _apply(one, 9, "--server-side", "--force-conflicts")
    now_s = one.clock.now().timestamp()
    (note,) = one.cluster.apply(one.fleet, [ScaleRequest(0, 11, now_s + 30.0, 9)], now_s)[0]
    assert note.condition is Condition.CHANGED_BY_OTHER
    assert (one.floor, one.floor_owners) == (9, {"foresail", "kubectl"})
    one.write(11)
    assert own_of(one) == 9


def test_an_odd_entry_of_field_managers_costs_nobody(acting):
    one = acting()
    one.write(9)
    entry = {
        "operation": "Update", "apiVersion": "autoscaling/v2", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:minReplicas": {}}},
    }  # fmt: skip
    managed = [*one.hpa["metadata"]["managedFields"], entry]
    one.admin.patch(HPAS.format(one.namespace, "web"), {"metadata": {"managedFields": managed}})
    assert bool(one.look().known[0])
    assert len(give_back(one)) == 1
    assert ANNOTATION not in one.hpa["metadata"].get("annotations", {})


def test_without_a_forecast_a_held_floor_comes_down_to_observed_need_only(acting):
    one = acting()
    one.write(13)
    one.until(13)
    fresh = Pipeline(one.offered, one.cluster, one.kept, History(60, 400), PeakServer(()), CHAIN)
    one.offered.demand = 110.0
    for _ in range(3):
        one.clock.ahead += timedelta(minutes=1)
        decision = fresh.tick(one.fleet, one.clock.now())[0]
    assert decision.state is State.LEARNING
    assert one.floor == 11, "observed load takes it down, and no further"


def test_a_floor_that_was_never_set_goes_back_to_its_default(acting):
    one = acting()
    made = hpa("web", 1, 20)
    del made["spec"]["minReplicas"]
    one.kubectl("delete", "hpa", "web")
    one.kubectl("apply", "-f", "-", "--server-side", given=made)
    one.write(6)
    assert own_of(one) == 1
    give_back(one)
    assert (one.floor, one.floor_owners) == (1, set())
    assert "conflict" not in one.kubectl("apply", "-f", "-", "--server-side", given=made)


def test_client_side_apply_of_the_unchanged_manifest_takes_the_floor_and_is_the_new_own_floor(acting):
    one = acting()
    _apply(one, 2)  # before
    one.write(9)
    _apply(one, 2)  # during: kubectl compares with what lives, and sets its 2
    assert one.floor == 2
    seen = one.look()
    assert (int(seen.floor[0]), int(seen.own_floor[0])) == (2, 2)
    assert "kubectl-client-side-apply has set spec.minReplicas to 2 (we had 9)" in one.told(Condition.CHANGED_BY_OTHER)
    assert one.write(9).condition is Condition.WRITTEN  # seen and decided anew: ours again, its own floor remembered
    assert (one.floor, own_of(one)) == (9, 2)
    give_back(one)
    _apply(one, 2)  # after
    assert (one.floor, one.floor_owners) == (2, {"kubectl-client-side-apply"})


def test_server_side_apply_of_the_unchanged_manifest_is_told_who_holds_the_floor(acting):
    one = acting(server_side=True)
    one.write(9)
    said = _apply(one, 2, "--server-side")
    assert 'conflict with "foresail": .spec.minReplicas' in said
    assert one.floor == 9
    _apply(one, 4, "--server-side", "--force-conflicts")
    assert (one.floor, int(one.look().own_floor[0])) == (4, 4), "a person's word is the new own floor"
    assert one.write(9).condition is Condition.WRITTEN
    give_back(one)
    assert (one.floor, one.floor_owners) == (4, {"kubectl"})


def test_a_change_between_look_and_write_is_a_409_that_names_its_manager(acting):
    one = acting()
    one.write(9)
    one.look()
    one.admin.patch(HPAS.format(one.namespace, "web") + "?fieldManager=mia", {"spec": {"minReplicas": 5}})
    now_s = one.clock.now().timestamp()
    (note,) = one.cluster.apply(one.fleet, [ScaleRequest(0, 11, now_s + 30, 9)], now_s)[0]
    assert note.condition is Condition.CHANGED_BY_OTHER
    assert "mia" in note.words
    assert one.floor == 5
    assert int(one.look().own_floor[0]) == 5


def test_K02_three_reverts_in_ten_minutes_are_a_conflict_with_the_exact_ignore_rule(acting):
    one = acting()
    for _ in range(3):
        assert one.write(9).condition is Condition.WRITTEN
        one.clock.ahead += timedelta(seconds=40)
        one.kubectl("patch", "hpa", "web", "--field-manager=argocd-controller", "-p", '{"spec":{"minReplicas":2}}')
        one.look()
    told = one.told(Condition.CONFLICT)
    assert "argocd-controller set spec.minReplicas of HorizontalPodAutoscaler web back three times" in told
    assert "jsonPointers: [/spec/minReplicas]" in told
    assert "RespectIgnoreDifferences=true" in told
    before = len(one.writes)
    decision = one.tick(200.0)
    assert decision.state is State.YIELDED
    assert Reason.YIELDED in decision.reasons
    assert (one.floor, len(one.writes)) == (2, before)
    one.clock.ahead += timedelta(hours=1, seconds=1)
    assert Condition.CONFLICT not in {n.condition for n in one.notes()}, "after an hour it is tried again"


def test_K01_a_second_hpa_is_named_and_nothing_is_written(acting):
    one = acting()
    one.create(hpa("other", 1, 5) | {"spec": hpa("web", 1, 5)["spec"]}, "autoscaling/v2", "horizontalpodautoscalers")
    assert one.told(Condition.RIVAL) == (
        "HPA other and HPA web all scale Deployment web: they fight each other; keep one"
    )
    assert one.tick(200.0).state is State.YIELDED
    assert not one.writes


def test_an_hpa_of_another_installation_is_left_to_it(acting):
    one = acting()
    one.write(9)
    other = Acting(one.plane, one.namespace, installation="other", grant=False)
    assert "installation 'foresail' holds the floor of web" in other.told(Condition.RIVAL)
    assert other.tick(200.0).state is State.YIELDED
    assert '"by":"foresail"' in one.hpa["metadata"]["annotations"][ANNOTATION]
    assert held(other.cluster.connection, other.cluster.kinds, "other", [one.namespace]) == []


def test_without_an_hpa_there_is_no_floor_to_raise(acting):
    one = acting()
    one.kubectl("delete", "hpa", "web")
    assert one.told(Condition.NO_AUTOSCALER).startswith(
        "no HPA scales Deployment web: HpaFloor raises the floor of one"
    )
    decision = one.tick(200.0)
    assert decision.state is State.HOLDING
    assert not one.writes


def test_K04_a_409_on_the_resource_version_alone_is_only_a_retry(acting):
    one = acting()
    one.look()
    one.kubectl("label", "hpa", "web", "touched=yes")
    now_s = one.clock.now().timestamp()
    (note,) = one.cluster.apply(one.fleet, [ScaleRequest(0, 9, now_s + 30, 2)], now_s)[0]
    assert note.condition is Condition.WRITTEN
    assert one.floor == 9
    assert [a["responseStatus"]["code"] for a in one.attempts[:1]] == [409]
    assert len(one.writes) == 1, "the repetition"


def test_a_deleted_and_recreated_hpa_is_another_one(acting):
    one = acting()
    one.write(9)
    one.look()
    one.kubectl("delete", "hpa", "web")
    _apply(one, 3)
    now_s = one.clock.now().timestamp()
    (note,) = one.cluster.apply(one.fleet, [ScaleRequest(0, 11, now_s + 30, 9)], now_s)[0]
    assert note.condition is not Condition.WRITTEN
    assert one.floor == 3, "what was decided about the old one does not reach the new one"
    seen = one.look()
    assert (int(seen.floor[0]), int(seen.own_floor[0])) == (3, 3)
    one.write(8)
    assert (one.floor, own_of(one)) == (8, 3)


def test_a_person_can_lower_the_maximum_and_the_floor_follows_under_it(acting):
    one = acting()
    one.write(18)
    with pytest.raises(Refusal, match="must be greater than or equal to `minReplicas`"):
        one.admin.patch(HPAS.format(one.namespace, "web"), {"spec": {"maxReplicas": 10}})
    one.admin.patch(HPAS.format(one.namespace, "web"), {"spec": {"maxReplicas": 18}})
    assert int(one.look().ceiling[0]) == 16
    decision = one.tick(300.0)
    assert decision.granted == 16
    assert one.floor == 16
    assert Condition.CAPPED_BY_HPA in {n.condition for n in decision.notes}
    one.admin.patch(HPAS.format(one.namespace, "web"), {"spec": {"maxReplicas": 6, "minReplicas": 2}})
    seen = one.look()
    assert (int(seen.ceiling[0]), int(seen.own_floor[0])) == (5, 2)


def test_D13_advise_makes_no_mutating_call(acting):
    one = acting(mode=Mode.ADVISE)
    for demand in (100.0, 300.0, None, 50.0):
        one.tick(demand)
    assert one.kept.ticks[1][0].granted > 2
    assert not one.writes
    assert one.floor == 2


def test_D14_a_decision_that_waited_past_its_expiry_is_dropped(acting):
    one = acting()
    note = one.write(9, expires_in_s=-1.0)
    assert note.condition is Condition.WRITE_EXPIRED
    assert (one.floor, one.writes) == (2, [])


def test_equal_values_are_not_written_again(acting):
    one = acting()
    one.tick(100.0)
    before = len(one.writes)
    for _ in range(3):
        one.tick(100.0)
    assert len(one.writes) == before == 1


def test_D03_a_target_scaled_to_zero_by_a_person_is_left_alone(acting):
    one = acting()
    one.kubectl("scale", "deployment", "web", "--replicas=0")
    decision = one.tick(200.0)
    assert decision.state is State.PAUSED
    assert Reason.SCALED_TO_ZERO in decision.reasons
    assert (one.replicas, one.floor, one.writes) == (0, 2, [])


def test_the_field_that_carries_the_floor_is_the_hpas_minimum():
    assert HPA.api_version == "autoscaling/v2"
