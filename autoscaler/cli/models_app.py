"""`foresail models`: its commands and options. Exit codes: 0 ok, 1 a model that is not sound, 2 usage or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

models_app = typer.Typer(
    name="models",
    help="Models: what there is, what is in force, and who said so.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Folder = Annotated[Path, typer.Option(help="Folder of this installation's own models.")]
Trust = Annotated[list[Path] | None, typer.Option(help="Public key (.pub) whose signatures are taken (repeat).")]
Output = Annotated[str, typer.Option("--output", "-o", help="table or json.")]
By = Annotated[str | None, typer.Option(help="Who does it, for the record (default: the user of this machine).")]
DEFAULT_FOLDER = Path("foresail-models")


@models_app.command("list")
def list_(folder: Folder = DEFAULT_FOLDER, trust: Trust = None, output: Output = "table") -> None:
    """Every model and generation, which is in force, and whether it is sound."""
    from autoscaler.cli.models import list_models

    list_models(folder, trust or [], output)


@models_app.command()
def show(
    model: Annotated[str, typer.Argument(help="NAME (the one in force) or NAME@GENERATION.")],
    folder: Folder = DEFAULT_FOLDER,
    trust: Trust = None,
    output: Output = "table",
) -> None:
    """The model card: what it is for, its data, its metrics, its limits, and who put it into force."""
    from autoscaler.cli.models import show_model

    show_model(model, folder, trust or [], output)


@models_app.command()
def compare(
    first: Annotated[str, typer.Argument(help="NAME or NAME@GENERATION.")],
    second: Annotated[str, typer.Argument(help="NAME or NAME@GENERATION.")],
    folder: Folder = DEFAULT_FOLDER,
    trust: Trust = None,
    output: Output = "table",
) -> None:
    """Two models side by side: metrics, limits, training data and versions, and what differs."""
    from autoscaler.cli.models import compare_models

    compare_models(first, second, folder, trust or [], output)


@models_app.command()
def promote(
    model: Annotated[str, typer.Argument(help="NAME@GENERATION.")],
    folder: Folder = DEFAULT_FOLDER,
    trust: Trust = None,
    by: By = None,
) -> None:
    """Put a newer generation into force; it is checked first, and an older one is refused."""
    from autoscaler.cli.models import promote_model

    promote_model(model, folder, trust or [], by)


@models_app.command("roll-back")
def roll_back(
    name: Annotated[str, typer.Argument(help="NAME of the model.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    to: Annotated[int | None, typer.Option(help="Generation (default: the one in force before).", min=1)] = None,
    folder: Folder = DEFAULT_FOLDER,
    trust: Trust = None,
    by: By = None,
) -> None:
    """Put an older generation back into force; the only way back, and it stays on record."""
    from autoscaler.cli.models import roll_model_back

    roll_model_back(name, to, reason, folder, trust or [], by)


@models_app.command()
def keygen(path: Annotated[Path, typer.Argument(help="File of the private key; the public one is PATH.pub.")]) -> None:
    """Make a pair of Ed25519 keys: sign with the one, give the other to those who are to trust it."""
    from autoscaler.cli.models import make_keys

    make_keys(path)


@models_app.command()
def sign(
    model: Annotated[str, typer.Argument(help="NAME@GENERATION, or the folder of one artefact.")],
    key: Annotated[Path, typer.Option(help="File of the private key.")],
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Sign a model that is sound in every other way."""
    from autoscaler.cli.models import sign_model

    sign_model(model, key, folder)


@models_app.command()
def verify(
    model: Annotated[str, typer.Argument(help="NAME@GENERATION, or the folder of one artefact.")],
    folder: Folder = DEFAULT_FOLDER,
    trust: Trust = None,
) -> None:
    """Whether a model is whole, in time and signed by a trusted key; exit code 1 when it is not."""
    from autoscaler.cli.models import verify_model

    verify_model(model, folder, trust or [])
