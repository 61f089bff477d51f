"""`foresail notify`: its options. Exit codes: 0 taken, 1 refused, 2 usage, 3 a destination cannot be reached."""

from __future__ import annotations

from typing import Annotated

import typer

from autoscaler.cli import alert_options

notify_app = typer.Typer(name="notify", help="Alerts to on-call: try the way there.", no_args_is_help=True)


@notify_app.callback()
def notify() -> None:
    """Alerts to on-call: try the way there."""


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
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
) -> None:
    """Send one test alert and its end to each Alertmanager, and say whether they were taken."""
    from autoscaler.cli.notify import try_out

    alerts = alert_options.AlertOptions(
        tuple(alertmanager or ()), alert_options.RESEND, alertmanager_token_file, alertmanager_user,
        alertmanager_password_file, alertmanager_ca_file, alertmanager_cert_file, alertmanager_key_file,
    )  # fmt: skip
    try_out(alerts, firing_for, output)
