"""`foresail notify`: a test alert to every destination in plain words; a file of notifications, checked."""

from __future__ import annotations

import json
import time
from pathlib import Path

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
    from autoscaler.bootstrap.alert_destinations import alertmanagers
    from autoscaler.bootstrap.notify_trial import channels_of, trial
    from autoscaler.ports.alerts import Outcome

    output_kind(output)
    firing_s = seconds("--for", firing_for, most=MOST_FOR_S)
    if not alerts.alertmanagers and alerts.notify is None:
        raise Refused("name where alerts go: --alertmanager http://alertmanager:9093, or --notify FILE")
    channels = [] if alerts.notify is None else channels_of(alerts.notify, time.time(), alerts.settings.docs)
    tried = trial([*alertmanagers(alerts.settings), *channels], time.time, firing_s)
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
        if firing_s == 0 and alerts.alertmanagers and any(one.outcome is Outcome.DELIVERED for one in tried):
            print(f"note: {HINT}")  # noqa: T201
    if any(one.outcome is Outcome.LATER for one in tried):
        raise SystemExit(3)
    if any(one.outcome is not Outcome.DELIVERED for one in tried):
        raise SystemExit(1)


def check_file(file: Path, output: str) -> None:
    """Print what is wrong and what is odd; exit code 1 if something is wrong."""
    from autoscaler.bootstrap.notify_making import missing_secrets
    from autoscaler.domain.errors import InvalidSpec
    from autoscaler.spec.notify_reading import read_notifications

    output_kind(output)
    errors, warnings = [], []
    try:
        read = read_notifications(file, time.time())
        warnings = [str(p) for p in read.warnings]
        warnings += [f"{file}: {words} (here and now)" for words in missing_secrets(read.notifications)]
    except InvalidSpec as wrong:
        errors = [str(p) for p in wrong.problems]
    if output == "json":
        print(json.dumps({"errors": errors, "warnings": warnings}, indent=2))  # noqa: T201
    else:
        for line in [*(f"error: {e}" for e in errors), *(f"warning: {w}" for w in warnings)]:
            print(line)  # noqa: T201
        if not errors:
            print(f"{file}: {'valid' if warnings else 'valid, nothing odd'}")  # noqa: T201
    if errors:
        raise SystemExit(1)


def print_schema(what: str) -> None:
    """JSON schema of the file, or of what a webhook is sent."""
    if what == "webhook":
        from autoscaler.adapters.alerting.webhook import BODY_SCHEMA

        print(json.dumps(BODY_SCHEMA, indent=2))  # noqa: T201
    elif what == "file":
        from autoscaler.spec.notify import Notifications

        print(json.dumps(Notifications.model_json_schema(by_alias=True), indent=2))  # noqa: T201
    else:
        raise Refused(f"no schema {what!r}; name file or webhook")
