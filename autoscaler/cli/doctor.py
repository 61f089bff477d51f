"""`foresail doctor`: whether the sources and demands of a fleet are fit to decide on. It never changes anything."""

from __future__ import annotations

import json
import time
from pathlib import Path

from autoscaler.cli.inputs import output_kind, whole_seconds


def examine(fleet: tuple[Path, ...], step: str, output: str) -> None:
    """Print what is found; exit code 0 nothing, 1 findings, 3 a backend that cannot be reached."""
    from autoscaler.bootstrap.checkup.rounds import visit
    from autoscaler.bootstrap.servers import open_client
    from autoscaler.reporting.doctor import doctor_dict, exit_code, lines

    output_kind(output)
    found = visit(fleet, time.time(), whole_seconds("--step", step), open_client)
    if output == "json":
        print(json.dumps(doctor_dict(found), indent=2))  # noqa: T201
    else:
        print("\n".join(lines(found)))  # noqa: T201
    if code := exit_code(found):
        raise SystemExit(code)
