"""The read-only API over the record of a service: bounded answers as JSON, for `kubectl foresail` and dashboards.

It tells decisions, never settings: no URL, credential or header of a source is in a record. Whoever reaches it reads
all of it: the API server's proxy does not say who asks (docs/kubectl.md).
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autoscaler.bootstrap.reading import Reading, explained
from autoscaler.domain.errors import AutoscalerError, Refused
from autoscaler.domain.workload import WorkloadRef
from autoscaler.reporting.overview import Overview, overview_dict
from autoscaler.reporting.recent import MOST_CELLS
from autoscaler.reporting.words import HISTORY_COLUMNS, history_dicts, history_table, ruling

log = logging.getLogger("foresail")
AT_ONCE = 4
PATIENCE_S = 0.5
PAGE, MOST_PAGE = 100, 500
RUNS, MOST_RUNS = 50, 1000
HOURS, MOST_HOURS = 6.0, 168.0
CELLS = 24
MOST_TEXT = 300
"""Of a parameter: a name of the longest kind, and some."""


class Unfit(Exception):
    """A question that cannot be answered as it is asked. status: of HTTP."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Json(Response):
    """ASCII, with <, > and & as escapes too, so that no reader can take it for a page."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
        return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").encode("ascii")


def failed(status: int, words: str) -> Json:
    """In the shape of an answer of the API server, so that clients show the words."""
    headers = {"Retry-After": "1"} if status == 503 else None
    return Json({"kind": "Status", "status": "Failure", "code": status, "message": words}, status, headers)


def reading_routes(reading: Reading) -> list[Route]:
    """GET alone. More than AT_ONCE questions at once are asked to come again: a tick has the processor first."""
    room = threading.BoundedSemaphore(AT_ONCE)

    def served(answer: Callable[[Request], Any]) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            if not room.acquire(timeout=PATIENCE_S):
                return failed(503, "too many questions at once; ask again in a second")
            try:
                return Json(answer(request))
            except Unfit as why:
                return failed(why.status, str(why))
            except Refused as why:
                return failed(404, str(why))
            except AutoscalerError as why:
                return failed(503, str(why))
            except Exception:
                log.exception("api_failed")  # its words may say what is nobody else's business
                return failed(500, "this could not be told; the operator's log says why")
            finally:
                room.release()

        return endpoint

    def workloads(request: Request) -> Any:
        namespace, after = _text(request, "namespace"), _text(request, "after")
        limit, cells = _count(request, "limit", PAGE, MOST_PAGE), _count(request, "cells", CELLS, 96)
        refs = [r for r in reading.workloads() if namespace in {"", r.namespace} and str(r) > after]
        refs.sort(key=str)
        now, told, last = datetime.now(UTC), [], None
        for ref in islice(refs, limit):
            last = str(ref)
            try:
                run = reading.newest(ref)
            except Refused:  # a payload of a newer version: the others are told all the same
                continue
            if run is not None:
                told.append(overview_dict(Overview(run, ()), now) | {"recent": _recent(run, HOURS, cells)})
        for one in told:
            del one["recentDemand"]
        return {"at": now.isoformat(), "workloads": told, "next": last if len(refs) > limit else None}

    def _recent(run: Any, hours: float, cells: int) -> dict[str, Any]:
        return reading.recent(run, hours, cells).as_dict()

    def series(request: Request) -> Any:
        hours, cells = _hours(request), _count(request, "cells", CELLS, MOST_CELLS)
        ref = _ref(request)
        run = reading.newest(ref)
        if run is None:
            raise Unfit(404, f"nothing is recorded for {ref}")
        return {"namespace": ref.namespace, "name": ref.name} | _recent(run, hours, cells)

    def history(request: Request) -> Any:
        since, until, limit = (
            _moment(request, "since"),
            _moment(request, "until"),
            _count(request, "limit", RUNS, MOST_RUNS),
        )
        ref = _ref(request)
        runs = reading.history(ref, since, until, limit)
        rows = [list(row) for row in history_table(runs)]
        return {
            "runs": history_dicts(runs), "columns": list(HISTORY_COLUMNS), "rows": rows,
            "rules": [list(ruling(run.decision)) for run in runs],
        }  # fmt: skip

    def explain(request: Request) -> Any:
        at, ref = _moment(request, "at"), _ref(request)
        run = reading.run_at(ref, at)
        if run is None:
            when = "" if at is None else f" at or before {at.isoformat()}"
            raise Unfit(404, f"nothing is recorded for {ref}{when}")
        values, text = explained(run, at)
        return {"explain": values, "text": text}

    one = "/api/v1/workloads/{namespace}/{name}"
    return [
        Route("/api/v1/workloads", served(workloads)),
        Route(f"{one}/history", served(history)),
        Route(f"{one}/explain", served(explain)),
        Route(f"{one}/series", served(series)),
    ]


def _ref(request: Request) -> WorkloadRef:
    return WorkloadRef(request.path_params["namespace"], request.path_params["name"])


def _text(request: Request, name: str) -> str:
    given = request.query_params.get(name, "")
    if len(given) > MOST_TEXT:
        raise Unfit(400, f"{name} is longer than {MOST_TEXT} characters")
    return given


def _count(request: Request, name: str, usual: int, most: int) -> int:
    given = _text(request, name)
    if not given:
        return usual
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= most):
        raise Unfit(400, f"{name} must be a whole number from 1 to {most}")
    return int(given)


def _hours(request: Request) -> float:
    given = _text(request, "hours")
    try:
        hours = float(given or HOURS)
    except ValueError:
        hours = 0.0
    if not 0 < hours <= MOST_HOURS:
        raise Unfit(400, f"hours must be a number above 0 and at most {MOST_HOURS:g}")
    return hours


def _moment(request: Request, name: str) -> datetime | None:
    given = _text(request, name)
    if not given:
        return None
    try:
        when = datetime.fromisoformat(given)
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise Unfit(400, f"{name} must be a moment with a zone, as 2026-06-10T09:00:00Z")
    return when
