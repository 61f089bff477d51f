"""What `foresail doctor` says of an API server and of our rights there."""

import pytest

from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.bootstrap.checkup.cluster import look_at_kubernetes
from autoscaler.domain.errors import Refused
from autoscaler.domain.workload import Mode
from autoscaler.reporting.doctor import Level, exit_code, lines
from tests.unit.bootstrap.apiserver import HPAS, Api, examined, said, workload


def test_without_a_cluster_one_line_says_how_to_ask_for_its_checks():
    (only,) = look_at_kubernetes(None)([workload()])
    assert (only.level, exit_code([only])) == (Level.NOTE, 0)
    assert only.remedy == "name the cluster: --kubeconfig FILE, --context NAME or --in-cluster"


def test_a_sound_cluster_is_fine_and_only_questions_about_rights_are_sent():
    api = Api()
    found = examined(api)
    assert [f for f in found if f.level not in {Level.OK, Level.NOTE}] == []
    assert exit_code(found) == 0
    told = "\n".join(lines(found))
    for words in (
        "answers at https://api:6443", "certificate is valid", "Kubernetes v1.36.3", "its clock and ours agree",
        "ScaledObjects (keda.sh/v1alpha1) are not known here", "we may read and write all that the workloads need",
        "HPA web is the only one that scales Deployment web", "our floor can go up to 40",
    ):  # fmt: skip
        assert words in told
    assert set(api.posted) == {"POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"}
    assert api.closed


@pytest.mark.parametrize(
    ("fault", "check", "words", "code"),
    [
        (ApiFault(None, "no answer: connection refused"), "reachable", "connection refused", 3),
        (ApiFault(503, "etcd is away"), "reachable", "etcd is away", 3),
        (ApiFault(None, "the connection is not trusted: self-signed"), "tls", "self-signed", 1),
        (ApiFault(0, "SSLError\nself-signed"), "tls", "not trusted: SSLError self-signed", 1),
        (ApiFault(401, "Unauthorized"), "auth", "does not accept our credentials", 1),
        (ApiFault(403, 'User "system:anonymous" cannot get path'), "auth", "does not accept our credentials", 1),
        (ApiFault(404, "page not found"), "reachable", "not as a Kubernetes API", 1),
    ],
)
def test_a_server_that_does_not_answer_has_its_workloads_left_alone(fault, check, words, code):
    found = examined(Api({"/version": fault}))
    assert said(found, check).level is Level.FAIL
    assert words in said(found, check).words
    assert said(found, check).remedy
    assert exit_code(found) == code
    assert said(found, "workloads").words == "workloads that could not be looked at: 1"


def test_a_kubeconfig_that_cannot_be_used_is_a_finding_and_an_unchecked_certificate_too():
    gone = said(examined(Api(settings_fault=Refused("kubeconfig x cannot be used: empty"))), "settings")
    assert (gone.level, gone.words) == (Level.FAIL, "kubeconfig x cannot be used: empty")
    assert "is not checked" in said(examined(Api(verify_ssl=False)), "tls").words
    assert "not encrypted" in said(examined(Api(host="http://api")), "tls").words


@pytest.mark.parametrize(
    ("version", "level"),
    [("v1.22.17", Level.FAIL), ("v1.30.1-gke.1", Level.WARN), ("v1.34.0", Level.OK), ("v1.40.0", Level.OK)],
)
def test_versions(version, level):
    told = said(examined(Api({"/version": {"gitVersion": version}})), "version")
    assert told.level is level
    assert "1.34 to 1.37" in f"{told.words} {told.remedy}"


@pytest.mark.parametrize(("skew_s", "level"), [(0, Level.OK), (-8, Level.WARN), (90, Level.FAIL)])
def test_M21_a_skewed_clock_is_told(skew_s, level):
    told = said(examined(Api(skew_s=skew_s)), "clock")
    assert told.level is level
    assert not skew_s or ("ahead of" if skew_s > 0 else "behind") in told.words


def test_missing_rights_are_one_finding_with_the_rules_to_add():
    told = said(examined(Api(refused={"patch horizontalpodautoscalers", "list pods"})), "permissions")
    assert told.subject == "namespace shop (kubernetes)"
    assert told.words == "we may not: list pods; patch horizontalpodautoscalers"
    assert (told.remedy or "").splitlines()[1:] == [
        '- {apiGroups: [""], resources: ["pods"], verbs: [list]}',
        '- {apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"], verbs: [patch]}',
    ]
    advice = examined(Api(refused={"patch horizontalpodautoscalers"}), workload(mode=Mode.ADVISE))
    assert said(advice, "permissions").level is Level.OK, "advice writes nothing"


def test_a_list_that_fails_in_the_middle_is_a_backend_away():
    found = examined(Api({HPAS: ApiFault(500, "etcd timed out")}))
    assert exit_code(found) == 3
