"""The `foresail` command: its commands and exit codes. Every command loads what it needs when it runs.

Exit codes: 0 ok, 1 findings, 2 usage or bad input, 3 a backend cannot be reached.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from autoscaler.cli.anomalies_app import anomalies_app
from autoscaler.cli.capacity_app import capacity
from autoscaler.cli.crds_app import crds
from autoscaler.cli.import_app import import_app
from autoscaler.cli.live_app import doctor, explain, get, once, release, run
from autoscaler.cli.models_app import models_app
from autoscaler.cli.notify_app import notify_app
from autoscaler.cli.once_each import OnceEach
from autoscaler.cli.operator_app import operator
from autoscaler.cli.order import InOrderOfUse
from autoscaler.cli.outlook_app import outlook
from autoscaler.cli.pause_app import pause, resume
from autoscaler.cli.policy import policy
from autoscaler.cli.record_app import export, history
from autoscaler.cli.recorded_app import advise, backtest, demo, report, simulate
from autoscaler.cli.train_app import train

app = typer.Typer(
    name="foresail",
    cls=InOrderOfUse,
    help="Foresail sees load before it arrives: a predictive autoscaler for Kubernetes that explains itself.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(models_app)
app.add_typer(anomalies_app)
app.add_typer(notify_app)
app.add_typer(policy, name="policy")
app.add_typer(import_app, name="import")

for over_recorded_demand in (demo, advise, report, simulate, backtest, capacity, outlook, train):
    app.command(cls=OnceEach)(over_recorded_demand)
for of_a_running_fleet in (run, operator, once, get, explain, history, export, doctor, pause, resume, release, crds):
    app.command()(of_a_running_fleet)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """Options before a command."""
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"foresail {installed('foresail')}")
        raise typer.Exit


def main(called: str | None = None) -> None:
    """Run the command; errors of ours are one clear message on stderr, never a stack trace.

    called: its name in the usage; None = that of the program.
    """
    try:
        if called is None:
            app()
        else:
            app(prog_name=called)
    except Exception as error:
        from autoscaler.domain.errors import AutoscalerError, InvalidSpec, Retryable

        if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("autoscaler"):
            how = "pip install './foresail[server]' beside a checkout, or 'FILE.whl[server]', brings it"
            typer.echo(f"foresail: {error.name} is not installed; {how}", err=True)
            sys.exit(2)
        if not isinstance(error, AutoscalerError):
            raise
        head = "nothing was done, as the files have problems:\n" if isinstance(error, InvalidSpec) else ""
        typer.echo(f"foresail: {head}{error}", err=True)
        sys.exit(3 if isinstance(error, Retryable) else 2)
