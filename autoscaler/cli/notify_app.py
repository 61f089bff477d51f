"""`foresail notify`: its options. Exit codes: 0 taken, 1 refused, 2 usage, 3 a destination cannot be reached."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli import alert_options

notify_app = typer.Typer(name="notify", help="Alerts to on-call: check and try the way there.", no_args_is_help=True)


@notify_app.callback()
def notify() -> None:
    """Alerts to on-call: check and try the way there."""


@notify_app.command(name="test")
def send_a_test(
    alertmanager: alert_options.Alertmanagers = None,
    firing_for: Annotated[
        str, typer.Option("--for", help="How long the test alert fires; a pager rings after the route's group_wait.")
    ] = "0s",
    alertmanager_token_file: alert_options.TokenFile = None,
    alertmanager_user: alert_options.User = None,
    alertmanager_password_file: alert_options.PasswordFile = None,
    alertmanager_ca_file: alert_options.CaFile = None,
    alertmanager_cert_file: alert_options.CertFile = None,
    alertmanager_key_file: alert_options.KeyFile = None,
    notify_file: alert_options.Notify = None,
    docs_url: alert_options.DocsUrl = None,
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
) -> None:
    """Send one test alert and its end to each destination, and say whether they were taken."""
    from autoscaler.cli.notify import try_out

    alerts = alert_options.AlertOptions(
        tuple(alertmanager or ()), alert_options.RESEND, alertmanager_token_file, alertmanager_user,
        alertmanager_password_file, alertmanager_ca_file, alertmanager_cert_file, alertmanager_key_file, notify_file,
        docs_url,
    )  # fmt: skip
    try_out(alerts, firing_for, output)


@notify_app.command(name="lint")
def lint(
    file: Annotated[Path, typer.Argument(help="File of Notifications.")],
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
) -> None:
    """Check a file of notifications: fields, routes, silences, templates, secrets. Sends nothing."""
    from autoscaler.cli.notify import check_file

    check_file(file, output)


@notify_app.command(name="schema")
def schema(
    what: Annotated[str, typer.Argument(help="file, or webhook: the body that webhooks are sent.")] = "file",
) -> None:
    """Print a JSON schema: of a file of notifications, or of what a webhook is sent."""
    from autoscaler.cli.notify import print_schema

    print_schema(what)
