"""A person's view of the cluster: our objects under his own rights, and what the operator's API adds to them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from kubernetes import config
from yaml import YAMLError

from autoscaler.adapters.kubernetes.connection import Connection
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.objects import GROUP, POLICIES, autoscaler_path
from autoscaler.adapters.kubernetes.proxied import OperatorApi
from autoscaler.bootstrap.clusters import connect
from autoscaler.bootstrap.settings import ClusterSettings
from autoscaler.domain.errors import Refused
from autoscaler.domain.workload import WorkloadRef
from autoscaler.reporting.cluster_overview import ClusterRow

PAGE = 200
MOST_PAGES = 50
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
CALL_S = 10.0
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Onlooker:
    """namespace: where names without one are; "" = everywhere. Close it."""

    connection: Connection
    namespace: str
    api: OperatorApi

    @staticmethod
    def of(
        settings: ClusterSettings, namespace: str | None, *, everywhere: bool, operator: tuple[str, str]
    ) -> Onlooker:
        """operator: namespace and name of its Service. Refused where the credentials cannot be used."""
        connection = connect(settings, CALL_S)
        where = "" if everywhere else namespace or context_namespace(settings)
        return Onlooker(connection, where, OperatorApi(connection, *operator))

    def named(self, text: str) -> WorkloadRef:
        """NAMESPACE/NAME, or NAME in our namespace."""
        namespace, _, name = text.rpartition("/")
        namespace = namespace or self.namespace
        if not namespace:
            raise Refused(f"{text!r}: with -A write NAMESPACE/NAME")
        if not (_NAME.fullmatch(namespace) and _NAME.fullmatch(name)):
            said = f"{namespace}/{name}"
            raise Refused(f"{said!r} names no workload: small letters, digits, - and . alone; write NAMESPACE/NAME")
        return WorkloadRef(namespace, name)

    def rows(self, names: Sequence[str] = ()) -> tuple[list[ClusterRow], str | None]:
        """The objects, and why there are no recent hours beside them, where there are none.

        Refused for a name that is not there; ApiFault where the API server cannot be asked.
        """
        things = self._things(names)
        try:
            recent = self._recent({t["metadata"]["namespace"] for t in things} if things else set())
        except ApiFault as fault:
            return [ClusterRow(thing) for thing in things], fault.said
        return [ClusterRow(t, recent.get((t["metadata"]["namespace"], t["metadata"]["name"]))) for t in things], None

    def _things(self, names: Sequence[str]) -> list[dict[str, Any]]:
        refs = [self.named(name) for name in dict.fromkeys(names)]
        spaces = sorted({ref.namespace for ref in refs}) or [self.namespace]
        found = [thing for space in spaces for thing in self.items(autoscaler_path(space))]
        found.sort(key=lambda t: (t["metadata"]["namespace"], t["metadata"]["name"]))
        if not refs:
            return found
        known = {(t["metadata"]["namespace"], t["metadata"]["name"]): t for t in found}
        for ref in refs:
            if (ref.namespace, ref.name) not in known:
                raise Refused(_missing(ref, [name for space, name in known if space == ref.namespace]))
        return [known[ref.namespace, ref.name] for ref in refs]

    def thing(self, ref: WorkloadRef) -> dict[str, Any]:
        """One object, as it is now. Refused where it is not there."""
        try:
            found: dict[str, Any] = self.connection.get(autoscaler_path(ref.namespace, ref.name))
        except ApiFault as fault:
            if fault.status != 404:
                raise
            there = [t["metadata"]["name"] for t in self.items(autoscaler_path(ref.namespace))]
            raise Refused(_missing(ref, there)) from fault
        return found

    def items(self, path: str) -> list[dict[str, Any]]:
        try:
            return self.connection.items(path)
        except ApiFault as fault:
            if fault.status == 404:
                raise Refused(
                    f"the cluster does not know foresail.dev/v1alpha1: `foresail crds` makes its definitions ({fault})"
                ) from fault
            if fault.forbidden:
                raise Refused(f"{fault.said}; name a namespace that you may read with -n") from fault
            raise

    def _recent(self, namespaces: set[str]) -> dict[tuple[str, str], Mapping[str, Any]]:
        found: dict[tuple[str, str], Mapping[str, Any]] = {}
        query = {"limit": str(PAGE)} | ({"namespace": next(iter(namespaces))} if len(namespaces) == 1 else {})
        for _ in range(MOST_PAGES if namespaces else 0):
            page = self.api.get("workloads", **query)
            found |= {(w["namespace"], w["name"]): w["recent"] for w in page["workloads"]}
            if page.get("next") is None:
                break
            query["after"] = page["next"]
        return found

    def who(self) -> str | None:
        """Who we are to the API server; None where it does not tell (before 1.28, or not allowed)."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            told = self.connection.call("POST", WHO, review)
        except ApiFault:
            return None
        name = told.get("status", {}).get("userInfo", {}).get("username")
        return str(name) if name else None

    def policy_path(self, name: str = "") -> str:
        return f"{GROUP}/{POLICIES}/{name}" if name else f"{GROUP}/{POLICIES}"

    def close(self) -> None:
        self.connection.close()


def context_namespace(settings: ClusterSettings) -> str:
    """Of the chosen context; `default` where it names none, or in a pod."""
    if settings.in_cluster:
        return "default"
    path = None if settings.kubeconfig is None else str(settings.kubeconfig)
    try:
        contexts, active = config.list_kube_config_contexts(path)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError, YAMLError, TypeError, KeyError):
        return "default"  # the connection says what is wrong with it
    if settings.context is not None:
        active = next((c for c in contexts if c.get("name") == settings.context), None)
    return str(((active or {}).get("context") or {}).get("namespace") or "default")


def _missing(ref: WorkloadRef, there: Sequence[str]) -> str:
    near = get_close_matches(ref.name, there, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; it has: {', '.join(sorted(there)[:10]) or 'none'}"
    return f"there is no PredictiveAutoscaler {ref.name!r} in namespace {ref.namespace}{hint}"
