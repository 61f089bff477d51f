"""Whether we may do in a namespace what its workloads need: the API server is asked, rule by rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from autoscaler.adapters.kubernetes.connection import Connection
from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.permissions import Rule, merged, needed
from autoscaler.adapters.kubernetes.reading import Kinds
from autoscaler.bootstrap.checkup.asking import Notes
from autoscaler.domain.workload import Workload

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
AT_ONCE = 8


def look_at_rights(
    notes: Notes, api: Connection, kinds: Kinds, namespace: str, loads: Sequence[Workload], *, keda: bool
) -> None:
    """One finding that names every missing rule, as a Role would have it."""
    wanted = merged(_wanted(kinds, loads, keda=keda))
    asked = [(rule, verb) for rule in wanted for verb in rule.verbs]
    try:
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            allowed = list(pool.map(lambda one: may(api, namespace, *one), asked))
    except ApiFault as fault:
        remedy = "bind system:basic-user to our account, as every cluster does by default" if fault.forbidden else None
        notes.fail("permissions", f"our rights cannot be asked for: {fault}", remedy, away=not fault.forbidden)
        return
    refused = [(rule, verb) for (rule, verb), is_allowed in zip(asked, allowed, strict=True) if not is_allowed]
    missing = merged(Rule(rule.group, rule.resource, (verb,)) for rule, verb in refused)
    if not missing:
        acts = "read and write" if any("patch" in rule.verbs for rule in wanted) else "read"
        notes.ok("permissions", f"we may {acts} all that the workloads need ({len(wanted)} rules)")
        return
    words = "; ".join(f"{', '.join(rule.verbs)} {rule.resource}" for rule in missing)
    rules = "\n".join(f"- {rule.words}" for rule in missing)
    remedy = f"add to the rules of a Role in {namespace} that is bound to our account:\n{rules}"
    notes.fail("permissions", f"we may not: {words}", remedy)


def may(api: Connection, namespace: str, rule: Rule, verb: str) -> bool:
    """Whether we may, for all objects of the namespace; a rule that is narrowed to some names does not count."""
    resource, _, subresource = rule.resource.partition("/")
    about = {
        "namespace": namespace, "verb": verb, "group": rule.group, "resource": resource, "subresource": subresource,
    }  # fmt: skip
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": about},
    }
    return bool(api.call("POST", REVIEWS, review)["status"].get("allowed"))


def _wanted(kinds: Kinds, loads: Sequence[Workload], *, keda: bool) -> Iterator[Rule]:
    for load in loads:
        resource = kinds.of(load.target.api_version, load.target.kind)
        if resource is not None:  # of a kind that is not there, nothing can be allowed
            yield from needed(load, resource.plural, keda=keda)
