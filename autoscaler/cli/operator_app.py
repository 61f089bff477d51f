"""`foresail operator`: its options. Exit codes: 0 ended by a signal, 2 usage; a cluster that is away is waited for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli import alert_options, options


def operator(
    kubeconfig: Annotated[Path | None, typer.Option(help="The cluster of this kubeconfig.")] = None,
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig (default: its current one).")] = None,
    in_cluster: Annotated[bool, typer.Option("--in-cluster", help="The cluster that this process runs in.")] = False,
    installation: Annotated[
        str, typer.Option(help="Our name on the floors that we hold; one per Foresail of a cluster.")
    ] = "foresail",
    namespace: Annotated[
        list[str] | None, typer.Option(help="Only PredictiveAutoscalers of this namespace (repeat).")
    ] = None,
    lease_namespace: Annotated[
        str | None, typer.Option(envvar="POD_NAMESPACE", help="Namespace of the Lease (default: the pod's).")
    ] = None,
    lease_name: Annotated[str, typer.Option(help="Name of the Lease (default: the installation's).")] = "",
    lease_duration: Annotated[str, typer.Option(help="A standby takes over after so long without a renewal.")] = "15s",
    identity: Annotated[
        str | None, typer.Option(envvar="POD_NAME", help="Our name in the Lease (default: the host's).")
    ] = None,
    store: Annotated[Path, typer.Option(help="File of the decision record.")] = Path("foresail.db"),
    step: Annotated[str, typer.Option(help="Grid of the demand.")] = "60s",
    tick: Annotated[str, typer.Option(help="Time between decisions.")] = "15s",
    replay_from: Annotated[
        str | None, typer.Option(help="Run on a past clock from this moment on; for demonstrations and proofs.")
    ] = None,
    replay_since: Annotated[
        str | None, typer.Option(help="The past clock began then, by the machine's: a restart joins it (default: now).")
    ] = None,
    speed: Annotated[float, typer.Option(help="With --replay-from: how much faster than time.")] = 1.0,
    listen: Annotated[
        str, typer.Option(help="HOST:PORT of /metrics, /healthz and /readyz, or off.")
    ] = "127.0.0.1:9464",
    policies: Annotated[
        list[Path] | None,
        typer.Option(help="File or folder of further GuardPolicies, as a mounted ConfigMap (repeat)."),
    ] = None,
    site: Annotated[str | None, typer.Option(help="Where this runs, for the selectors of policies.")] = None,
    api: Annotated[
        bool, typer.Option("--api/--no-api", help="Serve the read-only API of decisions beside /metrics.")
    ] = True,
    alertmanager: alert_options.Alertmanagers = None,
    alert_resend: alert_options.Resend = alert_options.RESEND,
    alertmanager_token_file: alert_options.TokenFile = None,
    alertmanager_user: alert_options.User = None,
    alertmanager_password_file: alert_options.PasswordFile = None,
    alertmanager_ca_file: alert_options.CaFile = None,
    alertmanager_cert_file: alert_options.CertFile = None,
    alertmanager_key_file: alert_options.KeyFile = None,
    notify: alert_options.Notify = None,
    docs_url: alert_options.DocsUrl = None,
    anomalies: options.Anomalies = "on",
    detectors: options.Detectors = None,
) -> None:
    """Decide for the PredictiveAutoscalers of a cluster; of several operators the holder of the Lease writes."""
    from autoscaler.cli.operator import OperatorOptions, run_operator

    alerts = alert_options.AlertOptions(
        tuple(alertmanager or ()), alert_resend, alertmanager_token_file, alertmanager_user,
        alertmanager_password_file, alertmanager_ca_file, alertmanager_cert_file, alertmanager_key_file, notify,
        docs_url,
    )  # fmt: skip
    options = OperatorOptions(
        kubeconfig=kubeconfig, context=context, in_cluster=in_cluster, installation=installation,
        namespaces=tuple(namespace or ()), lease_namespace=lease_namespace, lease_name=lease_name or installation,
        lease_duration=lease_duration, identity=identity, store=store, step=step, tick=tick, listen=listen, site=site,
        replay_from=replay_from, replay_since=replay_since, speed=speed,
        policies=tuple(policies or ()), api=api, alerts=alerts, anomalies=anomalies,
        detectors=detectors,
    )  # fmt: skip
    run_operator(options)
