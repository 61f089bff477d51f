"""`foresail notify test`: a test alert and its end to every destination, and what became of them in plain words."""

from __future__ import annotations

import json
import time

from autoscaler.cli.alert_options import AlertOptions
from autoscaler.cli.inputs import output_kind, seconds
from autoscaler.domain.errors import Refused

MOST_FOR_S = 3600.0
HINT = (
    "an Alertmanager tells its receivers of what fires for longer than their route's group_wait: "
    "with --for 60s a pager should ring"
)


def try_out(alerts: AlertOptions, firing_for: str, output: str) -> None:
    """Exit code 0 all took it, 1 one refused it, 3 one could not be reached."""
    from autoscaler.bootstrap.alert_making import alertmanagers
    from autoscaler.bootstrap.notify_trial import trial
    from autoscaler.ports.alerts import Outcome

    output_kind(output)
    firing_s = seconds("--for", firing_for, most=MOST_FOR_S)
    if not alerts.alertmanagers:
        raise Refused("name where alerts go: --alertmanager http://alertmanager:9093")
    tried = trial(alertmanagers(alerts.settings), time.time, firing_s)
    if output == "json":
        plain = [
            {"destination": t.destination, "result": t.outcome.value, "words": t.words, "receivers": list(t.receivers)}
            for t in tried
        ]
        print(json.dumps(plain, indent=2))  # noqa: T201
    else:
        for one in tried:
            told = f"; it routes it to: {', '.join(one.receivers)}" if one.receivers else ""
            print(f"{one.destination}: {one.words}{told}")  # noqa: T201
        if firing_s == 0 and any(one.outcome is Outcome.DELIVERED for one in tried):
            print(f"note: {HINT}")  # noqa: T201
    if any(one.outcome is Outcome.LATER for one in tried):
        raise SystemExit(3)
    if any(one.outcome is not Outcome.DELIVERED for one in tried):
        raise SystemExit(1)
