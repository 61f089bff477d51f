"""The operator's read-only API as a user reaches it: by the API server's proxy of its Service, under his own rights."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from autoscaler.adapters.kubernetes.connection import Connection
from autoscaler.adapters.kubernetes.faults import ApiFault

TRIES = 3


@dataclass(frozen=True, slots=True)
class OperatorApi:
    """service: its name, or NAME:PORT with the name of the port."""

    connection: Connection
    namespace: str
    service: str

    @property
    def proxied(self) -> str:
        """The name under which RBAC's resourceNames may grant `services/proxy`."""
        name, _, port = self.service.partition(":")
        return f"http:{name}:{port or 'http'}"

    def get(self, *path: str, **query: str) -> Any:
        """ApiFault with words that say what to do: no right, no such Service, no pod behind it, or the API's own."""
        where = "/".join(quote(part, safe="") for part in path)
        root = f"/api/v1/namespaces/{quote(self.namespace, safe='')}/services/{self.proxied}/proxy"
        for attempt in range(TRIES):
            try:
                return self.connection.get(f"{root}/api/v1/{where}", **query)
            except ApiFault as fault:
                if fault.throttled and "too many questions" in fault.said and attempt + 1 < TRIES:
                    time.sleep(1.0)
                    continue
                raise self._told(fault) from fault
        raise AssertionError("the last try returns or raises")

    def _told(self, fault: ApiFault) -> ApiFault:
        name = f"the operator's Service {self.namespace}/{self.service}"
        if fault.forbidden:
            rule = f'{{apiGroups: [""], resources: [services/proxy], resourceNames: ["{self.proxied}"], verbs: [get]}}'
            words = f"not allowed to ask {name}: a Role in {self.namespace} needs {rule}"
        elif fault.status == 404 and "services" in fault.said:
            words = f"{name} is not there: name it with --operator-namespace and --operator-service"
        elif fault.status == 404 and fault.said.strip() in {"Not Found", "not found"}:
            words = f"{name} serves no such API: an older version, or --no-api"
        elif fault.status in {502, 503, 504}:
            words = f"{name} does not answer, or has no ready pod: {fault.said}"
        else:
            words = fault.said
        return ApiFault(fault.status, words, fault.retry_after_s)
