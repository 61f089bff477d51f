"""Raw calls to an API server as one user: what a test sends is what the server gets."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.real.web import Answer, fetch


class Refusal(AssertionError):
    """The API server said no."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"{status}: {said}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Rest:
    """Raw calls as one user. Every call has a deadline; any status >= 400 is a Refusal."""

    url: str
    token: str
    tls: ssl.SSLContext | None
    timeout_s: float = 30.0

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json", **query: str
    ) -> Any:
        answer = self.answer(method, path, body, content_type, **query)
        if answer.status >= 400:
            raise Refusal(answer.status, answer.body.decode(errors="replace")[:1000])
        return answer.json()

    def answer(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json", **query: str
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": content_type}
        data = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
        asked = urlencode(query)
        url = f"{self.url}{path}{'?' if asked else ''}{asked}"
        return fetch(url, method=method, body=data, headers=headers, timeout_s=self.timeout_s, tls=self.tls)

    def get(self, path: str, **query: str) -> Any:
        return self.call("GET", path, **query)

    def create(self, path: str, body: Mapping[str, Any]) -> Any:
        return self.call("POST", path, body)

    def create_yaml(self, path: str, text: str) -> Any:
        return self.call("POST", path, text, "application/yaml")

    def patch(self, path: str, body: Any, kind: str = "merge-patch") -> Any:
        """`kind`: merge-patch, strategic-merge-patch or json-patch."""
        return self.call("PATCH", path, body, f"application/{kind}+json")

    def apply(self, path: str, body: Any, manager: str, *, force: bool = False) -> Any:
        """Server-side apply."""
        query = {"fieldManager": manager, "force": str(force).lower()}
        return self.call("PATCH", path, body, "application/apply-patch+yaml", **query)

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path)
