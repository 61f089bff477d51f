"""What `foresail models` does; the words are in models_view."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from autoscaler.bootstrap.models import Models, parsed, trusted
from autoscaler.cli.inputs import output_kind
from autoscaler.domain.artefact import BadArtefact, Expected
from autoscaler.domain.errors import Refused

if TYPE_CHECKING:
    from autoscaler.adapters.artefacts.promotions import Promotion
    from autoscaler.bootstrap.models import ModelView


def list_models(folder: Path, trust: list[Path], output: str) -> None:
    """Exit code 1 when one that is in force is not sound."""
    from autoscaler.cli.models_view import print_list, view_dict

    output_kind(output)
    models = Models.at(folder, trust)
    views = models.views(_now())
    if output == "json":
        print(json.dumps({"models": [view_dict(view) for view in views]}, indent=2))  # noqa: T201
    elif views:
        print_list(views)
    else:
        print(f"no models in {folder} or {models.packaged.root}")  # noqa: T201
    _end(any(view.in_force is not False and view.trouble is not None for view in views))


def show_model(reference: str, folder: Path, trust: list[Path], output: str) -> None:
    from autoscaler.cli.models_view import print_card, promotion_dict, view_dict

    output_kind(output)
    models = Models.at(folder, trust)
    view = models.view(reference, _now())
    card, history = models.folder_of(view).card(view.name, view.generation), models.history(view)
    if output == "json":
        told = view_dict(view) | {"card": card, "history": [promotion_dict(each) for each in history]}
        print(json.dumps(told, indent=2))  # noqa: T201
    else:
        print_card(view, card, history)
    _end(view.trouble is not None)


def compare_models(first: str, second: str, folder: Path, trust: list[Path], output: str) -> None:
    from autoscaler.cli.models_view import comparison, print_comparison

    output_kind(output)
    models, now = Models.at(folder, trust), _now()
    one, other = (models.view(reference, now) for reference in (first, second))
    told = comparison(_readable(one), _readable(other))
    if output == "json":
        print(json.dumps(told, indent=2))  # noqa: T201
    else:
        print_comparison(told)
    _end(one.trouble is not None or other.trouble is not None)


def promote_model(reference: str, folder: Path, trust: list[Path], by: str | None) -> None:
    name, generation = _exactly(reference)
    made = Models.at(folder, trust).own.promote(name, generation, by=_who(by), at=_now())
    print(_told(name, made))  # noqa: T201


def roll_model_back(name: str, to: int | None, reason: str, folder: Path, trust: list[Path], by: str | None) -> None:
    made = Models.at(folder, trust).own.roll_back(name, by=_who(by), at=_now(), reason=reason, to=to)
    print(_told(name, made))  # noqa: T201


def make_keys(path: Path) -> None:
    from autoscaler.adapters.artefacts.keys import generate, public_path

    made = generate(path)
    print(f"key {made}: {path} signs (keep it secret), {public_path(path)} is for those who are to trust it")  # noqa: T201


def sign_model(reference: str, key: Path, folder: Path) -> None:
    from autoscaler.adapters.artefacts import read_artefact
    from autoscaler.adapters.artefacts.keys import KeySigner
    from autoscaler.adapters.artefacts.writing import sign_folder

    signer = KeySigner.from_file(key)
    if _is_path(reference):
        sound = read_artefact(Path(reference), Expected(), _now())
        signed = sign_folder(Path(reference), sound.manifest, signer)
    else:
        name, generation = _exactly(reference)
        signed = Models.at(folder).own.sign(name, generation, signer, _now())
    print(f"{signed.label}: signed by key {signer.id}")  # noqa: T201


def verify_model(reference: str, folder: Path, trust: list[Path]) -> None:
    """A packaged model is judged as one from outside here: by its signature too."""
    from autoscaler.adapters.artefacts import read_artefact

    own = Models.at(folder, trust).own
    try:
        if _is_path(reference):
            keys = trusted(folder, trust)
            manifest = read_artefact(Path(reference), Expected(), _now(), verifier=keys).manifest
        else:
            name, generation = _exactly(reference)
            manifest = own.load(name, generation, _now()).manifest
    except BadArtefact as why:
        print(f"{why.fault}: {why}")  # noqa: T201
        raise SystemExit(1) from None
    signature = manifest.signature
    print(f"{manifest.label}: sound, signed by key {signature.key if signature else 'none'}")  # noqa: T201


def _is_path(reference: str) -> bool:
    return "/" in reference or reference in {".", ".."} or ("@" not in reference and Path(reference).is_dir())


def _exactly(reference: str) -> tuple[str, int]:
    name, generation = parsed(reference)
    if generation is None:
        raise Refused(f"say which generation of {name!r}, such as {name}@3; `foresail models list` shows them")
    return name, generation


def _readable(view: ModelView) -> ModelView:
    if view.manifest is None:
        raise Refused(f"{view.label} cannot be compared: {view.trouble}")
    return view


def _told(name: str, made: Promotion) -> str:
    before = "nothing" if made.before is None else f"{name}@{made.before}"
    why = f": {made.reason}" if made.reason else ""
    return f"{name}@{made.generation} is in force, by {made.by}; before it {before}{why}"


def _who(by: str | None) -> str:
    if by is not None and not by.strip():
        raise Refused("--by needs a name; leave it out for the user of this machine")
    try:
        return (by or getpass.getuser()).strip()
    except (KeyError, OSError):
        raise Refused("this machine does not say which user you are: tell it with --by") from None


def _now() -> datetime:
    return datetime.now(UTC)


def _end(findings: bool) -> None:
    if findings:
        raise SystemExit(1)
