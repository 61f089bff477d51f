"""The pages of a running service, and the thread that serves them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autoscaler.bootstrap.reading import Reading
from autoscaler.domain.errors import Refused
from autoscaler.web.reading import reading_routes

START_S = 10.0
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""On every answer: there are no pages here, so nothing in one may run, be framed, guessed at or kept."""


def web_app(
    registry: CollectorRegistry,
    health: Callable[[], Mapping[str, Any]],
    ready: Callable[[], bool] | None = None,
    reading: Reading | None = None,
) -> Starlette:
    """Health answers {"ok": bool, …}; not ok is a 503, so that a kubelet or load balancer can read it.

    ready: whether it could take over the work; None = as healthy as ready. reading: the record, for the read-only API;
    None = there is no such API.
    """

    def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    def healthz(_: Request) -> Response:
        body = dict(health())
        return JSONResponse(body, status_code=200 if body["ok"] else 503)

    def readyz(_: Request) -> Response:
        yes = bool(health()["ok"]) if ready is None else ready()
        return JSONResponse({"ready": yes}, status_code=200 if yes else 503)

    routes = [Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)]
    if reading is not None:
        routes += reading_routes(reading)
    return Starlette(routes=routes, middleware=[Middleware(Secured)])


def with_process(registry: CollectorRegistry) -> CollectorRegistry:
    """The registry, with this process's memory, processor time and open files beside what it has."""
    ProcessCollector(registry=registry)
    return registry


class Secured:
    """Puts the SECURITY headers on whatever is answered, errors too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY)
            await send(message)

        await self.app(scope, receive, sent)


class WebServer:
    """Serves an app from a thread of its own until closed. Port 0 takes a free one; `port` tells which."""

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            bound = socket.create_server((host.strip("[]"), port), family=family, backlog=128)
        except OSError as error:
            why = str(error.strerror or error).split(" (while", 1)[0].lower()
            raise Refused(f"cannot listen on {host}:{port} ({why}); choose another with --listen HOST:PORT") from None
        self.port = int(bound.getsockname()[1])
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([bound],), name="foresail-web", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                bound.close()
                raise Refused(f"the web server on {host}:{port} did not start")
            time.sleep(0.01)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=START_S)
