"""An API of someone else's in the API server: registered by an APIService over a Service named `localhost`.

No kube-proxy is needed for that: the API server resolves a Service of type ExternalName by its name.
"""

from __future__ import annotations

from tests.real.rest import Rest
from tests.real.servers import wait_until

APISERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
SERVICES = "/api/v1/namespaces/default/services"


def register(admin: Rest, group: str, version: str, port: int) -> None:
    """Back when the API server finds it available and its own clients get through."""
    name = f"{version}.{group}"
    service = name.replace(".", "-")
    admin.create(
        SERVICES,
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": service},
            "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]},
        },
    )
    admin.create(
        APISERVICES,
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": name},
            "spec": {
                "group": group,
                "version": version,
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,
                "service": {"namespace": "default", "name": service, "port": port},
            },
        },
    )

    def available() -> bool:
        conditions = admin.get(f"{APISERVICES}/{name}").get("status", {}).get("conditions", [])
        up = any(c["type"] == "Available" and c["status"] == "True" for c in conditions)
        return up and admin.answer("GET", f"/apis/{group}/{version}").status == 200

    wait_until(available, f"the API {name} is available", 40)


def withdraw(admin: Rest, group: str, version: str) -> None:
    """As if it had never been there. Its group must be gone before its server: namespaces could not end else."""
    name = f"{version}.{group}"
    admin.delete(f"{APISERVICES}/{name}")
    admin.delete(f"{SERVICES}/{name.replace('.', '-')}")
    wait_until(lambda: admin.answer("GET", f"/apis/{group}/{version}").status == 404, f"the API {name} is gone")
