"""Custom resources for tests: whole ones to change, what a change makes of them, and the API server's word on it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from autoscaler.spec.cluster_object import document_of
from autoscaler.spec.crd import GROUP, RESOURCES, VERSION, crd
from autoscaler.spec.fleet import PartialLoad, judge
from autoscaler.spec.kinds import API_VERSION, KINDS
from tests.real.rest import Rest
from tests.real.servers import wait_until

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GONE: Any = object()
"""As a value: the field is removed."""
Path = tuple[str | int, ...]

WEEKLY = {"weekly": {"days": ["Mon", "Fri"], "from": "08:00", "to": "20:00", "timeZone": "Europe/Berlin"}}
DATES = {"dates": {"list": ["2026-12-24"], "from": "08:00", "to": "20:00", "timeZone": "Europe/Berlin"}}
ONCE = {"once": {"from": "2026-12-20T00:00:00Z", "until": "2027-01-04T00:00:00Z"}}
STEP = {"type": "Percent", "value": 100, "periodSeconds": 15}
ANOMALY = {
    "demand": {"growth": "Any", "shrink": False, "cap": {"over": "50%", "replicas": 20, "mayCauseShortage": True}},
    "capacity": {"growth": "ObservedNeed"},
    "dataFault": {"growth": "None"},
}
LEARNED = {"resource": "r", "limit": "500m", "replicas": "x", "summed": True, "template": "t"}
SPECS: dict[str, dict[str, Any]] = {
    "PredictiveAutoscaler": {
        "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "mode": "Act",
        "actuation": "Scale",
        "acknowledge": ["NoReactiveBackup"],
        "demands": [
            {"name": "requests", "source": "prod", "query": "q", "capacity": {"perReplica": "45", "learned": LEARNED}},
            {"name": "jobs", "source": "prod", "query": "q", "capacity": {"perReplica": 1.5}},
        ],
        "objective": {"costs": {"shortage": 20, "replica": 0.1}},
        "replicas": {"min": 2, "max": 60},
        "lead": {"ready": "3m", "warmup": "30s", "actuation": "15s"},
        "headroom": "20%",
        "maxDataAge": "3m",
        "timeZone": "Europe/Berlin",
        "calibration": {"exclude": [{"when": ONCE, "reason": "load test"}, {"when": WEEKLY, "reason": "backups"}]},
        "behavior": {
            "scaleUp": {
                "stabilizationWindowSeconds": 0, "policies": [STEP], "selectPolicy": "Max", "tolerance": 0.1,
            },
            "scaleDown": {
                "stabilizationWindowSeconds": 300, "policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}],
                "selectPolicy": "Min", "tolerance": 0.2,
            },
        },
        "pause": {"direction": "Down", "owner": "mia", "reason": "load test", "until": "2026-03-01T06:00:00Z"},
    },
    "MetricsSource": {
        "allowedNamespaces": ["shop", "team-a-*"],
        "prometheus": {
            "url": "https://prometheus.example.com:9090/tenant",
            "timeout": "5s",
            "staleAfter": "2m",
            "headers": {"X-Scope-OrgID": "shop"},
            "basicAuth": {"username": "foresail", "passwordFile": "/etc/p"},
            "tls": {"caFile": "/ca", "certFile": "/crt", "keyFile": "/key"},
            "proxy": "http://proxy:3128",
            "params": {"dedup": "true"},
            "replicaLabels": ["replica"],
        },
    },
    "GuardPolicy": {
        "selector": {
            "namespaces": ["shop"], "names": ["shop/web", "web"], "sites": ["berlin"], "matchLabels": {"tier": "web"},
            "matchExpressions": [
                {"key": "team", "operator": "In", "values": ["shop"]},
                {"key": "example.com/team", "operator": "Exists"},
            ],
        },
        "defaults": {
            "replicas": {"min": 2},
            "headroom": "20%",
            "risk": "0.5%",
            "maxDataAge": "3m",
            "behavior": {"scaleUp": {"stabilizationWindowSeconds": 0, "policies": [STEP], "tolerance": 0.1}},
            "surviveLossOf": {"replicas": 1, "zoneOf": 3},
            "fallback": {"after": "10m", "min": 10, "decay": {"percent": 10, "every": "5m"}},
            "humanOverride": {"holdFor": "1h"},
            "anomaly": ANOMALY,
            "replicaPrice": "0.05",
            "priority": 500,
        },
        "limits": {
            "replicas": {"min": 2, "max": 40},
            "headroom": "10%",
            "risk": "1%",
            "maxDataAge": "5m",
            "behavior": {
                "scaleUp": {"policies": [STEP], "selectPolicy": "Disabled", "mayCauseShortage": True},
                "scaleDown": {"policies": [STEP]},
            },
            "forecastTrust": {"maxMargin": 3, "maxQuantileRatio": 4, "maxOverObserved": 4.5},
            "brake": {"shrink": "30%", "grow": "40%", "mayCauseShortage": True},
            "budget": {
                "replicas": 400, "perHour": "12.5", "perMonth": 9000, "replicaPrice": 0.05, "mayCauseShortage": True,
            },
            "conditions": [
                {
                    "name": "cap", "expression": 'observed["requests"] > 1.5 * p95["requests"]', "then": "Cap",
                    "replicas": 3, "message": "m", "mayCauseShortage": True,
                },
            ],
            "anomaly": ANOMALY,
            "schedule": [
                {"name": "hours", "when": WEEKLY, "min": 2, "max": 4}, {"name": "eve", "when": DATES, "min": 2},
            ],
            "freezes": [{"name": "freeze", "when": ONCE, "growth": "None", "reason": "r"}],
            "events": [{"name": "sale", "when": ONCE, "floor": 3, "uplift": 1.5}],
        },
        "pause": {"direction": "Both", "at": 10, "owner": "m", "reason": "r", "until": "2026-03-01T06:00:00Z"},
        "acknowledge": ["MayCauseShortage", "SelectsAll"],
    },
}  # fmt: skip
"""Of each kind one object with every field that goes together."""
SPECS["a file"] = {"file": {"path": "demand/web.csv", "step": "1m"}}
BARE: dict[str, dict[str, Any]] = {
    "PredictiveAutoscaler": {
        "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "demands": [{"name": "requests", "source": "prod", "query": "q", "capacity": {"perReplica": "45"}}],
        "replicas": {"max": 60},
    },
    "MetricsSource": {"prometheus": {"url": "http://prometheus:9090"}},
    "GuardPolicy": {"selector": {"namespaces": ["shop"]}, "limits": {"replicas": {"max": 40}}},
}
"""Of each kind the least that holds."""


def thing(kind: str, spec: Mapping[str, Any], name: str = "web") -> dict[str, Any]:
    meta = {"name": name, **({"namespace": "default"} if RESOURCES[kind].namespaced else {})}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": meta, "spec": copy.deepcopy(dict(spec))}


def whole(kind: str) -> dict[str, Any]:
    """The object with every field; "a file" is the other MetricsSource."""
    return thing(kind if kind in KINDS else "MetricsSource", SPECS[kind])


def changed(one: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """The object with another value at a path, whose last step may be new; GONE removes it."""
    made: dict[str, Any] = copy.deepcopy(dict(one))
    at: Any = made
    for part in path[:-1]:
        at = at[part] if isinstance(part, int) else at.setdefault(part, {})
    if value is GONE:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return made


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every path of an object below `path`, that one included."""
    yield path
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in steps:
        yield from places(inner, (*path, key))


