"""External metrics of the cluster: for our HPAs the newest minute, and for KEDA's what KEDA's own adapter answers.

A cluster has one such API. Where KEDA is, it would be KEDA's, and HPAs that are not KEDA's would have none.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.real.external_metrics import EXTERNAL, ExternalMetrics
from tests.real.keda import Keda
from tests.real.web import fetch

ADAPTER_S = 3.0
CONTROLLERS = "controllers"
"""The user as whom the adapter is asked: the HPA controller itself."""


class SharedMetrics(ExternalMetrics):
    """keda: None where nothing goes through it. passed_on: the namespaces whose metrics are KEDA's."""

    def __init__(self, folder: Path, keda: Keda | None, passed_on: frozenset[str], admin: Any) -> None:
        self._keda, self._passed_on = keda, passed_on
        self._tls = ssl.create_default_context()
        self._tls.check_hostname = False  # loopback, with a certificate of its own
        self._tls.verify_mode = ssl.CERT_NONE
        super().__init__(folder, admin)

    def answer(self, path: str, query: Mapping[str, list[str]]) -> dict[str, Any] | None:
        match path.strip("/").split("/"):
            case ["apis", group, version, "namespaces", namespace, _] if (group, version) == EXTERNAL:
                if self._keda is not None and namespace in self._passed_on:
                    return self._asked_of(self._keda, path, query)
        return super().answer(path, query)

    def _asked_of(self, keda: Keda, path: str, query: Mapping[str, list[str]]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {keda.plane.token(CONTROLLERS)}", "Accept": "application/json"}
        url = f"{keda.url}{path}?{urlencode(query, doseq=True)}"
        found = fetch(url, headers=headers, timeout_s=ADAPTER_S, tls=self._tls)
        if found.status != 200:
            raise ConnectionError(f"KEDA's adapter: {found.status}: {found.body.decode(errors='replace')[:300]}")
        answer: dict[str, Any] = found.json()
        return answer
