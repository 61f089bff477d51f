"""Who a test comes as: the product's user, counted in the audit log, and service accounts with tokens that end."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.real.commands import FORESAIL
from tests.real.controlplane import TOKEN_LEAST_S
from tests.real.manifests import deployment
from tests.real.parts import require_part
from tests.real.rest import Refusal
from tests.real.servers import wait_until

pytestmark = pytest.mark.slow
APPS, CORE = "/apis/apps/v1/namespaces", "/api/v1/namespaces"


def test_foresails_user_starts_with_nothing_and_each_write_is_counted(control_plane, namespace):
    control_plane.rest().create(f"{APPS}/{namespace}/deployments", deployment("web", replicas=1))
    mine, path = control_plane.rest(FORESAIL), f"{APPS}/{namespace}/deployments/web/scale"
    assert mine.answer("GET", path).status == 403
    rule = {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["get", "patch"]}
    control_plane.grant(FORESAIL, [rule], namespace)
    wait_until(lambda: mine.answer("GET", path).status == 200, "the right works")
    assert not control_plane.writes(FORESAIL, namespace=namespace)
    for replicas in (2, 3):
        mine.patch(path, {"spec": {"replicas": replicas}})
    writes = control_plane.writes(FORESAIL, "deployments", namespace)
    assert [w["requestObject"]["spec"]["replicas"] for w in writes] == [2, 3]
    assert len(control_plane.writes(FORESAIL, namespace=namespace)) == 2


def test_a_token_file_is_what_a_kubeconfig_names_and_may_change(control_plane, namespace, tmp_path):
    account = f"system:serviceaccount:{namespace}:rotated"
    file = tmp_path / "token"
    file.write_text("outlived")
    kubeconfig = control_plane.kubeconfig_for(file)

    def who() -> tuple[int, str]:
        words = [str(require_part("kubectl")), "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"]
        env = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, done.stdout

    assert who()[0] == 1
    file.write_text(control_plane.service_account_token(namespace, "rotated"))
    assert who() == (0, account)


def test_no_token_is_given_for_less_than_ten_minutes(control_plane, namespace):
    assert control_plane.service_account_token(namespace, "short", TOKEN_LEAST_S)
    with pytest.raises(Refusal, match="may not specify a duration less than 10 minutes") as refused:
        control_plane.service_account_token(namespace, "short", TOKEN_LEAST_S - 1)
    assert refused.value.status == 422


def test_a_deleted_account_ends_its_tokens_a_little_later(control_plane, namespace):
    """The API server keeps a token it has checked for ten seconds, and one asked for before it has heard of the
    deletion counts as checked: so both are waited for, and neither is promised at once."""
    used, unused = (control_plane.service_account_token(namespace, "gone") for _ in range(2))
    whoami = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}

    def come(token: str) -> int:
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        status: int = control_plane.rest_by(token).answer("POST", path, whoami).status
        return status

    assert come(used) == 201
    control_plane.invalidate_tokens(namespace, "gone")
    wait_until(lambda: come(unused) == come(used) == 401, "both tokens are refused", 60)