def path_of(words: str) -> Path:
    """("spec", "demands", 0) of spec.demands.0"""
    return tuple(int(part) if part.isdigit() else part for part in words.split("."))


def as_file(one: Mapping[str, Any]) -> PartialLoad:
    """What our own models say, with the source that its demands name taken as there."""
    return judge([document_of(one)], ["prod"])


@dataclass(frozen=True, slots=True)
class Said:
    """The API server's answer to a strict dry run. causes: (field path, message) of a refusal; kept: what it would."""

    status: int
    causes: tuple[tuple[str, str], ...]
    kept: dict[str, Any] | None

    @property
    def accepted(self) -> bool:
        return self.status == 201

    def fields(self) -> set[str]:
        return {field for field, _ in self.causes}


@dataclass(frozen=True, slots=True)
class Resources:
    """Calls about our kinds, in the group that they are installed under."""

    admin: Rest
    group: str = GROUP

    def path(self, kind: str, namespace: str = "default") -> str:
        inside = f"namespaces/{namespace}/" if RESOURCES[kind].namespaced else ""
        return f"/apis/{self.group}/{VERSION}/{inside}{RESOURCES[kind].plural}"

    def definition(self, kind: str) -> dict[str, Any]:
        made = crd(kind)
        made["spec"]["group"] = self.group
        made["metadata"]["name"] = f"{RESOURCES[kind].plural}.{self.group}"
        return made

    def install(self, definition: Mapping[str, Any]) -> None:
        """Creates or replaces it, and waits until it is served as it is now."""
        name = definition["metadata"]["name"]
        there = self.admin.answer("GET", f"{CRDS}/{name}")
        if there.status == 404:
            self.admin.create(CRDS, definition)
        else:
            meta = {"name": name, "resourceVersion": there.json()["metadata"]["resourceVersion"]}
            self.admin.call("PUT", f"{CRDS}/{name}", {**definition, "metadata": meta})
        wait_until(partial(self._established, name), f"{name} is established", 20)
        plural = definition["spec"]["names"]["plural"]
        served = f"/apis/{self.group}/{VERSION}/{plural}"
        wait_until(lambda: self.admin.answer("GET", served).status == 200, f"{name} is served", 20)

    def _established(self, name: str) -> bool:
        said = self.admin.get(f"{CRDS}/{name}").get("status", {}).get("conditions") or []
        wrong = [c["message"] for c in said if c["type"] == "NonStructuralSchema" and c["status"] == "True"]
        assert not wrong, wrong
        return any(c["type"] == "Established" and c["status"] == "True" for c in said)

    def ask(self, one: Mapping[str, Any]) -> Said:
        """A strict dry run of its creation, as `kubectl apply --dry-run=server` asks."""
        asked = {**one, "apiVersion": f"{self.group}/{VERSION}"}
        answer = self.admin.answer("POST", self.path(one["kind"]), asked, dryRun="All", fieldValidation="Strict")
        told = answer.json()
        if answer.status == 201:
            return Said(201, (), told)
        causes = (told.get("details") or {}).get("causes") or [{"message": told["message"]}]
        return Said(answer.status, tuple((c.get("field", ""), c["message"]) for c in causes), None)
