"""What is looked at of a Kubernetes: whether its API server answers and trusts us, its version, its clock; and then
namespace by namespace what the workloads need there. Everything is read; only questions about our own rights are sent.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from functools import partial

from autoscaler.adapters.kubernetes.claims import HPA, SCALED_OBJECT
from autoscaler.adapters.kubernetes.cluster import PATIENCE_S
from autoscaler.adapters.kubernetes.connection import Connection
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.reading import Kinds, Reader
from autoscaler.adapters.kubernetes.views import look
from autoscaler.bootstrap.checkup.asking import Notes, span_text
from autoscaler.bootstrap.checkup.rights import look_at_rights
from autoscaler.bootstrap.checkup.scaling import Case, look_at_workload
from autoscaler.bootstrap.checkup.vertical import vertical_in
from autoscaler.bootstrap.clusters import connect
from autoscaler.bootstrap.server_time import ALARMING_S, TOLERATED_S
from autoscaler.bootstrap.settings import ClusterSettings
from autoscaler.domain.errors import Refused
from autoscaler.domain.notes import Condition
from autoscaler.domain.workload import Workload
from autoscaler.reporting.doctor import Finding

SUBJECT = "kubernetes"
SLOW_S = 1.0
LEAST_MINOR = 23
"""The first with autoscaling/v2."""
SUPPORTED_MINOR = 31
TESTED_MINORS = (34, 37)
_VERSION = re.compile(r"v?1\.(\d+)")


def look_at_kubernetes(
    settings: ClusterSettings | None, open_api: Callable[[ClusterSettings], Connection] = connect
) -> Callable[[Sequence[Workload]], list[Finding]]:
    """What the visit calls with the workloads. settings None: nobody named a cluster, and one line says so."""
    if settings is None:
        return _left_out
    return partial(_looked_at, settings, open_api)


def _left_out(_: Sequence[Workload]) -> list[Finding]:
    notes = Notes(SUBJECT)
    notes.note(
        "cluster",
        "Kubernetes is not looked at (permissions, HPAs, rivals, GitOps)",
        "name the cluster: --kubeconfig FILE, --context NAME or --in-cluster",
    )
    return notes.found


def _looked_at(
    settings: ClusterSettings, open_api: Callable[[ClusterSettings], Connection], loads: Sequence[Workload]
) -> list[Finding]:
    notes = Notes(SUBJECT)
    api = open_api(settings)
    try:
        kinds = Kinds(api)
        if not look_at_api(notes, api, time.time()):
            if loads:
                notes.warn("workloads", f"workloads that could not be looked at: {len(loads)}")
            return notes.found
        return [*notes.found, *_kinds_and_namespaces(api, kinds, settings.installation, loads)]
    finally:
        api.close()


def look_at_api(notes: Notes, api: Connection, now_s: float) -> bool:
    """Whether the rest can be looked at. now_s: our clock."""
    try:
        made = api.access.configuration()
    except Refused as error:
        remedy = "check --kubeconfig and --context: does `kubectl version` work with them?"
        if api.access.in_cluster:
            remedy = "run it in a pod with a service account, or name a cluster with --kubeconfig"
        notes.fail("settings", str(error), remedy)
        return False
    began_s = time.monotonic()
    told: object = None
    try:
        told = api.get("/version")
    except ApiFault as fault:
        if not fault.forbidden or "system:anonymous" in fault.said:
            _refusal(notes, str(made.host), fault)
            return False
    elapsed_s = time.monotonic() - began_s
    how = f"answers at {made.host} within {elapsed_s:.2g} s"
    if elapsed_s > SLOW_S:
        notes.warn("reachable", f"{how}, slowly", "look at its load, at the network between, and at webhooks")
    else:
        notes.ok("reachable", how)
    if not str(made.host).startswith("https:"):
        notes.warn("tls", "the connection is not encrypted: our token can be read on the way", "use an https server")
    elif not made.verify_ssl:
        remedy = "remove insecure-skip-tls-verify from the kubeconfig and name certificate-authority"
        notes.warn("tls", "the server's certificate is not checked: anybody between could take our token", remedy)
    else:
        notes.ok("tls", "the connection is encrypted and the certificate is valid")
    _version(notes, told.get("gitVersion") if isinstance(told, dict) else None)
    _clock(notes, api.server_time_s, now_s + elapsed_s / 2)
    return True


def _refusal(notes: Notes, host: str, fault: ApiFault) -> None:
    if not fault.status and any(words in fault.said for words in ("not trusted", "SSLError")):
        remedy = "the kubeconfig's certificate-authority must have signed the server's certificate, for the name we use"
        notes.fail("tls", f"the connection to {host} is not trusted: {' '.join(fault.said.split())}", remedy)
    elif fault.status in {401, 403}:
        remedy = "check the kubeconfig's user: is its token or certificate the right one, and still valid?"
        notes.fail("auth", f"{host} does not accept our credentials: {fault}", remedy)
    elif not fault.status or fault.status >= 500 or fault.throttled:
        remedy = "check the kubeconfig's server, the network policy, the proxy, and that the API server runs"
        notes.fail("reachable", f"{host} cannot be asked: {fault}", remedy, away=True)
    else:
        remedy = "check the kubeconfig's server: it must be the root of a Kubernetes API"
        notes.fail("reachable", f"{host} answers, but not as a Kubernetes API: {fault}", remedy)


def _version(notes: Notes, told: object) -> None:
    found = _VERSION.match(told) if isinstance(told, str) else None
    if found is None:
        notes.ok("version", "it does not tell us its version")
        return
    minor, oldest, newest = int(found[1]), *TESTED_MINORS
    words = f"Kubernetes {str(told)[:40]}"
    tested = f"our tests are made for 1.{oldest} to 1.{newest}"
    if minor < LEAST_MINOR:
        words = f"{words} has no autoscaling/v2: floors of HPAs cannot be written"
        notes.fail("version", words, f"use 1.{SUPPORTED_MINOR} or newer; {tested}")
    elif minor < SUPPORTED_MINOR:
        notes.warn(
            "version", f"{words} is older than what we know to work", f"use 1.{SUPPORTED_MINOR} or newer; {tested}"
        )
    else:
        notes.ok("version", f"{words} ({tested})")


def _clock(notes: Notes, server_time_s: float | None, ours_s: float) -> None:
    """Its Date has whole seconds, so half a second is nothing."""
    if server_time_s is None:
        notes.warn("clock", "it does not tell its time", "keep this machine's clock right with NTP")
        return
    skew_s = server_time_s + 0.5 - ours_s
    words = f"its clock is {span_text(abs(skew_s))} {'ahead of' if skew_s > 0 else 'behind'} ours"
    because = "how long pods take and wait is counted between its stamps and our clock"
    if abs(skew_s) > ALARMING_S:
        notes.fail("clock", f"{words}: {because}", "check NTP on both")
    elif abs(skew_s) > TOLERATED_S:
        notes.warn("clock", f"{words}: {because}", "check NTP on both")
    else:
        notes.ok("clock", "its clock and ours agree")


def _kinds_and_namespaces(api: Connection, kinds: Kinds, installation: str, loads: Sequence[Workload]) -> list[Finding]:
    notes = Notes(SUBJECT)
    try:
        if kinds.of(HPA.api_version, HPA.kind) is None:
            notes.fail("version", "it does not serve autoscaling/v2: there are no HPAs whose floor could be written")
        keda = kinds.of(SCALED_OBJECT.api_version, SCALED_OBJECT.kind) is not None
        notes.ok("keda", f"KEDA's ScaledObjects ({SCALED_OBJECT.api_version}) are {'' if keda else 'not '}known here")
        return [*notes.found, *look_at_namespaces(api, kinds, installation, loads, keda=keda)]
    except ApiFault as fault:
        notes.fail("reachable", f"it stopped answering while we looked: {fault}", "ask again", away=True)
        return notes.found


def look_at_namespaces(
    api: Connection, kinds: Kinds, installation: str, loads: Sequence[Workload], *, keda: bool, rights: bool = True
) -> list[Finding]:
    """What the workloads need in each of their namespaces. rights: whether we are the ones who need to be allowed."""
    found: list[Finding] = []
    seen = Reader(api, kinds).look(loads)
    for namespace, view in seen.items():
        theirs = [load for load in loads if load.ref.namespace == namespace]
        notes = Notes(f"namespace {namespace} ({SUBJECT})")
        if rights:
            look_at_rights(notes, api, kinds, namespace, theirs, keda=keda)
        for fault in view.faults.values():
            if fault.condition is Condition.CLUSTER_UNREACHABLE:
                notes.fail("readable", fault.words, "ask again, and look at the API server", away=True)
        vertical = vertical_in(notes, api, kinds, namespace)
        found += notes.found
        for load in theirs:
            each = Notes(f"{load.ref} {load.target} ({SUBJECT})")
            now_s = time.time()
            lane = look(load, view, now_s, PATIENCE_S)
            look_at_workload(each, Case(load, lane, view, vertical), installation, now_s)
            found += each.found
    return found
