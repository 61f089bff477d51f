"""`foresail capacity`: what one replica serves, learned from what is on record; reads only."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from autoscaler.cli.inputs import moment, seconds, whole_seconds
from autoscaler.domain.errors import Refused

if TYPE_CHECKING:
    from autoscaler.bootstrap.capacity import Row

OUTPUTS: Final = ("table", "json", "yaml")
REFUSED: Final = 1
MOST_DAYS: Final = 90
POINTS: Final = 40


@dataclass(frozen=True, slots=True)
class CapacityOptions:
    """As typed; None = not given."""

    load: str
    resource: str
    limit: float
    replicas: str | None
    summed: bool
    breach: str | None
    new_image: str | None
    prometheus: str | None
    since: str | None
    step: str | None
    output: str


def show_capacity(options: CapacityOptions) -> None:
    """Read, learn, tell; exit code 1 where there is no capacity to trust."""
    from autoscaler.bootstrap.capacity import CapacityQuestion, capacity_of
    from autoscaler.reporting.capacity import capacity_dict, capacity_lines, capacity_yaml

    if options.output not in OUTPUTS:
        raise Refused(f"--output {options.output!r} is not known; use {', '.join(OUTPUTS)}")
    question = CapacityQuestion(options.limit, options.summed, _new_image(options.new_image))
    if options.summed and options.replicas is None:
        raise Refused("--summed needs --replicas: a sum over all replicas is divided by them")
    rows = _rows(options)
    answer = capacity_of(question, rows["load"], rows["resource"], rows.get("replicas"), rows.get("breach"))
    if options.output == "json":
        sys.stdout.write(json.dumps(capacity_dict(answer, POINTS), indent=2) + "\n")
    elif options.output == "yaml":
        sys.stdout.write(capacity_yaml(answer))
    else:
        sys.stdout.write("\n".join(capacity_lines(answer, POINTS)) + "\n")
    if answer.found.refused is not None:
        if options.output == "yaml":
            sys.stderr.write(f"foresail: no capacity: {answer.found.refused.words}\n")
        raise SystemExit(REFUSED)


def _new_image(text: str | None) -> datetime | None:
    """Since when pods of another image run; it cannot be seen in a record before they do."""
    when, now = moment("--new-image", text), datetime.now(UTC)
    if when is not None and when > now:
        raise Refused(
            f"--new-image {text!r} is still to come (it is {now:%Y-%m-%dT%H:%M:%SZ}): no pod of that image is on "
            "record; give the moment at which its first pods began to run, or leave the option out"
        )
    return when


def _rows(options: CapacityOptions) -> dict[str, Row]:
    asked = {
        "load": options.load, "resource": options.resource, "replicas": options.replicas, "breach": options.breach,
    }  # fmt: skip
    named = {name: text for name, text in asked.items() if text is not None}
    step = None if options.step is None else whole_seconds("--step", options.step)
    if options.prometheus is None:
        if options.since is not None:
            raise Refused("--since needs --prometheus URL; of files all is read")
        return {name: _from_file(f"--{name}", text, step) for name, text in named.items()}
    return _from_prometheus(options, named, step or 60)


def _from_file(option: str, text: str, step_s: int | None) -> Row:
    """FILE, FILE#COLUMN, or FILE@SERIES of a file in long format."""
    from autoscaler.adapters.traces import read_trace
    from autoscaler.bootstrap.capacity import Row

    path, column, series = text, None, None
    if not Path(text).exists():
        if "#" in text:
            path, _, column = text.rpartition("#")
        elif "@" in text:
            path, _, series = text.rpartition("@")
    trace = read_trace(path, column, series, step_s)
    return Row(f"{option} {text}", trace.step_s, trace.first_step, trace.values)


def _from_prometheus(options: CapacityOptions, named: dict[str, str], step_s: int) -> dict[str, Row]:
    from autoscaler.bootstrap.capacity import Row
    from autoscaler.bootstrap.recorded import prometheus_trace

    since = options.since or "14d"
    since_s = seconds("--since", since, least=1.0, most=MOST_DAYS * 86400.0)
    now_s = time.time()
    rows = {}
    for name, query in named.items():
        trace = prometheus_trace(options.prometheus or "", query, since_s, step_s, now_s)
        rows[name] = Row(f"--{name}", trace.step_s, trace.first_step, trace.values)
    return rows
