"""What a refusal of the API server is: rights are granted, a policy is mended."""

from __future__ import annotations

import pytest

from autoscaler.adapters.kubernetes.faults import ApiFault

NO_RIGHT = (
    'horizontalpodautoscalers.autoscaling "web" is forbidden: User "system:serviceaccount:foresail:foresail" cannot '
    'patch resource "horizontalpodautoscalers" in API group "autoscaling" in the namespace "shop"'
)
POLICY = (
    "horizontalpodautoscalers.autoscaling \"web\" is forbidden: ValidatingAdmissionPolicy 'finance' with binding "
    "'finance' denied request: five are enough"
)
WEBHOOK = 'admission webhook "floors.example.com" denied the request: five are enough'


@pytest.mark.parametrize(
    ("status", "said", "right_is_missing"),
    [(403, NO_RIGHT, True), (403, POLICY, False), (403, WEBHOOK, False), (422, POLICY, False)],
)
def test_K20_what_a_policy_or_a_webhook_denies_is_no_missing_right(status: int, said: str, right_is_missing: bool):
    assert ApiFault(status, said).forbidden is right_is_missing
